package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/persistence"
)

// ErrNotEmpty means that a restore would have overwritten something.
var ErrNotEmpty = errors.New("the directory is not empty")

// lockFile is Pebble's; it is no part of a copy.
const lockFile = "LOCK"

// Backup makes a copy of the store in dir, which must not exist, while the store is in use. The copy holds every group
// that was durable when Backup was called; when it returns, the copy is on disk, and complete: its high-water mark, by
// which Restore knows a complete one, is written last. It returns the number of the newest group in it.
//
// Where the file system can, the copy shares its table files with the store until the store has rewritten them: it costs
// little time and space, but a damage of the disk may reach both. Take it elsewhere.
func (s *Store) Backup(dir string) (group uint64, err error) {
	if err := s.Health(); err != nil {
		return 0, err
	}
	if err := s.db().Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return 0, fmt.Errorf("back up to %s: %w", dir, classify(err))
	}
	if group, err = s.completeBackup(dir); err != nil {
		return 0, errors.Join(fmt.Errorf("back up to %s: %w", dir, err), s.options.FS.RemoveAll(dir))
	}
	return group, nil
}

// completeBackup gives a checkpoint the high-water mark that fits.
func (s *Store) completeBackup(dir string) (group uint64, err error) {
	if group, err = s.groupOf(dir); err != nil {
		return 0, err
	}
	if err := s.options.FS.Remove(s.options.FS.PathJoin(dir, lockFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	return group, writeHighWater(s.options.FS, dir, group)
}

// groupOf is the number of the newest group in a copy.
func (s *Store) groupOf(dir string) (group uint64, err error) {
	db, err := pebble.Open(dir, &pebble.Options{
		FS: s.options.FS, ReadOnly: true, CacheSize: 1 << 20, Logger: logger{s}, FormatMajorVersion: pebble.FormatNewest})
	if err != nil {
		return 0, fmt.Errorf("open the copy: %w", classify(err))
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	r := &reader{from: db, partitions: s.partitions}
	err = r.get(storeKey(familyGroup, ""), func(b []byte) error {
		group = binary.BigEndian.Uint64(b)
		return nil
	})
	if errors.Is(err, persistence.ErrNotFound) {
		err = nil
	}
	return group, err
}

// Restore copies the backup in from to the directory to, which must be empty or not exist, opens the copy and verifies
// it. If the copy is not sound it is removed again, and the error is ErrCorrupt; the report tells what was found. The
// backup is only read. The store that it was taken from may be in use; a directory that is in use itself is no backup.
func Restore(ctx context.Context, from, to string, o Options, v VerifyOptions) (report Report, err error) {
	if o.FS == nil {
		o.FS = vfs.Default
	}
	release, err := o.checkBackup(from)
	if err != nil {
		return report, fmt.Errorf("restore from %s: %w", from, err)
	}
	err = o.checkTarget(to)
	if err == nil {
		err = o.copyStore(ctx, from, to)
	}
	if err = errors.Join(err, release()); err != nil {
		return report, fmt.Errorf("restore %s from %s: %w", to, from, err)
	}
	if report, err = verifyCopy(ctx, to, o, v); err != nil {
		err = errors.Join(fmt.Errorf("restore %s from %s: %w", to, from, err), o.FS.RemoveAll(to))
	}
	return report, err
}

// checkBackup refuses a directory that is not a complete backup, or that is in use. release gives it free again.
func (o *Options) checkBackup(from string) (release func() error, err error) {
	if _, err := peekHighWater(o.FS, from); err != nil {
		return nil, fmt.Errorf("it is not a complete backup: %w", err)
	}
	if _, err := o.FS.Stat(o.FS.PathJoin(from, lockFile)); errors.Is(err, fs.ErrNotExist) {
		return func() error { return nil }, nil
	}
	lock, err := pebble.LockDirectory(from, o.FS)
	if err != nil {
		return nil, fmt.Errorf("%w: take a backup of it first: %w", ErrInUse, err)
	}
	return lock.Close, nil
}

func (o *Options) checkTarget(to string) error {
	names, err := o.FS.List(to)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && len(names) > 0 {
		err = ErrNotEmpty
	}
	return err
}

// copyStore copies the files, the high-water mark last: without it the copy cannot be opened.
func (o *Options) copyStore(ctx context.Context, from, to string) error {
	names, err := o.FS.List(from)
	if err != nil {
		return err
	}
	if err := o.FS.MkdirAll(to, 0o700); err != nil {
		return err
	}
	slices.SortFunc(names, func(a, b string) int {
		switch {
		case a == highWaterFile:
			return 1
		case b == highWaterFile:
			return -1
		}
		return 0
	})
	for _, name := range names {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		info, err := o.FS.Stat(o.FS.PathJoin(from, name))
		if err != nil {
			return err
		}
		if info.IsDir() || name == lockFile {
			continue
		}
		if name == highWaterFile {
			err = syncDirectory(o.FS, to)
		}
		if err == nil {
			err = vfs.Copy(o.FS, o.FS.PathJoin(from, name), o.FS.PathJoin(to, name))
		}
		if err != nil {
			return fmt.Errorf("copy %s: %w", name, err)
		}
	}
	return errors.Join(syncDirectory(o.FS, to), syncDirectory(o.FS, o.FS.PathDir(to)))
}

func verifyCopy(ctx context.Context, dir string, o Options, v VerifyOptions) (report Report, err error) {
	s, err := Open(dir, o)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if report, err = s.Verify(ctx, v); err != nil {
		return report, err
	}
	if report.Findings > 0 {
		return report, fmt.Errorf("%w: the verification has %d findings, the first: %v", persistence.ErrCorrupt,
			report.Findings, report.List[0])
	}
	return report, nil
}
