package faults

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestEditSolutions are the two solutions of the origin, in a real process that is killed between the edits and the way back.
func TestEditSolutions(t *testing.T) {
	t.Parallel()
	p, s, ids := pair(t, 12)
	fault := func() { p.kill(); p.start() }
	before := s.contents(ids)
	for _, steps := range []int{1, 3} {
		k := s.openDesk(ann, overIDs(ids))
		for n := range steps {
			k.applied(fmt.Sprintf("step%d", n))
		}
		fault()
		if d := k.run("rollback", `{"to":"initial"}`); d.State != "ROLLED_BACK" || len(d.Path) > 0 || !d.RedoAvailable || d.RollbackAvailable {
			t.Errorf("to the start after %d steps: %+v", steps, d)
		}
		same(t, "at the start again", s.contents(ids), before)
		k.refused("cannot-undo", "rollback", `{"to":"previous"}`)
		k.run("close", "")
	}
	backStepByStep(t, s, ids, fault)
	twoPeople(t, s, ids)
	lastOneWins(t, s, ids)
	s.stop(p)
	checkStore(t, p)
}

// applied applies a step that leaves a mark in every record.
func (k *desk) applied(mark string) {
	k.s.t.Helper()
	if d := k.run("apply", stepOf(mark)); d.State != "COMPLETED" {
		k.s.t.Fatalf("step %s of %s: %+v", mark, k.by.Principal, d)
	}
}

// backStepByStep goes back through three steps, one at a time, and forth again.
func backStepByStep(t *testing.T, s *shelves, ids []string, fault func()) {
	t.Helper()
	k := s.openDesk(ann, overIDs(ids))
	ends := []map[string]string{s.contents(ids)}
	for n := range 3 {
		k.applied(fmt.Sprintf("one%d", n))
		ends = append(ends, s.contents(ids))
	}
	fault()
	for n := 2; n >= 0; n-- {
		if d := k.run("rollback", `{"to":"previous"}`); len(d.Path) != n || d.State != "ROLLED_BACK" {
			t.Errorf("back to %d steps: %+v", n, d)
		}
		same(t, fmt.Sprintf("back at the end of step %d", n), s.contents(ids), ends[n])
	}
	for n := 1; n <= 3; n++ {
		if n == 2 {
			fault()
		}
		if d := k.run("redo", ""); len(d.Path) != n || d.State != "COMPLETED" {
			t.Errorf("forth to %d steps: %+v", n, d)
		}
		same(t, fmt.Sprintf("forth at the end of step %d", n), s.contents(ids), ends[n])
	}
	if d := k.run("rollback", `{"to":1}`); !slices.Equal(d.Path, []uint32{1}) {
		t.Errorf("to step 1: %+v", d)
	}
	same(t, "back at the end of step 1", s.contents(ids), ends[1])
	k.run("close", "")
	k.refused("cannot-undo", "rollback", `{"to":"initial"}`)
}

// twoPeople edit records that overlap, in turns: each takes back what is theirs, and what the other has written since stays.
func twoPeople(t *testing.T, s *shelves, ids []string) {
	t.Helper()
	before := s.contents(ids)
	anns, bobs := s.openDesk(ann, overIDs(ids[:8])), s.openDesk(bob, overIDs(ids[4:]))
	anns.applied("of ann")
	bobs.applied("of bob")
	anns.applied("of ann again")
	d := anns.run("rollback", `{"to":"initial"}`)
	items := anns.results(&d.Runs[len(d.Runs)-1])
	if d.State != "ROLLED_BACK_WITH_CONFLICTS" || d.Runs[2].Counts["updated"] != 4 || d.Runs[2].Counts["skipped"] != 4 {
		t.Errorf("to ann's start: %+v", d)
	}
	for _, item := range items {
		if item.State == "SKIPPED" && (item.Code != "version-conflict" || !strings.Contains(item.Message, "bob")) {
			t.Errorf("who is in the way is not told: %+v", item)
		}
	}
	same(t, "of ann alone", s.contents(ids[:4]), pick(before, ids[:4]))
	for _, id := range ids[4:8] {
		if log := s.shelf(id).Metadata.Log; !slices.Contains(log, "of bob") {
			t.Errorf("%s: what bob has written is lost: %v", id, log)
		}
	}
	d = bobs.run("rollback", `{"to":"initial"}`)
	if d.Runs[1].Counts["updated"] != 4 || d.Runs[1].Counts["skipped"] != 4 {
		t.Errorf("to bob's start: %+v", d)
	}
	same(t, "of bob alone", s.contents(ids[8:]), pick(before, ids[8:]))
	bobs.run("rollback", `{"to":"initial","onConflict":"force"}`)
	same(t, "what bob was told to put back", s.contents(ids[8:]), pick(before, ids[8:]))
	anns.run("close", "")
	bobs.run("close", "")
}

// pick is a part of contents.
func pick(all map[string]string, ids []string) map[string]string {
	some := map[string]string{}
	for _, id := range ids {
		some[id] = all[id]
	}
	return some
}

// lastOneWins: of several uploads the last one counts, and of several sessions the caller's own newest one.
func lastOneWins(t *testing.T, s *shelves, ids []string) {
	t.Helper()
	file := func(ids ...string) string {
		return `{"upload":"` + s.uploadOf(ann, []byte("\ufeffNOTE,ITEM\r\n\"a, b\","+strings.Join(ids, "\r\n,")+"\r\n")) + `","columns":["ITEM"]}`
	}
	k := s.openDesk(ann, file(ids[0], ids[1]))
	s.openDesk(ann, overIDs(ids[5:6])).run("close", "")
	if r := k.do("match", file(ids[2], "nowhere", ids[3], ids[2]), k.key()); r.code != "" {
		t.Fatalf("other records: %s", r.text)
	}
	if c := k.look().Counts; c.Matched != 2 || c.NotFound != 1 || c.Duplicate != 1 {
		t.Errorf("other records: %+v", c)
	}
	bobs := s.openDesk(bob, overIDs(ids[4:5]))
	before := s.contents(ids)
	last := &desk{s, ann, "last"}
	last.applied("of the last")
	if d := last.look(); d.Session != k.id || d.Owner != "ann" {
		t.Errorf("ann's last session is %+v, want %s", d, k.id)
	}
	want := s.contents(ids)
	for id := range want {
		if changed := id == ids[2] || id == ids[3]; changed == (want[id] == before[id]) {
			t.Errorf("%s: changed: %v, want %v", id, !changed, changed)
		}
	}
	last.run("rollback", `{"to":"initial"}`)
	same(t, "what the last one did", s.contents(ids), before)
	k.refused("wrong-state", "match", file(ids[0]))
	(&desk{s, carol, "last"}).refused("not-found", "rollback", `{"to":"initial"}`)
	k.run("close", "")
	bobs.run("close", "")
	last.refused("not-found", "rollback", `{"to":"initial"}`)
}
