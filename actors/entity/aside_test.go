package entity_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"concord/actors/collection"
	"concord/actors/collectiontype"
	"concord/actors/lock"
	"concord/actors/rules"
	"concord/actors/script"
	"concord/persistence"
)

// scripts keeps jobs until a test ends them, and counts how often a collection asked to be woken.
type scripts struct {
	jobs   []*script.Job
	then   []func(script.Outcome)
	alarms []time.Time
}

// end ends the oldest job: the script takes the client's side.
func (s *scripts) end(failure *script.Failure) {
	o := script.Outcome{Failure: failure}
	if failure == nil {
		for i := range s.jobs[0].Parts {
			o.Results = append(o.Results, s.jobs[0].Parts[i].Client)
		}
	}
	then := s.then[0]
	s.jobs, s.then = s.jobs[1:], s.then[1:]
	then(o)
	synctest.Wait()
}

// stale is a write of the document that was built on version 1, for the script of the type.
func stale(part, body string) *collection.Write {
	w, base := put(part, body), uint64(1)
	w.Policy, w.Base, w.Create = rules.ServerLogic, &base, false
	return w
}

// parking is the write, and waits for its turn.
func parking(w *collection.Write) *collection.Write {
	w.Park = true
	return w
}

// contended is a collection at version 2 of a type with a script; holder has its lock, and bob and cat have each parked a
// write: bob's needs the script.
func contended(n *node) (id persistence.EntityID, s *scripts) {
	n.t.Helper()
	s = new(scripts)
	n.world.Alarm = func(_ persistence.EntityID, at time.Time) { s.alarms = append(s.alarms, at) }
	n.world.Work = func(_ persistence.EntityID, job *script.Job, then func(script.Outcome)) {
		s.jobs, s.then = append(s.jobs, job), append(s.then, then)
	}
	id = collectionID("c")
	typed := persistence.EntityID{Kind: persistence.KindType, Provider: "lib", ID: "t"}
	n.want(n.do(typed, &collectiontype.Put{Body: []byte(`{"conflict": {"script": {"source": "x"}}}`)}, by("ann")), "201")
	first := put("a", `1`)
	first.Type = "t"
	n.want(n.do(id, first, by("ann")), "201 v1")
	n.want(n.do(id, put("a", `2`), by("ann")), "200 v2")
	n.want(n.do(id, &collection.Locking{Command: lock.Acquire{}}, by("holder")), "201")
	n.want(n.do(id, parking(stale("a", `"bob's"`)), by("bob")), "202")
	n.want(n.do(id, parking(put("z", `"cat's"`)), by("cat")), "202")
	return id, s
}

// breakLock has the first parked update get its turn.
func breakLock(n *node, id persistence.EntityID) {
	n.t.Helper()
	n.want(n.do(id, &collection.Locking{Command: lock.Break{Reason: "tidy"}}, by("boss")), "204")
}

// savedBy is who made the version.
func savedBy(n *node, id persistence.EntityID, version uint64) string {
	for rec, err := range n.store.Versions(id, version+1) {
		if err != nil || rec.GetVersion() != version {
			break
		}
		return rec.GetPrincipal()
	}
	return "nobody"
}

// TestCalledOffWhileItsScriptRuns: the update that has its turn then is saved in the name of who parked it.
func TestCalledOffWhileItsScriptRuns(t *testing.T) {
	inBubble(t, func(n *node) {
		id, s := contended(n)
		breakLock(n, id)
		op := operation(n, id)
		n.want(n.do(id, &collection.Locking{Command: lock.CancelOperation{ID: op}}, by("bob")), "204")
		s.end(nil)
		if got := savedBy(n, id, 3); got != "cat" {
			t.Errorf("cat's update was saved by %s", got)
		}
		if got := savedBy(n, id, 4); got != "nobody" {
			t.Errorf("the update that was called off was saved by %s", got)
		}
	})
}

// operation is the id of the first parked update.
func operation(n *node, id persistence.EntityID) string {
	for rec, err := range n.store.Records(id, 0) {
		if err == nil && strings.HasSuffix(rec.GetType(), "operation.parked") {
			return lock.ID(lock.OperationID, rec.GetSeq())
		}
	}
	n.t.Fatal("no update is parked")
	return ""
}

