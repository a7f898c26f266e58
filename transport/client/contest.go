package client

import (
	"context"
	"fmt"

	"github.com/nats-io/nats.go"

	"concord/actors/lock"
	"concord/actors/problem"
)

// ContestAndWait asks the holder to give the lock up, for others or for nobody, and waits for the outcome; who wants the lock
// calls Lock. When the context ends first the contest is withdrawn. A lost connection and a service that starts again are
// waited out.
func (c *Client) ContestAndWait(ctx context.Context, id string, r ContestRequest, options ...CallOption) (*Outcome, error) {
	provider := c.providerOf(options)
	events, err := c.follow(c.eventSubject(provider, id))
	if err != nil {
		return nil, fmt.Errorf("contest the lock of %s: %w", id, err)
	}
	defer events.close()
	r.Acquire = false
	opened, err := c.LockContest(ctx, id, r, options...)
	if err != nil {
		return nil, err
	}
	concerns := func(msg *nats.Msg) bool {
		_, e, ok := about(msg, provider, id)
		return ok && e.Contest == opened.Contest.Contest
	}
	for wait := pollMin; ; wait = min(2*wait, pollMax) {
		outcome, err := c.outcome(ctx, id, options)
		switch {
		case err == nil && outcome.State != lock.Open:
			return outcome, nil
		case err != nil && !passes(err) && ctx.Err() == nil:
			return nil, err
		}
		switch events.wait(ctx.Done(), jittered(wait), concerns) {
		case byContext:
			afterwards, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoMax)
			defer cancel()
			if err := c.LockWithdraw(afterwards, id, options...); err != nil && !IsCode(err, problem.NoContest) {
				return nil, fmt.Errorf("%w, and the contest could not be withdrawn: %w", context.Cause(ctx), err)
			}
			return nil, context.Cause(ctx)
		case byClose:
			return nil, fmt.Errorf("contest the lock of %s: %w", id, ErrClosed)
		case byTime:
		case byMessage, byConnection:
			wait = pollMin
		}
	}
}

// outcome is LockOutcome within the time of one call.
func (c *Client) outcome(ctx context.Context, id string, options []CallOption) (*Outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Timeout)
	defer cancel()
	return c.LockOutcome(ctx, id, options...)
}
