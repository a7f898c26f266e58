package faults

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"concord/actors/lock/scenario"
	"concord/persistence/pebblestore"
)

// bulkItems is how many collections the tasks are about: 500 in `make check`, 100,000 in `make torture`.
func bulkItems() int { return count("CONCORD_BULK_ITEMS", 500) }

// bulkKills is how often the process is killed: 8 times in `make check`, 100 in `make torture`.
func bulkKills() int { return max(8, count("CONCORD_KILL_CYCLES", 0)/3) }

const (
	bulkKillMaxMs  = 150
	bulkWriters    = 2
	bulkLockers    = 2
	bulkHeldMax    = 3 // locks of one locker
	bulkCancelsMax = 2
	bulkAskedMax   = 500 // collections that the service is asked about; all are looked up in its store
)

// TestBulkSurvivesKills kills the process while tasks that overlap run, are paused, resumed and cancelled, and others write and lock
// the same collections. Every task ends; each of its items has come out in one way, and that is what the collection says, too:
// one version or none, in the order of the tasks, and nothing of others is lost.
func TestBulkSurvivesKills(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	s := newShelves(t, p.httpAddress)
	ids := idsOf("c", bulkItems())
	s.create(ids, empty)
	storm := &bulkStorm{s: s, ids: ids, rng: rand.New(rand.NewPCG(11, 12)), tasks: map[string]string{}}
	crowd := newCrowd(s, ids)
	for n := range bulkKills() {
		storm.submit()
		crowd.busy.Store(n%2 == 1)
		storm.control()
		for range 1 + n%2 {
			<-time.After(time.Duration(storm.rng.IntN(bulkKillMaxMs)) * time.Millisecond) // the moment of the fault
			p.kill()
			p.start()
		}
		if t.Failed() {
			break
		}
	}
	crowd.leave()
	storm.calm()
	a := storm.account()
	storm.judge(a, s, crowd, ids[:min(len(ids), bulkAskedMax)])
	s.stop(p)
	withStore(t, p, func(store *pebblestore.Store) {
		view := store.View()
		storm.judge(a, &stacks{t, view}, crowd, ids)
		if err := view.Close(); err != nil {
			t.Error(err)
		}
		verify(t, store)
	})
}

// bulkStorm asks for tasks, and stops and cancels them.
type bulkStorm struct {
	s       *shelves
	ids     []string
	rng     *rand.Rand
	tasks   map[string]string // their marks
	order   []string
	cancels int
	retries int
}

// submit asks for the next task, over many of the collections.
func (b *bulkStorm) submit() {
	b.s.t.Helper()
	n := len(b.order)
	mark := fmt.Sprintf("t%d", n)
	some := slices.Clone(b.ids)
	b.rng.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	some = some[:len(some)/2+b.rng.IntN(len(some)/2)]
	var task bulkTask
	switch n % 6 {
	case 0:
		task = b.s.submit(marking(mark, some))
	case 1:
		task = b.s.submit(marking(mark, some, `"onLocked":"fail"`))
	case 2:
		task = b.s.submit(`{"name":"all","targets":{"all":true},"instructions":` + marks(mark) + `}`)
	case 3:
		var lines bytes.Buffer
		for _, id := range some {
			fmt.Fprintf(&lines, `{"id":%q,"value":{"mark":%q}}`+"\n", id, mark)
		}
		task = b.s.submit(`{"targets":{"upload":"` + b.s.upload(lines.Bytes()) +
			`"},"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/Log","valueFrom":"/mark","distinct":false}]}`)
	case 4:
		task = b.s.submit(marking(mark, some), "dryRun")
	default:
		task = b.s.submit(marking(mark, append(idsOf("missing", 5), some...)))
	}
	b.tasks[task.Task] = mark
	b.order = append(b.order, task.Task)
	if task.Number != uint64(len(b.order)) {
		b.s.t.Errorf("task %d is the %d. that was accepted", task.Number, len(b.order))
	}
}

// control stops tasks, has them go on, and cancels a few.
func (b *bulkStorm) control() {
	for _, id := range b.order {
		verb := ""
		switch draw := b.rng.IntN(12); {
		case draw < 2:
			verb = "bulk.pause"
		case draw < 7:
			verb = "bulk.resume"
		case draw == 7 && b.cancels < bulkCancelsMax && b.s.task(id).Counts["pending"] > 0:
			b.cancels++
			verb = "bulk.cancel"
		default:
			continue
		}
		if r := b.s.ask(call{op: verb, id: id}); r.code != "" && r.code != "wrong-state" {
			b.s.t.Errorf("%s: %s", verb, r.text)
		}
	}
}

// calm has all tasks go on to their ends, and what has failed done again.
func (b *bulkStorm) calm() {
	b.s.t.Helper()
	for _, id := range b.order {
		b.s.ask(call{op: "bulk.resume", id: id}) // refused if it has ended
	}
	for _, id := range slices.Clone(b.order) {
		if task := b.s.end(id); task.Counts["failed"] == 0 || task.DryRun {
			continue
		}
		again := b.s.taskIn(b.s.must(call{op: "bulk.retry", id: id, raw: []byte(`{}`)}))
		b.tasks[again.Task] = b.tasks[id]
		b.order = append(b.order, again.Task)
		b.retries++
	}
}

