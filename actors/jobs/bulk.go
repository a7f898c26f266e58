package jobs

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"concord/actors/bulk"
	"concord/persistence"
)

// TaskStore is what the driver of bulk tasks reads.
type TaskStore interface {
	Head(persistence.EntityID) (persistence.Head, error)
	View() persistence.View
}

// TaskSettings are those of the driver of bulk tasks.
type TaskSettings struct {
	Window            int           // items of a task that are under way at once, when nobody else asks for anything
	TasksAtOnce       int           // each of another provider
	ItemsPerSecondMax int           // of all tasks; 0: no bound
	Slice             time.Duration // after which a provider makes room for others that wait for their turn; 0: the default
}

// DefaultTaskSettings let a task run at full speed while the node has nothing else to do.
var DefaultTaskSettings = TaskSettings{Window: 64, TasksAtOnce: 2, Slice: 2 * time.Second}

// Bounds of the driver of bulk tasks. An item that meets the same trouble again and again fails in the end: after
// itemMaxFailures errors, or after itemMaxBusy refusals for load, which are about a minute.
const (
	itemMaxFailures   = triesMax
	itemMaxBusy       = 20
	itemMaxMoments    = 8                     // tries at a lock that nobody holds for longer than a moment
	rowsMaxAhead      = 4096                  // rows of a task that are under way or not recorded
	waitingMaxItems   = 50_000                // that wait for locks; a task goes no further while there are more
	orderMaxItems     = 4 << 20               // of paused tasks, in memory to see what younger ones must not touch: 32 MiB
	progressMaxBytes  = 1 << 20               // of one record of outcomes, but for one item
	outcomeDiffBytes  = 4 << 10               // of a diff; a longer one is only counted
	outcomeWarnings   = 10                    // of one item
	outcomeMaxMessage = 1024                  // bytes
	paceSlack         = 20 * time.Millisecond // of lateness that a task makes up for: so much bursts at most
)

// TaskObserver is told what the driver of bulk tasks does. All fields must be set.
type TaskObserver struct {
	Items func(task *bulk.State, state bulk.ItemState, items uint64) // it must not keep or change the task
	Ended func(state string)                                         // of a task
}

// TaskTally is how many open tasks there are, of those that are in memory.
type TaskTally struct{ Queued, Running, Resting, Waiting, Paused, WaitingCollections int }

// Tasks runs the open bulk tasks of a node: it sends each collection what the task does to it, and tells the task what came of
// that. The tasks of a provider are its lane: one goroutine, at most, works on all of them, so that their order is kept in one
// place (see lane). Lanes take turns.
//
// A task that is stopped at any moment, also by a crash, goes on at its cursor. Items whose outcomes were not recorded are sent
// again: the collection knows if the task has written it.
type Tasks struct {
	store    TaskStore
	courtesy *Courtesy
	settings TaskSettings
	observer TaskObserver
	log      *slog.Logger
	pace     pace
	room     orderRoom

	notes *notes
	waits *waits

	// What the goroutine of Run alone knows.
	known    map[persistence.EntityID]bool
	openMax  int  // tasks that are known; more are looked for when these are fewer
	overflow bool // there are more open tasks than are known
	line     []*lane
	running  int
	finished chan *lane
	runners  sync.WaitGroup

	mu    sync.Mutex
	lanes map[string]*lane // by provider; written by the goroutine of Run, under mu
}

// NewTasks makes a driver of bulk tasks; nothing runs before Run, but Committed may be called.
func NewTasks(s TaskStore, c *Courtesy, settings TaskSettings, o TaskObserver, log *slog.Logger) *Tasks {
	d := &Tasks{store: s, courtesy: c, settings: settings, observer: o, log: log, notes: newNotes(), waits: newWaits(),
		openMax: openMaxJobs, known: make(map[persistence.EntityID]bool), lanes: make(map[string]*lane), finished: make(chan *lane)}
	d.settings.Slice = cmp.Or(settings.Slice, DefaultTaskSettings.Slice)
	d.pace.perSecond, d.pace.slack = settings.ItemsPerSecondMax, paceSlack
	d.room.left.Store(orderMaxItems)
	return d
}

// Tally is how many open tasks there are. Any goroutine may ask.
func (d *Tasks) Tally() TaskTally {
	t := TaskTally{WaitingCollections: int(d.waits.count.Load())}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range d.lanes {
		l.in.mu.Lock()
		t.Queued += l.in.tally.Queued
		t.Running += l.in.tally.Running
		t.Resting += l.in.tally.Resting
		t.Waiting += l.in.tally.Waiting
		t.Paused += l.in.tally.Paused
		l.in.mu.Unlock()
	}
	return t
}

// Run works on open tasks until the context ends. It owns all goroutines of the driver.
func (d *Tasks) Run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer d.runners.Wait()
	defer stop()
	d.overflow = true // nothing is known yet
	slow := time.NewTicker(waitingRetryEvery)
	defer slow.Stop()
	for {
		if err := d.look(); err != nil {
			d.log.Error("open bulk tasks cannot be read", "error", err)
			d.notes.again()
			if !pause(ctx, backOffMax) {
				return
			}
			continue
		}
		d.startMore(ctx)
		turn := d.turn()
		select {
		case <-ctx.Done():
		case <-d.notes.wake:
		case l := <-d.finished:
			d.ended(l)
		case <-slow.C:
			d.retryWaiting()
		case <-turn.C:
			d.takeTurns()
		}
		if turn.Stop(); ctx.Err() != nil {
			return
		}
	}
}

// Committed is the committer's observer.
func (d *Tasks) Committed(group []*persistence.Entry) {
	for _, e := range group {
		switch e.Entity.Kind {
		case persistence.KindBulk:
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
func (d *Tasks) committed(e *persistence.Entry) {
	for i := range e.Records {
		switch e.Records[i].Record.GetType() {
		case "", bulk.TypeStaged, bulk.TypeStarted, bulk.TypeProgressed, bulk.TypeNamed, bulk.TypeWithdrawn:
			continue
		case bulk.TypeCompleted, bulk.TypeCancelled:
			if head, err := persistence.ParseHead(e.Records[i].Beside.Head); err == nil {
				if s, err := (bulk.Behavior{}).DecodeState(head.State); err == nil {
					d.observer.Ended(string(s.Status))
					if s.Counts.Cancelled > 0 {
						d.observer.Items(&s, bulk.ItemCancelled, s.Counts.Cancelled)
					}
				}
			}
		default:
		}
		d.notes.job(e.Entity)
	}
}

// state reads a task.
func (d *Tasks) state(id persistence.EntityID) (*bulk.State, error) {
	head, err := d.store.Head(id)
	if err != nil {
		return nil, wrapf(err, id, "read")
	}
	s, err := bulk.Behavior{}.DecodeState(head.State)
	if err != nil {
		return nil, wrapf(errors.Join(persistence.ErrCorrupt, err), id, "read")
	}
	return &s, nil
}

// concerns says that the driver has something to do with a task in this state, now or later: it is open, or it has expired and
// its name is still taken. Drafts are nobody's business.
func concerns(s *bulk.State) bool {
	return s.Status.Open() || s.Status == bulk.Expired && s.Name != ""
}
