package pebblestore_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"concord/persistence/pebblestore"
)

// drawn chooses by rapid.
type drawn struct{ t *rapid.T }

func (d drawn) n(name string, below int) int { return rapid.IntRange(0, below-1).Draw(d.t, name) }

func newHistory(w *world, c chooser) *history {
	return &history{world: w, choose: c, collections: 3, parts: 8, values: 6, days: true}
}

// A rebuild of all derived records from the log gives the same records, byte for byte.
func TestRebuildGivesTheSameRecords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := open(t, options(vfs.NewMem()))
		defer closeStore(t, s)
		h := newHistory(newWorld(t, s), drawn{t})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			h.step()
		}
		h.line.flush()
		sound(t, s)
		before := s.Raw(pebblestore.DerivedFamilies...)
		wreck(t, s, drawn{t}, before)
		if _, err := s.Rebuild(context.Background(), fold, ""); err != nil {
			t.Fatalf("rebuild: %v", err)
		}
		sameRecords(t, before, s.Raw(pebblestore.DerivedFamilies...))
	})
}

// sound demands that a store verifies, and that all that is derived is what a rebuild would make.
func sound(t tester, s *pebblestore.Store) pebblestore.Report {
	t.Helper()
	report, err := s.Verify(context.Background(), pebblestore.VerifyOptions{Fold: fold})
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	if report.Findings > 0 {
		t.Fatalf("verify: %d findings: %v", report.Findings, report.List)
	}
	return report
}

func sameRecords(t tester, want, have []pebblestore.RawPair) {
	t.Helper()
	for i := range max(len(want), len(have)) {
		switch {
		case i >= len(have):
			t.Fatalf("record %q is missing", want[i].Key)
		case i >= len(want):
			t.Fatalf("record %q is superfluous", have[i].Key)
		case !bytes.Equal(want[i].Key, have[i].Key):
			t.Fatalf("record %q instead of %q", have[i].Key, want[i].Key)
		case !bytes.Equal(want[i].Value, have[i].Value):
			t.Fatalf("record %q: %q instead of %q", want[i].Key, have[i].Value, want[i].Value)
		}
	}
}

// wreck removes, changes and adds derived records.
func wreck(t tester, s *pebblestore.Store, c chooser, pairs []pebblestore.RawPair) {
	t.Helper()
	b := s.DB().NewBatch()
	defer b.Close()
	for range 5 {
		if len(pairs) == 0 {
			return
		}
		pair := pairs[c.n("record", len(pairs))]
		var err error
		switch c.n("damage", 4) {
		case 0:
			err = b.Delete(pair.Key, nil)
		case 1:
			err = b.Set(pair.Key, append(bytes.Clone(pair.Value), 1), nil)
		case 2:
			err = b.Set(append(bytes.Clone(pair.Key), 1), pair.Value, nil)
		default:
			whole := pair.Key[:3] // the whole family of the partition
			err = b.DeleteRange(whole, append(bytes.Clone(whole[:2]), whole[2]+1), nil)
		}
		if err != nil {
			t.Fatalf("wreck: %v", err)
		}
	}
	if err := b.Commit(pebble.NoSync); err != nil {
		t.Fatalf("wreck: %v", err)
	}
}

// errStop interrupts.
var errStop = errors.New("stopped by the test")

// stopAfter is a context that ends after it was looked at n times.
type stopAfter struct {
	context.Context
	left int
}

func (s *stopAfter) Err() error {
	if s.left--; s.left < 0 {
		return errStop
	}
	return nil
}

func (s *stopAfter) Value(any) any { return nil }

// An interrupted rebuild does no harm, and goes on when it is started again.
func TestInterruptedRebuild(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	h := newHistory(newWorld(t, s), newSeeded(1))
	for range 300 {
		h.step()
	}
	h.line.flush()
	before := s.Raw(pebblestore.DerivedFamilies...)
	stopped := 0
	for looks := 0; ; looks += 7 {
		wreck(t, s, newSeeded(uint64(looks)), before)
		_, err := s.Rebuild(&stopAfter{context.Background(), looks}, fold, "")
		if err == nil {
			break
		}
		stopped++
	}
	if stopped < 5 {
		t.Fatalf("it was interrupted %d times only", stopped)
	}
	sameRecords(t, before, s.Raw(pebblestore.DerivedFamilies...))
	sound(t, s)
}
