package quickjs

import (
	"sync"
	"sync/atomic"
	"time"

	"modernc.org/quickjs"
)

// guardPeriod is how often the processor time of a job is looked at.
const guardPeriod = 5 * time.Millisecond

// latePerLimit is at how many times its limit a job is late: some loops inside of the engine cannot be interrupted.
const latePerLimit = 2

// guard watches over the processor time of a job. It counts that of the whole process, which does nothing else, and not the
// time on the clock: so that a script is not blamed for a busy machine, where its process is the last to run.
type guard struct {
	limit time.Duration
	late  func() // it does not return
	begin time.Duration
	over  atomic.Bool
	stop  chan struct{}
	ended sync.WaitGroup

	mu sync.Mutex
	vm *quickjs.VM // what runs now, nil for nothing
}

// watch starts a guard. The caller must end it.
func watch(limit time.Duration, late func()) *guard {
	g := &guard{limit: limit, late: late, begin: processorTime(), stop: make(chan struct{})}
	g.ended.Go(g.run)
	return g
}

func (g *guard) end() {
	close(g.stop)
	g.ended.Wait()
}

func (g *guard) run() {
	ticks := time.NewTicker(guardPeriod)
	defer ticks.Stop()
	for {
		select {
		case <-g.stop:
			return
		case <-ticks.C:
			g.look(processorTime() - g.begin)
		}
	}
}

// look interrupts a script that has used too much. A step that begins forgets an interruption, so it is repeated.
func (g *guard) look(used time.Duration) {
	if used <= g.limit {
		return
	}
	g.over.Store(true)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.vm != nil {
		g.vm.Interrupt()
	}
	if used > latePerLimit*g.limit {
		g.late()
	}
}

// runs says which engine is at work.
func (g *guard) runs(vm *quickjs.VM) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.vm = vm
}
