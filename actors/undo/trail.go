package undo

import "slices"

// Trail is what the runs of a session have made of one record. The zero value is that of a record that no run has written.
// Runs are told in their order, numbered from 1; one that has not written the record is not told.
type Trail struct {
	moments []moment
	taken   []taken
}

// moment is what stands in the record from the end of a run on: changes, the oldest first.
type moment struct {
	run     int
	changes []change
}

// change is a step that stands in the record. Its first span is what the step wrote. From each other one to its end the runs
// have come back to the content that it began with: so these are none of others, and undoing them is nothing.
type change struct {
	run   int // the step
	spans []Span
}

// taken is a roll-back that can be redone. Its spans are as those of a change.
type taken struct {
	run   int
	spans []Span
}

// Applied tells of a step. What was taken off before can no longer be redone.
func (t *Trail) Applied(run int, s Span) {
	now := t.at(run)
	t.moments = append(t.moments, moment{run, append(slices.Clip(now), change{run, []Span{s}})})
	t.taken = nil
}

// RolledBack tells of a roll-back that undid what came after the run mark (0: everything), under a policy.
func (t *Trail) RolledBack(run, mark int, s Span, c OnConflict) {
	spans := t.Since(mark)
	if len(spans) == 0 {
		return
	}
	now := t.at(run)
	left := slices.Clone(now[:len(now)-len(t.since(mark))])
	if top := len(left) - 1; top >= 0 && exact(spans, s, c) {
		left[top].spans = append(slices.Clip(left[top].spans), Span{spans[0].Before, s.After})
	}
	t.moments = append(t.moments, moment{run, left})
	t.taken = append(t.taken, taken{run, []Span{s}})
}

// Redone tells of a redo of the roll-back that was the run of, under a policy.
func (t *Trail) Redone(run, of int, s Span, c OnConflict) {
	spans := t.Taken(of)
	if len(spans) == 0 {
		return
	}
	at := t.takenFrom(of)
	back := slices.Clone(t.at(t.taken[at].run - 1))
	t.taken = t.taken[:at]
	if exact(spans, s, c) {
		same := Span{spans[0].Before, s.After}
		top := &back[len(back)-1] // a roll-back has taken something off
		top.spans = append(slices.Clip(top.spans), same)
		if at > 0 {
			t.taken[at-1].spans = append(t.taken[at-1].spans, same)
		}
	}
	t.moments = append(t.moments, moment{run, back})
}

// exact says that undoing the spans, by the version that s ends with, has brought back the content that there was before
// them; else it was merged with what others wrote.
func exact(spans []Span, s Span, c OnConflict) bool {
	return c != Merge || len(Foreign(spans, s.Before)) == 0
}

// Since are the spans that undo what came after the run mark (0: everything), in the order in which they were written.
func (t *Trail) Since(mark int) (spans []Span) {
	for _, c := range t.since(mark) {
		spans = append(spans, c.spans...)
	}
	return spans
}

// Taken are the spans that a redo of the roll-back undoes, in the order in which they were written: its own, and those of
// roll-backs after it that were not redone; none: it has taken nothing off that is not back.
func (t *Trail) Taken(rollback int) (spans []Span) {
	for _, x := range t.taken[t.takenFrom(rollback):] {
		spans = append(spans, x.spans...)
	}
	return spans
}

func (t *Trail) takenFrom(rollback int) int {
	at := slices.IndexFunc(t.taken, func(x taken) bool { return x.run >= rollback })
	if at < 0 {
		return len(t.taken)
	}
	return at
}

// at are the changes that stood at the end of a run.
func (t *Trail) at(run int) []change {
	for i := len(t.moments) - 1; i >= 0; i-- {
		if t.moments[i].run <= run {
			return t.moments[i].changes
		}
	}
	return nil
}

// since are the changes that stand now and did not at the end of a run. They are the newest: what a redo puts back has stood
// on the same ones before.
func (t *Trail) since(mark int) []change {
	if len(t.moments) == 0 {
		return nil
	}
	now, then := t.moments[len(t.moments)-1].changes, t.at(mark)
	n := 0
	for n < len(now) && n < len(then) && now[n].run == then[n].run {
		n++
	}
	return now[n:]
}
