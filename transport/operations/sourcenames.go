package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/provider"
	"concord/actors/source"
	"concord/persistence"
	"concord/transport"
)

// The names of a source file are the provider's to give. A change goes like this, one at a time for each source:
//
//  1. the source is asked which names it would need that are not its own yet (source.Attempt);
//  2. they are reserved, in one order for all, so that of two changes that want the same names one gets all that are
//     contested;
//  3. the change is made: it stands from here on, and the source in the index of those with names to settle;
//  4. the new names are confirmed, the old ones released, and the source is told so (source.Settle).
//
// A refusal in 2 or 3 releases what was reserved; a crash before 3 lets it lapse. What a crash after 3 has left is settled
// at the next start, before anybody can ask for names (SettleSources), or by the next change of the source. A change is
// called off if it is not decided upon while its reservations certainly hold. A client that leaves calls nothing off.

// systemPrincipal is on whose behalf the service does what follows from earlier changes.
const systemPrincipal = "concord"

func sourceID(provider, id string) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindSource, Provider: provider, ID: id}
}

// sourceTurn waits until nobody else changes the source file, as long as the request has time.
func (s *Service) sourceTurn(ctx context.Context, r *transport.Request, id persistence.EntityID) (leave func(), err error) {
	ctx, end := s.patience(ctx, r)
	defer end()
	return s.turns.take(ctx, forSource, id.String(), "earlier changes of the source file")
}

// changeSource makes a change of a source file whose names may change with it.
func (s *Service) changeSource(ctx context.Context, r *transport.Request, id persistence.EntityID, c *source.Put, reason string) (*transport.Reply, error) {
	leave, err := s.sourceTurn(ctx, r, id)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, done := throughout(ctx)
	defer done()
	if err := s.settleSource(ctx, id); err != nil {
		return nil, err
	}
	try := *c
	try.Try = true
	take, known, err := s.attempt(ctx, s.envelope(r, id, &try, reason))
	if err != nil || known != nil {
		return known, err
	}
	env := s.envelope(r, id, c, reason)
	if err := s.reserve(ctx, r, id, take, env.DryRun); err != nil {
		return nil, err
	}
	if due := s.Clock.Now().Add(provider.ReservationTTL / 2); len(take) > 0 && (env.Deadline.IsZero() || due.Before(env.Deadline)) {
		env.Deadline = due
	}
	a, err := s.call(ctx, env)
	if _, refused := errors.AsType[*problem.Problem](err); refused {
		return nil, errors.Join(err, s.releaseAll(ctx, id, take, env.DryRun))
	}
	if err != nil {
		return nil, err // it may have been made: what was reserved lapses, or is confirmed
	}
	if !env.DryRun {
		if err := s.settleSource(ctx, id); err != nil {
			s.Failed(r.RequestID, err) // the change stands: the next one, or the next start, settles it
		}
	}
	return &transport.Reply{Status: a.Status, Version: a.Version, Body: a.Body}, nil
}

// throughMax bounds a change that goes on without its client.
const throughMax = 2 * drainMax

// throughout is the context of work that is done to its end, also when the client leaves that has asked for it.
func throughout(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), throughMax)
}

// attempt asks what a command would take. known is the answer to it if it was made before, under the same key.
func (s *Service) attempt(ctx context.Context, env *entity.Envelope) (take []source.Name, known *transport.Reply, err error) {
	env.DryRun = true
	a, err := s.call(ctx, env)
	if err != nil {
		return nil, nil, err
	}
	if a.Status != 0 {
		return nil, &transport.Reply{Status: a.Status, Version: a.Version, Body: a.Body}, nil
	}
	var attempt source.Attempt
	if err := json.Unmarshal(a.Body, &attempt); err != nil {
		return nil, nil, fmt.Errorf("read what %v would take: %w", env.Entity, err)
	}
	return attempt.Take, nil, nil
}

// reserve takes names for a source; the first that belongs to another refuses them all.
func (s *Service) reserve(ctx context.Context, r *transport.Request, id persistence.EntityID, names []source.Name, dryRun bool) error {
	for i, n := range names {
		env := s.toProvider(id, &provider.Reserve{Scope: n.Scope, Name: n.Name, Owner: id.ID})
		env.Meta.Principal, env.Meta.RequestID, env.DryRun, env.Vital = r.Caller.Principal, r.RequestID, dryRun, false
		_, err := s.call(ctx, env)
		if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NameTaken {
			taken := problem.New(problem.NameTaken, "the request has an error at %s", n.Path)
			taken.Errors = []problem.FieldError{{Path: n.Path, Message: "belongs to another authority source file"}}
			err = taken
		}
		if err != nil {
			return errors.Join(err, s.releaseAll(ctx, id, names[:i], dryRun))
		}
	}
	return nil
}

