package host

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/entity"
)

// pass has a job ask an entity in passing.
func (r *rig) pass(id string) {
	r.t.Helper()
	done := make(chan error, 1)
	r.host.Deliver(&entity.Envelope{Entity: counterID(id), Command: add{}, Passing: true, Reply: func(_ entity.Answer, err error) { done <- err }})
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
}

// inMemory says which entities are.
func (r *rig) inMemory(ids ...string) (there []string) {
	for _, id := range ids {
		sh := r.host.shard(counterID(id))
		sh.mu.RLock()
		if sh.slots[counterID(id)] != nil {
			there = append(there, id)
		}
		sh.mu.RUnlock()
	}
	return there
}

// guests are names of so many entities of one shard, with that of the first.
func guests(n int) (ids []string) {
	shard := func(i int) uint64 { return xxhash.Sum64String(fmt.Sprint(i)) % shardCount }
	for i := 0; len(ids) < n; i++ {
		if shard(i) == shard(0) {
			ids = append(ids, fmt.Sprint(i))
		}
	}
	return ids
}

// TestGuestsHaveAShare: of what jobs alone have used the newest stay, up to their share; the others leave memory, and come back
// as they were. What somebody else has used, before the job or after it, stays as long as it would without the job.
func TestGuestsHaveAShare(t *testing.T) {
	b := DefaultBounds
	b.ActiveMax = 2 * guestsShare * shardCount
	r := newRig(t, vfs.NewMem(), b)
	ids := guests(5)
	r.ask(ids[0], add{})
	for _, id := range ids {
		r.pass(id)
		r.clock.Set(r.clock.Now().Add(time.Second))
	}
	r.ask(ids[1], add{})
	r.settle()
	r.host.Sweep()
	if got, want := r.inMemory(ids...), []string{ids[0], ids[1], ids[3], ids[4]}; !slices.Equal(got, want) {
		t.Errorf("in memory are %v of %v, want %v: a share of two, and what others have used", got, ids, want)
	}
	r.pass(ids[2])
	if got := r.ask(ids[2], add{}); got != "3" {
		t.Errorf("the guest has come back with %s", got)
	}
	r.pass(ids[0])
	r.clock.Set(r.clock.Now().Add(b.IdleMax - 3*time.Second))
	r.settle()
	r.host.Sweep()
	if got := r.inMemory(ids[0], ids[1], ids[2]); !slices.Equal(got, []string{ids[1], ids[2]}) {
		t.Errorf("in memory are %v: the job has made the first look used", got)
	}
}

// TestGuestsLeaveForOthers: where there is no room for guests at all, none stays, also if it was used last.
func TestGuestsLeaveForOthers(t *testing.T) {
	b := DefaultBounds
	b.ActiveMax = 1
	r := newRig(t, vfs.NewMem(), b)
	ids := guests(2)
	r.ask(ids[0], add{})
	r.clock.Set(r.clock.Now().Add(time.Second))
	r.pass(ids[1])
	r.settle()
	r.host.Sweep()
	if got := r.inMemory(ids...); !slices.Equal(got, ids[:1]) {
		t.Errorf("in memory is %v, want %v", got, ids[:1])
	}
}
