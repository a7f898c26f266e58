package operations

import (
	"time"

	"concord/actors/lock"
)

// Tally is how many locks there are, and how much waits for them.
type Tally struct {
	Held, Contested, Offered int // scopes; those that are contested are held, too
	Tickets, Parked          int // in the queues
	ParkedBytes              int // of the updates that wait
}

// add counts a lock in (sign 1) or out (-1).
func (t *Tally) add(s lock.State, sign int) {
	if s.Held() {
		t.Held += sign
	}
	if lock.IsContested(s) {
		t.Contested += sign
	}
	if lock.IsOffered(s) {
		t.Offered += sign
	}
	t.Tickets += sign * lock.Tickets(s)
	count, bytes := lock.Waiting(s)
	t.Parked += sign * count
	t.ParkedBytes += sign * int(bytes)
}

// LockMeter is told what happens to locks, once it is durable. All fields must be set, and none may block.
type LockMeter struct {
	Granted func(how string)                           // one of LockGrants
	Ended   func(cause string)                         // one of LockEnds
	Settled func(outcome string)                       // of a contest: one of ContestOutcomes
	Waited  func(outcome string, waited time.Duration) // of a ticket: one of TicketOutcomes
	Parked  func(outcome string)                       // of a parked update: one of ParkedOutcomes
}

// Outcomes of tickets, beside those that the machine names.
const (
	ticketGranted = "granted"
	ticketLapsed  = "lapsed"
)

// What a LockMeter may be told.
var (
	LockGrants = []string{string(lock.HowAcquired), string(lock.HowClaimed), string(lock.HowContested),
		string(lock.HowReacquired), string(lock.HowTakenOver)}
	LockEnds = []string{string(lock.Released), string(lock.Expired), string(lock.Broken), string(lock.ContestTimeout),
		string(lock.TakenOver)}
	ContestOutcomes = []string{string(lock.Denied), string(lock.TimedOut), string(lock.Withdrawn), string(lock.ContestOver),
		string(lock.ByAccept), string(lock.ByRelease), string(lock.ByBreak), string(lock.ByRevoke), string(lock.ByTakeOver)}
	TicketOutcomes = []string{ticketGranted, ticketLapsed, string(lock.WhyLeft), string(lock.WhyDead)}
	ParkedOutcomes = []string{string(lock.OperationIsDone), string(lock.OperationHasFailed),
		string(lock.OperationIsCancelled), string(lock.OperationHasExpired)}
)

// happening is an event of a lock, and when it was.
type happening struct {
	event lock.Event
	at    time.Time
}

// count counts what has happened to a lock. before is the lock before it.
func (m *LockMeter) count(before lock.State, news []happening) {
	for _, h := range news {
		m.lease(h.event)
		m.contest(h.event)
		m.ticket(before, h)
		m.operation(h.event)
	}
}

func (m *LockMeter) lease(e lock.Event) {
	switch e := e.(type) {
	case *lock.LockAcquired:
		m.Granted(string(e.How))
	case *lock.LockReleased:
		m.Ended(string(lock.Released))
	case *lock.LockExpired:
		m.Ended(string(lock.Expired))
	case *lock.LockBroken:
		m.Ended(string(lock.Broken))
	case *lock.LockRevoked:
		m.Ended(string(lock.ContestTimeout))
	case *lock.LockTakenOver:
		m.Ended(string(lock.TakenOver))
	}
}

func (m *LockMeter) contest(e lock.Event) {
	switch e := e.(type) {
	case *lock.ContestDenied:
		m.Settled(string(lock.Denied))
	case *lock.ContestTimedOut:
		m.Settled(string(lock.TimedOut))
	case *lock.ContestExpired:
		m.Settled(string(lock.ContestOver))
	case *lock.ContestResolved:
		m.Settled(string(e.How))
	case *lock.ContestWithdrawn:
		if e.Closed {
			m.Settled(string(lock.Withdrawn))
		}
	}
}

// ticket counts the ends of tickets. One that was taken by the same command cannot have ended by it.
func (m *LockMeter) ticket(before lock.State, h happening) {
	ended := func(ticket uint64, outcome string) {
		if since, known := lock.TicketSince(before, ticket); known {
			m.Waited(outcome, h.at.Sub(since))
		}
	}
	switch e := h.event.(type) {
	case *lock.LockAcquired:
		ended(e.Ticket, ticketGranted)
	case *lock.OfferLapsed:
		ended(e.Ticket, ticketLapsed)
	case *lock.WaiterGone:
		ended(e.Ticket, string(e.Why))
	}
}

func (m *LockMeter) operation(e lock.Event) {
	switch e.(type) {
	case *lock.OperationDone:
		m.Parked(string(lock.OperationIsDone))
	case *lock.OperationFailed:
		m.Parked(string(lock.OperationHasFailed))
	case *lock.OperationCancelled:
		m.Parked(string(lock.OperationIsCancelled))
	case *lock.OperationExpired:
		m.Parked(string(lock.OperationHasExpired))
	}
}
