package bulk

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/persistence"
)

// Behavior is the kind.
type Behavior struct{}

var _ entity.Behavior[State, Command, Event] = Behavior{}

// Kind is the stored number of the kind.
func (Behavior) Kind() persistence.Kind { return persistence.KindBulk }

// expireMaxParts is how many parts one event removes, and no more than that are read for it; if there are more, the timer comes
// again.
const expireMaxParts = 10_000

// Wants the rows that waited, or the next parts, to remove them.
func (Behavior) Wants(s State, c Command, known entity.Facts) []entity.Want {
	switch c := c.(type) {
	case *Progress:
		return progressWants(s, c, known)
	case *Expire:
		if _, ok := known.All(); !ok && s.due(c) {
			return []entity.Want{{All: true, From: s.Gone, Most: expireMaxParts + 1}}
		}
	}
	return nil
}

// Decide judges a command.
func (b Behavior) Decide(s State, c Command, f entity.Facts, m entity.Meta) (entity.Decision[Event], error) {
	return entity.Only(b.decide(s, c, f, m))
}

func (b Behavior) decide(s State, c Command, f entity.Facts, m entity.Meta) ([]Event, error) {
	if hidden(s, c) {
		return nil, Missing()
	}
	switch c := c.(type) {
	case *Stage:
		return stage(s, c, m)
	case *Keep:
		return keep(s, c, m)
	case *Accept:
		return accept(s, c, m)
	case *Start:
		return start(s, m)
	case *Progress:
		return progress(s, c, f)
	case *Pause:
		return pause(s)
	case *Resume:
		return resume(s)
	case *Cancel:
		return cancel(s, m)
	case *Finish:
		return finish(s, m)
	case *Expire:
		return expire(s, c, f)
	case *Named:
		return gotName(s)
	case *Released:
		return released(s)
	case *Undone:
		return undone(s, c)
	case *Withdraw:
		return withdraw(s)
	default:
		panic(fmt.Sprintf("bulk: unknown command %T", c))
	}
}

// hidden says that there is no such task for the command. Of a draft that is gone nothing is left: it may begin again.
func hidden(s State, c Command) bool {
	switch c.(type) {
	case *Stage, *Keep, *Accept:
		return s.Withdrawn || s.Status == Expired && !s.unaccepted()
	case *Withdraw:
		return false
	case *Expire:
		return s.Status == ""
	case *Named, *Released:
		return s.Status == "" || s.Status == Draft
	}
	return !s.Status.Shown()
}

// unaccepted says that the task is a draft that is gone.
func (s *State) unaccepted() bool {
	return s.Status == Expired && s.Accepted.IsZero() && s.Expires.IsZero() && !s.Withdrawn
}

// one is a decision of one event.
func one(kind string, after State, parts ...entity.Content) ([]Event, error) {
	return []Event{{Type: kind, After: after, Parts: parts}}, nil
}

// wrong refuses what is not possible where the task stands.
func wrong(s State, what string) error {
	return problem.New(problem.WrongState, "the bulk task is %s: %s", s.Status, what).With("state", s.Status)
}

// Through says that nothing is left to be done.
func (s *State) Through() bool { return s.Cursor >= s.Total && s.Waiting == 0 }

func start(s State, m entity.Meta) ([]Event, error) {
	switch {
	case !s.Started.IsZero():
		return nil, nil
	case s.Status != Accepted:
		return nil, wrong(s, "only an accepted one can start")
	}
	s.Status, s.Started = InProgress, m.Time
	return one(TypeStarted, s)
}

func pause(s State) ([]Event, error) {
	switch s.Status {
	case Paused:
		return nil, nil
	case Accepted, InProgress:
		s.Status = Paused
		return one(TypePaused, s)
	default:
		return nil, wrong(s, "it cannot be paused")
	}
}

