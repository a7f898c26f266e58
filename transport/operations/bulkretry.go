package operations

import (
	"context"
	"errors"
	"fmt"
	"iter"

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
	leave, err := s.bulks.enter(ctx, r)
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
	return s.makeBulk(ctx, r, o, id)
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
	valued := state.PerChunk == bulk.ChunkValuedRows
	o.targets = bulkTargets{by: targetsRetry, retry: t.id.ID, items: state.Counts.Failed, rows: s.failedRows(t),
		keyed: valued && state.Type != "", withValues: valued}
	return nil
}

// failedRows are the rows of a task that have failed, as targets.
func (s *Service) failedRows(t *bulkTask) iter.Seq2[bulkTarget, error] {
	return func(yield func(bulkTarget, error) bool) {
		view := s.Store.View()
		more, err := t.failed(view, yield)
		if err = errors.Join(err, view.Close()); err != nil && more {
			yield(bulkTarget{}, err)
		}
	}
}

// failed yields the rows that have failed; more is false if nobody wants another.
func (t *bulkTask) failed(view persistence.View, yield func(bulkTarget, error) bool) (more bool, err error) {
	var chunks bulkChunks
	for o, err := range t.outcomes(view, 0) {
		if err != nil {
			return true, fmt.Errorf("failed items of %v: %w", t.id, err)
		}
		if o.State != fields.Failed {
			continue
		}
		row, err := chunks.row(view, t, o.row)
		if err != nil {
			return true, err
		}
		target := bulkTarget{place: uint32(o.row), id: row.Collection, value: row.Value, version: row.Version}
		if row.Key != "" {
			target.key = []byte(row.Key)
		}
		if row.Collection != "" {
			target.code, target.why = row.Code, row.Why
		}
		if !yield(target, nil) {
			return false, nil
		}
	}
	return true, nil
}
