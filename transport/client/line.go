package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"concord/actors/lock"
	"concord/actors/problem"
	"concord/transport"
)

// Bounds of a wait in line.
const (
	aliveMin = 250 * time.Millisecond // between two signs of life
	aliveMax = 5 * time.Second
	aliveIn  = 4               // signs of life in the time that a ticket lasts without
	undoMax  = 2 * time.Second // for leaving nothing behind
)

// ContestError says that the holder keeps the lock.
type ContestError struct {
	Outcome Outcome // denied, with the holder's reason; timed_out, withdrawn
}

// Error is the text for a log line or a terminal.
func (e *ContestError) Error() string {
	switch e.Outcome.State {
	case lock.Denied:
		if e.Outcome.Reason == "" {
			return "the contest was denied"
		}
		return "the contest was denied: " + e.Outcome.Reason
	case lock.TimedOut:
		return "the contest timed out: the holder did not answer, and keeps the lock"
	default:
		return fmt.Sprintf("the contest is %s", e.Outcome.State)
	}
}

// line is the way to a lock, all on the caller's goroutine.
type line struct {
	client    *Client
	id        string
	options   LockOptions
	prompts   *feed // to us; the lock takes it over
	events    *feed // of the collection; nil until there is something to wait for
	ticket    string
	position  int
	contest   string // that we have opened or joined; "" without
	contested bool   // the holder has been asked, and it need not be again
	offered   bool   // an event says so
	pause     time.Duration
}

// granted is a lock that we have, and when we asked for it.
type granted struct {
	*Grant
	asked time.Time
}

// line prepares the way: what is published is listened to before anything is asked, so that nothing is missed.
func (c *Client) line(id string, o LockOptions) (*line, error) {
	if err := transport.CheckIDs(&transport.Request{Op: c.table["lock.acquire"], Provider: o.Provider, ID: id}); err != nil {
		return nil, local(err)
	}
	n := &line{client: c, id: id, options: o}
	var err error
	if subject := c.promptsOfOurs(o.Provider); subject != "" {
		n.prompts, err = c.follow(subject)
	} else {
		n.prompts, err = c.follow()
	}
	if err == nil && (o.Wait || o.Contest != nil) {
		n.events, err = c.follow(c.eventSubject(o.Provider, id))
	}
	if err != nil {
		n.close()
		return nil, fmt.Errorf("lock %s: %w", id, err)
	}
	return n, nil
}

func (n *line) close() {
	for _, f := range []*feed{n.prompts, n.events} {
		if f != nil {
			f.close()
		}
	}
}

// enter goes on until the lock is granted. If it fails nothing is left behind.
func (n *line) enter(ctx context.Context) (granted, error) {
	for {
		g, err := n.ask(ctx)
		if err != nil || g.Grant != nil {
			return g, err
		}
		if err := n.wait(ctx); err != nil {
			n.leave(ctx)
			return granted{}, err
		}
	}
}

// ask asks for the lock: a ticket that is offered it gets it by that, and one that is not is kept alive.
func (n *line) ask(ctx context.Context) (granted, error) {
	contest := n.options.Contest != nil && !n.contested
	request := AcquireRequest{TTL: n.options.TTL, TakeOverOwn: n.options.TakeOverOwn, Wait: (n.options.Wait || n.contested) && !contest}
	g, err := n.attempt(ctx, func(ctx context.Context, key CallOption) (*Grant, error) {
		a, err := n.client.LockAcquire(ctx, n.id, request, n.here(), key)
		if err != nil {
			return nil, err
		}
		n.queued(a.Ticket)
		return a.Grant, nil
	})
	if !contest || !IsCode(err, problem.Locked) {
		return g, err
	}
	g, err = n.attempt(ctx, n.challenge)
	if n.options.Wait && IsCode(err, problem.ContestCooldown, problem.Overloaded) {
		n.contested = true // it may not ask again so soon: it waits
		return n.ask(ctx)
	}
	return g, err
}

// challenge contests the lock.
func (n *line) challenge(ctx context.Context, key CallOption) (*Grant, error) {
	request := *n.options.Contest
	request.Acquire = true
	c, err := n.client.LockContest(ctx, n.id, request, n.here(), key)
	if err != nil {
		return nil, err
	}
	n.contested = true
	if c.Grant != nil {
		return c.Grant, nil
	}
	n.contest = c.Contest.Contest
	n.queued(&Ticket{Ticket: c.Contest.Ticket, Position: c.Contest.Position})
	return nil, nil
}

