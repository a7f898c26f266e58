package jobs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"concord/actors/links"
	"concord/actors/propagation"
	"concord/internal/planted"
	"concord/persistence"
)

// result is how the run of a job came out.
type result uint8

const (
	over          result = iota // it has ended, or somebody has stopped it
	waitsForLocks               // all that is left waits for locks
)

// run is one go at a job: from where it stands until it ends, waits, or is stopped. It belongs to one goroutine, but for
// halt, come and left.
type run struct {
	*Driver
	job    *job
	id     persistence.EntityID
	state  *propagation.State
	errand errand // what the workers know of it
	result result
	err    error

	mu    sync.Mutex
	stop  chan struct{}
	ended bool
	due   map[string]bool // to come back to
	all   bool            // all that are waited for are due
	nudge chan struct{}

	chunks struct { // the one that was read last
		number uint32
		rows   []propagation.Row
	}
	resumed  bool                             // a run before this one may have asked collections already
	next     uint64                           // row to be asked next
	done     map[uint64][]propagation.Outcome // of rows from the cursor on, not recorded
	open     map[string]propagation.Opened    // collections to come back to, as they are recorded
	asked    map[string]bool                  // of those: under way, or not recorded
	reopened []propagation.OpenOutcome        // not recorded
	outcomes chan outcome
	flying   int
	ready    time.Time // when the pace allows the next request
	flush    time.Time // when what is not recorded shall be
}

// outcome is what a worker tells: of a row, or of a collection that was come back to.
type outcome struct {
	row   uint64
	again *propagation.OpenOutcome
	propagation.Outcome
	last bool // of this request
	took time.Duration
}

// abandoned says that nothing is known of the collection, and that it is asked again by another run.
func (o *outcome) abandoned() bool {
	return o.again == nil && o.End == abandoned || o.again != nil && o.again.End == abandoned
}

// errand is what stays the same of a job while it runs: what workers go by. The state is not theirs to read.
type errand struct {
	cause             links.Change
	principal, reason string
	round             uint32
}

func newRun(d *Driver, j *job) *run {
	return &run{Driver: d, job: j, id: j.id, stop: make(chan struct{}), due: maps.Clone(j.due), all: j.due == nil,
		nudge: make(chan struct{}, 1), done: make(map[uint64][]propagation.Outcome), open: make(map[string]propagation.Opened),
		asked: make(map[string]bool), outcomes: make(chan outcome)}
}

// halt has the run stop at the border of a collection.
func (r *run) halt() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended {
		r.ended = true
		close(r.stop)
	}
}

func (r *run) halted() bool {
	select {
	case <-r.stop:
		return true
	default:
		return false
	}
}

// come says that a collection may be free.
func (r *run) come(collection string) {
	r.mu.Lock()
	if r.due == nil {
		r.due = make(map[string]bool)
	}
	r.due[collection] = true
	r.mu.Unlock()
	select {
	case r.nudge <- struct{}{}:
	default:
	}
}

// left are the collections that may be free, and were not come back to; nil: none.
func (r *run) left() map[string]bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.due) == 0 {
		return nil
	}
	return r.due
}

// tell gives the job's entity a command, and notes where the job stands then.
func (r *run) tell(ctx context.Context, c propagation.Command) (err error) {
	s, err := r.Driver.tell(ctx, r.id, c)
	if err == nil {
		r.state = s
	}
	return err
}

// work brings the job as far as it gets.
func (r *run) work(ctx context.Context) (result, error) {
	var err error
	if r.state, err = r.Driver.state(r.id); err != nil {
		return over, err
	}
	if r.job.fatal != "" {
		return over, r.tell(ctx, &propagation.Fail{Message: r.job.fatal})
	}
	if r.state.Status.Open() && r.state.Status != propagation.Paused {
		if err := r.supersede(ctx, r.state.Cause.Supersedes); err != nil {
			return over, err
		}
	}
	begun := false // by this run
	for !r.halted() {
		var err error
		switch r.state.Status {
		case propagation.Requested:
			err = r.plan(ctx)
		case propagation.Planned:
			err, begun = r.tell(ctx, &propagation.Start{}), true
		case propagation.Running:
			r.resumed = !begun
			var waits bool
			if waits, err = r.relink(ctx); waits {
				return waitsForLocks, nil
			}
			switch {
			case err != nil || r.halted():
			case r.state.Through():
				err = r.tell(ctx, &propagation.Finish{})
			default:
				err = errors.New("everything was asked, and something is left")
			}
		default:
			return over, nil
		}
		if stale(err) {
			return over, nil // somebody was faster: the driver looks again
		}
		if err != nil {
			return over, err
		}
	}
	return over, nil
}

// supersedeMax bounds how long a chain of jobs is that a newer one ends.
const supersedeMax = 1000

// supersede ends the jobs that this one makes needless, the oldest first, so that a crash leaves the others to be found.
func (r *run) supersede(ctx context.Context, id string) error {
	var chain []persistence.EntityID
	for len(chain) < supersedeMax && id != "" {
		older := persistence.EntityID{Kind: persistence.KindPropagation, Provider: r.id.Provider, ID: id}
		s, err := r.Driver.state(older)
		if errors.Is(err, persistence.ErrNotFound) || err == nil && !s.Status.Open() {
			break
		}
		if err != nil {
			return err
		}
		chain, id = append(chain, older), s.Cause.Supersedes
	}
	for _, older := range slices.Backward(chain) {
		if _, err := r.Driver.tell(ctx, older, &propagation.Supersede{By: r.id.ID}); err != nil {
			return err
		}
	}
	return nil
}