// TestScriptWakesByItsEnd: while the script of a parked update runs, a command that comes does not have the collection woken:
// there is nothing it could do.
func TestScriptWakesByItsEnd(t *testing.T) {
	inBubble(t, func(n *node) {
		id, s := contended(n)
		breakLock(n, id)
		s.alarms = nil
		n.do(id, &collection.Locking{Command: lock.Acquire{Wait: true}}, by("dan"))
		n.live[id].Wake(func() {})
		synctest.Wait()
		for _, at := range s.alarms {
			if !at.IsZero() {
				t.Errorf("it wants to be woken at %v", at)
			}
		}
		s.end(nil)
		if bob, cat := savedBy(n, id, 3), savedBy(n, id, 4); bob != "bob" || cat != "cat" {
			t.Errorf("saved by %s and %s", bob, cat)
		}
	})
}

// TestBusyScriptsAreAskedLater: a parked update whose script finds no worker keeps its turn, and is tried again after a while,
// not at once.
func TestBusyScriptsAreAskedLater(t *testing.T) {
	inBubble(t, func(n *node) {
		id, s := contended(n)
		breakLock(n, id)
		s.end(&script.Failure{Reason: script.Busy})
		if len(s.jobs) != 0 {
			t.Error("it is tried again at once")
			return
		}
		if at := s.alarms[len(s.alarms)-1]; !at.After(n.now()) {
			t.Errorf("it wants to be woken at %v", at)
		}
		n.live[id].Wake(func() {})
		s.end(nil)
		if bob, cat := savedBy(n, id, 3), savedBy(n, id, 4); bob != "bob" || cat != "cat" {
			t.Errorf("saved by %s and %s", bob, cat)
		}
	})
}

// TestSmallRequestForMuch: a write that names many large documents is refused before all of them are in memory.
func TestSmallRequestForMuch(t *testing.T) {
	inBubble(t, func(n *node) {
		id, ids := collectionID("c"), make([]string, 80)
		for i := range ids {
			ids[i] = fmt.Sprint("d", i)
		}
		changes := func(ids []string, body string) *collection.Write {
			w := put("", `{}`)
			w.Changes = nil
			for _, id := range ids {
				w.Changes = append(w.Changes, put(id, body).Changes...)
			}
			return w
		}
		for _, mark := range []string{"1", "2"} {
			for some := range slices.Chunk(ids, 20) {
				n.want(n.do(id, changes(some, `"`+mark+strings.Repeat("x", 500<<10)+`"`), by("ann")), "20")
			}
		}
		base, small := uint64(4), changes(ids, `1`)
		small.Base, small.Policy = &base, rules.MergeClient
		n.want(n.do(id, small, by("ann")), "too-large")
		small.Changes = small.Changes[:40]
		n.want(n.do(id, small, by("ann")), "200 v9")
	})
}

// TestRepeatWaitsForTheFirst: a repeat that comes while the script of the first runs has the answer of the first; one that says
// something else is judged by itself.
func TestRepeatWaitsForTheFirst(t *testing.T) {
	inBubble(t, func(n *node) {
		id, s := contended(n)
		breakLock(n, id)
		s.end(nil) // bob's; then cat's is saved
		first := n.do(id, stale("a", `"dan's"`), keyed("dan", "k", "x"))
		n.want(first, "none yet")
		again := n.do(id, stale("a", `"dan's"`), keyed("dan", "k", "x"))
		n.want(again, "none yet")
		n.want(n.do(id, stale("a", `"dan's other"`), keyed("dan", "k", "y")), "locked")
		s.end(nil)
		n.want(first, "200 v5")
		n.want(again, "200 v5")
		if got := savedBy(n, id, 6); got != "nobody" {
			t.Errorf("the repeat was saved, too, by %s", got)
		}
	})
}

// TestRepeatOfARefusalIsJudgedAnew: the first has failed, and said so; its repeat is a request like any other.
func TestRepeatOfARefusalIsJudgedAnew(t *testing.T) {
	inBubble(t, func(n *node) {
		id, s := contended(n)
		breakLock(n, id)
		s.end(nil)
		first := n.do(id, stale("a", `"dan's"`), keyed("dan", "k", "x"))
		again := n.do(id, stale("a", `"dan's"`), keyed("dan", "k", "x"))
		s.end(&script.Failure{Reason: script.Threw})
		n.want(first, "merge-failed")
		n.want(again, "none yet")
		s.end(nil)
		n.want(again, "200 v5")
	})
}
