package faults

import (
	"maps"
	"slices"
	"strconv"
	"testing"

	"concord/actors/lock/scenario"
)

// lockedBy has somebody hold the locks of collections; their tokens.
func (c *catalogue) lockedBy(who scenario.Party, seconds int, collections ...string) map[string]string {
	c.t.Helper()
	tokens := map[string]string{}
	for _, id := range collections {
		r := c.must(call{op: "lock.acquire", id: id, by: who, body: map[string]any{"ttl": seconds}})
		tokens[id], _ = r.body["token"].(string)
	}
	return tokens
}

func (c *catalogue) release(id string, who scenario.Party, token string) {
	c.t.Helper()
	c.must(call{op: "lock.release", id: id, by: who, token: token})
}

// items are the collections of the items of a job in a state.
func (c *catalogue) items(job, state string) (collections []string) {
	c.t.Helper()
	r := c.must(call{op: "propagation.items", id: job, query: map[string]string{"state": state}})
	all, _ := r.body["items"].([]any)
	for _, item := range all {
		one, _ := item.(map[string]any)
		id, _ := one["collection"].(string)
		collections = append(collections, id)
	}
	slices.Sort(collections)
	return collections
}

const (
	lockLongSeconds  = 3600
	lockShortSeconds = 8
)

// TestLinksWaitForLocks changes a base URL while people hold locks: their collections wait, all others do not, the job says
// so, also after it was killed; each goes on when its lock is released or has run out, and what its holder writes stays.
func TestLinksWaitForLocks(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	c, _ := madeCatalogue(t, p, 2)
	locked := []string{"made-1", "made-2", "made-3"} // the first two until they are released, the last until it runs out
	tokens := c.lockedBy(ann, lockLongSeconds, locked[:2]...)
	c.lockedBy(bob, lockShortSeconds, locked[2])
	id, r := c.setURL("names", "http://waits.example.org/"), c.model.setURL("names", "http://waits.example.org/")
	waits := func(n int) func(job) bool {
		return func(j job) bool {
			return j.WaitingForLocks == uint64(n) && j.Done == j.Collections-uint64(n) && j.Collections == uint64(len(r.collections))
		}
	}
	if j := c.await(id, "waits for three locks", waits(3)); j.State != "RUNNING" || j.Counts["pending"] == 0 {
		t.Errorf("%+v, want it to run, and something to be pending", j)
	}
	if got := c.items(id, "WAITING"); !slices.Equal(got, locked) {
		t.Errorf("%v are waited for, want %v", got, locked)
	}
	for _, one := range locked {
		if k := c.read(one); k.version != c.versions[one] {
			t.Errorf("%s, which is locked, is at version %d, want %d", one, k.version, c.versions[one])
		}
	}
	c.await(id, "waits for two locks, since one has run out", waits(2))
	p.kill()
	p.start()
	c.await(id, "waits for two locks, after a kill", waits(2))
	// A holder writes, and nothing of it is lost.
	c.edit(locked[0], "d0", ann, tokens[locked[0]], "written under the lock")
	c.release(locked[0], ann, tokens[locked[0]])
	c.await(id, "waits for one lock", waits(1))
	p.kill()
	p.start()
	c.release(locked[1], ann, tokens[locked[1]])
	c.settled(id, r)
	c.check("a job that has waited")
	c.auditAll()
}

// edit changes the note of a record, as a user does who has read it, under a lock if there is a token. The model follows.
func (c *catalogue) edit(collection, document string, who scenario.Party, token, note string) {
	c.t.Helper()
	k := c.read(collection)
	d, err := cutMARC(k.documents[document])
	if err != nil {
		c.t.Fatal(err)
	}
	at := slices.IndexFunc(d.fields, func(f dumbField) bool { return f.tag == "500" })
	d.fields[at].raw = noteField(note)
	c.must(call{op: "document.put", id: collection, inner: document, by: who, token: token,
		raw: []byte(`{"baseVersion":` + strconv.FormatUint(k.versions[document], 10) + `,"value":` + string(joined(d)) + `}`)})
	c.model.documents[collection][document].(*dumbMARC).fields[at] = d.fields[at]
	c.versions[collection]++
}

func noteField(note string) string {
	return `{"500":{"ind1":" ","ind2":" ","subfields":[{"a":` + quoted(note) + `}]}}`
}

