package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"concord/actors/bulk"
	"concord/actors/editsession"
	"concord/persistence"
	"concord/persistence/recordpb"
)

// heldWorld has sessions and tasks, and counts how often each is read.
type heldWorld struct {
	tasks    map[string]bulk.State
	sessions map[string]editsession.State
	rows     map[string][][]string
	read     map[string]int
	broken   error
	reading  func() // called while a session is read, once it was seen
}

func newHeldWorld() *heldWorld {
	return &heldWorld{tasks: make(map[string]bulk.State), sessions: make(map[string]editsession.State), rows: make(map[string][][]string),
		read: make(map[string]int)}
}

func (w *heldWorld) Task(id persistence.EntityID) (bulk.State, error) {
	w.read[id.String()]++
	return found(w.tasks, id, persistence.KindBulk, w.broken)
}

func (w *heldWorld) State(id persistence.EntityID) (editsession.State, error) {
	w.read[id.String()]++
	s, err := found(w.sessions, id, persistence.KindEditSession, w.broken)
	if w.reading != nil {
		w.reading()
	}
	return s, err
}

func found[S any](of map[string]S, id persistence.EntityID, kind persistence.Kind, broken error) (S, error) {
	s, ok := of[id.ID]
	if broken == nil && (!ok || id.Kind != kind || id.Provider != "lib") {
		broken = persistence.ErrNotFound
	}
	return s, broken
}

func (w *heldWorld) Matched(id persistence.EntityID, chunk uint32) ([]string, error) {
	if rows := w.rows[id.ID]; int(chunk) < len(rows) {
		return rows[chunk], nil
	}
	return nil, persistence.ErrNotFound
}

func (w *heldWorld) Closes(rec *recordpb.Record) bool { return rec.GetType() == "closed" }

func heldSession(id string) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindEditSession, Provider: "lib", ID: id}
}

// happened is a group in which something became of a session.
func happened(id, what string) []*persistence.Entry {
	return []*persistence.Entry{{Entity: heldSession(id), Records: []persistence.Stored{{Record: &recordpb.Record{Type: what}}}}}
}

func (w *heldWorld) accept(task, session string, run uint32) {
	w.tasks[task] = bulk.State{Status: bulk.Complete, Accepted: time.Unix(1, 0), Session: session, Run: run}
}

func steps(status editsession.Status, keep string, tasks ...string) editsession.State {
	s := editsession.State{Status: status, Keep: keep}
	for i, task := range tasks {
		s.Runs = append(s.Runs, editsession.Run{Number: uint32(i + 1), Kind: editsession.Apply, Task: task})
	}
	return s
}

// Who needs what a task has replaced.
func TestReleased(t *testing.T) {
	w := newHeldWorld()
	w.accept("alone", "", 0)
	w.accept("of open", "open", 1)
	w.accept("of closed", "closed", 1)
	w.accept("of none", "none", 1)
	w.accept("older", "previous", 1)
	w.accept("newer", "previous", 2)
	w.accept("older, newer not made", "begun", 1)
	w.accept("older, newer a draft", "drafted", 1)
	w.accept("older, newer with nothing to do", "idle", 1)
	w.tasks["draft"] = bulk.State{Status: bulk.Draft, Session: "closed", Run: 1}
	w.tasks["expired"] = bulk.State{Status: bulk.Expired, Accepted: time.Unix(1, 0), Session: "closed", Run: 1}
	w.sessions["open"] = steps(editsession.Opened, editsession.KeepAll, "of open", "newer")
	w.sessions["closed"] = steps(editsession.Closed, editsession.KeepAll, "of closed")
	w.sessions["previous"] = steps(editsession.Opened, editsession.KeepPrevious, "older", "newer")
	w.sessions["begun"] = steps(editsession.Opened, editsession.KeepPrevious, "older, newer not made", "not made")
	w.sessions["drafted"] = steps(editsession.Opened, editsession.KeepPrevious, "older, newer a draft", "draft")
	w.sessions["idle"] = steps(editsession.Opened, editsession.KeepPrevious, "older, newer with nothing to do", "")
	holders := NewHolders(w)
	for task, want := range map[string]bool{
		"alone": false, "of open": false, "of closed": true, "of none": false, "older": true, "newer": false,
		"older, newer not made": false, "older, newer a draft": false, "older, newer with nothing to do": true,
		"not there": false, "draft": false, "expired": false,
	} {
		if have, err := holders.Released(collectionID("lib", "c"), task); err != nil || have != want {
			t.Errorf("what is kept for %q: released %v, %v", task, have, err)
		}
	}
	if have, err := holders.Released(collectionID("other", "c"), "of closed"); err != nil || have {
		t.Errorf("a task of another provider: released %v, %v", have, err)
	}
	if have, err := holders.Released(heldSession("closed"), "of closed"); err != nil || have {
		t.Errorf("what is no collection: released %v, %v", have, err)
	}
}

