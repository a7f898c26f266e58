package jobs

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"concord/actors/bulk"
)

// inOrder holds what each collection saw against the order of the tasks.
func (w *taskWorld) inOrder(tasks ...string) {
	w.t.Helper()
	for name, s := range w.shelves {
		last := -1
		for _, by := range s.writers {
			at := slices.Index(tasks, by)
			if at <= last {
				w.t.Errorf("%s was written by %v", name, s.writers)
			}
			last = at
		}
	}
}

func TestTasksApplyInTheOrderOfTheirAcceptance(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.slow = func() { sleep(time.Millisecond) }
		var tasks []string
		for i := range 5 {
			tasks = append(tasks, fmt.Sprintf("t%d", i))
			w.accept(tasks[i], shelves(20*i, 20*i+300), nil)
		}
		w.begin(small)
		defer func() { w.stop() }()
		w.settle()
		for _, name := range tasks {
			w.want(taskID(name), bulk.Complete, bulk.Counts{Updated: 300})
		}
		w.inOrder(tasks...)
	})
}

func TestAYoungerTaskGoesBesideAPausedOneUntilTheyMeet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.slow = func() { sleep(time.Millisecond) }
		w.begin(small)
		defer func() { w.stop() }()
		old := w.accept("old", shelves(0, 300), nil)
		sleep(10 * time.Millisecond)
		w.must(old, &bulk.Pause{})
		sleep(10 * time.Millisecond)
		free := w.accept("free", shelves(400, 450), nil)
		both := w.accept("both", append(shelves(500, 520), shelves(250, 350)...), nil)
		last := w.accept("last", shelves(600, 610), nil)
		look := w.accept("look", shelves(250, 260), func(s *bulk.State) { s.DryRun = true })
		w.settle()
		if s := w.task(old); s.Status != bulk.Paused || s.Counts.Updated == 0 || s.Counts.Updated > 250 {
			t.Fatalf("the old one: %s, %+v", s.Status, s.Counts)
		}
		w.want(free, bulk.Complete, bulk.Counts{Updated: 50})
		w.want(both, bulk.InProgress, bulk.Counts{Updated: 20, Pending: 100})
		w.want(last, bulk.Accepted, bulk.Counts{Pending: 10})
		w.want(look, bulk.Complete, bulk.Counts{Updated: 10})
		w.stop()
		w.begin(small) // it is the same after a restart
		w.settle()
		w.want(both, bulk.InProgress, bulk.Counts{Updated: 20, Pending: 100})
		w.must(old, &bulk.Resume{})
		w.settle()
		w.want(old, bulk.Complete, bulk.Counts{Updated: 300})
		w.want(both, bulk.Complete, bulk.Counts{Updated: 120})
		w.want(last, bulk.Complete, bulk.Counts{Updated: 10})
		w.inOrder("old", "free", "both", "last")
		if left := w.driver.room.left.Load(); left != orderMaxItems {
			t.Errorf("the lists keep %d items", orderMaxItems-left)
		}
	})
}

func TestAYoungerTaskGoesOnWhenTheOlderOneIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.shelf("c00005").locked = "bob"
		w.begin(small)
		defer func() { w.stop() }()
		old := w.accept("old", shelves(0, 10), nil)
		w.settle()
		young := w.accept("young", shelves(0, 10), nil)
		w.settle()
		w.want(old, bulk.InProgress, bulk.Counts{Updated: 9, Pending: 1})
		w.want(young, bulk.InProgress, bulk.Counts{Updated: 9, Pending: 1})
		w.must(old, &bulk.Cancel{})
		w.settle()
		w.want(old, bulk.PartiallyCancelled, bulk.Counts{Updated: 9, Cancelled: 1})
		w.want(young, bulk.InProgress, bulk.Counts{Updated: 9, Pending: 1})
		w.unlock("c00005")
		w.settle()
		w.want(young, bulk.Complete, bulk.Counts{Updated: 10})
		w.inOrder("old", "young")
	})
}

func TestAYoungerTaskWaitsBehindTheLockThatAnOlderOneWaitsFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.shelf("c00005").locked = "bob"
		w.begin(small)
		defer func() { w.stop() }()
		for _, name := range []string{"t0", "t1", "t2"} {
			w.accept(name, shelves(0, 10), nil)
		}
		w.settle()
		w.want(taskID("t2"), bulk.InProgress, bulk.Counts{Updated: 9, Pending: 1})
		if asked := w.shelves["c00005"].asked; slices.Contains(asked, "t1") || slices.Contains(asked, "t2") {
			t.Errorf("younger ones have asked: %v", asked)
		}
		w.unlock("c00005")
		w.settle()
		for _, name := range []string{"t0", "t1", "t2"} {
			w.want(taskID(name), bulk.Complete, bulk.Counts{Updated: 10})
		}
		w.inOrder("t0", "t1", "t2")
	})
}

func TestYoungerTasksWaitIfThereIsNoRoomForTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		old := w.accept("old", shelves(0, 200), nil)
		w.must(old, &bulk.Pause{})
		w.begin(small)
		defer func() { w.stop() }()
		w.driver.room.left.Store(100)
		w.settle()
		young := w.accept("young", shelves(900, 910), nil)
		w.settle()
		if s := w.task(young); s.Counts.Pending != 10 || w.driver.room.left.Load() != 100 {
			t.Errorf("%+v, room for %d", s.Counts, w.driver.room.left.Load())
		}
		w.must(old, &bulk.Cancel{})
		w.settle()
		w.want(young, bulk.Complete, bulk.Counts{Updated: 10})
	})
}
