package operations

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors"
	"concord/actors/entity"
	"concord/actors/host"
	"concord/actors/jobs"
	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/transport"
)

// bench is a service on a store in memory, without the two APIs.
type bench struct {
	t          testing.TB
	service    *Service
	table      map[string]*transport.Operation
	clock      *host.TestClock
	store      *pebblestore.Store
	stuck      *stuckStore // what entities read
	scripts    *fakeScripts
	jobs       *jobs.Driver  // nil: nothing brings linked fields up to date
	checker    *jobs.Checker // nil as well
	bulk       *jobs.Tasks   // nil as well: nothing works on bulk tasks
	indexer    *jobs.Indexer // nil: nothing builds keys and indexes, unless startIndexing says so
	built      chan string   // types whose keys and indexes were built
	ended      chan string   // states in which jobs have ended
	corrected  chan int      // documents, of each correction
	tasksEnded chan string   // states in which bulk tasks have ended
	edits      *EditMeter    // of bulk edit sessions
	steps      chan string   // what was begun with them
	stop       func()

	stopIndexing func()
}

// reserveBytes is how much room the disk of a service must have, if its store is asked to look (CheckSpace).
const reserveBytes = 1000

// start brings a service up on the file system, which may have a store of earlier.
func start(t testing.TB, fs vfs.FS) *bench {
	t.Helper()
	return startWith(t, fs, false)
}

// startWith is start, with what brings linked fields up to date, or without.
func startWith(t testing.TB, fs vfs.FS, jobs bool) *bench {
	t.Helper()
	store, err := pebblestore.Open("store", pebblestore.Options{FS: fs, Partitions: 8, CacheBytes: 4 << 20, ReserveBytes: reserveBytes,
		Fatal: func(err error) { t.Errorf("store: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	clock := host.NewTestClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	newest, err := store.NewestTime()
	if err != nil {
		t.Fatal(err)
	}
	clock.Set(newest)
	b := &bench{t: t, clock: clock, store: store, stuck: &stuckStore{Store: store}, scripts: new(fakeScripts)}
	b.steps = make(chan string, 1000)
	b.edits = NewEditMeter(func(kind string) {
		select {
		case b.steps <- kind:
		default: // a test with so many looks at none of them
		}
	})
	watchers, board := NewWatchers(), NewBoard()
	if err := board.Load(store); err != nil {
		t.Fatal(err)
	}
	var h *host.Host
	c := persistence.NewCommitter(store, persistence.CommitMetrics{}, board.Committed, watchers.Committed, b.edits.Committed,
		func(g []*persistence.Entry) { b.committed(g) }, func(g []*persistence.Entry) { h.Committed(g) })
	world := &entity.World{Store: b.stuck, Scripts: b.scripts, Recent: entity.NewRecent(), Committer: c, Now: clock.Now, Started: clock.Now(),
		Panicked: func(id persistence.EntityID, _ string, cause any, stack []byte) {
			t.Errorf("decision of %v panicked: %v\n%s", id, cause, stack)
		},
		Failed: func(id persistence.EntityID, _ string, err error) { t.Errorf("command of %v failed: %v", id, err) }}
	kinds := actors.Kinds(actors.DefaultLimits, [32]byte{})
	h = host.New(kinds, world, store, c, clock, host.DefaultBounds, host.Observer{
		Activated: func(time.Duration, error) {}, Passivated: func() {}, Refused: func(string) {},
		Broken: func(err error) { t.Error(err) },
	}, slog.New(slog.DiscardHandler))
	if jobs {
		b.newJobs(h)
	}
	b.newIndexer(h)
	var ids atomic.Int64
	b.service = &Service{Host: h, Store: store, Clock: clock, Limits: DefaultLimits, Watchers: watchers, Board: board, Scripts: b.scripts,
		Failed: func(_ string, err error) { t.Errorf("the service failed: %v", err) },
		NewID:  func() string { return fmt.Sprintf("id%d", ids.Add(1)) }}
	b.table = make(map[string]*transport.Operation)
	for _, op := range b.service.Table() {
		b.table[op.Name] = op
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := c.Run(context.Background()); err != nil {
			t.Errorf("committer: %v", err)
		}
	})
	running.Go(func() {
		if err := h.Run(ctx); err != nil {
			t.Errorf("host: %v", err)
		}
	})
	rest := b.work()
	if jobs {
		b.startIndexing()
	}
	b.stop = sync.OnceFunc(func() {
		rest()
		b.stopIndexing()
		h.Close()
		if err := h.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		cancel()
		c.Close()
		running.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

// option changes a request.
type option func(*transport.Request)

func with(name, value string) option  { return func(r *transport.Request) { r.SetHeader(name, value) } }
func param(name, value string) option { return func(r *transport.Request) { r.SetParam(name, value) } }
func inDocument(id string) option     { return func(r *transport.Request) { r.Inner = id } }
func as(principal string) option {
	return func(r *transport.Request) { r.Caller.Principal = principal }
}

// do runs one operation and waits for its answer.
func (b *bench) do(operation, id, body string, options ...option) (*transport.Reply, *problem.Problem) {
	b.t.Helper()
	reply, err := b.try(operation, id, body, options...)
	if err == nil {
		return reply, nil
	}
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok {
		b.t.Fatalf("%s %s %s: %v", operation, id, body, err)
	}
	return nil, p
}

func (b *bench) try(operation, id, body string, options ...option) (*transport.Reply, error) {
	b.t.Helper()
	op := b.table[operation]
	if op == nil {
		b.t.Fatalf("no operation %s", operation)
	}
	r := &transport.Request{Op: op, Provider: "p", ID: id, Body: []byte(body), RequestID: "r",
		Caller: transport.Caller{Principal: "ann", All: true}}
	for _, o := range options {
		o(r)
	}
	type answer struct {
		reply *transport.Reply
		err   error
	}
	answered := make(chan answer, 1)
	op.Handle(context.Background(), r, func(reply *transport.Reply, err error) { answered <- answer{reply, err} })
	a := <-answered
	return a.reply, a.err
}

// insist is try that comes again while too many wait.
func (b *bench) insist(operation, id, body string, options ...option) (*transport.Reply, error) {
	b.t.Helper()
	for {
		reply, err := b.try(operation, id, body, options...)
		if p, ok := errors.AsType[*problem.Problem](err); !ok || p.Code != problem.Overloaded {
			return reply, err
		}
		runtime.Gosched()
	}
}

// must is do for what has to succeed, with the answer decoded.
func must[T any](b *bench, operation, id, body string, options ...option) T {
	b.t.Helper()
	reply, p := b.do(operation, id, body, options...)
	if p != nil {
		b.t.Fatalf("%s %s %s: %v", operation, id, body, p)
	}
	var answer T
	if err := json.Unmarshal(reply.Body, &answer); err != nil {
		b.t.Fatalf("%s: answer %s: %v", operation, reply.Body, err)
	}
	return answer
}

// refused is do for what has to be refused.
func (b *bench) refused(want problem.Code, operation, id, body string, options ...option) *problem.Problem {
	b.t.Helper()
	reply, p := b.do(operation, id, body, options...)
	if p == nil {
		b.t.Fatalf("%s %s %s: accepted: %s", operation, id, body, reply.Body)
	}
	if p.Code != want {
		b.t.Fatalf("%s %s %s: %v, want %s", operation, id, body, p, want)
	}
	return p
}

func compact(text []byte) string {
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		return string(text)
	}
	return b.String()
}
