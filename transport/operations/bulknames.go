package operations

import (
	"context"
	"errors"
	"fmt"

	"concord/actors/bulk"
	"concord/actors/entity"
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

// confirmBulkName makes the name the task's own, and has the task know. Until then it is among the open ones, whatever has come
// of it, so that the next start finds it (SettleBulkNames).
func (s *Service) confirmBulkName(ctx context.Context, id persistence.EntityID, name string) error {
	if name == "" {
		return nil
	}
	if err := s.confirm(ctx, id, source.Name{Scope: bulk.ScopeNames, Name: name}); err != nil {
		return err
	}
	env := &entity.Envelope{Entity: id, Command: &bulk.Named{}, Meta: entity.Meta{Principal: systemPrincipal}, Vital: true}
	if _, err := s.call(ctx, env); err != nil {
		return fmt.Errorf("tell %v that the name %q is its own: %w", id, name, err)
	}
	return nil
}

// SettleBulkNames confirms the names of tasks that a crash has kept from being confirmed. Call it when the core runs, before
// anybody can ask for anything. It looks at open tasks, and at those alone whose names are not settled.
func (s *Service) SettleBulkNames(ctx context.Context) error {
	unnamed, err := s.unnamedBulks()
	if err != nil {
		return err
	}
	for _, t := range unnamed {
		err := s.confirmBulkName(ctx, t.id, t.state.Name)
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

// unnamedBulks are the tasks whose names are not settled.
func (s *Service) unnamedBulks() (tasks []bulkTask, err error) {
	view := s.Store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	key := persistence.IndexKey{Kind: persistence.KindBulk, Name: bulk.IndexOpenTasks}
	for p := range view.Partitions() {
		for e, err := range view.IndexTerms(persistence.Partition(p), key) {
			if err != nil {
				return nil, fmt.Errorf("look for the names of bulk tasks: %w", err)
			}
			t := bulkTask{id: bulkID(e.Provider, e.Entity)}
			if t.state, t.seq, err = bulkState(view, t.id); err != nil {
				return nil, err
			}
			if t.state.Unnamed && t.state.Status.Shown() {
				tasks = append(tasks, t)
			}
		}
	}
	return tasks, nil
}
