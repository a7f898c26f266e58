package client

import (
	"context"
	"fmt"
	"iter"
	"strconv"

	"concord/persistence"
)

// States in which a bulk task has ended.
const (
	BulkComplete           = "COMPLETE" // every item was decided on; some may have failed: BulkRows names them
	BulkCancelled          = "CANCELLED"
	BulkPartiallyCancelled = "PARTIALLY_CANCELLED" // some items were decided on before
)

// States of an item of a bulk task.
const (
	ItemPending   = "PENDING"
	ItemUpdated   = "UPDATED"
	ItemUnchanged = "UNCHANGED" // what was to be done was done already
	ItemSkipped   = "SKIPPED"   // no instruction found what it is about
	ItemFailed    = "FAILED"
	ItemCancelled = "CANCELLED"
)

// BulkEnded says that a task does nothing any more.
func BulkEnded(t *BulkTask) bool {
	switch t.State {
	case BulkComplete, BulkCancelled, BulkPartiallyCancelled:
		return true
	}
	return false
}

// BulkSubmit has instructions applied to many collections, as a task: see WaitBulk and WatchBulk. It returns when the task is
// accepted, whole and for good. With the option DryRun the task writes nothing, and its items tell what would be. To work out
// a long list takes a while: such a call needs a context with time enough.
//
// Targets that are too many for one request are uploaded first. Such a call with an IdempotencyKey of the caller's own is
// refused when it is repeated, since its upload is another one: there, upload them once by BulkUpload, and name that.
func (c *Client) BulkSubmit(ctx context.Context, r BulkRequest, options ...CallOption) (*BulkTask, error) {
	if kinds(&r.Targets) == 1 && tooLong(&r.Targets) {
		targets, err := c.BulkUpload(ctx, sound(listed(&r.Targets)), In(c.providerOf(options)))
		if err != nil {
			return nil, fmt.Errorf("bulk.submit: %w", err)
		}
		r.Targets = targets
	}
	return ask[BulkTask](ctx, c, "bulk.submit", "", r, with(options, oneLongAttempt()))
}

// BulkGet reads a task, by its id or its number: its state and its counts.
func (c *Client) BulkGet(ctx context.Context, id string, options ...CallOption) (*BulkTask, error) {
	return ask[BulkTask](ctx, c, "bulk.get", id, nil, options)
}

// BulkList is one page of the tasks, the newest first: see Bulks for all of them, and the options StillOpen, InState, WithName,
// AskedBy, From and To.
func (c *Client) BulkList(ctx context.Context, options ...CallOption) (*BulkPage, error) {
	return ask[BulkPage](ctx, c, "bulk.list", "", nil, options)
}

// BulkItems is one page of the items of a task in the order of its list, and what came of them: see BulkRows for all of them,
// and the option InStates.
func (c *Client) BulkItems(ctx context.Context, id string, options ...CallOption) (*BulkItemPage, error) {
	return ask[BulkItemPage](ctx, c, "bulk.items", id, nil, options)
}

// BulkRequest is what a task was asked for with.
func (c *Client) BulkRequest(ctx context.Context, id string, options ...CallOption) (*BulkAsked, error) {
	return ask[BulkAsked](ctx, c, "bulk.request", id, nil, options)
}

// BulkEvents is one page of the events of a task above the seq: see WatchBulk for its states.
func (c *Client) BulkEvents(ctx context.Context, id string, after uint64, options ...CallOption) (*EventPage, error) {
	return ask[EventPage](ctx, c, "bulk.events", id, nil, with(options, Set("after", after)))
}

// BulkPause stops a task at the border of an item until it is resumed.
func (c *Client) BulkPause(ctx context.Context, id string, options ...CallOption) (*BulkTask, error) {
	return ask[BulkTask](ctx, c, "bulk.pause", id, nil, options)
}

