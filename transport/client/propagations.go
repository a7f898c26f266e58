package client

import (
	"context"
	"iter"

	"concord/persistence"
)

// States in which a propagation has ended.
const (
	JobCompleted           = "COMPLETED"
	JobCompletedWithErrors = "COMPLETED_WITH_ERRORS" // some links failed: PropagationItems names them
	JobCancelled           = "CANCELLED"
	JobSuperseded          = "SUPERSEDED" // by a newer change of the same cause
	JobFailed              = "FAILED"
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

// PropagationRollback takes back the change that has caused a job, as a new change: the answer names its job, if linked fields have
// to follow. With DryRun it says what would come of it.
func (c *Client) PropagationRollback(ctx context.Context, id string, r PropagationRollback, options ...CallOption) (*LinkChanged, error) {
	return ask[LinkChanged](ctx, c, "propagation.rollback", id, r, options)
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
	return propagations.watch(ctx, c, id, options)
}

// propagations are what a watch of one must know.
var propagations = &jobKind[Propagation]{kind: persistence.KindPropagation, get: "propagation.get", read: (*Client).PropagationGet, ended: JobEnded}
