package host

import (
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"concord/persistence"
)

// slowIndex is a store whose index of timers is read while the test does something else.
type slowIndex struct {
	Store
	first   time.Time // zero: it has no timer
	reading chan struct{}
	read    chan struct{}
}

func (s *slowIndex) Partitions() int { return 1 }

func (s *slowIndex) Timers(persistence.Partition) iter.Seq2[persistence.Timer, error] {
	return func(yield func(persistence.Timer, error) bool) {
		close(s.reading)
		<-s.read
		if !s.first.IsZero() {
			yield(persistence.Timer{Due: s.first}, nil)
		}
	}
}

// TestLookLosesNoTimer: the index is read without the lock that the committer's observer takes; what is committed in the
// meantime counts all the same.
func TestLookLosesNoTimer(t *testing.T) {
	at := func(s int) time.Time {
		if s == 0 {
			return time.Time{}
		}
		return time.Date(2026, 1, 1, 0, 0, s, 0, time.UTC)
	}
	for name, row := range map[string]struct {
		before int // seconds; 0: none
		read   int
		armed  []int
		want   int
	}{
		"none at all":                             {0, 0, nil, 0},
		"one that is read":                        {0, 10, nil, 10},
		"one that was fired is forgotten":         {5, 10, nil, 10},
		"the last one was fired":                  {5, 0, nil, 0},
		"armed meanwhile, none in the index":      {5, 0, []int{10}, 10},
		"armed meanwhile, sooner than the index":  {5, 20, []int{10}, 10},
		"armed meanwhile, later than the index":   {5, 10, []int{20}, 10},
		"armed meanwhile, sooner than the former": {5, 20, []int{3}, 3},
		"several armed meanwhile":                 {5, 30, []int{20, 10, 15}, 10},
	} {
		t.Run(name, func(t *testing.T) {
			index := &slowIndex{first: at(row.read), reading: make(chan struct{}), read: make(chan struct{})}
			timers := newTimers(&Host{store: index})
			if row.before != 0 {
				timers.armed(0, at(row.before))
			}
			done := make(chan error)
			go func() { done <- timers.look(0) }()
			<-index.reading
			for _, s := range row.armed {
				timers.armed(0, at(s)) // would never return if look held the lock
			}
			close(index.read)
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if _, got, ok := timers.next(); ok != (row.want != 0) || !got.Equal(at(row.want)) {
				t.Errorf("earliest is %v, want %v", got, at(row.want))
			}
		})
	}
}

// TestCancelledWaitIsForgotten: nothing is kept of a wait that nobody waits for.
func TestCancelledWaitIsForgotten(t *testing.T) {
	t.Run("system", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			kept, cancelKept := SystemClock{}.Wait(time.Now().Add(time.Hour))
			cancelled, cancel := SystemClock{}.Wait(time.Now().Add(time.Hour))
			cancel()
			cancel()
			time.Sleep(2 * time.Hour)
			cancelKept()
			if !closed(kept) || closed(cancelled) {
				t.Errorf("kept %v, cancelled %v", closed(kept), closed(cancelled))
			}
		})
	})
	t.Run("test", func(t *testing.T) {
		c := NewTestClock(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		kept, cancelKept := c.Wait(c.Now().Add(time.Hour))
		cancelled, cancel := c.Wait(c.Now().Add(time.Hour))
		cancel()
		cancel()
		if len(c.waiting) != 1 {
			t.Errorf("%d waits are kept", len(c.waiting))
		}
		c.Set(c.Now().Add(2 * time.Hour))
		cancelKept()
		if !closed(kept) || closed(cancelled) || len(c.waiting) != 0 {
			t.Errorf("kept %v, cancelled %v, %d waits are kept", closed(kept), closed(cancelled), len(c.waiting))
		}
		past, cancelPast := c.Wait(c.Now())
		cancelPast()
		if !closed(past) {
			t.Error("a time that has been reached is not")
		}
	})
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
