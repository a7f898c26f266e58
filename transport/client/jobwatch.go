package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"concord/persistence"
	"concord/transport"
)

// Bounds of the watch of a job.
const (
	jobPollMin = 100 * time.Millisecond // until the second look; each is later than the one before
	jobPollMax = time.Second
	jobGap     = 250 * time.Millisecond // between two looks, however much progress there is
)

// jobKind is what a watch must know of a kind of jobs.
type jobKind[T any] struct {
	kind  persistence.Kind
	get   string // operation that reads one
	read  func(c *Client, ctx context.Context, id string, options ...CallOption) (*T, error)
	ended func(*T) bool
}

// watch yields the state of a job, and again whenever it has changed, until the job has ended or the context.
func (k *jobKind[T]) watch(ctx context.Context, c *Client, id string, options []CallOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		w := &jobWatch[T]{jobKind: k, client: c, id: id, options: options, yield: yield}
		if err := w.run(ctx); err != nil && !errors.Is(err, errEnough) && ctx.Err() == nil {
			var none T
			yield(none, err)
		}
	}
}

// jobWatch is one loop over a watch, all on the caller's goroutine.
type jobWatch[T any] struct {
	*jobKind[T]
	client  *Client
	id      string
	options []CallOption
	yield   func(T, error) bool
	last    *T // that was yielded
}

func (w *jobWatch[T]) run(ctx context.Context) error {
	provider := w.client.providerOf(w.options)
	if err := transport.CheckIDs(&transport.Request{Op: w.client.table[w.get], Provider: provider, ID: w.id}); err != nil {
		return local(err)
	}
	events, err := w.client.follow(w.client.options.Prefix + ".event." + w.kind.String() + "." + provider + "." + w.id)
	if err != nil {
		return fmt.Errorf("watch %s: %w", w.id, err)
	}
	defer events.close()
	for wait := jobPollMin; ; wait = min(2*wait, jobPollMax) {
		ended, err := w.look(ctx)
		if ended || err != nil && !passes(err) {
			return err
		}
		turned := false // the state is another one, which nobody wants to hear of late
		switch events.wait(ctx.Done(), wait, func(msg *nats.Msg) bool { turned = turned || turns(msg); return true }) {
		case byContext:
			return ctx.Err()
		case byClose:
			return fmt.Errorf("watch %s: %w", w.id, ErrClosed)
		case byTime:
		case byMessage, byConnection:
			if !turned && !w.rest(ctx, events) {
				return ctx.Err()
			}
		}
	}
}

// rest lets the progress of a busy job gather, until its state is another one; it is false if the context ends first.
func (w *jobWatch[T]) rest(ctx context.Context, events *feed) bool {
	return events.wait(ctx.Done(), jobGap, turns) != byContext
}

// turns says that the event is more than progress: the job has another state.
func turns(msg *nats.Msg) bool {
	var event struct {
		Type string `json:"type"`
	}
	return json.Unmarshal(msg.Data, &event) == nil && !strings.HasSuffix(event.Type, ".progressed")
}

// look yields the job if it has changed; ended says that it will not any more.
func (w *jobWatch[T]) look(ctx context.Context) (ended bool, err error) {
	job, err := w.read(w.client, ctx, w.id, w.options...)
	if err != nil {
		return false, err
	}
	if w.last != nil && reflect.DeepEqual(w.last, job) {
		return false, nil
	}
	w.last = job
	if !w.yield(*job, nil) {
		return false, errEnough
	}
	return w.ended(job), nil
}