// BulkResume has a paused task go on.
func (c *Client) BulkResume(ctx context.Context, id string, options ...CallOption) (*BulkTask, error) {
	return ask[BulkTask](ctx, c, "bulk.resume", id, nil, options)
}

// BulkCancel ends a task at the border of an item; what it has done stays. What is under way still comes in: WaitBulk returns
// when it has.
func (c *Client) BulkCancel(ctx context.Context, id string, options ...CallOption) (*BulkTask, error) {
	return ask[BulkTask](ctx, c, "bulk.cancel", id, nil, options)
}

// BulkRetry begins a task with the failed items of one that has ended.
func (c *Client) BulkRetry(ctx context.Context, id string, r BulkRetry, options ...CallOption) (*BulkTask, error) {
	return ask[BulkTask](ctx, c, "bulk.retry", id, r, with(options, oneLongAttempt()))
}

// BulkRollback begins a task that takes back what another one has updated; one that is open is cancelled first, and its end waited
// for. With DryRun the task says what would be taken back, and writes nothing. A roll-back is taken back in the same way.
func (c *Client) BulkRollback(ctx context.Context, id string, r BulkRollback, options ...CallOption) (*BulkTask, error) {
	return ask[BulkTask](ctx, c, "bulk.rollback", id, r, with(options, oneLongAttempt()))
}

// Bulks yields the tasks, the newest first; an error is the last that it yields.
func (c *Client) Bulks(ctx context.Context, options ...CallOption) iter.Seq2[BulkTask, error] {
	return pages(func(options []CallOption) ([]BulkTask, string, error) {
		page, err := c.BulkList(ctx, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// BulkRows yields the items of a task in the order of its list; an error is the last that it yields. While the task runs, a page
// says what was so when it was asked for.
func (c *Client) BulkRows(ctx context.Context, id string, options ...CallOption) iter.Seq2[BulkItem, error] {
	return pages(func(options []CallOption) ([]BulkItem, string, error) {
		page, err := c.BulkItems(ctx, id, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// InStates leaves the items that are in one of the states.
func InStates(states ...string) CallOption { return Set("state", states) }

// WithName leaves the tasks with a name.
func WithName(name string) CallOption { return Set("name", name) }

// AskedBy leaves the tasks that a principal has asked for.
func AskedBy(principal string) CallOption { return Set("principal", principal) }

// WatchBulk yields the state of a task, and again whenever it has changed, until the task has ended: its last state is the last
// that it yields. Between two looks states may be passed over. It ends when the context does, without an error; the task goes on.
// A lost connection and a service that is starting are waited out. Another error, such as that there is no such task, is the
// last that it yields.
func (c *Client) WatchBulk(ctx context.Context, id string, options ...CallOption) iter.Seq2[BulkTask, error] {
	if _, err := strconv.ParseUint(id, 10, 64); err != nil {
		return bulks.watch(ctx, c, id, options)
	}
	return func(yield func(BulkTask, error) bool) { // events are named by the id alone
		task, err := c.BulkGet(ctx, id, options...)
		if err != nil {
			yield(BulkTask{}, err)
			return
		}
		bulks.watch(ctx, c, task.Task, options)(yield)
	}
}

// bulks are what a watch of one must know.
var bulks = &jobKind[BulkTask]{kind: persistence.KindBulk, get: "bulk.get", read: (*Client).BulkGet, ended: BulkEnded}

// WaitBulk waits until a task has ended and returns it as it is then; the service tells, nobody asks over and over. Whether its
// items went well is in its counts. If the context ends before, the task goes on.
func (c *Client) WaitBulk(ctx context.Context, id string, options ...CallOption) (*BulkTask, error) {
	var last *BulkTask
	for task, err := range c.WatchBulk(ctx, id, options...) {
		if err != nil {
			return nil, err
		}
		last = &task
	}
	if last == nil || !BulkEnded(last) {
		return nil, fmt.Errorf("wait for bulk task %s: %w", id, context.Cause(ctx))
	}
	return last, nil
}
