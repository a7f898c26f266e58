package entity_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/undo"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

// Nothing is answered before all that it depends on is on disk: not the write, and not what was only seen.
func TestNoAnswerBeforeTheDisk(t *testing.T) {
	inBubble(t, func(n *node) {
		id := toyID("a")
		n.want(n.do(id, add(1), by("ann")), "200 v1 sum 1, changed true")
		letGo := n.hold()
		rows := []struct {
			env  entity.Envelope
			want string
		}{
			{entity.Envelope{Command: add(2), Meta: keyed("ann", "k", "add 2")}, "200 v2 sum 3, changed true"},
			{entity.Envelope{Command: add(), Meta: by("ann")}, "200 v2 sum 3, changed false"},
			{entity.Envelope{Command: &toyCommand{No: problem.New(problem.NotFound, "no")}, Meta: by("ann")}, "not-found"},
			{entity.Envelope{Command: add(2), Meta: keyed("ann", "k", "add 2")}, "200 v2 sum 3, changed true"},
			{entity.Envelope{Command: add(4), Meta: by("ann"), DryRun: true}, "200 v3 sum 7, changed true"},
		}
		replies := make([]*reply, len(rows))
		for i := range rows {
			rows[i].env.Entity = id
			replies[i] = n.send(&rows[i].env)
		}
		lsn, known := n.live[id].LSN()
		read := false
		n.committer.After(lsn, func() { read = true })
		synctest.Wait()
		for i, r := range replies {
			if r.came {
				t.Errorf("%q was answered before the disk", rows[i].want)
			}
		}
		if read || !known {
			t.Errorf("a read was answered before the disk: %v, %v", read, known)
		}
		letGo()
		for i, r := range replies {
			n.want(r, rows[i].want)
		}
		if !read {
			t.Error("the read was not answered")
		}
	})
}

// An entity does not wait for the disk: commands build on those before them.
func TestCommandsFollowEachOther(t *testing.T) {
	inBubble(t, func(n *node) {
		id, c := toyID("a"), collectionID("c")
		letGo := n.hold()
		var sums, writes []*reply
		for i := range uint64(50) {
			sums = append(sums, n.send(&entity.Envelope{Entity: id, Command: add(i), Meta: by("ann")}))
			writes = append(writes, n.send(&entity.Envelope{Entity: c, Command: put("d", fmt.Sprintf(`{"n":%d}`, i/2)), Meta: by("ann")}))
		}
		letGo()
		for i := range 50 {
			n.want(sums[i], fmt.Sprintf("200 v%d sum %d, changed true", i+1, i*(i+1)/2))
			if writes[i].Version != uint64(i/2+1) { // every second one changes nothing
				t.Errorf("write %d made version %d", i, writes[i].Version)
			}
		}
		n.restart()
		n.want(n.do(id, add(), by("ann")), fmt.Sprintf("200 v50 sum %d, changed false", 49*50/2))
	})
}

// A command with a key is done once, whoever asks how often: while it is on its way, after it, after a restart, for a
// day.
func TestKeyIsUsedOnce(t *testing.T) {
	inBubble(t, func(n *node) {
		id := toyID("a")
		letGo := n.hold()
		first := n.send(&entity.Envelope{Entity: id, Command: add(5), Meta: keyed("ann", "k", "add 5")})
		again := n.send(&entity.Envelope{Entity: id, Command: add(5), Meta: keyed("ann", "k", "add 5")})
		letGo()
		const answer = "200 v1 sum 5, changed true"
		n.want(first, answer)
		n.want(again, answer)
		n.want(n.do(id, add(5), keyed("ann", "k", "add 5")), answer)
		n.want(n.do(id, add(6), keyed("ann", "k", "add 6")), "key-reused")
		n.want(n.do(id, add(1), keyed("bob", "k", "add 1")), "200 v2 sum 6, changed true") // another's key
		n.want(n.do(toyID("b"), add(1), keyed("ann", "k", "add 1")), "200 v1 sum 1, changed true")
		n.restart()
		n.want(n.do(id, add(5), keyed("ann", "k", "add 5")), answer)
		time.Sleep(entity.OutcomeMemory - time.Minute)
		n.want(n.do(id, add(5), keyed("ann", "k", "add 5")), answer)
		time.Sleep(2 * time.Minute)
		n.want(n.do(id, add(5), keyed("ann", "k", "add 5")), "200 v3 sum 11, changed true")
	})
}

