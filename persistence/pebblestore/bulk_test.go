package pebblestore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"concord/actors/bulk"
	"concord/actors/entity"
	"concord/actors/fields"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

// TestRebuildOfBulkTasks: lists, outcomes, timers and entries of tasks that have come far are made anew from the log alone.
func TestRebuildOfBulkTasks(t *testing.T) {
	seen := make(map[bulk.Status]int)
	rapid.Check(t, func(t *rapid.T) {
		s := open(t, options(vfs.NewMem()))
		defer closeStore(t, s)
		h := newHistory(newWorld(t, s), drawn{t})
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			switch h.choose.n("what", 30) {
			case 0:
				h.advance(time.Duration(1+h.choose.n("hours", 40)) * time.Hour)
			case 1:
				h.passivate()
			default:
				h.bulk()
			}
		}
		h.line.flush()
		for i := range 2 {
			seen[h.task(bulkID(i)).Status]++
		}
		sound(t, s)
		before := s.Raw(pebblestore.DerivedFamilies...)
		wreck(t, s, drawn{t}, before)
		if _, err := s.Rebuild(context.Background(), fold, ""); err != nil {
			t.Fatalf("rebuild: %v", err)
		}
		sameRecords(t, before, s.Raw(pebblestore.DerivedFamilies...))
	})
	t.Logf("tasks by where they stood: %v", seen)
}

func bulkID(n int) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindBulk, Provider: "lib", ID: fmt.Sprintf("b%d", n)}
}

// bulk does something with a bulk task: its list, its outcomes and its entries in the indexes are derived like all else.
func (h *history) bulk() {
	id := bulkID(h.choose.n("task", 2))
	h.line.flush()
	s := h.task(id)
	const perChunk = 3
	rows := make([]bulk.Row, perChunk)
	for i := range rows {
		rows[i] = bulk.Row{Collection: collectionID(i).ID, Value: document(i, 40+h.choose.n("large", 2)*(12<<10))}
	}
	last := bulk.Stage{Number: s.Chunks, PerChunk: perChunk, Rows: rows}
	if s.Status == bulk.Expired {
		last.Number = 0
	}
	progress := &bulk.Progress{From: s.Cursor}
	for range min(s.Total-s.Cursor, uint64(h.choose.n("rows", 5))) {
		state := []bulk.ItemState{bulk.ItemPending, fields.Updated, fields.Failed, fields.Skipped, fields.Unchanged}[h.choose.n("outcome", 5)]
		progress.Rows = append(progress.Rows, bulk.Outcome{State: state, Message: "m"})
	}
	if s.Cursor > 0 {
		progress.Open = []bulk.OpenOutcome{{Row: uint64(h.choose.n("row", int(s.Cursor))), Turn: uint32(h.choose.n("turn", 2)),
			Outcome: bulk.Outcome{State: []bulk.ItemState{bulk.ItemPending, fields.Skipped}[h.choose.n("late", 2)]}}}
	}
	commands := []bulk.Command{&last, &bulk.Accept{Task: bulk.State{Number: 1 + uint64(h.choose.n("number", 9)), Retention: 30 * time.Hour},
		Chunks: last.Number, Stage: last}, &bulk.Released{}}
	if s.Status.Shown() {
		commands = []bulk.Command{&bulk.Start{}, progress, progress, progress, &bulk.Finish{}, &bulk.Pause{}, &bulk.Resume{}}
	}
	if h.choose.n("cancel", 50) == 0 {
		commands = []bulk.Command{&bulk.Cancel{}}
	}
	h.do(id, commands[h.choose.n("command", len(commands))], entity.Meta{Principal: "ann"})
}

// task is where a task stands.
func (h *history) task(id persistence.EntityID) bulk.State {
	head, err := h.store.Head(id)
	if err != nil {
		return bulk.State{}
	}
	state, err := bulk.Behavior{}.DecodeState(head.State)
	if err != nil {
		h.t.Fatalf("state of %v: %v", id, err)
	}
	return state
}
