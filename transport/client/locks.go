package client

import (
	"context"
	"encoding/json"
	"time"

	"concord/transport"
)

// AcquireRequest is what lock.acquire is given.
type AcquireRequest struct {
	TTL         time.Duration // 0: the type's; what is asked is clamped to what the type allows
	Wait        bool          // take a ticket if the lock cannot be had now
	TakeOverOwn bool          // take it from another session of the same principal
}

func (r AcquireRequest) body() object {
	return members(member{"ttl", seconds(r.TTL)}, member{"wait", r.Wait}, member{"takeOverOwn", r.TakeOverOwn})
}

// ContestRequest is what lock.contest is given.
type ContestRequest struct {
	Note     string        // what the holder is told
	Acquire  bool          // the lock is wanted, not only its release
	Deadline time.Duration // that the holder has to answer; 0: the type's
}

func (r ContestRequest) body() object {
	return members(member{"note", r.Note}, member{"acquire", r.Acquire}, member{"deadline", seconds(r.Deadline)})
}

// members is an object of the members that say something.
func members(all ...member) (o object) {
	for _, m := range all {
		switch m.value {
		case "", 0.0, false:
			continue
		}
		if err := o.set(m.name, m.value); err != nil {
			panic("client: a text, a number or a flag marshals: " + err.Error())
		}
	}
	return o
}

// seconds is a length as bodies have it.
func seconds(d time.Duration) float64 { return d.Seconds() }

// Acquired is the answer of lock.acquire: the lock, or a place in the line for it.
type Acquired struct {
	Grant  *Grant  // the caller has the lock
	Ticket *Ticket // or waits for it
}

// UnmarshalJSON tells the two by their names.
func (a *Acquired) UnmarshalJSON(text []byte) error {
	granted, err := grantIn(text, &a.Grant)
	if err != nil || granted {
		return err
	}
	a.Ticket = new(Ticket)
	return json.Unmarshal(text, a.Ticket)
}

// Contested is the answer of lock.contest: the lock at once, if nobody had it, or what became of the contest.
type Contested struct {
	Grant   *Grant
	Contest *ContestAnswer
}

// UnmarshalJSON tells the two by their names.
func (c *Contested) UnmarshalJSON(text []byte) error {
	granted, err := grantIn(text, &c.Grant)
	if err != nil || granted {
		return err
	}
	c.Contest = new(ContestAnswer)
	return json.Unmarshal(text, c.Contest)
}

// grantIn reads a grant, which is the answer that has a token.
func grantIn(text []byte, into **Grant) (bool, error) {
	var probe struct {
		Token string `json:"token"`
	}
	if err := json.Unmarshal(text, &probe); err != nil || probe.Token == "" {
		return false, err
	}
	*into = new(Grant)
	return true, json.Unmarshal(text, *into)
}

// tell calls an operation whose answer says nothing.
func (c *Client) tell(ctx context.Context, operation, id string, body any, options []CallOption) error {
	_, err := c.Do(ctx, operation, id, body, options...)
	return err
}

// LockAcquire takes the lock of a collection, or a ticket for it: see Lock, which also keeps what it gets. The same
// session that acquires again gets the same grant again.
func (c *Client) LockAcquire(ctx context.Context, id string, r AcquireRequest, options ...CallOption) (*Acquired, error) {
	o := r.body()
	return ask[Acquired](ctx, c, "lock.acquire", id, o.text(), options)
}

// LockRenew keeps a lock alive from now on for a ttl; 0: as it is. It takes a lock that has expired again, with a new fence,
// if nobody else had it and nothing was written since; Set("reacquire", false) has that refused.
func (c *Client) LockRenew(ctx context.Context, id, token string, ttl time.Duration, options ...CallOption) (*Lease, error) {
	o := members(member{"ttl", seconds(ttl)})
	return ask[Lease](ctx, c, "lock.renew", id, o.text(), with(options, LockToken(token)))
}

// LockRelease gives a lock back; once more changes nothing.
func (c *Client) LockRelease(ctx context.Context, id, token string, options ...CallOption) error {
	return c.tell(ctx, "lock.release", id, nil, with(options, LockToken(token)))
}

// LockGet shows who has the lock, until when, and who waits.
func (c *Client) LockGet(ctx context.Context, id string, options ...CallOption) (*LockView, error) {
	return ask[LockView](ctx, c, "lock.get", id, nil, options)
}

// LockBreak ends somebody's lock: the right "lock.break" is needed, and a reason, which the holder is told.
func (c *Client) LockBreak(ctx context.Context, id, reason string, options ...CallOption) error {
	return c.tell(ctx, "lock.break", id, nil, with(options, Reason(reason)))
}

