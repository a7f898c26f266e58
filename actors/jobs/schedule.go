package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"concord/actors/links"
	"concord/actors/propagation"
	"concord/persistence"
)

// job is an open job.
type job struct {
	id         persistence.EntityID
	cause      string
	order      string // of jobs: by time, then by id
	supersedes string
	doomed     bool // a newer one of the same cause will end it
	paused     bool
	waiting    bool            // all that is left of it waits for locks
	due        map[string]bool // collections to come back to, if it is not running; nil: all
	errors     int             // that it met in a row
	fatal      string          // the last of them, when it is given up
	run        *run            // nil: it is not running
}

// Tally is how many open jobs there are.
type Tally struct{ Queued, Running, Waiting, Paused, WaitingCollections int }

type gauge struct{ queued, running, waiting, paused atomic.Int64 }

// Tally is how many open jobs there are, of those that are in memory. Any goroutine may ask.
func (d *Driver) Tally() Tally {
	return Tally{Queued: int(d.gauge.queued.Load()), Running: int(d.gauge.running.Load()), Waiting: int(d.gauge.waiting.Load()),
		Paused: int(d.gauge.paused.Load()), WaitingCollections: int(d.waits.count.Load())}
}

// look takes the notes, and fills up from the index.
func (d *Driver) look() error {
	ids, freed, many := d.notes.take()
	d.overflow = d.overflow || many
	for i, id := range ids {
		if err := d.see(id); err != nil {
			d.notes.back(ids[i:], freed, false)
			return err
		}
	}
	for collection := range freed {
		for _, id := range d.waits.jobs(collection) {
			d.wakeJob(id, collection.ID)
		}
	}
	if d.overflow && len(d.jobs) < openMaxJobs/2 {
		return d.fill()
	}
	return nil
}

// wakeJob has a job come back to a collection.
func (d *Driver) wakeJob(id persistence.EntityID, collection string) {
	j := d.jobs[id]
	switch {
	case j == nil:
	case j.run != nil:
		j.run.come(collection)
	case j.waiting:
		j.waiting, j.due = false, map[string]bool{collection: true}
	case j.due != nil:
		j.due[collection] = true
	}
}

// retryWaiting has all jobs that wait come back to all that they wait for: a lock may have ended unseen.
func (d *Driver) retryWaiting() {
	for _, j := range d.line {
		if j.waiting {
			j.waiting, j.due = false, nil
		}
	}
}

// fill looks for open jobs in the index. A cause is known with all its jobs, or with none.
func (d *Driver) fill() error {
	view := d.store.View()
	defer func() { _ = view.Close() }()
	d.overflow = false
	for p := range view.Partitions() {
		last := ""
		for e, err := range view.IndexTerms(persistence.Partition(p), persistence.IndexKey{Kind: persistence.KindPropagation, Name: links.IndexOpenJobs}) {
			if err != nil {
				d.overflow = true
				return fmt.Errorf("look for open jobs in partition %d: %w", p, err)
			}
			if cause := e.Provider + "\x00" + e.Term; cause != last && len(d.jobs) >= openMaxJobs {
				d.overflow = true
				return nil
			} else {
				last = cause
			}
			if err := d.see(persistence.EntityID{Kind: persistence.KindPropagation, Provider: e.Provider, ID: e.Entity}); err != nil {
				d.overflow = true
				return err
			}
		}
	}
	return nil
}

