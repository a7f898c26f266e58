package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/bulk"
	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/actors/provider"
	"concord/actors/undo"
	"concord/persistence"
	"concord/persistence/recordpb"
)

// taskWorld is a store and a host in which bulk tasks are real entities, and collections dumb ones. What it holds is durable at
// once: a crash takes the driver, and what it was about to do.
type taskWorld struct {
	t          testing.TB
	mu         sync.Mutex
	tasks      map[persistence.EntityID]*fakeTask
	shelves    map[string]*fakeShelf
	names      map[string]string // owners
	partitions int
	numbers    uint64
	asks       int // commands that were delivered
	dieAt      int // that command is the last; 0: none
	dieDeaf    bool
	flying     int
	top        int
	others     int64
	slow       func()
	unread     func(part string) error // of a part of a task
	headless   func(persistence.EntityID) error
	full       bool // the disk has no room
	refusals   int  // so many commands of the driver to tasks are answered with an error
	untold     bool // no task can be told who takes it back

	openMax int // tasks that are kept in memory; 0: as in production
	counted map[bulk.ItemState]uint64
	endings map[string]int
	driver  *Tasks
	taking  sync.WaitGroup
	stop    func()
}

type fakeTask struct {
	state bulk.State
	parts map[string][]byte
	seq   uint64
}

// fakeShelf is a collection that remembers which tasks have written it.
type fakeShelf struct {
	version uint64
	last    string // task that wrote it last
	before  uint64
	after   uint64
	writers []string
	asked   []string // tasks, each time
	locked  string
	moment  int // so many requests meet a lock that nobody holds
	busy    int // so many requests are refused for load; -1: all
	fails   int // so many requests are answered with an error; -1: all
	deleted bool
	at      []time.Time
	pins    []time.Time // until when what was replaced is kept, of each write
}

// fakeKept is how many bytes a fake collection keeps of each version.
const fakeKept = 10

func newTaskWorld(t testing.TB) *taskWorld {
	return &taskWorld{t: t, partitions: 4, tasks: map[persistence.EntityID]*fakeTask{}, shelves: map[string]*fakeShelf{},
		names: map[string]string{}, counted: map[bulk.ItemState]uint64{}, endings: map[string]int{}}
}

// shelf is a collection, made when it is asked for.
func (w *taskWorld) shelf(name string) *fakeShelf {
	if w.shelves[name] == nil {
		w.shelves[name] = &fakeShelf{version: 1}
	}
	return w.shelves[name]
}

// names of so many collections.
func shelves(from, to int) (names []string) {
	for i := from; i < to; i++ {
		names = append(names, fmt.Sprintf("c%05d", i))
	}
	return names
}

func taskID(name string) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindBulk, Provider: "p", ID: name}
}

// sound are instructions that can be read. What they do is nothing to a fake collection.
const sound = `[{"type":"CLEAR_FIELD","path":"/metadata/a"}]`

// accept has a task begin.
func (w *taskWorld) accept(name string, collections []string, change func(*bulk.State)) persistence.EntityID {
	w.t.Helper()
	rows := make([]bulk.Row, len(collections))
	for i, c := range collections {
		rows[i] = bulk.Row{Collection: c}
	}
	return w.acceptRows(taskID(name), rows, change, sound)
}

func (w *taskWorld) acceptRows(id persistence.EntityID, rows []bulk.Row, change func(*bulk.State), instructions string) persistence.EntityID {
	w.t.Helper()
	w.mu.Lock()
	w.numbers++
	s := bulk.State{Number: w.numbers, Name: id.ID, OnLocked: bulk.OnLockedWait, Retention: time.Hour}
	for _, r := range rows {
		if r.Collection != "" {
			w.shelf(r.Collection)
		}
	}
	w.tasks[id] = &fakeTask{parts: map[string][]byte{}}
	w.mu.Unlock()
	if change != nil {
		change(&s)
	}
	chunks, per := uint32(0), bulk.ChunkRows
	if slices.ContainsFunc(rows, func(r bulk.Row) bool { return len(r.Key)+len(r.Value) > 0 }) {
		per = bulk.ChunkValuedRows
	}
	for ; len(rows) > per; chunks++ {
		w.must(id, &bulk.Stage{Number: chunks, PerChunk: uint32(per), Rows: rows[:per]})
		rows = rows[per:]
	}
	w.must(id, &bulk.Accept{Task: s, Chunks: chunks, Request: bulk.Request{Instructions: []byte(instructions)},
		Stage: bulk.Stage{Number: chunks, PerChunk: uint32(per), Rows: rows}})
	return id
}

