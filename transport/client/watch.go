package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/nats-io/nats.go"

	"concord/actors/problem"
	"concord/transport"
)

// Bounds of a watch.
const (
	watchMaxMessages = 1024 // live events that wait; more are dropped, and found again in the log
	watchPageItems   = 1000
	// Between these lies how often a watch looks into the log although nothing has come: often while that finds events,
	// which means that live ones do not come through, and ever less while it finds nothing.
	pollMin = 500 * time.Millisecond
	pollMax = 8 * time.Second
)

// Watch yields the events of a collection above the seq, 0 for all, and goes on with those to come: in order, none
// missing, none twice. It ends when the context does, without an error. It waits out everything that may pass: a lost
// connection, a service that is starting, an event stream that is gone. Another error, such as that there is no such
// collection, is the last that it yields.
//
// Events come live as the service publishes them, and from its log whenever the live ones have a gap; the log is also
// looked into now and then, so that a watch needs no JetStream. An event that retention has removed is passed over.
func (c *Client) Watch(ctx context.Context, id string, after uint64, options ...CallOption) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		w := &watch{client: c, id: id, options: options, last: after, poll: pollMin, yield: yield}
		err := w.run(ctx)
		if err != nil && !errors.Is(err, errEnough) && ctx.Err() == nil {
			yield(Event{}, err)
		}
	}
}

// watch is one loop over Watch, all on the caller's goroutine.
type watch struct {
	client  *Client
	id      string
	options []CallOption
	yield   func(Event, error) bool

	last uint64        // seq of the newest event that was yielded
	poll time.Duration // until the log is looked into again
}

// errEnough ends a watch whose caller wants no more.
var errEnough = errors.New("the caller wants no more events")

func (w *watch) run(ctx context.Context) error {
	subject, err := w.subject()
	if err != nil {
		return err
	}
	live, err := w.client.follow(subject)
	if err != nil {
		return fmt.Errorf("watch %s: %w", w.id, err)
	}
	defer live.close()
	for {
		if err := w.catchUp(ctx); err != nil {
			return err
		}
		if err := w.follow(ctx, live); err != nil {
			return err
		}
	}
}

// subject is where the service publishes the events of the collection.
func (w *watch) subject() (string, error) {
	provider := w.client.providerOf(w.options)
	if err := transport.CheckIDs(&transport.Request{Op: w.client.table["collection.events"], Provider: provider, ID: w.id}); err != nil {
		return "", local(err)
	}
	return w.client.eventSubject(provider, w.id), nil
}

// catchUp yields what the log has above the last event. What can pass it waits out.
func (w *watch) catchUp(ctx context.Context) error {
	before := w.last
	wait := retryMin
	for {
		more, err := w.page(ctx)
		switch {
		case errors.Is(err, errEnough), err != nil && !passes(err):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			if !pause(ctx, jittered(wait)) {
				return ctx.Err()
			}
			wait = min(2*wait, retryMax)
		case !more:
			if w.poll = min(2*w.poll, pollMax); w.last != before {
				w.poll = pollMin
			}
			return nil
		}
	}
}

// page yields one page of the log; more says that there is another.
func (w *watch) page(ctx context.Context) (more bool, err error) {
	page, err := w.client.CollectionEvents(ctx, w.id, w.last, with(w.options, Limit(watchPageItems))...)
	if err != nil {
		return false, err
	}
	for _, event := range page.Items {
		if err := w.give(event); err != nil {
			return false, err
		}
	}
	return page.Next != "", nil
}

// passes says whether the error may be gone after a while.
func passes(err error) bool {
	return errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrClosed) ||
		IsCode(err, problem.Overloaded, problem.Unavailable, problem.Deadline)
}

// give yields an event, unless it is a repeat.
func (w *watch) give(event Event) error {
	if event.Seq <= w.last {
		return nil
	}
	w.last = event.Seq
	if !w.yield(event, nil) {
		return errEnough
	}
	return nil
}

// follow yields live events, until the log must be looked into: there is a gap, the connection is a new one, or it is
// time to.
func (w *watch) follow(ctx context.Context, live *feed) error {
	timer := time.NewTimer(w.poll)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-timer.C:
			return nil
		case status := <-live.connections:
			if status == nats.CLOSED {
				return fmt.Errorf("watch %s: %w", w.id, ErrClosed)
			}
			w.poll = pollMin
			return nil
		case msg := <-live.messages:
			event, ok := w.read(msg)
			if !ok {
				continue
			}
			if event.Seq > w.last+1 {
				return nil // the log has it, too
			}
			if err := w.give(event); err != nil {
				return err
			}
		}
	}
}

// read is the event in a message; ok is false for what is none of this collection.
func (w *watch) read(msg *nats.Msg) (event Event, ok bool) {
	err := json.Unmarshal(msg.Data, &event)
	return event, err == nil && event.Entity == w.id && event.Seq > 0
}
