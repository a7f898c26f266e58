package operations

import (
	"context"
	"fmt"
	"sync"

	"concord/actors/problem"
)

// Bounds of waiting for a turn. Whoever waits holds one of the few goroutines that may read from the disk: beyond them the door
// they came through would answer nobody.
const (
	makingMaxWaiters    = 15
	editsMaxWaiters     = 4
	downloadsMaxWaiters = 4
)

// turns lets one at a time do what a key stands for. The zero value is ready.
type turns struct {
	mu      sync.Mutex
	taken   map[string]chan struct{} // by key; closed when the turn ends
	waiting int                      // for any key
}

// take waits until nobody else has the key's turn, or until the context ends; what says what is waited for. If most wait already,
// for whatever keys, it refuses: overloaded.
func (t *turns) take(ctx context.Context, key, what string, most int) (leave func(), err error) {
	for waits := false; ; waits = true {
		other, mine, room := t.try(key, most, waits)
		switch {
		case other == nil:
			return func() { t.leave(key, mine) }, nil
		case !room:
			p := problem.New(problem.Overloaded, "%d requests wait already, this one for %s", most, what)
			p.RetryAfter = endBusyRetryIn
			return nil, p
		}
		select {
		case <-other:
		case <-ctx.Done():
			t.left()
			return nil, fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
		}
	}
}

// try takes the turn if nobody has it; else other ends when it is worth another try, which one waits for if there is room.
func (t *turns) try(key string, most int, waits bool) (other, mine chan struct{}, room bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if other, busy := t.taken[key]; busy {
		if !waits && t.waiting >= most {
			return other, nil, false
		}
		if !waits {
			t.waiting++
		}
		return other, nil, true
	}
	if waits {
		t.waiting--
	}
	if t.taken == nil {
		t.taken = make(map[string]chan struct{})
	}
	mine = make(chan struct{})
	t.taken[key] = mine
	return nil, mine, true
}

// left notes that somebody waits no more.
func (t *turns) left() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.waiting--
}

func (t *turns) leave(key string, mine chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.taken, key)
	close(mine)
}
