package host

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"concord/actors"
	"concord/actors/entity"
	"concord/persistence"
)

// lease is a timed kind for tests: it runs for a minute from its grant, or from its last heartbeat, which is not stored.
type lease struct{}

const (
	kindLease   persistence.Kind = 201
	leaseLength                  = time.Minute
)

type (
	grant     struct{}
	heartbeat struct{}
	look      struct{}
	expire    struct{}
)

type leaseState struct {
	until time.Time // durable
	live  time.Time // volatile; if it is there it counts
	ends  uint64    // how often it has ended
}

type leaseEvent struct {
	kind  string
	until time.Time
}

func (s leaseState) due() time.Time {
	if s.live.After(s.until) {
		return s.live
	}
	return s.until
}

func (lease) Kind() persistence.Kind                            { return kindLease }
func (lease) Wants(leaseState, any, entity.Facts) []entity.Want { return nil }
func (lease) TimerFired(string, time.Time) any                  { return expire{} }
func (lease) DecodeEvent(e entity.Encoded) (leaseEvent, error)  { return leaseEvent{kind: e.Type}, nil }
func (lease) Due(s leaseState) time.Time                        { return s.due() }
func (lease) Wake(leaseState) (any, entity.Meta)                { return expire{}, entity.Meta{} }
func (lease) EncodeEvent(e leaseEvent) entity.Encoded {
	return entity.Encoded{Type: e.kind, Volatile: e.kind == "heartbeat"}
}

func (lease) Recover(s leaseState, started time.Time) leaseState {
	if !s.until.IsZero() {
		s.live = started.Add(leaseLength)
	}
	return s
}

func (b lease) Decide(s leaseState, c any, f entity.Facts, m entity.Meta) (entity.Decision[leaseEvent], error) {
	return entity.Only(b.decide(s, c, f, m))
}

func (lease) decide(s leaseState, c any, _ entity.Facts, m entity.Meta) ([]leaseEvent, error) {
	switch c.(type) {
	case grant:
		return []leaseEvent{{"granted", m.Time.Add(leaseLength)}}, nil
	case heartbeat:
		return []leaseEvent{{"heartbeat", m.Time.Add(leaseLength)}}, nil
	case expire:
		if s.due().IsZero() || s.due().After(m.Time) {
			return nil, nil
		}
		return []leaseEvent{{kind: "expired"}}, nil
	default:
		return nil, nil
	}
}

func (lease) Evolve(s leaseState, e leaseEvent, _ entity.Stamp) leaseState {
	switch e.kind {
	case "granted":
		s.until, s.live = e.until, time.Time{}
	case "heartbeat":
		s.live = e.until
	case "expired":
		s = leaseState{ends: s.ends + 1}
	}
	return s
}

func (lease) Answer(_, s leaseState, _ any, _ entity.Case) entity.Answer {
	return entity.Answer{Status: 200, Body: fmt.Appendf(nil, "ended %d", s.ends)}
}

func (l lease) Project(before leaseState, e leaseEvent, at entity.Stamp) entity.Projection {
	return entity.Projection{Timers: []entity.Timer{{Name: "lease", Was: before.until, Due: l.Evolve(before, e, at).until}}}
}

func (lease) EncodeState(s leaseState) []byte {
	b := binary.AppendUvarint(nil, s.ends)
	if !s.until.IsZero() {
		b = binary.AppendVarint(b, s.until.UnixMicro())
	}
	return b
}

func (lease) DecodeState(b []byte) (s leaseState, err error) {
	n := 0
	if s.ends, n = binary.Uvarint(b); n > 0 && n < len(b) {
		micros, _ := binary.Varint(b[n:])
		s.until = time.UnixMicro(micros).UTC()
	}
	return s, nil
}

var leaseKind = actors.Kind{Number: kindLease, Timed: true,
	Activate: func(id persistence.EntityID, w *entity.World) (entity.Live, error) {
		return entity.Activate(lease{}, id, w)
	}}

func leaseID(id string) persistence.EntityID {
	return persistence.EntityID{Kind: kindLease, Provider: "p", ID: id}
}

// TestHeartbeatsKeepAlive: what keeps alive is not stored, and counts all the same; after a restart everybody has the
// whole time again, and whoever sends nothing ends without a command.
func TestHeartbeatsKeepAlive(t *testing.T) {
	fs := vfs.NewMem()
	r := newRig(t, fs, DefaultBounds)
	r.askOf(leaseID("kept"), grant{})
	r.askOf(leaseID("left"), grant{})
	for range 3 {
		advance(r, 40*time.Second)
		r.askOf(leaseID("kept"), heartbeat{})
	}
	if kept, left := r.askOf(leaseID("kept"), look{}), r.askOf(leaseID("left"), look{}); kept != "ended 0" || left != "ended 1" {
		t.Fatalf("kept %s, left %s", kept, left)
	}
	r.stop()
	r = newRig(t, fs, DefaultBounds)
	advance(r, 59*time.Second)
	if got := r.askOf(leaseID("kept"), look{}); got != "ended 0" {
		t.Fatalf("59 s after a restart: %s", got)
	}
	advance(r, 2*time.Second)
	if got := r.askOf(leaseID("kept"), look{}); got != "ended 1" {
		t.Fatalf("61 s after a restart: %s", got)
	}
	if next := r.host.timers.alarms.next(); !next.IsZero() {
		t.Errorf("an alarm is left: %v", next)
	}
}

