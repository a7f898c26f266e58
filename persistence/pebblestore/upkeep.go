package pebblestore

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"concord/persistence"
)

const hashSize = sha256.Size

func hashOf(b []byte) []byte {
	h := sha256.Sum256(b)
	return h[:]
}

// each calls visit for every record of one family of the partition, in order of the keys. What visit is given is valid
// during the call only. An error of visit ends the walk and is returned.
func (r *reader) each(p persistence.Partition, family byte, visit func(key, value []byte) error) error {
	prefix := appendPrefix(nil, p, family)
	return r.walk(prefix, keyAfter(prefix), visit)
}

// walk is each for the keys in [lower, upper).
func (r *reader) walk(lower, upper []byte, visit func(key, value []byte) error) error {
	it, err := r.from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fmt.Errorf("walk the store: %w", classify(err))
	}
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			break // Close says it again below
		}
		if err := visit(it.Key(), value); err != nil {
			return errors.Join(err, it.Close())
		}
	}
	if err := it.Close(); err != nil {
		return fmt.Errorf("walk the store: %w", classify(err))
	}
	return nil
}

// snapshot is a reader of this moment, for upkeep that must not see a group by halves.
func (s *Store) snapshot() (*reader, func() error) {
	snapshot := s.db().NewSnapshot()
	return &reader{snapshot, s.partitions}, snapshot.Close
}

// scratchDirectory is where upkeep keeps what does not fit in memory; it is emptied before and after.
const scratchDirectory = "scratch"

// scratch opens an empty store for what can be made again: nothing of it is synced. close removes it.
func (s *Store) scratch(dir string) (db *pebble.DB, closeScratch func() error, err error) {
	fs := s.options.FS
	if dir == "" {
		dir = fs.PathJoin(s.dir, scratchDirectory)
	}
	if err := fs.RemoveAll(dir); err != nil {
		return nil, nil, fmt.Errorf("empty the scratch directory %s: %w", dir, err)
	}
	db, err = pebble.Open(dir, &pebble.Options{
		FS: fs, DisableWAL: true, FormatMajorVersion: pebble.FormatNewest,
		MemTableSize: 16 << 20, CacheSize: 1 << 20, Logger: logger{s},
	})
	if err != nil {
		return nil, nil, fmt.Errorf("open a scratch store in %s: %w", dir, err)
	}
	return db, func() error { return errors.Join(db.Close(), fs.RemoveAll(dir)) }, nil
}
