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

var small = TaskSettings{Window: 8, TasksAtOnce: 2}

// want holds a task against what it should be, and its counters against its items.
func (w *taskWorld) want(id persistence.EntityID, status bulk.Status, counts bulk.Counts) {
	w.t.Helper()
	s := w.task(id)
	if s.Status != status || s.Counts != counts {
		w.t.Errorf("%s is %s with %+v (%d wait), not %s with %+v", id.ID, s.Status, s.Counts, s.Waiting, status, counts)
	}
	var items bulk.Counts
	for _, o := range w.items(id) {
		switch o.State {
		case bulk.ItemPending:
			if s.Status.Open() {
				items.Pending++
			} else {
				items.Cancelled++
			}
		case fields.Updated:
			items.Updated++
		case fields.Unchanged:
			items.Unchanged++
		case fields.Skipped:
			items.Skipped++
		case fields.Failed:
			items.Failed++
		}
	}
	if items != s.Counts {
		w.t.Errorf("%s counts %+v, its items are %+v", id.ID, s.Counts, items)
	}
}

func TestEveryItemIsAppliedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.begin(small)
		defer func() { w.stop() }()
		first := w.accept("first", shelves(0, 3500), nil)
		for _, c := range []bulk.Command{&bulk.Pause{}, &bulk.Resume{}} {
			_ = w.command(first, c) // it may have ended
		}
		w.settle()
		w.want(taskID("first"), bulk.Complete, bulk.Counts{Updated: 3500})
		for name, s := range w.shelves {
			if len(s.asked) != 1 || s.version != 2 {
				t.Fatalf("%s was asked %d times, and is at version %d", name, len(s.asked), s.version)
			}
		}
		if w.top > small.Window {
			t.Errorf("%d items were under way at once, the window is %d", w.top, small.Window)
		}
		if w.counted["UPDATED"] != 3500 || w.endings["COMPLETE"] != 1 {
			t.Errorf("counted %v, ended %v", w.counted, w.endings)
		}
		if tally := w.driver.Tally(); tally != (TaskTally{}) || len(w.driver.lanes) != 0 {
			t.Errorf("left are %+v in %d lanes", tally, len(w.driver.lanes))
		}
	})
}

func TestTasksWithoutItemsAndDraftsAreNoTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.tasks[taskID("draft")] = &fakeTask{parts: map[string][]byte{}}
		var rows []bulk.Row
		for _, name := range shelves(0, bulk.ChunkRows) {
			rows = append(rows, bulk.Row{Collection: name})
		}
		w.must(taskID("draft"), &bulk.Stage{PerChunk: bulk.ChunkRows, Rows: rows})
		w.begin(small)
		defer func() { w.stop() }()
		w.settle()
		if s := w.task(taskID("draft")); s.Status != bulk.Draft || w.asks != 0 {
			t.Errorf("the draft is %s, %d commands", s.Status, w.asks)
		}
	})
}

func TestRowsThatHaveFailedBeforeTheyBeganAreNotAskedOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.begin(small)
		defer func() { w.stop() }()
		id := w.acceptRows(taskID("t"), []bulk.Row{{Collection: "a"}, {Key: `"x"`, Code: "not-found", Why: "no such key"},
			{Collection: "b", Value: []byte(`{"n":`)}, {Collection: "c", Value: []byte(`{"n":1}`)}}, nil, sound)
		w.settle()
		w.want(id, bulk.Complete, bulk.Counts{Updated: 2, Failed: 2})
		items := w.items(id)
		if items[1].Code != "not-found" || items[1].Message != "no such key" || items[2].Code != "invalid" || w.shelves["b"].asked != nil {
			t.Errorf("items %+v", items)
		}
	})
}

