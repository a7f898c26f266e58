package faults

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"concord/actors/lock/scenario"
	"concord/transport/operations"
)

const (
	expiryRecords   = 12
	expiryBytes     = 4 << 10 // of a record
	expiryMoment    = time.Second
	expiryMaxWait   = 20 * time.Second
	expiryDocuments = "/documents/d"
)

// aged is a process whose clock the test moves.
type aged struct {
	*process
	s   *shelves
	now time.Time
}

func startAged(t *testing.T) *aged {
	t.Helper()
	p := startProcess(t, clockVariable+"=1")
	a := &aged{process: p, s: newShelves(t, p.httpAddress)}
	a.now = a.clock()
	return a
}

// clock is where the process's clock stands. After a start that is where its store ends.
func (a *aged) clock() time.Time {
	a.t.Helper()
	var status struct{ Now time.Time }
	if err := json.Unmarshal(a.s.must(call{op: "admin.status"}).text, &status); err != nil {
		a.t.Fatal(err)
	}
	return status.Now
}

// pass has so much time pass.
func (a *aged) pass(d time.Duration) {
	a.t.Helper()
	a.now = a.now.Add(d)
	if err := advanceClock(a.httpAddress(), a.now.Sub(a.clock())); err != nil {
		a.t.Fatal(err)
	}
}

// again starts the process, and so much time has passed meanwhile.
func (a *aged) again(d time.Duration) {
	a.t.Helper()
	a.start()
	a.pass(d)
}

// until asks again until it is so.
func (a *aged) until(what string, so func() bool) {
	a.t.Helper()
	for end := time.Now().Add(expiryMaxWait); !so(); <-time.After(bulkPause) {
		if time.Now().After(end) || a.t.Failed() {
			a.t.Fatalf("it never came about that %s", what)
		}
	}
}

// TestSessionsExpire: once the time of a session is over it is closed: it says so before anybody asks for a roll-back, which is refused and
// changes nothing; it holds nothing, and others hold what they did; and some time later nobody knows of it. It is so, too, if its time
// ends while the process is away. TestSessionsThatExpireLetGo looks for the space.
func TestSessionsExpire(t *testing.T) {
	t.Parallel()
	a := startAged(t)
	s, limits := a.s, operations.DefaultEdit
	all := idsOf("x", 2*expiryRecords)
	s.create(all, noisy)
	k := a.changed(ann, all[:expiryRecords])
	a.pass(limits.Lifetime / 2)
	other := a.changed(bob, all[expiryRecords:])
	after := s.contents(all)
	a.kill()
	a.again(limits.Lifetime/2 - expiryMoment)
	a.open(k)
	a.open(other)

	a.pass(expiryMoment)
	a.closes(k)
	a.open(other)

	a.kill()
	a.again(limits.Lifetime / 2)
	a.closes(other)
	same(t, "after refusals", s.contents(all), after)

	a.pass(limits.Retention)
	for _, gone := range []*desk{k, other} {
		a.until("the session is gone", func() bool {
			return s.ask(call{op: "edit.get", id: gone.id, by: gone.by}).code == "not-found"
		})
		for op, body := range map[string]string{"edit.records": "", "edit.results": "", "edit.rollback": `{"to":"initial"}`, "edit.redo": "", "edit.close": ""} {
			if r := s.ask(call{op: op, id: gone.id, by: gone.by, raw: []byte(body)}); r.status != http.StatusNotFound || r.code != "not-found" {
				t.Errorf("%s of what is gone: %s", op, r.text)
			}
		}
	}
	same(t, "after all", s.contents(all), after)
	s.stop(a.process)
	checkStore(t, a.process)
}

