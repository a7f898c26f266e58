package editsession

import (
	"fmt"
	"time"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/persistence"
)

// Behavior is the kind.
type Behavior struct{}

var _ entity.Behavior[State, Command, Event] = Behavior{}

// Kind is the stored number of the kind.
func (Behavior) Kind() persistence.Kind { return persistence.KindEditSession }

// Wants nothing: a session decides by its state alone.
func (Behavior) Wants(State, Command, entity.Facts) []entity.Want { return nil }

// Decide judges a command.
func (b Behavior) Decide(s State, c Command, _ entity.Facts, m entity.Meta) (entity.Decision[Event], error) {
	return entity.Only(b.decide(s, c, m))
}

func (b Behavior) decide(s State, c Command, m entity.Meta) ([]Event, error) {
	if hidden(&s, c) {
		return nil, Missing()
	}
	switch c := c.(type) {
	case *Stage:
		return stage(s, c, m)
	case *Open:
		return open(s, c, m)
	case *Match:
		return match(s, c, m)
	case *Discard:
		return discard(s, c)
	case *Begin:
		return begin(s, c, m)
	case *Abort:
		return abort(s, c)
	case *Close:
		return closed(s, m.Time)
	case *Expire:
		return expire(s, c, m)
	default:
		panic(fmt.Sprintf("editsession: unknown command %T", c))
	}
}

// hidden says that there is no such session for the command. Of a draft that is gone nothing is left: it may begin again.
func hidden(s *State, c Command) bool {
	switch c.(type) {
	case *Stage, *Open:
		return s.Status == Expired && !s.unopened()
	case *Discard:
		return false
	case *Expire:
		return s.Status == ""
	}
	return !s.Status.Shown()
}

// unopened says that the session is a draft that is gone.
func (s *State) unopened() bool { return s.Status == Expired && s.Opened.IsZero() }

// one is a decision of one event.
func one(kind string, after State, parts ...entity.Content) ([]Event, error) {
	return []Event{{Type: kind, After: after, Parts: parts}}, nil
}

// wrong refuses what is not possible where the session stands.
func wrong(s *State, what string) *problem.Problem {
	return problem.New(problem.WrongState, "the bulk edit session is %s: %s", s.Status, what).With("state", s.Status)
}

// closed ends a session. Rows that were to replace others go at once.
func closed(s State, at time.Time) ([]Event, error) {
	if s.Status != Opened {
		return nil, nil
	}
	parts := s.unstage()
	s.Status, s.Closed, s.Used, s.Expires = Closed, at, at, time.Time{}
	if s.Retention > 0 {
		s.Expires = at.Add(s.Retention)
	}
	return one(TypeClosed, s, parts...)
}

// expire is what the time has come for. A session has so few chunks that they go at once.
func expire(s State, c *Expire, m entity.Meta) ([]Event, error) {
	if s.Expires.IsZero() || !s.Expires.Equal(c.Due) {
		return nil, nil
	}
	if s.Status == Opened {
		return closed(s, m.Time)
	}
	parts := append(removed(s.List, 0, s.Chunks), s.unstage()...)
	s.Status, s.Expires = Expired, time.Time{}
	s.Chunks = 0
	return one(TypeExpired, s, parts...)
}
