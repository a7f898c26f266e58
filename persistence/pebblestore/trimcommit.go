package pebblestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// trimCommitMaxTries is how often a step looks anew because its entity has moved, before it makes the groups wait.
const trimCommitMaxTries = 3

// removeRecords removes the records from the log and from the indexes of events and versions.
func (t *trim) removeRecords() error {
	for i := range t.records {
		l := &t.records[i]
		if t.versioned {
			t.remove(t.keys.version(l.rec.GetVersion()))
		}
		if err := t.removeRecord(l); err != nil {
			return err
		}
	}
	return t.countRemoved()
}

// removeRecord removes a record from the log and from the index of events. It stays in the log, outside its history,
// while its outcome is remembered.
func (t *trim) removeRecord(l *logged) error {
	t.done.Records++
	t.remove(t.keys.seq(l.rec.GetSeq()))
	o := outcomeOf(l.rec)
	if o != nil && !o.Time.Before(t.o.Now.Add(-OutcomeMemory)) {
		t.set(strayKey(t.keys.partition, dayOf(o.Time), l.pos), hashOf(l.stored))
		return nil
	}
	t.removed++
	t.removeSized(logKey(t.keys.partition, l.pos), len(l.stored))
	if o == nil {
		return nil
	}
	return t.removeOutcome(l.pos, o)
}

// countRemoved adds the records that have left the log to those that had.
func (t *trim) countRemoved() error {
	trimmed, err := t.s.trimmed(t.keys.partition)
	if err == nil && t.err == nil {
		err = setTrimmed(t.batch, t.keys.partition, trimmed+t.removed)
	}
	return err
}

// removeOutcome forgets an outcome with its record, unless its key was used again.
func (t *trim) removeOutcome(pos persistence.Position, o *persistence.OutcomeKey) error {
	key := bytes.Clone(t.keys.outcome(dayOf(o.Time), o.Principal, o.Key))
	err := t.s.get(key, func(value []byte) error {
		if persistence.Position(binary.BigEndian.Uint64(value)) == pos {
			t.remove(key)
		}
		return nil
	})
	if errors.Is(err, persistence.ErrNotFound) {
		return nil
	}
	return err
}

// settleFates writes the parts that live at the new edge, and removes those that do not.
func (t *trim) settleFates() {
	for part, f := range t.fates {
		if !f.removed {
			t.set(t.keys.part(familyEdgePart, part), appendEdgePart(nil, f.last))
			if !f.beside {
				t.moveBody(f)
			}
			continue
		}
		t.remove(t.keys.part(familyEdgePart, part))
		if t.versioned {
			t.remove(t.keys.partAt(part, f.last.Version))
		}
		t.tombs = append(t.tombs, tomb{part, f.last.Place.Position})
	}
}

// moveBody puts a body that stood inside a record that goes beside it. Its place is still called by its old name: the
// newest state of the part is not touched.
func (t *trim) moveBody(f *fate) {
	t.done.Moved++
	t.set(bodyKey(t.keys.partition, f.last.Place.Position, f.last.Place.Index), f.body)
}

// moveEdge writes the head before the first record that stays.
func (t *trim) moveEdge(head persistence.Head) error {
	base, err := proto.Marshal(&recordpb.Base{Version: head.Version + 1, Head: headMessage(head)})
	if err != nil {
		return fmt.Errorf("encode the edge: %w", err)
	}
	t.set(t.keys.edge(), base)
	return t.err
}

func headMessage(h persistence.Head) *recordpb.Head {
	return &recordpb.Head{Seq: h.Seq, Version: h.Version, Time: h.Time.UnixMicro(), Hash: h.Hash, State: h.State}
}

// commit applies the step. Groups wait for it only while it looks whether the entity has moved since it read the newest
// states of the parts that go; if the entity never rests, also while it reads them.
func (t *trim) commit() error {
	for range trimCommitMaxTries {
		head, err := t.s.Head(t.e)
		if err != nil {
			return err
		}
		gone, err := t.gone()
		if err != nil {
			return err
		}
		if done, err := t.commitAt(head.Seq, gone); done || err != nil {
			return err
		}
	}
	t.s.writing.Lock()
	defer t.s.writing.Unlock()
	gone, err := t.gone()
	if err != nil {
		return err
	}
	return t.apply(gone)
}

func (t *trim) commitAt(seq uint64, gone []tomb) (done bool, err error) {
	t.s.writing.Lock()
	defer t.s.writing.Unlock()
	head, err := t.s.Head(t.e)
	if err != nil || head.Seq != seq {
		return false, err
	}
	return true, t.apply(gone)
}

// gone are the parts whose newest state is the one that goes.
func (t *trim) gone() ([]tomb, error) {
	var gone []tomb
	for _, tomb := range t.tombs {
		p, err := t.s.Part(t.e, tomb.part)
		if errors.Is(err, persistence.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("part %q: %w", tomb.part, err)
		}
		if p.Place.Position == tomb.pos {
			gone = append(gone, tomb)
		}
	}
	return gone, nil
}

func (t *trim) apply(gone []tomb) error {
	for _, tomb := range gone {
		t.remove(t.keys.part(familyPart, tomb.part))
		if !t.versioned {
			t.remove(t.keys.partAt(tomb.part, 0)) // the one place that it has
		}
	}
	if t.err == nil {
		t.err = t.batch.Commit(pebble.NoSync)
	}
	if t.err != nil {
		return fmt.Errorf("commit: %w", t.err)
	}
	return nil
}
