package propagation

import (
	"maps"
	"slices"

	"concord/actors/entity"
	"concord/actors/problem"
)

// Wants the chunks that a progress is about, and what is known of collections that were come back to; of a retry all that
// has failed.
func (Behavior) Wants(s State, c Command, known entity.Facts) []entity.Want {
	switch c := c.(type) {
	case *Progress:
		return progressWants(s, c, known)
	case *Retry:
		if s.Status != CompletedWithErrors {
			return nil
		}
		all, ok := known.All()
		if !ok {
			return []entity.Want{{All: true}}
		}
		var wants []entity.Want
		for part := range all {
			_, _, failure := FailureOf(part)
			if _, read := known.Part(part, true); failure && !read {
				wants = append(wants, entity.Want{Part: part, Body: true})
			}
		}
		return wants
	}
	return nil
}

func progressWants(s State, c *Progress, known entity.Facts) (wants []entity.Want) {
	want := func(part string) {
		if _, ok := known.Part(part, true); !ok {
			wants = append(wants, entity.Want{Part: part, Body: true})
		}
	}
	if len(c.Rows) > 0 && c.From == s.Cursor {
		last := min(s.Cursor.Row+uint64(len(c.Rows)), s.Collections)
		for row := s.Cursor.Row; row < last; row = (row/ChunkRows + 1) * ChunkRows {
			want(ChunkPart(uint32(row / ChunkRows)))
		}
	}
	for i := range c.Open {
		o := &c.Open[i]
		want(OpenPart(o.Collection))
		want(FailurePart(o.Collection, ""))
		for _, document := range o.Looked {
			want(FailurePart(o.Collection, document))
		}
		for j := range o.Failures {
			want(FailurePart(o.Collection, o.Failures[j].Document))
		}
	}
	return wants
}

// advance is a progress in the making.
type advance struct {
	State
	facts entity.Facts
	parts map[string]entity.Content
	chunk []Row  // of the plan, that was read last
	read  uint64 // its number, from 1; 0: none was
}

func progress(s State, c *Progress, f entity.Facts) ([]Event, error) {
	switch s.Status {
	case Running, Paused, Cancelled, Superseded:
	case Requested, Planned:
		return nil, wrong(s, "it is not running")
	case Completed, CompletedWithErrors, Failed:
		return nil, nil
	}
	if len(c.Rows)+len(c.Open) > ProgressMaxRows {
		return nil, problem.New(problem.Internal, "a progress of %d rows: the limit is %d", len(c.Rows)+len(c.Open), ProgressMaxRows)
	}
	a := &advance{State: s, facts: f, parts: make(map[string]entity.Content)}
	news := false
	if c.From == s.Cursor {
		for i := range c.Rows {
			if err := a.row(&c.Rows[i]); err != nil {
				return nil, err
			}
			news = true
		}
	}
	for i := range c.Open {
		known, err := a.reopened(&c.Open[i])
		if err != nil {
			return nil, err
		}
		news = news || known
	}
	if !news {
		return nil, nil
	}
	parts := make([]entity.Content, 0, len(a.parts))
	for _, id := range slices.Sorted(maps.Keys(a.parts)) {
		parts = append(parts, a.parts[id])
	}
	return one(TypeProgressed, a.State, parts...)
}

// row takes what came of the cursor's row, and moves the cursor.
func (a *advance) row(o *Outcome) error {
	planned, err := a.planned(a.Cursor.Row)
	if err != nil {
		return err
	}
	left := planned.Links
	if a.Cursor.After != "" {
		left = a.Left
	}
	left = a.take(left, o.Tally)
	a.failed(planned.Collection, o.Failures)
	switch o.End {
	case Part:
		a.Cursor.After, a.Left = o.After, left
		return nil
	case Done:
		a.skip(left)
		a.Done++
	case Locked:
		a.Waiting++
		a.put(openPart(planned.Collection, Opened{Left: left, After: o.After, Locked: true, Holder: o.Why, Row: a.Cursor.Row}))
	case Broken:
		a.broken(planned.Collection, left, o)
		a.Done++
	}
	a.Cursor, a.Left = Cursor{Row: a.Cursor.Row + 1}, 0
	return nil
}

