package lock

import (
	"slices"
	"time"
)

// Bounds of the lists in a state.
const (
	endedMaxLocks       = 8   // whose tokens get a reason
	outcomesMax         = 32  // of contests
	operationsMaxEnded  = 64  // that can be read
	operationsMaxParked = 256 // waiting in one scope
	contestantsMax      = 64  // of one contest
	cooldownsMax        = 64
	countedMax          = 1024 // contests of the last minute, in memory only
)

// Party is an owner: a session of a principal. Kind (person, service) is only shown.
type Party struct {
	Principal string `json:"principal"`
	Session   string `json:"session,omitempty"`
	Kind      string `json:"kind,omitempty"`
}

// is compares who they are.
func (p Party) is(q Party) bool { return p.Principal == q.Principal && p.Session == q.Session }

// State is the lock of a scope. The zero value is one that was never locked. It is a value: Evolve makes a new one.
type State struct {
	Fence uint64 // of the newest grant; it only grows
	in    *inner // nil: nothing to remember
}

type inner struct {
	holder     *holder
	offer      *offer
	contest    *contest
	queue      []waiter   // tickets and parked operations, in the order of their turns
	cooldowns  []cooldown // by the time they were given
	ended      []ended    // oldest first, as are all below
	outcomes   []outcome  // one a party
	operations []EndedOperation
	counted    []counted // volatile
}

// span is a deadline that runs again in full after a restart.
type span struct {
	until  time.Time
	length time.Duration
	live   time.Time // volatile; if it is there it counts instead of until
}

func (s span) at() time.Time {
	if s.live.IsZero() {
		return s.until
	}
	return s.live
}

func (s span) recovered(started time.Time) span {
	again := started.Add(s.length)
	if again.Before(s.at()) {
		again = s.at()
	}
	if again.Before(s.until) {
		again = s.until
	}
	s.live = again
	if again.Equal(s.until) {
		s.live = time.Time{}
	}
	return s
}

func (s span) durable() span {
	s.live = time.Time{}
	return s
}

type holder struct {
	party      Party
	fence      uint64
	tokenFence uint64 // of the lease's first grant: what the token is made of
	ticket     uint64 // that was claimed; 0: none
	since      time.Time
	ttl        span
	short      time.Duration // volatile: a shorter ttl that a renewal asked for; 0: none
}

func (h *holder) lease() Lease { return Lease{h.party, h.tokenFence} }

func (h *holder) length() time.Duration {
	if h.short > 0 {
		return h.short
	}
	return h.ttl.length
}

// offer reserves the free scope for a ticket.
type offer struct {
	ticket uint64
	window span
}

type contest struct {
	id          uint64
	opened      time.Time
	deadline    span
	contestants []contestant // oldest first
}

type contestant struct {
	party   Party
	note    string
	acquire bool
	ticket  uint64 // 0 without acquire
	made    bool   // the contest took the ticket
	since   time.Time
}

// waiter is a place in the queue: a ticket, or a parked operation.
type waiter struct {
	id        uint64
	operation bool
	party     Party
	since     time.Time
	alive     span // of a ticket

	base, bytes uint64 // of an operation, as expires
	expires     time.Time
}

type cooldown struct {
	principal string
	until     time.Time
}

// ended is a lock as it was at its end.
type ended struct {
	fence   uint64
	lease   Lease
	how     Reason
	version uint64 // of the content then
	ttl     time.Duration
}

type outcome struct {
	contest uint64
	party   Party
	state   OutcomeState
	reason  string
	until   time.Time // of the cool-down
}

// EndedOperation is a parked update that waits no more.
type EndedOperation struct {
	ID      uint64
	State   OperationState
	Party   Party
	Version uint64 // that it made
	Code    string // of the problem that it met
	Seq     uint64 // of the event that ended it
}

type counted struct {
	principal string
	at        time.Time
}

func (s State) look() inner {
	if s.in == nil {
		return inner{}
	}
	return *s.in
}

func (in *inner) empty() bool {
	return in.holder == nil && in.offer == nil && in.contest == nil && len(in.queue)+len(in.cooldowns)+len(in.ended)+
		len(in.outcomes)+len(in.operations)+len(in.counted) == 0
}

// waiter finds a place in the queue; -1: it is not there.
func (in *inner) waiter(id uint64, operation bool) int {
	return slices.IndexFunc(in.queue, func(w waiter) bool { return w.id == id && w.operation == operation })
}

