package pebblestore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// Policy says how much of a history stays. What either bound wants stays; the zero value keeps all. The history of an
// entity without versions is counted by its events. So are the events of any other that made no version: they go one by
// one, and the versions around them stay.
type Policy struct {
	KeepAll  bool
	Versions int // so many of the newest; 0: no say
	Days     int // what was the newest at some time in the last so many days; 0: no say
}

// KeepsAll says that nothing goes.
func (p Policy) KeepsAll() bool { return p.KeepAll || p.Versions <= 0 && p.Days <= 0 }

// OutcomeMemory is how long the record of an outcome stays whatever the policy says, so that a repeated command finds it.
const OutcomeMemory = 24 * time.Hour

// TrimOptions of retention.
type TrimOptions struct {
	Fold persistence.Fold
	Now  time.Time
	// Needs is the seq of the oldest event that the entity still needs, by its newest state; 0: none. Nil: nobody needs any.
	Needs func(e persistence.EntityID, state []byte) (uint64, error)
	// Released says that a holder of pins of the entity needs them no more: they count as lapsed. It must be so for ever. Nil: all
	// hold until their time.
	Released func(e persistence.EntityID, holder string) (bool, error)
	// Read is how far the readers of the log have come: what is above stays. Nil: nobody reads it.
	Read func(persistence.Partition) persistence.Position
}

// Trimmed counts what retention has done.
type Trimmed struct {
	Records int // of the log, removed: at the edge, or from between versions that stay
	Parts   int // states of parts that those records wrote
	Bodies  int // that stood beside them, removed
	Moved   int // out of their records, since they are still the newest
	Pins    int // that held nothing any more
}

func (t *Trimmed) add(step Trimmed) {
	t.Records += step.Records
	t.Parts += step.Parts
	t.Bodies += step.Bodies
	t.Moved += step.Moved
	t.Pins += step.Pins
}

// Trim removes the part of an entity's history that the policy does not keep and that no pin holds. What is left can be
// read, checked and rebuilt as before; reads of older versions say ErrTrimmed. It costs what was written since the last
// trim (and what is removed), not what exists.
//
// It works in steps, each one atomic batch, and may run while groups are committed, also to the same entity: a record
// once written is never changed by anybody but retention, which takes one step at a time; and the one thing that a
// step and a group could both write, the newest state of a part, a step only removes after it has seen, while groups
// wait, that the entity has not moved since it looked. A step is written behind the groups that it builds on, so that no
// crash keeps the step and loses them; it becomes durable with the next group.
func (s *Store) Trim(ctx context.Context, e persistence.EntityID, p Policy, o TrimOptions) (done Trimmed, err error) {
	var looked persistence.Head
	for more := !p.KeepsAll(); more; {
		var step Trimmed
		step, more, err = s.retain(ctx, e, p, o, &looked)
		done.add(step)
		if err != nil {
			return done, fmt.Errorf("trim %v: %w", e, err)
		}
	}
	return done, nil
}

// retain is one step: it collects the pins that hold nothing any more, and moves the edge of the history, or, once that is
// where it belongs, thins out what is above it. looked is how far steps that thin out have come.
func (s *Store) retain(ctx context.Context, e persistence.EntityID, p Policy, o TrimOptions, looked *persistence.Head) (
	done Trimmed, more bool, err error,
) {
	if ctx.Err() != nil {
		return done, false, context.Cause(ctx)
	}
	s.retaining.Lock()
	defer s.retaining.Unlock()
	if err := s.Health(); err != nil {
		return done, false, err
	}
	h, err := s.history(e)
	if errors.Is(err, persistence.ErrNotFound) {
		return done, false, nil
	}
	if err != nil {
		return done, false, err
	}
	more, err = h.collectPins(o)
	done.Pins = len(h.lapsed)
	if err != nil || more {
		return done, more && err == nil, err
	}
	trimmed, more, err := h.step(p, o, looked)
	done.add(trimmed)
	return done, more, err
}

