package operations

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"concord/actors/bulk"
	"concord/actors/editsession"
	"concord/persistence"
	"concord/transport"
)

// settledEdit is a session whose newest run has its task, or needs none: if the task is not there, it is made sure that it never
// will be, and the run is taken off. Whoever calls has the session's turn. A session that is closed is left as it is.
func (s *Service) settledEdit(ctx context.Context, r *transport.Request, id persistence.EntityID) (*editSession, error) {
	e, err := s.editAt(id)
	if err != nil {
		return nil, err
	}
	newest, some := e.state.Newest()
	if !some || newest.Task == "" || e.state.Status != editsession.Opened {
		return e, nil
	}
	task, _, err := bulkState(s.Store, bulkID(id.Provider, newest.Task))
	if err != nil || task.Number > 0 {
		return e, err
	}
	if _, err := s.takeOff(ctx, r, id, &newest); err != nil {
		return nil, err
	}
	return s.editAt(id)
}

// takeOff takes a run off its session, unless its task is there: then the run stays. What the store says of the task is not
// enough: its acceptance may still be on its way, from a request that did not wait for the answer. So the task's own actor is
// told that there must be none, and says if it came too late. After an error the run is there.
func (s *Service) takeOff(ctx context.Context, r *transport.Request, id persistence.EntityID, run *editsession.Run) (off bool, err error) {
	there, err := s.withdraw(ctx, r, bulkID(id.Provider, run.Task))
	if err != nil || there {
		return false, err
	}
	env := s.toEdit(r, id, &editsession.Abort{Run: run.Number})
	env.Deadline, env.Vital = time.Time{}, true
	if _, err := s.call(ctx, env); err != nil {
		return false, fmt.Errorf("take run %d off %v: %w", run.Number, id, err)
	}
	return true, nil
}

// withdraw has no task come of the id any more, or says that it is there.
func (s *Service) withdraw(ctx context.Context, r *transport.Request, id persistence.EntityID) (there bool, err error) {
	env := s.toBulk(r, id, &bulk.Withdraw{}, "")
	env.Deadline, env.Vital = time.Time{}, true
	a, err := s.call(ctx, env)
	if err != nil {
		return false, fmt.Errorf("withdraw %v: %w", id, err)
	}
	var told bulk.Result
	if err := json.Unmarshal(a.Body, &told); err != nil {
		return false, fmt.Errorf("read if %v is there: %w", id, err)
	}
	return told.Number > 0, nil
}
