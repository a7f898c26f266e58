package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors"
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

// counter is a kind for tests: it counts, panics when told to, and can be woken by a timer.
type counter struct{}

const kindCounter persistence.Kind = 200

type (
	add   struct{}
	crash struct{}
	ring  struct{ in time.Duration }
	rang  struct{ due time.Time }
)

type counted struct {
	kind string
	due  time.Time // of the ring
	was  time.Time
}

func (counter) Kind() persistence.Kind                            { return kindCounter }
func (counter) Wants(uint64, any, entity.Facts) []entity.Want     { return nil }
func (counter) Evolve(s uint64, _ counted, _ entity.Stamp) uint64 { return s + 1 }
func (counter) TimerFired(_ string, due time.Time) any            { return rang{due} }
func (counter) EncodeState(s uint64) []byte                       { return binary.AppendUvarint(nil, s) }
func (counter) DecodeState(b []byte) (uint64, error)              { n, _ := binary.Uvarint(b); return n, nil }
func (counter) DecodeEvent(e entity.Encoded) (counted, error)     { return counted{kind: e.Type}, nil }
func (counter) EncodeEvent(e counted) entity.Encoded {
	return entity.Encoded{Type: e.kind, Content: true}
}

func (b counter) Decide(s uint64, c any, f entity.Facts, m entity.Meta) (entity.Decision[counted], error) {
	return entity.Only(b.decide(s, c, f, m))
}

func (counter) decide(_ uint64, c any, _ entity.Facts, m entity.Meta) ([]counted, error) {
	switch c := c.(type) {
	case add:
		return []counted{{kind: "added"}}, nil
	case crash:
		panic("as told")
	case slow:
		close(c.begun)
		<-c.goOn
		return []counted{{kind: "added"}}, nil
	case ring:
		return []counted{{kind: "armed", due: m.Time.Add(c.in)}}, nil
	case rang:
		return []counted{{kind: "rang", was: c.due}}, nil
	default:
		return nil, problem.New(problem.Invalid, "%T", c)
	}
}

func (counter) Answer(_, s uint64, _ any, x entity.Case) entity.Answer {
	return entity.Answer{Status: 200, Version: x.At.Version, Body: fmt.Append(nil, s)}
}

func (counter) Project(_ uint64, e counted, _ entity.Stamp) entity.Projection {
	if e.due.IsZero() && e.was.IsZero() {
		return entity.Projection{}
	}
	return entity.Projection{Timers: []entity.Timer{{Name: "ring", Was: e.was, Due: e.due}}}
}

// rig is a host of counters on a store in memory.
type rig struct {
	t      testing.TB
	host   *Host
	clock  *TestClock
	panics int
	stop   func()
}