// releaseAll gives back names that were reserved for nothing.
func (s *Service) releaseAll(ctx context.Context, id persistence.EntityID, names []source.Name, dryRun bool) error {
	if dryRun {
		return nil
	}
	for _, n := range names {
		if err := s.release(ctx, id, n.Scope, n.Name); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) release(ctx context.Context, id persistence.EntityID, scope, name string) error {
	if _, err := s.call(ctx, s.toProvider(id, &provider.Release{Scope: scope, Name: name, Owner: id.ID})); err != nil {
		return fmt.Errorf("release %s %q of %v: %w", scope, name, id, err)
	}
	return nil
}

// toProvider is a command of ours to the actor of the source's provider.
func (s *Service) toProvider(id persistence.EntityID, command any) *entity.Envelope {
	return &entity.Envelope{Entity: persistence.EntityID{Kind: persistence.KindProvider, Provider: id.Provider, ID: id.Provider},
		Command: command, Meta: entity.Meta{Principal: systemPrincipal}, Vital: true}
}

// settleSource tells the provider which names the source has, where that is still to be done, and calls a deletion off that
// did not end. The source's lock is held. It reads what the store has: the source is at rest.
func (s *Service) settleSource(ctx context.Context, id persistence.EntityID) error {
	state, err := s.sourceState(s.Store, id)
	if err != nil || state.Settled() {
		return err
	}
	if state.Live && !state.Open {
		if err := s.tellSource(ctx, id, &source.Reopen{}); err != nil {
			return err
		}
	}
	names := state.Names()
	keys := make([]string, len(names))
	for i, n := range names {
		keys[i] = n.Key()
		if slices.Contains(state.Held, keys[i]) {
			continue
		}
		if err := s.confirm(ctx, id, n); err != nil {
			return err
		}
	}
	for _, key := range state.Held {
		if slices.Contains(keys, key) {
			continue
		}
		scope, name := source.CutKey(key)
		if err := s.release(ctx, id, scope, name); err != nil {
			return err
		}
	}
	return s.tellSource(ctx, id, &source.Settle{Keys: keys})
}

// confirm makes a name the source's own. A reservation that has lapsed is made again.
func (s *Service) confirm(ctx context.Context, id persistence.EntityID, n source.Name) error {
	confirm := &provider.Confirm{Scope: n.Scope, Name: n.Name, Owner: id.ID}
	_, err := s.call(ctx, s.toProvider(id, confirm))
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.WrongState {
		if _, err = s.call(ctx, s.toProvider(id, &provider.Reserve{Scope: n.Scope, Name: n.Name, Owner: id.ID})); err == nil {
			_, err = s.call(ctx, s.toProvider(id, confirm))
		}
	}
	if err != nil {
		return fmt.Errorf("confirm %s %q of %v: %w", n.Scope, n.Name, id, err)
	}
	return nil
}

// tellSource sends a source a command of ours.
func (s *Service) tellSource(ctx context.Context, id persistence.EntityID, command any) error {
	if _, err := s.call(ctx, &entity.Envelope{Entity: id, Command: command, Meta: entity.Meta{Principal: systemPrincipal}, Vital: true}); err != nil {
		return fmt.Errorf("settle %v: %w", id, err)
	}
	return nil
}

// sourceState is the source as the reader has it; the zero state if it never was.
func (s *Service) sourceState(from persistence.EntityReader, id persistence.EntityID) (source.State, error) {
	head, err := from.Head(id)
	if err != nil && !errors.Is(err, persistence.ErrNotFound) {
		return source.State{}, fmt.Errorf("read %v: %w", id, err)
	}
	return source.Behavior{}.DecodeState(head.State)
}

// SettleSources settles what a crash has left of changes of source files. Call it when the core runs, before anybody can
// ask for anything.
func (s *Service) SettleSources(ctx context.Context) error {
	var open []persistence.EntityID
	for p := range s.Store.Partitions() {
		key := persistence.IndexKey{Kind: persistence.KindSource, Name: source.IndexUnsettled}
		for e, err := range s.Store.IndexTerms(persistence.Partition(p), key) {
			if err != nil {
				return fmt.Errorf("look for unsettled sources: %w", err)
			}
			open = append(open, sourceID(e.Provider, e.Entity))
		}
	}
	for _, id := range open {
		leave, err := s.turns.take(ctx, forSource, id.String(), "earlier changes of "+id.String())
		if err != nil {
			return fmt.Errorf("settle %v: %w", id, err)
		}
		err = s.settleSource(ctx, id)
		leave()
		if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NameTaken {
			s.Failed("", err) // it keeps its place in the index, for an operator to see to
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}
