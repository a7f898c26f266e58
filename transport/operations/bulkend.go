package operations

import (
	"context"
	"errors"
	"fmt"
	"time"

	"concord/actors/bulk"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
)

// endMaxWait bounds waiting for the end of a task, whatever deadline the request has.
const endMaxWait = 30 * time.Second

// stopTask cancels a task on behalf of the request, unless it has ended, and returns it once it has: at the border of an item.
func (s *Service) stopTask(ctx context.Context, r *transport.Request, id persistence.EntityID) (*bulkTask, error) {
	_, err := s.call(ctx, s.toBulk(r, id, &bulk.Cancel{}, ""))
	if p, ok := errors.AsType[*problem.Problem](err); err != nil && (!ok || p.Code != problem.WrongState) { // it has ended meanwhile
		return nil, err
	}
	return s.endOfTask(ctx, r, id)
}

// bulkEnd shows a task, by its id, once it has ended.
func (s *Service) bulkEnd(ctx context.Context, r *transport.Request, done reply) {
	if _, err := s.endOfTask(ctx, r, bulkID(r.Provider, r.ID)); err != nil {
		s.Host.SettledAll(func() { done(nil, err) })
		return
	}
	s.bulkGet(ctx, r, done)
}

// endOfTask waits until a task has ended, and returns it. At the deadline of the request, and after endMaxWait at the latest, it
// refuses with the code deadline: the task goes on, and who repeats the request goes on waiting.
func (s *Service) endOfTask(ctx context.Context, r *transport.Request, id persistence.EntityID) (t *bulkTask, err error) {
	t = &bulkTask{id: id}
	if t.state, t.seq, err = bulkState(s.Store, id); err != nil || !t.state.Status.Open() {
		return t, err
	}
	if err := s.turns.room.enter(forEnd, "the end of a bulk task"); err != nil {
		return nil, err
	}
	defer s.turns.room.leave(forEnd)
	woken, leave, err := s.Watchers.Watch(id)
	if err != nil {
		return nil, err
	}
	defer leave()
	until := s.Clock.Now().Add(endMaxWait)
	if !r.Deadline.IsZero() && r.Deadline.Before(until) {
		until = r.Deadline
	}
	late, cancel := s.Clock.Wait(until)
	defer cancel()
	for {
		if t.state, t.seq, err = bulkState(s.Store, id); err != nil || !t.state.Status.Open() {
			return t, err
		}
		select {
		case <-woken:
		case <-late:
			return nil, problem.New(problem.Deadline, "the bulk task is still %s; the same request again goes on waiting", t.state.Status).
				With("state", t.state.Status)
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the end of %v: %w", id, context.Cause(ctx))
		}
	}
}
