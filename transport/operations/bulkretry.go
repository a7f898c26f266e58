package operations

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"concord/actors/bulk"
	"concord/actors/fields"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
)

// bulkRetry makes a task of the failed items of one that has ended: the same collections, keys, values and versions under the
// same instructions. A key that led nowhere is looked up again.
func (s *Service) bulkRetry(ctx context.Context, r *transport.Request, done reply) {
	answer, err := s.retryBulk(ctx, r)
	s.Host.SettledAll(func() { done(answer, err) })
}

func (s *Service) retryBulk(ctx context.Context, r *transport.Request) (*transport.Reply, error) {
	if err := s.bulkEnabled(); err != nil {
		return nil, err
	}
	o, err := readBulkRetry(r)
	if err != nil {
		return nil, err
	}
	ctx, end := s.patience(ctx, r)
	defer end()
	leave, err := s.onlyAttempt(ctx, r)
	if err != nil {
		return nil, err
	}
	defer leave()
	id, known, err := s.bulkTask(ctx, r)
	if err != nil || known != nil {
		return known, err
	}
	if err := s.checkBulkRetry(r, o); err != nil {
		return nil, err
	}
	if o.undoOf == "" {
		return s.makeTask(ctx, r, o, id)
	}
	return s.retryRollback(ctx, r, o, id)
}

// readBulkRetry reads a request as far as its body says.
func readBulkRetry(r *transport.Request) (*bulkOrder, error) {
	e, err := openEnvelope(r.Body, "", "name", "reason")
	if err != nil {
		return nil, err
	}
	o := &bulkOrder{}
	o.post(r)
	if o.name, err = e.bulkName(); err != nil {
		return nil, err
	}
	o.reason, err = e.str("reason", reasonMaxBytes)
	return o, err
}

// checkBulkRetry takes what was asked for from the task that has ended.
func (s *Service) checkBulkRetry(r *transport.Request, o *bulkOrder) (err error) {
	view := s.Store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	t, err := bulkOf(view, r)
	switch {
	case err != nil:
		return err
	case t.state.Status.Open():
		return problem.New(problem.WrongState, "the bulk task is %s: only one that has ended is retried", t.state.Status).With("state", t.state.Status)
	case t.state.Counts.Failed == 0:
		return problem.New(problem.WrongState, "no item of the bulk task has failed").With("state", t.state.Status)
	case t.state.Session != "":
		return problem.New(problem.WrongState, "the bulk task is a run of the bulk edit session %s: what it has left is done there",
			t.state.Session).With("session", t.state.Session)
	}
	asked, err := t.asked(view)
	if err != nil {
		return err
	}
	state := &t.state
	if state.Alias != "" {
		o.posted = s.piecesOf(t) // in those words there is no retry: it is the same request
	}
	o.typ, o.onLocked, o.perSecond, o.dryRun, o.retryOf, o.alias = state.Type, state.OnLocked, state.PerSecond, state.DryRun, t.id.ID, state.Alias
	o.instructions, o.fields = asked.Instructions, asked.Fields
	o.undoOf, o.onConflict = state.UndoOf, state.OnConflict
	valued := state.PerChunk == bulk.ChunkValuedRows
	o.targets = bulkTargets{by: targetsRetry, task: t.id.ID, items: state.Counts.Failed, rows: s.rowsOf(t, again, fields.Failed),
		keyed: valued && state.Type != "", withValues: valued}
	return nil
}

// rowsOf are the rows of a task that has ended whose outcome is one of the states, as targets.
func (s *Service) rowsOf(t *bulkTask, target rowTarget, states ...bulk.ItemState) iter.Seq2[bulkTarget, error] {
	return func(yield func(bulkTarget, error) bool) {
		view := s.Store.View()
		more, err := t.came(view, target, states, yield)
		if err = errors.Join(err, view.Close()); err != nil && more {
			yield(bulkTarget{}, err)
		}
	}
}

// rowTarget is what is made of a row of a task and what came of it.
type rowTarget func(*bulk.Row, *bulkOutcome) bulkTarget

// again is the same target once more. A key that led nowhere is looked up again.
func again(row *bulk.Row, o *bulkOutcome) bulkTarget {
	target := bulkTarget{place: uint32(o.row), id: row.Collection, value: row.Value, version: row.Version, undo: row.Undo}
	if row.Key != "" {
		target.key = []byte(row.Key)
	}
	if row.Collection != "" {
		target.code, target.why = row.Code, row.Why
	}
	return target
}

// came yields the rows whose outcome is one of the states; more is false if nobody wants another.
func (t *bulkTask) came(view persistence.View, target rowTarget, states []bulk.ItemState, yield func(bulkTarget, error) bool) (more bool, err error) {
	var chunks bulkChunks
	for o, err := range t.outcomes(view, 0) {
		if err != nil {
			return true, fmt.Errorf("items of %v: %w", t.id, err)
		}
		if !slices.Contains(states, o.State) {
			continue
		}
		row, err := chunks.row(view, t, o.row)
		if err != nil {
			return true, err
		}
		if !yield(target(row, &o), nil) {
			return false, nil
		}
	}
	return true, nil
}
