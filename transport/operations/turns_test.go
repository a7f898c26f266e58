package operations

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/bulk"
	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// TestWhoeverLeavesTheQueueMakesNothing: requests that wait for the numbers of a provider leave when their client does, or when
// their deadline passes; whoever is left gets the next number.
func TestWhoeverLeavesTheQueueMakesNothing(t *testing.T) {
	b := start(t, vfs.NewMem())
	shelves(b, "a")
	leave, err := b.service.turns.take(t.Context(), forNumber, "p", "the test")
	if err != nil {
		t.Fatal(err)
	}
	submit := func(ctx context.Context, deadline time.Time) <-chan error {
		r := b.asked(asking(`{"ids":["a"]}`, `"name":"n"`))
		r.Deadline = deadline
		done := make(chan error, 1)
		go func() { // it ends below
			_, err := b.service.submitBulk(ctx, r)
			done <- err
		}()
		return done
	}
	due := b.clock.Now().Add(time.Minute)
	late := submit(t.Context(), due)
	b.waitFor(func() bool { // it is about to get in line
		return b.service.reserveBulkName(t.Context(), b.asked(""), bulkID("p", "other"), "n", true) != nil
	})
	b.clock.Set(due)
	if p, ok := errors.AsType[*problem.Problem](<-late); !ok || p.Code != problem.Deadline {
		t.Errorf("after the deadline: %v", p)
	}
	ctx, cancel := context.WithCancel(t.Context())
	gone := submit(ctx, time.Time{})
	cancel()
	if err := <-gone; !errors.Is(err, context.Canceled) {
		t.Errorf("after the client has left: %v", err)
	}
	leave()
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`, `"name":"n"`))
	if page := must[api.BulkPage](b, "bulk.list", "", ""); task.Number != 1 || len(page.Items) != 1 {
		t.Errorf("task %d of %d", task.Number, len(page.Items))
	}
}

// TestAChangeOfASourceLeavesTheQueue when its deadline passes, and has changed nothing.
func TestAChangeOfASourceLeavesTheQueue(t *testing.T) {
	b := start(t, vfs.NewMem())
	leave, err := b.service.turns.take(t.Context(), forSource, sourceID("p", "s").String(), "the test")
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	r := &transport.Request{Op: b.table["source.put"], Provider: "p", ID: "s", Deadline: b.clock.Now()}
	if _, err := b.service.changeSource(t.Context(), r, sourceID("p", "s"), nil, ""); problem.Of(err).Code != problem.Deadline {
		t.Errorf("%v", err)
	}
}

// TestWhoeverWaitsForASessionLeaves when their deadline passes, and has changed nothing: on every way to change one.
func TestWhoeverWaitsForASessionLeaves(t *testing.T) {
	b := start(t, vfs.NewMem())
	shelves(b, "a")
	session := b.open("a")
	leave, err := b.service.sessionTurn(t.Context(), editID("p", session))
	if err != nil {
		t.Fatal(err)
	}
	late := func(r *transport.Request) { r.Deadline = b.clock.Now() }
	for operation, body := range map[string]string{
		"edit.apply": `{` + adding("x") + `}`, "edit.rollback": `{"to":"initial"}`, "edit.match": `{"ids":["a"]}`, "edit.close": "",
	} {
		b.refused(problem.Deadline, operation, session, body, late)
	}
	leave()
	if s := must[api.EditSession](b, "edit.get", session, ""); s.State != "READY" {
		t.Errorf("%+v", s)
	}
}

// TestARollBackLeavesTheQueue of those that take the same task back when its deadline passes.
func TestARollBackLeavesTheQueue(t *testing.T) {
	b := start(t, vfs.NewMem())
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`)).Task
	b.tell(task, &bulk.Start{})
	b.tell(task, &bulk.Progress{Rows: []bulk.Outcome{updated(1, 2)}})
	b.tell(task, &bulk.Finish{})
	leave, err := b.service.onlyUndo(t.Context(), "p", task)
	if err != nil {
		t.Fatal(err)
	}
	b.refused(problem.Deadline, "bulk.rollback", task, "", func(r *transport.Request) { r.Deadline = b.clock.Now() })
	leave()
	if got := must[api.BulkTask](b, "bulk.get", task, ""); got.UndoneBy != "" || !got.RollbackAvailable {
		t.Errorf("%+v", got)
	}
}
