package host

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

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

func (lease) Decide(s leaseState, c any, _ entity.Facts, m entity.Meta) ([]leaseEvent, error) {
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
	r.host.Sweep()
	if r.host.Active() != 1 {
		t.Errorf("%d entities in memory, want the lease alone", r.host.Active())
	}
	if got := r.askOf(leaseID("a"), look{}); got != "ended 0" {
		t.Errorf("80 s after the grant, 30 s after a heartbeat: %s", got)
	}
	advance(r, 31*time.Second)
	advance(r, 10*time.Second)
	r.host.Sweep()
	if r.host.Active() != 0 {
		t.Errorf("%d entities in memory after the end", r.host.Active())
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