// TestTasksAreTakenBackInTime: a bulk task can be taken back until bulk.undo has passed, also by a process that was killed; then it says that it cannot,
// and a roll-back is refused and changes nothing.
func TestTasksAreTakenBackInTime(t *testing.T) {
	t.Parallel()
	a := startAged(t)
	s, undo := a.s, operations.DefaultLimits.Bulk.Undo
	all := idsOf("t", 2*expiryRecords)
	early, late := all[:expiryRecords], all[expiryRecords:]
	s.create(all, noisy)
	before := s.contents(all)
	tasks := make([]bulkTask, 2)
	for i, ids := range [][]string{early, late} {
		tasks[i] = s.end(s.submit(`{"targets":{"ids":` + string(mustMarshal(ids)) + `},"instructions":` + another + `}`).Task)
	}
	after := s.contents(all)
	a.kill()
	a.again(undo - expiryMoment)
	if !a.undoable(tasks[0].Task) {
		t.Error("a moment before its time is over a task cannot be taken back")
	}
	back := s.taskIn(s.must(call{op: "bulk.rollback", id: tasks[0].Task, by: ann, raw: []byte(`{}`)}))
	if b := s.end(back.Task); b.Counts["updated"] != expiryRecords {
		t.Errorf("in time: %+v", b)
	}
	same(t, "taken back in time", s.contents(early), pick(before, early))
	a.kill()
	a.again(expiryMoment)
	if a.undoable(tasks[1].Task) {
		t.Error("a task whose time is over says that it can be taken back")
	}
	for _, query := range []map[string]string{{}, {"dryRun": "true"}} {
		r := s.ask(call{op: "bulk.rollback", id: tasks[1].Task, by: ann, raw: []byte(`{"onConflict":"force"}`), query: query})
		if r.status != http.StatusUnprocessableEntity || r.code != "cannot-undo" {
			t.Errorf("too late: %d %s", r.status, r.text)
		}
	}
	same(t, "after a refusal", s.contents(late), pick(after, late))
	s.stop(a.process)
	checkStore(t, a.process)
}

// another is what changes all that a noisy record has.
const another = `[{"type":"JSON_PATCH","path":"` + expiryDocuments + `","value":[{"op":"replace","path":"/n","value":2}]}]`

// noisy is a record that takes space.
func noisy(id string) string {
	return fmt.Sprintf(`{"metadata":{"id":%q},"documents":{"d":{"n":1.0,"noise":%q}}}`, id, strings.Repeat(id, expiryBytes/len(id)+1))
}

// changed is a session of somebody that has changed records.
func (a *aged) changed(by scenario.Party, ids []string) *desk {
	a.t.Helper()
	k := a.s.openDesk(by, overIDs(ids))
	if d := k.run("apply", `{"instructions":`+another+`}`); d.State != "COMPLETED" || d.Runs[0].Counts["updated"] != uint64(len(ids)) {
		a.t.Fatalf("%+v", d)
	}
	return k
}

// open looks at a session that is open: what it has changed can be taken back.
func (a *aged) open(k *desk) {
	a.t.Helper()
	if d := k.look(); d.State != "COMPLETED" || !d.RollbackAvailable || d.Storage.Versions != expiryRecords || d.Storage.Bytes < expiryRecords*expiryBytes {
		a.t.Errorf("a session that is open: %+v", d)
	}
}

// closes waits until a session is closed, and looks at what it says, and refuses.
func (a *aged) closes(k *desk) {
	a.t.Helper()
	a.until("the session is closed", func() bool { return k.look().State == "CLOSED" })
	if d := k.look(); d.RollbackAvailable || d.RedoAvailable || d.Storage.Versions != 0 || d.Storage.Bytes != 0 {
		a.t.Errorf("a session that has expired: %+v", d)
	}
	for _, to := range []string{`"initial"`, `"previous"`, `1`} {
		for _, how := range []string{"skip", "force"} {
			body := `{"to":` + to + `,"onConflict":"` + how + `"}`
			k.refused("cannot-undo", "rollback", body)
			if r := k.do("rollback", body, k.key()); r.status != http.StatusUnprocessableEntity {
				a.t.Errorf("rollback %s: %d", body, r.status)
			}
		}
	}
	k.refused("cannot-undo", "redo", "")
	k.refused("wrong-state", "apply", `{"instructions":`+another+`}`)
	(&desk{k.s, k.by, "last"}).refused("not-found", "rollback", `{"to":"initial"}`)
}

// undoable says what a task says of itself.
func (a *aged) undoable(task string) bool {
	a.t.Helper()
	var shown struct{ RollbackAvailable bool }
	if err := json.Unmarshal(a.s.must(call{op: "bulk.get", id: task}).text, &shown); err != nil {
		a.t.Fatal(err)
	}
	return shown.RollbackAvailable
}