// TestWhatCannotBeReadFailsAndEnds has stored garbage in the place of what a task needs.
func TestWhatCannotBeReadFailsAndEnds(t *testing.T) {
	for title, c := range map[string]struct {
		spoil        func(*fakeTask)
		instructions string
		unread       func(string) error
		code         problem.Code
	}{
		"instructions that are none":    {instructions: `[{"type":"NONSENSE"}]`, code: problem.Invalid},
		"a request that is none":        {spoil: func(j *fakeTask) { j.parts[bulk.PartRequest] = []byte{0xFF, 0xFF} }, code: problem.Invalid},
		"a list that is none":           {spoil: func(j *fakeTask) { j.parts[bulk.ChunkPart(0)] = []byte{0xFF, 0xFF} }, code: problem.Internal},
		"a list that is not there":      {spoil: func(j *fakeTask) { delete(j.parts, bulk.ChunkPart(0)) }, code: problem.Internal},
		"a request that cannot be read": {unread: func(string) error { return errors.New("the disk is gone") }, code: problem.Internal},
	} {
		t.Run(title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTaskWorld(t)
				w.unread = c.unread
				if c.instructions == "" {
					c.instructions = sound
				}
				id := w.acceptRows(taskID("t"), []bulk.Row{{Collection: "a"}, {Collection: "b"}}, nil, c.instructions)
				if c.spoil != nil {
					c.spoil(w.tasks[id])
				}
				w.begin(small)
				defer func() { w.stop() }()
				w.settle()
				w.want(id, bulk.Complete, bulk.Counts{Failed: 2})
				if items := w.items(id); items[0].Code != string(c.code) || items[0].Message == "" || len(w.shelves["a"].asked) > 0 {
					t.Errorf("items %+v", items)
				}
			})
		})
	}
}

func TestTroubleIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.shelf("c00001").fails = -1
		w.shelf("c00002").fails = itemMaxFailures - 1
		w.shelf("c00003").busy = -1
		w.shelf("c00004").busy = itemMaxBusy - 1
		w.shelf("c00005").moment = 3
		w.shelf("c00006").moment = 30
		w.shelf("c00007").deleted = true
		w.begin(small)
		defer func() { w.stop() }()
		id := w.accept("t", shelves(0, 20), nil)
		sleep(10 * time.Minute)
		w.settle()
		w.want(id, bulk.Complete, bulk.Counts{Updated: 17, Failed: 3})
		items := w.items(id)
		if items[1].Code != "internal" || items[3].Code != "overloaded" || items[7].Code != "not-found" {
			t.Errorf("items %+v", items)
		}
		if asked := len(w.shelves["c00003"].asked); asked != itemMaxBusy {
			t.Errorf("the busy one was asked %d times", asked)
		}
	})
}

func TestItemsThatAreLockedWaitAndTheRestGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.shelf("c00003").locked, w.shelf("c00007").locked = "bob", "eve"
		w.begin(small)
		defer func() { w.stop() }()
		id := w.accept("t", shelves(0, 50), nil)
		w.settle()
		w.want(id, bulk.InProgress, bulk.Counts{Updated: 48, Pending: 2})
		if s := w.task(id); s.Waiting != 2 || w.items(id)[3].Message != "bob" || w.driver.Tally() != (TaskTally{Waiting: 1, WaitingCollections: 2}) {
			t.Errorf("%d wait, %+v, %+v", s.Waiting, w.items(id)[3], w.driver.Tally())
		}
		asks := w.asks
		sleep(waitingRetryEvery / 4)
		if synctest.Wait(); w.asks != asks {
			t.Errorf("%d commands while nothing happens", w.asks-asks)
		}
		w.unlock("c00003")
		w.settle()
		w.want(id, bulk.InProgress, bulk.Counts{Updated: 49, Pending: 1})
		w.locked(func() { w.shelves["c00007"].locked = "" }) // and nobody says so
		sleep(2 * waitingRetryEvery)
		w.settle()
		w.want(id, bulk.Complete, bulk.Counts{Updated: 50})
		if n := w.driver.waits.count.Load(); n != 0 {
			t.Errorf("%d collections are still waited for", n)
		}
	})
}

