package lock

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Result is the success of a command. One of the answers is set, or none.
type Result struct {
	Status int    `json:"-"`
	Token  string `json:"-"` // of a grant: the caller adds it to the answer, and keeps it nowhere
	Lease  Lease  `json:"-"` // of a grant: to compute the token from again

	Grant     *GrantAnswer
	Ticket    *TicketAnswer
	Contest   *ContestAnswer
	View      *View
	Outcome   *OutcomeAnswer
	Operation *OperationAnswer
}

// Answer is the answer that is set, nil if there is none. It holds no token.
func (r Result) Answer() any {
	switch {
	case r.Grant != nil:
		return r.Grant
	case r.Contest != nil:
		return r.Contest
	case r.Ticket != nil:
		return r.Ticket
	case r.View != nil:
		return r.View
	case r.Outcome != nil:
		return r.Outcome
	case r.Operation != nil:
		return r.Operation
	default:
		return nil
	}
}

// GrantAnswer tells a holder of the lease.
type GrantAnswer struct {
	Fence      uint64       `json:"fence"`
	ExpiresAt  time.Time    `json:"expiresAt"`
	ExpiresIn  int          `json:"expiresIn"`  // seconds
	RenewAfter int          `json:"renewAfter"` // seconds
	Contested  bool         `json:"contested"`
	Contest    *ContestView `json:"contest,omitempty"`
	Reacquired bool         `json:"reacquired"`
}

// TicketAnswer tells a waiter of its place.
type TicketAnswer struct {
	Ticket    string    `json:"ticket"`
	Position  int       `json:"position"`  // from 1
	ExpiresIn int       `json:"expiresIn"` // seconds without a sign of life; while offered: to claim in
	Offered   bool      `json:"offered"`
	ClaimBy   time.Time `json:"claimBy,omitzero"`
}

// ContestAnswer tells a contestant that it is in line. Without Contest there is nobody to prompt: a ticket alone.
type ContestAnswer struct {
	Contest  string    `json:"contest,omitempty"`
	Joined   bool      `json:"joined"`
	Prompted bool      `json:"prompted"`
	Deadline time.Time `json:"deadline,omitzero"`
	Ticket   string    `json:"ticket,omitempty"`
	Position int       `json:"position,omitempty"`
}

// ScopeState is the state of a scope as callers see it.
type ScopeState string

// The states.
const (
	Free      ScopeState = "free"
	Held      ScopeState = "held"
	Contested ScopeState = "contested"
	Offered   ScopeState = "offered"
	Auto      ScopeState = "auto"
)

// HolderView is who has the lock, or is offered it.
type HolderView struct {
	Party
	Since time.Time `json:"since"`
}

// ContestView is the open contest.
type ContestView struct {
	ID          string           `json:"id"`
	OpenedAt    time.Time        `json:"openedAt"`
	Deadline    time.Time        `json:"deadline"`
	Contestants []ContestantView `json:"contestants"` // oldest first
}

// ContestantView is one that contests.
type ContestantView struct {
	Party
	Note    string    `json:"note,omitempty"`
	Acquire bool      `json:"acquire"`
	Since   time.Time `json:"since"`
}

// View is the answer of lock.get.
type View struct {
	State       ScopeState   `json:"state"`
	Holder      *HolderView  `json:"holder,omitempty"`
	Fence       uint64       `json:"fence"`
	ExpiresAt   time.Time    `json:"expiresAt,omitzero"`
	ExpiresIn   int          `json:"expiresIn,omitempty"`
	Waiters     int          `json:"waiters"` // tickets
	Contestants int          `json:"contestants"`
	Parked      int          `json:"parked"` // operations
	Contest     *ContestView `json:"contest,omitempty"`
	Version     uint64       `json:"version"`
}

// OutcomeState is what became of a contest, for one contestant.
type OutcomeState string

// The states of an outcome.
const (
	Open        OutcomeState = "open"
	Granted     OutcomeState = "granted"
	Denied      OutcomeState = "denied"
	TimedOut    OutcomeState = "timed_out"
	Withdrawn   OutcomeState = "withdrawn"
	Resolved    OutcomeState = "resolved"
	ContestOver OutcomeState = "expired"
)

// OutcomeAnswer is the answer of lock.outcome.
type OutcomeAnswer struct {
	State      OutcomeState `json:"state"`
	Contest    string       `json:"contest,omitempty"`
	Reason     string       `json:"reason,omitempty"`
	RetryAfter int          `json:"retryAfter,omitempty"` // seconds
	Deadline   time.Time    `json:"deadline,omitzero"`    // while open
	Ticket     string       `json:"ticket,omitempty"`
	Position   int          `json:"position,omitempty"`
	Offered    bool         `json:"offered,omitempty"`
}

