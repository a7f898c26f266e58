package lock

import "time"

// timer is what may fall due. At the same instant the lesser goes first.
type timer uint8

const (
	ttlOver timer = iota
	deadlineOver
	windowOver
	waiterDead
	operationOver
)

type dueTimer struct {
	at   time.Time
	what timer
	id   uint64 // of the place in the queue
}

// earliest is the deadline that falls due first, as the deadlines are read by at.
func (s State) earliest(at func(span) time.Time) (first dueTimer, ok bool) {
	consider := func(t time.Time, what timer, id uint64) {
		if !ok || t.Before(first.at) || t.Equal(first.at) && what < first.what {
			first, ok = dueTimer{t, what, id}, true
		}
	}
	in := s.look()
	if in.holder != nil {
		consider(at(in.holder.ttl), ttlOver, 0)
	}
	if in.contest != nil {
		consider(at(in.contest.deadline), deadlineOver, 0)
	}
	if in.offer != nil {
		consider(at(in.offer.window), windowOver, in.offer.ticket)
	}
	for i := range in.queue {
		switch w := &in.queue[i]; {
		case w.operation:
			consider(w.expires, operationOver, w.id)
		case in.offer == nil || in.offer.ticket != w.id: // an offered ticket has the whole window
			consider(at(w.alive), waiterDead, w.id)
		}
	}
	return first, ok
}

// Due is the earliest deadline of the live state. A parked operation that has its turn is not in it: see Next.
func Due(s State) (time.Time, bool) {
	d, ok := s.earliest(span.at)
	return d.at, ok
}

// DurableDue is the earliest deadline that the stored events tell of: never later than Due after a restart, so that it
// can stand in the index of timers and wakes an entity that is not in memory. It may lie before the live deadline (a
// renewal is not stored): a Tick at that time then changes nothing. An operation that has its turn is due at once.
func DurableDue(s State) (time.Time, bool) {
	d, ok := s.earliest(func(sp span) time.Time { return sp.until })
	if in := s.look(); in.next() && (!ok || in.queue[0].since.Before(d.at)) {
		return in.queue[0].since, true
	}
	return d.at, ok
}
