package host

import (
	"fmt"
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
func (r *rig) inMemory(ids ...string) (there string) {
	for _, id := range ids {
		sh := r.host.shard(counterID(id))
		sh.mu.RLock()
		if sh.slots[counterID(id)] != nil {
			there += id
		}
		sh.mu.RUnlock()
	}
	return there
}

// TestGuestsLeaveSoon: what a job alone has used leaves memory after a moment, and comes back as it was; what somebody else has
// used, before the job or after it, stays as long as it would without the job.
func TestGuestsLeaveSoon(t *testing.T) {
	r := newRig(t, vfs.NewMem(), DefaultBounds)
	r.ask("before", add{})
	r.pass("before")
	r.pass("after")
	r.ask("after", add{})
	r.pass("guest")
	at := func(d time.Duration, want string) {
		t.Helper()
		r.clock.Set(r.clock.Now().Add(d))
		r.settle()
		r.host.Sweep()
		if got := r.inMemory("before", "after", "guest"); got != want {
			t.Errorf("in memory are %q, want %q", got, want)
		}
	}
	at(guestIdleMax/2, "beforeafterguest")
	r.pass("guest")
	at(guestIdleMax, "beforeafterguest")
	at(time.Second, "beforeafter")
	if got := r.ask("guest", add{}); got != "3" {
		t.Errorf("the guest has come back with %s", got)
	}
	r.pass("before")
	at(DefaultBounds.IdleMax-guestIdleMax, "guest") // the job has not made the others look used
}

// TestGuestsLeaveFirst: where there are too many entities, those that a job has brought in make room for the others, also if
// they were used last.
func TestGuestsLeaveFirst(t *testing.T) {
	b := DefaultBounds
	b.ActiveMax = 1
	r := newRig(t, vfs.NewMem(), b)
	r.ask("a", add{})
	shard := func(id string) uint64 { return xxhash.Sum64String(id) % shardCount }
	other := 0
	for shard(fmt.Sprint(other)) != shard("a") {
		other++
	}
	r.clock.Set(r.clock.Now().Add(time.Second))
	r.pass(fmt.Sprint(other))
	r.settle()
	r.host.Sweep()
	if got := r.inMemory("a", fmt.Sprint(other)); got != "a" {
		t.Errorf("in memory is %q, want a", got)
	}
}
