package operations

import (
	"context"
	"errors"
	"time"

	"concord/actors/bulk"
	"concord/actors/editsession"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// editGet shows where a session stands.
func (s *Service) editGet(_ context.Context, r *transport.Request, done reply) {
	s.onEdit(r, done, func(view persistence.View, e *editSession) (*transport.Reply, error) {
		shown, err := s.showEdit(view, e)
		if err != nil {
			return nil, err
		}
		return ok(shown)
	})
}

// editAnswer is the session as it is now, for whoever has changed it.
func (s *Service) editAnswer(_ *transport.Request, id persistence.EntityID, status int) (answer *transport.Reply, err error) {
	view := s.Store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	e, err := editIn(view, id)
	if err != nil {
		return nil, err
	}
	shown, err := s.showEdit(view, e)
	if err != nil {
		return nil, err
	}
	body, err := encode(shown)
	return &transport.Reply{Status: status, Body: body, See: transport.Place{Operation: "edit.get", ID: id.ID}}, err
}

// editTasks are the tasks of a session's runs at one moment, by id.
type editTasks struct {
	states map[string]bulk.State
	now    time.Time
	closed time.Time // when the session was; zero: it is open
}

// tasksOf reads the tasks of all runs.
func (e *editSession) tasksOf(from persistence.EntityReader, now time.Time) (*editTasks, error) {
	t := &editTasks{states: make(map[string]bulk.State, len(e.state.Runs)), now: now, closed: e.state.Closed}
	for i := range e.state.Runs {
		id := e.state.Runs[i].Task
		if id == "" {
			continue
		}
		state, _, err := bulkState(from, bulkID(e.id.Provider, id))
		if err != nil {
			return nil, err
		}
		t.states[id] = state
	}
	return t, nil
}

// work is what a session asks of the task of a run.
func (t *editTasks) work(run *editsession.Run) editsession.Work {
	state := t.states[run.Task]
	if state.Number == 0 {
		return editsession.Work{}
	}
	c := &state.Counts
	return editsession.Work{There: true, Open: state.Status.Open(), Cancelling: state.Status == bulk.Cancelling,
		Gone:  state.Status == bulk.Expired || !state.Pinned.IsZero() && !t.now.Before(state.Pinned),
		Total: state.Total, Updated: c.Updated, Skipped: c.Skipped, Failed: c.Failed, Cancelled: c.Cancelled}
}

// unmadeAfter is how long after a run has begun its task may still be accepted: its acceptance is sent no later than throughMax
// after that.
const unmadeAfter = throughMax + acceptWithin

// unmade says that nothing was done by a run, and will not be: its session was closed, by its timer, between the run and its task.
// While the session is open the next request takes such a run off.
func (t *editTasks) unmade(run *editsession.Run) bool {
	return run.Task != "" && t.states[run.Task].Number == 0 && !t.closed.IsZero() &&
		(t.states[run.Task].Withdrawn || !t.now.Before(run.Begun.Add(unmadeAfter)))
}

// showEdit is the session as callers see it, with what its tasks have come to at the same moment.
func (s *Service) showEdit(from persistence.EntityReader, e *editSession) (*api.EditSession, error) {
	tasks, err := e.tasksOf(from, s.Clock.Now())
	if err != nil {
		return nil, err
	}
	t, stands := &e.state, e.state
	if newest, some := t.Newest(); some && tasks.unmade(&newest) {
		stands = t.Without()
	}
	shown := &api.EditSession{Session: e.id.ID, Provider: e.id.Provider, Name: t.Name, Owner: t.Owner, State: string(t.Stands(tasks.work)),
		Message: stands.Message(tasks.work), Type: t.Type, By: t.By, Keep: t.Keep, Reason: t.Reason, Rows: t.Counts.Total(), Counts: t.Counts,
		Runs: []api.EditRun{}, Path: append([]uint32{}, stands.Path...), RollbackAvailable: t.RollbackAvailable(tasks.work),
		RedoAvailable: t.RedoAvailable(tasks.work), Storage: api.EditStorage{List: t.Bytes + t.Staged.Bytes}, Seq: e.seq, OpenedAt: t.Opened}
	if !t.Closed.IsZero() {
		shown.ClosedAt = &t.Closed
	}
	if !t.Expires.IsZero() {
		shown.ExpiresAt = &t.Expires
	}
	told := t.Told()
	for i := range told {
		run := &told[i]
		shown.Runs = append(shown.Runs, tasks.show(run))
		if state := tasks.states[run.Task]; !run.Dry() && t.Holds(run.Number) {
			shown.Storage.Versions += state.Counts.Updated
			shown.Storage.Bytes += state.KeptBytes
		}
	}
	return shown, nil
}

// Where runs stand that have no task, or not yet.
const (
	editPreparing = "PREPARING"
	editNothing   = string(bulk.Complete)
	editUnmade    = string(bulk.Cancelled)
)

// show is a run as callers see it.
func (t *editTasks) show(run *editsession.Run) api.EditRun {
	shown := api.EditRun{Run: run.Number, Kind: string(run.Kind), Step: run.Step, Of: run.Of, DryRun: run.DryRun, OnConflict: string(run.OnConflict),
		Task: run.Task, BegunAt: run.Begun}
	if run.Kind == editsession.Rollback {
		shown.To = &run.To
	}
	state := t.states[run.Task]
	switch {
	case run.Task == "":
		shown.State, shown.EndedAt = editNothing, &run.Begun
		return shown
	case t.unmade(run):
		shown.State, shown.EndedAt = editUnmade, &t.closed
		return shown
	case state.Number == 0:
		shown.State = editPreparing
		return shown
	}
	shown.State, shown.Counts, shown.Total, shown.WaitingForLocks = string(state.Status), state.Counts, state.Total, state.Waiting
	if !state.Ended.IsZero() {
		shown.EndedAt = &state.Ended
	}
	return shown
}