// attempt sends one request. If nobody knows whether it took effect, the very same request finds out, and its effect is
// undone.
func (n *line) attempt(ctx context.Context, request func(context.Context, CallOption) (*Grant, error)) (granted, error) {
	if ctx.Err() != nil {
		return granted{}, context.Cause(ctx)
	}
	key := IdempotencyKey(uuid.Must(uuid.NewV7()).String())
	asked := time.Now()
	g, err := request(ctx, key)
	if err == nil || !errors.Is(err, ErrOutcomeUnknown) {
		return granted{g, asked}, err
	}
	undo, cancel := n.afterwards(ctx)
	defer cancel()
	switch g, again := request(undo, key); {
	case again == nil && g != nil:
		_ = n.client.LockRelease(undo, n.id, g.Token, n.here()) // else it ends with its ttl
	case again == nil:
		n.leave(ctx)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return granted{}, err
}

// afterwards is a context for leaving nothing behind, also when the caller's has ended.
func (n *line) afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), undoMax)
}

// queued notes a place in the line.
func (n *line) queued(t *Ticket) {
	if t == nil {
		return
	}
	if n.options.OnWait != nil && (t.Ticket != n.ticket || t.Position != n.position) {
		n.options.OnWait(*t)
	}
	n.ticket, n.position = t.Ticket, t.Position
	n.pause = aliveMin // until it is known how long the ticket lasts
	if t.ExpiresIn > 0 {
		n.pause = min(max(time.Duration(t.ExpiresIn)*time.Second/aliveIn, aliveMin), aliveMax)
	}
}

// wait keeps the ticket alive until it is time to ask for the lock: it is offered, or the ticket is gone.
func (n *line) wait(ctx context.Context) error {
	retry := retryMin
	for pause := n.pause; ; {
		switch n.events.wait(ctx.Done(), pause, n.concerns) {
		case byContext:
			return context.Cause(ctx)
		case byClose:
			return fmt.Errorf("wait for the lock of %s: %w", n.id, ErrClosed)
		case byTime, byMessage, byConnection:
		}
		if n.offered {
			n.offered = false
			return nil
		}
		offered, err := n.look(ctx)
		switch {
		case IsCode(err, problem.TicketGone), err == nil && offered:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil:
			retry, pause = retryMin, n.pause
		case passes(err):
			pause, retry = jittered(retry), min(2*retry, n.client.patience)
		default:
			return err
		}
	}
}

// concerns says that a message is about our ticket or our contest.
func (n *line) concerns(msg *nats.Msg) bool {
	kind, e, ok := about(msg, n.options.Provider, n.id)
	if !ok {
		return false
	}
	n.offered = n.offered || kind == "offer.made" && e.Ticket == n.ticket
	return e.Ticket == n.ticket || e.Contest != "" && e.Contest == n.contest
}

// look is a sign of life, and finds out how things stand.
func (n *line) look(ctx context.Context) (offered bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, n.client.options.Timeout)
	defer cancel()
	t, err := n.client.LockKeepalive(ctx, n.id, n.ticket, n.here())
	if err != nil {
		return false, err
	}
	if n.queued(t); t.Offered || n.contest == "" || n.options.Wait {
		return t.Offered, nil
	}
	outcome, err := n.client.LockOutcome(ctx, n.id, n.here())
	if err != nil {
		return false, err
	}
	switch outcome.State {
	case lock.Denied, lock.TimedOut, lock.Withdrawn:
		return false, &ContestError{*outcome}
	default:
		return outcome.Offered, nil
	}
}

// leave gives the ticket back, and with it the contest. If that fails both end with the ticket's ttl.
func (n *line) leave(ctx context.Context) {
	if n.ticket == "" {
		return
	}
	ctx, cancel := n.afterwards(ctx)
	defer cancel()
	_ = n.client.LockLeave(ctx, n.id, n.ticket, n.here())
	n.ticket = ""
}

func (n *line) here() CallOption { return In(n.options.Provider) }
