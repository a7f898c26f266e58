package client

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"concord/actors/problem"
)

// ErrReleased is why the context of a Lock ends that its holder has given back.
var ErrReleased = errors.New("the lock was released")

// LockOptions say how a lock is taken and kept. The zero value takes it if it is free, and leaves contests unanswered.
type LockOptions struct {
	Provider    string        // empty: the client's
	TTL         time.Duration // how long the lock lasts without a renewal; 0: the type's
	TakeOverOwn bool          // take it from another session of the same principal
	// Wait waits in line while another has the lock, until the context ends.
	Wait bool
	// Contest, if it is not nil, asks a holder to give the lock up, and waits for the outcome. If the holder keeps it, the
	// answer is a *ContestError; with Wait the place in the line stays, and the wait goes on.
	Contest *ContestRequest
	// OnWait is told of a ticket: when it is taken, and when its place changes. It must return soon.
	OnWait func(Ticket)
	// OnContest is asked once for each contest of the lock while it is held, one after another, on a goroutine of its own. Its
	// context ends when the contest or the lock does, and then what it returns is no matter. It may use the lock, also to
	// release it, and must not close the client. nil: no contest is answered.
	OnContest func(context.Context, Contest) Decision
}

// Decision is the answer to a contest.
type Decision struct {
	kind   decisionKind
	reason string
}

type decisionKind uint8

const (
	undecided decisionKind = iota
	keep
	giveUp
)

// Undecided leaves a contest unanswered: its deadline decides.
var Undecided = Decision{}

// Keep denies the contest; all contestants are told why.
func Keep(reason string) Decision { return Decision{keep, reason} }

// GiveUp ends the lock for the oldest contestant that wants it. If the contest is over by then, the lock is kept.
func GiveUp() Decision { return Decision{kind: giveUp} }

// Lock is the lock of a collection, as long as it is held: it is renewed by itself until it is released or lost. It may be
// used by many goroutines.
//
// Every write that names the lock (Under) is refused once another has it, whatever the client believes. While the service
// cannot be reached the lock is kept for up to one ttl longer than it lasts: the service takes a late renewal, unless
// somebody else had the lock or wrote meanwhile. Who needs to know for certain looks at Until.
type Lock struct {
	client   *Client
	provider string
	id       string
	options  LockOptions
	token    string
	ctx      context.Context
	end      context.CancelCauseFunc
	kept     chan struct{} // closed when it is not renewed any more

	mu      sync.Mutex
	lease   Lease
	until   time.Time // by the clock of this machine
	owed    bool      // the service may hold it for us
	contest *handling // nil: none is open, as far as we know
}

// handling is a contest that the program has been asked about.
type handling struct {
	id   string
	over context.CancelFunc
}

// Lock takes the lock of a collection, which need not exist, as the options say, and keeps it until Release. If it is not to
// be had the error is a *Problem with the code locked, or a *ContestError. When the context ends first nothing is left
// behind: no ticket, no contest and no lock.
//
// A lock belongs to the session that the client was opened with: who takes it twice in one session has it once.
func (c *Client) Lock(ctx context.Context, id string, o LockOptions) (*Lock, error) {
	if o.Provider == "" {
		o.Provider = c.options.Provider
	}
	l, err := c.line(id, o)
	if err != nil {
		return nil, err
	}
	defer l.close()
	grant, err := l.enter(ctx)
	if err != nil {
		return nil, err
	}
	return l.hold(ctx, grant)
}

// Acquire is Lock with a wait in line.
func (c *Client) Acquire(ctx context.Context, id string, o LockOptions) (*Lock, error) {
	o.Wait = true
	return c.Lock(ctx, id, o)
}

// ID is that of the collection.
func (l *Lock) ID() string { return l.id }

// Token proves the lock: see Under.
func (l *Lock) Token() string { return l.token }

// Under makes the write under the lock: it is refused if that is not held any more.
func Under(l *Lock) CallOption { return LockToken(l.Token()) }