func newRig(t testing.TB, fs vfs.FS, b Bounds) *rig {
	t.Helper()
	r := &rig{t: t, clock: NewTestClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))}
	store, err := pebblestore.Open("s", pebblestore.Options{FS: fs, Partitions: 4, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	newest, err := store.NewestTime()
	if err != nil {
		t.Fatal(err)
	}
	r.clock.Set(newest)
	c := persistence.NewCommitter(store, persistence.CommitMetrics{}, func(g []*persistence.Entry) { r.host.Committed(g) })
	var mu sync.Mutex
	w := &entity.World{Store: store, Committer: c, Now: r.clock.Now, Started: r.clock.Now(),
		Panicked: func(persistence.EntityID, string, any, []byte) { mu.Lock(); r.panics++; mu.Unlock() },
		Failed:   func(id persistence.EntityID, _ string, err error) { t.Errorf("%v: %v", id, err) }}
	kinds := map[persistence.Kind]actors.Kind{kindLease: leaseKind, kindCounter: {Number: kindCounter,
		Activate: func(id persistence.EntityID, w *entity.World) (entity.Live, error) {
			return entity.Activate(counter{}, id, w)
		}}}
	r.host = New(kinds, w, store, c, r.clock, b, Observer{Activated: func(time.Duration, error) {}, Passivated: func() {},
		Refused: func(string) {}, Broken: func(err error) { t.Error(err) }}, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(context.Background()) })
	running.Go(func() {
		if err := r.host.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	r.stop = sync.OnceFunc(func() {
		r.host.Close()
		if err := r.host.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		cancel()
		c.Close()
		running.Wait()
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

func counterID(id string) persistence.EntityID {
	return persistence.EntityID{Kind: kindCounter, Provider: "p", ID: id}
}

// send delivers a command and returns what will be its answer.
func (r *rig) send(id string, c any) chan error { return r.sendTo(counterID(id), c) }

func (r *rig) sendTo(id persistence.EntityID, c any) chan error {
	done := make(chan error, 1)
	r.host.Deliver(&entity.Envelope{Entity: id, Command: c, Reply: func(a entity.Answer, err error) {
		if err == nil {
			err = answered(a.Body)
		}
		done <- err
	}})
	return done
}

// answered carries a success through an error channel.
type answered string

func (a answered) Error() string { return string(a) }

func (r *rig) ask(id string, c any) string {
	r.t.Helper()
	return r.askOf(counterID(id), c)
}

func (r *rig) askOf(id persistence.EntityID, c any) string {
	r.t.Helper()
	err := <-r.sendTo(id, c)
	if a, ok := errors.AsType[answered](err); ok {
		return string(a)
	}
	r.t.Fatalf("%v %T: %v", id, c, err)
	return ""
}

// TestPassivationLosesNothing: entities come and go under load; each count is right in the end.
func TestPassivationLosesNothing(t *testing.T) {
	r := newRig(t, vfs.NewMem(), Bounds{EntityInFlightMax: 64, PartitionInFlightMax: 1000, NodeInFlightMax: 1000, ActiveMax: 5,
		IdleMax: time.Hour})
	const entities, each = 40, 50
	stop := make(chan struct{})
	var sweeper, senders sync.WaitGroup
	sweeper.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				r.host.Sweep()
			}
		}
	})
	for e := range entities {
		senders.Go(func() {
			for n := range each {
				if got := r.ask(fmt.Sprint("e", e), add{}); got != fmt.Sprint(n+1) {
					t.Errorf("entity %d: count %s, want %d", e, got, n+1)
					return
				}
			}
		})
	}
	senders.Wait()
	close(stop)
	sweeper.Wait()
	r.host.Sweep()
	if n := r.host.Active(); n > 5+shardCount {
		t.Errorf("%d entities are active", n)
	}
}

// TestPanicHarmsNobody: a decision that panics is answered as internal; the entity and all others go on as before.
func TestPanicHarmsNobody(t *testing.T) {
	r := newRig(t, vfs.NewMem(), DefaultBounds)
	for range 20 {
		r.ask("a", add{})
		err := <-r.send("a", crash{})
		if p := problem.Of(err); p.Code != problem.Internal || strings.Contains(p.Error(), "as told") {
			t.Fatalf("%v", err)
		}
		r.ask("b", add{})
	}
	if a, b := r.ask("a", add{}), r.ask("b", add{}); a != "21" || b != "21" {
		t.Fatalf("a %s, b %s", a, b)
	}
	if r.panics != 20 {
		t.Errorf("%d panics were logged", r.panics)
	}
}

// TestAdmission: each bound refuses what is beyond it, quickly and with a hint, and lets in again what comes later.
func TestAdmission(t *testing.T) {
	gate := &slowFS{FS: vfs.NewMem()}
	r := newRig(t, gate, Bounds{EntityInFlightMax: 3, PartitionInFlightMax: 100, NodeInFlightMax: 5, ActiveMax: 10, IdleMax: time.Hour})
	gate.hold()
	var waiting []chan error
	for range 3 {
		waiting = append(waiting, r.send("a", add{}))
	}
	refusedFor(t, r.send("a", add{}), "entity")
	waiting = append(waiting, r.send("b", add{}), r.send("c", add{}))
	refusedFor(t, r.send("d", add{}), "node")
	gate.release()
	for _, w := range waiting {
		if _, ok := errors.AsType[answered](<-w); !ok {
			t.Error("an admitted command was not answered")
		}
	}
	r.ask("d", add{})
}

func refusedFor(t *testing.T, done chan error, bound string) {
	t.Helper()
	p := problem.Of(<-done)
	if p.Code != problem.Overloaded || p.RetryAfter == 0 || !strings.Contains(p.Detail, bound) {
		t.Fatalf("%v, want overloaded for the %s", p, bound)
	}
}

// TestTimersFireInOrder: timers are durable, fire at their times and in their order, also for entities that are not in
// memory, and after a restart.
func TestTimersFireInOrder(t *testing.T) {
	fs := vfs.NewMem()
	r := newRig(t, fs, DefaultBounds)
	for i, in := range []time.Duration{30, 10, 20} {
		r.ask(fmt.Sprint("e", i), ring{in * time.Second})
	}
	advance(r, 15*time.Second)
	if got := []string{r.ask("e0", add{}), r.ask("e1", add{}), r.ask("e2", add{})}; fmt.Sprint(got) != "[2 3 2]" {
		t.Fatalf("after 15 s: %v", got)
	}
	r.stop()
	r = newRig(t, fs, DefaultBounds)
	advance(r, time.Minute)
	if got := []string{r.ask("e0", add{}), r.ask("e1", add{}), r.ask("e2", add{})}; fmt.Sprint(got) != "[4 4 4]" {
		t.Fatalf("after a restart and a minute: %v", got)
	}
}

func advance(r *rig, d time.Duration) {
	r.t.Helper()
	if _, err := r.host.Advance(context.Background(), r.clock, d); err != nil {
		r.t.Fatal(err)
	}
}

// TestDeadline: what comes too late is not begun.
func TestDeadline(t *testing.T) {
	r := newRig(t, vfs.NewMem(), DefaultBounds)
	done := make(chan error, 1)
	r.host.Deliver(&entity.Envelope{Entity: counterID("a"), Command: add{}, Deadline: r.clock.Now(),
		Reply: func(_ entity.Answer, err error) { done <- err }})
	if p := problem.Of(<-done); p.Code != problem.Deadline {
		t.Fatal(p)
	}
	if got := r.ask("a", add{}); got != "1" {
		t.Fatal(got)
	}
}

// slowFS holds back syncs while it is told to.
type slowFS struct {
	vfs.FS
	mu sync.RWMutex
}

func (f *slowFS) hold()    { f.mu.Lock() }
func (f *slowFS) release() { f.mu.Unlock() }

func (f *slowFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, c)
	return &slowFile{file, f}, err
}

func (f *slowFS) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(from, to, c)
	return &slowFile{file, f}, err
}

type slowFile struct {
	vfs.File
	fs *slowFS
}

func (f *slowFile) wait() {
	f.fs.mu.RLock()
	defer f.fs.mu.RUnlock()
}

func (f *slowFile) Sync() error     { f.wait(); return f.File.Sync() }
func (f *slowFile) SyncData() error { f.wait(); return f.File.SyncData() }
func (f *slowFile) SyncTo(n int64) (bool, error) {
	f.wait()
	return f.File.SyncTo(n)
}