func resume(s State) ([]Event, error) {
	switch {
	case s.Status == Accepted || s.Status == InProgress:
		return nil, nil
	case s.Status != Paused:
		return nil, wrong(s, "it cannot be resumed")
	case s.Started.IsZero():
		s.Status = Accepted
	default:
		s.Status = InProgress
	}
	return one(TypeResumed, s)
}

// cancel ends a task that has not begun at once. Of one that has, items may be under way.
func cancel(s State, m entity.Meta) ([]Event, error) {
	switch {
	case s.Status == Cancelling || s.Status == Cancelled || s.Status == PartiallyCancelled:
		return nil, nil
	case !s.Status.Open():
		return nil, wrong(s, "it has ended")
	case s.Started.IsZero():
		return one(TypeCancelled, s.ended(Cancelled, m.Time))
	}
	s.Status = Cancelling
	return one(TypeCancelling, s)
}

func finish(s State, m entity.Meta) ([]Event, error) {
	switch {
	case !s.Status.Open():
		return nil, nil
	case s.Status == Cancelling && s.Counts.Done() == 0:
		return one(TypeCancelled, s.ended(Cancelled, m.Time))
	case s.Status == Cancelling:
		return one(TypeCancelled, s.ended(PartiallyCancelled, m.Time))
	case s.Status != InProgress:
		return nil, wrong(s, "it is not running")
	case !s.Through():
		return nil, wrong(s, "it is not through")
	}
	return one(TypeCompleted, s.ended(Complete, m.Time))
}

// ended is the state of a task that ends: what was still to be done, and what was waited for, is cancelled.
func (s State) ended(status Status, at time.Time) State {
	s.Status, s.Ended = status, at
	s.Counts.Cancelled += s.Counts.Pending
	s.Counts.Pending, s.Waiting = 0, 0
	if s.Retention > 0 {
		s.Expires = at.Add(s.Retention)
	}
	return s
}

// due says that the command comes from the timer that is armed.
func (s *State) due(c *Expire) bool { return !s.Expires.IsZero() && s.Expires.Equal(c.Due) }

// expire removes the parts, as many as one event may.
func expire(s State, c *Expire, f entity.Facts) ([]Event, error) {
	if !s.due(c) {
		return nil, nil
	}
	s.Status, s.Expires, s.Gone = Expired, time.Time{}, ""
	all, _ := f.All()
	ids := slices.Sorted(maps.Keys(all))
	if len(ids) > expireMaxParts {
		ids, s.Expires = ids[:expireMaxParts], c.Due.Add(time.Microsecond)
		s.Gone = ids[expireMaxParts-1]
	}
	parts := make([]entity.Content, len(ids))
	for i, id := range ids {
		parts[i] = entity.Content{ID: id, Removed: true}
	}
	return one(TypeExpired, s, parts...)
}

func released(s State) ([]Event, error) {
	switch {
	case s.Status != Expired:
		return nil, wrong(s, "it has not expired")
	case s.Name == "":
		return nil, nil
	}
	s.Name, s.Unnamed = "", false
	return one(TypeReleased, s)
}

func undone(s State, c *Undone) ([]Event, error) {
	switch {
	case c.By == "" || !named(c.By):
		return nil, problem.New(problem.Internal, "a task is taken back by %q", c.By)
	case c.By == s.UndoneBy:
		return nil, nil
	}
	s.UndoneBy = c.By
	return one(TypeUndone, s)
}

// withdraw has no task begin any more. The parts of a draft are left to its timer, which takes any number of them away.
func withdraw(s State) ([]Event, error) {
	if s.Withdrawn || !s.Accepted.IsZero() {
		return nil, nil
	}
	if s.Withdrawn = true; s.Status == "" {
		s.Status = Expired
	}
	return one(TypeWithdrawn, s)
}

func gotName(s State) ([]Event, error) {
	if !s.Unnamed {
		return nil, nil
	}
	s.Unnamed = false
	return one(TypeNamed, s)
}
