package operations

import (
	"context"
	"fmt"
	"sync"

	"github.com/cespare/xxhash/v2"

	"concord/actors/problem"
	"concord/transport"
)

// keyLocks are locks by key: equal keys have the same one, and those who wait for it get it in the order in which they came.
// The zero value is ready for use.
type keyLocks struct {
	begin   sync.Once
	stripes [64]chan struct{} // each with room for one: who holds the lock
}

// lock waits for the lock as long as the context lasts, and returns how to unlock. Whoever holds one takes no other.
func (l *keyLocks) lock(ctx context.Context, key string) (unlock func(), err error) {
	l.begin.Do(func() {
		for i := range l.stripes {
			l.stripes[i] = make(chan struct{}, 1)
		}
	})
	if ctx.Err() != nil { // a lock that is free is not for who has left, either
		return nil, context.Cause(ctx)
	}
	stripe := l.stripes[xxhash.Sum64String(key)%uint64(len(l.stripes))]
	select {
	case stripe <- struct{}{}:
		return func() { <-stripe }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// patience is the context of a request, which ends when its deadline passes, too: then its cause is a problem that says so.
func (s *Service) patience(ctx context.Context, r *transport.Request) (patient context.Context, end func()) {
	if r.Deadline.IsZero() {
		return ctx, func() {}
	}
	patient, cancel := context.WithCancelCause(ctx)
	passed, forget := s.Clock.Wait(r.Deadline)
	var watch sync.WaitGroup
	watch.Go(func() {
		select {
		case <-passed:
			cancel(problem.New(problem.Deadline, "the deadline passed before it was the request's turn"))
		case <-patient.Done():
		}
	})
	return patient, func() {
		forget()
		cancel(nil)
		watch.Wait()
	}
}

// inTurn waits for the lock of a source file.
func (s *Service) inTurn(ctx context.Context, r *transport.Request, source string) (leave func(), err error) {
	ctx, end := s.patience(ctx, r)
	defer end()
	leave, err = s.sources.lock(ctx, source)
	if err != nil {
		return nil, fmt.Errorf("wait for earlier changes of %s: %w", source, err)
	}
	return leave, nil
}
