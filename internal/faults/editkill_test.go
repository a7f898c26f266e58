package faults

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"
)

// editRecords is how many records the sessions are about: 120 in `make check`, 100,000 in `make torture`.
func editRecords() int { return count("CONCORD_EDIT_RECORDS", 120) }

// editKills is how often the process is killed: 8 times in `make check`, 100 in `make torture`.
func editKills() int { return max(8, count("CONCORD_KILL_CYCLES", 0)/3) }

const (
	editKillMaxMs = 200
	editAsks      = 2   // of each person, between two kills
	editJudgedMax = 300 // records whose whole histories are read
	editRunsMax   = 40  // of a session, after which it is left alone
)

// TestEditSurvivesKills kills the process while two people have sessions over records that overlap: they apply steps, take them
// back, also in the middle of one, and bring them back, while others write and lock the same records. What a request was told
// is so: a repeat under its key makes no second run. Every run ends, and is what the histories of the records say; nothing of
// others is lost; and what nobody else has touched is in the end what it was, byte for byte.
func TestEditSurvivesKills(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	s := newShelves(t, p.httpAddress)
	ids := idsOf("c", editRecords())
	s.create(ids, empty)
	third := len(ids) / 3
	crowd := newCrowd(s, ids[third:]) // ann alone has the first third
	storm := &editStorm{s: s, people: []*restless{newRestless(s.openDesk(ann, overIDs(ids[:2*third])), 71), newRestless(s.openDesk(bob, overIDs(ids[third:])), 72)}}
	for n := range editKills() {
		crowd.busy.Store(n%3 != 2)
		var asked sync.WaitGroup
		for _, who := range storm.people {
			asked.Go(who.ask)
		}
		<-time.After(time.Duration(rand.IntN(editKillMaxMs)) * time.Millisecond) // the moment of the fault
		p.kill()
		p.start()
		asked.Wait()
		if t.Failed() {
			break
		}
	}
	crowd.leave()
	storm.finish()
	storm.judge(ids, crowd, third)
	s.stop(p)
	checkStore(t, p)
}

// editStorm is people who have their sessions do things at random.
type editStorm struct {
	s      *shelves
	people []*restless
}

// restless is one of them.
type restless struct {
	*desk
	rng     *rand.Rand
	answers map[string]int
}

func newRestless(k *desk, seed uint64) *restless {
	return &restless{k, rand.New(rand.NewPCG(seed, 73)), map[string]int{}}
}

// draw is something to be done.
func (e *restless) draw(marked string) (verb, body string) {
	switch e.rng.IntN(10) {
	case 0, 1, 2:
		return "apply", stepOf(marked)
	case 3:
		return "apply", `{"onLocked":"fail","instructions":` + marks(marked) + `}`
	case 4:
		return "preview", stepOf(marked)
	case 5, 6:
		return "rollback", `{"to":"previous"}`
	case 7:
		return "rollback", `{"to":"initial","onLocked":"fail"}`
	case 8:
		return "redo", `{"onLocked":"fail"}`
	}
	return "cancel", ""
}

// ask has the session do things, one after another, and each of them again under its key: it has done it once.
func (e *restless) ask() {
	for range editAsks {
		if len(e.look().Runs) > editRunsMax {
			return
		}
		key := e.key()
		verb, body := e.draw(key)
		first := e.do(verb, body, key)
		e.answers[verb+" "+first.code]++
		if first.code != "" && !slices.Contains([]string{"wrong-state", "cannot-undo", "deadline"}, first.code) {
			e.s.t.Errorf("%s %s: %s", verb, body, first.text)
		}
		if first.code != "" || verb == "cancel" {
			continue
		}
		runs := len(e.look().Runs)
		if again := e.do(verb, body, key); again.code != "" || len(e.look().Runs) != runs {
			e.s.t.Errorf("%s again: %s; %d runs, and were %d", verb, again.text, len(e.look().Runs), runs)
		}
	}
}

// finish has all go back to the start, as far as nobody else has written.
func (e *editStorm) finish() {
	e.s.t.Helper()
	for _, k := range slices.Backward(e.people) { // bob's first: what he takes back is in ann's way no more, but for what stands below
		d := k.rests()
		e.s.t.Logf("%s has made %d runs, and is at %v, %s: %v", k.by.Principal, len(d.Runs), d.Path, d.State, k.answers)
		r := k.do("rollback", `{"to":"initial"}`, k.key())
		if r.code != "" && (r.code != "cannot-undo" || len(d.Path) > 0) {
			e.s.t.Fatalf("back to the start of %s: %s", k.by.Principal, r.text)
		}
		if d = k.rests(); len(d.Path) > 0 {
			e.s.t.Errorf("%s is not at the start: %+v", k.by.Principal, d)
		}
	}
}

// judge holds what the sessions say against the records.
func (e *editStorm) judge(ids []string, crowd *crowd, alone int) {
	e.s.t.Helper()
	diaries := make([]*diary, len(e.people))
	for i, k := range e.people {
		diaries[i] = diaryOf(k.desk)
	}
	judged := ids
	if len(ids) > editJudgedMax { // some of each third
		judged = slices.Concat(ids[:editJudgedMax/3], ids[alone:alone+editJudgedMax/3], ids[len(ids)-editJudgedMax/3:])
	}
	counts := make(chan [2]int, len(judged))
	e.s.each(judged, func(id string) {
		history := e.s.versions(id)
		back, skipped := 0, 0
		for _, d := range diaries {
			b, k := d.judge(id, history)
			back, skipped = back+b, skipped+k
		}
		counts <- [2]int{back, skipped}
		if got, want := string(e.s.shelf(id).Documents["w"]), crowd.written(id); got != want {
			e.s.t.Errorf("%s: the last write was %s, and there is %s", id, want, got)
		}
	})
	close(counts)
	back, skipped := 0, 0
	for c := range counts {
		back, skipped = back+c[0], skipped+c[1]
	}
	now := e.s.contents(ids[:alone])
	for _, id := range ids[:alone] {
		if want := e.s.content(id, 1); now[id] != want {
			e.s.t.Errorf("%s, which ann alone has, is %s, and was %s", id, clip(now[id]), clip(want))
		}
	}
	e.s.t.Logf("%d records: %d times taken back, %d times skipped; %d writes and %d locks of others", len(judged), back, skipped, crowd.writes.Load(), crowd.locks.Load())
	if back < min(alone, editJudgedMax/3) || crowd.writes.Load() == 0 || crowd.locks.Load() == 0 {
		e.s.t.Error("too quiet a test to prove anything")
	}
}

// pair is a service with two people, and records.
func pair(t *testing.T, records int, variables ...string) (*process, *shelves, []string) {
	t.Helper()
	p := startProcess(t, variables...)
	s := newShelves(t, p.httpAddress)
	ids := idsOf("r", records)
	s.create(ids, func(id string) string {
		return fmt.Sprintf(`{"metadata":{"Log":["first"],"n":1.00},"documents":{"d":{ "title" : %q, "n": 75e-1 }}}`, id)
	})
	return p, s, ids
}