// A command that changed nothing is remembered, too; a refusal is judged anew.
func TestWhatIsRemembered(t *testing.T) {
	inBubble(t, func(n *node) {
		id := toyID("a")
		n.want(n.do(id, add(), keyed("ann", "nothing", "")), "200 v0 sum 0, changed false")
		n.want(n.do(id, &toyCommand{No: problem.New(problem.NotFound, "no")}, keyed("ann", "refused", "")), "not-found")
		n.want(n.do(id, add(3), by("ann")), "200 v1 sum 3, changed true")
		n.restart()
		n.want(n.do(id, add(9), keyed("ann", "nothing", "")), "200 v0 sum 0, changed false")
		n.want(n.do(id, add(9), keyed("ann", "refused", "")), "200 v2 sum 12, changed true")
	})
}

// All events of a command are one entry, and its outcome stands in the last.
func TestCommandIsAllOrNothing(t *testing.T) {
	inBubble(t, func(n *node) {
		id := toyID("a")
		n.want(n.do(id, add(1, 2, 3), keyed("ann", "k", "add")), "200 v3 sum 6, changed true")
		var seqs []uint64
		for rec, err := range n.store.Records(id, 0) {
			if err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, rec.GetSeq())
			if (rec.GetOutcome() != nil) != (rec.GetSeq() == 3) {
				t.Errorf("event %d: outcome %v", rec.GetSeq(), rec.GetOutcome())
			}
		}
		if fmt.Sprint(seqs) != "[1 2 3]" {
			t.Errorf("events %v", seqs)
		}
		n.want(n.do(id, add(1, 2, 3), keyed("ann", "k", "add")), "200 v3 sum 6, changed true")
	})
}

// A dry run answers as if, and leaves nothing behind, not even its key.
func TestDryRun(t *testing.T) {
	inBubble(t, func(n *node) {
		c := collectionID("c")
		n.do(c, put("d", `{"n":1}`), by("ann"))
		dry := n.send(&entity.Envelope{Entity: c, Command: put("d", `{"n":2}`), Meta: keyed("ann", "k", "2"), DryRun: true})
		synctest.Wait()
		if dry.Version != 2 || dry.err != nil {
			t.Errorf("dry run: %s", dry.text())
		}
		if r := n.do(c, put("d", `{"n":1}`), by("ann")); r.Version != 1 {
			t.Errorf("the dry run was written: %s", r.text())
		}
		if r := n.do(c, put("d", `{"n":3}`), keyed("ann", "k", "3")); r.Version != 2 {
			t.Errorf("the dry run has used the key: %s", r.text())
		}
	})
}

// A panic in a decision is one refused command; the entity goes on as if it had not come.
func TestPanicInADecision(t *testing.T) {
	inBubble(t, func(n *node) {
		id := toyID("a")
		n.want(n.do(id, add(1), by("ann")), "200 v1 sum 1, changed true")
		n.want(n.do(id, &toyCommand{Do: func(toyState) { panic("boom") }}, keyed("ann", "k", "boom")), "internal")
		if len(n.failures) != 1 || n.failures[0] != "boom" {
			t.Errorf("told %q", n.failures)
		}
		n.failures = nil
		n.want(n.do(id, add(2), keyed("ann", "k", "boom")), "200 v2 sum 3, changed true")
		n.do(id, "a command of another kind", by("ann"))
	})
}

