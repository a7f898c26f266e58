package lock

import (
	"math"
	"time"

	"concord/actors/problem"
)

// Why a scope cannot be contested.
const (
	notLocked = "not_locked"
	ownLock   = "own_lock"
	autoLock  = "auto"
)

// autoRetry is when to come back while a merge or a parked update runs.
const autoRetry = time.Second

// locked refuses what the state of the scope does not allow, and names who has it and the ways on.
func (t *turn) locked() error {
	v := t.view()
	p := problem.New(problem.Locked, "the collection is locked")
	ways := []string{"wait", "park"}
	switch v.State {
	case Free, Auto:
		p.Detail = "an update is being merged or waits for its turn: retry"
		p.RetryAfter = autoRetry
	case Offered:
		p.Detail = "the lock is offered to " + v.Holder.Principal + ", who waited for it"
		p.RetryAfter = v.ExpiresAt.Sub(t.a.Now)
	case Held, Contested:
		p.Detail = "the lock is held by " + v.Holder.Principal
		p.RetryAfter = v.ExpiresAt.Sub(t.a.Now)
		ways = []string{"contest", "wait", "park"}
		if v.Holder.is(t.a.By) {
			p.Detail = "the lock is held by your own session: send its token"
			ways = []string{"token", "wait", "park"}
		}
	}
	q := p.With("state", v.State)
	if v.Holder != nil {
		q = q.With("holder", v.Holder).With("since", v.Holder.Since)
	}
	if !v.ExpiresAt.IsZero() {
		q = q.With("expiresAt", v.ExpiresAt)
	}
	q = q.With("fence", v.Fence).With("waiters", v.Waiters).With("ways", ways)
	if s := t.a.Settings.LockedStatus; s != 0 && s != 409 {
		q.OtherwiseStatus = s
	}
	return q
}

func staleToken(why Reason, fence uint64) error {
	return problem.New(problem.StaleToken, "the token is not that of the current lock (%s)", why).
		With("reason", string(why)).With("fence", fence)
}

func lockLost(why Reason, fence uint64) error {
	return problem.New(problem.LockLost, "the lock is lost (%s): acquire it anew", why).
		With("reason", string(why)).With("fence", fence)
}

func notContestable(why string) error {
	return problem.New(problem.NotContestable, "there is no lock that you could contest (%s)", why).With("reason", why)
}

func noContest() error { return problem.New(problem.NoContest, "there is no such contest") }

func ticketGone() error {
	return problem.New(problem.TicketGone, "there is no such ticket of yours: take a new one")
}

func (t *turn) cooling(until time.Time) error {
	p := problem.New(problem.ContestCooldown, "a contest of yours was denied a moment ago")
	p.RetryAfter = until.Sub(t.a.Now)
	return p
}

func (t *turn) queueFull(what string, most int) error {
	p := problem.New(problem.QueueFull, "there are %d %s already", most, what).With("limit", most)
	p.RetryAfter = t.a.Settings.WaiterTTL
	if h := t.s.look().holder; h != nil && h.ttl.at().Sub(t.a.Now) < p.RetryAfter {
		p.RetryAfter = h.ttl.at().Sub(t.a.Now)
	}
	return p
}

// seconds rounds down: a lease never seems longer than it is.
func seconds(d time.Duration) int { return int(max(d, 0) / time.Second) }

// secondsUp rounds up: who comes back then does not come too early.
func secondsUp(d time.Duration) int { return int(math.Ceil(max(d, 0).Seconds())) }