// OperationState is the state of a parked update.
type OperationState string

// The states of an operation.
const (
	OperationIsWaiting   OperationState = "waiting"
	OperationIsDone      OperationState = "done"
	OperationHasFailed   OperationState = "failed"
	OperationIsCancelled OperationState = "cancelled"
	OperationHasExpired  OperationState = "expired"
)

// OperationAnswer is the answer of operation.get. Code is that of the problem, which the kind may have more of.
type OperationAnswer struct {
	Operation string         `json:"operation"`
	State     OperationState `json:"state"`
	Position  int            `json:"position,omitempty"`
	Version   uint64         `json:"version,omitempty"`
	Code      string         `json:"code,omitempty"`
	ExpiresAt time.Time      `json:"expiresAt,omitzero"`
}

// granted answers with the lock as it is.
func (t *turn) granted(status int) Result {
	in := t.s.look()
	h := in.holder
	left := h.ttl.at().Sub(t.a.Now)
	return Result{Status: status, Lease: h.lease(), Token: h.lease().Token(t.a.Key, t.a.Scope), Grant: &GrantAnswer{
		Fence: h.fence, ExpiresAt: h.ttl.at(), ExpiresIn: seconds(left), RenewAfter: max(1, seconds(h.length()/3)),
		Contested: in.contest != nil, Contest: in.contestView(),
	}}
}

// ticket answers with a place in the queue.
func (t *turn) ticket(i int) *TicketAnswer {
	in := t.s.look()
	w := &in.queue[i]
	a := &TicketAnswer{Ticket: ID(TicketID, w.id), Position: in.position(i), ExpiresIn: seconds(w.alive.at().Sub(t.a.Now))}
	if in.offer != nil && in.offer.ticket == w.id {
		a.Offered, a.ClaimBy = true, in.offer.window.at()
		a.ExpiresIn = seconds(a.ClaimBy.Sub(t.a.Now))
	}
	return a
}

func (in *inner) contestView() *ContestView {
	if in.contest == nil {
		return nil
	}
	c := &ContestView{ID: ID(ContestID, in.contest.id), OpenedAt: in.contest.opened, Deadline: in.contest.deadline.at()}
	for _, one := range in.contest.contestants {
		c.Contestants = append(c.Contestants, ContestantView{Party: one.party, Note: one.note, Acquire: one.acquire, Since: one.since})
	}
	return c
}

func (t *turn) view() *View {
	in := t.s.look()
	v := &View{State: Free, Fence: t.s.Fence, Waiters: in.tickets(), Parked: len(in.queue) - in.tickets(), Version: t.a.Version}
	switch {
	case in.holder != nil:
		v.State = Held
		v.Holder = &HolderView{in.holder.party, in.holder.since}
		v.ExpiresAt = in.holder.ttl.at()
		if in.contest != nil {
			v.State, v.Contest, v.Contestants = Contested, in.contestView(), len(in.contest.contestants)
		}
	case in.offer != nil:
		v.State, v.ExpiresAt = Offered, in.offer.window.at()
		v.Holder = &HolderView{}
		if i := in.waiter(in.offer.ticket, false); i >= 0 {
			v.Holder = &HolderView{in.queue[i].party, in.queue[i].since}
		}
	case in.next():
		v.State, v.Holder = Auto, &HolderView{in.queue[0].party, in.queue[0].since}
	case t.a.Auto:
		v.State = Auto
	}
	if !v.ExpiresAt.IsZero() {
		v.ExpiresIn = seconds(v.ExpiresAt.Sub(t.a.Now))
	}
	return v
}

// Prefixes of ids. The number after it is the seq of the event that made the thing.
const (
	TicketID    = "t"
	ContestID   = "c"
	OperationID = "o"
)

// ID is the public form of a number.
func ID(prefix string, n uint64) string { return prefix + strconv.FormatUint(n, 10) }

// ParseID reads the public form; only the one that ID writes is right.
func ParseID(prefix, id string) (n uint64, ok bool) {
	digits, ok := strings.CutPrefix(id, prefix)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	return n, err == nil && n > 0 && ID(prefix, n) == id
}

// done is a success with nothing to tell.
var done = Result{Status: http.StatusNoContent}
