package api

import (
	"time"

	"concord/actors/lock"
	"concord/transport"
)

const (
	pathLock      = "/api/v1/locks/{scope}"
	pathTicket    = pathLock + "/queue/{ticket}"
	pathOperation = pathCollection + "/operations/{operation}"
	pathPrompts   = "/api/v1/prompts"
)

// AcquireRequest is the body of lock.acquire.
type AcquireRequest struct {
	TTL         float64 `json:"ttl,omitempty" doc:"Seconds; clamped to what the type allows"`
	Wait        bool    `json:"wait,omitempty" doc:"Take a ticket if the lock cannot be had now"`
	TakeOverOwn bool    `json:"takeOverOwn,omitempty" doc:"Take the lock from another session of your own"`
}

// RenewRequest is the body of lock.renew.
type RenewRequest struct {
	TTL       float64 `json:"ttl,omitempty" doc:"Seconds; left out: as it is"`
	Reacquire *bool   `json:"reacquire,omitempty" doc:"Take it again if it has expired and nothing happened since; default true"`
}

// BreakRequest is the body of lock.break.
type BreakRequest struct {
	Reason string `json:"reason" doc:"Why; it is kept, and the holder is told"`
}

// ContestRequest is the body of lock.contest.
type ContestRequest struct {
	Note     string  `json:"note,omitempty" doc:"What the holder is told, at most 500 bytes"`
	Acquire  bool    `json:"acquire,omitempty" doc:"The lock is wanted, not only its release"`
	Deadline float64 `json:"deadline,omitempty" doc:"Seconds that the holder has to answer; left out: the type's"`
}

// DenyRequest is the body of lock.deny.
type DenyRequest struct {
	Reason  string `json:"reason,omitempty" doc:"What the contestants are told, at most 500 bytes"`
	Contest string `json:"contest,omitempty" doc:"Its id, as in the prompt: no other is answered; left out: the one that is open"`
}

// AcceptRequest is the body of lock.accept.
type AcceptRequest struct {
	Principal string `json:"principal,omitempty" doc:"Of the contestant; with session"`
	Session   string `json:"session,omitempty" doc:"Of the contestant; left out: the oldest that wants the lock"`
	Contest   string `json:"contest,omitempty" doc:"As in lock.deny"`
}

// Grant is the answer to who gets the lock.
type Grant struct {
	Token string `json:"token" doc:"Proves the grant: the header Lock-Token of writes, renewals and the release"`
	lock.GrantAnswer
}

// LockPage is the answer of lock.list.
type LockPage struct {
	Items []ListedLock `json:"items"`
	Next  string       `json:"next,omitempty"`
}

// ListedLock is a collection that is not free.
type ListedLock struct {
	Provider string `json:"provider"`
	ID       string `json:"id" doc:"Collection"`
	lock.View
}

// PromptList is the answer of prompt.list.
type PromptList struct {
	Items []Prompt `json:"items"`
}

// Prompt is a contest of a lock that the caller holds.
type Prompt struct {
	Provider string           `json:"provider"`
	ID       string           `json:"id" doc:"Collection"`
	Session  string           `json:"session,omitempty" doc:"Of the caller: which of them holds the lock"`
	Contest  lock.ContestView `json:"contest"`
}

// Operation is the answer of operation.get.
type Operation struct {
	lock.OperationAnswer
	Problem *transport.ProblemBody `json:"problem,omitempty" doc:"Why it failed"`
}

