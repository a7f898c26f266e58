package contenders

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"concord/internal/bench"
)

// fsyncBlockBytes is what one update appends.
const fsyncBlockBytes = 4096

// Fsync is the limit of one durable write: serial appends of 4 KiB to a growing file, each followed by
// fdatasync. All clients wait for each other. There is nothing to read.
//
// Settings: none.
type Fsync struct {
	mu    sync.Mutex
	file  *os.File
	block [fsyncBlockBytes]byte
}

var (
	_ bench.Contender = (*Fsync)(nil)
	_ bench.Preloader = (*Fsync)(nil)
	_ bench.Limit     = (*Fsync)(nil)
)

// NewFsync returns the contender, not started.
func NewFsync() *Fsync { return &Fsync{} }

// Name implements bench.Contender.
func (f *Fsync) Name() string { return "fsync" }

// Limit implements bench.Limit.
func (f *Fsync) Limit() string { return "one durable append after the other" }

// Start implements bench.Contender.
func (f *Fsync) Start(_ context.Context, dir string) error {
	file, err := os.OpenFile(filepath.Join(dir, "appends"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open file of appends: %w", err)
	}
	f.file = file
	return nil
}

// Preload implements bench.Preloader: there are no keys.
func (f *Fsync) Preload(context.Context, int, []byte) error { return nil }

// Client implements bench.Contender.
func (f *Fsync) Client(int) (bench.Client, error) { return fsyncClient{f}, nil }

// Stop implements bench.Contender.
func (f *Fsync) Stop() error {
	if err := f.file.Close(); err != nil {
		return fmt.Errorf("close file of appends: %w", err)
	}
	return nil
}

type fsyncClient struct{ *Fsync }

func (c fsyncClient) Update(context.Context, int, []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, err := c.file.Write(c.block[:]); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	if err := syncData(c.file); err != nil {
		return fmt.Errorf("sync append: %w", err)
	}
	return nil
}

func (c fsyncClient) Read(context.Context, int) ([]byte, error) { return nil, errors.ErrUnsupported }

func (c fsyncClient) Close() error { return nil }
