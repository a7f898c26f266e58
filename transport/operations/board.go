package operations

import (
	"cmp"
	"fmt"
	"slices"
	"sync"

	"concord/actors/collection"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport/api"
)

// Board knows which collections are not free, who holds them and what waits there: what lock.list and the prompts are
// made of. It follows the log, and is read from the index of timers at the start; renewals are not on it. It grows with
// the locks, not with the collections. It is safe for concurrent use.
type Board struct {
	mu        sync.Mutex
	locks     map[persistence.EntityID]lock.State
	order     map[string]*idSet                        // of the locks, by provider
	contested map[string]map[persistence.EntityID]bool // locks, by the principal that holds them
	parked    map[string]uint64                        // bytes, by provider
	tally     Tally
	meter     *LockMeter                        // nil: nobody counts
	watchers  map[string]map[chan struct{}]bool // by principal
	streams   int
}

// NewBoard makes an empty board.
func NewBoard() *Board {
	return &Board{locks: make(map[persistence.EntityID]lock.State), order: make(map[string]*idSet),
		contested: make(map[string]map[persistence.EntityID]bool), parked: make(map[string]uint64),
		watchers: make(map[string]map[chan struct{}]bool)}
}

// Load reads what is not free: each such collection has a timer.
func (b *Board) Load(s persistence.Store) error {
	for p := range s.Partitions() {
		for timer, err := range s.Timers(persistence.Partition(p)) {
			if err != nil {
				return fmt.Errorf("look for locks in partition %d: %w", p, err)
			}
			if timer.Entity.Kind != persistence.KindCollection {
				continue
			}
			head, err := s.Head(timer.Entity)
			if err != nil {
				return fmt.Errorf("look for the lock of %v: %w", timer.Entity, err)
			}
			if err := b.set(timer.Entity, head, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// Committed is the committer's observer.
func (b *Board) Committed(group []*persistence.Entry) {
	for _, e := range group {
		if e.Entity.Kind != persistence.KindCollection {
			continue
		}
		if err := b.follow(e); err != nil {
			panic(fmt.Sprintf("operations: what was just made of %v cannot be read: %v", e.Entity, err))
		}
	}
}

// follow looks at an entry that has an event of the lock.
func (b *Board) follow(e *persistence.Entry) error {
	var news []happening
	for i := range e.Records {
		rec := e.Records[i].Record
		event, err := collection.LockEventOf(rec)
		if err != nil {
			return err
		}
		if event != nil {
			news = append(news, happening{event, persistence.TimeOf(rec.GetTime())})
		}
	}
	if len(news) == 0 {
		return nil
	}
	head, err := persistence.ParseHead(e.Records[len(e.Records)-1].Beside.Head)
	if err != nil {
		return err
	}
	return b.set(e.Entity, head, news)
}

// set puts the lock of the collection on the board, as it is after the news.
func (b *Board) set(id persistence.EntityID, head persistence.Head, news []happening) error {
	state, err := collection.Behavior{}.DecodeState(head.State)
	if err != nil {
		return fmt.Errorf("lock of %v: %w", id, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	before, after := b.locks[id], state.Lock
	b.tally.add(before, -1)
	b.tally.add(after, 1)
	if b.meter != nil {
		b.meter.count(before, news)
	}
	_, was := lock.Waiting(before)
	_, is := lock.Waiting(after)
	if b.parked[id.Provider] += is - was; b.parked[id.Provider] == 0 {
		delete(b.parked, id.Provider)
	}
	b.contest(id, before, after)
	b.put(id, after)
	return nil
}

// contest notes whose locks are contested, and wakes those who look.
func (b *Board) contest(id persistence.EntityID, before, after lock.State) {
	was, _ := lock.HolderOf(before)
	is, _ := lock.HolderOf(after)
	if lock.IsContested(before) {
		if delete(b.contested[was.Principal], id); len(b.contested[was.Principal]) == 0 {
			delete(b.contested, was.Principal)
		}
	}
	if lock.IsContested(after) {
		if b.contested[is.Principal] == nil {
			b.contested[is.Principal] = make(map[persistence.EntityID]bool)
		}
		b.contested[is.Principal][id] = true
	}
	b.wake(was.Principal)
	if is.Principal != was.Principal {
		b.wake(is.Principal)
	}
}

// put puts the lock in its place, or takes it away if there is none any more.
func (b *Board) put(id persistence.EntityID, s lock.State) {
	_, known := b.locks[id]
	order := b.order[id.Provider]
	switch {
	case !lock.Idle(s):
		b.locks[id] = s
		if order == nil {
			order = new(idSet)
			b.order[id.Provider] = order
		}
		order.add(id.ID)
	case known:
		delete(b.locks, id)
		if order.remove(id.ID); order.empty() {
			delete(b.order, id.Provider)
		}
	}
}

func (b *Board) wake(principal string) {
	for c := range b.watchers[principal] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// Tally is how many locks there are, and how much waits for them.
func (b *Board) Tally() Tally {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tally
}

// Count is told of all that happens from now on. It is called before anything does.
func (b *Board) Count(m *LockMeter) { b.meter = m }

// Room refuses an update that would wait, if so much does already that it has no place below the limit.
func (b *Board) Room(provider string, bytes, limit int) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.parked[provider]+uint64(bytes) > uint64(limit) {
		return problem.New(problem.QueueFull, "the updates of this provider that wait for a lock fill %d bytes already",
			b.parked[provider]).With("limit", limit)
	}
	return nil
}

// Locked are the collections of the provider that are not free, in order of their ids, those after one only.
func (b *Board) Locked(provider, after string, most int) (ids []persistence.EntityID) {
	b.mu.Lock() // the committer waits for it
	defer b.mu.Unlock()
	order := b.order[provider]
	if order == nil {
		return nil
	}
	page := order.after(after, most)
	ids = make([]persistence.EntityID, len(page))
	for i, id := range page {
		ids[i] = persistence.EntityID{Kind: persistence.KindCollection, Provider: provider, ID: id}
	}
	return ids
}

// promptsMax is how many prompts one answer names, the oldest.
const promptsMax = 1000

// Prompts are the open contests of the locks that the principal holds, the oldest first.
func (b *Board) Prompts(principal string) []api.Prompt {
	b.mu.Lock()
	defer b.mu.Unlock()
	prompts := []api.Prompt{}
	for id := range b.contested[principal] {
		c := lock.ContestOf(b.locks[id])
		holder, _ := lock.HolderOf(b.locks[id])
		prompts = append(prompts, api.Prompt{Provider: id.Provider, ID: id.ID, Session: holder.Session, Contest: *c})
	}
	slices.SortFunc(prompts, func(p, q api.Prompt) int {
		return cmp.Or(p.Contest.OpenedAt.Compare(q.Contest.OpenedAt), cmp.Compare(p.Provider, q.Provider), cmp.Compare(p.ID, q.ID))
	})
	return prompts[:min(len(prompts), promptsMax)]
}

// Watch returns a channel that gets a value when the locks of the principal may have changed; call leave at the end.
func (b *Board) Watch(principal string) (woken <-chan struct{}, leave func(), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.streams >= watchersMax {
		return nil, nil, problem.New(problem.Overloaded, "%d streams are open", watchersMax)
	}
	b.streams++
	c := make(chan struct{}, 1)
	if b.watchers[principal] == nil {
		b.watchers[principal] = make(map[chan struct{}]bool)
	}
	b.watchers[principal][c] = true
	return c, func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.streams--
		if delete(b.watchers[principal], c); len(b.watchers[principal]) == 0 {
			delete(b.watchers, principal)
		}
	}, nil
}
