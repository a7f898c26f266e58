package jobs

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"concord/actors/bulk"
	"concord/actors/fields"
	"concord/actors/problem"
	"concord/persistence"
)

// TestTroubleThatPassesIsForgotten: a store that fails once in a while does not make a long task fail.
func TestTroubleThatPassesIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		failed := map[string]bool{}
		w.unread = func(part string) error {
			if strings.HasPrefix(part, bulk.PartChunks) && !failed[part] {
				failed[part] = true
				return errors.New("the disk is slow")
			}
			return nil
		}
		w.begin(small)
		defer func() { w.stop() }()
		id := w.accept("t", shelves(0, (triesMax+2)*bulk.ChunkRows), nil)
		sleep(30 * time.Second)
		w.settle()
		w.want(id, bulk.Complete, bulk.Counts{Updated: (triesMax + 2) * bulk.ChunkRows})
	})
}

// TestLanesThatCannotReadMakeRoom: while where tasks stand cannot be read, a lane that is told to make room does not sleep until
// the slow retry.
func TestLanesThatCannotReadMakeRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.slow = func() { sleep(10 * time.Millisecond) }
		w.begin(TaskSettings{Window: 2, TasksAtOnce: 1, Slice: time.Second})
		defer func() { w.stop() }()
		w.accept("long", shelves(0, 8000), nil)
		sleep(900 * time.Millisecond)
		synctest.Wait()
		bad := 1 // once for the lane, not for the driver, which looks first
		w.headless = func(id persistence.EntityID) error {
			if id.ID != "more" {
				return nil
			}
			if bad++; bad == 3 {
				return errors.New("the disk is slow")
			}
			return nil
		}
		w.accept("more", shelves(9000, 9010), nil)
		other := persistence.EntityID{Kind: persistence.KindBulk, Provider: "q", ID: "short"}
		w.acceptRows(other, []bulk.Row{{Collection: "x"}, {Collection: "y"}}, nil, sound)
		sleep(12 * time.Second)
		synctest.Wait()
		w.want(other, bulk.Complete, bulk.Counts{Updated: 2})
	})
}

// TestALockThatEndsWhileTheStoreCannotBeRead is not forgotten until the slow retry.
func TestALockThatEndsWhileTheStoreCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.shelf("c00001").locked = "bob"
		w.begin(small)
		defer func() { w.stop() }()
		id := w.accept("t", shelves(0, 3), nil)
		w.settle()
		bad := true
		w.headless = func(persistence.EntityID) error {
			if bad {
				return errors.New("the disk is slow")
			}
			return nil
		}
		w.must(id, &bulk.Pause{})
		w.must(id, &bulk.Resume{})
		w.unlock("c00001")
		synctest.Wait()
		w.locked(func() { bad = false })
		sleep(2 * backOffMax)
		w.settle()
		w.want(id, bulk.Complete, bulk.Counts{Updated: 3})
	})
}

// TestOneRecordOfOutcomesIsBounded also counts what items are warned of.
func TestOneRecordOfOutcomesIsBounded(t *testing.T) {
	j := task{prefix: bulk.ProgressMaxItems}
	for range bulk.ProgressMaxItems {
		o := bulk.Outcome{State: fields.Updated}
		for range outcomeWarnings {
			o.Warnings = append(o.Warnings, problem.FieldError{Path: strings.Repeat("p", 400), Message: strings.Repeat("m", 400)})
		}
		j.ahead = append(j.ahead, slot{known: true, outcome: o})
	}
	p := j.progress()
	bytes := 0
	for _, o := range p.Rows {
		for _, w := range o.Warnings {
			bytes += len(w.Path) + len(w.Message)
		}
	}
	if len(p.Rows) == 0 || bytes > progressMaxBytes {
		t.Errorf("%d outcomes with %d bytes of warnings in one record", len(p.Rows), bytes)
	}
}

// TestWhatCameInAfterThePauseIsFreeForYoungerTasks: what a paused task has done by then is nothing that it has before it.
func TestWhatCameInAfterThePauseIsFreeForYoungerTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.slow = func() { sleep(50 * time.Millisecond) }
		w.begin(small)
		defer func() { w.stop() }()
		old := w.accept("old", shelves(0, 100), nil)
		sleep(10 * time.Millisecond)
		w.must(old, &bulk.Pause{})
		young := w.accept("young", shelves(0, small.Window), nil)
		sleep(time.Second)
		w.settle()
		w.want(old, bulk.Paused, bulk.Counts{Updated: uint64(small.Window), Pending: 100 - uint64(small.Window)})
		w.want(young, bulk.Complete, bulk.Counts{Updated: uint64(small.Window)})
		w.inOrder("old", "young")
	})
}

// TestNobodySpinsWhileATaskStarts: after a start that has failed, the lane waits for the answer to the next one, not for a time
// that is over.
func TestNobodySpinsWhileATaskStarts(t *testing.T) {
	now := time.Now()
	j := &task{state: &bulk.State{Status: bulk.Accepted}, telling: true, tellNext: now.Add(-time.Second)}
	if it, until, blocked := new(lane).take(t.Context(), j, now); it != nil || !until.IsZero() || blocked {
		t.Errorf("it comes back at %v, which is over", until)
	}
}
