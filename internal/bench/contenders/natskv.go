package contenders

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"concord/internal/bench"
)

const (
	kvBucket             = "documents"
	kvVersionBytes       = 8 // in front of the document in a value
	kvPreloadPendingMax  = 1000
	kvPreloadWait        = time.Minute
	kvStoreMaxBytes      = 64 << 30
	kvConflictsBeforeNap = 16
	kvNap                = time.Millisecond
)

// NATSKV is a JetStream key-value bucket of an embedded nats-server, written by Update with the expected
// revision; one that is refused reads the newest and tries again.
//
// Settings: JetStream with SyncAlways, one replica, file storage, history 1 (so it keeps less than we
// do). The clients share what they know of revisions (see revisions), which favours it.
type NATSKV struct {
	dir    string
	server *server.Server
	known  revisions
}

var (
	_ bench.Contender = (*NATSKV)(nil)
	_ bench.Preloader = (*NATSKV)(nil)
)

// NewNATSKV returns the contender, not started.
func NewNATSKV() *NATSKV { return &NATSKV{} }

// Name implements bench.Contender.
func (k *NATSKV) Name() string { return "natskv" }

// Start implements bench.Contender.
func (k *NATSKV) Start(ctx context.Context, dir string) error {
	k.dir = filepath.Join(dir, "jetstream")
	if err := k.serve(true); err != nil {
		return err
	}
	err := k.do(func(js jetstream.JetStream) error {
		_, err := js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
			Bucket: kvBucket, History: 1, Storage: jetstream.FileStorage, Replicas: 1,
		})
		return err
	})
	if err == nil && !k.server.JetStreamConfig().SyncAlways {
		err = errors.New("natskv is not durable: SyncAlways is off")
	}
	if err != nil {
		return errors.Join(fmt.Errorf("create bucket: %w", err), k.Stop())
	}
	return nil
}

// serve starts the server on its directory.
func (k *NATSKV) serve(syncAlways bool) error {
	options := loopbackServer()
	options.JetStream = true
	options.JetStreamMaxStore = kvStoreMaxBytes
	options.StoreDir = k.dir
	options.SyncAlways = syncAlways
	var err error
	k.server, err = runServer(options)
	return err
}

// do calls f with a connection of its own.
func (k *NATSKV) do(f func(jetstream.JetStream) error) error {
	nc, err := dial(k.server, "natskv-admin")
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc, jetstream.WithPublishAsyncMaxPending(kvPreloadPendingMax))
	if err != nil {
		return fmt.Errorf("open jetstream: %w", err)
	}
	return f(js)
}

// Preload implements bench.Preloader. The server is started again without SyncAlways for it, since
// 3,000 keys a second would take too long; its orderly end writes everything to disk.
func (k *NATSKV) Preload(ctx context.Context, keys int, payload []byte) error {
	endServer(k.server)
	if err := k.serve(false); err != nil {
		return err
	}
	filled := k.do(func(js jetstream.JetStream) error { return k.fill(ctx, js, keys, payload) })
	endServer(k.server)
	return errors.Join(filled, k.serve(true))
}

func (k *NATSKV) fill(ctx context.Context, js jetstream.JetStream, keys int, payload []byte) error {
	value := kvValue(1, payload)
	var acks []jetstream.PubAckFuture
	for key := range keys {
		ack, err := js.PublishAsync("$KV."+kvBucket+"."+kvKey(key), value)
		if err != nil {
			return fmt.Errorf("put key %d: %w", key, err)
		}
		if acks = append(acks, ack); len(acks) < kvPreloadPendingMax && key < keys-1 {
			continue
		}
		if err := k.settle(ctx, acks, key-len(acks)+1); err != nil {
			return err
		}
		acks = acks[:0]
	}
	return nil
}

// settle waits for the answers to puts of the keys from first on.
func (k *NATSKV) settle(ctx context.Context, acks []jetstream.PubAckFuture, first int) error {
	ctx, cancel := context.WithTimeout(ctx, kvPreloadWait)
	defer cancel()
	for i, ack := range acks {
		select {
		case stored := <-ack.Ok():
			k.known.learn(first+i, revision{int64(stored.Sequence), 1})
		case err := <-ack.Err():
			return fmt.Errorf("put key %d: %w", first+i, err)
		case <-ctx.Done():
			return fmt.Errorf("put key %d: %w", first+i, ctx.Err())
		}
	}
	return nil
}

// Client implements bench.Contender.
func (k *NATSKV) Client(i int) (bench.Client, error) {
	nc, err := dial(k.server, fmt.Sprintf("natskv-client-%d", i))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startMax)
	defer cancel()
	js, err := jetstream.New(nc)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("open jetstream: %w", err)
	}
	kv, err := js.KeyValue(ctx, kvBucket)
	if err != nil {
		nc.Close()
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	return &kvClient{nc: nc, kv: kv, known: &k.known}, nil
}

// Stop implements bench.Contender.
func (k *NATSKV) Stop() error {
	endServer(k.server)
	return nil
}

func kvKey(key int) string { return fmt.Sprintf("d%08d", key) }

// kvValue is a document with its version in front.
func kvValue(version int64, payload []byte) []byte {
	value := binary.BigEndian.AppendUint64(make([]byte, 0, kvVersionBytes+len(payload)), uint64(version))
	return append(value, payload...)
}

type kvClient struct {
	nc        *nats.Conn
	kv        jetstream.KeyValue
	known     *revisions
	conflicts int64
}

var (
	_ bench.Versioned  = (*kvClient)(nil)
	_ bench.Conflicted = (*kvClient)(nil)
)

func (c *kvClient) Update(ctx context.Context, key int, payload []byte) error {
	name := kvKey(key)
	for attempt := range attemptsMax {
		known := c.known.of(key)
		number, err := c.kv.Update(ctx, name, kvValue(known.version+1, payload), uint64(known.number))
		if err == nil {
			c.known.learn(key, revision{int64(number), known.version + 1})
			return nil
		}
		if !errors.Is(err, jetstream.ErrKeyExists) {
			return fmt.Errorf("update key %d: %w", key, err)
		}
		c.conflicts++
		if attempt >= kvConflictsBeforeNap {
			time.Sleep(kvNap) // a get may be stale for a while
		}
		if _, err := c.newest(ctx, key); err != nil {
			return err
		}
	}
	return fmt.Errorf("update key %d: refused %d times", key, attemptsMax)
}

// newest reads the newest value and learns its revision.
func (c *kvClient) newest(ctx context.Context, key int) ([]byte, error) {
	entry, err := c.kv.Get(ctx, kvKey(key))
	if err != nil {
		return nil, fmt.Errorf("read key %d: %w", key, err)
	}
	value := entry.Value()
	if len(value) < kvVersionBytes {
		return nil, fmt.Errorf("read key %d: %d bytes have no room for a version", key, len(value))
	}
	c.known.learn(key, revision{int64(entry.Revision()), int64(binary.BigEndian.Uint64(value))})
	return value, nil
}

func (c *kvClient) Read(ctx context.Context, key int) ([]byte, error) {
	value, err := c.newest(ctx, key)
	if err != nil {
		return nil, err
	}
	return value[kvVersionBytes:], nil
}

// Version implements bench.Versioned.
func (c *kvClient) Version(ctx context.Context, key int) (int64, error) {
	value, err := c.newest(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return int64(binary.BigEndian.Uint64(value)), nil
}

// Conflicts implements bench.Conflicted.
func (c *kvClient) Conflicts() int64 { return c.conflicts }

func (c *kvClient) Close() error {
	c.nc.Close()
	return nil
}