// Many pins of one task are one question; what becomes of a session is known at once, also if it was being read just then.
func TestHoldersAskOnce(t *testing.T) {
	w := newHeldWorld()
	w.accept("task", "s", 1)
	w.sessions["s"] = steps(editsession.Opened, editsession.KeepAll, "task")
	holders := NewHolders(w)
	released := func(n int, want bool) {
		t.Helper()
		for i := range n {
			if have, err := holders.Released(collectionID("lib", fmt.Sprint(i)), "task"); err != nil || have != want {
				t.Fatalf("released %v, %v", have, err)
			}
		}
	}
	released(1000, false)
	if w.read["bulk/lib/task"] != 1 || w.read["edit/lib/s"] != 1 {
		t.Errorf("read: %v", w.read)
	}
	holders.Committed(happened("s", "begun"))
	w.reading = func() {
		w.sessions["s"] = steps(editsession.Closed, editsession.KeepAll, "task")
		holders.Committed(happened("s", "closed"))
		w.reading = nil
	}
	released(1, false) // it was read before it was closed
	released(1000, true)
	if w.read["edit/lib/s"] != 3 {
		t.Errorf("read: %v", w.read)
	}
	for n := range 3 * holdersMaxKept {
		w.accept(fmt.Sprint(n), fmt.Sprint(n), 1)
		w.sessions[fmt.Sprint(n)] = steps(editsession.Opened, editsession.KeepAll, fmt.Sprint(n))
		if have, err := holders.Released(collectionID("lib", "c"), fmt.Sprint(n)); err != nil || have {
			t.Fatalf("task %d: released %v, %v", n, have, err)
		}
	}
	if len(holders.tasks) > holdersMaxKept || len(holders.known) > holdersMaxKept {
		t.Errorf("%d tasks and %d sessions are remembered", len(holders.tasks), len(holders.known))
	}
}

// Where the store cannot be read nothing is said to be released.
func TestHoldersTellErrors(t *testing.T) {
	w := newHeldWorld()
	w.accept("task", "s", 1)
	w.sessions["s"] = steps(editsession.Closed, editsession.KeepAll, "task")
	w.broken = errors.New("the disk is gone")
	holders := NewHolders(w)
	for range 2 { // first of the task, then of the session
		if have, err := holders.Released(collectionID("lib", "c"), "task"); have || !errors.Is(err, w.broken) {
			t.Errorf("released %v, %v", have, err)
		}
		broken := w.broken
		w.broken = nil
		if _, _, err := holders.task(persistence.EntityID{Kind: persistence.KindBulk, Provider: "lib", ID: "task"}); err != nil {
			t.Fatal(err)
		}
		w.broken = broken
	}
}

// The collections of a closed session are looked at, all of them, as fast as retention takes them, and of no other session.
func TestReleases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newHeldWorld()
		w.sessions["s"] = steps(editsession.Closed, editsession.KeepAll, "task")
		w.rows["s"] = [][]string{{"a", "b"}, nil, {"c"}}
		w.sessions["never used"] = steps(editsession.Closed, editsession.KeepAll)
		w.rows["never used"] = [][]string{{"x"}}
		w.sessions["open"] = steps(editsession.Opened, editsession.KeepAll, "task")
		w.rows["open"] = [][]string{{"y"}}
		room := make(chan struct{})
		var looked []string
		r := NewReleases(w, func(ctx context.Context, id persistence.EntityID) error {
			select {
			case <-room:
				looked = append(looked, id.String())
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}, slog.New(slog.DiscardHandler))
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { r.Run(ctx); close(ended) }()
		r.Committed(happened("never used", "closed"))
		r.Committed(happened("not there", "closed"))
		r.Committed(happened("open", "begun"))
		r.Committed(happened("s", "closed"))
		synctest.Wait()
		if len(looked) > 0 {
			t.Errorf("it did not wait for a place: %v", looked)
		}
		for range 3 {
			room <- struct{}{}
		}
		synctest.Wait()
		if want := []string{"collection/lib/a", "collection/lib/b", "collection/lib/c"}; !slices.Equal(looked, want) {
			t.Errorf("looked at %v, not %v", looked, want)
		}
		r.Committed(happened("s", "closed"))
		synctest.Wait()
		cancel() // while it waits for a place
		<-ended
		for range 2 * releasesMaxQueued {
			r.Committed(happened("s", "closed"))
		}
		if len(r.queue) > releasesMaxQueued {
			t.Errorf("%d sessions wait", len(r.queue))
		}
	})
}