// Fence is the number of the grant. It is greater than that of every lock of the collection before it, and grows if the lock
// had to be taken anew: a system that is written to under the lock refuses what comes with a lesser one.
func (l *Lock) Fence() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lease.Fence
}

// Until is when the lock ends if it is not renewed again, by the clock of this machine, on the safe side.
func (l *Lock) Until() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.until
}

// Context ends with the lock. Its cause is ErrReleased, or says how the lock was lost: a *Problem with the code lock-lost
// and a member "reason", ErrUnavailable if it could not be renewed for too long, or ErrClosed.
func (l *Lock) Context() context.Context { return l.ctx }

// Err is why the lock has ended, nil while it is held.
func (l *Lock) Err() error { return context.Cause(l.ctx) }

// ReasonOf is why a lock was lost, as the service names it: expired, taken_over, broken, contest_timeout, released or
// unknown. It is empty for an error that says no such thing.
func ReasonOf(err error) (reason string) {
	if p, ok := errors.AsType[*Problem](err); ok {
		p.Member("reason", &reason)
	}
	return reason
}

// Release gives the lock back and waits until it is not renewed any more. It sends nothing for a lock that is lost or was
// given back; after an error it may be called again, and otherwise the lock ends with its ttl. A call of OnContest that is
// under way has its context ended, and is waited for by Close of the client.
func (l *Lock) Release(ctx context.Context) error {
	l.end(ErrReleased)
	<-l.kept
	l.mu.Lock()
	owed := l.owed
	l.mu.Unlock()
	if !owed {
		return nil
	}
	err := l.client.LockRelease(ctx, l.id, l.token, l.here())
	if err == nil || IsCode(err, problem.LockLost, problem.StaleToken) {
		l.settled()
		return nil
	}
	return err
}

// SaveAndRelease makes the changes under the lock and gives it back, in one step. A collection that does not exist is made by
// the changes, which then must be puts. After an error the lock is held as before, unless the outcome of the write is
// unknown.
func (l *Lock) SaveAndRelease(ctx context.Context, changes []Change, options ...CallOption) (*Result, error) {
	options = with(options, l.here(), Under(l), ThenRelease())
	result, err := l.client.CollectionPatch(ctx, l.id, changes, options...)
	if IsCode(err, problem.NotFound) {
		put, cannot := creation(changes)
		if cannot != nil {
			return nil, err
		}
		result, err = l.client.CollectionPut(ctx, l.id, put, with(options, CreateOnly())...)
	}
	if err != nil {
		return nil, err
	}
	l.settled()
	l.end(ErrReleased)
	<-l.kept
	return result, nil
}

// GiveUp ends the lock for the oldest contestant that wants it, or, if there is none by now, for those in line. One that names
// the contest that it answers ends the lock for that one's contestants only: it is refused with no-contest once that is over.
func (l *Lock) GiveUp(ctx context.Context, contest string) error {
	err := l.client.LockAccept(ctx, l.id, l.token, AcceptRequest{Contest: contest}, l.here())
	if contest == "" && IsCode(err, problem.NoContest) {
		err = l.client.LockRelease(ctx, l.id, l.token, l.here())
	}
	if err != nil {
		return err
	}
	l.settled()
	l.end(fmt.Errorf("given up for a contestant: %w", ErrReleased))
	<-l.kept
	return nil
}

// Deny answers the contest, or, if it names none, the open one: the lock is kept, and all contestants are told why. It is refused
// with no-contest if there is none, or another.
func (l *Lock) Deny(ctx context.Context, contest, reason string) error {
	return l.client.LockDeny(ctx, l.id, l.token, DenyRequest{Reason: reason, Contest: contest}, l.here())
}

// here calls the provider of the lock.
func (l *Lock) here() CallOption { return In(l.provider) }

// settled notes that the service does not hold the lock for us.
func (l *Lock) settled() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owed = false
}
