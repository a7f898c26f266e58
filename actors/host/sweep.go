package host

import (
	"cmp"
	"context"
	"slices"
	"time"

	"concord/persistence"
)

// sweepEvery is how often idle entities are looked for. A sweep visits one shard after another, so that no lock is held
// for longer than one shard takes.
const sweepEvery = time.Second

// guestIdleMax is how long an entity stays that only jobs have used: as long as what follows of the same job may take. A job goes
// through more entities than fit in memory, and would else displace all those that are used.
const guestIdleMax = 2 * time.Second

func (h *Host) sweepUntil(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.Sweep()
		}
	}
}

// Sweep passivates what has been idle for too long, and beyond the bound of active entities first what only jobs have used,
// then the longest idle.
func (h *Host) Sweep() {
	now := h.clock.Now()
	since := idleSince{all: now.Add(-h.bounds.IdleMax).UnixNano(), guests: now.Add(-min(guestIdleMax, h.bounds.IdleMax)).UnixNano()}
	surplus := int(h.active.Load()) - h.bounds.ActiveMax
	for i := range h.shards {
		h.sweepShard(&h.shards[i], since, (surplus+shardCount-1)/shardCount)
	}
}

// idleSince is when an entity must have been used last, in nanoseconds of the clock, to be idle for too long.
type idleSince struct{ all, guests int64 }

type candidate struct {
	id    persistence.EntityID
	slot  *slot
	guest bool
	used  int64
}

// sooner is the order in which entities leave.
func (a candidate) sooner(b candidate) int {
	switch {
	case a.guest && !b.guest:
		return -1
	case b.guest && !a.guest:
		return 1
	}
	return cmp.Compare(a.used, b.used)
}

func (h *Host) sweepShard(sh *shard, since idleSince, surplus int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var idle []candidate
	for id, s := range sh.slots {
		used, guest := s.used.Load(), !s.stays.Load()
		switch {
		case used < since.all || guest && used < since.guests:
			h.passivate(sh, id, s)
		case surplus > 0:
			idle = append(idle, candidate{id, s, guest, used})
		}
	}
	if surplus <= 0 {
		return
	}
	slices.SortFunc(idle, candidate.sooner)
	for _, c := range idle {
		if h.passivate(sh, c.id, c.slot) {
			surplus--
		}
		if surplus == 0 {
			return
		}
	}
}

// passivate takes an entity out of the table and stops its actor, if no command of it is in flight. Commands are counted
// in under the shard's lock, which is held here: so none can be in the mailbox, and what the entity submitted is durable.
func (h *Host) passivate(sh *shard, id persistence.EntityID, s *slot) bool {
	if s.inFlight.Load() != 0 || s.busy.Load() != 0 || h.timers.alarms.has(id) {
		return false
	}
	delete(sh.slots, id)
	h.active.Add(-1)
	h.system.Root.Stop(s.pid)
	h.observer.Passivated()
	return true
}
