package host

import (
	"context"
	"fmt"
	"sync"
	"time"

	"concord/actors/entity"
	"concord/persistence"
)

// timersMaxBatch is how many due timers of a partition are fired before their effects are waited for.
const timersMaxBatch = 256

// timerRetry is how long a timer whose effect failed is left alone.
const timerRetry = time.Second

// due is the command of a fired timer on its way to the entity.
type due struct {
	name string
	at   time.Time
}

// timers fires what stands in the durable index of timers. In memory it keeps no more than the earliest due time of
// each partition, and the alarms of timed entities; entities need not be in memory to be woken.
type timers struct {
	host   *Host
	alarms alarms

	firing sync.Mutex // one batch at a time: the clock may be moved by hand while it is also waited for

	mu        sync.Mutex
	earliest  []time.Time // by partition; zero: none
	meanwhile []time.Time // by partition: the earliest that was armed since look last began; zero: none
	changed   chan struct{}
	loaded    chan struct{} // closed once earliest is read from the index
}

func newTimers(h *Host) *timers {
	partitions := h.store.Partitions()
	return &timers{host: h, earliest: make([]time.Time, partitions), meanwhile: make([]time.Time, partitions),
		changed: make(chan struct{}, 1), loaded: make(chan struct{})}
}

// load reads the index: the alarms of timed entities, and the earliest other timer of each partition.
func (t *timers) load() error {
	for p := range t.earliest {
		if err := t.look(persistence.Partition(p)); err != nil {
			return err
		}
		for timer, err := range t.host.store.Timers(persistence.Partition(p)) {
			if err != nil {
				return fmt.Errorf("timers of partition %d: %w", p, err)
			}
			if t.host.timed(timer.Entity) && !t.alarms.has(timer.Entity) {
				t.alarms.set(timer.Entity, timer.Due)
			}
		}
	}
	return nil
}

// timed says that the entity sets its alarm by itself.
func (h *Host) timed(e persistence.EntityID) bool { return h.kinds[e.Kind].Timed }

// Alarm is told by the shells when their entities want to be woken.
func (h *Host) Alarm(e persistence.EntityID, at time.Time) {
	if h.timers.alarms.set(e, at) {
		h.timers.news()
	}
}

