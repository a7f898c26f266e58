package jobs

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"concord/actors/links"
	"concord/actors/propagation"
)

var start = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func timeStep(n int) time.Duration { return time.Duration(n) * time.Millisecond }

// sleep is the time of the bubble.
func sleep(d time.Duration) { time.Sleep(d) }

var few = Settings{Window: 3, JobsAtOnce: 2}

// want holds a job against what it should be.
func (w *world) want(s propagation.State, status propagation.Status, counts propagation.Counts) {
	w.t.Helper()
	if s.Status != status || s.Counts != counts {
		w.t.Errorf("the job is %s with %+v (waiting %d), not %s with %+v", s.Status, s.Counts, s.Waiting, status, counts)
	}
}

func TestEveryCollectionIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 1200 { // more than a chunk, and than one progress
			w.shelf(fmt.Sprintf("c%04d", i), 1+i%3)
		}
		w.shelf("empty", 0)
		w.begin(few)
		defer w.stop()
		id := w.request("j", links.ActionBaseURL, 2, "")
		w.settle()
		s := w.job(id)
		w.want(s, propagation.Completed, propagation.Counts{Updated: 4800})
		if s.Collections != 1200 || s.Done != 1200 || s.Documents != 2400 || s.Chunks != 2 {
			t.Errorf("%d of %d collections, %d documents, %d chunks", s.Done, s.Collections, s.Documents, s.Chunks)
		}
		for name, c := range w.collections {
			if name != "empty" && (c.version != 2 || c.asked != 1) {
				t.Errorf("%s: version %d, asked %d times", name, c.version, c.asked)
			}
		}
		if w.top > few.Window {
			t.Errorf("%d collections were asked at once, the window is %d", w.top, few.Window)
		}
	})
}

// TestACrashAtAnyStepLosesNothing kills the driver at each command that it delivers: before the command has reached its
// entity, and before its answer is back.
func TestACrashAtAnyStepLosesNothing(t *testing.T) {
	for _, change := range []string{"rewrite", "unlink"} {
		for _, deaf := range []bool{true, false} {
			for step, over := 1, false; !over; step++ {
				synctest.Test(t, func(t *testing.T) { over = crash(t, change, step, deaf) })
				if t.Failed() {
					t.Fatalf("%s, step %d, deaf %v", change, step, deaf)
				}
			}
		}
	}
}

// crash runs a job with a crash at a step; over: it had no such step.
func crash(t *testing.T, change string, step int, deaf bool) (over bool) {
	w := newWorld(t)
	for i, documents := range []int{1, 5, 2, 7, 1, 3} {
		w.shelf(fmt.Sprintf("c%d", i), documents).mostAtOnce = 2
	}
	w.collections["c4"].locked = "bob"
	w.collections["c2"].bad = "d001"
	w.begin(few)
	w.dieAt, w.dieDeaf = step, deaf
	id := w.request(change, links.ActionBaseURL, 2, "")
	w.settle()
	over = w.asks < step
	w.stop()
	w.dieAt = 0
	w.begin(few)
	defer func() { w.stop() }()
	w.settle()
	if s := w.job(id); s.Status != propagation.Running || s.Waiting != 1 || s.Counts.Pending != 2 {
		t.Errorf("while c4 is locked: %s, %d wait, %+v", s.Status, s.Waiting, s.Counts)
	}
	w.unlock("c4")
	w.settle()
	s := w.job(id)
	w.want(s, propagation.CompletedWithErrors, propagation.Counts{Updated: 36, Failed: 2})
	if s.Documents != 18 || s.Done != 6 {
		t.Errorf("%d documents, %d collections", s.Documents, s.Done)
	}
	for i, versions := range []uint64{1, 3, 1, 4, 1, 2} {
		if c := w.collections[fmt.Sprintf("c%d", i)]; c.version != 1+versions {
			t.Errorf("c%d has %d new versions, not %d", i, c.version-1, versions)
		}
	}
	return over
}

func TestAJobThatOnlyWaitsCostsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.shelf("a", 1)
		w.shelf("b", 1).locked = "bob"
		w.shelf("c", 1).locked = "eve"
		w.begin(few)
		defer func() { w.stop() }()
		id := w.request("j", links.ActionBaseURL, 2, "")
		w.settle()
		asks := w.asks
		sleep(waitingRetryEvery / 2)
		synctest.Wait()
		if w.asks != asks || w.driver.Tally() != (Tally{Waiting: 1, WaitingCollections: 2}) {
			t.Errorf("%d commands while nothing happens, %+v", w.asks-asks, w.driver.Tally())
		}
		w.unlock("b")
		w.settle()
		if s := w.job(id); s.Waiting != 1 || s.Done != 2 {
			t.Errorf("after b is free: %d wait, %d done", s.Waiting, s.Done)
		}
		w.locked(func() { w.collections["c"].locked = "" }) // and nobody says so
		sleep(2 * waitingRetryEvery)
		w.settle()
		w.want(w.job(id), propagation.Completed, propagation.Counts{Updated: 6})
		if n := w.driver.waits.count.Load(); n != 0 {
			t.Errorf("%d collections are still waited for", n)
		}
	})
}

func TestANewerChangeEndsTheJobsBeforeIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 40 {
			w.shelf(fmt.Sprintf("c%02d", i), 1)
		}
		w.slow = func() { sleep(50 * time.Millisecond) }
		w.begin(few)
		defer func() { w.stop() }()
		first := w.request("j1", links.ActionBaseURL, 2, "")
		sleep(120 * time.Millisecond)
		second := w.request("j2", links.ActionBaseURL, 3, "j1")
		third := w.request("j3", links.ActionBaseURL, 4, "j2")
		sleep(3 * time.Second)
		w.settle()
		s := w.job(first)
		if s.Status != propagation.Superseded || s.SupersededBy == "" || s.Counts.Updated == 0 || s.Counts.Updated+s.Counts.Superseded != 80 {
			t.Errorf("the first: %s by %s, %+v", s.Status, s.SupersededBy, s.Counts)
		}
		written := uint64(0)
		for _, c := range w.collections {
			if c.order[0] == first.ID {
				written += 2
			}
		}
		if written != s.Counts.Updated {
			t.Errorf("the first counts %d links, it has written %d", s.Counts.Updated, written)
		}
		if s := w.job(second); s.Status != propagation.Superseded || s.Counts.Total() != 0 && s.Counts.Superseded != s.Counts.Total() {
			t.Errorf("the second: %s, %+v", s.Status, s.Counts)
		}
		w.want(w.job(third), propagation.Completed, propagation.Counts{Updated: 80})
	})
}

func TestJobsOfOneCauseComeOneAfterAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 10 {
			w.shelf(fmt.Sprintf("c%02d", i), 1)
		}
		w.slow = func() { sleep(time.Millisecond) }
		first := w.request("j1", links.ActionBaseURL, 2, "")
		second := w.request("j2", links.ActionAudit, 3, "") // it does not say that the first is needless
		w.begin(few)
		defer func() { w.stop() }()
		w.settle()
		w.want(w.job(first), propagation.Completed, propagation.Counts{Updated: 20})
		w.want(w.job(second), propagation.Completed, propagation.Counts{Updated: 20})
		for name, c := range w.collections {
			if len(c.order) != 2 || c.order[0] != first.ID || c.order[1] != second.ID {
				t.Errorf("%s was written by %v", name, c.order)
			}
		}
	})
}

// tell gives a job a command as an operator does.
func (w *world) tell(c propagation.Command) error { return w.command(jobID("j"), c) }

func TestAJobStopsAtTheBorderOfACollection(t *testing.T) {
	for title, c := range map[string]struct {
		command propagation.Command
		status  propagation.Status
	}{"paused": {&propagation.Pause{}, propagation.Paused}, "cancelled": {&propagation.Cancel{}, propagation.Cancelled}} {
		t.Run(title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				for i := range 30 {
					w.shelf(fmt.Sprintf("c%02d", i), 4).mostAtOnce = 1
				}
				w.slow = func() { sleep(20 * time.Millisecond) }
				w.begin(few)
				defer func() { w.stop() }()
				id := w.request("j", links.ActionBaseURL, 2, "")
				sleep(250 * time.Millisecond)
				if err := w.tell(c.command); err != nil {
					t.Fatal(err)
				}
				w.settle()
				s := w.job(id)
				written := uint64(0)
				for name, c := range w.collections {
					if c.version != 1 && c.version != 5 {
						t.Errorf("%s was left at version %d", name, c.version)
					}
					written += 2 * (c.version - 1)
				}
				if s.Status != c.status || s.Counts.Updated != written || written == 0 || s.Counts.Total() != 240 {
					t.Errorf("%s with %+v, %d links were written", s.Status, s.Counts, written)
				}
				if c.status == propagation.Cancelled {
					return
				}
				asks := w.asks
				sleep(time.Hour)
				if w.stop(); w.asks != asks {
					t.Errorf("%d commands of a paused job", w.asks-asks)
				}
				w.begin(few) // it stays paused
				w.settle()
				if s := w.job(id); s.Status != propagation.Paused {
					t.Fatalf("after a restart: %s", s.Status)
				}
				if err := w.tell(&propagation.Resume{}); err != nil {
					t.Fatal(err)
				}
				sleep(2 * time.Second)
				w.settle()
				w.want(w.job(id), propagation.Completed, propagation.Counts{Updated: 240})
			})
		})
	}
}

func TestOneBadCollectionDoesNotStopTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.shelf("a", 2)
		w.shelf("b", 3).fails = -1
		w.shelf("c", 2).bad = "d001"
		w.shelf("d", 2).fails = 2
		w.shelf("e", 2).busy = 100
		gone := w.shelf("f", 2)
		w.begin(few)
		defer func() { w.stop() }()
		w.slow = func() { w.locked(func() { gone.deleted = true }) }
		id := w.request("j", links.ActionBaseURL, 2, "")
		sleep(20 * time.Minute)
		w.settle()
		s := w.job(id)
		w.want(s, propagation.CompletedWithErrors, propagation.Counts{Updated: 14, Failed: 8, Skipped: 4})
		if n := w.collections["b"].asked; n != triesMax {
			t.Errorf("b was asked %d times", n)
		}
		w.collections["b"].fails, w.collections["c"].bad = 0, ""
		w.collections["b"].locked = "bob"
		if err := w.tell(&propagation.Retry{}); err != nil {
			t.Fatal(err)
		}
		w.settle()
		if s := w.job(id); s.Status != propagation.Running || s.Waiting != 1 || s.Counts != (propagation.Counts{Updated: 16, Pending: 6, Skipped: 4}) {
			t.Errorf("tried again, while b is locked: %s, %d wait, %+v", s.Status, s.Waiting, s.Counts)
		}
		w.unlock("b")
		w.settle()
		w.want(w.job(id), propagation.Completed, propagation.Counts{Updated: 22, Skipped: 4})
		if s := w.job(id); s.Failures != 0 {
			t.Errorf("%d failures are left", s.Failures)
		}
	})
}

func TestLinksPerSecondAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 100 {
			w.shelf(fmt.Sprintf("c%02d", i), 5)
		}
		settings := few
		settings.LinksPerSecondMax = 100
		w.begin(settings)
		defer func() { w.stop() }()
		id := w.request("j", links.ActionBaseURL, 2, "")
		sleep(5 * time.Second)
		synctest.Wait()
		if s := w.job(id); s.Counts.Updated < 400 || s.Counts.Updated > 520 {
			t.Errorf("%d links in 5 s", s.Counts.Updated)
		}
		sleep(6 * time.Second)
		w.settle()
		w.want(w.job(id), propagation.Completed, propagation.Counts{Updated: 1000})
	})
}

// TestJobsMakeWay: while others have commands in flight a job asks one collection at a time, and rests between; when nobody is
// there it takes its whole window.
func TestJobsMakeWay(t *testing.T) {
	for others, width := range map[int64]int{1: 1, 0: few.Window} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			for i := range 40 {
				w.shelf(fmt.Sprintf("c%02d", i), 2)
			}
			w.slow = func() { time.Sleep(10 * time.Millisecond) }
			w.others = others
			begun := time.Now()
			w.begin(few)
			defer w.stop()
			id := w.request("j", links.ActionBaseURL, 2, "")
			w.settle()
			if w.top != width {
				t.Errorf("beside %d others %d collections were asked at once, not %d", others, w.top, width)
			}
			if took := time.Since(begun); others > 0 && took < 40*20*time.Millisecond {
				t.Errorf("it was through after %v, and cannot have rested", took)
			}
			w.want(w.job(id), propagation.Completed, propagation.Counts{Updated: 160})
		})
	}
}
