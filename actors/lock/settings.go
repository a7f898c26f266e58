package lock

import (
	"time"

	"concord/actors/problem"
)

// Mode says what a write of content needs.
type Mode string

// The modes. The empty one is Implicit.
const (
	Implicit   Mode = "implicit"   // a write without a token is fine while the scope is free
	Explicit   Mode = "explicit"   // a write needs a token
	Optimistic Mode = "optimistic" // locks are advice: only versions guard
)

// Policy says what happens when a contest's deadline passes without an answer.
type Policy string

// The policies. The empty one is KeepOnTimeout.
const (
	KeepOnTimeout    Policy = "keep"    // the holder keeps the lock
	ReleaseOnTimeout Policy = "release" // the lock is revoked
)

// Settings are the `lock` part of a collection type.
type Settings struct {
	Mode                Mode
	TTL, MinTTL, MaxTTL time.Duration // of a lease; what is asked is clamped
	MaxWaiters          int           // tickets in the queue
	WaiterTTL           time.Duration // of a ticket without a sign of life
	OfferWindow         time.Duration
	ContestDeadline     time.Duration
	OnTimeout           Policy
	Cooldown            time.Duration // of a principal that was denied
	ContestsPerMinute   int           // by one principal on the scope
	OperationExpiry     time.Duration // of a parked update
	LockedStatus        int           // 409 or 423; 0 is 409
}

// DefaultSettings are those of semantics section 1.
var DefaultSettings = Settings{
	Mode: Implicit, TTL: time.Minute, MinTTL: 5 * time.Second, MaxTTL: time.Hour,
	MaxWaiters: 64, WaiterTTL: 30 * time.Second, OfferWindow: 10 * time.Second,
	ContestDeadline: time.Minute, OnTimeout: KeepOnTimeout, Cooldown: 30 * time.Second, ContestsPerMinute: 10,
	OperationExpiry: 24 * time.Hour, LockedStatus: 409,
}

// Bounds of what a type may ask for. With the lists of a state they bound its size.
const (
	waitersMax           = 1024
	contestsPerMinuteMax = 100
)

// Validate names the first member of the type's `lock` that is out of bounds. It returns a *problem.Problem.
func (s Settings) Validate() error {
	switch s.Mode {
	case "", Implicit, Explicit, Optimistic:
	default:
		return problem.At("/lock/mode", "%q is none of implicit, explicit, optimistic", string(s.Mode))
	}
	switch s.OnTimeout {
	case "", KeepOnTimeout, ReleaseOnTimeout:
	default:
		return problem.At("/lock/contest/onTimeout", "%q is none of keep, release", string(s.OnTimeout))
	}
	for _, d := range []struct {
		path            string
		is, least, most time.Duration
	}{
		{"/lock/minTtl", s.MinTTL, time.Second, 24 * time.Hour},
		{"/lock/maxTtl", s.MaxTTL, s.MinTTL, 24 * time.Hour},
		{"/lock/ttl", s.TTL, s.MinTTL, s.MaxTTL},
		{"/lock/waiterTtl", s.WaiterTTL, time.Second, time.Hour},
		{"/lock/offerWindow", s.OfferWindow, time.Second, time.Hour},
		{"/lock/contest/deadline", s.ContestDeadline, time.Second, 24 * time.Hour},
		{"/lock/contest/cooldown", s.Cooldown, 0, 24 * time.Hour},
		{"/lock/operationExpiry", s.OperationExpiry, time.Second, 30 * 24 * time.Hour},
	} {
		if d.is < d.least || d.is > d.most {
			return problem.At(d.path, "%v is not from %v to %v", d.is, d.least, d.most)
		}
	}
	switch {
	case s.MaxWaiters < 0 || s.MaxWaiters > waitersMax:
		return problem.At("/lock/maxWaiters", "%d is not from 0 to %d", s.MaxWaiters, waitersMax)
	case s.ContestsPerMinute < 1 || s.ContestsPerMinute > contestsPerMinuteMax:
		return problem.At("/lock/contest/perMinute", "%d is not from 1 to %d", s.ContestsPerMinute, contestsPerMinuteMax)
	case s.LockedStatus != 0 && s.LockedStatus != 409 && s.LockedStatus != 423:
		return problem.At("/lock/lockedStatus", "%d is neither 409 nor 423", s.LockedStatus)
	}
	return nil
}

// ttl clamps what is asked; nothing asked is the usual.
func (s Settings) ttl(asked, usual time.Duration) time.Duration {
	if asked == 0 {
		asked = usual
	}
	return micros(min(max(asked, s.MinTTL), s.MaxTTL))
}

// deadline of a contest, as asked or else as usual. Under ReleaseOnTimeout the holder can rely on the type's.
func (s Settings) deadline(asked time.Duration) time.Duration {
	if asked == 0 {
		return micros(s.ContestDeadline)
	}
	least := min(s.ContestDeadline, time.Second)
	if s.OnTimeout == ReleaseOnTimeout {
		least = s.ContestDeadline
	}
	return micros(min(max(asked, least), max(s.ContestDeadline, s.MaxTTL)))
}

// micros cuts a length to what is stored.
func micros(d time.Duration) time.Duration { return d.Truncate(time.Microsecond) }
