package entity

import (
	"errors"
	"fmt"

	"concord/actors/problem"
	"concord/persistence"
)

// Bearer makes the records of entities of the kind that begin in the batch of another one; nil: it is no Born kind.
func Bearer[S, C, E any](b Behavior[S, C, E]) func(Birth, Meta) (*persistence.Entry, error) {
	born, ok := b.(Born[E])
	if !ok {
		return nil
	}
	return func(birth Birth, m Meta) (*persistence.Entry, error) {
		m.Entity, m.Seq, m.Key = birth.Entity, 1, ""
		e, err := born.Begin(birth.As, m)
		if err != nil {
			return nil, fmt.Errorf("begin %v: %w", birth.Entity, err)
		}
		s := &Shell[S, C, E]{behavior: b, id: birth.Entity}
		now := moment[S]{}
		var none C
		stored := s.apply(none, &now, e, b.EncodeEvent(e), Case{Meta: m}, false)
		return &persistence.Entry{Entity: birth.Entity, Records: []persistence.Stored{stored}}, nil
	}
}

// bear makes the entries of the entities that begin with a decision.
func (s *Shell[S, C, E]) bear(births []Birth, m Meta) ([]*persistence.Entry, error) {
	var entries []*persistence.Entry
	for _, birth := range births {
		_, err := s.world.Store.Head(birth.Entity)
		if err == nil {
			return nil, problem.New(problem.Internal, "%v began before", birth.Entity)
		}
		if !errors.Is(err, persistence.ErrNotFound) {
			return nil, fmt.Errorf("look for %v: %w", birth.Entity, err)
		}
		entry, err := s.world.Born(birth, m)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// born reads an entity that may have begun behind the back of its shell: it was asked for before there was any.
func (s *Shell[S, C, E]) born() error {
	if _, ok := s.behavior.(Born[E]); !ok || s.head.Seq > 0 {
		return nil
	}
	head, err := s.world.Store.Head(s.id)
	if errors.Is(err, persistence.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for %v: %w", s.id, err)
	}
	s.saw = s.world.Committer.Last()
	if s.state, err = s.behavior.DecodeState(head.State); err != nil {
		return fmt.Errorf("begin %v: %w: %w", s.id, persistence.ErrCorrupt, err)
	}
	head.State = nil
	s.head = head
	return nil
}
