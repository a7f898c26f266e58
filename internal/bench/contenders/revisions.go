package contenders

import "sync"

const revisionShards = 64

// revision is what a writer must know of a key to write its next version: the number that the store
// compares, and how many versions there are.
type revision struct{ number, version int64 }

// revisions remembers the newest known revision of each key, shared by all clients of a store with
// optimistic writes. This favours such a store: a real client would first have to read. The zero value
// knows none. It is safe for concurrent use; it holds one entry for each key in use.
type revisions struct{ shards [revisionShards]revisionShard }

type revisionShard struct {
	mu    sync.Mutex
	known map[int]revision
}

// of returns what is known of key; zero, which is right for a key that does not exist.
func (r *revisions) of(key int) revision {
	s := &r.shards[key%revisionShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[key]
}

// learn keeps what was found out of key, unless a newer one is known.
func (r *revisions) learn(key int, found revision) {
	s := &r.shards[key%revisionShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[int]revision{}
	}
	if found.number > s.known[key].number {
		s.known[key] = found
	}
}
