package jobs

import (
	"fmt"
	"testing"
	"testing/synctest"

	"concord/actors/bulk"
	"concord/actors/fields"
)

// spoil puts garbage in the place of the parts of rows that wait.
func (w *taskWorld) spoil(id string, rows ...uint64) {
	w.t.Helper()
	w.locked(func() {
		for _, row := range rows {
			if w.tasks[taskID(id)].parts[bulk.WaitingPart(row)] == nil {
				w.t.Errorf("row %d does not wait", row)
			}
			w.tasks[taskID(id)].parts[bulk.WaitingPart(row)] = []byte{0xFF, 0xFF}
		}
	})
}

// TestARowThatWaitsAndCannotBeReadFails, and nothing else: not the other rows, not younger tasks. One that the process before
// had written is as it was written.
func TestARowThatWaitsAndCannotBeReadFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		for _, name := range shelves(1, 5) {
			w.shelf(name).locked = "bob"
		}
		w.begin(small)
		old := w.accept("old", shelves(0, 6), nil)
		w.settle()
		w.stop()
		w.spoil("old", 2, 3)
		w.locked(func() { // the process before had it written, and did not hear of that
			s := w.shelves["c00003"]
			s.last, s.before, s.after, s.version, s.writers = "old", 1, 2, 2, []string{"old"}
		})
		young := w.accept("young", shelves(0, 8), nil)
		w.begin(small)
		defer func() { w.stop() }()
		w.settle()
		w.want(old, bulk.InProgress, bulk.Counts{Updated: 3, Failed: 1, Pending: 2})
		if o := w.items(old)[2]; o.State != fields.Failed || o.Code != "internal" {
			t.Errorf("the lost row: %+v", o)
		}
		if o := w.items(old)[3]; o.State != fields.Updated || o.VersionAfter != 2 {
			t.Errorf("the row that was written: %+v", o)
		}
		w.want(young, bulk.InProgress, bulk.Counts{Updated: 4, Pending: 4})
		for _, name := range shelves(1, 5) {
			w.unlock(name)
		}
		w.settle()
		w.want(old, bulk.Complete, bulk.Counts{Updated: 5, Failed: 1})
		w.want(young, bulk.Complete, bulk.Counts{Updated: 8})
		w.inOrder("old", "young")
	})
}

// TestWhatComesOfALostRowIsRecorded: its part goes bad while the task runs, and something comes of the row, or it goes on
// waiting for somebody else, or the task is cancelled.
func TestWhatComesOfALostRowIsRecorded(t *testing.T) {
	for title, c := range map[string]struct {
		then   func(*taskWorld)
		status bulk.Status
		counts bulk.Counts
	}{
		"it is written": {func(w *taskWorld) { w.unlock("c00001") }, bulk.InProgress, bulk.Counts{Updated: 3, Pending: 1}},
		"somebody else has the lock": {func(w *taskWorld) {
			w.unlock("c00001")
			w.locked(func() { w.shelves["c00001"].locked = "eve" })
		}, bulk.InProgress, bulk.Counts{Updated: 2, Failed: 1, Pending: 1}},
		"it is cancelled": {func(w *taskWorld) { w.must(taskID("t"), &bulk.Cancel{}) }, bulk.PartiallyCancelled, bulk.Counts{Updated: 2, Cancelled: 2}},
	} {
		t.Run(title, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newTaskWorld(t)
				for _, name := range shelves(1, 3) {
					w.shelf(name).locked = "bob"
				}
				w.begin(small)
				defer func() { w.stop() }()
				id := w.accept("t", shelves(0, 4), nil)
				w.settle()
				w.spoil("t", 1)
				c.then(w)
				sleep(2 * backOffMax)
				w.settle()
				w.want(id, c.status, c.counts)
				if got := fmt.Sprint(w.task(id).Waiting); got != fmt.Sprint(c.counts.Pending) {
					t.Errorf("%s wait", got)
				}
			})
		})
	}
}