// Parked is the answer to a write that waits for its turn.
type Parked struct {
	Operation string    `json:"operation" doc:"Of operation.get"`
	State     string    `json:"state"`
	Position  int       `json:"position"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func lockTable() []*transport.Operation {
	return []*transport.Operation{
		{Name: "lock.acquire", Locks: true, Method: "POST", Path: pathLock, HasID: true, Right: transport.RightUpdate, Keyed: true,
			Doc:  "Lock a collection, or take a ticket in the line for it",
			Body: AcquireRequest{}, Answer: Grant{}, Status: 201,
			Also: []transport.Outcome{{Status: 202, Answer: lock.TicketAnswer{}, Doc: "A ticket in the line"}}},
		{Name: "lock.renew", Locks: true, Method: "PUT", Path: pathLock, HasID: true, Right: transport.RightUpdate,
			Doc: "Keep a lock alive; says whether somebody contests it", Body: RenewRequest{}, Answer: lock.GrantAnswer{}, Status: 200},
		{Name: "lock.release", Locks: true, Method: "DELETE", Path: pathLock, HasID: true, Right: transport.RightUpdate,
			Doc: "Give a lock back; once more changes nothing", Status: 204},
		{Name: "lock.get", Method: "GET", Path: pathLock, HasID: true, Right: transport.RightRead,
			Doc: "Who has the lock, until when, and who waits", Answer: lock.View{}, Status: 200},
		{Name: "lock.break", Method: "POST", Path: pathLock + "/break", HasID: true, Right: transport.RightBreak, Keyed: true,
			Doc: "End somebody's lock; whoever waits is offered it, not the breaker", Body: BreakRequest{}, Status: 204},
		{Name: "lock.list", Method: "GET", Path: pathProvider + "/locks", Right: transport.RightRead,
			Doc: "The collections of a provider that are not free", Params: []transport.Param{paramLimit, paramCursor},
			Answer: LockPage{}, Status: 200},
		{Name: "lock.contest", Method: "POST", Path: pathLock + "/contest", HasID: true, Right: transport.RightUpdate, Keyed: true,
			Doc: "Ask the holder to give the lock up", Body: ContestRequest{}, Answer: lock.ContestAnswer{}, Status: 202,
			Also: []transport.Outcome{{Status: 201, Answer: Grant{}, Doc: "The scope was free, and the lock is yours"}}},
		{Name: "lock.outcome", Method: "GET", Path: pathLock + "/contest", HasID: true, Right: transport.RightRead,
			Doc: "What became of your contest", Answer: lock.OutcomeAnswer{}, Status: 200},
		{Name: "lock.withdraw", Method: "DELETE", Path: pathLock + "/contest", HasID: true, Right: transport.RightUpdate,
			Doc: "Take your contest back", Status: 204},
		{Name: "lock.deny", Locks: true, Method: "POST", Path: pathLock + "/contest/deny", HasID: true, Right: transport.RightUpdate,
			Doc: "Keep the lock, and tell all contestants why", Body: DenyRequest{}, Status: 204},
		{Name: "lock.accept", Locks: true, Method: "POST", Path: pathLock + "/contest/accept", HasID: true, Right: transport.RightUpdate,
			Doc: "Give the lock up for a contestant", Body: AcceptRequest{}, Status: 204},
		{Name: "lock.claim", Method: "POST", Path: pathTicket, HasID: true, Inner: "ticket", Right: transport.RightUpdate,
			Doc: "Take the lock that is offered to your ticket", Answer: Grant{}, Status: 201},
		{Name: "lock.keepalive", Method: "PUT", Path: pathTicket, HasID: true, Inner: "ticket", Right: transport.RightUpdate,
			Doc: "Stay in the line", Answer: lock.TicketAnswer{}, Status: 200},
		{Name: "lock.leave", Method: "DELETE", Path: pathTicket, HasID: true, Inner: "ticket", Right: transport.RightUpdate,
			Doc: "Leave the line", Status: 204},
		{Name: "lock.queue", Method: "GET", Path: pathTicket + "/events", HasID: true, Inner: "ticket", Right: transport.RightUpdate,
			Doc:    "Where your ticket stands; as text/event-stream it goes on, and keeps the ticket alive",
			Answer: lock.TicketAnswer{}, Status: 200},
		{Name: "operation.get", Method: "GET", Path: pathOperation, HasID: true, Inner: "operation", Right: transport.RightRead,
			Doc: "What became of a parked update; it may say waiting for a moment after the scope got free", Answer: Operation{}, Status: 200},
		{Name: "operation.cancel", Method: "DELETE", Path: pathOperation, HasID: true, Inner: "operation",
			Right: transport.RightUpdate, Doc: "Call a parked update off", Status: 204},
		{Name: "prompt.list", Method: "GET", Path: pathPrompts, Global: true, Right: transport.RightNone,
			Doc: "The contests of the locks that you hold", Answer: PromptList{}, Status: 200},
		{Name: "prompt.watch", Method: "GET", Path: pathPrompts + "/events", Global: true, Right: transport.RightNone,
			Doc: "The same; as text/event-stream it goes on", Answer: PromptList{}, Status: 200},
	}
}
