package host

import (
	"slices"
	"sync"
	"time"
)

// Clock is the domain's time. Decisions, timers and the memory of idempotency keys go by it and by nothing else.
type Clock interface {
	Now() time.Time
	// Wait returns a channel that is closed at the time, or when the clock has been moved past it. Whoever no longer waits
	// calls cancel, lest the wait is kept until then; it may be called at any time and more than once.
	Wait(until time.Time) (reached <-chan struct{}, cancel func())
}

// SystemClock is the operating system's.
type SystemClock struct{}

// Now is the present.
func (SystemClock) Now() time.Time { return time.Now() }

// Wait waits in real time.
func (SystemClock) Wait(until time.Time) (reached <-chan struct{}, cancel func()) {
	c := make(chan struct{})
	timer := time.AfterFunc(time.Until(until), func() { close(c) })
	return c, func() { timer.Stop() }
}

// TestClock stands still until it is advanced, and never goes back.
type TestClock struct {
	mu      sync.Mutex
	now     time.Time
	waiting []testWait
}

type testWait struct {
	until time.Time
	done  chan struct{}
}

// NewTestClock begins at the time.
func NewTestClock(start time.Time) *TestClock { return &TestClock{now: start} }

// Now is where the clock stands.
func (c *TestClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Wait waits until somebody moves the clock to the time.
func (c *TestClock) Wait(until time.Time) (reached <-chan struct{}, cancel func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	done := make(chan struct{})
	if !until.After(c.now) {
		close(done)
		return done, func() {}
	}
	c.waiting = append(c.waiting, testWait{until, done})
	return done, func() { c.forget(done) }
}

func (c *TestClock) forget(done chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = slices.DeleteFunc(c.waiting, func(w testWait) bool { return w.done == done })
}

// Set moves the clock forward; an earlier time leaves it where it is.
func (c *TestClock) Set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Before(c.now) {
		return
	}
	c.now = now
	still := c.waiting[:0]
	for _, w := range c.waiting {
		if w.until.After(now) {
			still = append(still, w)
			continue
		}
		close(w.done)
	}
	c.waiting = still
}