// ticketOf finds the ticket of a party: it has one at most.
func (in *inner) ticketOf(p Party) int {
	return slices.IndexFunc(in.queue, func(w waiter) bool { return !w.operation && w.party.is(p) })
}

func (in *inner) tickets() (n int) {
	for i := range in.queue {
		if !in.queue[i].operation {
			n++
		}
	}
	return n
}

// contestant finds a party in the open contest.
func (in *inner) contestant(p Party) int {
	if in.contest == nil {
		return -1
	}
	return slices.IndexFunc(in.contest.contestants, func(c contestant) bool { return c.party.is(p) })
}

// next says that a parked operation has its turn.
func (in *inner) next() bool {
	return in.holder == nil && in.offer == nil && len(in.queue) > 0 && in.queue[0].operation
}

// position of a place in the queue, from 1. Who is offered the lock stands before all others.
func (in *inner) position(i int) int {
	if in.offer == nil {
		return i + 1
	}
	switch offered := in.waiter(in.offer.ticket, false); {
	case i == offered:
		return 1
	case i < offered:
		return i + 2
	default:
		return i + 1
	}
}

// Held says whether somebody holds the lock, as far as is decided: a due expiry has not been looked at.
func (s State) Held() bool { return s.look().holder != nil }

// HolderOf is who holds the lock, as far as is decided.
func HolderOf(s State) (p Party, ok bool) {
	h := s.look().holder
	if h == nil {
		return Party{}, false
	}
	return h.party, true
}

// ContestOf is the open contest, nil without.
func ContestOf(s State) *ContestView {
	in := s.look()
	return in.contestView()
}

// IsContested says whether there is an open contest.
func IsContested(s State) bool { return s.look().contest != nil }

// IsOffered says whether the free scope is reserved for a ticket.
func IsOffered(s State) bool { return s.look().offer != nil }

// Tickets is how many wait in the queue for the lock.
func Tickets(s State) int {
	in := s.look()
	return in.tickets()
}

// TicketSince is when the ticket was taken; ok is false if there is no such ticket.
func TicketSince(s State, ticket uint64) (since time.Time, ok bool) {
	in := s.look()
	i := in.waiter(ticket, false)
	if i < 0 {
		return time.Time{}, false
	}
	return in.queue[i].since, true
}

// Idle says that nobody holds the scope, is offered it, or waits for it.
func Idle(s State) bool {
	in := s.look()
	return in.holder == nil && in.offer == nil && len(in.queue) == 0
}

// Volatile says that the state knows what the log does not: signs of life. An entity with such a state stays in memory.
func Volatile(s State) bool { return !same(s, Durable(s)) }

func same(s, d State) bool {
	a, b := s.look(), d.look()
	if len(a.counted) > 0 || a.holder != nil && (a.holder.ttl != b.holder.ttl || a.holder.short != 0) ||
		a.offer != nil && a.offer.window != b.offer.window || a.contest != nil && a.contest.deadline != b.contest.deadline {
		return false
	}
	for i := range a.queue {
		if a.queue[i].alive != b.queue[i].alive {
			return false
		}
	}
	return true
}

// Durable is the state without what is volatile: what is stored of it.
func Durable(s State) State {
	return s.spans(func(sp span) span { return sp.durable() }, func(in *inner) {
		in.counted = nil
		if in.holder != nil {
			in.holder.short = 0
		}
	})
}

// Recover is the stored state at the start of the process: lease, waiter ttl, contest deadline and offer window run
// again in full, so that nobody loses by our being down. Repeating it changes nothing.
func Recover(s State, started time.Time) State {
	started = instant(started)
	return s.spans(func(sp span) span { return sp.recovered(started) }, func(*inner) {})
}

// spans is a copy with all deadlines changed.
func (s State) spans(change func(span) span, also func(*inner)) State {
	if s.in == nil {
		return s
	}
	in := *s.in
	if in.holder != nil {
		h := *in.holder
		h.ttl = change(h.ttl)
		in.holder = &h
	}
	if in.offer != nil {
		in.offer = &offer{in.offer.ticket, change(in.offer.window)}
	}
	if in.contest != nil {
		c := *in.contest
		c.deadline = change(c.deadline)
		in.contest = &c
	}
	in.queue = slices.Clone(in.queue)
	for i := range in.queue {
		if w := &in.queue[i]; !w.operation {
			w.alive = change(w.alive)
		}
	}
	also(&in)
	if in.empty() {
		return State{Fence: s.Fence}
	}
	return State{s.Fence, &in}
}

// instant cuts a time to what is stored.
func instant(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
