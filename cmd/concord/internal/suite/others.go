package suite

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"concord/internal/bench"
)

// others update other collections at a share of what the server can do, alone and beside some work.
type others struct {
	server      *Concord
	clients     int // connections, each with one request at a time
	collections int
	duration    time.Duration // of one turn
	rounds      int
	say         func(format string, args ...any)
}

// beside tells what others feel of work, which is begun again and again: it ends early if the context going ends, and tells how
// many items it has done.
func (o others) beside(ctx context.Context, name, note string, work func(ctx, going context.Context) (items float64, err error)) ([]Measure, error) {
	o.say("%d other collections", o.collections)
	if err := o.server.Preload(ctx, o.collections, payload()); err != nil {
		return nil, err
	}
	conns, closeAll, err := o.server.connections(o.clients)
	if err != nil {
		return nil, err
	}
	defer closeAll()
	span := bench.Span{WarmUp: linkWarmUp, Duration: o.duration}
	update := func(ctx context.Context, worker int) error {
		return conns[worker].write(ctx, collection(rand.IntN(o.collections)), benchDocument, payload(), nil)
	}
	o.say("capacity")
	full, err := bench.ClosedLoop(ctx, o.clients, span, update)
	if err != nil || full.Errors > 0 {
		return nil, errors.Join(err, full.FirstError)
	}
	rate := capacityShare * full.OpsPerSecond()
	var ratios, alone, beside, items []float64
	for round := range o.rounds {
		o.say("%.0f updates a second beside %s, round %d of %d", rate, name, round+1, o.rounds)
		calm, err := bench.OpenLoop(ctx, o.clients, rate, span, update)
		if err != nil {
			return nil, err
		}
		var busy *bench.Sample
		done, err := during(ctx, work, func() (err error) {
			busy, err = bench.OpenLoop(ctx, o.clients, rate, span, update)
			return err
		})
		if err != nil {
			return nil, err
		}
		if calm.Errors+busy.Errors > 0 {
			return nil, fmt.Errorf("%d updates failed: %w", calm.Errors+busy.Errors, errors.Join(calm.FirstError, busy.FirstError))
		}
		alone, beside = append(alone, ms(&calm.Latency, 0.99)), append(beside, ms(&busy.Latency, 0.99))
		ratios, items = append(ratios, beside[round]/alone[round]), append(items, done)
	}
	load := fmt.Sprintf("%.0f updates/s of %d other collections, 30 %% of capacity", rate, o.collections)
	return []Measure{measured("update p99, alone", "ms", alone, 0, load), measured("update p99, beside "+name, "ms", beside, 0, load),
		measured("items meanwhile", "/s", items, 0, note),
		measured("isolation", "x", ratios, targetOthers, "p99 beside "+name+" against p99 alone, in the same round")}, nil
}

// during does the work again and again for as long as the other load lasts; how many items were done a second.
func during(ctx context.Context, work func(ctx, going context.Context) (float64, error), load func() error) (perSecond float64, err error) {
	going, stop := context.WithCancel(ctx)
	defer stop()
	var worker sync.WaitGroup
	var failed error
	done, begin := 0.0, time.Now()
	worker.Go(func() {
		for going.Err() == nil && failed == nil {
			var did float64
			did, failed = work(ctx, going)
			done += did
		}
	})
	err = load()
	took := time.Since(begin)
	stop()
	worker.Wait()
	return done / took.Seconds(), errors.Join(failed, err)
}
