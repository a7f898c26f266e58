package suite

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"concord/cmd/concord/internal/show"
	"concord/internal/bench"
	"concord/transport"
)

// Targets of the suites.
const (
	targetActiveBytes     = 2048
	targetActivationP99Ms = 2
	targetStartSeconds    = 2
)

// Bounds of the suites.
const (
	residentSettle        = 2 * time.Second // for the collector to give back what it can
	activationMaxEntities = 2000
)

// Memory measures what an entity costs that is active and idle: how much more memory the server has resident for each of
// so many collections that decided once. It looks at Linux's /proc.
type Memory struct {
	Entities int
	Dir      string
	Progress func(string)
}

// dryRun has a write decided, for which the entity must be active, but not stored.
var dryRun = nats.Header{transport.HeaderDryRun: []string{"true"}}

// Run measures. The server is a fresh one with a small cache and an eager collector, and nothing is stored while it
// counts, so that the memory that it gains is that of the entities.
func (m Memory) Run(ctx context.Context) (Report, error) {
	c := &Concord{Args: []string{"--set", "active.max=10000000", "--set", "store.cache=8MiB"}, Env: []string{"GOGC=20"}}
	warm := max(m.Entities/10, 100)
	var before, after int64
	err := own(ctx, m.Dir, c, func(dir string) (err error) {
		m.Progress(fmt.Sprintf("memory: make %s, and restart", show.Count(warm+m.Entities, "collection")))
		if err := c.Preload(ctx, warm+m.Entities, payload()); err != nil {
			return err
		}
		if err := c.restart(ctx, dir); err != nil {
			return err
		}
		activate := func(from, n int) (int64, error) {
			m.Progress("memory: activate " + show.Count(n, "collection"))
			err := c.all(ctx, n, func(ctx context.Context, conn *connection, i int) error {
				return conn.write(ctx, collection(from+i), benchDocument, payload(), dryRun)
			})
			if err != nil {
				return 0, err
			}
			return settled(c.server.PID)
		}
		if before, err = activate(0, warm); err == nil {
			after, err = activate(warm, m.Entities)
		}
		return err
	})
	if err != nil {
		return Report{}, fmt.Errorf("memory: %w", err)
	}
	each := float64(after-before) / float64(m.Entities)
	return newReport("memory",
		measured("active entity", "bytes", []float64{each}, targetActiveBytes, fmt.Sprintf("resident memory of the server, by %d active entities", m.Entities)),
		measured("server", "MiB", []float64{float64(after) / (1 << 20)}, 0, "resident memory at the end")), nil
}

// settled is how much memory the process has resident, once it has been left alone for a while.
func settled(pid int) (bytes int64, err error) {
	time.Sleep(residentSettle)
	return resident(pid)
}

// Activation measures how long the first command of an entity takes longer than its second: the load of its state.
type Activation struct {
	Collections int // on the server; random ones are activated
	Versions    int // of each of Deep further ones, which are activated as well
	Deep        int
	Dir         string
	Progress    func(string)
}

// Run measures. The command is a write that is decided and not stored, so that no sync of the disk stands in it.
func (a Activation) Run(ctx context.Context) (Report, error) {
	c := &Concord{}
	var measures []Measure
	err := own(ctx, a.Dir, c, func(dir string) error {
		a.Progress(fmt.Sprintf("activation: make %s, and %d of %s", show.Count(a.Collections, "collection"), a.Deep, show.Count(a.Versions, "version")))
		if err := c.Preload(ctx, a.Collections, payload()); err != nil {
			return err
		}
		var random, deep []string
		for i := range a.Deep {
			deep = append(deep, "deep"+strconv.Itoa(i))
			if err := c.versions(ctx, deep[i], a.Versions); err != nil {
				return err
			}
		}
		for _, i := range rand.Perm(a.Collections)[:min(a.Collections, activationMaxEntities)] {
			random = append(random, collection(i))
		}
		a.Progress("activation: restart")
		if err := c.restart(ctx, dir); err != nil {
			return err
		}
		for _, set := range []struct {
			name string
			ids  []string
		}{{fmt.Sprintf("one of %d", a.Collections), random}, {"of " + show.Count(a.Versions, "version"), deep}} {
			if len(set.ids) == 0 {
				continue
			}
			more, err := activate(ctx, c, set.name, set.ids)
			if err != nil {
				return err
			}
			measures = append(measures, more...)
		}
		return nil
	})
	if err != nil {
		return Report{}, fmt.Errorf("activation: %w", err)
	}
	return newReport("activation", measures...), nil
}

