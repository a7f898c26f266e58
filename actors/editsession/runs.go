package editsession

import (
	"slices"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/undo"
)

// begin adds a run.
func begin(s State, c *Begin, m entity.Meta) ([]Event, error) {
	newest, some := s.Newest()
	switch {
	case some && c.Run.Task != "" && newest.Task == c.Run.Task:
		return nil, nil // sent again
	case s.Status != Opened:
		return nil, wrong(&s, "nothing can be done with it")
	case newest.Number != c.After:
		return nil, wrong(&s, "something else has begun meanwhile")
	}
	run := c.Run
	run.Begun, run.Number, run.Step = m.Time, s.Numbered+1, 0
	if err := s.may(&run); err != nil {
		return nil, err
	}
	if run.Kind == Preview || run.Kind == Apply {
		run.Step = s.Steps + 1
	}
	if run.Kind == Apply {
		s.Steps++
	}
	s.Runs = append(s.Told(), run)
	s.Numbered, s.Path, s.Used = run.Number, s.path(), m.Time
	return one(TypeBegun, s)
}

// runsMax is how many runs there may be before this one. The last place is for the way back to the start: whatever was done and
// undone, that is there.
func runsMax(run *Run) int {
	switch {
	case run.Kind == Apply:
		return StepsMax
	case run.Kind == Rollback && run.To == 0:
		return RunsMax
	}
	return RunsMax - 1
}

// may refuses a run that cannot follow those that are there.
func (s *State) may(run *Run) error {
	done := 0
	for i := range s.Runs {
		if !s.Runs[i].Dry() {
			done++
		}
	}
	edits := run.Kind == Preview || run.Kind == Apply
	switch {
	case !named(run.Task) || edits && run.Task == "":
		return problem.New(problem.Internal, "a %s with the task %q", run.Kind, run.Task)
	case edits && (run.DryRun || run.Mark+run.To+run.Of > 0 || run.OnConflict != ""):
		return problem.New(problem.Internal, "a %s of a roll-back", run.Kind)
	case !edits && !slices.Contains(undo.Choices, run.OnConflict):
		return problem.New(problem.Internal, "onConflict is %q", run.OnConflict)
	case edits && s.Counts.Matched == 0:
		return wrong(s, "no record is matched")
	case !run.Dry() && done >= runsMax(run):
		return wrong(s, "it has all the steps, roll-backs and redos that one may have: begin another").With("limit", RunsMax)
	}
	switch run.Kind {
	case Preview, Apply:
		return nil
	case Rollback:
		plan, err := s.Plan(Target{Initial: run.To == 0, Step: run.To}, run.OnConflict)
		if err == nil && plan.Mark != run.Mark {
			err = cannot("a roll-back to the end of run %d, where run %d is meant", run.Mark, plan.Mark)
		}
		return err
	case Redo:
		return s.mayRedo(run)
	}
	return problem.New(problem.Internal, "a run of the kind %q", run.Kind)
}

// mayRedo: the newest roll-back that was not redone, and again the one of the newest redo, of which only its task knows if it has
// left something.
func (s *State) mayRedo(run *Run) error {
	plan, err := s.PlanRedo(run.OnConflict, true, run.Of)
	if err == nil && plan.Of != run.Of {
		err = cannot("the roll-back %d cannot be redone", run.Of)
	}
	return err
}

// abort removes the newest run.
func abort(s State, c *Abort) ([]Event, error) {
	newest, _ := s.Newest()
	switch {
	case !slices.ContainsFunc(s.Runs, func(r Run) bool { return r.Number == c.Run }):
		return nil, nil
	case s.Status != Opened:
		return nil, wrong(&s, "its runs stay")
	case newest.Number != c.Run:
		return nil, wrong(&s, "something else has begun since")
	}
	return one(TypeAborted, s.Without())
}

// Without is the state as if its newest run had not begun. There is one.
func (s State) Without() State {
	s.Runs = slices.Clone(s.Runs[:len(s.Runs)-1])
	s.Path = s.path()
	return s
}
