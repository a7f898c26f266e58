package jobs

import (
	"testing"
	"testing/synctest"
	"time"

	"concord/actors/bulk"
)

// fill has a task run into a disk that has no room, with some of its items written.
func (w *taskWorld) fill(id string) {
	w.t.Helper()
	w.slow = func() { sleep(10 * time.Millisecond) }
	w.begin(small)
	w.accept(id, shelves(0, 1000), nil)
	sleep(300 * time.Millisecond)
	w.locked(func() { w.full = true })
	sleep(time.Hour)
	synctest.Wait()
	s := w.task(taskID(id))
	if s.Status != bulk.InProgress || s.Counts.Failed != 0 || s.Counts.Updated == 0 || s.Counts.Pending == 0 {
		w.t.Errorf("after an hour without room: %s with %+v", s.Status, s.Counts)
	}
	if tally := w.driver.Tally(); tally.Resting != 1 || tally.Running != 0 {
		w.t.Errorf("after an hour without room: %+v", tally)
	}
}

// TestATaskRestsWhileTheDiskHasNoRoom, for as long as that takes, and nothing fails for it.
func TestATaskRestsWhileTheDiskHasNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.fill("t")
		defer func() { w.stop() }()
		w.locked(func() { w.full = false })
		sleep(backOffMax + 100*time.Millisecond)
		synctest.Wait()
		if tally := w.driver.Tally(); tally.Resting != 0 {
			t.Errorf("with room again: %+v", tally)
		}
		sleep(5 * time.Second)
		w.settle()
		w.want(taskID("t"), bulk.Complete, bulk.Counts{Updated: 1000})
		for name, s := range w.shelves {
			if s.version != 2 {
				t.Fatalf("%s is at version %d", name, s.version)
			}
		}
	})
}

// TestATaskThatRestsAsksLittle: a few items try if there is room again.
func TestATaskThatRestsAsksLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.fill("t")
		defer func() { w.stop() }()
		w.locked(func() { w.asks = 0 })
		sleep(time.Minute)
		synctest.Wait()
		if most := small.Window * int(time.Minute/backOffMax+1); w.asks == 0 || w.asks > most {
			t.Errorf("%d commands in a minute, want at most %d", w.asks, most)
		}
	})
}

// TestATaskThatRestsIsCancelled there and then. What it has written by then is told, also if it could not be noted before for want of
// room.
func TestATaskThatRestsIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.fill("t")
		defer func() { w.stop() }()
		noted, written := w.task(taskID("t")).Counts.Updated, w.written()
		w.must(taskID("t"), &bulk.Cancel{})
		w.settle()
		w.want(taskID("t"), bulk.PartiallyCancelled, bulk.Counts{Updated: written, Cancelled: 1000 - written})
		if after := w.written(); noted > written || after != written {
			t.Errorf("%d items were noted, %d written, and %d after the cancel", noted, written, after)
		}
		if tally := w.driver.Tally(); tally != (TaskTally{}) {
			t.Errorf("left are %+v", tally)
		}
	})
}

// written is how many collections have been.
func (w *taskWorld) written() (n uint64) {
	w.locked(func() {
		for _, s := range w.shelves {
			if s.version > 1 {
				n++
			}
		}
	})
	return n
}
