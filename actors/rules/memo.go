package rules

import "sync"

// memoMaxBytes bounds the texts whose types a memo holds; what is compiled of a text grows with it.
const memoMaxBytes = 16 << 20

// Memo remembers what Decode said of a state, since a collection reads its type for every write. It is transparent: the
// same bytes have the same answer whether they are remembered or not, so that who uses it stays pure. It may be used by
// many goroutines at once. A nil Memo remembers nothing.
//
// What is remembered stands in two generations. A hit in the old one moves to the young one; when the young one is
// full, it becomes the old one, and what nobody has asked for since the last time is forgotten. So a hit writes nothing.
type Memo struct {
	halfMaxTypes int // of one generation
	halfMaxBytes int

	mu         sync.RWMutex
	young, old map[string]remembered
	youngBytes int
}

// remembered is an answer of Decode. The error of a state that cannot be read is one, too.
type remembered struct {
	key string // to move it without a copy
	t   *Type
	err error
}

// NewMemo makes a memo of at most maxTypes types, and of bounded bytes.
func NewMemo(maxTypes int) *Memo {
	return &Memo{halfMaxTypes: max(1, maxTypes/2), halfMaxBytes: memoMaxBytes / 2, young: map[string]remembered{}}
}

// Decode is Decode. The type is shared: nobody may write to it. A hit allocates nothing.
func (m *Memo) Decode(state []byte) (*Type, error) {
	if m == nil || len(state) == 0 {
		return Decode(state)
	}
	m.mu.RLock()
	r, young := m.young[string(state)]
	old := false
	if !young {
		r, old = m.old[string(state)]
	}
	m.mu.RUnlock()
	switch {
	case young:
		return r.t, r.err
	case !old: // two that miss at once both decode: their answers are the same
		r.key = string(state)
		r.t, r.err = Decode(state)
	}
	m.remember(r)
	return r.t, r.err
}

func (m *Memo) remember(r remembered) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, there := m.young[r.key]; there || len(r.key) > m.halfMaxBytes {
		return
	}
	if len(m.young) >= m.halfMaxTypes || m.youngBytes+len(r.key) > m.halfMaxBytes {
		m.old, m.young, m.youngBytes = m.young, map[string]remembered{}, 0
	}
	m.young[r.key] = r
	m.youngBytes += len(r.key)
}
