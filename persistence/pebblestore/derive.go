package pebblestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// scratchMaxBatchBytes is how much of the derived records is gathered before it is written to the scratch store.
const scratchMaxBatchBytes = 4 << 20

// deriver makes the derived records of one partition after another, as they should be, from the log and the edges of
// histories that retention has trimmed. It keeps the heads of one partition in memory; the records go to a scratch store.
type deriver struct {
	from    *reader
	fold    persistence.Fold
	scratch *pebble.DB
	w       writer
	heads   map[persistence.EntityID]*derivedHead
}

type derivedHead struct {
	persistence.Head
	edge uint64 // seq up to which the history is trimmed, or has its newest gap so far
	gaps []span // that lie ahead
}

// partition derives the records of one partition.
func (d *deriver) partition(ctx context.Context, p persistence.Partition) error {
	d.heads = make(map[persistence.EntityID]*derivedHead)
	d.w = writer{batch: d.scratch.NewBatch()}
	d.w.keys.partition = p
	forgotten, err := d.from.forgotten(p)
	if err == nil {
		err = d.edges(p)
	}
	if err == nil {
		err = d.log(ctx, p, forgotten)
	}
	if err != nil {
		return errors.Join(err, d.w.batch.Close())
	}
	return d.flush()
}

// edges begins the trimmed histories where they now begin.
func (d *deriver) edges(p persistence.Partition) error {
	gaps, err := d.from.gaps(p)
	if err != nil {
		return err
	}
	for e, spans := range gaps {
		d.heads[e] = &derivedHead{gaps: spans}
	}
	err = d.from.each(p, familyEdge, func(key, value []byte) error {
		e, base, err := parseEdge(key, value)
		if err != nil {
			return err
		}
		d.heads[e] = &derivedHead{persistence.HeadOf(base.GetHead()), base.GetHead().GetSeq(), gaps[e]}
		d.w.keys.entity = e
		return d.found(e, nil, base.GetHead().GetState())
	})
	if err != nil {
		return err
	}
	err = d.from.each(p, familyEdgePart, func(key, value []byte) error {
		e, part, err := parseEdgePart(key, value)
		if err != nil {
			return err
		}
		d.w.keys.entity = e
		d.w.state(part.Part)
		index, err := d.fold.Part(e, part.ID, part.Info)
		if err != nil {
			return fmt.Errorf("index of part %q of %v: %w", part.ID, e, err)
		}
		d.w.index(index)
		return d.flushIfLarge()
	})
	if err != nil {
		return err
	}
	return d.from.each(p, familyEdgeTimer, func(key, value []byte) error {
		t, err := parseEdgeTimer(key, value)
		d.w.keys.entity = t.Entity
		d.w.set(d.w.keys.timer(t.Due, t.Name), nil)
		return err
	})
}

// log folds the records of the partition.
func (d *deriver) log(ctx context.Context, p persistence.Partition, f forgotten) error {
	return d.from.each(p, familyLog, func(key, value []byte) error {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("derive partition %d: %w", p, context.Cause(ctx))
		}
		pos := persistence.Position(binary.BigEndian.Uint64(key[3:]))
		rec := new(recordpb.Record)
		if err := unmarshalRecord(value, rec); err != nil {
			return fmt.Errorf("position %d of partition %d: %w", pos, p, err)
		}
		if err := d.record(pos, rec, value, f); err != nil {
			return fmt.Errorf("position %d of partition %d: %w", pos, p, err)
		}
		return d.flushIfLarge()
	})
}

func (d *deriver) record(pos persistence.Position, rec *recordpb.Record, stored []byte, f forgotten) error {
	e := persistence.EntityOf(rec)
	d.w.keys.entity = e
	head := d.heads[e]
	if head == nil {
		head = new(derivedHead)
	}
	if err := d.cross(e, head, rec.GetSeq()); err != nil {
		return err
	}
	beside := persistence.Projection{Outcome: outcomeOf(rec)}
	if rec.GetSeq() > head.edge {
		var err error
		if head.Head, beside, err = d.fold.Record(head.Head, rec, hashOf(stored)); err != nil {
			return fmt.Errorf("%s: %w", e.EventID(rec.GetSeq()), err)
		}
		d.heads[e] = head
	}
	if o := beside.Outcome; o != nil && f.has(dayOf(o.Time), pos) {
		beside.Outcome = nil
	}
	d.w.beside(pos, &beside)
	return d.w.err
}

