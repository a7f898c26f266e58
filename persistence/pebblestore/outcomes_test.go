package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

func keyed(n int) entity.Meta {
	return entity.Meta{Principal: "ann", Key: fmt.Sprintf("k%d", n), KeyDigest: []byte("digest")}
}

func (w *world) remembers(id persistence.EntityID, n int) bool {
	w.t.Helper()
	_, err := w.store.Outcome(id, "ann", fmt.Sprintf("k%d", n), w.now.Add(-pebblestore.OutcomeMemory))
	if err != nil && !errors.Is(err, persistence.ErrNotFound) {
		w.t.Fatalf("outcome: %v", err)
	}
	return err == nil
}

// The outcome of a trimmed event is remembered for a day; then its record goes, too.
func TestOutcomesOutliveTheirVersions(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	for n := range 10 {
		w.do(id, &collection.Write{Create: true, Changes: []collection.Change{put("d", document(n, 60))}}, keyed(n))
		w.line.flush()
		w.now = w.now.Add(time.Hour)
	}
	w.trim(id, pebblestore.Policy{Versions: 2})
	for n := range 10 {
		if !w.remembers(id, n) {
			t.Errorf("key %d is forgotten after %d hours", n, 10-n)
		}
	}
	if report := sound(t, s); report.Records != 10 {
		t.Errorf("%d records are left", report.Records)
	}
	answer := w.do(id, &collection.Write{Create: true, Changes: []collection.Change{put("d", document(0, 60))}}, keyed(0))
	w.line.flush()
	if answer.err != nil || answer.Version != 1 {
		t.Errorf("the repeated command was answered %+v", answer)
	}
	w.now = w.now.Add(48 * time.Hour)
	if f, err := s.ForgetOutcomes(w.now, 0); err != nil || f.Freed != 8 || f.Early != 0 {
		t.Errorf("forgotten: %+v, %v", f, err)
	}
	if report := sound(t, s); report.Records != 2 || len(s.Raw('I')) != 0 {
		t.Errorf("%d records and %d outcomes are left", report.Records, len(s.Raw('I')))
	}
}

// Whole days are forgotten, never the last 24 hours.
func TestForgetOutcomesKeepsADay(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	made := make(map[int]time.Time)
	for n := range 200 {
		w.do(collectionID(n%9), &collection.Write{Create: true}, keyed(n)) // most change nothing
		w.line.flush()
		made[n] = w.now
		w.now = w.now.Add(31 * time.Minute)
		if n%20 != 19 {
			continue
		}
		if _, err := s.ForgetOutcomes(w.now, 0); err != nil {
			t.Fatal(err)
		}
		for n, at := range made {
			if have, want := w.remembers(collectionID(n%9), n), w.now.Sub(at) <= pebblestore.OutcomeMemory; have != want {
				t.Fatalf("key %d, %v old: remembered is %v", n, w.now.Sub(at), have)
			}
		}
		sound(t, s)
	}
	if left := len(s.Raw('I')); left > 2*24*2 {
		t.Errorf("%d outcomes are left in the index", left)
	}
}

// Beyond the bound of bytes the oldest day goes first, today last, and each loss is counted.
func TestOutcomesBeyondTheBoundAreLostEarly(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	const many = 12_000 // so that each of the two days fills many blocks: less is not told apart
	for n := range many {
		w.do(id, &collection.Write{Create: true}, keyed(n))
		if n == many/2 {
			w.now = w.now.Add(20 * time.Hour)
		}
	}
	w.line.flush()
	// What is not in a table yet is not counted, and tables that are being compacted are counted now so, now otherwise.
	if err := errors.Join(s.DB().Flush(), s.DB().Compact(context.Background(), []byte{0}, []byte{0xff, 0xff, 0xff}, false)); err != nil {
		t.Fatal(err)
	}
	f, err := s.ForgetOutcomes(w.now, 0)
	if err != nil || f.Early != 0 || f.Bytes == 0 {
		t.Fatalf("without a bound: %+v, %v", f, err)
	}
	if f, err = s.ForgetOutcomes(w.now, f.Bytes*3/4); err != nil || f.Early != 1 {
		t.Fatalf("bound for one day: %+v, %v", f, err)
	}
	if w.remembers(id, 0) || !w.remembers(id, many-1) {
		t.Error("not the oldest day was lost")
	}
	sound(t, s)
	if f, err = s.ForgetOutcomes(w.now, 1); err != nil || f.Early != 1 {
		t.Fatalf("no room at all: %+v, %v", f, err)
	}
	if w.remembers(id, many-1) {
		t.Error("today was not lost")
	}
	w.do(id, &collection.Write{Create: true}, keyed(many))
	w.line.flush()
	if !w.remembers(id, many) {
		t.Error("what comes later is not remembered")
	}
	sound(t, s)
}
