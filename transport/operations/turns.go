package operations

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// turns lets one at a time do what a turn stands for. Who waits for the same turn gets it in order of coming. The zero value is
// ready.
type turns struct {
	room waitingRoom

	mu    sync.Mutex
	lines map[turnKey][]chan struct{} // of each turn that somebody has: who waits for it, the first first. Closed: it is theirs
}

// turnKey is what one at a time may have: keys of different purposes have nothing to do with each other.
type turnKey struct {
	purpose purpose
	key     string
}

// take waits until nobody else has the turn, or until the context ends; what says what is waited for. If there is no room to wait
// it refuses: overloaded. Whoever has the turn calls leave once.
func (t *turns) take(ctx context.Context, p purpose, key, what string) (leave func(), err error) {
	if ctx.Err() != nil { // a turn that is free is not for who has left, either
		return nil, waitedFor(ctx, what)
	}
	its := turnKey{p, key}
	mine, err := t.join(its, what)
	if err != nil {
		return nil, err
	}
	if mine != nil {
		defer t.room.leave(p)
		select {
		case <-mine:
		case <-ctx.Done():
			t.giveUp(its, mine)
			return nil, waitedFor(ctx, what)
		}
	}
	return func() { t.pass(its) }, nil
}

// join takes a turn that nobody has: then mine is nil. Else it gets in line: mine is closed when the turn has come.
func (t *turns) join(its turnKey, what string) (mine chan struct{}, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line, taken := t.lines[its]
	if taken {
		if err := t.room.enter(its.purpose, what); err != nil {
			return nil, err
		}
		mine = make(chan struct{})
		line = append(line, mine)
	}
	if t.lines == nil {
		t.lines = make(map[turnKey][]chan struct{})
	}
	t.lines[its] = line
	return mine, nil
}

// giveUp leaves the line. If the turn came meanwhile, it goes to the next.
func (t *turns) giveUp(its turnKey, mine chan struct{}) {
	t.mu.Lock()
	i := slices.Index(t.lines[its], mine)
	if i >= 0 {
		t.lines[its] = slices.Delete(t.lines[its], i, i+1)
	}
	t.mu.Unlock()
	if i < 0 {
		t.pass(its)
	}
}

// pass hands the turn to the first in line; if there is nobody, the turn is forgotten.
func (t *turns) pass(its turnKey) {
	t.mu.Lock()
	defer t.mu.Unlock()
	line := t.lines[its]
	if len(line) == 0 {
		delete(t.lines, its)
		return
	}
	close(line[0])
	t.lines[its] = slices.Delete(line, 0, 1)
}

// waitedFor says that the context has ended first.
func waitedFor(ctx context.Context, what string) error {
	return fmt.Errorf("wait for %s: %w", what, context.Cause(ctx))
}