func TestItemsThatAreLockedFailIfTheTaskSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.shelf("c00003").locked = "bob"
		w.begin(small)
		defer func() { w.stop() }()
		id := w.accept("t", shelves(0, 5), func(s *bulk.State) { s.OnLocked = bulk.OnLockedFail })
		w.settle()
		w.want(id, bulk.Complete, bulk.Counts{Updated: 4, Failed: 1})
		if o := w.items(id)[3]; o.Code != "locked" || !strings.Contains(o.Message, "bob") {
			t.Errorf("%+v", o)
		}
	})
}

func TestATaskIsCancelledAtTheBorderOfAnItem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.slow = func() { sleep(10 * time.Millisecond) }
		w.shelf("c00002").locked = "bob"
		w.shelf("c00004").busy = -1
		w.begin(small)
		defer func() { w.stop() }()
		id := w.accept("t", shelves(0, 400), nil)
		sleep(105 * time.Millisecond)
		w.must(id, &bulk.Cancel{})
		w.settle()
		s, written := w.task(id), uint64(0)
		for _, shelf := range w.shelves {
			written += uint64(len(shelf.writers))
		}
		if written == 0 || written == 398 || s.Status != bulk.PartiallyCancelled {
			t.Errorf("%s, %d are written", s.Status, written)
		}
		w.want(id, bulk.PartiallyCancelled, bulk.Counts{Updated: written, Cancelled: 400 - written})
		if n := w.driver.waits.count.Load(); n != 0 {
			t.Errorf("%d collections are still waited for", n)
		}
	})
}

func TestATaskThatIsCancelledBeforeItsTurnWritesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		id := w.accept("t", shelves(0, 4), nil)
		w.must(id, &bulk.Cancel{})
		w.begin(small)
		defer func() { w.stop() }()
		w.settle()
		w.want(id, bulk.Cancelled, bulk.Counts{Cancelled: 4})
		if w.asks != 0 {
			t.Errorf("%d commands", w.asks)
		}
	})
}

func TestADryRunWritesNothingAndWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.shelf("c00002").locked = "bob"
		w.begin(small)
		defer func() { w.stop() }()
		old := w.accept("old", shelves(0, 10), nil)
		w.settle()
		w.must(old, &bulk.Pause{})
		look := w.accept("look", shelves(0, 10), func(s *bulk.State) { s.DryRun = true })
		w.settle()
		w.want(look, bulk.Complete, bulk.Counts{Updated: 10})
		if o := w.items(look)[2]; string(o.Diff) != "[]" || w.shelves["c00002"].version != 1 {
			t.Errorf("%+v", o)
		}
		w.inOrder("old")
	})
}

func TestItemsPerSecondAreSpreadOverTheSecond(t *testing.T) {
	for title, settings := range map[string]TaskSettings{"of the task": small, "of all": {Window: 8, TasksAtOnce: 2, ItemsPerSecondMax: 100}} {
		t.Run(title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTaskWorld(t)
				w.begin(settings)
				defer func() { w.stop() }()
				id := w.accept("t", shelves(0, 1000), func(s *bulk.State) {
					if settings.ItemsPerSecondMax == 0 {
						s.PerSecond = 100
					}
				})
				for tenth := 1; tenth <= 20; tenth++ {
					sleep(100 * time.Millisecond)
					synctest.Wait()
					written := 0
					w.locked(func() {
						for _, s := range w.shelves {
							written += len(s.writers)
						}
					})
					if written < 10*tenth-2 || written > 10*tenth+4 {
						t.Errorf("after %d00 ms %d items are written", tenth, written)
					}
				}
				sleep(9 * time.Second)
				w.settle()
				w.want(id, bulk.Complete, bulk.Counts{Updated: 1000})
			})
		})
	}
}

