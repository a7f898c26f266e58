package bench

import (
	"context"
	"sync"
	"time"
)

const (
	// drainMaxSeconds is how long operations may go on after the end of a measurement.
	drainMaxSeconds = 10
	// errorPause keeps a worker whose operations fail at once from burning the machine.
	errorPause = time.Millisecond
)

// Operation does one operation for a worker. A worker's operations never overlap.
type Operation func(ctx context.Context, worker int) error

// Span is how long a loop runs: first WarmUp, which is not counted, then Duration.
type Span struct{ WarmUp, Duration time.Duration }

// Sample is what a loop saw.
type Sample struct {
	Latency    Histogram // of the operations that succeeded
	Operations int64     // that succeeded and ended within Duration
	Errors     int64
	Missed     int64 // open loop: never begun, since the loop could not keep up
	FirstError error
	Duration   time.Duration
}

// OpsPerSecond is the rate of the operations that succeeded.
func (s *Sample) OpsPerSecond() float64 { return float64(s.Operations) / s.Duration.Seconds() }

// ClosedLoop has each of the workers do one operation after the other. The rate counts operations that
// ended within the span; the latency counts all that overlap it, so that a stall at its end shows. It
// returns ctx's error if ctx ended it, and never before all workers have ended.
func ClosedLoop(ctx context.Context, workers int, span Span, op Operation) (*Sample, error) {
	w := newWindow(time.Now(), span)
	return w.run(ctx, workers, nil, func(ctx context.Context, worker int, r *recorder) {
		for now := time.Now(); now.Before(w.until) && ctx.Err() == nil; {
			err := op(ctx, worker)
			end := time.Now()
			r.add(now, end, err)
			if err != nil {
				time.Sleep(errorPause)
				end = time.Now()
			}
			now = end
		}
	})
}

// window is the part of time that a loop counts.
type window struct{ begin, from, until, drained time.Time }

func newWindow(begin time.Time, span Span) window {
	from := begin.Add(span.WarmUp)
	until := from.Add(span.Duration)
	return window{begin, from, until, until.Add(drainMaxSeconds * time.Second)}
}

// run starts the workers and, if there is one, the pacer that feeds them, waits for all, and merges
// what they recorded.
func (w window) run(ctx context.Context, workers int, pace func(context.Context),
	work func(context.Context, int, *recorder),
) (*Sample, error) {
	// Operations may outlast the window, but not the drain.
	bounded, cancel := context.WithDeadline(ctx, w.drained)
	defer cancel()
	recorders := make([]recorder, workers)
	var running sync.WaitGroup
	for i := range recorders {
		recorders[i].window = w
		running.Go(func() { work(bounded, i, &recorders[i]) })
	}
	if pace != nil {
		running.Go(func() { pace(bounded) })
	}
	running.Wait()

	total := &Sample{Duration: w.until.Sub(w.from)}
	for i := range recorders {
		total.merge(&recorders[i].sample)
	}
	return total, ctx.Err()
}

func (s *Sample) merge(other *Sample) {
	s.Latency.Merge(&other.Latency)
	s.Operations += other.Operations
	s.Errors += other.Errors
	s.Missed += other.Missed
	if s.FirstError == nil {
		s.FirstError = other.FirstError
	}
}

// recorder is one worker's view of a loop.
type recorder struct {
	window window
	sample Sample
}

// add counts an operation from begin (its scheduled begin in an open loop) to end. In the warm-up only
// an error leaves a trace: its text.
func (r *recorder) add(begin, end time.Time, err error) {
	if err != nil && r.sample.FirstError == nil {
		r.sample.FirstError = err
	}
	switch {
	case end.Before(r.window.from):
	case err != nil:
		r.sample.Errors++
	default:
		r.sample.Latency.Record(end.Sub(begin))
		if end.Before(r.window.until) {
			r.sample.Operations++
		}
	}
}

// miss counts an operation that was due but never begun; its latency is at least its age.
func (r *recorder) miss(due, now time.Time) {
	if due.Before(r.window.from) {
		return
	}
	r.sample.Missed++
	r.sample.Latency.Record(now.Sub(due))
}
