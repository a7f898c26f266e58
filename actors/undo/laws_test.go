package undo

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// content is a record as a dumb model has it: the steps that stand in it, by their runs, and what others wrote, by version.
type content struct{ steps, foreign map[int]bool }

func (c content) clone() content { return content{maps.Clone(c.steps), maps.Clone(c.foreign)} }

func (c content) String() string {
	return fmt.Sprint("steps ", slices.Sorted(maps.Keys(c.steps)), ", others ", slices.Sorted(maps.Keys(c.foreign)))
}

// inverse puts into c what the change from was to is has taken away, and takes away what it has put in.
func (c content) inverse(was, is content) {
	undo := func(c, was, is map[int]bool) {
		for x := range is {
			if !was[x] {
				delete(c, x)
			}
		}
		for x := range was {
			if !is[x] {
				c[x] = true
			}
		}
	}
	undo(c.steps, was.steps, is.steps)
	undo(c.foreign, was.foreign, is.foreign)
}

// record is one record with all its versions, beside its trail.
type record struct {
	t        *rapid.T
	trail    Trail
	versions []content // by version; 0 is none
	run      int       // newest
	ends     []uint64  // by run: newest version at its end
	backs    []int     // runs that were roll-backs
	others   []uint64  // versions that others wrote
	merged   bool      // some run has merged
}

func newRecord(t *rapid.T) *record {
	none := content{map[int]bool{}, map[int]bool{}}
	return &record{t: t, versions: []content{none, none}, ends: []uint64{1}}
}

func (r *record) now() uint64 { return uint64(len(r.versions) - 1) }

func (r *record) content() content { return r.versions[r.now()].clone() }

// writes makes a version.
func (r *record) writes(c content) Span {
	r.versions = append(r.versions, c)
	return Span{r.now() - 1, r.now()}
}

// runs is one run; unless write gives a version it has not written this record.
func (r *record) runs(write func()) {
	r.run++
	write()
	r.ends = append(r.ends, r.now())
	stands := map[int]bool{}
	for _, c := range r.trail.at(r.run) {
		stands[c.run] = true
	}
	if got := r.content().steps; !maps.Equal(stands, got) {
		r.t.Fatalf("the trail says that the steps %v stand, and %v do", slices.Sorted(maps.Keys(stands)), r.content())
	}
}

// takes undoes spans, as a collection does; ok: it has written.
func (r *record) takes(spans []Span, c OnConflict) (s Span, ok bool) {
	r.judged(spans)
	next := r.versions[spans[0].Before].clone()
	if len(Foreign(spans, r.now())) > 0 {
		switch disagree := rapid.IntRange(0, 3).Draw(r.t, "disagree") == 0; {
		case c == Skip, c == Merge && disagree:
			return Span{}, false
		case c == Merge:
			r.merged, next = true, r.content()
			for _, group := range slices.Backward(Joined(spans)) {
				next.inverse(r.versions[group.Before], r.versions[group.After])
			}
		}
	}
	lost := maps.Clone(r.content().foreign)
	maps.DeleteFunc(lost, func(x int, _ bool) bool { return next.foreign[x] })
	if c != Force && len(lost) > 0 {
		r.t.Fatalf("%s of %v loses what others wrote: %v of %v", c, spans, lost, r.content())
	}
	return r.writes(next), true
}

// judged checks that spans are in order, and that what is foreign is what others wrote, all of it that is still there.
func (r *record) judged(spans []Span) {
	if !Good(spans, r.now()) {
		r.t.Fatalf("%v of a record at version %d", spans, r.now())
	}
	named := map[int]bool{}
	for _, f := range Foreign(spans, r.now()) {
		for v := f.Before; v <= f.After; v++ {
			if named[int(v)] = true; !r.merged && !slices.Contains(r.others, v) {
				r.t.Fatalf("version %d is none of others, and is in the way of %v", v, spans)
			}
		}
	}
	for v := range r.content().foreign {
		if uint64(v) > spans[0].Before && !named[v] {
			r.t.Fatalf("%v does not name version %d, which is there: %v", named, v, r.content())
		}
	}
}

