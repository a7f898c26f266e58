package operations

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"concord/actors/problem"
	"concord/transport"
)

// counted is what a meter was told.
type counted struct {
	mu   sync.Mutex
	told []string
}

func (c *counted) add(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, fmt.Sprintf(format, args...))
}

// since are those since the last call. That the answer has come says that they are counted.
func (c *counted) since() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	told := c.told
	c.told = nil
	return told
}

func (c *counted) meter(t *testing.T) *LockMeter {
	one := func(kind string, known []string) func(string) {
		return func(what string) {
			if !slices.Contains(known, what) {
				t.Errorf("%s %s is not among %v", kind, what, known)
			}
			c.add("%s %s", kind, what)
		}
	}
	return &LockMeter{Granted: one("granted", LockGrants), Ended: one("ended", LockEnds), Settled: one("settled", ContestOutcomes),
		Parked: one("parked", ParkedOutcomes), Waited: func(outcome string, waited time.Duration) {
			one("ticket", TicketOutcomes)(outcome)
			c.add("waited %v", waited)
		}}
}

// TestLocksAreCounted goes through what can happen to a lock, and looks at the counters and at what stands on the board.
func TestLocksAreCounted(t *testing.T) {
	b := start(t, vfs.NewMem())
	var c counted
	b.service.Board.Count(c.meter(t))
	advance := func(d time.Duration) {
		t.Helper()
		if _, err := b.service.Host.Advance(t.Context(), b.clock, d); err != nil {
			t.Fatal(err)
		}
	}
	text := func(reply *transport.Reply, name string) (value string) {
		t.Helper()
		var members map[string]json.RawMessage
		if err := json.Unmarshal(reply.Body, &members); err != nil || json.Unmarshal(members[name], &value) != nil {
			t.Fatalf("no %s in %s", name, reply.Body)
		}
		return value
	}
	do := func(who, operation, body string, options ...option) *transport.Reply {
		t.Helper()
		reply, p := b.do(operation, "c", body, append(options, as(who))...)
		if p != nil {
			t.Fatalf("%s: %v", operation, p)
		}
		return reply
	}
	expect := func(tally Tally, told ...string) {
		t.Helper()
		if diff := cmp.Diff(told, c.since()); diff != "" {
			t.Errorf("counted: %s", diff)
		}
		if got := b.service.Board.Tally(); got != tally {
			t.Errorf("on the board: %+v, not %+v", got, tally)
		}
	}
	token := with("Lock-Token", text(do("ann", "lock.acquire", `{"ttl": 100}`), "token"))
	expect(Tally{Held: 1}, "granted acquired")
	do("bob", "lock.contest", `{"acquire": true}`)
	cid := text(do("cid", "lock.acquire", `{"wait": true}`), "ticket")
	parked := do("dan", "collection.put", `{"metadata": {"n": 1}, "onLocked": "queue"}`)
	lost := do("dan", "collection.patch", `{"changes": [], "baseVersion": 7, "onLocked": "queue"}`)
	called := text(do("dan", "collection.put", `{"onLocked": "queue"}`), "operation")
	waiting := b.service.Board.Tally().ParkedBytes
	expect(Tally{Held: 1, Contested: 1, Tickets: 2, Parked: 3, ParkedBytes: waiting})
	if waiting == 0 {
		t.Error("parked updates have no size")
	}
	do("dan", "operation.cancel", "", func(r *transport.Request) { r.Inner = called })
	advance(20 * time.Second)
	do("ann", "lock.accept", "", token)
	left := b.service.Board.Tally().ParkedBytes
	expect(Tally{Offered: 1, Tickets: 2, Parked: 2, ParkedBytes: left}, "parked cancelled", "settled accepted", "ended released")
	token = with("Lock-Token", text(do("bob", "lock.acquire", ""), "token"))
	do("cid", "lock.leave", "", func(r *transport.Request) { r.Inner = cid })
	expect(Tally{Held: 1, Parked: 2, ParkedBytes: left}, "granted claimed", "ticket granted", "waited 20s", "ticket left", "waited 20s")
	b.refused(problem.Locked, "collection.put", "c", `{}`, as("eve"))
	do("bob", "lock.release", "", token)
	for _, op := range []*transport.Reply{parked, lost} { // they run by themselves
		for text(do("dan", "operation.get", "", func(r *transport.Request) { r.Inner = text(op, "operation") }), "state") == "waiting" {
			advance(0)
		}
	}
	do("ann", "upload.open", "") // groups are counted in their order, and before their answers: what came before is counted
	expect(Tally{}, "ended released", "parked done", "parked failed")
	do("ann", "lock.acquire", "")
	do("bob", "lock.contest", "")
	advance(time.Minute)
	expect(Tally{}, "granted acquired", "ended expired", "settled expired")
}
