package lock

import "time"

// Event is a fact about the lock. The stored ones have a name (Name); the volatile ones change the live state only.
// No event holds a token.
type Event interface{ event() }

// How a grant came about.
type How string

// The ways to a grant.
const (
	HowAcquired   How = "acquired"
	HowClaimed    How = "claimed" // a ticket's turn
	HowContested  How = "contested"
	HowReacquired How = "reacquired" // a late renewal: same token
	HowTakenOver  How = "taken_over"
)

// Reason is why a token is no longer current.
type Reason string

// The reasons, as problems name them.
const (
	Expired        Reason = "expired"
	TakenOver      Reason = "taken_over"
	Broken         Reason = "broken"
	ContestTimeout Reason = "contest_timeout"
	Released       Reason = "released"
	Unknown        Reason = "unknown"
)

// Settlement is how a contest was resolved.
type Settlement string

// The settlements.
const (
	ByAccept   Settlement = "accepted"
	ByRelease  Settlement = "released"
	ByBreak    Settlement = "broken"
	ByRevoke   Settlement = "revoked"
	ByTakeOver Settlement = "taken_over"
)

// Why a ticket has gone.
type Why string

// The reasons for a ticket to go.
const (
	WhyLeft Why = "left"
	WhyDead Why = "dead" // no sign of life
)

// The stored events.
type (
	// LockAcquired is a grant.
	LockAcquired struct {
		Fence, TokenFence uint64
		Party             Party
		TTL               time.Duration
		Expires           time.Time
		Ticket            uint64 // that it used up, 0: none
		How               How
	}
	// LockRenewed is a renewal that lengthens the ttl.
	LockRenewed struct {
		Fence   uint64
		TTL     time.Duration
		Expires time.Time
	}
	// LockReleased is the holder's own end of the lock. Beacon: without credentials, by token alone.
	LockReleased struct {
		Fence  uint64
		Beacon bool
	}
	// LockExpired is a lock whose ttl is over.
	LockExpired struct{ Fence uint64 }
	// LockBroken is a lock that somebody with the right ended.
	LockBroken struct {
		Fence  uint64
		By     Party
		Reason string
	}
	// LockRevoked is a lock whose holder left a contest unanswered, under ReleaseOnTimeout.
	LockRevoked struct{ Fence uint64 }
	// LockTakenOver is a lock that another session of its principal took; its grant follows.
	LockTakenOver struct {
		Fence uint64
		By    Party
	}

	// ContestOpened prompts the holder.
	ContestOpened struct {
		Contest uint64
		Claim   Claimant
		Length  time.Duration
		Until   time.Time
	}
	// ContestJoined is another contestant, or one that now wants the lock, too.
	ContestJoined struct {
		Contest uint64
		Claim   Claimant
	}
	// ContestDenied answers all contestants. Until is the end of their principals' cool-down, zero without.
	ContestDenied struct {
		Contest uint64
		Reason  string
		Until   time.Time
	}
	// ContestWithdrawn is a contestant less. Gone: its ticket died. Closed: it was the last one.
	ContestWithdrawn struct {
		Contest uint64
		Party   Party
		Gone    bool
		Closed  bool
	}
	// ContestTimedOut is a contest that the holder left unanswered, under KeepOnTimeout.
	ContestTimedOut struct{ Contest uint64 }
	// ContestExpired is a contest of a lock that expired.
	ContestExpired struct{ Contest uint64 }
	// ContestResolved is a contest of a lock that ended otherwise. Granted is the party that was said yes to, if any.
	ContestResolved struct {
		Contest uint64
		How     Settlement
		Granted *Party
	}

	// OfferMade reserves the free scope for a ticket.
	OfferMade struct {
		Ticket uint64
		Party  Party
		Length time.Duration
		Until  time.Time
	}
	// OfferLapsed drops the ticket, which did not claim.
	OfferLapsed struct {
		Ticket uint64
		Party  Party
	}
	// WaiterAdded is a new ticket at the end of the queue.
	WaiterAdded struct {
		Ticket uint64
		Party  Party
		Length time.Duration
		Until  time.Time
	}
	// WaiterGone is a ticket less.
	WaiterGone struct {
		Ticket uint64
		Party  Party
		Why    Why
	}

	// OperationParked is an update at the end of the queue.
	OperationParked struct {
		Operation   uint64
		Party       Party
		Base, Bytes uint64
		Expires     time.Time
	}
	// OperationDone is a parked update that was saved, or changed nothing, as of Version.
	OperationDone struct{ Operation, Version uint64 }
	// OperationFailed is a parked update that was refused with the code.
	OperationFailed struct {
		Operation uint64
		Code      string
	}
	// OperationCancelled is a parked update that was called off.
	OperationCancelled struct{ Operation uint64 }
	// OperationExpired is a parked update that waited too long.
	OperationExpired struct{ Operation uint64 }
)

