package faults

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"
	"time"

	"concord/actors/collection"
	"concord/actors/lock"
	"concord/actors/lock/scenario"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

const (
	parkedCycles     = 4
	parkedScopes     = 6
	parkedEach       = 10 // updates
	parkedMaxTries   = 500
	parkedSync       = 5 * time.Millisecond // of the log: what is decided meanwhile waits for the next group
	parkedKillMaxAge = 4 * parkedSync       // of the first release, when the process is killed
)

// line is a scope with updates that wait for its lock.
type line struct {
	id         string
	token      string
	operations []string
}

var ann, bob = scenario.Party{Principal: "ann", Session: "1"}, scenario.Party{Principal: "bob", Session: "1"}

// TestKillWhileParkedUpdatesRun releases locks with many updates behind them and kills the process in the midst of it.
// Each update runs once and in its turn: none is lost, none has its effect twice.
func TestKillWhileParkedUpdatesRun(t *testing.T) {
	h, closeLink := startKilled(t, syncVariable+"="+parkedSync.String())
	defer closeLink()
	rng := rand.New(rand.NewPCG(3, 4))
	d := newHTTPDoor(h.p.httpAddress)
	underWay := 0
	for cycle := range parkedCycles {
		lines := make([]*line, parkedScopes)
		for i := range lines {
			lines[i] = park(t, d, fmt.Sprintf("line%d-%d", cycle, i))
		}
		var releases sync.WaitGroup
		for _, l := range lines {
			releases.Go(func() {
				_, _ = d.do(call{op: "lock.release", id: l.id, by: ann, token: l.token}) // the answer may get lost
			})
		}
		<-time.After(time.Duration(rng.Int64N(int64(parkedKillMaxAge)))) // the moment of the fault
		h.p.kill()
		releases.Wait()
		underWay += countUnderWay(t, h.p, lines)
		h.p.start()
		for _, l := range lines {
			l.finish(t, d)
			l.check(t, d)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d of %d lines were under way when the process was killed", underWay, parkedCycles*parkedScopes)
	if underWay == 0 {
		t.Error("no kill came in the midst of it: the test proves nothing")
	}
	h.p.stop()
	checkStore(t, h.p)
}

// park makes a line: a lock, and updates of one document each behind it.
func park(t *testing.T, d door, id string) *line {
	t.Helper()
	l := &line{id: id}
	for _, c := range []call{
		{op: "collection.put", id: id, body: map[string]any{}},
		{op: "lock.acquire", id: id, by: ann, body: map[string]any{}},
	} {
		l.token, _ = succeed(t, d, c).body["token"].(string)
	}
	for n := range parkedEach {
		r := succeed(t, d, call{op: "document.put", id: id, inner: "d" + strconv.Itoa(n), by: bob,
			body: map[string]any{"value": n, "onLocked": "queue"}})
		l.operations = append(l.operations, fmt.Sprint(r.body["operation"]))
	}
	return l
}

// succeed is a call that must be answered, and not be refused.
func succeed(t *testing.T, d door, c call) reply {
	t.Helper()
	r, err := d.do(c)
	if err != nil || r.code != "" {
		t.Fatalf("%s %s: %v %s", c.op, c.id, err, r.text)
	}
	return r
}

// countUnderWay looks into the store of the killed process for lines whose lock is gone, while updates still wait.
func countUnderWay(t *testing.T, p *process, lines []*line) (n int) {
	t.Helper()
	store, err := pebblestore.Open(p.storeDir(), pebblestore.Options{ReadOnly: true, Fatal: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	for _, l := range lines {
		head, err := store.Head(persistence.EntityID{Kind: persistence.KindCollection, Provider: provider, ID: l.id})
		if err != nil {
			t.Fatal(err)
		}
		state, err := collection.Behavior{}.DecodeState(head.State)
		if err != nil {
			t.Fatal(err)
		}
		if _, waits := lock.Next(state.Lock); waits {
			n++
		}
	}
	return n
}

// finish releases the lock, if the kill came before that, and waits until nothing waits.
func (l *line) finish(t *testing.T, d door) {
	t.Helper()
	succeed(t, d, call{op: "lock.release", id: l.id, by: ann, token: l.token})
	for range parkedMaxTries {
		if succeed(t, d, call{op: "lock.get", id: l.id}).body["state"] == "free" {
			return
		}
		waitALittle()
	}
	t.Errorf("%s: the updates do not run", l.id)
}

func (l *line) check(t *testing.T, d door) {
	t.Helper()
	for n, operation := range l.operations {
		o := succeed(t, d, call{op: "operation.get", id: l.id, inner: operation, by: bob})
		if o.body["state"] != "done" || number(o.body["version"]) != uint64(n)+2 {
			t.Errorf("%s: update %d: %s", l.id, n, o.text)
		}
		w := succeed(t, d, call{op: "document.get", id: l.id, inner: "d" + strconv.Itoa(n)})
		if number(w.body["version"]) != uint64(n)+2 || number(w.body["value"]) != uint64(n) {
			t.Errorf("%s: document %d: %s", l.id, n, w.text)
		}
	}
	got := map[string]int{}
	for _, item := range succeed(t, d, call{op: "collection.events", id: l.id, query: map[string]string{"limit": "1000"}}).body["items"].([]any) {
		got[fmt.Sprint(item.(map[string]any)["type"])]++
	}
	if got["lock.released"] != 1 || got["operation.done"] != parkedEach || got["collection.saved"] != 1+parkedEach {
		t.Errorf("%s: events %v", l.id, got)
	}
}
