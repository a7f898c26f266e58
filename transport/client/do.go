package client

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"concord/actors/problem"
	"concord/transport"
)

// Bounds of the attempts of one call.
const (
	attemptsMax   = 16
	deadlineMaxMS = 10 * 60 * 1000 // what Concord-Deadline may say
	retryMin      = 20 * time.Millisecond
	retryMax      = 2 * time.Second
	// No attempt begins with less time left: it would hardly be answered, and make a known outcome unknown.
	attemptMin = 10 * time.Millisecond
)

// Do calls an operation of the table by its name and returns the body of the answer. id is that of the entity, empty for
// an operation on none; body is JSON text (a []byte or json.RawMessage, sent as it stands), a value to marshal, or nil.
//
// An attempt is made again, after a growing and jittered wait, if nobody listens, if no answer comes, or if the service
// says overloaded or unavailable. Every attempt of a write carries the same idempotency key, so that it takes effect
// once. Any other refusal is final, and so is everything when the context or Options.Timeout has ended.
func (c *Client) Do(ctx context.Context, operation, id string, body any, options ...CallOption) ([]byte, error) {
	k, msg, err := c.prepare(operation, id, body, options)
	if err != nil {
		return nil, err
	}
	if _, bounded := ctx.Deadline(); !bounded {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.options.Timeout)
		defer cancel()
	}
	var unknown bool // an attempt may have taken effect
	wait := retryMin
	for attempt := 1; ; attempt++ {
		answer, err := c.attempt(ctx, k, msg)
		if err == nil {
			return answer, nil
		}
		fate := fateOf(err)
		unknown = unknown || fate == lost
		if fate == refused || fate == lost && !k.repeatable() || attempt == attemptsMax ||
			!pause(ctx, max(jittered(wait), retryAfter(err))) {
			return nil, k.failure(ctx, err, fate, unknown, attempt)
		}
		wait = min(2*wait, c.patience)
	}
}

// repeatable says that the operation may be sent again although an attempt may have taken effect. Writes have a key,
// reads change nothing, and parts of an upload are recognised; what an operator orders is not ordered twice.
func (k *call) repeatable() bool {
	return k.op.Writes || k.op.Keyed || k.op.Method == "GET" || k.op.Right != transport.RightAdmin
}

// attempt sends the request once. It tells the service how long it waits, so that the service need not do what nobody
// waits for any more.
func (c *Client) attempt(ctx context.Context, k *call, msg *nats.Msg) ([]byte, error) {
	var cancel context.CancelFunc
	if k.repeatable() && !k.long {
		ctx, cancel = context.WithTimeout(ctx, c.options.Attempt)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	defer cancel()
	// The link is asked for before anything is sent: what is sent on it is lost with it.
	link := c.connected()
	waiting, giveUp := context.WithCancelCause(ctx)
	defer giveUp(nil)
	stop := context.AfterFunc(link, func() { giveUp(errLinkLost) })
	defer stop()

	if deadline, ok := ctx.Deadline(); ok {
		ms := min(max(time.Until(deadline).Milliseconds(), 1), deadlineMaxMS)
		msg.Header[transport.HeaderDeadline] = []string{strconv.FormatInt(ms, 10)}
	}
	answer, err := c.nc.RequestMsgWithContext(waiting, msg)
	if err != nil {
		if cause := context.Cause(waiting); cause != nil {
			err = cause
		}
		return nil, err
	}
	if p := refusal(answer); p != nil {
		return nil, p
	}
	return answer.Data, nil
}

// fate is what an error says about the attempt.
type fate uint8

const (
	refused  fate = iota // final: the same request would be refused again
	notTaken             // nothing has happened: it may be sent again
	lost                 // no answer: it may have taken effect
)

// final are errors of the connection that the same request would meet again.
var final = []error{nats.ErrConnectionClosed, nats.ErrMaxPayload, nats.ErrBadSubject, nats.ErrInvalidMsg, nats.ErrBadHeaderMsg,
	nats.ErrHeadersNotSupported, nats.ErrAuthorization, nats.ErrPermissionViolation}

func fateOf(err error) fate {
	_, isProblem := errors.AsType[*Problem](err)
	switch {
	case IsCode(err, problem.Overloaded, problem.Unavailable):
		return notTaken
	case IsCode(err, problem.Deadline):
		// The deadline is the attempt's own: it is its timeout, as the service saw it.
		return notTaken
	case isProblem:
		return refused
	case errors.Is(err, nats.ErrNoResponders), errors.Is(err, nats.ErrReconnectBufExceeded):
		return notTaken
	}
	for _, f := range final {
		if errors.Is(err, f) {
			return refused
		}
	}
	return lost // a timeout, a lost connection, a broken pipe: nobody knows
}

func retryAfter(err error) time.Duration {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p.RetryAfter
	}
	return 0
}

// jittered is between half of d and d, so that those who were refused together do not come back together.
func jittered(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// pause waits, and is false if the context ends first, or would end during the wait or right after it.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d+attemptMin {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// failure is what the caller is told of the last attempt.
func (k *call) failure(ctx context.Context, err error, f fate, unknown bool, attempts int) error {
	name := k.op.Name
	if k.id != "" {
		name += " " + k.id
	}
	if errors.Is(err, nats.ErrConnectionClosed) {
		err = fmt.Errorf("%w: %w", ErrClosed, err)
	}
	_, isProblem := errors.AsType[*Problem](err)
	switch {
	case f == refused && !unknown:
		return fmt.Errorf("%s: %w", name, err)
	case !isProblem && errors.Is(context.Cause(ctx), context.Canceled):
		err = context.Cause(ctx)
	case !isProblem:
		err = fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	if unknown && k.op.Method != "GET" && (!isProblem || f != refused) {
		err = fmt.Errorf("%w: %w", ErrOutcomeUnknown, err)
	}
	if attempts > 1 {
		return fmt.Errorf("%s, after %d attempts: %w", name, attempts, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}