// A request whose deadline has passed is not looked at.
func TestDeadline(t *testing.T) {
	inBubble(t, func(n *node) {
		id := toyID("a")
		late := n.send(&entity.Envelope{Entity: id, Command: add(1), Meta: by("ann"), Deadline: time.Now()})
		n.want(late, "deadline")
		inTime := n.send(&entity.Envelope{Entity: id, Command: add(1), Meta: by("ann"), Deadline: time.Now().Add(time.Second)})
		synctest.Wait()
		n.want(inTime, "200 v1 sum 1, changed true")
	})
}

// The times of an entity's events never fall, whatever the clock does.
func TestTimeNeverFalls(t *testing.T) {
	inBubble(t, func(n *node) {
		id, start := toyID("a"), time.Now()
		for i, offset := range []time.Duration{0, time.Hour, -time.Hour, 2 * time.Hour, 0} {
			n.now = func() time.Time { return start.Add(offset) }
			n.do(id, add(uint64(i)), by("ann"))
		}
		var last int64
		for rec, err := range n.store.Records(id, 0) {
			if err != nil || rec.GetTime() < last {
				t.Errorf("event %d at %d after %d: %v", rec.GetSeq(), rec.GetTime(), last, err)
			}
			last = rec.GetTime()
		}
		if want := start.Add(2 * time.Hour).UnixMicro(); last != want {
			t.Errorf("the newest is of %d, not %d", last, want)
		}
	})
}

// Much content stands beside its record, body by body; little stands in it. Both read the same, pending or stored.
func TestWhereBodiesStand(t *testing.T) {
	inBubble(t, func(n *node) {
		c := collectionID("c")
		for version, size := range []int{10, 20 << 10, 40 << 10, 300 << 10} {
			body := fmt.Sprintf(`{"text":%q}`, strings.Repeat("x", size))
			letGo := n.hold()
			n.send(&entity.Envelope{Entity: c, Command: put("d", body), Meta: by("ann")})
			same := n.send(&entity.Envelope{Entity: c, Command: put("d", body), Meta: by("ann")}) // compared with what is pending
			letGo()
			stored := n.do(c, put("d", body), by("ann")) // compared with what is stored
			if same.Version != uint64(version+1) || stored.Version != same.Version {
				t.Errorf("%d bytes: versions %d and %d", size, same.Version, stored.Version)
			}
			p, err := n.store.Part(c, "d")
			if err != nil || p.Place.Beside != (size > 32<<10) {
				t.Errorf("%d bytes: beside is %v, %v", size, p.Place.Beside, err)
			}
			if b, err := n.store.Body(c, p.Place); err != nil || !bytes.Equal(b, []byte(body)) {
				t.Errorf("%d bytes: read %d, %v", size, len(b), err)
			}
		}
	})
}

// What a timer says goes the way of every command.
func TestFire(t *testing.T) {
	inBubble(t, func(n *node) {
		id := toyID("a")
		n.do(id, add(1), by("ann"))
		r := new(reply)
		n.live[id].Fire("any", time.Now(), func(a entity.Answer, err error) { *r = reply{a, err, true} })
		synctest.Wait()
		n.want(r, "200 v2 sum 1001, changed true")
	})
}

