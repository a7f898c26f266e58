package operations

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"concord/actors/collection"
	"concord/actors/links"
	"concord/persistence"
)

func indexOfAuthorities(source persistence.EntityID) persistence.IndexKey {
	return persistence.IndexKey{Kind: persistence.KindAuthority, Name: links.IndexAuthoritiesOf, Provider: source.Provider,
		Term: persistence.Term(source.ID)}
}

func indexOfDocuments(source persistence.EntityID) persistence.IndexKey {
	return persistence.IndexKey{Kind: persistence.KindCollection, Name: links.IndexBySource, Provider: source.Provider,
		Term: persistence.Term(source.ID)}
}

// linkedCollections tells entries of linked documents that are there from those that a deletion of their collection has
// left behind.
type linkedCollections struct {
	view  persistence.View
	known map[string]collection.State
}

func (l *linkedCollections) has(e persistence.IndexEntry) (bool, error) {
	value, err := links.DecodeIndexValue(e.Value)
	if err != nil {
		return false, fmt.Errorf("%w: %w", persistence.ErrCorrupt, err)
	}
	state, ok := l.known[e.Entity]
	if !ok {
		id := persistence.EntityID{Kind: persistence.KindCollection, Provider: e.Provider, ID: e.Entity}
		head, err := l.view.Head(id)
		if err != nil && !isMissing(err) {
			return false, err
		}
		if state, err = (collection.Behavior{}).DecodeState(head.State); err != nil {
			return false, err
		}
		l.known[e.Entity] = state
	}
	return state.Live() && value.Version >= state.Born, nil
}

func isMissing(err error) bool { return errors.Is(err, persistence.ErrNotFound) }

// inFlight counts writes from before their decision until they are answered, so that somebody can wait until those that
// may have seen an older state of the world are in the store. The zero value is ready for use.
type inFlight struct {
	mu   sync.Mutex
	now  *generation // nil: none has begun since the last drain
	last *generation // of the last drain
}

// generation is the writes that began between two drains.
type generation struct {
	before  *generation // that was not over when this one began; nil: none
	writes  int
	closed  bool // no more begin
	drained chan struct{}
}

// over says that all writes of the generation, and of those before, are answered.
func (g *generation) over() bool {
	for ; g != nil; g = g.before {
		if g.writes > 0 || !g.closed {
			return false
		}
	}
	return true
}

// enter counts a write in.
func (f *inFlight) enter() *generation {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.now == nil {
		f.now = &generation{drained: make(chan struct{})}
		if !f.last.over() {
			f.now.before = f.last
		}
	}
	f.now.writes++
	return f.now
}

// leave counts it out.
func (f *inFlight) leave(g *generation) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if g.writes--; g.closed && g.writes == 0 {
		close(g.drained)
	}
}

// drain waits until all writes that have begun by now are answered.
func (f *inFlight) drain(ctx context.Context) error {
	f.mu.Lock()
	if g := f.now; g != nil {
		g.closed = true
		if g.writes == 0 {
			close(g.drained)
		}
		f.now, f.last = nil, g
	}
	last := f.last
	f.mu.Unlock()
	for g := last; g != nil; g = g.before {
		select {
		case <-g.drained:
		case <-ctx.Done():
			return fmt.Errorf("wait for writes of authorities: %w", context.Cause(ctx))
		}
	}
	return nil
}
