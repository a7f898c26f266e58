package client

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"time"

	"github.com/nats-io/nats.go"

	"concord/transport"
)

// States in which a propagation has ended.
const (
	JobCompleted           = "COMPLETED"
	JobCompletedWithErrors = "COMPLETED_WITH_ERRORS" // some links failed: PropagationItems names them
	JobCancelled           = "CANCELLED"
	JobSuperseded          = "SUPERSEDED" // by a newer change of the same cause
	JobFailed              = "FAILED"
)

// Bounds of the watch of a job.
const (
	jobPollMin = 100 * time.Millisecond // until the second look; each is later than the one before
	jobPollMax = time.Second
	jobGap     = 250 * time.Millisecond // between two looks, however many events there are
)

// JobEnded says that a propagation changes no more links, unless it is retried.
func JobEnded(p *Propagation) bool {
	switch p.State {
	case JobCompleted, JobCompletedWithErrors, JobCancelled, JobSuperseded, JobFailed:
		return true
	}
	return false
}

// PropagationGet reads a job: its state and its counts.
func (c *Client) PropagationGet(ctx context.Context, id string, options ...CallOption) (*Propagation, error) {
	return ask[Propagation](ctx, c, "propagation.get", id, nil, options)
}

// PropagationList is one page of the jobs, the newest first: see Propagations for all of them, and the option StillOpen.
func (c *Client) PropagationList(ctx context.Context, options ...CallOption) (*PropagationPage, error) {
	return ask[PropagationPage](ctx, c, "propagation.list", "", nil, options)
}

// PropagationItems is one page of what has failed and what is waited for: see PropagationRows for all of it, and the option InState.
func (c *Client) PropagationItems(ctx context.Context, id string, options ...CallOption) (*PropagationItemPage, error) {
	return ask[PropagationItemPage](ctx, c, "propagation.items", id, nil, options)
}

// PropagationEvents is one page of the events of a job above the seq: see WatchPropagation for its states.
func (c *Client) PropagationEvents(ctx context.Context, id string, after uint64, options ...CallOption) (*EventPage, error) {
	return ask[EventPage](ctx, c, "propagation.events", id, nil, with(options, Set("after", after)))
}

// PropagationPause stops a job at the border of a collection.
func (c *Client) PropagationPause(ctx context.Context, id string, options ...CallOption) (*Propagation, error) {
	return ask[Propagation](ctx, c, "propagation.pause", id, nil, options)
}

// PropagationResume has a paused job go on.
func (c *Client) PropagationResume(ctx context.Context, id string, options ...CallOption) (*Propagation, error) {
	return ask[Propagation](ctx, c, "propagation.resume", id, nil, options)
}

// PropagationCancel ends a job at the border of a collection; what it has done stays.
func (c *Client) PropagationCancel(ctx context.Context, id string, options ...CallOption) (*Propagation, error) {
	return ask[Propagation](ctx, c, "propagation.cancel", id, nil, options)
}

// PropagationRetry tries the failed links of an ended job again.
func (c *Client) PropagationRetry(ctx context.Context, id string, options ...CallOption) (*Propagation, error) {
	return ask[Propagation](ctx, c, "propagation.retry", id, nil, options)
}

// Propagations yields the jobs, the newest first; an error is the last that it yields.
func (c *Client) Propagations(ctx context.Context, options ...CallOption) iter.Seq2[Propagation, error] {
	return pages(func(options []CallOption) ([]Propagation, string, error) {
		page, err := c.PropagationList(ctx, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// PropagationRows yields what has failed and what is waited for in a job; an error is the last that it yields.
func (c *Client) PropagationRows(ctx context.Context, id string, options ...CallOption) iter.Seq2[PropagationItem, error] {
	return pages(func(options []CallOption) ([]PropagationItem, string, error) {
		page, err := c.PropagationItems(ctx, id, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// StillOpen leaves the jobs that have not ended.
func StillOpen() CallOption { return Set("open", true) }

// InState leaves the items in a state: FAILED or WAITING.
func InState(state string) CallOption { return Set("state", state) }

// WatchPropagation yields the state of a job, and again whenever it has changed, until the job has ended: its last state is the
// last that it yields. Between two looks states may be passed over. It ends when the context does, without an error; the job
// goes on. A lost connection and a service that is starting are waited out. Another error, such as that there is no such job,
// is the last that it yields.
func (c *Client) WatchPropagation(ctx context.Context, id string, options ...CallOption) iter.Seq2[Propagation, error] {
	return func(yield func(Propagation, error) bool) {
		w := &jobWatch{client: c, id: id, options: options, yield: yield}
		if err := w.run(ctx); err != nil && !errors.Is(err, errEnough) && ctx.Err() == nil {
			yield(Propagation{}, err)
		}
	}
}

// jobWatch is one loop over WatchPropagation, all on the caller's goroutine.
type jobWatch struct {
	client  *Client
	id      string
	options []CallOption
	yield   func(Propagation, error) bool
	last    *Propagation // that was yielded
}

func (w *jobWatch) run(ctx context.Context) error {
	provider := w.client.providerOf(w.options)
	if err := transport.CheckIDs(&transport.Request{Op: w.client.table["propagation.get"], Provider: provider, ID: w.id}); err != nil {
		return local(err)
	}
	events, err := w.client.follow(w.client.options.Prefix + ".event.propagation." + provider + "." + w.id)
	if err != nil {
		return fmt.Errorf("watch %s: %w", w.id, err)
	}
	defer events.close()
	for wait := jobPollMin; ; wait = min(2*wait, jobPollMax) {
		ended, err := w.look(ctx)
		if ended || err != nil && !passes(err) {
			return err
		}
		switch events.wait(ctx.Done(), wait, func(*nats.Msg) bool { return true }) {
		case byContext:
			return ctx.Err()
		case byClose:
			return fmt.Errorf("watch %s: %w", w.id, ErrClosed)
		case byTime:
		case byMessage, byConnection:
			if !pause(ctx, jobGap) { // a busy job has many events
				return ctx.Err()
			}
		}
	}
}

// look yields the job if it has changed; ended says that it will not any more.
func (w *jobWatch) look(ctx context.Context) (ended bool, err error) {
	job, err := w.client.PropagationGet(ctx, w.id, w.options...)
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
	return JobEnded(job), nil
}