// LockList is one page of the collections that are not free: see Locks for all of them.
func (c *Client) LockList(ctx context.Context, options ...CallOption) (*LockPage, error) {
	return ask[LockPage](ctx, c, "lock.list", "", nil, options)
}

// LockContest asks the holder to give the lock up: see Lock, which also waits for the outcome.
func (c *Client) LockContest(ctx context.Context, id string, r ContestRequest, options ...CallOption) (*Contested, error) {
	o := r.body()
	return ask[Contested](ctx, c, "lock.contest", id, o.text(), options)
}

// LockOutcome tells what became of the caller's contest.
func (c *Client) LockOutcome(ctx context.Context, id string, options ...CallOption) (*Outcome, error) {
	return ask[Outcome](ctx, c, "lock.outcome", id, nil, options)
}

// LockWithdraw takes the caller's contest back.
func (c *Client) LockWithdraw(ctx context.Context, id string, options ...CallOption) error {
	return c.tell(ctx, "lock.withdraw", id, nil, options)
}

// LockDeny keeps the lock, and tells all contestants why. An answer that names its contest does not hit another that has opened
// since: it is refused with no-contest.
func (c *Client) LockDeny(ctx context.Context, id, token string, r DenyRequest, options ...CallOption) error {
	o := members(member{"reason", r.Reason}, member{"contest", r.Contest})
	return c.tell(ctx, "lock.deny", id, o.text(), with(options, LockToken(token)))
}

// LockAccept gives the lock up for a contestant: the one that is named, as far as it is, or else the oldest that wants it. Its
// contest is named as in LockDeny.
func (c *Client) LockAccept(ctx context.Context, id, token string, r AcceptRequest, options ...CallOption) error {
	o := members(member{"principal", r.Principal}, member{"session", r.Session}, member{"contest", r.Contest})
	return c.tell(ctx, "lock.accept", id, o.text(), with(options, LockToken(token)))
}

// LockClaim takes the lock that is offered to the ticket.
func (c *Client) LockClaim(ctx context.Context, id, ticket string, options ...CallOption) (*Grant, error) {
	return ask[Grant](ctx, c, "lock.claim", id, nil, with(options, inner(ticket)))
}

// LockKeepalive keeps the ticket in the line, and tells where it stands.
func (c *Client) LockKeepalive(ctx context.Context, id, ticket string, options ...CallOption) (*Ticket, error) {
	return ask[Ticket](ctx, c, "lock.keepalive", id, nil, with(options, inner(ticket)))
}

// LockLeave gives the ticket back.
func (c *Client) LockLeave(ctx context.Context, id, ticket string, options ...CallOption) error {
	return c.tell(ctx, "lock.leave", id, nil, with(options, inner(ticket)))
}

// LockQueue is LockKeepalive by another name: over HTTP it is a stream.
func (c *Client) LockQueue(ctx context.Context, id, ticket string, options ...CallOption) (*Ticket, error) {
	return ask[Ticket](ctx, c, "lock.queue", id, nil, with(options, inner(ticket)))
}

// OperationGet tells what became of a parked update: see OperationWait.
func (c *Client) OperationGet(ctx context.Context, id, operation string, options ...CallOption) (*Operation, error) {
	return ask[Operation](ctx, c, "operation.get", id, nil, with(options, inner(operation)))
}

// OperationCancel calls a parked update off. It is refused with wrong-state if the update has run.
func (c *Client) OperationCancel(ctx context.Context, id, operation string, options ...CallOption) error {
	return c.tell(ctx, "operation.cancel", id, nil, with(options, inner(operation)))
}

// PromptList are the contests of the locks that the caller holds, of all providers: see Prompts for those to come.
func (c *Client) PromptList(ctx context.Context, options ...CallOption) (*PromptList, error) {
	return ask[PromptList](ctx, c, "prompt.list", "", nil, options)
}

// PromptWatch is PromptList by another name: over HTTP it is a stream.
func (c *Client) PromptWatch(ctx context.Context, options ...CallOption) (*PromptList, error) {
	return ask[PromptList](ctx, c, "prompt.watch", "", nil, options)
}

// eventSubject is where the service publishes the events of a collection.
func (c *Client) eventSubject(provider, id string) string {
	return c.options.Prefix + ".event.collection." + provider + "." + id
}

// promptSubject is where the service tells a principal what concerns the locks that it holds.
func (c *Client) promptSubject(provider, principal string) string {
	return c.options.Prefix + ".event.prompt." + provider + "." + transport.PromptToken(principal)
}
