package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"concord/persistence"
)

// releasesMaxQueued bounds the sessions that wait for their turn.
const releasesMaxQueued = 1024

// Releases has retention look at the collections of sessions that were closed, so that what was kept for them goes soon. It is
// an observer of the committer, behind Holders, and a goroutine (Run).
//
// It keeps nothing over a restart, and leaves out what its queue has no place for: retention looks at everything once a day.
type Releases struct {
	sessions Sessions
	look     func(context.Context, persistence.EntityID) error
	log      *slog.Logger

	mu    sync.Mutex
	queue []persistence.EntityID
	wake  chan struct{}
}

// NewReleases makes one that works while Run runs. look has retention look at an entity; it waits while there is no place, and
// its error ends the work on a session.
func NewReleases(sessions Sessions, look func(context.Context, persistence.EntityID) error, log *slog.Logger) *Releases {
	return &Releases{sessions: sessions, look: look, log: log, wake: make(chan struct{}, 1)}
}

// Committed is the committer's observer.
func (r *Releases) Committed(group []*persistence.Entry) {
	for _, e := range group {
		if e.Entity.Kind != persistence.KindEditSession {
			continue
		}
		for i := range e.Records {
			if r.sessions.Closes(e.Records[i].Record) {
				r.enqueue(e.Entity)
			}
		}
	}
}

func (r *Releases) enqueue(session persistence.EntityID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) >= releasesMaxQueued {
		return
	}
	r.queue = append(r.queue, session)
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

func (r *Releases) next() (session persistence.EntityID, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.queue) == 0 {
		return session, false
	}
	session = r.queue[0]
	r.queue = r.queue[1:]
	return session, true
}

// Run works until the context ends.
func (r *Releases) Run(ctx context.Context) {
	for ctx.Err() == nil {
		session, ok := r.next()
		if !ok {
			select {
			case <-ctx.Done():
			case <-r.wake:
			}
			continue
		}
		if err := r.release(ctx, session); err != nil && ctx.Err() == nil {
			r.log.Error("what was kept for a bulk edit session is released later", "session", session.String(), "error", err)
		}
	}
}

// release goes through the rows of the session, a chunk at a time, as long as they are there.
func (r *Releases) release(ctx context.Context, session persistence.EntityID) error {
	s, err := r.sessions.State(session)
	if err != nil {
		return fmt.Errorf("read %v: %w", session, err)
	}
	if _, wrote := s.NewestStep(); !wrote {
		return nil
	}
	for chunk := uint32(0); ; chunk++ {
		collections, err := r.sessions.Matched(session, chunk)
		if errors.Is(err, persistence.ErrNotFound) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read chunk %d of the rows of %v: %w", chunk, session, err)
		}
		for _, id := range collections {
			if err := r.look(ctx, collectionID(session.Provider, id)); err != nil {
				return err
			}
		}
	}
}
