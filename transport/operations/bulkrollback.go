package operations

import (
	"context"
	"errors"
	"slices"
	"time"

	"concord/actors/bulk"
	"concord/actors/fields"
	"concord/actors/problem"
	"concord/actors/undo"
	"concord/persistence"
	"concord/transport"
)

// A task is taken back by another task, whose rows name the versions that it has written:
//
//  1. what is wrong with the request by itself is told, and what can never be taken back is refused, before anything is stopped;
//  2. a task that is open is cancelled, and its end waited for;
//  3. while nobody else takes it back: the rows are those that it has updated, or, if it was taken back before, those that this
//     has left. The new task is made as any other (makeTask);
//  4. the task hears who takes it back. If that does not go through, also for a crash, it hears it from the driver, which begins
//     nothing before; until then nobody else may begin either: an open task that takes it back is found by its own state.

// bulkRollback makes a task that takes back what another one has done.
func (s *Service) bulkRollback(ctx context.Context, r *transport.Request, done reply) {
	answer, err := s.rollbackBulk(ctx, r)
	s.Host.SettledAll(func() { done(answer, err) })
}

func (s *Service) rollbackBulk(ctx context.Context, r *transport.Request) (*transport.Reply, error) {
	if err := s.bulkEnabled(); err != nil {
		return nil, err
	}
	o, err := readBulkRollback(r)
	if err != nil {
		return nil, err
	}
	patient, end := s.patience(ctx, r)
	defer end()
	leave, err := s.onlyAttempt(patient, r)
	if err != nil {
		return nil, err
	}
	defer leave()
	id, known, err := s.bulkTask(patient, r)
	if err != nil || known != nil {
		return known, err
	}
	if o.undoOf, err = s.stopToUndo(ctx, r, o); err != nil { // which says by itself that the deadline has passed
		return nil, err
	}
	return s.undoTask(patient, r, o, id)
}

// readBulkRollback reads a request as far as its body says.
func readBulkRollback(r *transport.Request) (*bulkOrder, error) {
	e, err := openEnvelope(r.Body, "", "name", "onConflict", "onLocked", "reason")
	if err != nil {
		return nil, err
	}
	o := &bulkOrder{dryRun: r.Param("dryRun") == "true"}
	o.post(r)
	var f bulkFaults
	for _, read := range []func() error{
		func() (err error) { o.name, err = e.bulkName(); return err },
		func() (err error) { o.onConflict, err = e.onConflict(); return err },
		func() (err error) { o.onLocked, err = e.onLocked(); return err },
		func() (err error) { o.reason, err = e.str("reason", reasonMaxBytes); return err },
	} {
		if err := f.add(read()); err != nil {
			return nil, err
		}
	}
	return o, f.err()
}

// onConflict is what becomes of collections that somebody else has written since.
func (e *envelope) onConflict() (undo.OnConflict, error) {
	text, err := e.str("onConflict", sourceTextMaxBytes)
	choice := undo.OnConflict(text)
	switch {
	case err != nil:
		return "", err
	case !e.has("onConflict"):
		return undo.Skip, nil
	case !slices.Contains(undo.Choices, choice):
		return "", problem.At(e.at("onConflict"), "must be one of %s", joined(undo.Choices))
	}
	return choice, nil
}

// stopToUndo is the id of the task that the request is about, which has ended then.
func (s *Service) stopToUndo(ctx context.Context, r *transport.Request, o *bulkOrder) (id string, err error) {
	t, err := bulkOf(s.Store, r)
	if err != nil {
		return "", err
	}
	if why := t.state.Final(s.Clock.Now()); why != "" {
		return "", t.final(why)
	}
	if !t.state.Status.Open() {
		return t.id.ID, nil
	}
	if o.dryRun {
		return "", problem.New(problem.WrongState, "the bulk task is %s: a roll-back would cancel it, and a dry run of that does not",
			t.state.Status).With("state", t.state.Status)
	}
	if t, err = s.stopTask(ctx, r, t.id); err != nil {
		return "", err
	}
	return t.id.ID, nil
}

// final refuses to take back a task.
func (t *bulkTask) final(why string) error {
	return problem.New(problem.CannotUndo, "the bulk task cannot be rolled back: %s", why).With("state", t.state.Status)
}

// undoTask makes the task that takes another one back, which has ended.
func (s *Service) undoTask(ctx context.Context, r *transport.Request, o *bulkOrder, id persistence.EntityID) (*transport.Reply, error) {
	leave, err := s.onlyUndo(ctx, r.Provider, o.undoOf)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := s.planUndo(r.Provider, o); err != nil {
		return nil, err
	}
	answer, err := s.makeTask(ctx, r, o, id)
	if err == nil && !o.dryRun {
		s.tellUndone(ctx, r, o, id)
	}
	return answer, err
}

