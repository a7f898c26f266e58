package faults

import (
	"fmt"
	"net/http"
	"slices"
	"testing"

	"concord/actors/lock/scenario"
)

// boss may administer (someRights).
var boss = scenario.Party{Principal: "boss", Session: "1"}

// TestLastIsOnesOwn: two people edit the same records in turns, and say no more than "last", while the process is killed between the edits
// and the ways back. Each has their own session; the other's is theirs under no name; who administers may have it, by its id.
func TestLastIsOnesOwn(t *testing.T) {
	t.Parallel()
	p, s, ids := pair(t, 10, rightsVariable+"=1")
	fault := func() { p.kill(); p.start() }
	before := s.contents(ids)
	anns, bobs := s.openDesk(ann, overIDs(ids)), s.openDesk(bob, overIDs(ids))
	last := map[*desk]*desk{anns: {s, ann, "last"}, bobs: {s, bob, "last"}}
	own := func(when string) {
		t.Helper()
		for k, l := range last {
			if d := l.look(); d.Session != k.id || d.Owner != k.by.Principal {
				t.Errorf("%s: the last session of %s is %s of %s, want %s", when, k.by.Principal, d.Session, d.Owner, k.id)
			}
		}
		(&desk{s, boss, "last"}).refused("not-found", "rollback", `{"to":"initial"}`)
		(&desk{s, carol, "last"}).refused("not-found", "rollback", `{"to":"initial"}`)
		anns.forbidden(bob)
		bobs.forbidden(ann)
	}
	last[anns].applied("ann1")
	last[bobs].applied("bob1")
	fault()
	own("after a step of each")
	of := func(k *desk) int { return len(k.look().Runs) }
	bobsRuns := of(bobs)
	d := last[anns].run("rollback", `{"to":"initial"}`) // bob's step is on top of ann's everywhere
	if c := d.Runs[1].Counts; d.Session != anns.id || c["skipped"] != uint64(len(ids)) || of(bobs) != bobsRuns {
		t.Errorf("ann's way back under bob's step: %+v", d)
	}
	s.logs(ids, "first", "ann1", "bob1")
	fault()
	own("after a way back that was in nobody's way")
	last[bobs].applied("bob2")
	fault()
	annsRuns := of(anns)
	if d = last[bobs].run("rollback", `{"to":"previous"}`); d.Session != bobs.id || len(d.Path) != 1 || d.Runs[2].Counts["updated"] != uint64(len(ids)) {
		t.Errorf("bob's step before: %+v", d)
	}
	s.logs(ids, "first", "ann1", "bob1")
	last[bobs].run("rollback", `{"to":"initial"}`)
	s.logs(ids, "first", "ann1")
	if of(anns) != annsRuns {
		t.Errorf("bob has used ann's session: %+v", anns.look())
	}
	fault()
	own("after bob's way back")
	byBoss := &desk{s, boss, anns.id} // what her roll-back has left is taken up
	if d = byBoss.run("rollback", `{"to":"initial","onConflict":"merge"}`); d.State != "ROLLED_BACK" || d.Owner != "ann" {
		t.Errorf("by who administers: %+v", d)
	}
	same(t, "by who administers", s.contents(ids), before)
	for _, v := range s.history(ids[0])[1:] {
		if want := map[uint64]string{2: "ann", 3: "bob", 4: "bob", 5: "bob", 6: "bob", 7: "boss"}[v.Version]; v.Principal != want {
			t.Errorf("version %d is by %s, want %s", v.Version, v.Principal, want)
		}
	}
	bobs.run("close", "")
	last[bobs].refused("not-found", "redo", "")
	anns.forbidden(bob)
	s.stop(p)
	checkStore(t, p)
}

// forbidden has somebody else come to a session by its id: everything is refused, and changes nothing.
func (k *desk) forbidden(by scenario.Party) {
	k.s.t.Helper()
	before := k.look()
	theirs := &desk{k.s, by, k.id}
	for verb, body := range map[string]string{"rollback": `{"to":"initial"}`, "redo": "", "apply": stepOf("x"), "close": ""} {
		if r := theirs.do(verb, body, k.key()); r.status != http.StatusForbidden || r.code != "forbidden" {
			k.s.t.Errorf("%s by %s of a session of %s: %d %s", verb, by.Principal, k.by.Principal, r.status, r.text)
		}
	}
	if r := k.s.ask(call{op: "edit.get", id: k.id, by: by}); r.status != http.StatusForbidden {
		k.s.t.Errorf("a session of %s, read by %s: %d %s", k.by.Principal, by.Principal, r.status, r.text)
	}
	if after := k.look(); fmt.Sprint(after.State, len(after.Runs), after.Path) != fmt.Sprint(before.State, len(before.Runs), before.Path) {
		k.s.t.Errorf("refusals have changed a session: %+v, and it was %+v", after, before)
	}
}

// logs looks at the marks of collections.
func (s *shelves) logs(ids []string, want ...string) {
	s.t.Helper()
	for _, id := range ids {
		if log := s.shelf(id).Metadata.Log; !slices.Equal(log, want) {
			s.t.Errorf("%s has the marks %v, want %v", id, log, want)
		}
	}
}
