package operations

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"concord/actors/collection"
	"concord/actors/jsonvalue"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// Bounds of the lock operations.
const (
	secondsMax    = 366 * 24 * 3600 // of a length in a request; what is longer than allowed is clamped or refused later
	noteMaxBytes  = 500
	partyMaxBytes = 1024
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

// seconds is a length; 0 if it is not there.
func (e *envelope) seconds(name string) (time.Duration, error) {
	m, ok := e.members[name]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseFloat(string(m.Text), 64)
	if m.Kind != jsonvalue.Number || err != nil || !(n > 0) || n > secondsMax {
		return 0, problem.At(e.at(name), "must be a number of seconds above 0")
	}
	return time.Duration(n * float64(time.Second)), nil
}

// flag is a boolean; otherwise is what it is if it is not there.
func (e *envelope) flag(name string, otherwise bool) (bool, error) {
	m, ok := e.members[name]
	if !ok {
		return otherwise, nil
	}
	if m.Kind != jsonvalue.Bool {
		return false, problem.At(e.at(name), "must be true or false")
	}
	return string(m.Text) == "true", nil
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
	e, err := lockBody(r, "reason")
	if err == nil {
		c.Reason, err = e.str("reason", noteMaxBytes)
	}
	s.decided(r, c, err, done)
}

func (s *Service) lockAccept(_ context.Context, r *transport.Request, done reply) {
	c := lock.Accept{Token: r.Header.LockToken}
	e, err := lockBody(r, "principal", "session")
	if err == nil {
		c.Principal, err = e.str("principal", partyMaxBytes)
	}
	if err == nil {
		c.Session, err = e.str("session", partyMaxBytes)
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

// queueBeat is how often a stream of a ticket keeps it alive: a few times in the shortest waiter ttl that makes sense.
const queueBeat = time.Second

// lockQueueStream tells where the ticket stands, whenever that changes, and keeps it alive as long as somebody listens.
func (s *Service) lockQueueStream(ctx context.Context, r *transport.Request, send func(transport.StreamEvent) error) error {
	woken, leave, err := s.Watchers.Watch(collectionID(r))
	if err != nil {
		return err
	}
	defer leave()
	beat := time.NewTicker(queueBeat)
	defer beat.Stop()
	var told []byte
	for {
		place, err := s.ask(ctx, r, lock.KeepAlive{Ticket: r.Inner})
		if err != nil {
			return err
		}
		if news := withoutSeconds(place); !bytes.Equal(news, told) {
			told = news
			if err := send(transport.StreamEvent{Type: "ticket", Data: place}); err != nil {
				return fmt.Errorf("send the place of ticket %s: %w", r.Inner, err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-woken:
		case <-beat.C:
		}
	}
}

// withoutSeconds is what is news about a ticket: not that time has passed.
func withoutSeconds(place []byte) []byte {
	var t lock.TicketAnswer
	if json.Unmarshal(place, &t) != nil {
		return place
	}
	t.ExpiresIn = 0
	news, err := json.Marshal(t)
	if err != nil {
		return place
	}
	return news
}

// ask sends a command to the lock and waits for the answer.
func (s *Service) ask(ctx context.Context, r *transport.Request, c lock.Command) ([]byte, error) {
	type answer struct {
		body []byte
		err  error
	}
	answers := make(chan answer, 1)
	one := *r
	one.Deadline = time.Time{} // of the stream's opening alone
	s.onLock(&one, c, func(a *transport.Reply, err error) {
		if err != nil {
			answers <- answer{nil, err}
			return
		}
		answers <- answer{a.Body, nil}
	})
	select {
	case a := <-answers:
		return a.body, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

func (s *Service) operationCancel(_ context.Context, r *transport.Request, done reply) {
	s.onLock(r, lock.CancelOperation{ID: r.Inner}, done)
}

// operationGet reads what became of a parked update: from the store, since the refusal it met stands in the log.
func (s *Service) operationGet(_ context.Context, r *transport.Request, done reply) {
	id := collectionID(r)
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		head, err := view.Head(id)
		if errors.Is(err, persistence.ErrNotFound) {
			return nil, noSuchCollection()
		}
		if err != nil {
			return nil, err
		}
		state, err := collection.Behavior{}.DecodeState(head.State)
		if err != nil {
			return nil, err
		}
		// At no time: the stored state lacks the signs of life, so that what it takes for over may not be.
		_, result, err := lock.Decide(state.Lock, lock.GetOperation{ID: r.Inner}, lock.Ask{Settings: lock.DefaultSettings})
		if err != nil {
			return nil, err
		}
		answer := operationAnswer{OperationAnswer: *result.Operation}
		if ended, ok := lock.Ended(state.Lock, r.Inner); ok && ended.State == lock.OperationHasFailed {
			if answer.Problem, err = refusalAt(view, id, ended.Seq); err != nil {
				return nil, err
			}
		}
		body, err := json.Marshal(answer)
		if err != nil {
			return nil, fmt.Errorf("render operation %s: %w", r.Inner, err)
		}
		return &transport.Reply{Status: http.StatusOK, Body: body}, nil
	})
}

// refusalAt reads the refusal that an event tells of; nil if retention has removed the event.
func refusalAt(view persistence.View, id persistence.EntityID, seq uint64) (json.RawMessage, error) {
	for rec, err := range view.Records(id, seq-1) {
		if errors.Is(err, persistence.ErrTrimmed) || err == nil && rec.GetSeq() != seq {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return collection.RefusalOf(rec)
	}
	return nil, nil
}

// operationAnswer is api.Operation with the refusal as it is stored.
type operationAnswer struct {
	lock.OperationAnswer
	Problem json.RawMessage `json:"problem,omitempty"`
}

// lockList shows the locks of a provider: which there are says the board, how they stand says each collection itself.
func (s *Service) lockList(ctx context.Context, r *transport.Request, done reply) {
	limit, err := s.limit(r)
	if err != nil {
		done(nil, err)
		return
	}
	c, _, err := cursorParam(r)
	if err != nil {
		done(nil, err)
		return
	}
	page := s.newPage(limit)
	for more := true; more; {
		ids := s.Board.Locked(r.Provider, c.After, limit+1)
		more = len(ids) > limit
		for _, id := range ids {
			item, err := s.lockedNow(ctx, r, id)
			if err != nil {
				done(nil, err)
				return
			}
			if item.State != lock.Free { // it may be free since a moment
				if fits, err := page.add(item); err != nil || !fits {
					done(page.reply(&cursor{After: c.After}), err)
					return
				}
			}
			c.After = id.ID
		}
	}
	done(page.reply(nil), nil)
}

// lockedNow asks a collection how its lock stands.
func (s *Service) lockedNow(ctx context.Context, r *transport.Request, id persistence.EntityID) (item api.ListedLock, err error) {
	one := *r
	one.ID = id.ID
	view, err := s.ask(ctx, &one, lock.Get{})
	if err != nil {
		return item, err
	}
	item = api.ListedLock{Provider: id.Provider, ID: id.ID}
	if err := json.Unmarshal(view, &item.View); err != nil {
		return item, fmt.Errorf("read the lock of %v: %w", id, err)
	}
	return item, nil
}

// promptList shows the contests of the caller's locks.
func (s *Service) promptList(_ context.Context, r *transport.Request, done reply) {
	body, err := json.Marshal(api.PromptList{Items: s.Board.Prompts(r.Caller.Principal)})
	if err != nil {
		done(nil, fmt.Errorf("render prompts: %w", err))
		return
	}
	done(&transport.Reply{Status: http.StatusOK, Body: body}, nil)
}

// promptStream sends each prompt as it is, when it opens or changes, and says when it is over.
func (s *Service) promptStream(ctx context.Context, r *transport.Request, send func(transport.StreamEvent) error) error {
	woken, leave, err := s.Board.Watch(r.Caller.Principal)
	if err != nil {
		return err
	}
	defer leave()
	told := make(map[string][]byte)
	for {
		open := make(map[string][]byte)
		for _, p := range s.Board.Prompts(r.Caller.Principal) {
			text, err := json.Marshal(p)
			if err != nil {
				return fmt.Errorf("render prompt: %w", err)
			}
			open[p.Provider+"."+p.ID+"."+p.Contest.ID] = text
		}
		if err := sendPrompts(told, open, send); err != nil {
			return err
		}
		told = open
		select {
		case <-ctx.Done():
			return nil
		case <-woken:
		}
	}
}

func sendPrompts(told, open map[string][]byte, send func(transport.StreamEvent) error) error {
	for key, text := range open {
		if bytes.Equal(told[key], text) {
			continue
		}
		if err := send(transport.StreamEvent{Type: "prompt", Data: text}); err != nil {
			return fmt.Errorf("send a prompt: %w", err)
		}
	}
	for key, text := range told {
		if _, still := open[key]; still {
			continue
		}
		if err := send(transport.StreamEvent{Type: "prompt.closed", Data: text}); err != nil {
			return fmt.Errorf("send the end of a prompt: %w", err)
		}
	}
	return nil
}
