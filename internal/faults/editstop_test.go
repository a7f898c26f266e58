package faults

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"concord/transport"
)

const (
	stopLocked  = 3  // records at the end of the list that bob holds: the edit comes to none of them
	stopSeenIn  = 8  // one in so many records is written when the edit is caught
	stopKillIn  = 40 // records of an edit whose roll-back is killed before its answer
	stopTries   = 6  // to kill it before its answer
	stopSync    = 20 * time.Millisecond
	stopAtOnce  = 2 // requests under each of two keys
	stopMaxLook = 10 * time.Second
)

// TestRollbackStopsAnEdit catches an edit while it is applied, and asks for the way back: the edit stops at the border of a record, what it
// has written is taken back, and every record is byte for byte what it was, with the versions of the edit and of the roll-back or
// with none. It is so for a way back to the start and to the step before, if the process is killed while it is gone, and if it is asked for
// several times at once. That the edit has not come to its end is sure: somebody else holds its last records.
func TestRollbackStopsAnEdit(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	s := newShelves(t, p.httpAddress)
	few := min(editRecords(), 120)

	c := s.catchEdit("start", editRecords(), 0)
	c.back("initial")
	c.judge("to the start")

	c = s.catchEdit("before", few, 2)
	c.back("previous")
	c.judge("to the step before")

	c = s.catchEdit("atonce", few, 0)
	c.backAtOnce()
	c.judge("at once")

	c = s.catchEdit("killed", editRecords(), 0)
	written := c.written()
	hold := s.hold(written[len(written)/2 : len(written)/2+1])
	c.back("initial")
	p.kill()
	p.start()
	if d := c.look(); d.State != "ROLLING_BACK" || d.Runs[len(d.Runs)-1].Counts["pending"] == 0 {
		t.Errorf("killed on the way back: %+v", d)
	}
	s.letGo(hold)
	c.judge("killed on the way back")
	s.stop(p)
	checkStore(t, p)
}

// TestRollbackKilledBeforeItsAnswer kills the process between the request to take back an edit that is being applied, and its answer: when the
// edit is seen to stop, when it has stopped, and when the session knows of the roll-back, whose task is not there yet. The same request again
// leads back to the start, once. The disk is slow, so that there is time between these; and slower with every try that was too late.
func TestRollbackKilledBeforeItsAnswer(t *testing.T) {
	t.Parallel()
	p := startProcess(t, syncVariable+"="+stopSync.String())
	s := newShelves(t, p.httpAddress)
	for _, one := range []struct {
		name string
		is   func(edit, newest *deskRun) bool
	}{
		{"stops", func(edit, _ *deskRun) bool { return edit.State != "IN_PROGRESS" }},
		{"stopped", func(edit, _ *deskRun) bool { return edit.State == "PARTIALLY_CANCELLED" }},
		{"told", func(_, newest *deskRun) bool { return newest.Kind == "rollback" }},
	} {
		killed, slow := false, stopSync
		for try := 0; try < stopTries && !killed; try++ {
			c := s.catchEdit(fmt.Sprint(one.name, try), stopKillIn, 0)
			key, answered := c.key(), make(chan bool, 1)
			go func() {
				_, err := s.d.do(call{op: "edit.rollback", id: c.id, by: ann, raw: []byte(`{"to":"initial"}`), header: map[string]string{transport.HeaderIdempotencyKey: key}})
				answered <- err == nil
			}()
			seen := c.seen(slow/4, one.is)
			p.kill()
			killed = !<-answered
			if slow *= 2; killed {
				slow = stopSync
			}
			p.variables[0] = syncVariable + "=" + slow.String()
			p.start()
			t.Logf("%s: killed when the runs were %+v; answered: %v", one.name, seen, !killed)
			for range 2 {
				if r := c.do("rollback", `{"to":"initial"}`, key); r.code != "" {
					t.Errorf("%s: the request again: %s", one.name, r.text)
				}
			}
			c.judge(one.name)
		}
		if !killed {
			t.Errorf("%s: the answer always came before the kill: nothing is proved", one.name)
		}
	}
	s.stop(p)
	checkStore(t, p)
}

