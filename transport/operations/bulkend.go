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

// Bounds of waiting for the end of a task. Whoever waits holds one of the few goroutines that may read from the disk.
const (
	endMaxWait     = 30 * time.Second // whatever deadline the request has
	endMaxWaiters  = 8
	endBusyRetryIn = time.Second
)

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
func (s *Service) endOfTask(ctx context.Context, r *transport.Request, id persistence.EntityID) (*bulkTask, error) {
	defer s.bulks.waiters.Add(-1)
	if s.bulks.waiters.Add(1) > endMaxWaiters {
		p := problem.New(problem.Overloaded, "%d requests wait for the end of bulk tasks", endMaxWaiters)
		p.RetryAfter = endBusyRetryIn
		return nil, p
	}
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
		t := &bulkTask{id: id}
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
