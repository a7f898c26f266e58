package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/client"
)

func TestInLine(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	l := locked(t, s.as("ann", "1"), client.LockOptions{})
	type turn struct {
		who   string
		fence uint64
	}
	var wg sync.WaitGroup
	turns := make(chan turn, 3)
	for i, who := range []string{"bob", "cid", "dora"} {
		c, placed := s.as(who, "1"), make(chan int, 8)
		wg.Go(func() {
			l, err := c.Acquire(ctx, "demo", client.LockOptions{OnWait: func(t client.Ticket) { placed <- t.Position }})
			if err != nil {
				t.Errorf("%s: %v", who, err)
				return
			}
			turns <- turn{who, l.Fence()}
			if err := l.Release(ctx); err != nil {
				t.Error(err)
			}
		})
		if position := <-placed; position != i+1 {
			t.Errorf("%s is number %d", who, position)
		}
	}
	// One more gives up, and leaves no gap.
	impatient, cancel := context.WithCancel(ctx)
	given := make(chan error, 1)
	go func() {
		_, err := s.as("eve", "1").Acquire(impatient, "demo", client.LockOptions{OnWait: func(client.Ticket) { cancel() }})
		given <- err
	}()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if v := viewOf(t, s.as("eve", "1")); v.Waiters != 3 {
		t.Errorf("%d wait", v.Waiters)
	}
	if err := l.Release(ctx); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	close(turns)
	var got []string
	fence := l.Fence()
	for one := range turns {
		if one.fence <= fence {
			t.Errorf("fence %d after %d", one.fence, fence)
		}
		got, fence = append(got, one.who), one.fence
	}
	if diff := cmp.Diff([]string{"bob", "cid", "dora"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestUpdateWhenFree(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	ann, bob := s.as("ann", "1"), s.as("bob", "1")
	if _, err := ann.CollectionPut(ctx, "demo", client.PutRequest{Documents: map[string]json.RawMessage{"x": json.RawMessage(`0`)}}); err != nil {
		t.Fatal(err)
	}
	wait := func(p *client.Pending, err error) (*client.Result, error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p.Wait(ctx)
	}
	if result, err := wait(bob.UpdateWhenFree(ctx, "demo", putX(1))); err != nil || result.Version != 2 {
		t.Errorf("at once: %+v, %v", result, err)
	}
	l := locked(t, ann, client.LockOptions{})
	first, err := bob.UpdateWhenFree(ctx, "demo", putX(2), client.Reason("nightly"))
	if err != nil || first.Operation == "" {
		t.Fatal(first, err)
	}
	second, err := bob.UpdateWhenFree(ctx, "demo", putX(3))
	if err != nil {
		t.Fatal(err)
	}
	third, err := bob.UpdateWhenFree(ctx, "demo", []client.Change{client.PutDocument("y", json.RawMessage(`1`))})
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Cancel(ctx); err != nil {
		t.Error(err)
	}
	if _, err := third.Wait(ctx); !errors.Is(err, client.ErrCancelled) {
		t.Errorf("called off: %v", err)
	}
	outcomes := make(chan string, 2)
	for _, p := range []*client.Pending{first, second} {
		go func() {
			result, err := p.Wait(ctx)
			outcomes <- fmt.Sprint(result != nil && result.Version == 3, client.IsCode(err, problem.VersionConflict))
		}()
	}
	if err := l.Release(ctx); err != nil {
		t.Fatal(err)
	}
	// The second builds on what the first has changed since: it says so by the base that it was parked with.
	if a, b := <-outcomes, <-outcomes; a == b || a != "true false" && b != "true false" || a != "false true" && b != "false true" {
		t.Errorf("%s; %s", a, b)
	}
	result, err := bob.DocumentPut(ctx, "demo", "x", json.RawMessage(`4`), client.QueueIfLocked())
	if err != nil || result.Operation != "" || result.Version != 4 {
		t.Errorf("%+v, %v", result, err)
	}
}

// swallow answers lock.acquire as the service does, with a ticket or a grant, but keeps the first answer back; it tells which
// operations were asked for.
func swallow(t *testing.T, answer string) (c *client.Client, asked chan *nats.Msg) {
	url := natsServer(t).ClientURL()
	nc := natsConn(t, url)
	asked = make(chan *nats.Msg, 8)
	first := true
	if _, err := nc.Subscribe(client.DefaultPrefix+".lock.>", func(msg *nats.Msg) {
		asked <- msg
		if first {
			first = false
			return
		}
		_ = msg.Respond([]byte(answer))
	}); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c, err := client.Connect(url, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, asked
}

func TestWhatNobodyWaitsForIsUndone(t *testing.T) {
	for name, row := range map[string]struct{ answer, undone string }{
		"a grant":  {`{"token": "secret", "fence": 1, "expiresIn": 60, "renewAfter": 20}`, ".lock.release."},
		"a ticket": {`{"ticket": "t1", "position": 1, "expiresIn": 30}`, ".lock.leave."},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(within(t))
			c, asked := swallow(t, row.answer)
			ended := make(chan error, 1)
			go func() { _, err := c.Acquire(ctx, "demo", client.LockOptions{}); ended <- err }()
			first := <-asked
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrOutcomeUnknown) {
				t.Error(err)
			}
			again, undone := <-asked, <-asked
			key := transport.HeaderIdempotencyKey
			if again.Header.Get(key) == "" || again.Header.Get(key) != first.Header.Get(key) || string(again.Data) != string(first.Data) {
				t.Errorf("%v %s is not the request %v %s", again.Header, again.Data, first.Header, first.Data)
			}
			if !strings.Contains(undone.Subject, row.undone) {
				t.Errorf("it was undone by %s", undone.Subject)
			}
		})
	}
}
