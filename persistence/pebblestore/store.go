// Package pebblestore fulfils the persistence contract with Pebble. It is the only package that imports Pebble.
//
// Pebble is opened with FormatNewest, and a new store is closed and opened once more before its first record: only a
// log that was begun in that format has checksums that tell a flipped bit from the end of the log. A log that was cut
// short looks complete to Pebble all the same; a separate high-water mark finds that. What Pebble cannot go on from (an
// error of the log's file, a corrupt table) ends the process through Options.Fatal: nothing is answered after it.
package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/sstable/block"
	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/persistence"
)

// Options of a store. The zero value of each has a meaning that is named.
type Options struct {
	FS         vfs.FS // nil: the operating system's
	Partitions int    // of a new store; 0: take what an old store has, or DefaultPartitions
	CacheBytes int64  // 0: DefaultCacheBytes
	ID         string // of a new store
	ReadOnly   bool   // for inspection: takes no lock for writing, repairs nothing

	// AcceptDataLoss opens a store whose log ends before the high-water mark, and moves the mark back. It is an act of
	// an operator, and is logged.
	AcceptDataLoss bool

	// ReserveBytes of free disk space: below it Append's callers are told by Writable. 0: no reserve.
	ReserveBytes uint64

	// Fatal is told of an error after which the store must not be used, once. It must end the process or at least
	// everything that could answer from this store.
	Fatal func(error)
	// Warn is told of what an operator should know. May be nil.
	Warn func(string)

	tune func(*pebble.Options) // for tests: smaller files, so that little data makes many
}

// Defaults of the options.
const (
	DefaultPartitions = 256
	DefaultCacheBytes = 128 << 20
)

// diskSlowAfter is how long an operation of the disk may take before an operator is warned.
const diskSlowAfter = 5 * time.Second

// partitionsMax keeps partition numbers away from the store's own.
const partitionsMax = 1 << 14

// Store is one directory. All methods may be called by many goroutines, Append by one.
type Store struct {
	reader
	options Options
	dir     string
	lock    *pebble.Lock
	mark    *highWater
	format  Format

	disk      *guardFS // what Pebble sees of the disk
	armed     atomic.Bool
	slowCheck io.Closer // of the operating system's disk; nil for any other

	last  []atomic.Uint64 // newest position, by partition
	group uint64          // of Append alone

	writing   sync.Mutex // held while a group is committed, and by retention while it commits what the group must not change
	retaining sync.Mutex // one step of retention at a time; taken before writing

	failed  atomic.Pointer[error]
	failing sync.Once
	low     atomic.Bool // within the reserve
}

var (
	_ persistence.Journal       = (*Store)(nil)
	_ persistence.EntityReader  = (*Store)(nil)
	_ persistence.HistoryReader = (*Store)(nil)
	_ persistence.OutcomeReader = (*Store)(nil)
	_ persistence.LogReader     = (*Store)(nil)
	_ persistence.CursorStore   = (*Store)(nil)
	_ persistence.TimerReader   = (*Store)(nil)
)

// ErrInUse means that another process has the directory open.
var ErrInUse = errors.New("the data directory is in use by another process")

// Open opens the store in dir, or makes it. It refuses a directory that another process uses, a format or partition
// count that does not fit, and a log that ends before what was once durable.
func Open(dir string, o Options) (*Store, error) {
	ofSystem := o.FS == nil
	if ofSystem {
		o.FS = vfs.Default
	}
	if o.CacheBytes == 0 {
		o.CacheBytes = DefaultCacheBytes
	}
	if o.Partitions < 0 || o.Partitions > partitionsMax {
		return nil, fmt.Errorf("%d partitions: must be 1 to %d", o.Partitions, partitionsMax)
	}
	if err := o.FS.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the store directory %s: %w", dir, err)
	}
	lock, err := pebble.LockDirectory(dir, o.FS)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrInUse, dir, err)
	}
	s := &Store{options: o, dir: dir, lock: lock}
	s.disk = &guardFS{FS: o.FS, armed: &s.armed, fatal: logger{s}.Fatalf}
	if ofSystem {
		s.disk.FS, s.slowCheck = vfs.WithDiskHealthChecks(o.FS, diskSlowAfter, nil,
			func(i vfs.DiskSlowInfo) { s.warn("disk is slow: " + i.String()) })
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open the store %s: %w", dir, err), s.release())
	}
	s.armed.Store(true)
	return s, nil
}