// TestTasksMakeWay: beside others items go in bursts, each followed by a rest as long as it took.
func TestTasksMakeWay(t *testing.T) {
	const bursts, took = 5, 10 * time.Millisecond
	settings := TaskSettings{Window: 2 * politeItems, TasksAtOnce: 1}
	for others, want := range map[int64]struct {
		width int
		time  time.Duration
	}{1: {politeItems, (2*bursts - 1) * took}, 0: {2 * politeItems, 3 * took}} {
		synctest.Test(t, func(t *testing.T) {
			w := newTaskWorld(t)
			w.slow = func() { sleep(took) }
			w.others = others
			w.begin(settings)
			defer func() { w.stop() }()
			begun := time.Now()
			id := w.accept("t", shelves(0, bursts*politeItems), nil)
			for w.task(id).Counts.Updated == 0 {
				sleep(time.Millisecond)
			}
			if took := time.Since(begun); took < want.time {
				t.Errorf("beside %d others it took %v, not %v at least", others, took, want.time)
			}
			w.settle()
			if w.top != want.width {
				t.Errorf("beside %d others %d items were under way at once, not %d", others, w.top, want.width)
			}
			w.want(id, bulk.Complete, bulk.Counts{Updated: bursts * politeItems})
		})
	}
}

func TestProvidersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.slow = func() { sleep(10 * time.Millisecond) }
		w.begin(TaskSettings{Window: 8, TasksAtOnce: 1, Slice: time.Second})
		defer func() { w.stop() }()
		long := w.accept("long", shelves(0, 8000), nil) // ten seconds
		sleep(100 * time.Millisecond)
		other := persistence.EntityID{Kind: persistence.KindBulk, Provider: "q", ID: "short"}
		w.acceptRows(other, []bulk.Row{{Collection: "x"}, {Collection: "y"}}, nil, sound)
		sleep(1500 * time.Millisecond)
		synctest.Wait()
		w.want(other, bulk.Complete, bulk.Counts{Updated: 2})
		if s := w.task(long); s.Status != bulk.InProgress {
			t.Errorf("the long one is %s", s.Status)
		}
		sleep(10 * time.Second)
		w.settle()
		w.want(long, bulk.Complete, bulk.Counts{Updated: 8000})
	})
}

func TestNamesAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		gone := w.accept("gone", shelves(0, 1), nil)
		w.must(gone, &bulk.Start{})
		w.must(gone, &bulk.Progress{Rows: []bulk.Outcome{{State: fields.Skipped}}})
		w.must(gone, &bulk.Finish{})
		w.names["gone"] = "gone"
		w.must(gone, &bulk.Expire{Due: w.task(gone).Expires})
		w.names["other"] = "other"
		other := w.accept("other", shelves(0, 3), nil)
		w.begin(small)
		defer func() { w.stop() }()
		w.settle()
		if _, there := w.names["gone"]; there || w.task(gone).Name != "" {
			t.Errorf("names %v, the task has %q", w.names, w.task(gone).Name)
		}
		w.want(other, bulk.Complete, bulk.Counts{Updated: 3})
		if w.names["other"] != "other" {
			t.Errorf("names %v", w.names)
		}
	})
}

func TestTasksWithoutANameTakeNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.begin(small)
		defer func() { w.stop() }()
		id := w.accept("t", shelves(0, 1), func(s *bulk.State) { s.Name = "" })
		w.settle()
		w.want(id, bulk.Complete, bulk.Counts{Updated: 1})
		if s := w.task(id); s.Name != "1" || len(w.names) != 0 {
			t.Errorf("the task is called %q, the provider knows %v", s.Name, w.names)
		}
		w.must(id, &bulk.Expire{Due: w.task(id).Expires})
		w.settle()
		if name := w.task(id).Name; name != "" {
			t.Errorf("what has expired is called %q", name)
		}
	})
}
