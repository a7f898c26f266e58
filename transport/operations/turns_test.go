package operations

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// TestWhoeverLeavesTheQueueMakesNothing: requests that wait for the numbers of a provider leave when their client does, or when
// their deadline passes; whoever is left gets the next number.
func TestWhoeverLeavesTheQueueMakesNothing(t *testing.T) {
	b := start(t, vfs.NewMem())
	shelves(b, "a")
	leave, err := b.service.bulks.numbers.lock(t.Context(), "p")
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
	leave, err := b.service.sources.lock(t.Context(), sourceID("p", "s").String())
	if err != nil {
		t.Fatal(err)
	}
	defer leave()
	r := &transport.Request{Op: b.table["source.put"], Provider: "p", ID: "s", Deadline: b.clock.Now()}
	if _, err := b.service.changeSource(t.Context(), r, nil, ""); problem.Of(err).Code != problem.Deadline {
		t.Errorf("%v", err)
	}
}
