package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"concord/internal/bench"
	"concord/internal/node"
	"concord/transport"
)

// The capacity under test is made, so that it is the same on every machine: so many commands in flight, half of them in
// the group that is being synced and half behind it, and a sync of the log that takes so long: 2,000 updates a second.
const (
	overloadInFlight = 128
	overloadSync     = 32 * time.Millisecond
	overloadCapacity = overloadInFlight / 2 / 0.032
)

// phase is what came of an offered rate.
type phase struct {
	accepted bench.Histogram
	refused  bench.Histogram
	failures int
	first    error
	span     time.Duration
}

func (p *phase) goodput() float64 { return float64(p.accepted.Count()) / p.span.Seconds() }

// overloadTries is how often the offers are made until one is served as promised: other work on the machine can only spoil it.
const overloadTries = 3

// TestOverload offers ten times the capacity, open loop: goodput stays at 90 % of the peak, what is accepted is answered
// in bounded time, what is refused is refused quickly and with a hint; and half the capacity afterwards is served as if
// nothing had been.
func TestOverload(t *testing.T) {
	url := overloadedNode(t)
	for try := 1; ; try++ {
		wrong := overload(t, url)
		switch {
		case len(wrong) == 0:
			return
		case try == overloadTries:
			t.Fatalf("after %d tries: %s", try, strings.Join(wrong, "; "))
		}
		t.Logf("try %d: %s", try, strings.Join(wrong, "; "))
	}
}

// overload makes the offers once, and says what was not as promised. A request that fails in another way than by a refusal fails
// the test, whatever else the machine does.
func overload(t *testing.T, url string) (wrong []string) {
	t.Helper()
	peak := offer(t, url, 1.2*overloadCapacity, 3*time.Second)
	over := offer(t, url, 10*overloadCapacity, 4*time.Second)
	after := offer(t, url, 0.5*overloadCapacity, 3*time.Second)
	for name, p := range map[string]*phase{"1.2x": peak, "10x": over, "0.5x after": after} {
		t.Logf("%s: %.0f/s accepted, p99 %v; %d refused, p99 %v; %d failures (%v)", name, p.goodput(),
			p.accepted.Quantile(.99), p.refused.Count(), p.refused.Quantile(.99), p.failures, p.first)
		if p.failures > 0 {
			t.Errorf("%s: %d requests failed: %v", name, p.failures, p.first)
		}
	}
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if over.goodput() < 0.9*peak.goodput() {
		say("goodput at 10x is %.0f/s, at its peak %.0f/s", over.goodput(), peak.goodput())
	}
	if over.refused.Count() == 0 {
		say("nothing was refused: no overload")
	}
	if p99 := over.accepted.Quantile(.99); p99 > 20*overloadSync {
		say("accepted requests took up to %v", p99)
	}
	if after.refused.Count() > 0 || after.goodput() < 0.45*overloadCapacity {
		say("half the capacity afterwards: %.0f/s, %d refused", after.goodput(), after.refused.Count())
	}
	return wrong
}

// overloadedNode is a node whose log takes its time to sync.
func overloadedNode(t *testing.T) string {
	t.Helper()
	o := options("", zerolog.Nop())
	o.Memory, o.FS = true, slowLog(vfs.NewMem(), overloadSync)
	o.Bounds.NodeInFlightMax = overloadInFlight
	o.Fatal = func(err error) { t.Error(err) }
	n, err := node.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := n.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	return n.NATSAddress()
}

const overloadWorkers = 256

// offer sends updates at the rate, whatever the answers do.
func offer(t *testing.T, url string, rate float64, span time.Duration) *phase {
	t.Helper()
	connections := make([]*nats.Conn, 8)
	for i := range connections {
		nc, err := nats.Connect(url)
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		connections[i] = nc
	}
	p := &phase{span: span}
	var mu sync.Mutex
	_, err := bench.OpenLoop(context.Background(), overloadWorkers, rate, bench.Span{Duration: span},
		func(ctx context.Context, worker int) error {
			start := time.Now()
			msg, err := connections[worker%len(connections)].RequestWithContext(ctx,
				fmt.Sprintf("concord.v1.collection.put.p.c%d", worker), fmt.Appendf(nil, `{"metadata":{"t":%d}}`, start.UnixNano()))
			took := time.Since(start)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil && msg.Header.Get(transport.HeaderServiceCode) == "":
				p.accepted.Record(took)
			case err == nil && msg.Header.Get(transport.HeaderServiceCode) == "429" && strings.Contains(string(msg.Data), "retryAfter"):
				p.refused.Record(took)
			case errors.Is(err, context.Canceled):
			default:
				p.failures++
				p.first = errors.Join(err, p.first)
			}
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return p
}