// TestAlarmKeepsInMemory: an entity whose live state knows more than the log is not passivated.
func TestAlarmKeepsInMemory(t *testing.T) {
	b := DefaultBounds
	b.IdleMax = time.Second
	r := newRig(t, vfs.NewMem(), b)
	r.askOf(leaseID("a"), grant{})
	advance(r, 50*time.Second)
	r.askOf(leaseID("a"), heartbeat{})
	r.ask("counter", add{})
	advance(r, 30*time.Second)
	sweepTo(r, 1) // the lease stays
	if got := r.askOf(leaseID("a"), look{}); got != "ended 0" {
		t.Errorf("80 s after the grant, 30 s after a heartbeat: %s", got)
	}
	advance(r, 31*time.Second)
	advance(r, 10*time.Second)
	sweepTo(r, 0)
}

// sweepTo sweeps until so many entities are left: one that has just answered may not have come to rest yet.
func sweepTo(r *rig, left int64) {
	for r.host.Sweep(); r.host.Active() > left; r.host.Sweep() {
		runtime.Gosched()
	}
	if r.host.Active() != left {
		r.t.Errorf("%d entities in memory, want %d", r.host.Active(), left)
	}
}

// TestSurplusIsMadeOfThoseThatMayGo: entities that stay for their alarms do not keep the others in memory.
func TestSurplusIsMadeOfThoseThatMayGo(t *testing.T) {
	b := DefaultBounds
	b.ActiveMax = 1
	r := newRig(t, vfs.NewMem(), b)
	r.askOf(leaseID("a"), grant{})
	shard := func(id persistence.EntityID) uint64 { return xxhash.Sum64String(id.ID) % shardCount }
	other := 0
	for shard(counterID(fmt.Sprint(other))) != shard(leaseID("a")) {
		other++
	}
	r.clock.Set(r.clock.Now().Add(time.Second))
	r.ask(fmt.Sprint(other), add{})
	r.settle()
	r.host.Sweep()
	if r.host.Active() != 1 {
		t.Errorf("%d entities in memory, want the lease alone", r.host.Active())
	}
}

// settle waits until no decision is under way: an answer may be out before its decision has returned.
func (r *rig) settle() {
	for i := range r.host.shards {
		sh := &r.host.shards[i]
		for busy := true; busy; runtime.Gosched() {
			busy = false
			sh.mu.RLock()
			for _, s := range sh.slots {
				busy = busy || s.busy.Load() != 0 || s.inFlight.Load() != 0
			}
			sh.mu.RUnlock()
		}
	}
}

// TestAlarmStandsBeforeTheAnswer: who has the answer may move the clock to the time that it names.
func TestAlarmStandsBeforeTheAnswer(t *testing.T) {
	r := newRig(t, vfs.NewMem(), DefaultBounds)
	for _, c := range []any{grant{}, heartbeat{}} {
		r.clock.Set(r.clock.Now().Add(time.Second))
		next := make(chan time.Time, 1)
		r.host.Deliver(&entity.Envelope{Entity: leaseID("a"), Command: c,
			Reply: func(entity.Answer, error) { next <- r.host.timers.alarms.next() }})
		if got, want := <-next, r.clock.Now().Add(leaseLength); !got.Equal(want) {
			t.Errorf("%T: the alarm is at %v, want %v", c, got, want)
		}
	}
}

// TestIndexIsOlderThanTheEntity: an alarm that an entity has set while the index is read stands, sooner or later.
func TestIndexIsOlderThanTheEntity(t *testing.T) {
	var a alarms
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, after := range []time.Duration{time.Second, time.Hour} {
		a.set(leaseID("a"), start.Add(after))
		a.found(leaseID("a"), start.Add(time.Minute))
		if got := a.next(); !got.Equal(start.Add(after)) {
			t.Errorf("the alarm is at %v, want %v after %v", got, after, start)
		}
	}
	a.found(leaseID("b"), start)
	if got := a.next(); !got.Equal(start) {
		t.Errorf("the alarm is at %v, want %v", got, start)
	}
}

// TestAlarmsAreOrdered holds the heap against a sorted list.
func TestAlarmsAreOrdered(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	rapid.Check(t, func(t *rapid.T) {
		var a alarms
		model := make(map[persistence.EntityID]time.Time)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			id := leaseID(rapid.StringMatching("[a-e]").Draw(t, "id"))
			var at time.Time
			if s := rapid.IntRange(0, 9).Draw(t, "at"); s > 0 {
				at = start.Add(time.Duration(s) * time.Second)
			}
			a.set(id, at)
			if model[id] = at; at.IsZero() {
				delete(model, id)
			}
			if a.has(id) == at.IsZero() {
				t.Fatalf("%v: has %v", id, a.has(id))
			}
		}
		now := start.Add(time.Duration(rapid.IntRange(0, 10).Draw(t, "now")) * time.Second)
		var want []persistence.EntityID
		for id, at := range model {
			if !at.After(now) {
				want = append(want, id)
			}
		}
		slices.SortFunc(want, func(x, y persistence.EntityID) int {
			if c := model[x].Compare(model[y]); c != 0 {
				return c
			}
			if x.ID < y.ID {
				return -1
			}
			return 1
		})
		if got := a.due(now, start.Add(time.Hour), 100); !slices.Equal(got, want) {
			t.Fatalf("due %v, want %v", got, want)
		}
	})
}
