package host

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/entity"
)

// slow is a decision that takes until it is let go.
type slow struct{ begun, goOn chan struct{} }

// TestDecided: whoever waits for decisions that are under way waits for all of them, and for no other.
func TestDecided(t *testing.T) {
	r := newRig(t, vfs.NewMem(), DefaultBounds)
	deliver := func(id string, c any) (answered chan struct{}) {
		answered = make(chan struct{})
		r.host.Deliver(&entity.Envelope{Entity: counterID(id), Command: c, Reply: func(entity.Answer, error) { close(answered) }})
		return answered
	}
	wait := func() (over chan struct{}) {
		over = make(chan struct{})
		r.host.Decided(func() { close(over) })
		return over
	}
	<-wait() // nothing is there
	<-deliver("rests", add{})
	<-wait()

	s := slow{make(chan struct{}), make(chan struct{})}
	answered := deliver("slow", s)
	<-s.begun
	behind := deliver("slow", add{}) // begins after whoever waits now
	over, again := wait(), wait()
	<-deliver("quick", add{})
	select {
	case <-over:
		t.Fatal("a decision is under way")
	default:
	}
	close(s.goOn)
	<-over
	<-again
	<-answered
	<-behind
	<-wait()
	r.clock.Set(r.clock.Now().Add(2 * r.host.bounds.IdleMax))
	for r.host.Active() > 0 { // nobody is kept in memory by it
		r.host.Sweep()
	}
}