// onlyUndo waits until nobody else makes a task that takes this one back.
func (s *Service) onlyUndo(ctx context.Context, provider, task string) (leave func(), err error) {
	return s.alone(ctx, "another roll-back of the bulk task", "undo", provider, task, "")
}

// planUndo finds out what there is to be taken back.
func (s *Service) planUndo(provider string, o *bulkOrder) (err error) {
	view := s.Store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	t := &bulkTask{id: bulkID(provider, o.undoOf)}
	if t.state, t.seq, err = bulkState(view, t.id); err != nil {
		return err
	}
	if !t.state.Status.Shown() {
		return bulk.Missing()
	}
	if why := t.state.Final(s.Clock.Now()); why != "" {
		return t.final(why)
	}
	if err := notBeingUndone(view, t.id); err != nil {
		return err
	}
	o.targets = bulkTargets{by: targetsUndo, task: t.id.ID, items: t.state.Counts.Updated, rows: s.rowsOf(t, back, fields.Updated)}
	if t.state.UndoneBy == "" {
		return nil
	}
	by := &bulkTask{id: bulkID(provider, t.state.UndoneBy)}
	if by.state, by.seq, err = bulkState(view, by.id); err != nil {
		return err
	}
	if !leavesSome(&by.state) {
		return t.final(takenBack(by))
	}
	c := &by.state.Counts
	o.targets = bulkTargets{by: targetsUndo, task: by.id.ID, items: c.Skipped + c.Failed + c.Cancelled,
		rows: s.rowsOf(by, again, fields.Skipped, fields.Failed, bulk.ItemCancelled)}
	return nil
}

// takenBack says by whom a task was taken back, and what undoes that.
func takenBack(by *bulkTask) string {
	text := "it was taken back by the task " + by.id.ID
	if by.state.UndoneBy != "" {
		text += ", and that by the task " + by.state.UndoneBy
	}
	return text
}

// back is what takes back what came of a row.
func back(row *bulk.Row, o *bulkOutcome) bulkTarget {
	return bulkTarget{place: uint32(o.row), id: row.Collection, undo: []undo.Span{{Before: o.VersionBefore, After: o.VersionAfter}}}
}

// notBeingUndone refuses a task while another one takes it back.
func notBeingUndone(view persistence.View, id persistence.EntityID) error {
	for t, err := range openTasks(view, id.Provider) {
		if err != nil {
			return err
		}
		if t.state.UndoOf == id.ID && !t.state.DryRun {
			return problem.New(problem.WrongState, "the bulk task is being rolled back by the task %s", t.id.ID).With("undoneBy", t.id.ID)
		}
	}
	return nil
}

// retryRollback makes a task of what a roll-back has failed to take back. It stands for the roll-back from then on if that has left
// nothing else, and is still the newest: else what is left is left by that.
func (s *Service) retryRollback(ctx context.Context, r *transport.Request, o *bulkOrder, id persistence.EntityID) (*transport.Reply, error) {
	leave, err := s.onlyUndo(ctx, r.Provider, o.undoOf)
	if err != nil {
		return nil, err
	}
	defer leave()
	newest, err := s.checkRollbackRetry(r.Provider, o)
	if err != nil {
		return nil, err
	}
	answer, err := s.makeTask(ctx, r, o, id)
	if err == nil && newest && !o.dryRun {
		s.tellUndone(ctx, r, o, id)
	}
	return answer, err
}

func (s *Service) checkRollbackRetry(provider string, o *bulkOrder) (newest bool, err error) {
	view := s.Store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	of := bulkID(provider, o.undoOf)
	if err := notBeingUndone(view, of); err != nil {
		return false, err
	}
	undone, _, err := bulkState(view, of)
	if err != nil {
		return false, err
	}
	retried, _, err := bulkState(view, bulkID(provider, o.retryOf))
	return undone.UndoneBy == o.retryOf && retried.Counts.Skipped+retried.Counts.Cancelled == 0, err
}

// tellUndone tells a task who takes it back.
func (s *Service) tellUndone(ctx context.Context, r *transport.Request, o *bulkOrder, by persistence.EntityID) {
	ctx, end := throughout(ctx)
	defer end()
	env := s.toBulk(r, bulkID(by.Provider, o.undoOf), &bulk.Undone{By: by.ID}, "")
	env.Deadline = time.Time{}
	if _, err := s.call(ctx, env); err != nil {
		s.Failed(r.RequestID, err) // the driver tells it
	}
}