// account is what the tasks say that they did, each item in one of the ways that it may come out.
func (b *bulkStorm) account() *account {
	b.s.t.Helper()
	a := b.s.accountOf(b.tasks)
	updated := uint64(0)
	for _, id := range b.order {
		task := a.tasks[id]
		b.s.t.Logf("task %d: %s %v", task.Number, task.State, task.Counts)
		if !task.DryRun {
			updated += task.Counts["updated"]
		}
	}
	for id, items := range a.said {
		for task, item := range items {
			missing := len(id) > 7 && id[:7] == "missing"
			switch {
			case item.State == "FAILED" && item.Code != "locked" && (!missing || item.Code != "not-found"),
				item.State == "PENDING", item.State == "UNCHANGED", item.State == "SKIPPED", missing && item.State == "UPDATED":
				b.s.t.Errorf("%s: task %d: %+v", id, a.tasks[task].Number, item)
			}
		}
	}
	b.s.t.Logf("%d items updated, %d cancels, %d retries", updated, b.cancels, b.retries)
	if updated < uint64(len(b.ids)) {
		b.s.t.Error("too quiet a test to prove anything")
	}
	return a
}

// judge holds collections against what the tasks and the crowd say.
func (b *bulkStorm) judge(a *account, from library, crowd *crowd, ids []string) {
	b.s.t.Helper()
	b.s.each(ids, func(id string) {
		if others := a.judge(from, id); others != 1+crowd.wrote(id) {
			b.s.t.Errorf("%s: %d versions are of others, want %d", id, others, 1+crowd.wrote(id))
		}
		if got, want := string(from.shelf(id).Documents["w"]), crowd.written(id); got != want {
			b.s.t.Errorf("%s: the last write was %s, and there is %s", id, want, got)
		}
	})
	b.s.t.Logf("%d collections are as the tasks say, and %d writes, beside %d locks", len(ids), crowd.writes.Load(), crowd.locks.Load())
	if crowd.writes.Load() == 0 || crowd.locks.Load() == 0 {
		b.s.t.Error("too quiet a test to prove anything")
	}
}

// crowd are those who write and lock collections while tasks run.
type crowd struct {
	s      *shelves
	busy   atomic.Bool // else they do nothing for a while
	stop   chan struct{}
	all    sync.WaitGroup
	writes atomic.Int64
	locks  atomic.Int64

	mu   sync.Mutex
	last map[string]uint64 // writes of a collection
}

func newCrowd(s *shelves, ids []string) *crowd {
	c := &crowd{s: s, stop: make(chan struct{}), last: map[string]uint64{}}
	for n := range bulkWriters {
		c.all.Go(func() { c.write(ids, n) })
	}
	for n := range bulkLockers {
		c.all.Go(func() { c.lock(ids, n) })
	}
	return c
}

// next says, after a moment, if there is more to do.
func (c *crowd) next() bool {
	for {
		select {
		case <-c.stop:
			return false
		case <-time.After(bulkPause):
		}
		if c.busy.Load() {
			return true
		}
	}
}

// write writes collections that no other writer writes.
func (c *crowd) write(ids []string, n int) {
	rng := rand.New(rand.NewPCG(uint64(n), 13))
	for c.next() {
		id := ids[rng.IntN(len(ids)/bulkWriters)*bulkWriters+n]
		r := c.s.ask(call{op: "document.put", id: id, inner: "w", raw: []byte(`{"value":` + numbered(c.wrote(id)+1) + `}`)})
		switch r.code {
		case "":
			c.mu.Lock()
			c.last[id]++
			c.mu.Unlock()
			c.writes.Add(1)
		case "locked":
		default:
			c.s.t.Errorf("write %s: %s", id, r.text)
			return
		}
	}
}

// lock holds locks for a while.
func (c *crowd) lock(ids []string, n int) {
	type held struct{ id, token string }
	var list []held
	rng := rand.New(rand.NewPCG(uint64(n), 17))
	who := scenario.Party{Principal: fmt.Sprintf("locker%d", n), Session: "s"}
	release := func(keep int) {
		for ; len(list) > keep; list = list[1:] {
			if r := c.s.ask(call{op: "lock.release", id: list[0].id, by: who, token: list[0].token}); r.code != "" {
				c.s.t.Errorf("release %s: %s", list[0].id, r.text)
			}
		}
	}
	for c.next() {
		id := ids[rng.IntN(len(ids))]
		if slices.ContainsFunc(list, func(h held) bool { return h.id == id }) {
			continue
		}
		r := c.s.ask(call{op: "lock.acquire", id: id, by: who, body: map[string]any{"ttl": 600}})
		if token, _ := r.body["token"].(string); token != "" {
			list = append(list, held{id, token})
			c.locks.Add(1)
		} else if r.code != "locked" {
			c.s.t.Errorf("lock %s: %s", id, r.text)
		}
		release(bulkHeldMax)
	}
	release(0)
}

// leave has all end, and give their locks back.
func (c *crowd) leave() {
	close(c.stop)
	c.all.Wait()
}

// wrote is how often a collection was written.
func (c *crowd) wrote(id string) uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last[id]
}

// written is what the last write has left.
func (c *crowd) written(id string) string {
	if n := c.wrote(id); n > 0 {
		return numbered(n)
	}
	return ""
}
