package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/bulk"
	"concord/actors/collection"
	"concord/actors/problem"
	"concord/actors/provider"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// asked is a request for a bulk update, as the doors make it.
func (b *bench) asked(body string, options ...option) *transport.Request {
	r := &transport.Request{Op: b.table["bulk.submit"], Provider: "p", Body: []byte(body), RequestID: "r",
		Caller: transport.Caller{Principal: "ann", All: true}}
	for _, o := range options {
		o(r)
	}
	return r
}

// Steps of a submission, after which it breaks off.
const (
	stepNone = iota
	stepReserved
	stepHalfStaged
	stepStaged
	stepIssued
	stepNumbered
	stepAccepted
	stepConfirmed
)

// attempt takes the first steps of a submission.
func (b *bench) attempt(r *transport.Request, last int) {
	b.t.Helper()
	s, ctx := b.service, b.t.Context()
	check := func(err error) {
		if err != nil {
			b.t.Fatal(err)
		}
	}
	o, err := readBulk(r)
	check(err)
	check(s.checkBulk(ctx, r, o))
	id, known, err := s.bulkTask(ctx, r)
	check(err)
	if known != nil {
		b.t.Fatalf("known: %s", known.Body)
	}
	l := s.newBulkRows(ctx, r, o, id)
	l.perChunk = 2
	number := uint64(0)
	steps := []func(){
		stepReserved:   func() { check(s.takeBulkName(ctx, r, id, o.name)) },
		stepHalfStaged: func() { l.rows = []bulk.Row{{Collection: "x"}, {Collection: "y"}}; check(l.stage()) },
		stepStaged: func() {
			check(s.dropDraft(ctx, r, id))
			l = s.newBulkRows(ctx, r, o, id)
			l.perChunk = 2
			check(l.fill())
		},
		stepIssued:   func() { check(s.issueBulk(ctx, r, id)) },
		stepNumbered: func() { number, err = s.numberBulk(ctx, r, id); check(err) },
		stepAccepted: func() {
			_, err := s.call(ctx, s.toBulk(r, id, o.acceptance(l, number, time.Hour), o.reason))
			check(err)
		},
		stepConfirmed: func() { check(s.confirmBulkName(ctx, id, o.name)) },
	}
	for i, step := range steps[:last+1] {
		if i > 0 {
			step()
		}
	}
}

