package propagation

import (
	"fmt"

	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/persistence"
)

// Behavior is the kind.
type Behavior struct{}

var (
	_ entity.Behavior[State, Command, Event] = Behavior{}
	_ entity.Born[Event]                     = Behavior{}
)

// Kind is the stored number of the kind.
func (Behavior) Kind() persistence.Kind { return persistence.KindPropagation }

// Begin is the birth of a job, as a *links.Change.
func (Behavior) Begin(as any, m entity.Meta) (Event, error) {
	change, ok := as.(*links.Change)
	if !ok {
		return Event{}, fmt.Errorf("a propagation begins with a change, not with %T", as)
	}
	return Event{Type: TypeRequested, After: State{Status: Requested, Cause: *change, Principal: m.Principal, Reason: m.Reason,
		Requested: m.Time}}, nil
}

// Decide judges a command.
func (b Behavior) Decide(s State, c Command, f entity.Facts, m entity.Meta) (entity.Decision[Event], error) {
	return entity.Only(b.decide(s, c, f, m))
}

func (b Behavior) decide(s State, c Command, f entity.Facts, m entity.Meta) ([]Event, error) {
	if s.Status == "" {
		return nil, Missing()
	}
	switch c := c.(type) {
	case *Plan:
		return plan(s, c)
	case *PlanDone:
		return planDone(s, c, m)
	case *Start:
		return start(s, m)
	case *Progress:
		return progress(s, c, f)
	case *Pause, *Resume:
		return hold(s, c)
	case *Cancel, *Supersede, *Fail:
		return end(s, c, m)
	case *Retry:
		return retry(s, f)
	case *Finish:
		return finish(s, m)
	default:
		panic(fmt.Sprintf("propagation: unknown command %T", c))
	}
}

// one is a decision of one event.
func one(kind string, after State, parts ...entity.Content) ([]Event, error) {
	return []Event{{Type: kind, After: after, Parts: parts}}, nil
}

// wrong refuses what is not possible where the job stands.
func wrong(s State, what string) error {
	return problem.New(problem.WrongState, "the propagation is %s: %s", s.Status, what).With("state", s.Status)
}

func plan(s State, c *Plan) ([]Event, error) {
	switch {
	case c.Number < s.Chunks:
		return nil, nil // sent again
	case s.Status != Requested || s.Whole:
		return nil, wrong(s, "it is not being planned")
	case c.Number > s.Chunks || c.Number >= ChunksMax || len(c.Rows) == 0 || len(c.Rows) > ChunkRows:
		return nil, problem.New(problem.Internal, "chunk %d with %d rows, where chunk %d comes next", c.Number, len(c.Rows), s.Chunks)
	case s.Collections%ChunkRows != 0:
		return nil, problem.New(problem.Internal, "chunk %d comes after one that is not full", c.Number)
	}
	s.Chunks++
	s.Collections += uint64(len(c.Rows))
	for _, r := range c.Rows {
		s.PlannedLinks += r.Links
	}
	return one(TypeChunked, s, chunkPart(c.Number, c.Rows))
}

func planDone(s State, c *PlanDone, m entity.Meta) ([]Event, error) {
	switch {
	case s.Whole:
		return nil, nil
	case s.Status != Requested:
		return nil, wrong(s, "it is not being planned")
	case c.Chunks != s.Chunks:
		return nil, problem.New(problem.Internal, "a plan of %d chunks, where %d are known", c.Chunks, s.Chunks)
	}
	s.Whole, s.Counts.Pending, s.Status = true, s.PlannedLinks, Planned
	planned := Event{Type: TypePlanned, After: s}
	if s.Collections > 0 {
		return []Event{planned}, nil
	}
	return []Event{planned, {Type: TypeCompleted, After: s.ended(Completed, m.Time)}}, nil
}

func start(s State, m entity.Meta) ([]Event, error) {
	switch {
	case !s.Started.IsZero():
		return nil, nil
	case s.Status != Planned:
		return nil, wrong(s, "only a planned one can start")
	}
	s.Status, s.Started = Running, m.Time
	return one(TypeStarted, s)
}

// hold pauses and resumes.
func hold(s State, c Command) ([]Event, error) {
	_, pause := c.(*Pause)
	switch {
	case !s.Status.Open():
		return nil, wrong(s, "it has ended")
	case pause == (s.Status == Paused):
		return nil, nil
	case pause:
		s.Status = Paused
		return one(TypePaused, s)
	}
	s.Status = s.going()
	return one(TypeResumed, s)
}

// going is the status of a job that is not held up.
func (s *State) going() Status {
	switch {
	case !s.Whole:
		return Requested
	case s.Started.IsZero():
		return Planned
	}
	return Running
}

// end ends a job before it is through.
func end(s State, c Command, m entity.Meta) ([]Event, error) {
	pending := s.Counts.Pending
	if !s.Status.Open() {
		if _, cancel := c.(*Cancel); cancel && s.Status != Cancelled {
			return nil, wrong(s, "it has ended")
		}
		return nil, nil
	}
	kind := ""
	switch c := c.(type) {
	case *Cancel:
		kind, s = TypeCancelled, s.ended(Cancelled, m.Time)
	case *Supersede:
		kind, s = TypeSuperseded, s.ended(Superseded, m.Time)
		s.SupersededBy = c.By
	case *Fail:
		kind, s = TypeFailed, s.ended(Failed, m.Time)
		s.Message, s.Rest = cut(c.Message), pending
	default:
		panic(fmt.Sprintf("propagation: %T does not end a job", c))
	}
	s.Counts.Pending = 0
	*s.undone() += pending
	return one(kind, s)
}

func finish(s State, m entity.Meta) ([]Event, error) {
	switch {
	case s.Status == Completed || s.Status == CompletedWithErrors:
		return nil, nil
	case s.Status != Running:
		return nil, wrong(s, "it is not running")
	case !s.Through():
		return nil, wrong(s, "it is not through")
	case s.Counts.Failed > 0:
		return one(TypeCompleted, s.ended(CompletedWithErrors, m.Time))
	}
	return one(TypeCompleted, s.ended(Completed, m.Time))
}