// Claimant is what a contestant asks for.
type Claimant struct {
	Party   Party
	Note    string
	Acquire bool
	Ticket  uint64 // 0 without Acquire
	Made    bool   // the contest took the ticket
}

// The volatile events.
type (
	// Heartbeat is a plain renewal.
	Heartbeat struct {
		Fence uint64
		TTL   time.Duration
		Until time.Time
	}
	// Alive is a sign of life of a ticket's owner.
	Alive struct {
		Ticket uint64
		Until  time.Time
	}
	// Counted is a contest that counts for the rate.
	Counted struct {
		Principal string
		At        time.Time
	}
)

func (*LockAcquired) event()       {}
func (*LockRenewed) event()        {}
func (*LockReleased) event()       {}
func (*LockExpired) event()        {}
func (*LockBroken) event()         {}
func (*LockRevoked) event()        {}
func (*LockTakenOver) event()      {}
func (*ContestOpened) event()      {}
func (*ContestJoined) event()      {}
func (*ContestDenied) event()      {}
func (*ContestWithdrawn) event()   {}
func (*ContestTimedOut) event()    {}
func (*ContestExpired) event()     {}
func (*ContestResolved) event()    {}
func (*OfferMade) event()          {}
func (*OfferLapsed) event()        {}
func (*WaiterAdded) event()        {}
func (*WaiterGone) event()         {}
func (*OperationParked) event()    {}
func (*OperationDone) event()      {}
func (*OperationFailed) event()    {}
func (*OperationCancelled) event() {}
func (*OperationExpired) event()   {}
func (*Heartbeat) event()          {}
func (*Alive) event()              {}
func (*Counted) event()            {}

// Stored names of the events; never reused.
const (
	TypeAcquired         = "lock.acquired"
	TypeRenewed          = "lock.renewed"
	TypeReleased         = "lock.released"
	TypeExpired          = "lock.expired"
	TypeBroken           = "lock.broken"
	TypeRevoked          = "lock.revoked"
	TypeTakenOver        = "lock.taken_over"
	TypeContestOpened    = "contest.opened"
	TypeContestJoined    = "contest.joined"
	TypeContestDenied    = "contest.denied"
	TypeContestWithdrawn = "contest.withdrawn"
	TypeContestTimedOut  = "contest.timed_out"
	TypeContestExpired   = "contest.expired"
	TypeContestResolved  = "contest.resolved"
	TypeOfferMade        = "offer.made"
	TypeOfferLapsed      = "offer.lapsed"
	TypeWaiterAdded      = "waiter.added"
	TypeWaiterGone       = "waiter.gone"
	TypeOpParked         = "operation.parked"
	TypeOpDone           = "operation.done"
	TypeOpFailed         = "operation.failed"
	TypeOpCancelled      = "operation.cancelled"
	TypeOpExpired        = "operation.expired"
)

// Stored says whether the event goes to the log; if not it is volatile.
func Stored(e Event) bool { return Name(e) != "" }

// Name is the stored name of the event; empty: it is volatile.
func Name(e Event) string {
	switch e.(type) {
	case *LockAcquired:
		return TypeAcquired
	case *LockRenewed:
		return TypeRenewed
	case *LockReleased:
		return TypeReleased
	case *LockExpired:
		return TypeExpired
	case *LockBroken:
		return TypeBroken
	case *LockRevoked:
		return TypeRevoked
	case *LockTakenOver:
		return TypeTakenOver
	case *ContestOpened:
		return TypeContestOpened
	case *ContestJoined:
		return TypeContestJoined
	case *ContestDenied:
		return TypeContestDenied
	case *ContestWithdrawn:
		return TypeContestWithdrawn
	case *ContestTimedOut:
		return TypeContestTimedOut
	case *ContestExpired:
		return TypeContestExpired
	case *ContestResolved:
		return TypeContestResolved
	default:
		return nameInLine(e)
	}
}

// nameInLine names the events of the queue.
func nameInLine(e Event) string {
	switch e.(type) {
	case *OfferMade:
		return TypeOfferMade
	case *OfferLapsed:
		return TypeOfferLapsed
	case *WaiterAdded:
		return TypeWaiterAdded
	case *WaiterGone:
		return TypeWaiterGone
	case *OperationParked:
		return TypeOpParked
	case *OperationDone:
		return TypeOpDone
	case *OperationFailed:
		return TypeOpFailed
	case *OperationCancelled:
		return TypeOpCancelled
	case *OperationExpired:
		return TypeOpExpired
	default: // Heartbeat, Alive, Counted
		return ""
	}
}
