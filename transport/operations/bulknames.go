package operations

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"concord/actors/bulk"
	"concord/actors/problem"
	"concord/actors/provider"
	"concord/actors/source"
	"concord/persistence"
	"concord/transport"
)

// The names that tasks were given are the provider's to keep: unique, and never nothing but digits, so that a task without a
// name has its number for one.

// takeBulkName reserves the name for the task. An idempotency key stands for the task from then on, so that a crash does not
// leave the name to a task that whoever repeats the request knows nothing of; a name that belongs to another does not use the
// key up.
func (s *Service) takeBulkName(ctx context.Context, r *transport.Request, id persistence.EntityID, name string) error {
	if name == "" {
		return nil
	}
	if r.Header.IdempotencyKey != "" {
		if err := s.reserveBulkName(ctx, r, id, name, true); err != nil {
			return err
		}
		if err := s.issueBulk(ctx, r, id); err != nil {
			return err
		}
	}
	return s.reserveBulkName(ctx, r, id, name, false)
}

// reserveBulkName takes the name for the task, or takes it longer; or looks if that is possible.
func (s *Service) reserveBulkName(ctx context.Context, r *transport.Request, id persistence.EntityID, name string, look bool) error {
	if name == "" {
		return nil
	}
	env := s.toProvider(id, &provider.Reserve{Scope: bulk.ScopeNames, Name: name, Owner: id.ID})
	env.Meta.Principal, env.Meta.RequestID, env.DryRun, env.Vital, env.Deadline = r.Caller.Principal, r.RequestID, look, false, r.Deadline
	_, err := s.call(ctx, env)
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NameTaken {
		taken := problem.New(problem.NameTaken, "the request has an error at /name")
		taken.Errors = []problem.FieldError{{Path: "/name", Message: "belongs to another bulk task"}}
		err = taken
	}
	return err
}

func (s *Service) releaseBulkName(ctx context.Context, id persistence.EntityID, name string) error {
	if name == "" {
		return nil
	}
	return s.release(ctx, id, bulk.ScopeNames, name)
}

// confirmBulkName makes the name the task's own.
func (s *Service) confirmBulkName(ctx context.Context, id persistence.EntityID, name string) error {
	if name == "" {
		return nil
	}
	return s.confirm(ctx, id, source.Name{Scope: bulk.ScopeNames, Name: name})
}

// SettleBulkNames confirms the names of tasks that a crash has kept from being confirmed. Call it when the core runs, before
// anybody can ask for anything.
func (s *Service) SettleBulkNames(ctx context.Context) error {
	named, err := s.lastBulks()
	if err != nil {
		return err
	}
	for _, t := range named {
		err := s.confirmBulkName(ctx, t.id, t.name)
		if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NameTaken {
			s.Failed("", err) // for an operator to see to
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// namedBulk is a task that was given a name.
type namedBulk struct {
	id       persistence.EntityID
	name     string
	accepted time.Time
}

// lastBulks are the tasks with names that were accepted last, by provider: as long before the newest one as a reservation
// holds, and longer than it takes to confirm one.
func (s *Service) lastBulks() ([]namedBulk, error) {
	newest := make(map[string]time.Time) // by provider
	var named []namedBulk
	late := func(t *namedBulk) bool { return newest[t.id.Provider].Sub(t.accepted) > provider.ReservationTTL }
	for p := range s.Store.Partitions() {
		key := persistence.IndexKey{Kind: persistence.KindBulk, Name: bulk.IndexTasks}
		for e, err := range s.Store.IndexTerms(persistence.Partition(p), key) {
			if err != nil {
				return nil, fmt.Errorf("look for the names of bulk tasks: %w", err)
			}
			listed, err := bulk.DecodeListed(e.Value)
			if err != nil {
				return nil, errors.Join(persistence.ErrCorrupt, err)
			}
			if newest[e.Provider].Before(listed.Accepted) {
				newest[e.Provider] = listed.Accepted
			}
			t := namedBulk{bulkID(e.Provider, e.Entity), listed.Name, listed.Accepted}
			if t.name != strconv.FormatUint(listed.Number, 10) && !late(&t) {
				named = append(named, t)
			}
		}
	}
	last := named[:0]
	for i := range named {
		if !late(&named[i]) {
			last = append(last, named[i])
		}
	}
	return last, nil
}
