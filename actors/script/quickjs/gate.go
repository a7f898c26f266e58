package quickjs

import "sync"

// gate lets jobs through, or holds them. It is open at first.
type gate struct {
	mu     sync.Mutex
	closed chan struct{} // nil: open. It is closed when the gate opens
}

func (g *gate) hold() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == nil {
		g.closed = make(chan struct{})
	}
}

func (g *gate) resume() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

// pass returns once the gate is open, or stop is closed.
func (g *gate) pass(stop <-chan struct{}) {
	for {
		g.mu.Lock()
		closed := g.closed
		g.mu.Unlock()
		if closed == nil {
			return
		}
		select {
		case <-closed:
		case <-stop:
			return
		}
	}
}
