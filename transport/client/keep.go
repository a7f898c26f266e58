package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
)

// Bounds of keeping a lock.
const (
	renewMin  = 250 * time.Millisecond // between two renewals that nothing else calls for
	answerMax = time.Minute            // for the answer to a contest to be taken
)

// hold begins to keep a lock that was granted.
func (n *line) hold(ctx context.Context, g granted) (*Lock, error) {
	l := &Lock{client: n.client, provider: n.options.Provider, id: n.id, options: n.options, token: g.Token, kept: make(chan struct{}), owed: true}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	prompts, gap := n.prompts, false
	n.prompts = nil // they are the lock's now
	if len(prompts.on) == 0 {
		gap = l.introduce(ctx, prompts)
	}
	l.renewed(&g.GrantAnswer, g.asked)
	if !l.client.start(func() { l.keep(prompts, gap) }) {
		prompts.close()
		l.end(ErrClosed)
		close(l.kept)
		return nil, fmt.Errorf("lock %s: %w", l.id, ErrClosed)
	}
	return l, nil
}

// introduce finds out who we are, which only the service knows of a bearer token, and follows the prompts to us. What came
// before that may have been missed. Without it contests are seen in the answers to renewals.
func (l *Lock) introduce(ctx context.Context, prompts *feed) (gap bool) {
	view, err := l.client.LockGet(ctx, l.id, l.here())
	if err != nil || view.Holder == nil || view.Holder.Principal == "" {
		return false
	}
	l.client.mu.Lock()
	l.client.principal = view.Holder.Principal
	l.client.mu.Unlock()
	return prompts.add(l.client.promptSubject(l.provider, view.Holder.Principal)) == nil
}

// keep renews the lock until it ends. What is published is only a reason to look: the answer to a renewal says how the lock
// stands, whatever was lost on the way.
func (l *Lock) keep(prompts *feed, now bool) {
	defer close(l.kept)
	defer prompts.close()
	defer l.contestOver()
	wait := retryMin
	pause := l.untilRenewal()
	if now {
		pause = 0
	}
	for {
		switch prompts.wait(l.ctx.Done(), pause, l.concerns) {
		case byContext:
			return
		case byClose:
			l.end(fmt.Errorf("keep the lock of %s: %w", l.id, ErrClosed))
			return
		case byTime, byMessage, byConnection:
		}
		err := l.renew()
		switch {
		case err == nil:
			wait, pause = retryMin, l.untilRenewal()
		case l.ctx.Err() != nil:
			return
		case passes(err) && time.Now().Before(l.patience()):
			pause, wait = jittered(wait), min(2*wait, l.client.patience)
		default:
			l.lost(err)
			return
		}
	}
}

// concerns says that a message is about this lock.
func (l *Lock) concerns(msg *nats.Msg) bool {
	var e Event
	return json.Unmarshal(msg.Data, &e) == nil && e.Provider == l.provider && e.Entity == l.id
}

// renew extends the lock, and learns whether it is contested.
func (l *Lock) renew() error {
	ctx, cancel := context.WithTimeout(l.ctx, l.client.options.Timeout)
	defer cancel()
	asked := time.Now()
	lease, err := l.client.LockRenew(ctx, l.id, l.token, l.options.TTL, l.here())
	if err != nil {
		return err
	}
	l.renewed(lease, asked)
	return nil
}

// renewed takes in how the lock stands. The lease counts from when it was asked for: never longer than the service's.
func (l *Lock) renewed(lease *Lease, asked time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lease = *lease
	l.until = asked.Add(time.Duration(lease.ExpiresIn) * time.Second)
	l.contested(lease.Contest)
}

func (l *Lock) untilRenewal() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return max(renewMin, time.Duration(l.lease.RenewAfter)*time.Second)
}

// patience is until when renewals are tried: the service may take a late one.
func (l *Lock) patience() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until.Add(time.Duration(l.lease.ExpiresIn) * time.Second)
}

// lost ends the lock for a reason that is not ours.
func (l *Lock) lost(err error) {
	if _, refused := errors.AsType[*Problem](err); refused && !passes(err) {
		l.settled()
	}
	if ReasonOf(err) == "released" {
		err = fmt.Errorf("%w: %w", ErrReleased, err)
	}
	l.end(fmt.Errorf("keep the lock of %s: %w", l.id, err))
}

// contested asks the program about a contest that it has not been asked about, and lets it know when one is over. The lock's
// mutex is held.
func (l *Lock) contested(c *Contest) {
	if l.contest != nil && (c == nil || c.ID != l.contest.id) {
		l.contest.over()
		l.contest = nil
	}
	if c == nil || l.contest != nil || l.options.OnContest == nil {
		return
	}
	ctx, over := context.WithCancel(l.ctx)
	if !l.client.start(func() { l.answer(ctx, *c) }) {
		over()
		return
	}
	l.contest = &handling{c.ID, over}
}

// contestOver ends the question about a contest, if there is one.
func (l *Lock) contestOver() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.contested(nil)
}

// answer asks the program about a contest and does what it decides.
func (l *Lock) answer(ctx context.Context, c Contest) {
	d := l.options.OnContest(ctx, c)
	if ctx.Err() != nil || d.kind == undecided {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerMax)
	defer cancel()
	for wait := retryMin; ; wait = min(2*wait, l.client.patience) {
		var err error
		if d.kind == keep {
			err = l.Deny(ctx, c.ID, d.reason)
		} else {
			err = l.GiveUp(ctx, c.ID)
		}
		if err == nil || !passes(err) || !pause(ctx, jittered(wait)) {
			return // if it was refused the contest or the lock is over, as the next renewal tells
		}
	}
}

// about reads a published event of a collection; ok is false for one of others, and for one that is none of its lock.
func about(msg *nats.Msg, provider, id string) (kind string, e LockEvent, ok bool) {
	var whole Event
	if json.Unmarshal(msg.Data, &whole) != nil || whole.Provider != provider || whole.Entity != id {
		return "", e, false
	}
	return whole.Type, e, len(whole.Data.Lock) > 0 && json.Unmarshal(whole.Data.Lock, &e) == nil
}

// promptsOfOurs is the subject of the prompts to us; "" if we do not know who we are.
func (c *Client) promptsOfOurs(provider string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.principal == "" {
		return ""
	}
	return c.promptSubject(provider, c.principal)
}