// caught is an edit that was caught while it was applied.
type caught struct {
	*desk
	ids    []string
	before map[string]string // contents, before the edit
	steps  int               // before the edit
	held   map[string]string // tokens of the records that the edit cannot come to
}

// catchEdit has ann edit records, after so many whole steps, and returns when the edit has written some of them, and cannot come to its end.
func (s *shelves) catchEdit(prefix string, records, steps int) *caught {
	s.t.Helper()
	ids := idsOf(prefix, records)
	s.create(ids, func(id string) string {
		return fmt.Sprintf(`{"metadata":{"Log":[],"n":1.00},"documents":{"d":{ "title" : %q, "n": 75e-1 }}}`, id)
	})
	file := s.uploadOf(ann, []byte(strings.Join(ids, "\n"))) // a request has no room for 100,000
	c := &caught{desk: s.openDesk(ann, `{"upload":"`+file+`"}`), ids: ids, steps: steps}
	for n := range steps {
		c.applied(fmt.Sprint("step", n))
	}
	c.before = s.contents(ids)
	c.held = s.hold(ids[records-stopLocked:])
	body := fmt.Sprintf(`{"instructions":%s,"itemsPerSecond":%d}`, marks("caught"), records/2)
	if r := c.do("apply", body, c.key()); r.code != "" {
		s.t.Fatalf("apply: %s", r.text)
	}
	seen := c.seen(bulkPause, func(edit, _ *deskRun) bool { return edit.Counts["updated"] >= uint64(records/stopSeenIn) })
	edit := seen[len(seen)-1]
	if d := c.look(); d.State != "APPLYING" || !d.RollbackAvailable || edit.Counts["updated"] == 0 || edit.Counts["pending"] < stopLocked {
		s.t.Fatalf("%s: the edit is not caught: %+v", prefix, d)
	}
	return c
}

// seen waits until the run of the edit and the newest run are as they should be, and returns all runs. It looks again after a pause: a look
// waits for the disk as whatever is under way does, and would else always come too early.
func (c *caught) seen(pause time.Duration, is func(edit, newest *deskRun) bool) []deskRun {
	c.s.t.Helper()
	var runs []deskRun
	for until := time.Now().Add(stopMaxLook); time.Now().Before(until) && !c.s.t.Failed(); <-time.After(pause) {
		if runs = c.look().Runs; len(runs) > c.steps && is(&runs[c.steps], &runs[len(runs)-1]) {
			return runs
		}
	}
	c.s.t.Fatalf("the runs never are as they should be: %+v", runs)
	return nil
}

// written are the records that the edit says it has written, which is at work.
func (c *caught) written() (ids []string) {
	c.s.t.Helper()
	for _, item := range pages[bulkItem](c.s, call{op: "edit.results", id: c.id, by: ann, query: map[string]string{"state": "UPDATED"}}) {
		ids = append(ids, item.ID)
	}
	if len(ids) == 0 || len(ids) > len(c.ids)-stopLocked {
		c.s.t.Fatalf("the edit has written %d of %d records", len(ids), len(c.ids))
	}
	return ids
}

// hold has bob lock records. It returns the tokens.
func (s *shelves) hold(ids []string) map[string]string {
	s.t.Helper()
	tokens := map[string]string{}
	for _, id := range ids {
		tokens[id], _ = s.must(call{op: "lock.acquire", id: id, by: bob, body: map[string]any{"ttl": 600}}).body["token"].(string)
	}
	return tokens
}

// letGo has bob release locks.
func (s *shelves) letGo(tokens map[string]string) {
	s.t.Helper()
	for id, token := range tokens {
		s.must(call{op: "lock.release", id: id, by: bob, token: token})
	}
}