// TestWhatAnAttemptHasLeft: the steps of a submission break off one after another, by a crash or with the answer lost; whoever
// repeats it has one task with its name, and the list of the attempt that was accepted: nothing that was staged before.
func TestWhatAnAttemptHasLeft(t *testing.T) {
	for last := stepNone; last <= stepConfirmed; last++ {
		for _, crash := range []bool{false, true} {
			t.Run(fmt.Sprintf("step %d, crash %v", last, crash), func(t *testing.T) {
				fs := vfs.NewMem()
				b := start(t, fs)
				shelves(b, "a", "b", "c", "d", "e")
				body, key := asking(`{"all":true}`, `"name":"n"`), with("Idempotency-Key", "k")
				b.attempt(b.asked(body, key), last)
				if last < stepAccepted {
					b.refused(problem.NotFound, "bulk.get", "1", "")
					if page := must[api.BulkPage](b, "bulk.list", "", ""); len(page.Items) != 0 {
						t.Errorf("a draft is shown: %+v", page)
					}
				}
				if crash {
					b.stop()
					b = start(t, fs)
					ids := b.service.NewID
					b.service.NewID = func() string { return "later-" + ids() }
					if err := b.service.SettleBulkNames(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				must[any](b, "collection.delete", "b", "")
				must[collection.Result](b, "collection.put", "f", `{}`)
				want := "a c d e f"
				if last >= stepAccepted {
					want = "a b c d e"
				}
				task := must[api.BulkTask](b, "bulk.submit", "", body, key)
				if got := listed(b.list(task.Task)); got != want || task.Name != "n" {
					t.Errorf("%s: the list: %s, not %s", task.Name, got, want)
				}
				if page := must[api.BulkPage](b, "bulk.list", "", ""); len(page.Items) != 1 {
					t.Errorf("tasks: %+v", page)
				}
				if crash || last != stepAccepted { // the attempt that goes on without its client confirms the name
					b.clock.Set(b.clock.Now().Add(2 * provider.ReservationTTL))
					b.refused(problem.NameTaken, "bulk.submit", "", asking(`{"ids":["a"]}`, `"name":"n"`))
				}
				if again := must[api.BulkTask](b, "bulk.submit", "", body, key); again.Task != task.Task {
					t.Errorf("again: %+v", again)
				}
			})
		}
	}
}

// openTasks are the ids of the tasks that the start looks at.
func (b *bench) openTasks() (ids []string) {
	b.t.Helper()
	for p := range b.store.Partitions() {
		for e, err := range b.store.IndexTerms(persistence.Partition(p), persistence.IndexKey{Kind: persistence.KindBulk, Name: bulk.IndexOpenTasks, Provider: "p"}) {
			if err != nil {
				b.t.Fatal(err)
			}
			ids = append(ids, e.Entity)
		}
	}
	return ids
}

// TestATaskThatEndsBeforeItsNameIsSettled has it settled at the next start, and is not looked at by those after that: a start
// costs what is open, not what is kept.
func TestATaskThatEndsBeforeItsNameIsSettled(t *testing.T) {
	fs := vfs.NewMem()
	b := start(t, fs)
	shelves(b, "a")
	settled := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`, `"name":"settled"`)).Task
	must[api.BulkTask](b, "bulk.cancel", settled, "")
	b.attempt(b.asked(asking(`{"ids":["a"]}`, `"name":"n"`)), stepAccepted)
	must[api.BulkTask](b, "bulk.cancel", "2", "")
	if open := b.openTasks(); len(open) != 1 || open[0] == settled {
		t.Errorf("open: %v, and %s is settled", open, settled)
	}
	if page := must[api.BulkPage](b, "bulk.list", "", "", param("open", "true")); len(page.Items) != 0 {
		t.Errorf("listed as open: %+v", page.Items)
	}
	b.stop()
	b = start(t, fs)
	if err := b.service.SettleBulkNames(t.Context()); err != nil {
		t.Fatal(err)
	}
	if open := b.openTasks(); len(open) != 0 {
		t.Errorf("open: %v", open)
	}
	b.clock.Set(b.clock.Now().Add(2 * provider.ReservationTTL))
	for _, name := range []string{"n", "settled"} {
		b.refused(problem.NameTaken, "bulk.submit", "", asking(`{"ids":["a"]}`, `"name":"`+name+`"`))
	}
}

// TestADraftThatNobodyAsksForAgain goes by its timer, and its name with it.
func TestADraftThatNobodyAsksForAgain(t *testing.T) {
	b := start(t, vfs.NewMem())
	shelves(b, "a", "b", "c")
	r := b.asked(asking(`{"all":true}`, `"name":"n"`))
	b.attempt(r, stepStaged)
	b.refused(problem.NameTaken, "bulk.submit", "", asking(`{"all":true}`, `"name":"n"`))
	b.clock.Set(b.clock.Now().Add(2 * time.Hour))
	b.waitFor(func() bool {
		_, err := b.try("bulk.submit", "", asking(`{"all":true}`, `"name":"n"`))
		return err == nil
	})
	b.waitFor(func() bool { return len(b.openTasks()) == 1 })
}

// TestNobodyWaitsForTheAnswer: making a long list is given up, and leaves nothing.
func TestNobodyWaitsForTheAnswer(t *testing.T) {
	b := start(t, vfs.NewMem())
	ids := make([]string, 5000)
	for i := range ids {
		ids[i] = fmt.Sprint("c", i)
	}
	text, err := json.Marshal(ids)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.service.submitBulk(ctx, b.asked(asking(`{"ids":`+string(text)+`}`, `"name":"n"`))); !errors.Is(err, context.Canceled) {
		t.Errorf("the answer: %v", err)
	}
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":`+string(text)+`}`, `"name":"n"`))
	if rows := b.list(task.Task); task.Number != 1 || len(rows) != 5000 || rows[4999].Collection != "c4999" {
		t.Errorf("%d rows of task %d", len(rows), task.Number)
	}
}
