package jobs

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"concord/actors/bulk"
	"concord/actors/problem"
	"concord/actors/undo"
	"concord/persistence"
)

// undone has a task begin that takes back the first version that another has written of each collection.
func (w *taskWorld) undone(name, of string, collections []string, change func(*bulk.State)) persistence.EntityID {
	w.t.Helper()
	rows := make([]bulk.Row, len(collections))
	for i, c := range collections {
		rows[i] = bulk.Row{Collection: c, Undo: []undo.Span{{Before: 1, After: 2}}}
	}
	return w.acceptRows(taskID(name), rows, func(s *bulk.State) {
		s.UndoOf = of
		if change != nil {
			change(s)
		}
	}, "")
}

// TestATaskIsTakenBack as far as nobody has written since; the task hears of it. What is replaced is kept for as long as each task
// says.
func TestATaskIsTakenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.begin(small)
		defer func() { w.stop() }()
		week := time.Now().Add(7 * 24 * time.Hour)
		first := w.accept("first", shelves(0, 5), func(s *bulk.State) { s.Pinned = week })
		w.settle()
		w.locked(func() { w.shelf("c00003").version++ })
		back := w.undone("back", "first", shelves(0, 5), func(s *bulk.State) { s.Pinned = week.Add(time.Hour) })
		w.settle()
		w.want(back, bulk.Complete, bulk.Counts{Updated: 4, Skipped: 1})
		if o := w.items(back)[3]; o.Code != string(problem.VersionConflict) || o.Message != "the newest version is by bob" {
			t.Errorf("what others have written: %+v", o)
		}
		if o := w.items(back)[0]; o.VersionBefore != 2 || o.VersionAfter != 3 || o.Kept != fakeKept {
			t.Errorf("what was taken back: %+v", o)
		}
		if pins := w.shelves["c00000"].pins; !slices.EqualFunc(pins, []time.Time{week, week.Add(time.Hour)}, time.Time.Equal) {
			t.Errorf("what is replaced is kept until %v", pins)
		}
		if s := w.task(first); s.UndoneBy != "back" || s.KeptBytes != 5*fakeKept || w.task(back).KeptBytes != 4*fakeKept {
			t.Errorf("taken back by %q, %d and %d bytes are kept", s.UndoneBy, s.KeptBytes, w.task(back).KeptBytes)
		}
	})
}

// TestWhoHearsOfARollBack: of one that is only tried nobody does, nor of one that has expired itself, nor of a retry, which has a
// part of the items.
func TestWhoHearsOfARollBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.begin(small)
		defer func() { w.stop() }()
		first := w.accept("first", shelves(0, 3), func(s *bulk.State) { s.Pinned = time.Now().Add(time.Hour) })
		w.settle()
		dry := w.undone("dry", "first", shelves(0, 3), func(s *bulk.State) { s.DryRun, s.Pinned = true, time.Now().Add(time.Hour) })
		w.settle()
		w.want(dry, bulk.Complete, bulk.Counts{Updated: 3})
		if s := w.shelves["c00001"]; s.version != 2 || len(s.pins) != 1 || w.task(first).UndoneBy != "" || w.task(dry).KeptBytes != 0 {
			t.Errorf("a dry run leaves version %d, %d pins, taken back by %q", s.version, len(s.pins), w.task(first).UndoneBy)
		}
		again := w.undone("again", "first", shelves(0, 1), func(s *bulk.State) { s.RetryOf = "back" })
		w.settle()
		w.want(again, bulk.Complete, bulk.Counts{Updated: 1})
		if by := w.task(first).UndoneBy; by != "" {
			t.Errorf("taken back by %q", by)
		}
		late := w.undone("late", "gone", shelves(1, 3), nil)
		w.settle()
		w.want(late, bulk.Complete, bulk.Counts{Updated: 2})
		w.settle()
	})
}

// TestNoRollBackBeginsUnknown: while the task that it takes back cannot be told, nothing is taken back, also not after a crash; a
// roll-back that has ended is known.
func TestNoRollBackBeginsUnknown(t *testing.T) {
	for _, crash := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newTaskWorld(t)
			w.begin(small)
			defer func() { w.stop() }()
			first := w.accept("first", shelves(0, 3), nil)
			w.settle()
			w.locked(func() { w.untold = true })
			back := w.undone("back", "first", shelves(0, 3), nil)
			beside := w.accept("beside", shelves(3, 5), nil)
			w.settle()
			if crash {
				w.stop()
				w.begin(small)
				w.settle()
			}
			w.want(back, bulk.Accepted, bulk.Counts{Pending: 3})
			w.want(beside, bulk.Accepted, bulk.Counts{Pending: 2})
			if n := len(w.shelves["c00000"].asked); n != 1 {
				t.Errorf("a collection was asked %d times", n)
			}
			w.locked(func() { w.untold = false })
			sleep(2 * backOffMax)
			w.settle()
			w.want(back, bulk.Complete, bulk.Counts{Updated: 3})
			w.want(beside, bulk.Complete, bulk.Counts{Updated: 2})
			if by := w.task(first).UndoneBy; by != "back" {
				t.Errorf("crash %v: taken back by %q", crash, by)
			}
		})
	}
}

