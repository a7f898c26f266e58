package lock

import (
	"fmt"
	"slices"
	"time"
)

// Stamp is the place of an event. Volatile events have only a time.
type Stamp struct {
	Seq     uint64
	Version uint64 // newest of the content
	Time    time.Time
}

// Evolve is the state after an event. It cannot fail, does not judge and does not write through its input. An event
// that does not fit the state (a sign of life that came late) changes nothing.
func Evolve(s State, e Event, at Stamp) State {
	at.Time = instant(at.Time)
	in := s.look()
	switch e := e.(type) {
	case *LockAcquired:
		s.Fence = e.Fence
		in.grant(e, at)
	case *LockRenewed:
		in.extend(e.Fence, func(h *holder) { h.ttl, h.short = span{until: e.Expires, length: e.TTL}, 0 })
	case *Heartbeat:
		in.extend(e.Fence, func(h *holder) {
			h.ttl.live, h.short = e.Until, 0
			if e.TTL != h.ttl.length {
				h.short = e.TTL
			}
		})
	case *LockReleased:
		in.end(e.Fence, Released, at)
	case *LockExpired:
		in.end(e.Fence, Expired, at)
	case *LockBroken:
		in.end(e.Fence, Broken, at)
	case *LockRevoked:
		in.end(e.Fence, ContestTimeout, at)
	case *LockTakenOver:
		in.end(e.Fence, TakenOver, at)
	case *Counted:
		in.count(e)
	case *ContestOpened, *ContestJoined, *ContestDenied, *ContestWithdrawn, *ContestTimedOut, *ContestExpired, *ContestResolved:
		in.contested(e, at)
	default:
		in.lined(e, at)
	}
	if in.empty() {
		return State{Fence: s.Fence}
	}
	return State{s.Fence, &in}
}

// contested are the events of a contest.
func (in *inner) contested(e Event, at Stamp) {
	switch e := e.(type) {
	case *ContestOpened:
		in.contest = &contest{id: e.Contest, opened: at.Time, deadline: span{until: e.Until, length: e.Length},
			contestants: []contestant{contestantOf(e.Claim, at)}}
	case *ContestJoined:
		in.join(contestantOf(e.Claim, at))
	case *ContestDenied:
		in.deny(e, at)
	case *ContestWithdrawn:
		in.drop(e.Party, Withdrawn)
	case *ContestTimedOut:
		in.closeContest(TimedOut, nil)
	case *ContestExpired:
		in.closeContest(ContestOver, nil)
	case *ContestResolved:
		in.closeContest(Resolved, e.Granted)
	}
}

// lined are the events of the queue.
func (in *inner) lined(e Event, at Stamp) {
	switch e := e.(type) {
	case *OfferMade:
		in.offer = &offer{e.Ticket, span{until: e.Until, length: e.Length}}
	case *OfferLapsed:
		in.leave(e.Ticket, false)
	case *WaiterAdded:
		in.queue = grown(in.queue, waiter{id: e.Ticket, party: e.Party, since: at.Time,
			alive: span{until: e.Until, length: e.Length}}, waitersMax+operationsMaxParked)
	case *WaiterGone:
		in.leave(e.Ticket, false)
	case *Alive:
		if i := in.waiter(e.Ticket, false); i >= 0 {
			in.queue = slices.Clone(in.queue)
			in.queue[i].alive.live = e.Until
		}
	case *OperationParked:
		in.queue = grown(in.queue, waiter{id: e.Operation, operation: true, party: e.Party, since: at.Time,
			base: e.Base, bytes: e.Bytes, expires: e.Expires}, waitersMax+operationsMaxParked)
	case *OperationDone:
		in.finish(EndedOperation{ID: e.Operation, State: OperationIsDone, Version: e.Version, Seq: at.Seq})
	case *OperationFailed:
		in.finish(EndedOperation{ID: e.Operation, State: OperationHasFailed, Code: e.Code, Seq: at.Seq})
	case *OperationCancelled:
		in.finish(EndedOperation{ID: e.Operation, State: OperationIsCancelled, Seq: at.Seq})
	case *OperationExpired:
		in.finish(EndedOperation{ID: e.Operation, State: OperationHasExpired, Seq: at.Seq})
	default:
		panic(fmt.Sprintf("lock: unknown event %T", e))
	}
}

func contestantOf(c Claimant, at Stamp) contestant {
	return contestant{party: c.Party, note: c.Note, acquire: c.Acquire, ticket: c.Ticket, made: c.Made, since: at.Time}
}

