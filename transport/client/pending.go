package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go"

	"concord/actors/collection"
	"concord/actors/lock"
	"concord/actors/problem"
)

// What can become of a parked update besides a result and a *Problem. Test with errors.Is.
var (
	// ErrCancelled means that the update was called off.
	ErrCancelled = errors.New("the parked update was called off")
	// ErrExpired means that the update waited too long for its turn.
	ErrExpired = errors.New("the parked update waited too long")
)

// Pending is an update that has been handed in: it is made when its turn comes, whether or not this program still runs.
type Pending struct {
	Provider, ID string
	Operation    string // names it to OperationWait, also in another program; "" if it was made at once

	client *Client
	result *Result // if it was made at once
}

// UpdateWhenFree makes the changes at once if the collection is not locked, and otherwise leaves them with the service, which
// makes them when their turn comes. Changes without a base (BaseVersion) build on the version that there is now: they are
// refused if what they touch has changed by then.
func (c *Client) UpdateWhenFree(ctx context.Context, id string, changes []Change, options ...CallOption) (*Pending, error) {
	result, err := c.CollectionPatch(ctx, id, changes, with(options, QueueIfLocked())...)
	if err != nil {
		return nil, err
	}
	p := &Pending{Provider: c.providerOf(options), ID: id, Operation: result.Operation, client: c}
	if p.Operation == "" {
		p.result = result
	}
	return p, nil
}

// Wait is OperationWait of the update.
func (p *Pending) Wait(ctx context.Context) (*Result, error) {
	if p.result != nil {
		return p.result, nil
	}
	return p.client.OperationWait(ctx, p.ID, p.Operation, In(p.Provider))
}

// Cancel calls the update off. It is refused with wrong-state if the update has run.
func (p *Pending) Cancel(ctx context.Context) error {
	if p.result != nil {
		return &Problem{Code: problem.WrongState, Status: problem.WrongState.Status(), Title: problem.WrongState.Title(),
			Detail: "the update was made at once"}
	}
	return p.client.OperationCancel(ctx, p.ID, p.Operation, In(p.Provider))
}

// OperationWait waits until a parked update has run. The result tells the version then; what else a Result says is not known
// any more. If it was refused the error is the *Problem that it met then; otherwise it is ErrCancelled or ErrExpired. A lost
// connection and a service that starts again are waited out. When the context ends the update goes on waiting.
func (c *Client) OperationWait(ctx context.Context, id, operation string, options ...CallOption) (*Result, error) {
	provider := c.providerOf(options)
	events, err := c.follow(c.eventSubject(provider, id))
	if err != nil {
		return nil, fmt.Errorf("wait for the update %s of %s: %w", operation, id, err)
	}
	defer events.close()
	concerns := func(msg *nats.Msg) bool {
		_, e, ok := about(msg, provider, id)
		return ok && e.Operation == operation
	}
	for wait := pollMin; ; wait = min(2*wait, pollMax) {
		result, err := c.ended(ctx, id, operation, options)
		if result != nil || err != nil && !passes(err) {
			return result, err
		}
		switch events.wait(ctx.Done(), jittered(wait), concerns) {
		case byContext:
			return nil, context.Cause(ctx)
		case byClose:
			return nil, fmt.Errorf("wait for the update %s of %s: %w", operation, id, ErrClosed)
		case byTime:
		case byMessage, byConnection:
			wait = pollMin
		}
	}
}

// ended is what became of a parked update; nothing while it waits.
func (c *Client) ended(ctx context.Context, id, operation string, options []CallOption) (*Result, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	text, err := c.Do(ctx, "operation.get", id, nil, with(options, inner(operation))...)
	if err != nil {
		return nil, err
	}
	var o struct {
		lock.OperationAnswer
		Problem json.RawMessage `json:"problem"`
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return nil, fmt.Errorf("operation.get %s: unreadable answer: %w", id, err)
	}
	switch o.State {
	case lock.OperationIsDone:
		return &Result{Result: collection.Result{Provider: c.providerOf(options), ID: id, Version: o.Version}}, nil
	case lock.OperationHasFailed:
		return nil, fmt.Errorf("the parked update %s of %s: %w", operation, id, metBy(o.Problem, problem.Code(o.Code)))
	case lock.OperationIsCancelled:
		return nil, fmt.Errorf("%s of %s: %w", operation, id, ErrCancelled)
	case lock.OperationHasExpired:
		return nil, fmt.Errorf("%s of %s: %w", operation, id, ErrExpired)
	case lock.OperationIsWaiting:
	}
	return nil, nil
}

// metBy is the refusal that an update met; retention may have left no more of it than its code.
func metBy(text json.RawMessage, code problem.Code) *Problem {
	if p := problemIn(text); p != nil {
		return p
	}
	return &Problem{Code: code, Status: code.Status(), Title: code.Title()}
}
