package bulk

import (
	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/problem"
)

// progressWants are the rows that waited, and were come back to.
func progressWants(s State, c *Progress, known entity.Facts) (wants []entity.Want) {
	if !s.progresses() || len(c.Open) > ProgressMaxItems {
		return nil
	}
	for i := range c.Open {
		part, read := WaitingPart(c.Open[i].Row), !c.Open[i].Lost
		if _, ok := known.Part(part, read); !ok {
			wants = append(wants, entity.Want{Part: part, Body: read})
		}
	}
	return wants
}

// progresses says that items of the task may be under way.
func (s *State) progresses() bool { return s.Status.Open() && !s.Started.IsZero() }

// progress takes what came of items.
func progress(s State, c *Progress, f entity.Facts) ([]Event, error) {
	rows := c.Rows
	switch {
	case !s.Status.Open():
		return nil, nil // it comes too late: the items are cancelled, or it is a repeat
	case !s.progresses():
		return nil, wrong(s, "it has not started")
	case len(c.Rows)+len(c.Open) > ProgressMaxItems:
		return nil, problem.New(problem.Internal, "a progress of %d items: the limit is %d", len(c.Rows)+len(c.Open), ProgressMaxItems)
	case c.From != s.Cursor:
		rows = nil // told before
	case uint64(len(c.Rows)) > s.Total-s.Cursor:
		return nil, problem.New(problem.Internal, "rows %d to %d of a list of %d", c.From, c.From+uint64(len(c.Rows)), s.Total)
	}
	if err := c.distinct(); err != nil {
		return nil, err
	}
	late, waiting, err := s.reopened(c.Open, f)
	if err != nil {
		return nil, err
	}
	var parts []entity.Content
	if len(rows) > 0 {
		told := make([]Outcome, len(rows))
		for i := range rows {
			told[i] = bounded(rows[i])
			row := s.Cursor + uint64(i)
			if told[i].State == ItemPending {
				s.Waiting++
				waiting = append(waiting, waitingPart(Waiting{Row: row, Holder: told[i].Message}))
				continue
			}
			if err := s.count(&told[i]); err != nil {
				return nil, err
			}
		}
		parts = append(parts, outcomesPart(s.Cursor, told))
		s.Cursor += uint64(len(rows))
	}
	parts = append(append(parts, late...), waiting...)
	if len(parts) == 0 {
		return nil, nil
	}
	return one(TypeProgressed, s, parts...)
}

// distinct refuses a progress that tells of a row twice: what a repeat of it says would depend on which came first.
func (c *Progress) distinct() error {
	seen := make(map[uint64]bool, len(c.Open))
	for i := range c.Open {
		row := c.Open[i].Row
		if seen[row] || row >= c.From && row-c.From < uint64(len(c.Rows)) {
			return problem.New(problem.Internal, "a progress tells of row %d twice", row)
		}
		seen[row] = true
	}
	return nil
}

// reopened takes what came of rows that waited: the parts of their outcomes, and those of the rows that wait.
func (s *State) reopened(open []OpenOutcome, f entity.Facts) (late, waiting []entity.Content, err error) {
	for i := range open {
		o := &open[i]
		fact, _ := f.Part(WaitingPart(o.Row), !o.Lost)
		if !fact.Exists {
			continue // told before
		}
		if !o.Lost {
			was, err := DecodeWaiting(o.Row, fact.Body)
			if err != nil {
				return nil, nil, err
			}
			if was.Turn != o.Turn {
				continue // told before
			}
			if o.State == ItemPending {
				waiting = append(waiting, waitingPart(Waiting{Row: o.Row, Turn: was.Turn + 1, Holder: cut(o.Holder)}))
				continue
			}
		}
		told := bounded(o.Outcome)
		if err := s.count(&told); err != nil {
			return nil, nil, err
		}
		s.Waiting--
		late = append(late, latePart(o.Row, &told))
		waiting = append(waiting, entity.Content{ID: WaitingPart(o.Row), Removed: true})
	}
	return late, waiting, nil
}

// count moves an item from those that are pending to what became of it.
func (s *State) count(o *Outcome) error {
	c := s.Counts.of(o.State)
	if c == nil || o.State == ItemPending || o.State == ItemCancelled {
		return problem.New(problem.Internal, "an item cannot become %q", o.State)
	}
	s.Counts.Pending--
	*c++
	if o.State == fields.Updated && !s.DryRun {
		s.KeptBytes += o.Kept
	}
	if o.State == fields.Updated && len(o.Warnings) > 0 {
		s.Warned++
	}
	return nil
}

// bounded is the outcome with no more than is kept.
func bounded(o Outcome) Outcome {
	o.Code, o.Message = cut(o.Code), cut(o.Message)
	var kept []problem.FieldError
	for _, w := range o.Warnings[:min(len(o.Warnings), warningsMaxKept)] {
		kept = append(kept, problem.FieldError{Path: cut(w.Path), Message: cut(w.Message)})
	}
	o.Warnings = kept
	o.DiffBytes = max(o.DiffBytes, uint64(len(o.Diff)))
	if len(o.Diff) > diffMaxBytes {
		o.Diff = nil
	}
	return o
}