func (in *inner) grant(e *LockAcquired, at Stamp) {
	in.holder = &holder{party: e.Party, fence: e.Fence, tokenFence: e.TokenFence, ticket: e.Ticket, since: at.Time,
		ttl: span{until: e.Expires, length: e.TTL}}
	in.offer = nil
	in.leave(e.Ticket, false)
	if in.contestant(e.Party) >= 0 {
		in.drop(e.Party, Granted)
	}
	i := slices.IndexFunc(in.outcomes, func(o outcome) bool { return o.party.is(e.Party) })
	switch {
	case e.How == HowContested:
		in.tell(outcome{party: e.Party, state: Granted})
	case e.Ticket != 0 && i >= 0 && in.outcomes[i].state != Withdrawn:
		in.tell(outcome{contest: in.outcomes[i].contest, party: e.Party, state: Granted})
	}
}

// extend changes the lock, if it is still that one.
func (in *inner) extend(fence uint64, change func(*holder)) {
	if in.holder == nil || in.holder.fence != fence {
		return
	}
	h := *in.holder
	change(&h)
	in.holder = &h
}

func (in *inner) end(fence uint64, how Reason, at Stamp) {
	h := in.holder
	if h == nil || h.fence != fence {
		return
	}
	in.ended = grown(in.ended, ended{fence: h.fence, lease: h.lease(), how: how, version: at.Version, ttl: h.ttl.length},
		endedMaxLocks)
	in.holder = nil
}

func (in *inner) join(c contestant) {
	if in.contest == nil {
		return
	}
	next := *in.contest
	if i := in.contestant(c.party); i >= 0 {
		c.since = next.contestants[i].since
		next.contestants = slices.Clone(next.contestants)
		next.contestants[i] = c
	} else {
		next.contestants = grown(next.contestants, c, contestantsMax)
	}
	in.contest = &next
}

// deny answers all contestants. Their principals cool down.
func (in *inner) deny(e *ContestDenied, at Stamp) {
	if in.contest == nil {
		return
	}
	if !e.Until.IsZero() {
		in.cooldowns = slices.DeleteFunc(slices.Clone(in.cooldowns), func(c cooldown) bool { return !c.until.After(at.Time) })
		for _, c := range in.contest.contestants {
			in.cooldowns = slices.DeleteFunc(in.cooldowns, func(old cooldown) bool { return old.principal == c.party.Principal })
			in.cooldowns = grown(in.cooldowns, cooldown{c.party.Principal, e.Until}, cooldownsMax)
		}
	}
	for _, c := range in.contest.contestants {
		in.tell(outcome{contest: in.contest.id, party: c.party, state: Denied, reason: e.Reason, until: e.Until})
	}
	in.contest = nil
}

// drop takes a contestant out, with an outcome of its own.
func (in *inner) drop(p Party, state OutcomeState) {
	i := in.contestant(p)
	if i < 0 {
		return
	}
	in.tell(outcome{contest: in.contest.id, party: in.contest.contestants[i].party, state: state})
	next := *in.contest
	next.contestants = without(next.contestants, i)
	in.contest = &next
	if len(next.contestants) == 0 {
		in.contest = nil
	}
}

func (in *inner) closeContest(state OutcomeState, granted *Party) {
	if in.contest == nil {
		return
	}
	for _, c := range in.contest.contestants {
		o := outcome{contest: in.contest.id, party: c.party, state: state}
		if granted != nil && granted.is(c.party) {
			o.state = Granted
		}
		in.tell(o)
	}
	in.contest = nil
}

// tell keeps the outcome for its party, in place of an older one.
func (in *inner) tell(o outcome) {
	if i := slices.IndexFunc(in.outcomes, func(old outcome) bool { return old.party.is(o.party) }); i >= 0 {
		in.outcomes = without(in.outcomes, i)
	}
	in.outcomes = grown(in.outcomes, o, outcomesMax)
}

// leave takes a place out of the queue, and the offer that was made to it.
func (in *inner) leave(id uint64, operation bool) (w waiter, ok bool) {
	if !operation && in.offer != nil && in.offer.ticket == id {
		in.offer = nil
	}
	i := in.waiter(id, operation)
	if i < 0 {
		return waiter{}, false
	}
	w = in.queue[i]
	in.queue = without(in.queue, i)
	return w, true
}

func (in *inner) finish(o EndedOperation) {
	w, ok := in.leave(o.ID, true)
	if !ok {
		return
	}
	o.Party = w.party
	in.operations = grown(in.operations, o, operationsMaxEnded)
}

// count keeps what the rate needs: the contests of the last minute.
func (in *inner) count(e *Counted) {
	in.counted = slices.DeleteFunc(slices.Clone(in.counted), func(c counted) bool { return !c.at.Add(ratePeriod).After(e.At) })
	in.counted = grown(in.counted, counted{e.Principal, e.At}, countedMax)
}

// grown is a new list with one more at the end; the oldest go when there are too many.
func grown[T any](list []T, one T, most int) []T {
	if len(list) >= most {
		list = list[len(list)-most+1:]
	}
	next := make([]T, 0, len(list)+1)
	return append(append(next, list...), one)
}

// without is a new list; an empty one is nil.
func without[T any](list []T, i int) []T {
	if len(list) == 1 {
		return nil
	}
	return slices.Delete(slices.Clone(list), i, i+1)
}