// release gives up what Open took before Pebble's files.
func (s *Store) release() error {
	if s.slowCheck == nil {
		return s.lock.Close()
	}
	return errors.Join(s.lock.Close(), s.slowCheck.Close())
}

func (s *Store) open() (err error) {
	if err := s.create(); err != nil {
		return err
	}
	db, err := pebble.Open(s.dir, s.pebbleOptions())
	if err != nil {
		return classify(err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, db.Close())
		}
	}()
	want := Format{Version: formatVersion, Partitions: s.options.Partitions, ID: s.options.ID}
	if s.format, err = checkFormat(db, want); err != nil {
		return err
	}
	s.reader = reader{from: db, partitions: s.format.Partitions}
	if err := s.loadPositions(db); err != nil {
		return err
	}
	return s.checkMark()
}

// create makes Pebble's files in the newest format if there are none yet, and closes them again. It also finishes what a
// crash has left of such a beginning.
func (s *Store) create() error {
	desc, err := pebble.Peek(s.dir, s.options.FS)
	switch {
	case err != nil:
		return fmt.Errorf("look for a store: %w", err)
	case s.options.ReadOnly && !desc.Exists:
		return persistence.ErrNotFound
	case desc.Exists:
		if err := checkManifest(s.options.FS, desc.ManifestFilename); err != nil {
			return err
		}
		if desc.FormatMajorVersion >= pebble.FormatNewest || s.options.ReadOnly {
			return nil
		}
	}
	db, err := pebble.Open(s.dir, s.pebbleOptions())
	if err != nil {
		return fmt.Errorf("make the store: %w", classify(err))
	}
	return db.Close()
}

// What writing in bulk costs is mostly that each byte is read, compressed and written again by compactions, and that a read
// passes an index of its table. See docs/BENCHMARKS.md for what each of these is worth.
const (
	l0CompactAtSublevels = 8         // more is gathered before it is merged into the levels below; bloom filters spare readers most of them
	indexBlockBytes      = 256 << 10 // the index of a table is one block: with more, each read looks into an index of indexes first
)

func (s *Store) pebbleOptions() *pebble.Options {
	o := &pebble.Options{
		FS: s.disk, Lock: s.lock, ReadOnly: s.options.ReadOnly,
		FormatMajorVersion:    pebble.FormatNewest,
		CacheSize:             s.options.CacheBytes,
		MemTableSize:          32 << 20,
		L0CompactionThreshold: l0CompactAtSublevels,
		L0StopWritesThreshold: 24,
		LBaseMaxBytes:         128 << 20,
		MaxOpenFiles:          1024,
		WALBytesPerSync:       512 << 10,
		BytesPerSync:          1 << 20,
		Logger:                logger{s},
		EventListener: &pebble.EventListener{
			DataCorruption: func(i pebble.DataCorruptionInfo) {
				s.fail(fmt.Errorf("%w: %s: %w", persistence.ErrCorrupt, i.Path, i.Details))
			},
			BackgroundError: func(err error) { s.warn("store background work: " + err.Error()) },
			WriteStallBegin: func(i pebble.WriteStallBeginInfo) { s.warn("writes stall: " + i.Reason) },
		},
	}
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		o.Levels[i].BlockSize = 8 << 10
		o.Levels[i].IndexBlockSize = indexBlockBytes
		o.Levels[i].Compression = func() *block.CompressionProfile { return block.FastestCompression }
	}
	if s.options.tune != nil {
		s.options.tune(o)
	}
	return o
}

