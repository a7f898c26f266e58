package contenders

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cockroachdb/pebble/v2"

	"concord/internal/bench"
)

const (
	pebbleMemTableBytes     = 64 << 20
	pebbleCacheBytes        = 128 << 20
	pebblePreloadBatchBytes = 4 << 20
)

// PebbleOptions give the raw store the settings of another run.
type PebbleOptions struct {
	// Open returns the options of the store. Nil: those in the comment of Pebble.
	Open func() *pebble.Options
}

// Pebble is the limit of the store below: one Set with Sync for each update, from as many goroutines as
// there are clients, without network, versions or history.
//
// Settings, unless the options say otherwise: format FormatNewest, memtable 64 MiB, block cache
// 128 MiB, else the defaults; the store is opened twice, so that the log is in the checked format.
type Pebble struct {
	options PebbleOptions
	db      *pebble.DB
}

var (
	_ bench.Contender = (*Pebble)(nil)
	_ bench.Preloader = (*Pebble)(nil)
	_ bench.Limit     = (*Pebble)(nil)
)

// NewPebble returns the contender, not started.
func NewPebble(o PebbleOptions) *Pebble {
	if o.Open == nil {
		o.Open = func() *pebble.Options {
			return &pebble.Options{
				FormatMajorVersion: pebble.FormatNewest,
				MemTableSize:       pebbleMemTableBytes,
				CacheSize:          pebbleCacheBytes,
				Logger:             fatalOnly{},
			}
		}
	}
	return &Pebble{options: o}
}

// fatalOnly drops what Pebble says about its routine.
type fatalOnly struct{}

func (fatalOnly) Infof(string, ...any)  {}
func (fatalOnly) Errorf(string, ...any) {}

// Fatalf panics: the store is of no use after it.
func (fatalOnly) Fatalf(format string, arguments ...any) {
	panic("pebble contender: " + fmt.Sprintf(format, arguments...))
}

// Name implements bench.Contender.
func (p *Pebble) Name() string { return "pebble" }

// Limit implements bench.Limit.
func (p *Pebble) Limit() string { return "the store alone, one synced set, no network" }

// Start implements bench.Contender.
func (p *Pebble) Start(_ context.Context, dir string) error {
	dir = filepath.Join(dir, "store")
	for range 2 {
		if err := p.Stop(); err != nil {
			return err
		}
		db, err := pebble.Open(dir, p.options.Open())
		if err != nil {
			return fmt.Errorf("open store: %w", err)
		}
		p.db = db
	}
	return nil
}

// Preload implements bench.Preloader.
func (p *Pebble) Preload(ctx context.Context, keys int, payload []byte) error {
	batch := p.db.NewBatch()
	defer func() { _ = batch.Close() }() // it was committed or is of no use
	for key := range keys {
		if err := batch.Set(pebbleKey(key), payload, nil); err != nil {
			return fmt.Errorf("set key %d: %w", key, err)
		}
		if batch.Len() < pebblePreloadBatchBytes && key < keys-1 {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := batch.Commit(pebble.Sync); err != nil {
			return fmt.Errorf("commit up to key %d: %w", key, err)
		}
		batch.Reset()
	}
	return nil
}

// Client implements bench.Contender.
func (p *Pebble) Client(int) (bench.Client, error) { return &pebbleClient{db: p.db}, nil }

// Stop implements bench.Contender.
func (p *Pebble) Stop() error {
	if p.db == nil {
		return nil
	}
	err := p.db.Close()
	p.db = nil
	if err != nil {
		return fmt.Errorf("close store: %w", err)
	}
	return nil
}

func pebbleKey(key int) []byte { return binary.BigEndian.AppendUint64(nil, uint64(key)) }

type pebbleClient struct {
	db     *pebble.DB
	answer []byte
}

func (c *pebbleClient) Update(_ context.Context, key int, payload []byte) error {
	if err := c.db.Set(pebbleKey(key), payload, pebble.Sync); err != nil {
		return fmt.Errorf("set key %d: %w", key, err)
	}
	return nil
}

func (c *pebbleClient) Read(_ context.Context, key int) ([]byte, error) {
	value, closer, err := c.db.Get(pebbleKey(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, fmt.Errorf("key %d does not exist", key)
	}
	if err != nil {
		return nil, fmt.Errorf("get key %d: %w", key, err)
	}
	c.answer = append(c.answer[:0], value...)
	if err := closer.Close(); err != nil {
		return nil, fmt.Errorf("get key %d: %w", key, err)
	}
	return c.answer, nil
}

func (c *pebbleClient) Close() error { return nil }
