package collection

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"concord/actors/entity"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/persistence"
)

// Under is how a change of content stands to the lock.
type Under struct {
	Token   string // of the lock that it is made under; "" without
	Release bool   // give the lock back in the same step
	Park    bool   // wait for its turn if the scope is locked
	NoRoom  error  // why it could not wait: too much does already; nil: it can
}

// Locking is a command on the lock of the collection, whether or not there is such a collection yet.
type Locking struct{ Command lock.Command }

// Advance does what is due, and runs the parked update that has its turn.
type Advance struct{}

func (*Locking) command() {}
func (*Advance) command() {}

// Happened is an event of the lock, of a contest, of the queue or of a parked update.
type Happened struct {
	Event   lock.Event
	Write   []byte      // of a parked update: the stored form of the command
	Problem []byte      // of one that failed: the refusal, as JSON
	Holder  *lock.Party // who held the lock then: whom a contest concerns
}

func (*Happened) event() {}

// content is a sealed set: the commands that change content.
type content interface {
	Command
	under() *Under
	preconditions() *Preconditions
}

func (w *Write) under() *Under  { return &w.Under }
func (d *Delete) under() *Under { return &d.Under }
func (r *Revert) under() *Under { return &r.Under }

func (w *Write) preconditions() *Preconditions  { return &w.Preconditions }
func (d *Delete) preconditions() *Preconditions { return &d.Preconditions }
func (r *Revert) preconditions() *Preconditions { return &r.Preconditions }

// ask is what the lock machine needs to know beside its state.
func (b Behavior) ask(s State, m entity.Meta, t *rules.Type) lock.Ask {
	return lock.Ask{
		Scope: Scope(m.Entity), By: lock.Party{Principal: m.Principal, Session: m.Session, Kind: m.Kind},
		Now: m.Time, Settings: t.Lock, Key: b.LockKey[:], Version: s.Version, Seq: m.Seq, Auto: m.Merging || m.Merged,
	}
}

// Scope is the lock's scope, as routes name it.
func Scope(e persistence.EntityID) string { return "collection:" + e.Provider + ":" + e.ID }

// admitted decides on a change of content: the lock first, then the change itself.
func (b Behavior) admitted(s State, c content, f entity.Facts, m entity.Meta) (decision, error) {
	t, err := b.typeOf(s, c, f)
	if err != nil {
		return decision{}, err
	}
	ask, u := b.ask(s, m, t), c.under()
	admission, err := lock.Admit(s.Lock, lock.Write{Token: u.Token, Merged: m.Merged}, ask)
	if p, ok := errIs(err, problem.Locked); ok && u.Park {
		if err := versionNamed(s, c, t); err != nil {
			return decision{}, err // when it has its turn, it builds on a version that its caller has not named
		}
		return entity.Only(b.park(s, c, m, ask, p))
	}
	if err != nil {
		return decision{}, err
	}
	events := happened(s.Lock, admission.Due, ask)
	s.Lock = admission.State
	changed, err := b.change(s, c, f, m, t)
	if err != nil || changed.Job != nil || len(changed.Wants) > 0 {
		return changed, err
	}
	for _, e := range changed.Events {
		ask.Version++
		under(e, admission.Fence)
	}
	changed.Events = append(events, changed.Events...)
	if u.Release {
		ask.Seq += stored(changed.Events)
		released, err := lock.ReleaseWithWrite(admission.State, u.Token, ask)
		if err != nil {
			return decision{}, err
		}
		changed.Events = append(changed.Events, happened(admission.State, released, ask)...)
	}
	return changed, nil
}

func errIs(err error, code problem.Code) (*problem.Problem, bool) {
	p, ok := err.(*problem.Problem) //nolint:errorlint // the lock machine returns it as it is
	return p, ok && p.Code == code
}

// under notes the fence that a change was made under.
func under(e Event, fence uint64) {
	switch e := e.(type) {
	case *Saved:
		e.Fence = fence
	case *Deleted:
		e.Fence = fence
	case *Happened, *Reindexed:
	}
}

// stored counts the events that get a seq.
func stored(events []Event) (n uint64) {
	for _, e := range events {
		if h, ok := e.(*Happened); !ok || lock.Stored(h.Event) {
			n++
		}
	}
	return n
}