// relink asks the collections, from the cursor on. waits says that all that is left waits for locks. It ends with nothing
// under way and everything recorded, but for errors and the end of the context.
func (r *run) relink(ctx context.Context) (waits bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	var workers sync.WaitGroup
	defer workers.Wait()
	defer cancel()
	if err := r.recall(); err != nil {
		return false, err
	}
	s := r.state
	r.errand = errand{cause: s.Cause, principal: s.Principal, reason: s.Reason, round: s.Round}
	r.next = s.Cursor.Row
	for {
		if err := r.dispatch(ctx, &workers); err != nil {
			return false, err
		}
		if err := r.record(ctx); err != nil {
			return false, err
		}
		if r.flying == 0 && (r.halted() || !r.hasNext()) && !r.recordable() {
			return !r.halted() && len(r.open) > 0, nil
		}
		if !r.wait(ctx) {
			return false, errStopped
		}
	}
}

// recall reads which collections are to be come back to.
func (r *run) recall() error {
	clear(r.open)
	view := r.store.View()
	defer func() { _ = view.Close() }()
	for p, err := range view.Parts(r.id, propagation.PartOpen) {
		if err != nil {
			return wrapf(err, r.id, "read what waits of")
		}
		name, ok := propagation.OpenOf(p.ID)
		if !ok {
			break
		}
		body, err := view.Body(r.id, p.Place)
		if err != nil {
			return wrapf(err, r.id, "read what waits of")
		}
		o, err := propagation.DecodeOpen(body)
		if err != nil {
			return wrapf(err, r.id, "read what waits of")
		}
		r.open[name] = o
		if o.Locked {
			r.waits.add(collectionID(r.id.Provider, name), r.id)
		}
		if r.all || o.Retry && !o.Locked {
			r.come(name)
		}
	}
	r.all = false
	return nil
}

// hasNext says that there is something to be asked now.
func (r *run) hasNext() bool {
	if r.next < r.state.Collections {
		return true
	}
	_, ok := r.peekDue()
	return ok
}

// peekDue is a collection to come back to.
func (r *run) peekDue() (string, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for name := range r.due {
		if _, known := r.open[name]; !known {
			if !r.unrecorded(name) {
				delete(r.due, name) // it is through
			}
			continue
		}
		if !r.asked[name] {
			return name, true
		}
	}
	return "", false
}

// unrecorded says that the collection may be among those whose outcome is not recorded yet.
func (r *run) unrecorded(string) bool { return len(r.done) > 0 || r.flying > 0 }

// width is how many collections may be asked at once.
func (r *run) width() int {
	if r.courtesy.others(time.Now()) {
		return 1
	}
	return r.settings.Window
}

// rest puts the next request off after one that took so long, if others are there.
func (r *run) rest(took time.Duration) {
	if now := time.Now(); r.courtesy.others(now) {
		if until := now.Add(min(took, restMax)); until.After(r.ready) {
			r.ready = until
		}
	}
}

// dispatch asks as many collections as the window has room for.
func (r *run) dispatch(ctx context.Context, workers *sync.WaitGroup) error {
	for r.flying < r.width() && !r.halted() && !time.Now().Before(r.ready) {
		if name, ok := r.peekDue(); ok {
			r.mu.Lock()
			delete(r.due, name)
			r.mu.Unlock()
			r.asked[name] = true
			o := r.open[name]
			r.flying++
			begun := time.Now()
			workers.Go(func() { r.comeBack(ctx, name, o, begun) })
			continue
		}
		if r.next >= r.state.Collections || r.next >= r.state.Cursor.Row+aheadMaxRows {
			return nil
		}
		row, err := r.row(r.next)
		if err != nil {
			return err
		}
		if wait := r.pace.take(row.Links); wait > 0 {
			r.ready = time.Now().Add(wait)
		}
		number, after := r.next, ""
		if number == r.state.Cursor.Row {
			after = r.state.Cursor.After
		}
		r.next++
		if planted.HalfJob {
			r.done[number] = append(r.done[number], propagation.Outcome{Tally: propagation.Tally{Updated: row.Links, Documents: row.Documents}})
			workers.Go(func() {
				r.through(ctx, row.Collection, after, strconv.FormatUint(number, 10), func(propagation.Outcome) {})
			})
			continue
		}
		r.flying++
		begun := time.Now()
		workers.Go(func() { r.first(ctx, number, row.Collection, after, begun) })
	}
	return nil
}

// wait waits for something to happen; false: the context has ended.
func (r *run) wait(ctx context.Context) bool {
	until := waitingRetryEvery
	now := time.Now()
	if r.recordable() {
		until = min(until, r.flush.Sub(now))
	}
	if r.flying == 0 && r.hasNext() { // the rest may have ended since it was looked at
		until = min(until, r.ready.Sub(now))
	}
	timer := time.NewTimer(max(until, time.Millisecond))
	defer timer.Stop()
	stop := r.stop
	if r.halted() {
		stop = nil // it is known
	}
	select {
	case <-ctx.Done():
		return false
	case o := <-r.outcomes:
		r.take(&o)
	case <-stop:
	case <-r.nudge:
	case <-timer.C:
	}
	return true
}

// take takes in what a worker tells.
func (r *run) take(o *outcome) {
	if o.last {
		r.flying--
		r.rest(o.took)
	}
	if o.abandoned() {
		return
	}
	if len(r.done) == 0 && len(r.reopened) == 0 {
		r.flush = time.Now().Add(progressEvery)
	}
	if o.again != nil {
		r.reopened = append(r.reopened, *o.again)
	} else {
		r.done[o.row] = append(r.done[o.row], o.Outcome)
	}
}

// key names a request to a collection: the same after a crash, and for each try.
func (r *run) key(parts ...string) string { return r.id.ID + "/" + strings.Join(parts, "/") }
