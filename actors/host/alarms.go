package host

import (
	"cmp"
	"container/heap"
	"sync"
	"time"

	"concord/persistence"
)

// alarms are when the timed entities want to be woken (entity.Timed). Live ones say so themselves; those that are not in
// memory stand in the durable index of timers, which is read once, at the start. An entity with an alarm stays in memory:
// its live state may know more than the index does. It is safe for concurrent use.
type alarms struct {
	mu    sync.Mutex
	queue alarmQueue
	of    map[persistence.EntityID]*alarm
}

type alarm struct {
	entity persistence.EntityID
	at     time.Time
	index  int // in the queue
}

// set replaces the entity's alarm; a zero time removes it. first says that it is now the earliest of all.
func (a *alarms) set(e persistence.EntityID, at time.Time) (first bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.put(e, at)
}

// found adds an alarm that stands in the index, unless the entity has set one by itself meanwhile: it knows better.
func (a *alarms) found(e persistence.EntityID, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.of[e] == nil {
		a.put(e, at)
	}
}

func (a *alarms) put(e persistence.EntityID, at time.Time) (first bool) {
	known := a.of[e]
	switch {
	case at.IsZero() && known == nil:
		return false
	case at.IsZero():
		heap.Remove(&a.queue, known.index)
		delete(a.of, e)
		return false
	case known != nil:
		known.at = at
		heap.Fix(&a.queue, known.index)
	default:
		known = &alarm{entity: e, at: at}
		if a.of == nil {
			a.of = make(map[persistence.EntityID]*alarm)
		}
		a.of[e] = known
		heap.Push(&a.queue, known)
	}
	return known.index == 0
}

func (a *alarms) has(e persistence.EntityID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.of[e] != nil
}

// next is the earliest time; zero: there is no alarm.
func (a *alarms) next() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.queue) == 0 {
		return time.Time{}
	}
	return a.queue[0].at
}

// due puts off the alarms that are due until later, at most so many, and names their entities in order: an entity that
// is woken sets its alarm anew.
func (a *alarms) due(now, later time.Time, most int) (entities []persistence.EntityID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(entities) < most && len(a.queue) > 0 && !a.queue[0].at.After(now) {
		entities = append(entities, a.queue[0].entity)
		a.queue[0].at = later
		heap.Fix(&a.queue, 0)
	}
	return entities
}

// alarmQueue is a heap: the earliest first, at one instant by entity, so that the order is always the same.
type alarmQueue []*alarm

func (q alarmQueue) Len() int { return len(q) }

func (q alarmQueue) Less(i, j int) bool {
	a, b := q[i], q[j]
	return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.entity.Kind, b.entity.Kind),
		cmp.Compare(a.entity.Provider, b.entity.Provider), cmp.Compare(a.entity.ID, b.entity.ID)) < 0
}

func (q alarmQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}

func (q *alarmQueue) Push(x any) {
	a := x.(*alarm) //nolint:forcetypeassert // heap.Push is called above, and with nothing else
	a.index = len(*q)
	*q = append(*q, a)
}

func (q *alarmQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}