// loadPositions finds where each partition's log ends: one seek a partition.
func (s *Store) loadPositions(db *pebble.DB) error {
	s.last = make([]atomic.Uint64, s.format.Partitions)
	it, err := db.NewIter(nil)
	if err != nil {
		return fmt.Errorf("look for the ends of the log: %w", err)
	}
	for p := range s.last {
		prefix := appendPrefix(nil, persistence.Partition(p), familyLog)
		if it.SeekLT(keyAfter(prefix)) && len(it.Key()) == len(prefix)+8 && string(it.Key()[:3]) == string(prefix) {
			s.last[p].Store(binary.BigEndian.Uint64(it.Key()[3:]))
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("look for the ends of the log: %w", classify(err))
	}
	b, closer, err := db.Get(storeKey(familyGroup, ""))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the number of the newest group: %w", classify(err))
	}
	s.group = binary.BigEndian.Uint64(b)
	return closer.Close()
}

// checkMark compares where the log ends with what was certainly durable.
func (s *Store) checkMark() error {
	accept := s.options.AcceptDataLoss
	if s.options.ReadOnly {
		marked, err := peekHighWater(s.options.FS, s.dir)
		if err == nil && marked > s.group {
			err = s.shortLog(marked)
		}
		if accept || s.group == 0 && marked == 0 {
			return nil
		}
		return err
	}
	mark, marked, err := openHighWater(s.options.FS, s.dir, s.group == 0 || accept, s.fail)
	if err != nil {
		return err
	}
	if marked > s.group {
		if !accept {
			return errors.Join(s.shortLog(marked), mark.close())
		}
		s.warn(fmt.Sprintf("data loss accepted: groups %d to %d are gone", s.group+1, marked))
		if err := mark.reset(s.group); err != nil {
			return errors.Join(err, mark.close())
		}
	}
	s.mark = mark
	s.mark.start()
	s.mark.advance(s.group)
	return nil
}

func (s *Store) shortLog(marked uint64) error {
	return fmt.Errorf("%w: the log ends at group %d, but group %d was durable: restore a backup, or start once with "+
		"--accept-data-loss", persistence.ErrCorrupt, s.group, marked)
}

// Format tells what is fixed about the store.
func (s *Store) Format() Format { return s.format }

// Last is the position of the newest record of the partition.
func (s *Store) Last(p persistence.Partition) persistence.Position {
	return persistence.Position(s.last[p].Load())
}

func (s *Store) db() *pebble.DB { return s.from.(*pebble.DB) }

// fail ends the use of the store, once.
func (s *Store) fail(err error) {
	s.failing.Do(func() {
		s.failed.Store(&err)
		if s.options.Fatal != nil {
			s.options.Fatal(err)
		}
	})
}

// Health is nil, or the error after which the store must not be used.
func (s *Store) Health() error {
	if err := s.failed.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *Store) warn(text string) {
	if s.options.Warn != nil {
		s.options.Warn(text)
	}
}

// Close writes the high-water mark and closes the files. Nothing may be in use.
func (s *Store) Close() error {
	s.armed.Store(false) // from here on an error is an error
	var errs []error
	if err := s.db().Close(); err != nil {
		errs = append(errs, fmt.Errorf("close the store: %w", err))
	}
	if s.mark != nil {
		errs = append(errs, s.mark.close())
	}
	return errors.Join(append(errs, s.release())...)
}

// classify marks Pebble's corruption errors as the contract's.
func classify(err error) error {
	if err == nil || !pebble.IsCorruptionError(err) || errors.Is(err, persistence.ErrCorrupt) {
		return err
	}
	return fmt.Errorf("%w: %w", persistence.ErrCorrupt, err)
}

// logger passes Pebble's last words on.
type logger struct{ s *Store }

func (logger) Infof(string, ...any)                {}
func (l logger) Errorf(format string, args ...any) { l.s.warn(fmt.Sprintf(format, args...)) }

// Fatalf must not return: Pebble counts on it.
func (l logger) Fatalf(format string, args ...any) {
	l.s.fail(fmt.Errorf("store: "+format, args...))
	select {}
}