// planned is a row of the plan.
func (a *advance) planned(row uint64) (Row, error) {
	if row >= a.Collections {
		return Row{}, problem.New(problem.Internal, "row %d of a plan with %d", row, a.Collections)
	}
	if number := row / ChunkRows; a.read != number+1 {
		fact, _ := a.facts.Part(ChunkPart(uint32(number)), true)
		rows, err := DecodeChunk(fact.Body)
		if err != nil {
			return Row{}, err
		}
		a.chunk, a.read = rows, number+1
	}
	if at := int(row % ChunkRows); at < len(a.chunk) {
		return a.chunk[at], nil
	}
	return Row{}, problem.New(problem.Internal, "row %d is not in its chunk of the plan", row)
}

// reopened takes what came of a collection that was come back to; false: it was told before.
func (a *advance) reopened(o *OpenOutcome) (bool, error) {
	part := OpenPart(o.Collection)
	fact, _ := a.facts.Part(part, true)
	if _, twice := a.parts[part]; twice || !fact.Exists {
		return false, nil
	}
	was, err := DecodeOpen(fact.Body)
	if err != nil || was.Turn != o.Turn {
		return false, err
	}
	a.repaired(o)
	left := a.take(was.Left, o.Tally)
	a.failed(o.Collection, o.Failures)
	a.leave(was)
	is := Opened{Turn: was.Turn + 1, Left: left, After: max(was.After, o.After), Retry: was.Retry, Row: was.Row}
	switch o.End {
	case Done:
		a.skip(left)
	case Broken:
		if was.Retry && !o.Rest {
			a.fail(left) // the failures that were to be tried again still stand
			break
		}
		a.broken(o.Collection, left, &o.Outcome)
	case Locked:
		is.Locked, is.Holder = true, o.Why
		fallthrough
	case Part:
		// A lock that has ended is still waited for until the next turn: so it stays among those that are come back to.
		is.Locked = is.Locked || !was.Retry
		a.enter(is)
		a.put(openPart(o.Collection, is))
		return true, nil
	}
	if !was.Retry {
		a.Done++
	}
	a.put(entity.Content{ID: part, Removed: true})
	return true, nil
}

// enter and leave count a collection that is come back to.
func (a *advance) enter(o Opened) {
	if o.Locked {
		a.Waiting++
	} else {
		a.Retrying++
	}
}

func (a *advance) leave(o Opened) {
	if o.Locked {
		a.Waiting--
	} else {
		a.Retrying--
	}
}

// repaired takes back failures that were looked at again.
func (a *advance) repaired(o *OpenOutcome) {
	for _, document := range o.Looked {
		a.unfail(o.Collection, document)
	}
	if o.Rest {
		a.unfail(o.Collection, "")
	}
}

func (a *advance) unfail(collection, document string) {
	part := FailurePart(collection, document)
	if a.has(part) {
		a.Failures--
		a.put(entity.Content{ID: part, Removed: true})
	}
}

// has says whether there is a part, as far as it was asked for.
func (a *advance) has(part string) bool {
	if c, ok := a.parts[part]; ok {
		return !c.Removed
	}
	fact, _ := a.facts.Part(part, false)
	return fact.Exists
}

// failed keeps failures, as far as there is room.
func (a *advance) failed(collection string, failures []Failure) {
	for i := range failures {
		f := failures[i]
		if a.Failures >= failuresMaxKept {
			return // they are counted
		}
		f.Collection = collection
		if !a.has(FailurePart(collection, f.Document)) {
			a.Failures++
		}
		a.put(failurePart(&f))
	}
}

// broken counts the rest of a collection as failed.
func (a *advance) broken(collection string, left uint64, o *Outcome) {
	a.fail(left)
	a.failed(collection, []Failure{{Links: left, Cause: o.Why, After: o.After}})
}

func (a *advance) put(c entity.Content) { a.parts[c.ID] = c }
