package jobs

import (
	"sync"
	"sync/atomic"

	"concord/actors/propagation"
	"concord/persistence"
)

// notesMax bounds the jobs that are noted and not looked at; more are found in the index.
const notesMax = 10_000

// notes are what the committer has told of, and the driver has not looked at.
type notes struct {
	mu    sync.Mutex
	jobs  []persistence.EntityID
	known map[persistence.EntityID]bool
	freed map[persistence.EntityID]bool // collections that are waited for, and may be free now
	many  bool                          // there were more
	wake  chan struct{}
}

func newNotes() *notes { return &notes{wake: make(chan struct{}, 1)} }

// job notes a job that was born, or that somebody has told what to do.
func (n *notes) job(id persistence.EntityID) {
	n.mu.Lock()
	switch {
	case n.known[id]:
	case len(n.jobs) == notesMax:
		n.many = true
	default:
		if n.known == nil {
			n.known = make(map[persistence.EntityID]bool)
		}
		n.known[id] = true
		n.jobs = append(n.jobs, id)
	}
	n.mu.Unlock()
	n.again()
}

// free notes a collection that is waited for.
func (n *notes) free(collection persistence.EntityID) {
	n.mu.Lock()
	if n.freed == nil {
		n.freed = make(map[persistence.EntityID]bool)
	}
	n.freed[collection] = true
	n.mu.Unlock()
	n.again()
}

// again has the driver look.
func (n *notes) again() {
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

func (n *notes) take() (jobs []persistence.EntityID, freed map[persistence.EntityID]bool, many bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	jobs, freed, many = n.jobs, n.freed, n.many
	n.jobs, n.known, n.freed, n.many = nil, nil, nil, false
	return jobs, freed, many
}

// back puts in again what could not be looked at.
func (n *notes) back(jobs []persistence.EntityID, freed map[persistence.EntityID]bool, many bool) {
	for _, id := range jobs {
		n.job(id)
	}
	for collection := range freed {
		n.free(collection)
	}
	n.mu.Lock()
	n.many = n.many || many
	n.mu.Unlock()
}

// waits are the collections that jobs wait for. It is safe for concurrent use.
type waits struct {
	count atomic.Int64 // of collections
	mu    sync.Mutex
	by    map[persistence.EntityID]map[persistence.EntityID]bool // jobs by collection
}

func newWaits() *waits {
	return &waits{by: make(map[persistence.EntityID]map[persistence.EntityID]bool)}
}

func (w *waits) add(collection, job persistence.EntityID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.by[collection] == nil {
		w.by[collection] = make(map[persistence.EntityID]bool, 1)
		w.count.Add(1)
	}
	w.by[collection][job] = true
}

func (w *waits) remove(collection, job persistence.EntityID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if delete(w.by[collection], job); len(w.by[collection]) == 0 && w.by[collection] != nil {
		delete(w.by, collection)
		w.count.Add(-1)
	}
}

// removeAll forgets what a job waits for.
func (w *waits) removeAll(job persistence.EntityID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for collection, jobs := range w.by {
		if delete(jobs, job); len(jobs) == 0 {
			delete(w.by, collection)
			w.count.Add(-1)
		}
	}
}

func (w *waits) has(collection persistence.EntityID) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.by[collection] != nil
}

func (w *waits) jobs(collection persistence.EntityID) (ids []persistence.EntityID) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.by[collection] {
		ids = append(ids, id)
	}
	return ids
}

// Committed is the committer's observer.
func (d *Driver) Committed(group []*persistence.Entry) {
	for _, e := range group {
		switch e.Entity.Kind {
		case persistence.KindPropagation:
			d.committed(e)
		case persistence.KindCollection:
			if d.waits.count.Load() > 0 && d.waits.has(e.Entity) {
				d.notes.free(e.Entity)
			}
		default:
		}
	}
}

// committed notes what was not the driver's own doing.
func (d *Driver) committed(e *persistence.Entry) {
	for i := range e.Records {
		switch e.Records[i].Record.GetType() {
		case "", propagation.TypeChunked, propagation.TypePlanned, propagation.TypeStarted, propagation.TypeProgressed:
		case propagation.TypeCompleted:
			state := propagation.Completed
			if s, ok := stateAfter(e, i); ok {
				state = s.Status
			}
			d.observer.Ended(string(state))
			d.notes.job(e.Entity)
		case propagation.TypeCancelled:
			d.observer.Ended(string(propagation.Cancelled))
			d.notes.job(e.Entity)
		case propagation.TypeSuperseded:
			d.observer.Ended(string(propagation.Superseded))
			d.notes.job(e.Entity)
		case propagation.TypeFailed:
			d.observer.Ended(string(propagation.Failed))
			d.notes.job(e.Entity)
		default:
			d.notes.job(e.Entity)
		}
	}
}

// stateAfter is the state of a job after a record.
func stateAfter(e *persistence.Entry, record int) (propagation.State, bool) {
	head, err := persistence.ParseHead(e.Records[record].Beside.Head)
	if err != nil {
		return propagation.State{}, false
	}
	s, err := propagation.Behavior{}.DecodeState(head.State)
	return s, err == nil
}