func (w *taskWorld) must(id persistence.EntityID, c bulk.Command) {
	w.t.Helper()
	if err := w.command(id, c); err != nil {
		w.t.Fatalf("%T for %v: %v", c, id, err)
	}
}

// command takes a command of a task.
func (w *taskWorld) command(id persistence.EntityID, c bulk.Command) error {
	w.mu.Lock()
	j := w.tasks[id]
	if j == nil {
		w.mu.Unlock()
		return bulk.Missing()
	}
	d, err := decide(bulk.Behavior{}, j.state, c, j.parts, entity.Meta{Principal: "ann", Kind: "person", Time: time.Now(), Entity: id})
	var records []persistence.Stored
	for _, e := range d.Events {
		j.seq++
		j.state = bulk.Behavior{}.Evolve(j.state, e, entity.Stamp{Entity: id, Seq: j.seq})
		for _, p := range e.Parts {
			if j.parts[p.ID] = p.Body; p.Removed {
				delete(j.parts, p.ID)
			}
		}
		head, fault := proto.Marshal(&recordpb.Head{Seq: j.seq, State: bulk.Behavior{}.EncodeState(j.state)})
		if fault != nil {
			w.t.Error(fault)
		}
		records = append(records, persistence.Stored{Record: &recordpb.Record{Type: e.Type}, Beside: persistence.Projection{Head: head}})
	}
	driver := w.driver
	w.mu.Unlock()
	if driver != nil && len(records) > 0 {
		driver.Committed([]*persistence.Entry{{Entity: id, Records: records}})
	}
	return err
}

// begin starts a driver.
func (w *taskWorld) begin(s TaskSettings) {
	w.t.Helper()
	if s.Slice == 0 {
		s.Slice = time.Second
	}
	o := TaskObserver{Items: func(_ *bulk.State, state bulk.ItemState, n uint64) { w.locked(func() { w.counted[state] += n }) },
		Ended: func(state string) { w.locked(func() { w.endings[state]++ }) }}
	driver := NewTasks(w, NewCourtesy(w), s, o, slog.New(slog.DiscardHandler))
	driver.openMax = cmp.Or(w.openMax, driver.openMax)
	w.locked(func() { w.driver = driver })
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { driver.Run(ctx) })
	w.stop = func() {
		cancel()
		running.Wait()
		w.taking.Wait() // no command outlives its process
	}
}

// Deliver takes a command as an entity would.
func (w *taskWorld) Deliver(env *entity.Envelope) {
	w.mu.Lock()
	w.asks++
	last, dead := w.asks == w.dieAt, w.dieAt > 0 && w.asks > w.dieAt
	deaf := w.dieDeaf
	w.mu.Unlock()
	if dead || last && deaf {
		return
	}
	w.taking.Go(func() {
		a, err := w.take(env)
		if !last {
			env.Reply(a, err)
		}
	})
}

func (w *taskWorld) refuses(c bulk.Command) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refusals--
	_, undone := c.(*bulk.Undone)
	return w.refusals >= 0 || undone && w.untold
}

func (w *taskWorld) isFull() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.full
}

func (w *taskWorld) InFlight() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.driver == nil {
		return w.others
	}
	return w.others + w.driver.courtesy.own.Load()
}

func (w *taskWorld) take(env *entity.Envelope) (entity.Answer, error) {
	if w.isFull() && !env.Vital {
		return entity.Answer{}, fmt.Errorf("%w (%w)", problem.New(problem.Unavailable, "writes are refused"), persistence.ErrLowSpace)
	}
	switch c := env.Command.(type) {
	case bulk.Command:
		if w.refuses(c) {
			return entity.Answer{}, problem.New(problem.Internal, "it broke")
		}
		return entity.Answer{}, w.command(env.Entity, c)
	case provider.Command:
		return entity.Answer{}, w.name(c)
	}
	w.mu.Lock()
	w.flying++
	w.top = max(w.top, w.flying)
	slow := w.slow
	w.mu.Unlock()
	if slow != nil {
		slow()
	}
	a, changed, err := w.applied(env)
	w.mu.Lock()
	w.flying--
	driver := w.driver
	w.mu.Unlock()
	if changed && driver != nil {
		driver.Committed([]*persistence.Entry{{Entity: env.Entity, Records: []persistence.Stored{{Record: &recordpb.Record{Type: collection.TypeSaved}}}}})
	}
	if err != nil {
		return entity.Answer{}, err
	}
	body, err := json.Marshal(a)
	return entity.Answer{Body: body}, err
}

