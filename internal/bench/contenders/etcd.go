package contenders

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"syscall"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"concord/internal/bench"
)

const (
	// attemptsMax bounds the tries of one optimistic update; the harness ends it earlier by its context.
	attemptsMax         = 10_000
	etcdQuotaBytes      = 8 << 30
	etcdPreloadTxnPuts  = 100 // the server takes 128 operations a transaction
	etcdClientDialLimit = startMax
)

// Etcd is etcd-server (Debian: 3.4) as one node, with a transaction that compares the modification
// revision and puts; one that is refused returns the newest revision and is tried again. etcd keeps old
// revisions by itself, and its watches stand for the outbox.
//
// Settings: one member, quota of 8 GiB, no compaction during a run, fsync as etcd does always. The
// clients share what they know of revisions (see revisions), which favours it.
type Etcd struct {
	server   *process
	endpoint string
	known    revisions
}

var (
	_ bench.Contender = (*Etcd)(nil)
	_ bench.Preloader = (*Etcd)(nil)
)

// NewEtcd returns the contender, not started.
func NewEtcd() *Etcd { return &Etcd{} }

// Name implements bench.Contender.
func (e *Etcd) Name() string { return "etcd" }

// Start implements bench.Contender.
func (e *Etcd) Start(ctx context.Context, dir string) error {
	path, err := find("etcd", "etcd-server")
	if err != nil {
		return err
	}
	ports, err := freePorts(2)
	if err != nil {
		return err
	}
	e.endpoint = "http://" + loopback(ports[0])
	peer := "http://" + loopback(ports[1])
	e.server, err = launch{path: path, dir: dir, args: []string{
		"--name", "bench", "--data-dir", filepath.Join(dir, "data"),
		"--listen-client-urls", e.endpoint, "--advertise-client-urls", e.endpoint,
		"--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", "bench=" + peer,
		"--quota-backend-bytes", strconv.Itoa(etcdQuotaBytes),
		"--logger", "zap", "--log-level", "error",
	}}.begin()
	if err != nil {
		return err
	}
	admin, err := e.connect()
	if err != nil {
		return errors.Join(err, e.Stop())
	}
	defer func() { _ = admin.Close() }() // nothing to lose
	return e.server.await(ctx, func(ctx context.Context) error {
		_, err := admin.Get(ctx, "ready")
		return err
	})
}

func (e *Etcd) connect() (*clientv3.Client, error) {
	client, err := clientv3.New(clientv3.Config{
		Endpoints: []string{e.endpoint}, DialTimeout: etcdClientDialLimit, Logger: zap.NewNop(),
	})
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	return client, nil
}

// Preload implements bench.Preloader.
func (e *Etcd) Preload(ctx context.Context, keys int, payload []byte) error {
	admin, err := e.connect()
	if err != nil {
		return err
	}
	defer func() { _ = admin.Close() }() // nothing to lose
	for first := 0; first < keys; first += etcdPreloadTxnPuts {
		after := min(first+etcdPreloadTxnPuts, keys)
		puts := make([]clientv3.Op, 0, etcdPreloadTxnPuts)
		for key := first; key < after; key++ {
			puts = append(puts, clientv3.OpPut(etcdKey(key), string(payload)))
		}
		answer, err := admin.Txn(ctx).Then(puts...).Commit()
		if err != nil {
			return fmt.Errorf("put keys from %d: %w", first, err)
		}
		for key := first; key < after; key++ {
			e.known.learn(key, revision{number: answer.Header.Revision})
		}
	}
	return nil
}

// Client implements bench.Contender.
func (e *Etcd) Client(int) (bench.Client, error) {
	conn, err := e.connect()
	if err != nil {
		return nil, err
	}
	return &etcdClient{conn: conn, known: &e.known}, nil
}

// Stop implements bench.Contender.
func (e *Etcd) Stop() error { return e.server.end(syscall.SIGTERM) }

func etcdKey(key int) string { return fmt.Sprintf("document/%08d", key) }

type etcdClient struct {
	conn      *clientv3.Client
	known     *revisions
	conflicts int64
}

var (
	_ bench.Versioned  = (*etcdClient)(nil)
	_ bench.Conflicted = (*etcdClient)(nil)
)

func (c *etcdClient) Update(ctx context.Context, key int, payload []byte) error {
	name := etcdKey(key)
	for range attemptsMax {
		known := c.known.of(key).number
		answer, err := c.conn.Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(name), "=", known)).
			Then(clientv3.OpPut(name, string(payload))).
			Else(clientv3.OpGet(name, clientv3.WithKeysOnly())).
			Commit()
		if err != nil {
			return fmt.Errorf("update key %d: %w", key, err)
		}
		if answer.Succeeded {
			c.known.learn(key, revision{number: answer.Header.Revision})
			return nil
		}
		c.conflicts++
		for _, found := range answer.Responses[0].GetResponseRange().GetKvs() {
			c.known.learn(key, revision{number: found.ModRevision})
		}
	}
	return fmt.Errorf("update key %d: refused %d times", key, attemptsMax)
}

// Read is linearizable, as etcd's reads are.
func (c *etcdClient) Read(ctx context.Context, key int) ([]byte, error) {
	answer, err := c.conn.Get(ctx, etcdKey(key))
	if err != nil {
		return nil, fmt.Errorf("read key %d: %w", key, err)
	}
	if len(answer.Kvs) == 0 {
		return nil, fmt.Errorf("key %d does not exist", key)
	}
	return answer.Kvs[0].Value, nil
}

// Version implements bench.Versioned.
func (c *etcdClient) Version(ctx context.Context, key int) (int64, error) {
	answer, err := c.conn.Get(ctx, etcdKey(key), clientv3.WithKeysOnly())
	if err != nil {
		return 0, fmt.Errorf("version of key %d: %w", key, err)
	}
	if len(answer.Kvs) == 0 {
		return 0, nil
	}
	return answer.Kvs[0].Version, nil
}

// Conflicts implements bench.Conflicted.
func (c *etcdClient) Conflicts() int64 { return c.conflicts }

func (c *etcdClient) Close() error { return c.conn.Close() }
