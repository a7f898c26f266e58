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

// Sweep passivates what has been idle for too long, and the longest idle beyond the bound of active entities.
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
	var idle []candidate
	for id, s := range sh.slots {
		used := s.used.Load()
		if used < idleSince {
			h.passivate(sh, id, s)
		} else if surplus > 0 {
			idle = append(idle, candidate{id, s, used})
		}
	}
	if surplus <= 0 {
		return
	}
	slices.SortFunc(idle, func(a, b candidate) int { return cmp.Compare(a.used, b.used) })
	for _, c := range idle[:min(surplus, len(idle))] {
		h.passivate(sh, c.id, c.slot)
	}
}

// passivate takes an entity out of the table and stops its actor, if no command of it is in flight. Commands are counted
// in under the shard's lock, which is held here: so none can be in the mailbox, and what the entity submitted is durable.
func (h *Host) passivate(sh *shard, id persistence.EntityID, s *slot) {
	if s.inFlight.Load() != 0 || s.busy.Load() != 0 || h.timers.alarms.has(id) {
		return
	}
	delete(sh.slots, id)
	h.active.Add(-1)
	h.system.Root.Stop(s.pid)
	h.observer.Passivated()
}
