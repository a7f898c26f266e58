package bench

import (
	"context"
	"fmt"
	"time"
)

// OpenLoop begins operations at a fixed rate, whatever the answers do, with at most one operation a
// worker in flight. Operation k is due at k/rate; its latency counts from then, also when every worker
// was busy and it began late, so a stall is charged to each operation that it delayed (no coordinated
// omission). What is due but not begun drainMaxSeconds after the end counts as missed, with its age as
// latency. Errors and the end are as in ClosedLoop.
func OpenLoop(ctx context.Context, workers int, ratePerSecond float64, span Span, op Operation) (*Sample, error) {
	return openLoop(ctx, workers, ratePerSecond, span, op, sleepPrecisely)
}

// openLoop is OpenLoop with its own way to sleep, for tests with a fake clock.
func openLoop(ctx context.Context, workers int, ratePerSecond float64, span Span, op Operation,
	sleep func(context.Context, time.Duration),
) (*Sample, error) {
	if !(ratePerSecond > 0 && ratePerSecond <= rateMaxPerSecond) {
		return nil, fmt.Errorf("open loop: rate must be above 0 and at most %d a second", rateMaxPerSecond)
	}
	s := schedule{window: newWindow(time.Now(), span), ratePerSecond: ratePerSecond, due: make(chan time.Time)}
	pace := func(ctx context.Context) { s.pace(ctx, sleep) }
	return s.window.run(ctx, workers, pace, func(ctx context.Context, worker int, r *recorder) {
		for due := range s.due {
			if now := time.Now(); !now.Before(s.window.drained) || ctx.Err() != nil {
				r.miss(due, now)
				continue
			}
			err := op(ctx, worker)
			r.add(due, time.Now(), err)
		}
	})
}

// schedule hands out due times. The channel has no buffer: the backlog of an overloaded system is not
// stored, since a time that is handed out late is still the time at which it was due.
type schedule struct {
	window        window
	ratePerSecond float64
	due           chan time.Time
}

// pace hands out every due time of the window, none early, and closes the channel.
// When ctx ends, by the caller or by the drain, the rest is handed out at once.
func (s *schedule) pace(ctx context.Context, sleep func(context.Context, time.Duration)) {
	defer close(s.due)
	interval := float64(time.Second) / s.ratePerSecond
	for k := 0; ; k++ {
		due := s.window.begin.Add(time.Duration(float64(k) * interval))
		if !due.Before(s.window.until) {
			return
		}
		for wait := time.Until(due); wait > 0 && ctx.Err() == nil; wait = time.Until(due) {
			sleep(ctx, wait)
		}
		s.due <- due
	}
}
