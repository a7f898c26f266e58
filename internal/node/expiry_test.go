package node

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"concord/actors/host"
	"concord/persistence/pebblestore"
	"concord/transport/operations"
)

// expiryBytes is what each version of a collection takes.
const expiryBytes = 40 << 10

// TestSessionsThatExpireLetGo: retention leaves what a session and a task can take back until their time is over, and no
// longer; then its pins and its bytes are gone from the store, and those of others stay.
func TestSessionsThatExpireLetGo(t *testing.T) {
	o := testOptions(t)
	o.Retention = pebblestore.Policy{Versions: 1}
	o.Clock = host.NewTestClock(time.Time{})
	r := startRig(t, o)
	defer r.stop()
	const mine, others, tasks = 0, 1, 2
	for c := range 3 {
		r.ask("ann", "collection.put", fmt.Sprint("c", c), `{"documents":{"d":{"n":1,"noise":"`+strings.Repeat("noise", expiryBytes/5)+`"}}}`, 200)
	}
	const change = `"instructions":[{"type":"JSON_PATCH","path":"/documents/d","value":[{"op":"replace","path":"/n","value":2}]}]`
	task := fmt.Sprint(r.ask("ann", "bulk.submit", "", `{"targets":{"ids":["c2"]},`+change+`}`, 200)["task"])
	r.until("the task has ended", func() bool { return r.ask("ann", "bulk.get", task, "", 200)["state"] == "COMPLETE" })
	ann := r.session(`{"ids":["c0"]}`)
	r.run(ann, "edit.apply", `{`+change+`}`, "COMPLETED")
	r.pass(operations.DefaultLimits.Bulk.Undo - time.Second)
	bob := r.session(`{"ids":["c1"]}`)
	r.run(bob, "edit.apply", `{`+change+`}`, "COMPLETED")

	holds := func(when string, want map[int]bool) {
		t.Helper()
		for c, held := range want {
			if oldest := r.oldest(c); (oldest == 1) != held {
				t.Errorf("%s: c%d begins at version %d", when, c, oldest)
			}
		}
	}
	holds("all have time", map[int]bool{mine: true, others: true, tasks: true})
	before := r.stored()
	r.pass(time.Second)
	r.ask("ann", "bulk.rollback", task, `{}`, 422)
	r.pass(time.Second)
	holds("the task has none", map[int]bool{mine: true, others: true, tasks: false})
	r.freed("of the task", before, expiryBytes)

	before = r.stored()
	r.pass(operations.DefaultEdit.Lifetime - operations.DefaultLimits.Bulk.Undo - 2*time.Second)
	holds("a moment before", map[int]bool{mine: true, others: true})
	r.pass(time.Second)
	r.ask("ann", "edit.rollback", ann, `{"to":"initial"}`, 422)
	holds("ann's session has none", map[int]bool{mine: false, others: true})
	r.freed("of ann's session", before, expiryBytes)
	r.run(bob, "edit.rollback", `{"to":"initial"}`, "ROLLED_BACK")
	if oldest := r.oldest(others); oldest != 1 {
		t.Errorf("c1 begins at version %d, while a redo is possible", oldest)
	}

	before = r.stored()
	r.pass(operations.DefaultLimits.Bulk.Undo) // after which bob's session expires
	r.ask("ann", "edit.redo", bob, ``, 422)
	if oldest := r.oldest(others); oldest != 3 {
		t.Errorf("c1 begins at version %d after bob's session", oldest)
	}
	r.freed("of bob's session", before, 2*expiryBytes)
	if pins := r.dumped(pebblestore.DumpOptions{Families: []string{"pin"}}); pins != 0 {
		t.Errorf("there are still %d bytes of pins", pins)
	}
}

// TestARollbackOutlivesItsSession: somebody's lock holds a roll-back up until the time of the session is over, and retention has removed what
// it was to bring back: it says so, and leaves the record as it is.
func TestARollbackOutlivesItsSession(t *testing.T) {
	o := testOptions(t)
	o.Retention = pebblestore.Policy{Versions: 1}
	o.Clock = host.NewTestClock(time.Time{})
	r := startRig(t, o)
	defer r.stop()
	r.ask("ann", "collection.put", "c0", `{"metadata":{"words":["first"]}}`, 200)
	session := r.session(`{"ids":["c0"]}`)
	r.step(session, 1)
	r.pass(operations.DefaultEdit.Lifetime - time.Second)
	token := fmt.Sprint(r.ask("bob", "lock.acquire", "c0", `{"ttl":600}`, 200)["token"])
	r.ask("ann", "edit.rollback", session, `{"to":"initial"}`, 200)
	r.pass(time.Second)
	if d := r.ask("ann", "edit.get", session, "", 200); d["state"] != "CLOSED" {
		t.Errorf("its time is over: %v", d)
	}
	if oldest := r.oldest(0); oldest != 2 {
		t.Errorf("c0 begins at version %d", oldest)
	}
	r.ask("bob", "lock.release", "c0", "", 200, "Lock-Token", token)
	result := func() map[string]any {
		items, _ := r.ask("ann", "edit.results", session, "", 200)["items"].([]any)
		item, _ := items[0].(map[string]any)
		return item
	}
	r.until("the roll-back has ended", func() bool { return result()["state"] != "PENDING" })
	if item := result(); item["state"] != "FAILED" || item["code"] != "base-unavailable" {
		t.Errorf("what cannot be brought back: %v", item)
	}
	if got := fmt.Sprint(r.ask("ann", "collection.get", "c0", "", 200)["metadata"]); got != "map[words:[first w1]]" {
		t.Errorf("c0 is %s", got)
	}
}

// pass has so much time pass.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	if _, err := r.n.host.Advance(context.Background(), r.n.options.Clock, d); err != nil {
		r.t.Fatal(err)
	}
}

// stored is how many bytes the store has of contents and of what belongs to them.
func (r *rig) stored() int {
	r.t.Helper()
	return r.dumped(pebblestore.DumpOptions{Bodies: true})
}

func (r *rig) dumped(o pebblestore.DumpOptions) int {
	r.t.Helper()
	var text bytes.Buffer
	if err := r.n.store.Dump(&text, o); err != nil {
		r.t.Fatal(err)
	}
	return text.Len()
}

// freed compares what the store has with what it had.
func (r *rig) freed(what string, before, least int) {
	r.t.Helper()
	if after := r.stored(); before-after < least {
		r.t.Errorf("%s: the store has %d bytes, and had %d: want %d less", what, after, before, least)
	}
}
