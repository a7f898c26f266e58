package lock

import (
	"fmt"
	"net/http"
	"time"

	"concord/internal/planted"
)

// turn is one decision in the making: the state as the events so far leave it.
type turn struct {
	s      State
	a      Ask
	events []Event
	sign   Event // of life, by a command that is refused
}

// begin does what is due.
func begin(s State, a Ask) *turn {
	a.Now = instant(a.Now)
	t := &turn{s: s, a: a}
	t.settle()
	return t
}

// emit adds an event and goes on from the state after it.
func (t *turn) emit(e Event) {
	t.events = append(t.events, e)
	t.s = Evolve(t.s, e, Stamp{Seq: t.a.Seq, Version: t.a.Version, Time: t.a.Now})
	if Stored(e) {
		t.a.Seq++
	}
}

// Decide judges the command on the state after all that is due at a.Now. The events of what is due stand before those
// of the command; a read gives none. The error is a *problem.Problem. With an error there is no stored event, but there
// may be a volatile one: a claim that comes too early is a sign of life. A caller that drops it loses only that.
func Decide(s State, c Command, a Ask) ([]Event, Result, error) {
	if err := a.check(); err != nil {
		return nil, Result{}, err
	}
	t := begin(s, a)
	r, err := t.decide(c)
	if err != nil && t.sign != nil {
		return []Event{t.sign}, Result{}, err
	}
	if err != nil {
		return nil, Result{}, err
	}
	switch c.(type) {
	case Get, Outcome, GetOperation:
		return nil, r, nil
	}
	return t.events, r, nil
}

func (t *turn) decide(c Command) (Result, error) {
	switch c := c.(type) {
	case Acquire:
		return t.acquire(c)
	case Renew:
		return t.renew(c)
	case Release:
		return t.release(c)
	case Break:
		return t.breakLock(c)
	case Contest:
		return t.contest(c)
	case Withdraw:
		return t.withdraw()
	case Deny:
		return t.deny(c)
	case Accept:
		return t.accept(c)
	case Claim:
		return t.claim(c)
	case KeepAlive:
		return t.keepAlive(c)
	case Leave:
		return t.leave(c)
	case CancelOperation:
		return t.cancel(c)
	case Get:
		return Result{Status: http.StatusOK, View: t.view()}, nil
	case Outcome:
		return t.outcome()
	case GetOperation:
		return t.operation(c)
	case Tick:
		return done, nil
	default:
		panic(fmt.Sprintf("lock: unknown command %T", c))
	}
}

// settle does what is due, in the order of time. Each step ends something that has waited.
func (t *turn) settle() {
	if t.s.in == nil {
		return
	}
	t.advance() // who waited for a merge to end
	for {
		d, ok := t.s.earliest(span.at)
		if !ok || d.at.After(t.a.Now) || planted.KeepExpired && d.what == ttlOver {
			return
		}
		t.fire(d)
		t.advance()
	}
}

func (t *turn) fire(d dueTimer) {
	in := t.s.look()
	switch d.what {
	case ttlOver:
		t.emit(&LockExpired{in.holder.fence})
		if in.contest != nil {
			t.emit(&ContestExpired{in.contest.id})
		}
	case deadlineOver:
		t.timeOut(in)
	case windowOver:
		t.emit(&OfferLapsed{in.offer.ticket, in.offered()})
	case waiterDead:
		t.drop(d.id, WhyDead)
	case operationOver:
		t.emit(&OperationExpired{d.id})
	}
}

// timeOut is a contest without an answer.
func (t *turn) timeOut(in inner) {
	if t.a.Settings.OnTimeout != ReleaseOnTimeout || in.holder == nil {
		t.emit(&ContestTimedOut{in.contest.id})
		return
	}
	t.emit(&LockRevoked{in.holder.fence})
	t.emit(&ContestResolved{Contest: in.contest.id, How: ByRevoke})
}

// drop takes a ticket out. A contestant whose ticket it was has withdrawn.
func (t *turn) drop(ticket uint64, why Why) {
	in := t.s.look()
	i := in.waiter(ticket, false)
	if i < 0 {
		return
	}
	p := in.queue[i].party
	t.emit(&WaiterGone{ticket, p, why})
	if i := in.contestant(p); i >= 0 && in.contest.contestants[i].ticket == ticket {
		t.emit(&ContestWithdrawn{Contest: in.contest.id, Party: p, Gone: true, Closed: len(in.contest.contestants) == 1})
	}
}

// offered is the party that the lock is offered to.
func (in *inner) offered() Party {
	if i := in.waiter(in.offer.ticket, false); i >= 0 {
		return in.queue[i].party
	}
	return Party{}
}

// advance offers a free scope to the head of the queue. A parked operation at the head is the kind's to run (Next).
func (t *turn) advance() {
	in := t.s.look()
	if in.holder == nil && in.offer == nil && len(in.queue) > 0 && !in.queue[0].operation && !t.a.Auto {
		t.offer(&in.queue[0])
	}
}

func (t *turn) offer(w *waiter) {
	length := micros(t.a.Settings.OfferWindow)
	t.emit(&OfferMade{w.id, w.party, length, t.a.Now.Add(length)})
}

// free says that anybody may have the lock.
func (t *turn) free() bool {
	in := t.s.look()
	return in.holder == nil && in.offer == nil && len(in.queue) == 0 && !t.a.Auto
}

// ended moves the line on after the lock's end: its contest is settled, the head of the queue is offered it.
func (t *turn) ended(how Settlement) {
	if c := t.s.look().contest; c != nil {
		t.emit(&ContestResolved{Contest: c.id, How: how})
	}
	t.advance()
}

func (t *turn) until(length time.Duration) time.Time { return t.a.Now.Add(length) }