// happened makes events of the collection of those of its lock. s is the lock before them.
func happened(s lock.State, events []lock.Event, a lock.Ask) []Event {
	all := make([]Event, 0, len(events))
	for _, e := range events {
		h := &Happened{Event: e}
		if p, ok := lock.HolderOf(s); ok {
			h.Holder = &p
		}
		all = append(all, h)
		s = lock.Evolve(s, e, lock.Stamp{Seq: a.Seq, Version: a.Version, Time: a.Now})
		if lock.Stored(e) {
			a.Seq++
		}
	}
	return all
}

// park puts a change into the line of those who wait for the lock.
func (b Behavior) park(s State, c content, m entity.Meta, a lock.Ask, locked *problem.Problem) ([]Event, error) {
	if c.under().Token != "" {
		return nil, locked // who names a token wants to write now
	}
	if c.under().NoRoom != nil {
		return nil, c.under().NoRoom
	}
	text := encodeWrite(c, m)
	events, _, err := lock.Park(s.Lock, lock.Parked{Bytes: uint64(len(text))}, a)
	if err != nil {
		return nil, err
	}
	all := happened(s.Lock, events, a)
	for _, e := range all {
		if h, ok := e.(*Happened); ok {
			if _, parked := h.Event.(*lock.OperationParked); parked {
				h.Write = text
			}
		}
	}
	return all, nil
}

// locking decides on a command on the lock.
func (b Behavior) locking(s State, c *Locking, f entity.Facts, m entity.Meta) (decision, error) {
	t, err := b.typeOf(s, nil, f)
	if err != nil {
		return decision{}, err
	}
	ask := b.ask(s, m, t)
	events, result, err := lock.Decide(s.Lock, c.Command, ask)
	return decision{Events: happened(s.Lock, events, ask), Told: told{lock: &result}}, err
}

// advance does what is due, and runs the parked update whose turn it is then.
func (b Behavior) advance(s State, f entity.Facts, m entity.Meta) (decision, error) {
	t, unreadable := b.typeOf(s, nil, f) // what is due is done all the same, by the usual lengths
	ask := b.ask(s, m, t)
	due, _, err := lock.Decide(s.Lock, lock.Tick{}, ask)
	if err != nil {
		return decision{}, err
	}
	events := happened(s.Lock, due, ask)
	if len(events) > 0 {
		return decision{Events: events}, nil // one thing at a time: it may have been the last instant of the update
	}
	op, ok := lock.Next(s.Lock)
	if !ok || m.Merging {
		return decision{}, nil
	}
	ran, failure := b.run(s, op, f, m, t, unreadable)
	if ran.Job != nil || len(ran.Wants) > 0 {
		return ran, nil // there is no outcome yet
	}
	if failure != nil && failure.Code == problem.Overloaded {
		return decision{}, nil // it keeps its turn, and is tried again
	}
	version := s.Version + uint64(len(ran.Events))
	ask.Seq, ask.Version = ask.Seq+stored(ran.Events), version
	if failure == nil {
		ended := happened(s.Lock, lock.Done(s.Lock, op.Number, version, ask), ask)
		return decision{Events: append(ran.Events, ended...)}, nil
	}
	ended := happened(s.Lock, lock.Failed(s.Lock, op.Number, failure.Code, ask), ask)
	if h, ok := ended[0].(*Happened); ok {
		h.Problem = failure.Body("")
	}
	return decision{Events: ended}, nil
}

// run decides on a parked update as if it came now. A refusal is its outcome, and so is anything else that goes wrong:
// an update that could never end would keep the scope from everybody.
func (b Behavior) run(s State, op lock.Operation, f entity.Facts, m entity.Meta, t *rules.Type, unreadable error) (
	ran decision, failure *problem.Problem,
) {
	defer func() {
		if cause := recover(); cause != nil {
			ran = decision{}
			failure = problem.New(problem.Internal, "the decision on the update failed (%v); nothing was changed", cause)
		}
	}()
	c, origin, err := parked(op, f)
	if err == nil {
		err = unreadable
	}
	if err == nil {
		ran, err = b.change(s, c, f, m, t)
	}
	if err != nil {
		p, ok := err.(*problem.Problem) //nolint:errorlint // decisions return it as it is
		if !ok {
			p = problem.New(problem.Internal, "the update cannot be read back: %v", err)
		}
		return decision{}, p
	}
	for _, e := range ran.Events {
		from(e, origin)
	}
	return ran, nil
}

