package faults

import (
	"testing"
)

// TestBulkOrder has tasks meet in the same collections, each held up in another way: every collection sees them in the order of their
// numbers, and once.
func TestBulkOrder(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	s := newShelves(t, p.httpAddress)
	ids, apart := idsOf("c", 60), idsOf("apart", 10)
	s.create(append(ids[:60:60], apart...), empty)
	tasks := map[string]string{}
	ask := func(mark string, ids []string, more ...string) bulkTask {
		b := s.submit(marking(mark, ids, more...))
		tasks[b.Task] = mark
		return b
	}
	held := ids[7]
	token, _ := s.must(call{op: "lock.acquire", id: held, by: ann, body: map[string]any{"ttl": 600}}).body["token"].(string)

	slow := ask("slow", ids[:30], `"itemsPerSecond":40`)
	s.done(slow.Task, 3)
	young := ask("young", append(apart[:5:5], ids[:40]...))
	s.must(call{op: "bulk.pause", id: slow.Task})
	s.done(young.Task, 5) // those apart: the older one is paused, and does not have them before it
	younger := ask("younger", ids)
	s.must(call{op: "bulk.pause", id: younger.Task})
	youngest := ask("youngest", append(ids[20:60:60], apart...))
	s.must(call{op: "bulk.resume", id: slow.Task})
	s.await(slow.Task, "waits for the lock alone", func(b bulkTask) bool { return b.Counts["pending"] == 1 && b.WaitingForLocks == 1 })
	s.done(young.Task, young.Total-1)
	if b := s.task(young.Task); b.ended() {
		t.Errorf("a task has passed one that waits for a lock: %+v", b)
	}
	if b := s.task(youngest.Task); b.Counts["updated"] != 0 {
		t.Errorf("a task has passed one that is paused: %+v", b)
	}
	p.kill()
	p.start()
	s.must(call{op: "bulk.resume", id: younger.Task})
	s.end(youngest.Task)
	s.must(call{op: "lock.release", id: held, by: ann, token: token})
	l := s.accountOf(tasks)
	for _, b := range l.tasks {
		if b.State != "COMPLETE" || b.Counts["updated"] != b.Total {
			t.Errorf("not all is done: %+v", b)
		}
	}
	s.each(append(ids, apart...), func(id string) {
		if others := l.judge(s, id); others != 1 {
			t.Errorf("%s: %d versions are of others", id, others)
		}
	})
	s.stop(p)
	checkStore(t, p)
}