// clear checks that nothing is in the way of a roll-back that others wrote and that is there no more.
func (r *record) clear(spans []Span) {
	for _, f := range Foreign(spans, r.now()) {
		for v := f.Before; v <= f.After; v++ {
			if !r.merged && !r.content().foreign[int(v)] {
				r.t.Fatalf("version %d is in the way of %v, and is there no more: %v", v, spans, r.content())
			}
		}
	}
}

func (r *record) step() {
	r.runs(func() {
		next := r.content()
		next.steps[r.run] = true
		r.trail.Applied(r.run, r.writes(next))
	})
}

// disturbed has somebody else write; if it is to be quiet, nobody does.
func (r *record) disturbed(quiet bool) {
	if quiet {
		return
	}
	next := r.content()
	next.foreign[len(r.versions)] = true
	r.others = append(r.others, r.writes(next).After)
}

func (r *record) rollback(mark int, c OnConflict) {
	r.runs(func() {
		spans := r.trail.Since(mark)
		if len(spans) == 0 {
			return
		}
		r.clear(spans)
		s, ok := r.takes(spans, c)
		if !ok {
			return
		}
		r.trail.RolledBack(r.run, mark, s, c)
		r.backs = append(r.backs, r.run)
		// A roll-back takes off; what was taken off before it stays off, whatever stood at that moment.
		stood := maps.Clone(r.versions[r.ends[mark]].steps)
		maps.DeleteFunc(stood, func(x int, _ bool) bool { return !r.versions[s.Before].steps[x] })
		r.is(stood, spans[0].Before, "a roll-back to run %d (%s)", mark, c)
		if more := r.trail.Since(mark); len(more) > 0 {
			r.t.Fatalf("after a roll-back to run %d there is more to take back: %v", mark, more)
		}
	})
}

func (r *record) redo(of int, c OnConflict) {
	r.runs(func() {
		spans := r.trail.Taken(of)
		if len(spans) == 0 {
			return
		}
		s, ok := r.takes(spans, c)
		if !ok {
			return
		}
		r.trail.Redone(r.run, of, s, c)
		r.is(r.versions[spans[0].Before].steps, spans[0].Before, "a redo of run %d (%s)", of, c)
		if more := r.trail.Taken(of); len(more) > 0 {
			r.t.Fatalf("after a redo of run %d there is more to redo: %v", of, more)
		}
	})
}

// is checks that the record has the steps that it should have, and if others have not written since a version all that it had then.
func (r *record) is(steps map[int]bool, then uint64, format string, args ...any) {
	got, was := r.content(), r.versions[then]
	alone := !slices.ContainsFunc(r.others, func(v uint64) bool { return v > then })
	if !maps.Equal(got.steps, steps) || alone && !maps.Equal(got.foreign, was.foreign) {
		r.t.Fatalf(format+" gives %v, and it was %v", append(args, got, was)...)
	}
}

// TestTrailSaysWhatStands: whatever runs and others do, the trail has the steps that stand in the record; a roll-back takes
// off those that did not stand at its moment, and a redo brings back those that did; neither loses what others wrote unless
// it is forced; and what is in the way is what others wrote since, and not more.
func TestTrailSaysWhatStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := newRecord(t)
		policy := func() OnConflict { return rapid.SampledFrom(Choices).Draw(t, "policy") }
		quiet := rapid.Bool().Draw(t, "quiet")
		t.Repeat(map[string]func(*rapid.T){
			"step":   func(*rapid.T) { r.step() },
			"others": func(t *rapid.T) { r.disturbed(quiet) },
			"left":   func(*rapid.T) { r.runs(func() {}) },
			"rollback": func(t *rapid.T) {
				r.rollback(rapid.IntRange(0, r.run).Draw(t, "mark"), policy())
			},
			"redo": func(t *rapid.T) {
				if len(r.backs) > 0 {
					r.redo(rapid.SampledFrom(r.backs).Draw(t, "of"), policy())
				}
			},
			"again": func(t *rapid.T) {
				if len(r.backs) > 0 {
					r.redo(r.backs[len(r.backs)-1], policy())
				}
			},
		})
	})
}