// back asks for the way back, and does not wait for its end.
func (c *caught) back(to string) {
	c.s.t.Helper()
	if r := c.do("rollback", `{"to":"`+to+`"}`, c.key()); r.code != "" {
		c.s.t.Fatalf("rollback to %s: %s", to, r.text)
	}
}

// backAtOnce asks several times at once for the way back, under two keys: of one of them every request is told of the roll-back, of the other
// every one is refused.
func (c *caught) backAtOnce() {
	c.s.t.Helper()
	keys := []string{c.key(), c.key()}
	replies := make([]reply, len(keys)*stopAtOnce)
	var all sync.WaitGroup
	for i := range replies {
		all.Go(func() { replies[i] = c.do("rollback", `{"to":"initial"}`, keys[i%len(keys)]) })
	}
	all.Wait()
	var told []bool
	for i := range keys {
		codes := map[bool]int{}
		for at := i; at < len(replies); at += len(keys) {
			r := replies[at]
			codes[r.code == ""]++
			if r.code != "" && r.code != "wrong-state" && r.code != "cannot-undo" {
				c.s.t.Errorf("one of several at once: %s", r.text)
			}
			if r.code == "" && !strings.Contains(string(r.text), `"kind":"rollback"`) {
				c.s.t.Errorf("one of several at once is not told of the roll-back: %s", r.text)
			}
		}
		if len(codes) > 1 {
			c.s.t.Errorf("one key has several answers: %v", codes)
		}
		told = append(told, codes[true] > 0)
	}
	if told[0] == told[1] {
		c.s.t.Errorf("of two roll-backs at once both, or none, were made: %v", told)
	}
}

// judge waits for the end of the roll-back, of which there is one, and looks at all records. Nobody holds one any more: what has no
// business there is not stopped by that.
func (c *caught) judge(what string) {
	t := c.s.t
	t.Helper()
	c.s.letGo(c.held)
	d := c.rests()
	if len(d.Runs) != c.steps+2 || d.State != "ROLLED_BACK" || len(d.Path) != c.steps {
		t.Fatalf("%s: %+v", what, d)
	}
	edit, back := &d.Runs[c.steps], &d.Runs[c.steps+1]
	updated, cancelled := edit.Counts["updated"], edit.Counts["cancelled"]
	if edit.State != "PARTIALLY_CANCELLED" || updated == 0 || cancelled < stopLocked || updated+cancelled != uint64(len(c.ids)) {
		t.Errorf("%s: the edit of %d records: %+v", what, len(c.ids), edit)
	}
	if back.Kind != "rollback" || back.State != "COMPLETE" || back.Counts["updated"] != updated {
		t.Errorf("%s: %d records were written, and the roll-back is %+v", what, updated, back)
	}
	same(t, what, c.s.contents(c.ids), c.before)
	if n := c.judgeVersions(what); n != updated {
		t.Errorf("%s: %d records have been written and taken back, and the edit says %d", what, n, updated)
	}
	diary := diaryOf(c.desk)
	judged := c.ids
	if len(judged) > editJudgedMax { // of each end some
		judged = slices.Concat(c.ids[:editJudgedMax/2], c.ids[len(c.ids)-editJudgedMax/2:])
	}
	c.s.each(judged, func(id string) { diary.judge(id, c.s.versions(id)) })
	t.Logf("%s: %d records, of which %d were written, and %d not yet: all are what they were", what, len(c.ids), updated, cancelled)
}

// judgeVersions counts the records with the versions of the edit and of the roll-back. The others have neither.
func (c *caught) judgeVersions(what string) (both uint64) {
	c.s.t.Helper()
	before := uint64(1 + c.steps)
	versions := make(chan uint64, len(c.ids))
	c.s.each(c.ids, func(id string) {
		version := c.s.shelf(id).Version
		if version != before && version != before+2 {
			c.s.t.Errorf("%s: %s has %d versions, and had %d", what, id, version, before)
		}
		versions <- version
	})
	close(versions)
	for version := range versions {
		if version > before {
			both++
		}
	}
	return both
}
