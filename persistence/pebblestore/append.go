package pebblestore

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"concord/internal/planted"
	"concord/persistence"
)

// Append writes the group as one batch, with everything that stands beside its records; wait waits for its sync.
func (s *Store) Append(group []*persistence.Entry) (wait func() error, err error) {
	if err := s.Health(); err != nil {
		return nil, err
	}
	b := s.db().NewBatch()
	w := writer{batch: b, store: s, next: make(map[persistence.Partition]persistence.Position, len(group))}
	for _, e := range group {
		w.entry(e)
	}
	s.group++
	w.set(storeKey(familyGroup, ""), binary.BigEndian.AppendUint64(nil, s.group))
	if w.err != nil {
		return nil, errors.Join(fmt.Errorf("build a batch: %w", w.err), b.Close())
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	for p, pos := range w.next {
		s.last[p].Store(uint64(pos))
	}
	number := s.group
	if planted.SkipSync {
		err = b.Commit(pebble.NoSync)
		return func() error { s.mark.advance(number); return b.Close() }, err
	}
	if err := s.db().ApplyNoSyncWait(b, pebble.Sync); err != nil {
		return nil, s.lost(number, err)
	}
	return func() error {
		if err := b.SyncWait(); err != nil {
			return s.lost(number, err)
		}
		s.mark.advance(number)
		return b.Close()
	}, nil
}

// lost makes an error of the disk final.
func (s *Store) lost(group uint64, err error) error {
	err = fmt.Errorf("commit group %d: %w", group, err)
	s.fail(err)
	return err
}

// writer turns entries into the keys of one batch. Its first error sticks.
type writer struct {
	batch *pebble.Batch
	store *Store
	next  map[persistence.Partition]persistence.Position // newest position given, by partition
	keys  keyspace
	value []byte
	at    [8]byte // position of the record at hand
	err   error
}

func (w *writer) set(key, value []byte) {
	if w.err == nil {
		w.err = w.batch.Set(key, value, nil)
	}
}

func (w *writer) remove(key []byte) {
	if w.err == nil {
		w.err = w.batch.Delete(key, nil)
	}
}

func (w *writer) entry(e *persistence.Entry) {
	p := persistence.PartitionOf(e.Entity, w.store.format.Partitions)
	w.keys.partition, w.keys.entity = p, e.Entity
	for i := range e.Records {
		pos, ok := w.next[p]
		if !ok {
			pos = w.store.Last(p)
		}
		pos++
		w.next[p] = pos
		r := &e.Records[i]
		r.Position = pos
		w.set(w.keys.log(pos), r.Bytes)
		for index, body := range r.Bodies {
			if body != nil {
				w.set(bodyKey(p, pos, index), body)
			}
		}
		w.beside(pos, &r.Beside)
		for _, p := range r.Beside.Pins {
			w.pin(p, r.Beside.Version)
		}
		if o := r.Beside.Outcome; o != nil && r.Record.GetSeq() == 0 {
			w.set(strayKey(p, dayOf(o.Time), pos), hashOf(r.Bytes)) // it goes when its outcome is forgotten
		}
	}
}

// beside writes the derived records of one record at its position. Rebuild calls it, too.
func (w *writer) beside(pos persistence.Position, d *persistence.Projection) {
	at := binary.BigEndian.AppendUint64(w.at[:0], uint64(pos))
	if d.Head != nil {
		w.set(w.keys.head(), d.Head)
	}
	if d.Seq != 0 {
		w.set(w.keys.seq(d.Seq), at)
	}
	if d.Content {
		w.set(w.keys.version(d.Version), at)
	}
	for i := range d.Parts {
		w.part(pos, d.Version, &d.Parts[i])
	}
	for _, t := range d.Timers {
		if !t.Was.IsZero() {
			w.remove(w.keys.timer(t.Was, t.Name))
		}
		if !t.Due.IsZero() {
			w.set(w.keys.timer(t.Due, t.Name), nil)
		}
	}
	w.index(d.Index)
	if o := d.Outcome; o != nil {
		w.set(w.keys.outcome(dayOf(o.Time), o.Principal, o.Key), at)
	}
}

func (w *writer) part(pos persistence.Position, version uint64, c *persistence.PartChange) {
	part := persistence.Part{ID: c.ID, Version: version, Info: c.Info, Removed: c.Removed,
		Place: persistence.Place{Position: pos, Index: c.Index, Beside: c.Beside}}
	w.value = appendPartState(w.value[:0], part)
	w.set(w.keys.part(familyPart, c.ID), w.value)
	w.value = w.value[:0]
	if c.Removed {
		w.value = append(w.value, removedAt)
	} else {
		w.value = appendPlace(w.value, part.Place)
	}
	w.set(w.keys.partAt(c.ID, version), w.value)
}
