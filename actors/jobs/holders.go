package jobs

import (
	"errors"
	"fmt"
	"sync"

	"concord/actors/bulk"
	"concord/actors/editsession"
	"concord/persistence"
	"concord/persistence/recordpb"
)

// holdersMaxKept bounds what Holders remembers of tasks, and of sessions.
const holdersMaxKept = 256

// Sessions reads bulk edit sessions, and the tasks that may be their runs, as they are stored.
type Sessions interface {
	// Task returns persistence.ErrNotFound for a task that never was.
	Task(task persistence.EntityID) (bulk.State, error)
	// State returns persistence.ErrNotFound for a session that never was.
	State(session persistence.EntityID) (editsession.State, error)
	// Matched are the collections that rows of a chunk of the list were matched to, number 0 first; persistence.ErrNotFound if
	// there is no such chunk, or no more.
	Matched(session persistence.EntityID, chunk uint32) (collections []string, err error)
	// Closes says that with this record a session needs nothing any more that was kept for it.
	Closes(*recordpb.Record) bool
}

// Holders knows which pins of collections are still needed. Their holders are bulk tasks, of the collection's provider: one that
// is a run of a session needs what it has replaced as long as the session can take it back (editsession.State.Holds), any other
// one until its pins lapse; and so does one that has expired, or whose session is not there.
//
// It asks the store once for many pins of a task: what it knows of a session it forgets when the committer tells of it.
type Holders struct {
	sessions Sessions

	mu       sync.Mutex
	tasks    map[persistence.EntityID]sessionRun
	known    map[persistence.EntityID]editsession.State
	renewals uint64 // events of sessions so far: what was read before one may be old after it
}

// sessionRun is what matters of a task that was accepted, and never changes.
type sessionRun struct {
	session string // ""; it holds until its pins lapse
	run     uint32
}

// NewHolders makes one that knows nothing yet.
func NewHolders(sessions Sessions) *Holders {
	return &Holders{sessions: sessions, tasks: make(map[persistence.EntityID]sessionRun),
		known: make(map[persistence.EntityID]editsession.State)}
}

// Committed is the committer's observer.
func (h *Holders) Committed(group []*persistence.Entry) {
	for _, e := range group {
		if e.Entity.Kind != persistence.KindEditSession {
			continue
		}
		h.mu.Lock()
		h.renewals++
		delete(h.known, e.Entity)
		h.mu.Unlock()
	}
}

// Released says that the holder of pins of the entity needs them no more. Once it is so it stays so.
func (h *Holders) Released(e persistence.EntityID, task string) (bool, error) {
	if e.Kind != persistence.KindCollection {
		return false, nil
	}
	by, _, err := h.task(persistence.EntityID{Kind: persistence.KindBulk, Provider: e.Provider, ID: task})
	if err != nil || by.session == "" {
		return false, err
	}
	s, err := h.session(persistence.EntityID{Kind: persistence.KindEditSession, Provider: e.Provider, ID: by.session})
	switch {
	case err != nil || s.Status == "" || s.Holds(by.run): // what is not to be found here may be elsewhere
		return false, err
	case s.Status != editsession.Opened:
		return true, nil
	}
	// A step has let go of it. Until that step's task is there the step may be aborted, and all be as before.
	step, _ := s.NewestStep()
	if step.Task == "" {
		return true, nil
	}
	_, accepted, err := h.task(persistence.EntityID{Kind: persistence.KindBulk, Provider: e.Provider, ID: step.Task})
	return accepted, err
}

// task is what matters of a task. One that is not there, or was not accepted yet, holds until its pins lapse.
func (h *Holders) task(id persistence.EntityID) (of sessionRun, accepted bool, err error) {
	h.mu.Lock()
	of, accepted = h.tasks[id]
	h.mu.Unlock()
	if accepted {
		return of, true, nil
	}
	s, err := h.sessions.Task(id)
	switch {
	case errors.Is(err, persistence.ErrNotFound) || err == nil && s.Accepted.IsZero():
		return sessionRun{}, false, nil
	case err != nil:
		return sessionRun{}, false, fmt.Errorf("read %v: %w", id, err)
	}
	if s.Status.Shown() {
		of = sessionRun{s.Session, s.Run}
	}
	h.mu.Lock()
	keep(h.tasks, id, of)
	h.mu.Unlock()
	return of, true, nil
}

// session is a session as it stands: the zero value if it is not there.
func (h *Holders) session(id persistence.EntityID) (editsession.State, error) {
	h.mu.Lock()
	s, ok := h.known[id]
	renewals := h.renewals
	h.mu.Unlock()
	if ok {
		return s, nil
	}
	s, err := h.sessions.State(id)
	if err != nil && !errors.Is(err, persistence.ErrNotFound) {
		return s, fmt.Errorf("read %v: %w", id, err)
	}
	h.mu.Lock()
	if h.renewals == renewals {
		keep(h.known, id, s)
	}
	h.mu.Unlock()
	return s, nil
}

// keep remembers within the bound: what is asked for again is soon there again.
func keep[V any](known map[persistence.EntityID]V, id persistence.EntityID, v V) {
	if len(known) >= holdersMaxKept {
		clear(known)
	}
	known[id] = v
}
