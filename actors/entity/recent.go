package entity

import (
	"sync"

	"concord/persistence"
)

// RecentMaxBytes and the others bound what is remembered of parts that are merged again and again.
const (
	RecentMaxBytes = 32 << 20 // of a node, a value counted as eight times its text
	recentMaxParts = 65_536   // of a node
	recentOneBytes = 64 << 10 // a longer one is not remembered
	recentDecay    = 64       // writes of an entity after the last merge that are remembered
	recentPerValue = 8
)

// Recent remembers what was written to entities whose writes are merged: clients that write the same entity build on
// versions that others have replaced a moment ago. A part never changes at the version that wrote it, so that nothing here
// can be wrong, only missing. It is safe for concurrent use.
type Recent struct {
	mu    sync.Mutex
	parts map[recentKey]Fact
	order []recentKey // oldest first, from next on
	next  int
	bytes int
}

type recentKey struct {
	entity  persistence.EntityID
	part    string
	version uint64 // that wrote it
}

// NewRecent remembers nothing yet.
func NewRecent() *Recent { return &Recent{parts: make(map[recentKey]Fact)} }

func (f Fact) cost() int {
	if f.Value != nil {
		return len(f.Body) * (1 + recentPerValue)
	}
	return len(f.Body)
}

func (r *Recent) add(id persistence.EntityID, part string, f Fact) {
	if r == nil || !f.Exists || f.Body == nil || len(f.Body) > recentOneBytes {
		return
	}
	key := recentKey{id, part, f.Version}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.parts[key]; known {
		return
	}
	r.parts[key], r.bytes = f, r.bytes+f.cost()
	r.order = append(r.order, key)
	for r.bytes > RecentMaxBytes || len(r.parts) > recentMaxParts {
		oldest := r.order[r.next]
		r.bytes -= r.parts[oldest].cost()
		delete(r.parts, oldest)
		r.next++
	}
	if r.next > len(r.order)/2 {
		r.order, r.next = append(r.order[:0:0], r.order[r.next:]...), 0
	}
}

// get is the part as the version wrote it, with its body; ok is false if that is not remembered.
func (r *Recent) get(id persistence.EntityID, part string, version uint64) (f Fact, ok bool) {
	if r == nil {
		return Fact{}, false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f, ok = r.parts[recentKey{id, part, version}]
	return f, ok
}