// TestARollBackIsKnownWhateverFails before it begins.
func TestARollBackIsKnownWhateverFails(t *testing.T) {
	for refusals := range 5 {
		synctest.Test(t, func(t *testing.T) {
			w := newTaskWorld(t)
			w.begin(small)
			defer func() { w.stop() }()
			first := w.accept("first", shelves(0, 3), nil)
			w.settle()
			w.locked(func() { w.refusals = refusals })
			back := w.undone("back", "first", shelves(0, 3), nil)
			sleep(2 * backOffMax)
			w.settle()
			w.want(back, bulk.Complete, bulk.Counts{Updated: 3})
			if by := w.task(first).UndoneBy; by != "back" {
				t.Errorf("after %d refusals it is taken back by %q", refusals, by)
			}
		})
	}
}

// TestARetryOfARollBackIsKnown where it stands for the roll-back: that has left nothing but what the retry does, and is the newest.
func TestARetryOfARollBackIsKnown(t *testing.T) {
	for name, row := range map[string]struct {
		newest   string // the roll-back that the task knows of
		conflict bool
		want     string
	}{
		"all that is left has failed":   {"back", false, "again"},
		"it has skipped some":           {"back", true, "back"},
		"another one has come after it": {"later", false, "later"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := newTaskWorld(t)
			w.begin(small)
			defer func() { w.stop() }()
			first := w.accept("first", shelves(0, 3), nil)
			w.settle()
			w.locked(func() {
				w.shelf("c00000").deleted = true
				if row.conflict {
					w.shelf("c00001").version++
				}
			})
			w.undone("back", "first", shelves(0, 3), nil)
			w.settle()
			w.must(first, &bulk.Undone{By: row.newest})
			w.locked(func() { w.shelf("c00000").deleted = false })
			again := w.undone("again", "first", shelves(0, 1), func(s *bulk.State) { s.RetryOf = "back" })
			w.settle()
			w.want(again, bulk.Complete, bulk.Counts{Updated: 1})
			if by := w.task(first).UndoneBy; by != row.want {
				t.Errorf("%s: taken back by %q, not by %q", name, by, row.want)
			}
		})
	}
}

// TestACrashAtAnyStepOfARollBack: it takes back once, and the task that it takes back hears of it, whoever has made it.
func TestACrashAtAnyStepOfARollBack(t *testing.T) {
	for _, deaf := range []bool{true, false} {
		for at, over := 1, false; !over; at++ {
			synctest.Test(t, func(t *testing.T) { over = crashOfRollBack(t, at, deaf) })
			if t.Failed() {
				t.Fatalf("step %d, deaf %v", at, deaf)
			}
		}
	}
}

// crashOfRollBack runs a roll-back with a crash at a step; over: it had no such step.
func crashOfRollBack(t *testing.T, at int, deaf bool) (over bool) {
	w := newTaskWorld(t)
	w.begin(TaskSettings{Window: 3, TasksAtOnce: 1})
	first := w.accept("first", shelves(0, 6), nil)
	w.settle()
	w.locked(func() { w.shelf("c00002").locked, w.shelf("c00004").version = "bob", 9 })
	w.stop()
	w.asks, w.dieAt, w.dieDeaf = 0, at, deaf
	w.begin(TaskSettings{Window: 3, TasksAtOnce: 1})
	back := w.undone("back", "first", shelves(0, 6), nil)
	w.settle()
	over = w.asks < at
	w.stop()
	w.dieAt = 0
	w.begin(TaskSettings{Window: 3, TasksAtOnce: 1})
	defer func() { w.stop() }()
	w.settle()
	w.want(back, bulk.InProgress, bulk.Counts{Updated: 4, Skipped: 1, Pending: 1})
	w.unlock("c00002")
	w.settle()
	w.want(back, bulk.Complete, bulk.Counts{Updated: 5, Skipped: 1})
	for i, name := range shelves(0, 6) {
		if n, o := len(w.shelves[name].writers), w.items(back)[i]; i != 4 && (n != 2 || o.VersionAfter != 3) || i == 4 && n != 1 {
			t.Errorf("%s was written %d times: %+v", name, n, o)
		}
	}
	if by := w.task(first).UndoneBy; by != "back" {
		t.Errorf("taken back by %q", by)
	}
	return over
}
