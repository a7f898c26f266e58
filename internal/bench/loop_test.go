package bench

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// fakeSleep waits on the clock of the bubble.
func fakeSleep(_ context.Context, d time.Duration) { time.Sleep(d) }

func within(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if got < want || got > want+want/64 {
		t.Errorf("%s is %v, want %v", what, got, want)
	}
}

func TestOpenLoopKeepsItsRateAndCountsFromTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		operation := func(context.Context, int) error {
			time.Sleep(3 * time.Millisecond)
			return nil
		}
		s, err := openLoop(t.Context(), 4, 1000, Span{WarmUp: time.Second, Duration: 2 * time.Second}, operation, fakeSleep)
		if err != nil {
			t.Fatal(err)
		}
		// What is due in the last 3 ms ends after the span, what was due in the 3 ms before it ends within.
		if s.Operations != 2000 || s.OpsPerSecond() != 1000 || s.Missed != 0 || s.Errors != 0 {
			t.Errorf("operations %d at %v/s, missed %d, errors %d", s.Operations, s.OpsPerSecond(), s.Missed, s.Errors)
		}
		within(t, "p50", s.Latency.Quantile(0.5), 3*time.Millisecond)
		within(t, "max", s.Latency.Max(), 3*time.Millisecond)
	})
}

func TestOpenLoopChargesAStallToAllItDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		stalled := false
		operation := func(context.Context, int) error { // one worker: no lock is needed
			if !stalled && time.Since(begin) >= 500*time.Millisecond {
				stalled = true
				time.Sleep(100 * time.Millisecond)
			}
			return nil
		}
		s, err := openLoop(t.Context(), 1, 1000, Span{Duration: time.Second}, operation, fakeSleep)
		if err != nil {
			t.Fatal(err)
		}
		// 100 of 1000 operations waited, from 100 ms down to 1 ms: a closed loop would have seen one.
		within(t, "max", s.Latency.Max(), 100*time.Millisecond)
		within(t, "p99", s.Latency.Quantile(0.99), 90*time.Millisecond)
		within(t, "p95", s.Latency.Quantile(0.95), 50*time.Millisecond)
		if got := s.Latency.Quantile(0.89); got != 0 {
			t.Errorf("p89 is %v, want 0: the others did not wait", got)
		}
	})
}

func TestOpenLoopReportsWhatItNeverBegan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		operation := func(context.Context, int) error {
			time.Sleep(time.Second)
			return nil
		}
		begin := time.Now()
		s, err := openLoop(t.Context(), 2, 100, Span{Duration: time.Second}, operation, fakeSleep)
		if err != nil {
			t.Fatal(err)
		}
		// Two workers begin two a second until the drain ends at 11 s: 22 or, with those begun at 0.01 s, 24.
		began := int64(s.Latency.Count()) - s.Missed
		if began < 22 || began > 24 || began+s.Missed != 100 {
			t.Errorf("began %d and missed %d of 100", began, s.Missed)
		}
		if took := time.Since(begin); took > 13*time.Second {
			t.Errorf("took %v, want an end soon after the drain", took)
		}
		if s.Latency.Max() < 10*time.Second {
			t.Errorf("max is %v, want the age of what was missed", s.Latency.Max())
		}
	})
}

func TestOpenLoopRefusesARateWithoutBound(t *testing.T) {
	for _, rate := range []float64{0, -1, rateMaxPerSecond + 1} {
		if _, err := OpenLoop(t.Context(), 1, rate, Span{Duration: time.Second}, nil); err == nil {
			t.Errorf("rate %v was taken", rate)
		}
	}
}

func TestClosedLoopCountsWhatEndsWithinTheSpan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		operation := func(context.Context, int) error {
			time.Sleep(30 * time.Millisecond)
			return nil
		}
		s, err := ClosedLoop(t.Context(), 8, Span{WarmUp: 300 * time.Millisecond, Duration: time.Second}, operation)
		if err != nil {
			t.Fatal(err)
		}
		// Per worker one ends at 300 ms, the last within the span at 1290 ms, one more after it.
		if s.Operations != 8*34 || s.Latency.Count() != 8*35 {
			t.Errorf("operations %d with %d latencies, want %d with %d", s.Operations, s.Latency.Count(), 8*34, 8*35)
		}
		within(t, "p50", s.Latency.Quantile(0.5), 30*time.Millisecond)
	})
}

func TestLoopsCountErrorsAndGoOn(t *testing.T) {
	broken := errors.New("disk on fire")
	synctest.Test(t, func(t *testing.T) {
		operation := func(context.Context, int) error { return broken }
		closed, err := ClosedLoop(t.Context(), 2, Span{Duration: time.Second}, operation)
		if err != nil || closed.Errors < 1000 || closed.Operations != 0 || !errors.Is(closed.FirstError, broken) {
			t.Errorf("closed loop: %v, errors %d, operations %d, first %v", err, closed.Errors, closed.Operations, closed.FirstError)
		}
		open, err := openLoop(t.Context(), 2, 100, Span{Duration: time.Second}, operation, fakeSleep)
		if err != nil || open.Errors != 100 || open.Latency.Count() != 0 || !errors.Is(open.FirstError, broken) {
			t.Errorf("open loop: %v, errors %d, latencies %d, first %v", err, open.Errors, open.Latency.Count(), open.FirstError)
		}
	})
}

func TestLoopsEndWithTheirContext(t *testing.T) {
	wait := func(ctx context.Context, _ int) error {
		<-ctx.Done()
		return ctx.Err()
	}
	span := Span{Duration: time.Hour}
	for name, loop := range map[string]func(context.Context) (*Sample, error){
		"closed": func(ctx context.Context) (*Sample, error) { return ClosedLoop(ctx, 2, span, wait) },
		"open":   func(ctx context.Context) (*Sample, error) { return openLoop(ctx, 2, 10, span, wait, fakeSleep) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				begin := time.Now()
				if _, err := loop(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("ended with %v", err)
				}
				if took := time.Since(begin); took > 61*time.Second {
					t.Errorf("took %v after a minute's context", took)
				}
			})
		})
	}
}

func TestSleepPreciselyIsNeverMuchEarly(t *testing.T) {
	begin := time.Now()
	sleepPrecisely(t.Context(), time.Millisecond)
	if took := time.Since(begin); took < time.Millisecond {
		t.Errorf("slept %v of 1 ms", took)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	sleepPrecisely(ctx, time.Hour) // must return
}
