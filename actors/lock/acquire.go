package lock

import (
	"net/http"
	"time"

	"concord/internal/planted"
)

func (t *turn) acquire(c Acquire) (Result, error) {
	if c.Token != "" {
		if !t.current(c.Token, false) {
			return Result{}, staleToken(t.why(c.Token), t.s.Fence)
		}
		t.extend(c.TTL)
		return t.granted(http.StatusCreated), nil
	}
	in := t.s.look()
	mine := in.ticketOf(t.a.By)
	switch h := in.holder; {
	case h != nil && h.party.is(t.a.By):
		return t.granted(http.StatusCreated), nil // its first answer may have been lost
	case h != nil && c.TakeOverOwn && h.party.Principal == t.a.By.Principal:
		return t.takeOver(c, h, mine), nil
	case t.free() || planted.SkipQueue && in.offer != nil:
		t.grant(c.TTL, HowAcquired, 0)
		return t.granted(http.StatusCreated), nil
	case mine >= 0 && in.offer != nil && in.offer.ticket == in.queue[mine].id:
		t.grant(c.TTL, HowClaimed, in.queue[mine].id)
		return t.granted(http.StatusCreated), nil
	case !c.Wait:
		return Result{}, t.locked()
	}
	i, _, err := t.wait()
	if err != nil {
		return Result{}, err
	}
	return Result{Status: http.StatusAccepted, Ticket: t.ticket(i)}, nil
}

// grant gives the caller the lock.
func (t *turn) grant(asked time.Duration, how How, ticket uint64) {
	ttl := t.a.Settings.ttl(asked, t.a.Settings.TTL)
	fence := t.s.Fence + 1
	t.emit(&LockAcquired{Fence: fence, TokenFence: fence, Party: t.a.By, TTL: ttl, Expires: t.until(ttl), Ticket: ticket, How: how})
}

// takeOver moves the lock to another session of its principal. An open contest goes on, without the new holder.
func (t *turn) takeOver(c Acquire, h *holder, mine int) Result {
	in := t.s.look()
	t.emit(&LockTakenOver{h.fence, t.a.By})
	if in.contestant(t.a.By) >= 0 && len(in.contest.contestants) == 1 {
		taker := t.a.By
		t.emit(&ContestResolved{Contest: in.contest.id, How: ByTakeOver, Granted: &taker})
	}
	var ticket uint64
	if mine >= 0 {
		ticket = in.queue[mine].id
	}
	t.grant(c.TTL, HowTakenOver, ticket)
	return t.granted(http.StatusCreated)
}

// extend renews the lock from now. Only a longer ttl is news for the log.
func (t *turn) extend(asked time.Duration) {
	h := t.s.look().holder
	ttl := t.a.Settings.ttl(asked, h.length())
	if ttl > h.ttl.length {
		t.emit(&LockRenewed{h.fence, ttl, t.until(ttl)})
		return
	}
	t.emit(&Heartbeat{h.fence, ttl, t.until(ttl)})
}

func (t *turn) renew(c Renew) (Result, error) {
	if err := checkToken(c.Token); err != nil {
		return Result{}, err
	}
	if t.current(c.Token, false) {
		t.extend(c.TTL)
		return t.granted(http.StatusOK), nil
	}
	old, ok := t.endedWith(c.Token, false)
	if !ok {
		return Result{}, lockLost(Unknown, t.s.Fence)
	}
	if !c.Reacquire || old.how != Expired || old.fence != t.s.Fence || old.version != t.a.Version || !t.free() {
		return Result{}, lockLost(old.how, t.s.Fence)
	}
	ttl := t.a.Settings.ttl(c.TTL, old.ttl)
	t.emit(&LockAcquired{Fence: t.s.Fence + 1, TokenFence: old.lease.Fence, Party: old.lease.Owner, TTL: ttl,
		Expires: t.until(ttl), How: HowReacquired})
	r := t.granted(http.StatusOK)
	r.Grant.Reacquired = true
	return r, nil
}

// why a token is not current.
func (t *turn) why(token string) Reason {
	if old, ok := t.endedWith(token, false); ok {
		return old.how
	}
	return Unknown
}

// release ends the lock. What is released already is no news.
func (t *turn) release(c Release) (Result, error) {
	if err := checkToken(c.Token); err != nil {
		return Result{}, err
	}
	if t.current(c.Token, c.Beacon) {
		t.emit(&LockReleased{t.s.look().holder.fence, c.Beacon})
		t.ended(ByRelease)
		return done, nil
	}
	if _, ok := t.endedWith(c.Token, c.Beacon); !ok {
		return Result{}, staleToken(Unknown, t.s.Fence)
	}
	return done, nil
}

// breakLock ends anybody's lock. Nothing to break is no news: a repeated break must not hit whoever is next.
func (t *turn) breakLock(c Break) (Result, error) {
	if c.Reason == "" {
		return Result{}, missingReason()
	}
	if err := checkText("/reason", c.Reason, reasonMaxBytes); err != nil {
		return Result{}, err
	}
	if h := t.s.look().holder; h != nil {
		t.emit(&LockBroken{h.fence, t.a.By, c.Reason})
		t.ended(ByBreak)
	}
	return done, nil
}