// A revert to a version that retention has removed is refused by name, also if retention is at work meanwhile.
func TestRevertToATrimmedVersion(t *testing.T) {
	inBubble(t, func(n *node) {
		c := collectionID("c")
		for i := range 10 {
			n.do(c, put(fmt.Sprintf("d%d", i%3), fmt.Sprintf(`{"n":%d}`, i)), by("ann"))
		}
		_, err := n.store.Trim(t.Context(), c, pebblestore.Policy{Versions: 4}, pebblestore.TrimOptions{Fold: fold, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		n.want(n.do(c, &collection.Revert{To: 6}, by("ann")), "base-unavailable")
		if r := n.do(c, &collection.Revert{To: 7}, by("ann")); r.err != nil || r.Version != 11 {
			t.Errorf("revert to the oldest version: %s", r.text())
		}
		for i, want := range map[string]string{"d0": `{"n":6}`, "d1": `{"n":4}`, "d2": `{"n":5}`} {
			p, err := n.store.Part(c, i)
			if err != nil {
				t.Fatal(err)
			}
			if b, err := n.store.Body(c, p.Place); err != nil || string(b) != want {
				t.Errorf("part %s is %s, not %s: %v", i, b, want, err)
			}
		}
	})
}

// Versions are taken back also before they are durable, and among those of others; not if they are kept no more.
func TestUndo(t *testing.T) {
	inBubble(t, func(n *node) {
		c := collectionID("c")
		takeBack := func(task string, choice undo.OnConflict, spans ...undo.Span) *collection.Apply {
			return &collection.Apply{Task: task, Undo: &collection.Undo{Spans: spans, OnConflict: choice}}
		}
		send := func(command any, m entity.Meta) *reply {
			return n.send(&entity.Envelope{Entity: c, Command: command, Meta: m})
		}
		send(put("d", `{"n":1.0}`), by("ann"))
		send(put("d", `{"n":2}`), by("ann"))
		send(put("e", `"others"`), by("bob"))
		skipped := send(takeBack("a", undo.Skip, undo.Span{Before: 1, After: 2}), by("ann"))
		merged := send(takeBack("b", undo.Merge, undo.Span{Before: 1, After: 2}), by("ann"))
		again := send(takeBack("c", "", undo.Span{Before: 3, After: 4}), by("ann"))
		synctest.Wait()
		n.want(skipped, `200 v3 {"state":"SKIPPED","code":"version-conflict","message":"version 3 is of others; it is by bob"`)
		n.want(merged, `200 v4 {"state":"UPDATED","versionBefore":3,"versionAfter":4,"kept":7}`)
		n.want(again, `200 v5 {"state":"UPDATED","versionBefore":4,"versionAfter":5,"kept":9}`)
		n.want(n.do(c, takeBack("d", "", undo.Span{Before: 1, After: 5}), by("ann")), `200 v6 {"state":"UPDATED"`)
		p, err := n.store.Part(c, "d")
		if err != nil {
			t.Fatal(err)
		}
		if b, err := n.store.Body(c, p.Place); err != nil || string(b) != `{"n":1.0}` {
			t.Errorf("%s, %v", b, err)
		}
		if p, err := n.store.Part(c, "e"); err == nil && !p.Removed {
			t.Errorf("what came later is there: %+v", p)
		}
		_, err = n.store.Trim(t.Context(), c, pebblestore.Policy{Versions: 2}, pebblestore.TrimOptions{Fold: fold, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		gone := `200 v6 {"state":"FAILED","code":"base-unavailable"`
		n.want(n.do(c, takeBack("e", undo.Force, undo.Span{Before: 1, After: 2}), by("ann")), gone)
		n.want(n.do(c, takeBack("f", undo.Merge, undo.Span{Before: 1, After: 2}), by("ann")), gone)
		n.want(n.do(c, takeBack("g", undo.Skip, undo.Span{Before: 1, After: 2}), by("ann")), `200 v6 {"state":"SKIPPED"`)
	})
}

// An entity that cannot be read is not made live: it must not be taken for a new one.
func TestActivationOfADamagedHead(t *testing.T) {
	inBubble(t, func(n *node) {
		broken := errors.New("broken")
		w := *n.world
		w.Store = unreadable{n.store, broken}
		if _, err := activate(toyID("a"), &w); !errors.Is(err, broken) {
			t.Errorf("activate: %v", err)
		}
		w.Store = unreadable{n.store, nil}
		if _, err := activate(toyID("a"), &w); !errors.Is(err, persistence.ErrCorrupt) {
			t.Errorf("activate: %v", err)
		}
	})
}

// unreadable is a store whose heads are damaged.
type unreadable struct {
	entity.Store
	err error
}

func (u unreadable) Head(persistence.EntityID) (persistence.Head, error) {
	return persistence.Head{Seq: 1, State: []byte("{")}, u.err
}