// look finds the earliest timer of the partition. It does not hold the lock while it reads, since the committer waits for
// the lock: a timer that is committed in the meantime may not be in what is read, but is announced (armed). One goroutine
// at a time may look at a partition.
func (t *timers) look(p persistence.Partition) error {
	t.mu.Lock()
	t.meanwhile[p] = time.Time{}
	t.mu.Unlock()
	var first time.Time
	for timer, err := range t.host.store.Timers(p) {
		if err != nil {
			return fmt.Errorf("timers of partition %d: %w", p, err)
		}
		if !t.host.timed(timer.Entity) {
			first = timer.Due
			break
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if sooner(t.meanwhile[p], first) {
		first = t.meanwhile[p]
	}
	t.earliest[p] = first
	return nil
}

// sooner says whether there is a time a, and it is before b or there is no b.
func sooner(a, b time.Time) bool { return !a.IsZero() && (b.IsZero() || a.Before(b)) }

// Committed tells the timers of a durable group. It is the committer's observer.
func (h *Host) Committed(group []*persistence.Entry) {
	for _, e := range group {
		if h.timed(e.Entity) {
			continue
		}
		for i := range e.Records {
			for _, c := range e.Records[i].Beside.Timers {
				if !c.Due.IsZero() {
					h.timers.armed(persistence.PartitionOf(e.Entity, len(h.partitions)), c.Due)
				}
			}
		}
	}
}

// armed is told of each timer that is committed. It does not wait for the disk.
func (t *timers) armed(p persistence.Partition, at time.Time) {
	t.mu.Lock()
	if sooner(at, t.meanwhile[p]) {
		t.meanwhile[p] = at
	}
	news := sooner(at, t.earliest[p])
	if news {
		t.earliest[p] = at
	}
	t.mu.Unlock()
	if news {
		t.news()
	}
}

// news says that another time may be the earliest now.
func (t *timers) news() {
	select {
	case t.changed <- struct{}{}:
	default:
	}
}

// allAlarms stands for the alarms where a partition is named otherwise.
const allAlarms = -1

// next is the partition with the earliest timer, or allAlarms.
func (t *timers) next() (p int, at time.Time, ok bool) {
	p, at = allAlarms, t.alarms.next()
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, e := range t.earliest {
		if sooner(e, at) {
			p, at = i, e
		}
	}
	return p, at, !at.IsZero()
}

// run fires timers as the clock reaches them.
func (t *timers) run(ctx context.Context) error {
	if err := t.load(); err != nil {
		return err
	}
	close(t.loaded)
	for ctx.Err() == nil {
		p, due := t.await(ctx)
		if !due {
			continue
		}
		if err := t.fire(ctx, p, t.host.clock.Now()); err != nil {
			return err
		}
	}
	return nil
}

// await waits until the clock has reached the earliest timer, and names its partition. due is false if the context has
// ended, or if another timer may be the earliest now.
func (t *timers) await(ctx context.Context) (p int, due bool) {
	p, at, ok := t.next()
	var reached <-chan struct{}
	if ok {
		var cancel func()
		reached, cancel = t.host.clock.Wait(at)
		defer cancel()
	}
	select {
	case <-ctx.Done():
		return p, false
	case <-t.changed:
		return p, false
	case <-reached:
		return p, true
	}
}

// fire wakes the entities whose timers of the partition are due, in order, and waits until the effects are durable.
func (t *timers) fire(ctx context.Context, p int, now time.Time) error {
	t.firing.Lock()
	defer t.firing.Unlock()
	if p == allAlarms {
		t.ring(ctx, now)
		return nil
	}
	partition := persistence.Partition(p)
	batch, err := t.dueBy(partition, now)
	if err != nil {
		return err
	}
	failed := false
	for _, timer := range batch {
		// One after another: timers fire in order of their due times, also across entities.
		done := make(chan error, 1)
		t.host.Deliver(&entity.Envelope{Entity: timer.Entity, Command: due{timer.Name, timer.Due},
			Reply: func(_ entity.Answer, err error) { done <- err }})
		select {
		case err := <-done:
			failed = failed || err != nil
		case <-ctx.Done():
			return nil
		}
	}
	if failed {
		// The index keeps the timer. Do not spin on an entity that cannot take it.
		t.mu.Lock()
		defer t.mu.Unlock()
		t.earliest[p] = now.Add(timerRetry)
		return nil
	}
	return t.look(partition)
}

// ring wakes the entities whose alarms are due. They are woken in order, but do not wait for each other: each has its
// own time and its own order of events. One that cannot be woken now is woken again later.
func (t *timers) ring(ctx context.Context, now time.Time) {
	entities := t.alarms.due(now, now.Add(timerRetry), timersMaxBatch)
	woken := make(chan struct{}, len(entities))
	for _, e := range entities {
		t.host.Deliver(&entity.Envelope{Entity: e, Command: due{},
			Reply: func(entity.Answer, error) { woken <- struct{}{} }}) // an error is logged where it arises
	}
	for range entities {
		select {
		case <-woken:
		case <-ctx.Done():
			return
		}
	}
}

func (t *timers) dueBy(p persistence.Partition, now time.Time) ([]persistence.Timer, error) {
	var batch []persistence.Timer
	for timer, err := range t.host.store.Timers(p) {
		if err != nil {
			return nil, fmt.Errorf("timers of partition %d: %w", p, err)
		}
		if timer.Due.After(now) || len(batch) == timersMaxBatch {
			break
		}
		if !t.host.timed(timer.Entity) {
			batch = append(batch, timer)
		}
	}
	return batch, nil
}

// Advance moves a test clock by d, firing every timer on the way at its own time and in order. It returns when all
// effects are durable.
func (h *Host) Advance(ctx context.Context, c *TestClock, d time.Duration) (time.Time, error) {
	select {
	case <-h.timers.loaded:
	case <-ctx.Done():
		return c.Now(), ctx.Err()
	}
	target := c.Now().Add(d)
	for {
		p, at, ok := h.timers.next()
		if !ok || at.After(target) || ctx.Err() != nil {
			break
		}
		if at.Before(c.Now()) {
			at = c.Now()
		}
		c.Set(at)
		if err := h.timers.fire(ctx, p, at); err != nil {
			return c.Now(), err
		}
	}
	c.Set(target)
	return target, ctx.Err()
}