// TestSecondURLSupersedes has a natural id change, and then a second base URL come, while the first one waits for a lock: what
// the first has not done, the second does, and those links of the first are counted as superseded.
func TestSecondURLSupersedes(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	c, _ := madeCatalogue(t, p, 3)
	token := c.lockedBy(ann, lockLongSeconds, "made-1")["made-1"]
	pending := uint64(0)
	for _, d := range c.model.documents["made-1"] {
		for _, id := range d.authorities() {
			if c.model.authorities[id].source == "names" {
				pending++
			}
		}
	}
	first, r := c.setURL("names", "http://first.example.org/"), c.model.setURL("names", "http://first.example.org/")
	c.await(first, "waits", func(j job) bool { return j.WaitingForLocks == 1 && j.Done == j.Collections-1 })
	to := *c.model.authorities["names:n1"]
	to.naturalID = "n1-renumbered"
	middle, named := c.put("names:n1", to), c.model.change("names:n1", to)
	second := c.setURL("names", "http://second.example.org/")
	c.model.setURL("names", "http://second.example.org/")
	j := c.end(first)
	if j.State != "SUPERSEDED" || j.SupersededBy != second || j.Counts["superseded"] != pending || j.Counts["updated"]+j.Counts["unchanged"] != j.Total-pending {
		t.Errorf("%+v, want %d links superseded by %s", j, pending, second)
	}
	p.kill()
	p.start()
	c.release("made-1", ann, token)
	ended := []job{c.end(middle), c.end(second)}
	corrections := c.madeBy(map[string]reached{first: r.without("made-1"), middle: named, second: r})
	c.judge(ended[0], named, corrections)
	c.judge(ended[1], r, corrections)
	c.check("a second base URL")
	c.auditAll()
}

// without is what a change has reached but for one collection.
func (r reached) without(collection string) reached {
	r.collections = maps.Clone(r.collections)
	delete(r.collections, collection)
	return r
}

// TestJobsObey pauses, resumes, cancels and retries.
func TestJobsObey(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	c, _ := madeCatalogue(t, p, 4)
	ask := func(verb, id string) job {
		t.Helper()
		c.must(call{op: "propagation." + verb, id: id})
		return c.job(id)
	}
	token := c.lockedBy(ann, lockLongSeconds, "made-1")["made-1"]
	id, r := c.setURL("names", "http://paused.example.org/"), c.model.setURL("names", "http://paused.example.org/")
	waits := func(j job) bool { return j.WaitingForLocks == 1 && j.Done == j.Collections-1 }
	c.await(id, "waits", waits)
	if j := ask("pause", id); j.State != "PAUSED" {
		t.Errorf("%+v, want it paused", j)
	}
	p.kill()
	p.start()
	c.release("made-1", ann, token)
	for range 20 { // a paused job does nothing, however often one looks
		if j := c.job(id); j.State != "PAUSED" || j.Counts["pending"] == 0 {
			t.Fatalf("%+v, want it paused", j)
		}
		waitALittle()
	}
	ask("resume", id)
	c.settled(id, r)
	c.check("paused and resumed")

	token = c.lockedBy(ann, lockLongSeconds, "made-1")["made-1"]
	id, r = c.setURL("names", "http://cancelled.example.org/"), c.model.setURL("names", "http://cancelled.example.org/")
	before := c.await(id, "waits", waits)
	ask("cancel", id)
	j := c.end(id)
	if j.State != "CANCELLED" || j.Counts["skipped"] != before.Counts["pending"] || j.Counts["updated"] != before.Counts["updated"] {
		t.Errorf("%+v, want it cancelled, and skipped what was pending of %+v", j, before)
	}
	c.release("made-1", ann, token)
	a := c.audit("source", "names")
	corrections := c.madeBy(map[string]reached{id: r.without("made-1"), a.Propagation: {0, map[string]int{"made-1": r.collections["made-1"]}}})
	if a.State != "COMPLETED" || corrections == 0 && a.Counts["updated"] != j.Counts["skipped"] || a.Counts["updated"]+a.Counts["unchanged"] != j.Total {
		t.Errorf("an audit after a cancelled job repaired %+v, want what was skipped of %+v", a, j)
	}
	c.check("cancelled and audited")
	c.auditAll()
	p.stop()
	checkStore(t, p)
}
