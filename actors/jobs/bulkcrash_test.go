package jobs

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"concord/actors/bulk"
	"concord/persistence"
)

// TestACrashAtAnyStepOfATask kills the driver at each command that it delivers: before the command has reached its entity, and
// before its answer is back. A task that is to be done is done once; one that is cancelled meanwhile knows what it has written.
func TestACrashAtAnyStepOfATask(t *testing.T) {
	for _, mode := range []string{"goes on", "is cancelled before the restart", "is paused, and cancelled after it"} {
		for _, deaf := range []bool{true, false} {
			for at, over := 1, false; !over; at++ {
				synctest.Test(t, func(t *testing.T) { over = crashOfTask(t, mode, at, deaf) })
				if t.Failed() {
					t.Fatalf("the task %s, step %d, deaf %v", mode, at, deaf)
				}
			}
		}
	}
}

// crashOfTask runs a task with a crash at a step; over: it had no such step.
func crashOfTask(t *testing.T, mode string, at int, deaf bool) (over bool) {
	w := newTaskWorld(t)
	w.shelf("c00004").locked, w.shelf("c00009").locked = "bob", "bob"
	w.dieAt, w.dieDeaf = at, deaf
	w.begin(TaskSettings{Window: 3, TasksAtOnce: 1})
	id := w.accept("t", shelves(0, 12), nil)
	w.settle()
	w.unlock("c00009") // its item is come back to
	w.settle()
	over = w.asks < at
	w.stop()
	switch mode {
	case "is cancelled before the restart":
		w.must(id, &bulk.Cancel{})
	case "is paused, and cancelled after it":
		w.must(id, &bulk.Pause{})
	}
	w.dieAt = 0
	w.begin(TaskSettings{Window: 3, TasksAtOnce: 1})
	defer func() { w.stop() }()
	w.settle()
	if mode == "is paused, and cancelled after it" {
		w.must(id, &bulk.Cancel{})
		w.settle()
	}
	if mode == "goes on" {
		w.want(id, bulk.InProgress, bulk.Counts{Updated: 11, Pending: 1})
		w.unlock("c00004")
		w.settle()
		w.want(id, bulk.Complete, bulk.Counts{Updated: 12})
	}
	written := uint64(0)
	for i, name := range shelves(0, 12) {
		n := len(w.shelves[name].writers)
		written += uint64(n)
		if o := w.items(id)[i]; n > 1 || (n == 1) != (o.State == "UPDATED") {
			t.Errorf("%s was written %d times: %+v", name, n, o)
		}
	}
	if mode != "goes on" {
		status := bulk.PartiallyCancelled
		if written == 0 {
			status = bulk.Cancelled
		}
		w.want(id, status, bulk.Counts{Updated: written, Cancelled: 12 - written})
	}
	return over
}

// TestOlderTasksAreKnownBeforeYoungerOnes has more open tasks than are kept in memory.
func TestOlderTasksAreKnownBeforeYoungerOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		const many = 150
		w.openMax = 40
		var ids []persistence.EntityID
		for i := range many {
			ids = append(ids, w.accept(fmt.Sprintf("t%05d", i), []string{"a", "b"}, nil))
		}
		w.locked(func() { w.slow = func() { sleep(time.Microsecond) } })
		w.begin(small)
		defer func() { w.stop() }()
		w.driver.notes.mu.Lock()
		w.driver.notes.many = true // and so were the notes
		w.driver.notes.mu.Unlock()
		sleep(20 * time.Minute)
		synctest.Wait()
		for _, id := range ids {
			w.want(id, bulk.Complete, bulk.Counts{Updated: 2})
		}
		if !slices.IsSorted(w.shelves["a"].writers) || len(w.shelves["a"].writers) != many {
			t.Errorf("a was written %d times", len(w.shelves["a"].writers))
		}
	})
}

// TestALaneWaitsForAStoreThatCannotBeRead has the rows that wait unreadable for a while, and for ever.
func TestALaneWaitsForAStoreThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.shelf("c00001").locked = "bob"
		w.begin(small)
		old := w.accept("old", shelves(0, 3), nil)
		w.settle()
		w.stop()
		fails := 2
		w.unread = func(part string) error {
			if fails--; fails >= 0 {
				return persistence.ErrCorrupt
			}
			return nil
		}
		young := w.accept("young", shelves(0, 3), nil)
		w.begin(small)
		defer func() { w.stop() }()
		w.settle()
		if s := w.task(young); s.Counts.Pending != 3 {
			t.Errorf("the young one went on: %+v", s.Counts)
		}
		sleep(time.Minute)
		w.settle()
		w.want(old, bulk.InProgress, bulk.Counts{Updated: 2, Pending: 1})
		w.want(young, bulk.InProgress, bulk.Counts{Updated: 2, Pending: 1})
		w.locked(func() { w.unread = func(string) error { return persistence.ErrCorrupt } })
		w.stop()
		w.begin(small)
		sleep(2 * time.Minute)
		w.settle()
		w.want(old, bulk.Complete, bulk.Counts{Updated: 2, Failed: 1})
		w.want(young, bulk.Complete, bulk.Counts{Updated: 2, Failed: 1})
		w.inOrder("old", "young")
	})
}

// TestRowsThatWaitAndCannotBeReadFail has the list unreadable where one of three rows that wait stands: the task ends.
func TestRowsThatWaitAndCannotBeReadFail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		for _, name := range []string{"c00005", "c01005", "c02005"} {
			w.shelf(name).locked = "bob"
		}
		w.begin(small)
		id := w.accept("t", shelves(0, 2500), nil)
		w.settle()
		w.want(id, bulk.InProgress, bulk.Counts{Updated: 2497, Pending: 3})
		w.stop()
		w.unread = func(part string) error {
			if part == bulk.ChunkPart(2) {
				return persistence.ErrCorrupt
			}
			return nil
		}
		w.begin(small)
		defer func() { w.stop() }()
		sleep(2 * time.Minute)
		w.settle()
		w.want(id, bulk.Complete, bulk.Counts{Updated: 2497, Failed: 3})
	})
}
