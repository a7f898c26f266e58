package pebblestore

import (
	"bytes"
	"container/heap"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// Log yields the partition's records from the position on.
func (r *reader) Log(p persistence.Partition, from persistence.Position) iter.Seq2[persistence.LogRecord, error] {
	return func(yield func(persistence.LogRecord, error) bool) {
		upper := keyAfter(appendPrefix(nil, p, familyLog))
		r.scan(logKey(p, from), upper, func(key, value []byte) (bool, error) {
			rec := new(recordpb.Record)
			err := unmarshalRecord(value, rec)
			return yield(persistence.LogRecord{
				Position: persistence.Position(binary.BigEndian.Uint64(key[3:])),
				Entity:   persistence.EntityOf(rec), Record: rec,
			}, err), err
		}, func(err error) { yield(persistence.LogRecord{}, err) })
	}
}

// Timers yields the partition's armed timers by due time.
func (r *reader) Timers(p persistence.Partition) iter.Seq2[persistence.Timer, error] {
	return func(yield func(persistence.Timer, error) bool) {
		prefix := appendPrefix(nil, p, familyTimer)
		r.scan(prefix, keyAfter(prefix), func(key, _ []byte) (bool, error) {
			t, err := parseTimer(key)
			return yield(t, err), err
		}, func(err error) { yield(persistence.Timer{}, err) })
	}
}

func parseTimer(key []byte) (persistence.Timer, error) {
	if len(key) < 11 {
		return persistence.Timer{}, fmt.Errorf("%w: timer key of %d bytes", persistence.ErrCorrupt, len(key))
	}
	due := time.UnixMicro(int64(binary.BigEndian.Uint64(key[3:]))).UTC()
	e, name, err := parseEntity(key[11:])
	return persistence.Timer{Entity: e, Name: string(name), Due: due}, err
}

// Cursor is the value of a named cursor.
func (s *Store) Cursor(name string) (value []byte, err error) {
	err = s.get(storeKey(familyCursor, name), func(b []byte) error {
		value = bytes.Clone(b)
		return nil
	})
	return value, err
}

// SetCursor moves a cursor. It becomes durable with the next group commit: a crash may move it back, never forward.
func (s *Store) SetCursor(name string, value []byte) error {
	return s.setCursor(name, value, pebble.NoSync)
}

// SyncCursor implements persistence.CursorStore.
func (s *Store) SyncCursor(name string, value []byte) error {
	return s.setCursor(name, value, pebble.Sync)
}

func (s *Store) setCursor(name string, value []byte, o *pebble.WriteOptions) error {
	if err := s.db().Set(storeKey(familyCursor, name), value, o); err != nil {
		return fmt.Errorf("move cursor %s: %w", name, err)
	}
	return nil
}

// Entities merges the directories of all partitions: one seek a partition, then one step an entity.
func (r *reader) Entities(k persistence.Kind, provider, after string) iter.Seq2[persistence.Listed, error] {
	return func(yield func(persistence.Listed, error) bool) {
		d, err := r.openDirectory(k, provider, after)
		for err == nil && d.Len() > 0 {
			var listed persistence.Listed
			if listed, err = d.next(); err == nil && !yield(listed, nil) {
				break
			}
		}
		if err = errors.Join(err, d.close()); err != nil {
			yield(persistence.Listed{}, err)
		}
	}
}

// directory is a heap of iterators, one a partition, the one with the least id first.
type directory struct {
	lines []directoryLine
}

type directoryLine struct {
	it *pebble.Iterator
	id string
}

func (r *reader) openDirectory(k persistence.Kind, provider, after string) (*directory, error) {
	d := &directory{}
	for p := range r.partitions {
		keys := keyspace{partition: persistence.Partition(p),
			entity: persistence.EntityID{Kind: k, Provider: provider, ID: after}}
		prefix := append(append(appendPrefix(nil, keys.partition, familyHead), byte(k)), provider...)
		prefix = append(prefix, 0)
		lower := bytes.Clone(keys.start(familyHead))
		if after != "" {
			lower = append(lower, 0) // behind the entity itself
		} else {
			lower = prefix
		}
		it, err := r.from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: keyAfter(prefix)})
		if err != nil {
			return d, fmt.Errorf("list entities: %w", classify(err))
		}
		if !it.First() {
			if err := it.Close(); err != nil {
				return d, fmt.Errorf("list entities: %w", classify(err))
			}
			continue
		}
		e, _, err := parseEntity(it.Key()[3:])
		d.lines = append(d.lines, directoryLine{it, e.ID})
		if err != nil {
			return d, err
		}
	}
	heap.Init(d)
	return d, nil
}

// next returns the least entity and moves its line on.
func (d *directory) next() (persistence.Listed, error) {
	line := &d.lines[0]
	head, err := persistence.ParseHead(line.it.Value())
	listed := persistence.Listed{ID: line.id, Head: head}
	if err != nil {
		return listed, err
	}
	if line.it.Next() {
		e, _, err := parseEntity(line.it.Key()[3:])
		line.id = e.ID
		heap.Fix(d, 0)
		return listed, err
	}
	it := line.it
	heap.Pop(d)
	return listed, classify(it.Close())
}

func (d *directory) close() error {
	var errs []error
	for _, line := range d.lines {
		errs = append(errs, line.it.Close())
	}
	return classify(errors.Join(errs...))
}

func (d *directory) Len() int           { return len(d.lines) }
func (d *directory) Less(i, j int) bool { return d.lines[i].id < d.lines[j].id }
func (d *directory) Swap(i, j int)      { d.lines[i], d.lines[j] = d.lines[j], d.lines[i] }
func (d *directory) Push(x any)         { d.lines = append(d.lines, x.(directoryLine)) }
func (d *directory) Pop() any {
	last := d.lines[len(d.lines)-1]
	d.lines = d.lines[:len(d.lines)-1]
	return last
}
