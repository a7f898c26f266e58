package client_test

import (
	"context"
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"concord/actors/problem"
	"concord/internal/node"
	"concord/transport/client"
)

// follower watches a collection and checks that its events come in order, none missing, none twice.
type follower struct {
	t    *testing.T
	seen chan client.Event
	done chan struct{}
}

func follow(ctx context.Context, t *testing.T, c *client.Client, after uint64) *follower {
	f := &follower{t: t, seen: make(chan client.Event, 4096), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		last := after
		for event, err := range c.Watch(ctx, "demo", after) {
			if err != nil {
				t.Errorf("watch: %v", err)
				return
			}
			if event.Seq != last+1 {
				t.Errorf("event %d after %d", event.Seq, last)
			}
			last = event.Seq
			f.seen <- event
		}
	}()
	return f
}

// until waits for the event with the seq.
func (f *follower) until(seq uint64) {
	f.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		select {
		case event := <-f.seen:
			if event.Seq >= seq {
				return
			}
		case <-f.done:
			f.t.Fatalf("the watch ended before event %d", seq)
		case <-deadline:
			f.t.Fatalf("event %d does not come", seq)
		}
	}
}

// writer makes versions of the collection, one event each.
type writer struct {
	t *testing.T
	c *client.Client
	n int
}

func newWriter(t *testing.T, c *client.Client) *writer {
	w := &writer{t: t, c: c}
	if _, err := c.CollectionPut(within(t), "demo", client.PutRequest{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// write makes some versions and returns the seq of the last.
func (w *writer) write(versions int) (seq uint64) {
	w.t.Helper()
	for range versions {
		w.n++
		result, err := w.c.DocumentPut(within(w.t), "demo", "x", json.RawMessage(strconv.Itoa(w.n)))
		if err != nil {
			w.t.Fatal(err)
		}
		seq = result.Seq
	}
	return seq
}

func TestWatch(t *testing.T) {
	ctx, cancel := context.WithCancel(within(t))
	s := startService(t)
	c := s.connect(client.Options{})
	w := newWriter(t, c)
	w.write(5)
	all, later := follow(ctx, t, c, 0), follow(ctx, t, c, 3)
	last := w.write(40)
	all.until(last)
	later.until(last)
	cancel()
	<-all.done
	<-later.done
}

func TestWatchOutlivesRestarts(t *testing.T) {
	ctx := within(t)
	s := startService(t)
	c := s.connect(client.Options{Attempt: time.Second})
	w := newWriter(t, c)
	f := follow(ctx, t, s.connect(client.Options{Attempt: time.Second}), 0)
	for range 2 {
		f.until(w.write(10))
		s.restart()
	}
	f.until(w.write(10))
}

func TestWatchOutlivesTheStream(t *testing.T) {
	ctx := within(t)
	s := startService(t)
	c := s.connect(client.Options{})
	w := newWriter(t, c)
	f := follow(ctx, t, c, 0)
	f.until(w.write(10))
	js, err := jetstream.New(natsConn(t, s.node.NATSAddress()))
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(ctx, "CONCORD_EVENTS"); err != nil {
		t.Fatal(err)
	}
	f.until(w.write(10))
}

func TestWatchNeedsNoJetStream(t *testing.T) {
	ctx := within(t)
	ns := natsServer(t) // without JetStream
	s := startService(t, func(o *node.Options) { o.NATSURL = ns.ClientURL() })
	c := s.connect(client.Options{})
	w := newWriter(t, c)
	f := follow(ctx, t, c, 0)
	f.until(w.write(5))
	f.until(w.write(5))
}

func TestWatchOfNothing(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{})
	for _, err := range c.Watch(ctx, "demo", 0) {
		if !client.IsCode(err, problem.NotFound) {
			t.Errorf("%v, want not-found", err)
		}
	}
	for _, err := range c.Watch(ctx, "*", 0) {
		if !client.IsCode(err, problem.Invalid) {
			t.Errorf("%v, want invalid", err)
		}
	}
}

func TestWatchEndsWhenItsCallerStops(t *testing.T) {
	ctx := within(t)
	c := startService(t).connect(client.Options{})
	newWriter(t, c).write(3)
	seen := 0
	for _, err := range c.Watch(ctx, "demo", 0) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 2 {
			break
		}
	}
	c.Close()
	for _, err := range c.Watch(ctx, "demo", 0) {
		if err == nil {
			t.Error("a closed client has events")
		}
	}
}
