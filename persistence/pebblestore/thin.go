package pebblestore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"

	"google.golang.org/protobuf/proto"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// thin is one step above the edge of a history: it removes events that made no version and wrote no part, and leaves a
// gap where they were. So an entity that is locked and released for ever, without a save, does not grow for ever.
type thin struct {
	*trim
	head persistence.Head // as far as it has looked
	run  *run             // that it is within; nil: the last event stays
}

// run is a gap in the making.
type run struct {
	first    uint64
	previous []byte // hash of the event before it
	timers   timerChanges
	grown    bool
}

// thinStep thins out what the policy does not keep, from where the last step ended. It costs what was written since the
// newest gap.
func (h *history) thinStep(p Policy, o TrimOptions, needed uint64, looked *persistence.Head) (done Trimmed, more bool, err error) {
	t := thin{trim: newTrim(h, o), head: h.base}
	if err := t.begin(looked); err != nil {
		return done, false, err
	}
	keep, err := h.eventsFrom(p, o, t.head.Seq+1)
	if keep = min(keep, needed); err != nil || keep <= t.head.Seq+1 {
		return done, false, err
	}
	if any, err := h.thinnable(t.head, keep); err != nil || !any {
		return done, false, err
	}
	t.batch = h.s.db().NewBatch()
	if more, err = t.look(keep); err == nil {
		err = t.finish()
	}
	if err == nil && t.done.Records > 0 {
		err = t.commit()
	}
	*looked = t.head
	return t.done, more && err == nil, errors.Join(err, t.batch.Close())
}

// begin goes to where the newest gap ends, or where the last step has ended.
func (t *thin) begin(looked *persistence.Head) error {
	first, g, err := t.s.newestGap(t.e)
	switch {
	case errors.Is(err, persistence.ErrNotFound):
	case err != nil:
		return err
	default:
		t.head = persistence.HeadOf(g.GetHead())
		t.run = &run{first: first, previous: g.GetPreviousHash(), timers: make(timerChanges)}
		t.run.timers.add(timersOf(g))
	}
	if looked.Seq > t.head.Seq {
		t.head, t.run = *looked, nil
	}
	return nil
}

// eventsFrom is the seq of the oldest event that must stay though it made no version. From low on no event has gone.
func (h *history) eventsFrom(p Policy, o TrimOptions, low uint64) (uint64, error) {
	keep := h.head.Seq
	if p.Versions > 0 {
		keep -= min(keep, uint64(p.Versions)) - 1
	}
	if p.Days > 0 {
		at, err := h.eventAt(o.Now.AddDate(0, 0, -p.Days), low)
		if err != nil {
			return 0, err
		}
		keep = min(keep, at)
	}
	switch {
	case h.held == math.MaxUint64:
		return keep, nil
	case h.held <= h.base.Version:
		return 0, nil
	}
	rec, err := h.s.recordOfVersion(h.e, h.held)
	if err != nil {
		return 0, fmt.Errorf("record of the pinned version %d: %w", h.held, err)
	}
	return min(keep, rec.GetSeq()), nil
}

// thinnable says whether there are events without a version after the head and before the event with the seq keep. It
// counts: most histories have none, and need not be read.
func (h *history) thinnable(head persistence.Head, keep uint64) (bool, error) {
	rec, err := h.recordOfSeq(keep)
	if err != nil {
		return false, err
	}
	versions := rec.GetVersion() - head.Version
	made, err := h.s.recordOfVersion(h.e, rec.GetVersion())
	switch {
	case errors.Is(err, persistence.ErrNotFound): // it is below the edge, or there was none yet
	case err != nil:
		return false, err
	case made.GetSeq() == keep:
		versions--
	}
	return keep-1-head.Seq > versions, nil
}

// look reads on, up to the event with the seq keep, and puts what goes into the batch; more: it has done enough for one
// step.
func (t *thin) look(keep uint64) (more bool, err error) {
	readTo, count, size := t.readTo(), 0, 0
	_, upper := t.keys.bounds(familySeq)
	err = t.s.walk(bytes.Clone(t.keys.seq(t.head.Seq+1)), upper, func(_, value []byte) error {
		l, err := t.s.logged(t.keys.partition, persistence.Position(binary.BigEndian.Uint64(value)))
		if err != nil {
			return err
		}
		if l.rec.GetSeq() >= keep || l.pos > readTo {
			return errEnough
		}
		count, size = count+1, size+len(l.stored)
		if more = count > trimStepMaxRecords || size > trimStepMaxBytes; more && count > 1 {
			return errEnough
		}
		return t.event(&l)
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return more, err
}

// event removes the event, or ends the run.
func (t *thin) event(l *logged) error {
	after, beside, err := t.fold(t.head, l)
	if err != nil {
		return err
	}
	switch {
	case beside.Content || len(beside.Parts) > 0:
		err = t.endRun()
	default:
		if t.run == nil {
			t.run = &run{first: l.rec.GetSeq(), previous: l.rec.GetPreviousHash(), timers: make(timerChanges)}
		}
		t.run.grown = true
		t.run.timers.add(beside.Timers)
		err = t.removeRecord(l)
	}
	t.head = after
	return err
}

// endRun makes the run a gap.
func (t *thin) endRun() error {
	if t.run == nil || !t.run.grown {
		t.run = nil
		return nil
	}
	gap, err := proto.Marshal(&recordpb.Gap{PreviousHash: t.run.previous, Timers: t.run.timers.encode(), Head: headMessage(t.head)})
	if err != nil {
		return fmt.Errorf("encode a gap: %w", err)
	}
	t.set(t.keys.gap(t.run.first), gap)
	t.run = nil
	return nil
}

func (t *thin) finish() error {
	if err := t.endRun(); err != nil {
		return err
	}
	return errors.Join(t.countRemoved(), t.err)
}