// parked reads back what was parked. Without a base of its own it builds on the version at its parking, which is 0 if there
// was no collection.
func parked(op lock.Operation, f entity.Facts) (content, Origin, error) {
	e, _ := f.Event(op.Number)
	if e.Type == "" {
		return nil, Origin{}, problem.New(problem.BaseUnavailable, "the update is no longer kept")
	}
	happened, err := decodeHappened(e)
	if err != nil {
		return nil, Origin{}, err
	}
	c, origin, err := decodeWrite(happened.Write)
	if err != nil {
		return nil, Origin{}, err
	}
	if p := c.preconditions(); !based(c) {
		p.Base = &op.Base
	}
	return c, origin, nil
}

// from notes the request that the change came with.
func from(e Event, o Origin) {
	switch e := e.(type) {
	case *Saved:
		e.Origin = o
	case *Deleted:
		e.Origin = o
	case *Happened, *Reindexed:
	}
}

// named says that the change has a precondition, in some way.
func named(c content) bool {
	return every(c, func(p Preconditions) bool {
		return p.Base != nil || p.IfExists || p.IfNoneMatch || len(p.IfMatch) > 0
	})
}

// based says that the change names the version that it builds on. That there is something (If-Match: *) names none.
func based(c content) bool {
	return every(c, func(p Preconditions) bool { return p.Base != nil || p.IfNoneMatch || len(p.IfMatch) > 0 })
}

// every says whether the preconditions of the change are enough, or else those of each of its parts.
func every(c content, enough func(Preconditions) bool) bool {
	if enough(*c.preconditions()) {
		return true
	}
	w, ok := c.(*Write)
	if !ok || len(w.Changes) == 0 {
		return false
	}
	for i := range w.Changes {
		ch := &w.Changes[i]
		if !enough(Preconditions{Base: ch.Base, IfExists: ch.IfExists, IfNoneMatch: ch.IfNoneMatch, IfMatch: ch.IfMatch}) {
			return false
		}
	}
	return true
}

// Recover gives those who keep something alive their whole time again.
func (Behavior) Recover(s State, started time.Time) State {
	s.Lock = lock.Recover(s.Lock, started)
	return s
}

// Due is when the lock wants something done: at once, if a parked update has its turn.
func (Behavior) Due(s State) time.Time {
	if op, ok := lock.Next(s.Lock); ok {
		return op.Parked
	}
	due, _ := lock.Due(s.Lock)
	return due
}

// Wake runs a parked update as whoever parked it, and does everything else in the service's own name.
func (Behavior) Wake(s State) (Command, entity.Meta) {
	m := entity.Meta{Principal: "concord", Kind: "service", RequestID: "lock-timer"}
	if op, ok := lock.Next(s.Lock); ok {
		m = entity.Meta{Principal: op.Party.Principal, Session: op.Party.Session, Kind: op.Party.Kind, RequestID: op.ID()}
	}
	return &Advance{}, m
}

// grantPlace is where the answer to a grant has its token: the number is what the token is computed from. The token
// itself is added by the door, since outcomes are stored and tokens never are.
const grantPlace = `{"token":"#%d",`

// answerLock is the answer of a command on the lock.
func answerLock(r *lock.Result) entity.Answer {
	answer := entity.Answer{Status: r.Status, Version: 0}
	if r.Answer() == nil {
		return answer
	}
	answer.Body = marshalAnswer(r.Answer())
	if r.Grant != nil && r.Status == http.StatusCreated {
		answer.Body = append(fmt.Appendf(nil, grantPlace, r.Lease.Fence), answer.Body[1:]...)
	}
	return answer
}

// answerParked is the answer to an update that waits for its turn; ok is false if it does not.
func answerParked(after State, x entity.Case) (a entity.Answer, ok bool) {
	for _, op := range lock.Operations(after.Lock) {
		if op.Number < x.Meta.Seq {
			continue
		}
		_, r, err := lock.Decide(after.Lock, lock.GetOperation{ID: op.ID()}, lock.Ask{Now: x.At.Time, Version: after.Version})
		if err == nil {
			return entity.Answer{Status: http.StatusAccepted, Body: marshalAnswer(r.Answer())}, true
		}
	}
	return entity.Answer{}, false
}

// marshalAnswer is JSON in which contents are shown as they are: escapes of <, > and & would make them longer than is counted.
func marshalAnswer(v any) []byte {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("collection: an answer always marshals: " + err.Error())
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n"))
}

// Needs is the event of the oldest update that waits for its turn: what it writes stands nowhere else.
func (Behavior) Needs(s State) (oldest uint64) {
	for _, op := range lock.Operations(s.Lock) {
		if oldest == 0 || op.Number < oldest {
			oldest = op.Number
		}
	}
	return oldest
}
