package pebblestore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// A gap is a run of events that made no version and wrote no part, and that retention has removed between events that
// stay: the versions around it are kept. It has the hash of the event before it and the head after it, so that the chain
// can be followed across it, and what was derived from its events can still be derived.

// span is where a gap lies: its first and its last event.
type span struct{ first, last uint64 }

func parseGap(value []byte) (*recordpb.Gap, error) {
	g := new(recordpb.Gap)
	if err := proto.Unmarshal(value, g); err != nil {
		return g, fmt.Errorf("%w: gap: %w", persistence.ErrCorrupt, err)
	}
	return g, nil
}

// parseGapKey is the entity of a gap, and its first event.
func parseGapKey(key []byte) (persistence.EntityID, uint64, error) {
	e, rest, err := parseEntity(key[3:])
	if err == nil && len(rest) != 8 {
		err = fmt.Errorf("%w: gap key of %v with %d bytes behind it", persistence.ErrCorrupt, e, len(rest))
	}
	if err != nil {
		return e, 0, err
	}
	return e, binary.BigEndian.Uint64(rest), nil
}

// gap reads the gap of the entity that begins at the event.
func (r *reader) gap(e persistence.EntityID, first uint64) (g *recordpb.Gap, err error) {
	err = r.get(r.keys(e).gap(first), func(value []byte) error {
		g, err = parseGap(value)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("gap of %v from event %d: %w", e, first, err)
	}
	return g, nil
}

// newestGap is the newest gap of the entity; ErrNotFound if it has none.
func (r *reader) newestGap(e persistence.EntityID) (first uint64, g *recordpb.Gap, err error) {
	lower, upper := r.keys(e).bounds(familyGap)
	it, err := r.from.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return 0, nil, fmt.Errorf("look for gaps: %w", classify(err))
	}
	err = persistence.ErrNotFound
	if it.Last() {
		if _, first, err = parseGapKey(it.Key()); err == nil {
			g, err = parseGap(it.Value())
		}
	}
	if closed := it.Close(); closed != nil {
		err = fmt.Errorf("look for gaps: %w", classify(closed))
	}
	return first, g, err
}

// gaps are those of the partition's entities, those of each in their order.
func (r *reader) gaps(p persistence.Partition) (map[persistence.EntityID][]span, error) {
	gaps := make(map[persistence.EntityID][]span)
	err := r.each(p, familyGap, func(key, value []byte) error {
		e, first, err := parseGapKey(key)
		if err != nil {
			return err
		}
		g, err := parseGap(value)
		gaps[e] = append(gaps[e], span{first, g.GetHead().GetSeq()})
		return err
	})
	return gaps, err
}

// timerChanges are what a run of events did to timers, by name.
type timerChanges map[string]persistence.TimerChange

// add notes what the next event did: a timer was as the first change found it, and is as the last one left it.
func (c timerChanges) add(changes []persistence.TimerChange) {
	for _, change := range changes {
		if before, ok := c[change.Name]; ok {
			change.Was = before.Was
		}
		c[change.Name] = change
	}
}

// encode is the stored form. A timer that is as it was is left out.
func (c timerChanges) encode() (list []*recordpb.TimerChange) {
	for name, change := range c {
		if !change.Was.Equal(change.Due) {
			list = append(list, &recordpb.TimerChange{Name: name, Was: persistence.Micros(change.Was), Due: persistence.Micros(change.Due)})
		}
	}
	slices.SortFunc(list, func(a, b *recordpb.TimerChange) int { return strings.Compare(a.GetName(), b.GetName()) })
	return list
}

// timersOf are the timers that the gap changed.
func timersOf(g *recordpb.Gap) []persistence.TimerChange {
	changes := make([]persistence.TimerChange, len(g.GetTimers()))
	for i, t := range g.GetTimers() {
		changes[i] = persistence.TimerChange{Name: t.GetName(), Was: persistence.TimeOf(t.GetWas()), Due: persistence.TimeOf(t.GetDue())}
	}
	return changes
}

// breaks says why the gap does not follow the event before it, empty if it does.
func breaks(g *recordpb.Gap, first uint64, before persistence.Head) string {
	h := g.GetHead()
	switch {
	case first != before.Seq+1:
		return fmt.Sprintf("the event before the gap is %d", before.Seq)
	case !bytes.Equal(g.GetPreviousHash(), before.Hash):
		return "its hash of the record before is not that record's"
	case h.GetVersion() != before.Version || h.GetTime() < persistence.Micros(before.Time) || len(h.GetHash()) != hashSize:
		return "the gap is not one"
	default:
		return ""
	}
}

// gaps are looked at when the chains come to them.
func (v *verifier) gaps() error {
	gaps, err := v.r.gaps(v.p)
	for e, spans := range gaps {
		if v.chains[e] == nil {
			v.chains[e] = new(chain)
		}
		v.chains[e].gaps = spans
	}
	return err
}

// cross follows a chain across the gap in front of the event.
func (v *verifier) cross(c *chain, e persistence.EntityID, seq uint64) {
	if seq <= c.edge || len(c.gaps) == 0 || c.gaps[0].first != c.seq+1 {
		return
	}
	first := c.gaps[0].first
	c.gaps = c.gaps[1:]
	g, err := v.r.gap(e, first)
	if err != nil {
		v.found(e, first, "%v", err)
	} else if why := breaks(g, first, persistence.Head{Seq: c.seq, Version: c.version, Time: persistence.TimeOf(c.micros), Hash: c.hash}); why != "" {
		v.found(e, first, "%s", why)
	}
	h := g.GetHead()
	c.seq, c.version, c.micros, c.hash, c.edge = h.GetSeq(), h.GetVersion(), h.GetTime(), h.GetHash(), h.GetSeq()
}