// activate has each of the entities decide twice: the first time it is not active.
func activate(ctx context.Context, c *Concord, name string, ids []string) ([]Measure, error) {
	var cold, warm bench.Histogram
	conn, err := c.connect(0)
	if err != nil {
		return nil, err
	}
	defer conn.nc.Close()
	// The connection and the server's paths are warm before anything counts.
	if _, err := conn.ask(ctx, &nats.Msg{Subject: conn.show + ids[0], Data: []byte(`{"documents":"none"}`)}); err != nil {
		return nil, err
	}
	for _, turn := range []*bench.Histogram{&cold, &warm} {
		for _, id := range ids {
			begin := time.Now()
			if err := conn.write(ctx, id, benchDocument, payload(), dryRun); err != nil {
				return nil, err
			}
			turn.Record(time.Since(begin))
		}
	}
	ms := func(h *bench.Histogram, q float64) float64 { return float64(h.Quantile(q)) / float64(time.Millisecond) }
	p99 := max(0, ms(&cold, 0.99)-ms(&warm, 0.5))
	note := fmt.Sprintf("cold p50 %.2f, p99 %.2f; warm p50 %.2f; %s", ms(&cold, 0.5), ms(&cold, 0.99), ms(&warm, 0.5),
		show.Count(len(ids), "entity"))
	return []Measure{measured("activation p99, "+name, "ms", []float64{p99}, targetActivationP99Ms, note)}, nil
}

// Begin measures how long a start takes, until a random old collection is read.
type Begin struct {
	Collections int
	Versions    int  // of each
	Crash       bool // the server before is killed, and not stopped
	Rounds      int
	Dir         string
	Progress    func(string)
}

// Run measures.
func (b Begin) Run(ctx context.Context) (Report, error) {
	c := &Concord{}
	var took []float64
	err := own(ctx, b.Dir, c, func(dir string) error {
		b.Progress(fmt.Sprintf("start: make %s of %s", show.Count(b.Collections, "collection"), show.Count(b.Versions, "version")))
		if err := c.Preload(ctx, b.Collections, payload()); err != nil {
			return err
		}
		err := c.all(ctx, b.Collections*(b.Versions-1), func(ctx context.Context, conn *connection, i int) error {
			return conn.Update(ctx, i%b.Collections, payload())
		})
		if err != nil {
			return err
		}
		for round := range b.Rounds {
			b.Progress(fmt.Sprintf("start: round %d of %d", round+1, b.Rounds))
			seconds, err := b.round(ctx, c, dir)
			if err != nil {
				return err
			}
			took = append(took, seconds)
		}
		return nil
	})
	if err != nil {
		return Report{}, fmt.Errorf("start: %w", err)
	}
	slices.Sort(took)
	note := fmt.Sprintf("until one of %s is read, %s", show.Count(b.Collections, "collection"), show.Count(b.Collections*b.Versions, "event"))
	return newReport("start", measured("start", "s", took, targetStartSeconds, note)), nil
}

func (b Begin) round(ctx context.Context, c *Concord, dir string) (seconds float64, err error) {
	if b.Crash {
		server := c.server
		c.server = nil
		err = server.Kill()
	} else {
		err = c.Stop()
	}
	if err != nil {
		return 0, err
	}
	begin := time.Now()
	if err := c.Start(ctx, dir); err != nil {
		return 0, err
	}
	conn, err := c.connect(0)
	if err != nil {
		return 0, err
	}
	defer conn.nc.Close()
	if _, err := conn.Read(ctx, rand.IntN(b.Collections)); err != nil {
		return 0, err
	}
	return time.Since(begin).Seconds(), nil
}