// name is what the provider's own actor does.
func (w *taskWorld) name(c provider.Command) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch c := c.(type) {
	case *provider.Release:
		if w.names[c.Name] == c.Owner {
			delete(w.names, c.Name)
		}
	default:
		w.t.Errorf("the provider does not know %T", c)
	}
	return nil
}

// applied is what a collection does, in short.
func (w *taskWorld) applied(env *entity.Envelope) (a collection.Applied, changed bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, s := env.Command.(*collection.Apply), w.shelf(env.Entity.ID)
	s.asked = append(s.asked, c.Task)
	a = collection.Applied{State: fields.Updated, VersionBefore: s.version, VersionAfter: s.version}
	switch {
	case s.last == c.Task:
		a.VersionBefore, a.VersionAfter = s.before, s.after
		return a, false, nil
	case c.Probe:
		a.State = collection.Undecided
		return a, false, nil
	case s.busy != 0:
		s.busy--
		return a, false, problem.New(problem.Overloaded, "later")
	case s.fails != 0:
		s.fails--
		return a, false, problem.New(problem.Internal, "it broke")
	case s.moment > 0 && !env.DryRun:
		s.moment--
		return a, false, problem.New(problem.Locked, "for a moment")
	case s.locked != "" && !env.DryRun:
		return a, false, problem.New(problem.Locked, "the lock is held by %s", s.locked).With("holder", &lock.HolderView{Party: lock.Party{Principal: s.locked}})
	case s.deleted:
		a.State, a.Code, a.Message = fields.Failed, string(problem.NotFound), "it is deleted"
		return a, false, nil
	case c.Undo == nil == (c.Instructions == nil):
		a.State, a.Code, a.Message = fields.Failed, string(problem.Internal), "it is asked for nothing, or for two things"
		return a, false, nil
	case c.Undo != nil && c.Undo.OnConflict != undo.Force && len(undo.Foreign(c.Undo.Spans, s.version)) > 0:
		a.State, a.Code, a.Message = fields.Skipped, string(problem.VersionConflict), "the newest version is by bob"
		return a, false, nil
	case env.DryRun:
		a.Diff = json.RawMessage(`[]`)
		return a, false, nil
	}
	s.version++
	a.Kept, s.pins = fakeKept, append(s.pins, c.PinUntil)
	s.last, s.before, s.after = c.Task, s.version-1, s.version
	s.writers, s.at = append(s.writers, c.Task), append(s.at, time.Now())
	a.VersionAfter = s.version
	return a, true, nil
}

// unlock frees a collection, and says so.
func (w *taskWorld) unlock(name string) {
	w.mu.Lock()
	w.shelves[name].locked = ""
	driver := w.driver
	w.mu.Unlock()
	driver.Committed([]*persistence.Entry{{Entity: collectionID("p", name), Records: []persistence.Stored{{Record: &recordpb.Record{Type: "lock.released"}}}}})
}

// locked changes the world while others look at it.
func (w *taskWorld) locked(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *taskWorld) task(id persistence.EntityID) bulk.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.tasks[id].state
}

// items are the outcomes of a task, as its parts tell them.
func (w *taskWorld) items(id persistence.EntityID) []bulk.Outcome {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	j := w.tasks[id]
	items := make([]bulk.Outcome, j.state.Total)
	for i := range items {
		items[i].State = bulk.ItemPending
	}
	for _, part := range slices.Sorted(maps.Keys(j.parts)) {
		var row int
		switch {
		case strings.HasPrefix(part, bulk.PartOutcomes):
			_, _ = fmt.Sscanf(part[len(bulk.PartOutcomes):], "%d", &row)
			list, err := bulk.DecodeOutcomes(j.parts[part])
			if err != nil {
				w.t.Fatal(err)
			}
			copy(items[row:], list)
		case strings.HasPrefix(part, bulk.PartLate):
			_, _ = fmt.Sscanf(part[len(bulk.PartLate):], "%d", &row)
			o, err := bulk.DecodeOutcome(j.parts[part])
			if err != nil {
				w.t.Fatal(err)
			}
			items[row] = o
		}
	}
	return items
}

// settle lets everything happen that happens now, and soon.
func (w *taskWorld) settle() {
	synctest.Wait()
	for range 20 {
		sleep(progressEvery)
		synctest.Wait()
	}
}
