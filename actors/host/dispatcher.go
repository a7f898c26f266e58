package host

import (
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// Bounds of the dispatcher.
const (
	dispatchThroughput = 64  // messages that one entity handles before it lets others run
	idleWorkersMax     = 256 // goroutines kept for the next burst
)

// workers is a protoactor-go dispatcher whose goroutines stay. A decision needs a deep stack; a fresh goroutine for
// each message, as the runtime's own dispatcher starts, spends more time on growing its stack than on the decision.
type workers struct {
	mu     sync.Mutex
	idle   []chan func()
	closed bool
	all    sync.WaitGroup
}

var _ actor.Dispatcher = (*workers)(nil)

// Throughput is the number of messages an entity handles in one go.
func (w *workers) Throughput() int { return dispatchThroughput }

// Schedule runs fn on an idle goroutine, or on a new one: it never waits. How many there are is bounded by the number of
// entities with commands in flight, and so by admission.
func (w *workers) Schedule(fn func()) {
	w.mu.Lock()
	if n := len(w.idle); n > 0 {
		worker := w.idle[n-1]
		w.idle = w.idle[:n-1]
		w.mu.Unlock()
		worker <- fn
		return
	}
	w.mu.Unlock()
	w.all.Go(func() { w.work(fn) })
}

func (w *workers) work(fn func()) {
	next := make(chan func(), 1)
	for fn != nil {
		fn()
		if !w.rest(next) {
			return
		}
		fn = <-next
	}
}

func (w *workers) rest(next chan func()) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || len(w.idle) == idleWorkersMax {
		return false
	}
	w.idle = append(w.idle, next)
	return true
}

// close ends the goroutines once they are idle, and waits for them.
func (w *workers) close() {
	w.mu.Lock()
	w.closed = true
	for _, next := range w.idle {
		next <- nil
	}
	w.idle = nil
	w.mu.Unlock()
	w.all.Wait()
}
