package pebblestore

import (
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS stands between Pebble and the disk once the store is open. When a log file cannot be made or closed, or a
// directory not be synced, Pebble panics in the middle of its own locks, and the runtime then ends the process in its
// way. The guard ends it in ours, before Pebble hears of the error.
type guardFS struct {
	vfs.FS
	armed *atomic.Bool
	fatal func(format string, args ...any) // does not return
}

// logSuffix is how Pebble's log files end.
const logSuffix = ".log"

// Unwrap is for vfs.Root.
func (g *guardFS) Unwrap() vfs.FS { return g.FS }

func (g *guardFS) check(what, name string, err error) {
	if err != nil && g.armed.Load() {
		g.fatal("%s %s: %w", what, name, err)
	}
}

// Create makes a file; a log file under guard.
func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, c)
	return g.log(name, f, err)
}

// ReuseForWrite recycles a file; a log file under guard.
func (g *guardFS) ReuseForWrite(from, name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(from, name, c)
	return g.log(name, f, err)
}

func (g *guardFS) log(name string, f vfs.File, err error) (vfs.File, error) {
	if !strings.HasSuffix(name, logSuffix) {
		return f, err
	}
	if g.check("make", name, err); err != nil {
		return nil, err
	}
	return &guardFile{f, g, name}, nil
}

// OpenDir opens a directory under guard.
func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guardFile{f, g, name}, nil
}

// guardFile is a log file or a directory.
type guardFile struct {
	vfs.File
	guard *guardFS
	name  string
}

func (f *guardFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.guard.check("write", f.name, err)
	return n, err
}

func (f *guardFile) Sync() error {
	err := f.File.Sync()
	f.guard.check("sync", f.name, err)
	return err
}

func (f *guardFile) SyncData() error {
	err := f.File.SyncData()
	f.guard.check("sync", f.name, err)
	return err
}

func (f *guardFile) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	f.guard.check("sync", f.name, err)
	return full, err
}

func (f *guardFile) Close() error {
	err := f.File.Close()
	f.guard.check("close", f.name, err)
	return err
}