// cross goes over the gap in front of the event, or around it: an event of a gap may still stand in the log for its outcome.
func (d *deriver) cross(e persistence.EntityID, head *derivedHead, seq uint64) error {
	if seq <= head.edge || len(head.gaps) == 0 || head.gaps[0].first != head.Seq+1 {
		return nil
	}
	g, err := d.from.gap(e, head.gaps[0].first)
	if err != nil {
		return err
	}
	if err := d.found(e, head.State, g.GetHead().GetState()); err != nil {
		return err
	}
	head.Head, head.edge, head.gaps = persistence.HeadOf(g.GetHead()), g.GetHead().GetSeq(), head.gaps[1:]
	d.w.beside(0, &persistence.Projection{Timers: timersOf(g)})
	return nil
}

// found writes the entries that an entity has by its state, from one state to a later one.
func (d *deriver) found(e persistence.EntityID, before, after []byte) error {
	index, err := d.fold.State(e, before, after)
	if err != nil {
		return fmt.Errorf("index of %v: %w", e, err)
	}
	d.w.index(index)
	return d.flushIfLarge()
}

func (d *deriver) flushIfLarge() error {
	if d.w.err != nil || d.w.batch.Len() < scratchMaxBatchBytes {
		return d.w.err
	}
	keys := d.w.keys
	if err := d.flush(); err != nil {
		return err
	}
	d.w = writer{batch: d.scratch.NewBatch(), keys: keys}
	return nil
}

func (d *deriver) flush() error {
	if d.w.err != nil {
		return errors.Join(fmt.Errorf("derive records: %w", d.w.err), d.w.batch.Close())
	}
	if err := d.w.batch.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("write derived records to the scratch store: %w", err)
	}
	return d.w.batch.Close()
}

// state writes the newest state of a living part, and its place at its version.
func (w *writer) state(p persistence.Part) {
	w.value = appendPartState(w.value[:0], p)
	w.set(w.keys.part(familyPart, p.ID), w.value)
	w.value = appendPlace(w.value[:0], p.Place)
	w.set(w.keys.partAt(p.ID, p.Version), w.value)
}

// outcomeOf is where the outcome that a record carries is remembered; nil if it carries none.
func outcomeOf(rec *recordpb.Record) *persistence.OutcomeKey {
	o := rec.GetOutcome()
	if o == nil {
		return nil
	}
	return &persistence.OutcomeKey{Principal: rec.GetPrincipal(), Key: o.GetKey(),
		Time: persistence.TimeOf(rec.GetTime()), Digest: o.GetDigest()}
}

// edgePart is a part as it was at the edge of its entity's history.
type edgePart struct {
	persistence.Part
	digest []byte // SHA-256 of its body
}

func appendEdgePart(b []byte, p edgePart) []byte {
	return appendPartState(append(b, p.digest...), p.Part)
}

func parseEdge(key, value []byte) (persistence.EntityID, *recordpb.Base, error) {
	base := new(recordpb.Base)
	e, rest, err := parseEntity(key[3:])
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%w: edge key with %d bytes too many", persistence.ErrCorrupt, len(rest))
	}
	if err != nil {
		return e, base, err
	}
	if err := proto.Unmarshal(value, base); err != nil {
		return e, base, fmt.Errorf("%w: edge of %v: %w", persistence.ErrCorrupt, e, err)
	}
	return e, base, nil
}

func parseEdgePart(key, value []byte) (persistence.EntityID, edgePart, error) {
	e, rest, err := parseEntity(key[3:])
	if err != nil {
		return e, edgePart{}, err
	}
	if len(rest) < 1 || rest[len(rest)-1] != 0 || len(value) < hashSize {
		return e, edgePart{}, fmt.Errorf("%w: part at the edge of %v", persistence.ErrCorrupt, e)
	}
	part, err := parsePartState(string(rest[:len(rest)-1]), value[hashSize:])
	return e, edgePart{part, append([]byte(nil), value[:hashSize]...)}, err
}

func parseEdgeTimer(key, value []byte) (persistence.Timer, error) {
	e, rest, err := parseEntity(key[3:])
	if err == nil && (len(rest) < 8 || len(value) > 0) {
		err = fmt.Errorf("%w: timer at the edge of %v", persistence.ErrCorrupt, e)
	}
	if err != nil {
		return persistence.Timer{}, err
	}
	due := persistence.TimeOf(int64(binary.BigEndian.Uint64(rest)))
	return persistence.Timer{Entity: e, Due: due, Name: string(rest[8:])}, nil
}
