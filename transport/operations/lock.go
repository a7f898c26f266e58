package operations

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"concord/actors/collection"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/transport"
)

// Bounds of the lock operations.
const (
	noteMaxBytes    = 500
	partyMaxBytes   = 1024
	contestMaxBytes = 64 // of its id
)

// onLock sends a command to the lock of the collection that the request names.
func (s *Service) onLock(r *transport.Request, command lock.Command, done reply) {
	s.write(r, collectionID(r), &collection.Locking{Command: command}, "", func(a *transport.Reply, err error) {
		if err == nil {
			a.Body, a.See = s.withToken(r, command, a.Body), placeOf(r.Op.Name, a)
		}
		done(a, err)
	})
}

// placeOf is where what a lock operation began can be seen: the lock, the ticket, or what becomes of the contest.
func placeOf(operation string, a *transport.Reply) transport.Place {
	var told struct {
		Ticket string `json:"ticket"`
	}
	switch {
	case a.Status == http.StatusCreated:
		return transport.Place{Operation: "lock.get"}
	case a.Status != http.StatusAccepted:
		return transport.Place{}
	case operation == "lock.contest":
		return transport.Place{Operation: "lock.outcome"}
	case json.Unmarshal(a.Body, &told) != nil || told.Ticket == "":
		return transport.Place{}
	default:
		return transport.Place{Operation: "lock.queue", Inner: told.Ticket}
	}
}

var tokenPlace = []byte(`{"token":"#`)

// withToken puts the token into the answer to a grant: it is computed anew each time, so that it need not be stored. Who
// acquires with the current token has it, and may be another session than the one that it was made for.
func (s *Service) withToken(r *transport.Request, command lock.Command, body []byte) []byte {
	rest, ok := bytes.CutPrefix(body, tokenPlace)
	number, rest, found := bytes.Cut(rest, []byte(`"`))
	fence, err := strconv.ParseUint(string(number), 10, 64)
	if !ok || !found || err != nil {
		return body
	}
	owner := lock.Party{Principal: r.Caller.Principal, Session: r.Header.Session}
	token := lock.Token(s.LockKey[:], collection.Scope(collectionID(r)), owner, fence)
	if c, ok := command.(lock.Acquire); ok && c.Token != "" {
		token = c.Token
	}
	return append(fmt.Appendf(nil, `{"token":%q`, token), rest...)
}

// lockBody opens the body of a lock operation; none is an empty one.
func lockBody(r *transport.Request, names ...string) (*envelope, error) {
	return openEnvelope(r.Body, "", names...)
}

func (s *Service) lockAcquire(_ context.Context, r *transport.Request, done reply) {
	c := lock.Acquire{Token: r.Header.LockToken}
	e, err := lockBody(r, "ttl", "wait", "takeOverOwn")
	if err == nil {
		c.TTL, err = e.seconds("ttl")
	}
	if err == nil {
		c.Wait, err = e.flag("wait", false)
	}
	if err == nil {
		c.TakeOverOwn, err = e.flag("takeOverOwn", false)
	}
	s.decided(r, c, err, done)
}

// decided sends the command, if the request could be read.
func (s *Service) decided(r *transport.Request, c lock.Command, err error, done reply) {
	if err != nil {
		done(nil, err)
		return
	}
	s.onLock(r, c, done)
}

func (s *Service) lockRenew(_ context.Context, r *transport.Request, done reply) {
	c := lock.Renew{Token: r.Header.LockToken}
	e, err := lockBody(r, "ttl", "reacquire")
	if err == nil {
		c.TTL, err = e.seconds("ttl")
	}
	if err == nil {
		c.Reacquire, err = e.flag("reacquire", true)
	}
	s.decided(r, c, err, done)
}

func (s *Service) lockRelease(_ context.Context, r *transport.Request, done reply) {
	s.onLock(r, lock.Release{Token: r.Header.LockToken, Beacon: r.Op.Open}, done)
}

func (s *Service) lockGet(_ context.Context, r *transport.Request, done reply) {
	s.onLock(r, lock.Get{}, done)
}

func (s *Service) lockBreak(_ context.Context, r *transport.Request, done reply) {
	var c lock.Break
	e, err := lockBody(r, "reason")
	if err == nil {
		c.Reason, err = e.str("reason", noteMaxBytes)
	}
	if err == nil && c.Reason == "" {
		err = problem.At("/reason", "is missing: why is the lock broken?")
	}
	s.decided(r, c, err, done)
}

func (s *Service) lockContest(_ context.Context, r *transport.Request, done reply) {
	var c lock.Contest
	e, err := lockBody(r, "note", "acquire", "deadline")
	if err == nil {
		c.Note, err = e.str("note", noteMaxBytes)
	}
	if err == nil {
		c.Acquire, err = e.flag("acquire", false)
	}
	if err == nil {
		c.Deadline, err = e.seconds("deadline")
	}
	s.decided(r, c, err, done)
}

func (s *Service) lockOutcome(_ context.Context, r *transport.Request, done reply) {
	s.onLock(r, lock.Outcome{}, done)
}

func (s *Service) lockWithdraw(_ context.Context, r *transport.Request, done reply) {
	s.onLock(r, lock.Withdraw{}, done)
}

func (s *Service) lockDeny(_ context.Context, r *transport.Request, done reply) {
	c := lock.Deny{Token: r.Header.LockToken}
	e, err := lockBody(r, "reason", "contest")
	if err == nil {
		c.Reason, err = e.str("reason", noteMaxBytes)
	}
	if err == nil {
		c.Contest, err = e.str("contest", contestMaxBytes)
	}
	s.decided(r, c, err, done)
}

func (s *Service) lockAccept(_ context.Context, r *transport.Request, done reply) {
	c := lock.Accept{Token: r.Header.LockToken}
	e, err := lockBody(r, "principal", "session", "contest")
	if err == nil {
		c.Principal, err = e.str("principal", partyMaxBytes)
	}
	if err == nil {
		c.Session, err = e.str("session", partyMaxBytes)
	}
	if err == nil {
		c.Contest, err = e.str("contest", contestMaxBytes)
	}
	s.decided(r, c, err, done)
}

func (s *Service) lockClaim(_ context.Context, r *transport.Request, done reply) {
	s.onLock(r, lock.Claim{Ticket: r.Inner}, done)
}

func (s *Service) lockKeepalive(_ context.Context, r *transport.Request, done reply) {
	s.onLock(r, lock.KeepAlive{Ticket: r.Inner}, done)
}

func (s *Service) lockLeave(_ context.Context, r *transport.Request, done reply) {
	s.onLock(r, lock.Leave{Ticket: r.Inner}, done)
}
