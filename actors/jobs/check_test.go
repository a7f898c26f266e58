package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/collection"
	"concord/actors/collection/collectionpb"
	"concord/actors/links"
	"concord/actors/links/linkspb"
	"concord/persistence"
	"concord/persistence/recordpb"
)

// source says what the source is from now on.
func (w *world) source(revision uint64) {
	state, err := proto.Marshal(&linkspb.SourceState{Source: (&links.Source{ID: "names", BaseURL: "http://b/", Revision: revision}).Message()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.heads[persistence.EntityID{Kind: persistence.KindSource, Provider: "p", ID: "names"}] = state
	w.mu.Unlock()
}

// write is a user's write of a document that shows a revision of the source. The checker may be dead, and not hear of it.
func (w *world) write(name, document string, revision uint64) {
	w.t.Helper()
	id := collectionID("p", name)
	payload, err := proto.Marshal(&collectionpb.Saved{Linked: &collectionpb.Linked{Documents: []*collectionpb.LinkedDocument{{Id: document,
		Index: []*collectionpb.IndexChange{{Index: 1, Term: "names", Links: 2, Revision: revision}}}}}})
	if err != nil {
		w.t.Fatal(err)
	}
	rec := &recordpb.Record{Type: collection.TypeSaved, Payload: payload}
	w.mu.Lock()
	w.collections[name].documents[document] = &fakeDocument{links: 2, revision: revision}
	position := persistence.Position(len(w.log) + 1)
	w.log = append(w.log, persistence.LogRecord{Position: position, Entity: id, Record: rec})
	w.mu.Unlock()
	w.committed(&persistence.Entry{Entity: id, Records: []persistence.Stored{{Record: rec, Position: position,
		Beside: persistence.Projection{Index: []persistence.IndexChange{{Name: links.IndexBySource, Term: "names", Part: document,
			Value: links.IndexValue{Links: 2, Revision: revision, Version: 1}.Encode()}}}}}})
}

// check starts a checker.
func (w *world) check() *Checker {
	w.t.Helper()
	w.courtesy = NewCourtesy(w)
	c, err := NewChecker(w, w, w.courtesy, w.observer(), slog.New(slog.DiscardHandler))
	if err != nil {
		w.t.Fatal(err)
	}
	w.observers = append(w.observers[:0], c.Committed)
	w.run(func(ctx context.Context) {
		if err := c.Run(ctx); err != nil {
			w.t.Error(err)
		}
	})
	return c
}

// shows holds what a document shows against the revision.
func (w *world) shows(name, document string, revision uint64) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := w.collections[name].documents[document].revision; got != revision {
		w.t.Errorf("%s/%s shows revision %d, not %d", name, document, got, revision)
	}
}

func newChecked(t *testing.T) *world {
	w := newWorld(t)
	w.partitions = 1
	w.shelf("c", 0)
	w.source(2)
	return w
}

func TestAWriteThatRacedWithAChangeIsRightInTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChecked(t)
		c := w.check()
		defer func() { w.stop() }()
		w.write("c", "new", 2)
		w.write("c", "old", 1)
		w.settle()
		w.shows("c", "new", 2)
		w.shows("c", "old", 2)
		if w.corrected != 1 || w.asks != 1 || w.collections["c"].version != 2 {
			t.Errorf("%d documents were corrected by %d commands", w.corrected, w.asks)
		}
		if c.Passed(0) != 2 {
			t.Errorf("checked up to %d", c.Passed(0))
		}
	})
}

// TestCorrectionsMakeWay: while others have commands in flight there is one at a time, and a rest after each.
func TestCorrectionsMakeWay(t *testing.T) {
	for others, width := range map[int64]int{1: 1, 0: correctMaxAtOnce} {
		synctest.Test(t, func(t *testing.T) {
			w := newChecked(t)
			begun, last := time.Now(), time.Time{}
			w.slow = func() {
				time.Sleep(10 * time.Millisecond)
				w.mu.Lock()
				last = time.Now()
				w.mu.Unlock()
			}
			w.others = others
			w.check()
			defer func() { w.stop() }()
			for i := range 40 {
				name := fmt.Sprintf("c%02d", i)
				w.shelf(name, 0)
				w.write(name, "old", 1)
			}
			w.settle()
			if w.top != width || w.corrected != 40 {
				t.Errorf("beside %d others %d collections were asked at once, not %d; %d were corrected", others, w.top, width, w.corrected)
			}
			if took := last.Sub(begun); others > 0 && took < 39*20*time.Millisecond {
				t.Errorf("it was through after %v, and cannot have rested", took)
			}
		})
	}
}

// TestACorrectionSurvivesACrash kills the checker before a write, and then at the correction: before it is made, and before
// its answer is back.
func TestACorrectionSurvivesACrash(t *testing.T) {
	for _, deaf := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			w := newChecked(t)
			w.check()
			w.dieAt, w.dieDeaf = 1, deaf
			w.write("c", "a", 1)
			w.settle()
			w.stop()
			w.observers = nil
			w.write("c", "b", 1) // nobody hears of it
			w.dieAt = 0
			w.check()
			w.settle()
			w.shows("c", "a", 2)
			w.shows("c", "b", 2)
			w.stop()
			asks := w.asks
			w.check() // what was checked is not checked again
			w.settle()
			if w.stop(); w.asks != asks {
				t.Errorf("%d commands after all was right", w.asks-asks)
			}
		})
	}
}

func TestACorrectionWaitsForALock(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			w := newChecked(t)
			w.collections["c"].locked = "bob"
			c := w.check()
			defer func() { w.stop() }()
			w.write("c", "a", 1)
			w.settle()
			asks := w.asks
			if c.Waiting() != 1 || c.Passed(0) != 1 {
				t.Errorf("%d wait, checked up to %d", c.Waiting(), c.Passed(0))
			}
			sleep(waitingRetryEvery / 3)
			if synctest.Wait(); w.asks != asks {
				t.Errorf("%d commands while nothing happens", w.asks-asks)
			}
			if restart {
				w.stop()
				c = w.check()
				w.settle()
			}
			w.source(3) // it gets the newest, not the one that was missed
			w.unlock("c")
			w.settle()
			w.shows("c", "a", 3)
			if c.Waiting() != 0 || c.waits.count.Load() != 0 {
				t.Errorf("%d still wait", c.Waiting())
			}
		})
	}
}

func TestWhatTheCheckerCannotHoldIsReadFromTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newChecked(t)
		w.slow = func() { sleep(time.Second) }
		w.check()
		defer func() { w.stop() }()
		w.write("c", "first", 1)
		synctest.Wait() // the checker is busy with it
		for i := range checkMaxItems + 10 {
			w.write("c", fmt.Sprintf("d%06d", i), uint64(1+min(i%1000, 1)))
		}
		w.locked(func() { w.slow = nil })
		sleep(time.Minute)
		w.settle()
		for i := 0; i < checkMaxItems+10; i += 1000 {
			w.shows("c", fmt.Sprintf("d%06d", i), 2)
		}
		if w.corrected < checkMaxItems/1000 {
			t.Errorf("%d documents were corrected", w.corrected)
		}
	})
}
