package faults

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// linkCycles is how many changes are made while the process is killed: 12 in `make check`, 100 and more in `make torture`.
func linkCycles() int { return max(12, count("CONCORD_KILL_CYCLES", 0)/3) }

const (
	killMaxMs  = 120 // after the change at which the process is killed
	wipeEvery  = 4   // changes
	killsEvery = 3   // of one change in so many: two kills
)

// TestLinksSurviveKills kills the process in the midst of jobs, and wipes the streams: each collection has one new version
// for each job all the same, each link was counted once, no byte is other than the model has it, and what has left as
// messages makes an equal copy.
func TestLinksSurviveKills(t *testing.T) {
	t.Parallel()
	p := startProcess(t)
	c, m := madeCatalogue(t, p, 1)
	copied := c.copyOf()
	rng := rand.New(rand.NewPCG(3, 4))
	reachedAll := 0
	for n := range linkCycles() {
		one := m.draw(c, n)
		id := one.do()
		r := one.tell()
		reachedAll += r.links
		if n%wipeEvery == wipeEvery-1 {
			wipeStreams(t, p)
		}
		for range 1 + (n+1)%killsEvery/(killsEvery-1) {
			<-time.After(time.Duration(rng.IntN(killMaxMs)) * time.Millisecond) // the moment of the fault
			p.kill()
			p.start()
		}
		if id == "" {
			continue // it was so already
		}
		j := c.settled(id, r)
		c.check(one.what)
		if t.Failed() {
			t.Fatalf("after %s, job %s: %+v", one.what, id, j)
		}
	}
	t.Logf("%d changes, which %d links have followed", linkCycles(), reachedAll)
	if reachedAll < linkCycles()*madeLinks {
		t.Errorf("only %d links have followed: the test proves nothing", reachedAll)
	}
	c.checkMessages(copied)
	c.auditAll()
	c.check("audits that find nothing")
	p.stop()
	checkStore(t, p)
}

// wipeStreams deletes the streams under the feet of the service.
func wipeStreams(t *testing.T, p *process) {
	t.Helper()
	nc, err := nats.Connect(p.address())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), messagesMaxWait)
	defer cancel()
	for _, name := range []string{"CONCORD_EVENTS", "CONCORD_LINKS"} {
		if err := js.DeleteStream(ctx, name); err != nil {
			t.Fatalf("wipe %s: %v", name, err)
		}
	}
}
