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

// guestsShare is the part of the bound of active entities that those may have which only jobs have used. A job goes through more
// entities than fit in memory, and would else displace all that are in use; a small one may come again, and finds its own.
const guestsShare = 10

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

// Sweep passivates what has been idle for too long, and the longest idle beyond the bound of active entities, and beyond the
// share of those that only jobs have used.
func (h *Host) Sweep() {
	idleSince := h.clock.Now().Add(-h.bounds.IdleMax).UnixNano()
	surplus := int(h.active.Load()) - h.bounds.ActiveMax
	for i := range h.shards {
		h.sweepShard(&h.shards[i], idleSince, (surplus+shardCount-1)/shardCount)
	}
}

type candidate struct {
	id   persistence.EntityID
	slot *slot
	used int64
}

func (h *Host) sweepShard(sh *shard, idleSince int64, surplus int) {
	sh.mu.Lock()
	defer sh.mu.Unlock()
	var guests, idle []candidate
	for id, s := range sh.slots {
		used := s.used.Load()
		switch {
		case used < idleSince:
			h.passivate(sh, id, s)
		case !s.stays.Load():
			guests = append(guests, candidate{id, s, used})
		case surplus > 0:
			idle = append(idle, candidate{id, s, used})
		}
	}
	guests, gone := h.oldest(sh, guests, len(guests)-h.bounds.ActiveMax/guestsShare/shardCount)
	h.oldest(sh, append(idle, guests...), surplus-gone)
}

// oldest passivates the n longest idle that may go. It returns those that stay, and how many have gone.
func (h *Host) oldest(sh *shard, all []candidate, n int) (stay []candidate, gone int) {
	if n <= 0 {
		return all, 0
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(a.used, b.used) })
	stay = slices.DeleteFunc(all, func(c candidate) bool {
		goes := gone < n && h.passivate(sh, c.id, c.slot)
		if goes {
			gone++
		}
		return goes
	})
	return stay, gone
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