// see takes in where a job stands.
func (d *Driver) see(id persistence.EntityID) error {
	s, err := d.state(id)
	if errors.Is(err, persistence.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	j := d.jobs[id]
	if !s.Status.Open() {
		if j != nil {
			d.drop(j)
		}
		return nil
	}
	if j == nil {
		if j = d.add(id, s); j == nil {
			return nil
		}
	}
	j.paused = s.Status == propagation.Paused
	if j.run != nil && (j.paused || j.doomed) {
		j.run.halt()
	}
	return nil
}

// state reads a job.
func (d *Driver) state(id persistence.EntityID) (*propagation.State, error) {
	head, err := d.store.Head(id)
	if err != nil {
		return nil, wrapf(err, id, "read")
	}
	s, err := propagation.Behavior{}.DecodeState(head.State)
	if err != nil {
		return nil, wrapf(err, id, "read")
	}
	return &s, nil
}

// add makes a job known; nil: there is no room, and it will be found in the index.
func (d *Driver) add(id persistence.EntityID, s *propagation.State) *job {
	cause := propagation.CauseOf(id.Provider, &s.Cause).String()
	if len(d.jobs) >= openMaxJobs && d.causes[cause] == nil {
		d.overflow = true
		return nil
	}
	j := &job{id: id, cause: cause, order: fmt.Sprintf("%020d %s", s.Requested.UnixMicro(), id.ID), supersedes: s.Cause.Supersedes}
	d.jobs[id] = j
	d.causes[cause] = insert(d.causes[cause], j)
	d.line = insert(d.line, j)
	for _, other := range d.causes[cause] {
		if other.id.ID == j.supersedes {
			other.doomed = true
			if other.run != nil {
				other.run.halt()
			}
		}
		j.doomed = j.doomed || other.supersedes == j.id.ID
	}
	return j
}

func byOrder(a, b *job) int { return cmp.Compare(a.order, b.order) }

func insert(list []*job, j *job) []*job {
	at, _ := slices.BinarySearchFunc(list, j, byOrder)
	return slices.Insert(list, at, j)
}

func remove(list []*job, j *job) []*job {
	if at, ok := slices.BinarySearchFunc(list, j, byOrder); ok {
		return slices.Delete(list, at, at+1)
	}
	return list
}

// drop forgets a job that has ended; one that runs is stopped first.
func (d *Driver) drop(j *job) {
	if j.run != nil {
		j.run.halt()
		return
	}
	delete(d.jobs, j.id)
	d.line = remove(d.line, j)
	if d.causes[j.cause] = remove(d.causes[j.cause], j); len(d.causes[j.cause]) == 0 {
		delete(d.causes, j.cause)
	}
	for _, other := range d.causes[j.cause] {
		other.doomed = slices.ContainsFunc(d.causes[j.cause], func(o *job) bool { return o.supersedes == other.id.ID })
	}
	d.waits.removeAll(j.id)
}

// runnable says that it is the job's turn: no other one of its cause is before it, or those will be ended by newer ones.
func (d *Driver) runnable(j *job) bool {
	if j.run != nil || j.paused || j.waiting || j.doomed {
		return false
	}
	for _, other := range d.causes[j.cause] {
		if other == j {
			break
		}
		if other.run != nil || !other.doomed {
			return false
		}
	}
	for _, other := range d.causes[j.cause] {
		if other.run != nil {
			return false
		}
	}
	return true
}

// startMore starts jobs as far as there is room, and counts.
func (d *Driver) startMore(ctx context.Context) {
	var g [4]int64
	for _, j := range d.line {
		if d.running < d.settings.JobsAtOnce && d.runnable(j) {
			d.start(ctx, j)
		}
		switch {
		case j.run != nil:
			g[1]++
		case j.waiting:
			g[2]++
		case j.paused:
			g[3]++
		default:
			g[0]++
		}
	}
	d.gauge.queued.Store(g[0])
	d.gauge.running.Store(g[1])
	d.gauge.waiting.Store(g[2])
	d.gauge.paused.Store(g[3])
}

func (d *Driver) start(ctx context.Context, j *job) {
	r := newRun(d, j)
	j.run = r
	d.running++
	d.runners.Go(func() {
		r.result, r.err = r.work(ctx)
		select {
		case d.finished <- r:
		case <-ctx.Done():
		}
	})
}

// ended takes in how a run came out.
func (d *Driver) ended(r *run) {
	j := r.job
	d.running--
	j.run, j.due = nil, r.left()
	switch {
	case r.err != nil && !errors.Is(r.err, errStopped):
		d.log.Error("a propagation met an error, and will be tried again", "job", j.id.String(), "error", r.err)
		j.waiting, j.due = true, nil // until the slow retry
		if j.errors++; j.errors >= triesMax {
			j.fatal, j.waiting = r.err.Error(), false
		}
	case r.result == waitsForLocks && j.due == nil:
		j.waiting, j.errors = true, 0
	case r.result != waitsForLocks:
		j.due, j.errors = nil, 0
	}
	d.notes.job(j.id) // where does it stand?
}