// step moves the edge, or thins out.
func (h *history) step(p Policy, o TrimOptions, looked *persistence.Head) (done Trimmed, more bool, err error) {
	needed := uint64(math.MaxUint64)
	if o.Needs != nil {
		if seq, err := o.Needs(h.e, h.head.State); err != nil {
			return done, false, err
		} else if seq > 0 {
			needed = seq
		}
	}
	if done, err = h.trimStep(p, o, needed); err != nil || done.Records > 0 || !h.versioned {
		return done, err == nil && done.Records > 0, err
	}
	return h.thinStep(p, o, needed, looked)
}

// trimStep moves the edge.
func (h *history) trimStep(p Policy, o TrimOptions, needed uint64) (Trimmed, error) {
	keep, err := h.keepFrom(p, o.Now)
	if keep = min(keep, needed); err != nil || keep <= h.edge+1 {
		return Trimmed{}, err
	}
	t := newTrim(h, o)
	if err := t.gather(keep); err != nil || t.first == nil {
		return Trimmed{}, err
	}
	err = t.plan()
	if err == nil {
		err = t.commit()
	}
	return t.done, errors.Join(err, t.batch.Close())
}

// history is what is kept of an entity.
type history struct {
	s         *Store
	e         persistence.EntityID
	head      persistence.Head
	base      persistence.Head // before the oldest record that is kept
	edge      uint64           // its seq; 0: nothing was trimmed
	versioned bool
	held      uint64            // lowest version that a pin holds now, or more than any version
	lapsed    []persistence.Pin // that hold nothing any more
}

func (s *Store) history(e persistence.EntityID) (*history, error) {
	head, err := s.Head(e)
	if err != nil {
		return nil, err
	}
	h := &history{s: s, e: e, head: head, versioned: head.Version > 0}
	base, err := s.edge(e)
	switch {
	case errors.Is(err, persistence.ErrNotFound):
		return h, nil
	case err != nil:
		return nil, err
	}
	h.base = persistence.HeadOf(base.GetHead())
	h.edge = h.base.Seq
	return h, nil
}

// keepFrom is the seq of the first record that must stay.
func (h *history) keepFrom(p Policy, now time.Time) (seq uint64, err error) {
	newest, oldest := h.head.Seq, h.edge+1
	if h.versioned {
		newest, oldest = h.head.Version, h.base.Version+1
	}
	target := newest
	if p.Versions > 0 {
		target = newest - min(newest, uint64(p.Versions)) + 1
	}
	if p.Days > 0 {
		at, err := h.newestAt(now.AddDate(0, 0, -p.Days))
		if err != nil {
			return 0, err
		}
		target = min(target, at)
	}
	if target = min(target, h.held); target <= oldest {
		return h.edge + 1, nil
	}
	if !h.versioned {
		return target, nil
	}
	rec, err := h.s.recordOfVersion(h.e, target)
	if err != nil {
		return 0, fmt.Errorf("record of version %d: %w", target, err)
	}
	return rec.GetSeq(), nil
}

// newestAt is the version, or the event of an entity without versions, that was the newest at the time; 0: none that is
// kept.
func (h *history) newestAt(t time.Time) (uint64, error) {
	if h.versioned {
		version, err := h.s.VersionAt(h.e, t)
		if errors.Is(err, persistence.ErrNotFound) || errors.Is(err, persistence.ErrTrimmed) {
			return 0, nil
		}
		return version, err
	}
	return h.eventAt(t, h.edge+1)
}

// eventAt is the newest event at the time, of those from the seq low on, none of which has gone; low-1: none of them.
func (h *history) eventAt(t time.Time, low uint64) (uint64, error) {
	high := h.head.Seq + 1 // the answer is in [low-1, high)
	for low < high {
		middle := low + (high-low)/2
		rec, err := h.recordOfSeq(middle)
		if err != nil {
			return 0, err
		}
		if rec.GetTime() <= t.UnixMicro() {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return low - 1, nil
}

func (h *history) recordOfSeq(seq uint64) (*recordpb.Record, error) {
	for rec, err := range h.s.Records(h.e, seq-1) {
		return rec, err
	}
	return nil, fmt.Errorf("event %d: %w", seq, persistence.ErrNotFound)
}
