package httpapi

import (
	"context"
	"fmt"
	"sync"

	"concord/actors/problem"
)

// door lets so many in at once, and can be shut: then it waits until all have left.
type door struct {
	what string
	most int

	mu     sync.Mutex
	inside int
	closed bool
	empty  chan struct{} // closed when the door is shut and nobody is inside
}

func newDoor(what string, most int) *door {
	return &door{what: what, most: most, empty: make(chan struct{})}
}

// enter is nil, or why not. Whoever has entered must leave.
func (d *door) enter() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.closed:
		return stopping()
	case d.inside == d.most:
		p := problem.New(problem.Overloaded, "too many %s: the limit is %d", d.what, d.most)
		p.RetryAfter = refusedRetryAfter
		return p
	}
	d.inside++
	return nil
}

func (d *door) leave() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inside--; d.closed && d.inside == 0 {
		close(d.empty)
	}
}

// shut lets nobody in from now on. It may be called again.
func (d *door) shut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	if d.closed = true; d.inside == 0 {
		close(d.empty)
	}
}

// wait returns when all have left.
func (d *door) wait(ctx context.Context) error {
	select {
	case <-d.empty:
		return nil
	case <-ctx.Done():
		d.mu.Lock()
		defer d.mu.Unlock()
		return fmt.Errorf("wait for %d %s: %w", d.inside, d.what, context.Cause(ctx))
	}
}

func stopping() *problem.Problem { return problem.New(problem.Unavailable, "the service is stopping") }
