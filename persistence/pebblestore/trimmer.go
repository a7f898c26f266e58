package pebblestore

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"concord/persistence"
)

// Bounds of a Trimmer.
const (
	trimmerQueueMaxEntities = 4096
	trimmerLooksMaxEntities = trimmerQueueMaxEntities / 2 // of the queue, up to which Look adds to it: groups find the rest
	trimmerEveryVersions    = 16                          // or events: how often a growing entity is looked at, if its policy does not count versions
	trimmerSurplusShare     = 4                           // a history may grow beyond its policy by this share of it before it is trimmed
	trimmerForgetEvery      = time.Hour
	trimmerSweepEvery       = 24 * time.Hour
	trimmerSweepMaxEntities = 1024 // read at once
)

// trimmerCursor is where the time of the last sweep is kept.
const trimmerCursor = "retention-sweep"

// TrimmerOptions of background retention. Policy, Fold, Now and Failed must be set.
type TrimmerOptions struct {
	Policy func(persistence.EntityID) Policy
	Fold   persistence.Fold
	Now    func() time.Time                                   // of the domain
	Needs  func(persistence.EntityID, []byte) (uint64, error) // see TrimOptions
	Read   func(persistence.Partition) persistence.Position
	// Released is that of TrimOptions.
	Released func(e persistence.EntityID, holder string) (bool, error)
	// OutcomesMaxBytes bounds the index of remembered outcomes. 0: no bound.
	OutcomesMaxBytes uint64

	Failed    func(persistence.EntityID, error)
	Trimmed   func(persistence.EntityID, Trimmed) // may be nil
	Forgotten func(Forgotten)                     // may be nil
	Dropped   func()                              // an entity that the queue has no place for; may be nil
}

// Trimmer applies retention in the background: to entities that groups have made longer than their policy allows, to all
// entities once a day, since time makes histories longer than their policy, too, and to the memory of outcomes. Pins whose time
// has passed it removes wherever they are, also where the policy keeps all.
type Trimmer struct {
	store *Store
	o     TrimmerOptions

	mu     sync.Mutex
	queue  []persistence.EntityID
	queued map[persistence.EntityID]struct{}
	missed bool // the queue was full: a sweep finds who was left out
	wake   chan struct{}
	room   chan struct{} // closed when there is a place again for those that wait in Look; nil: nobody does
}

// NewTrimmer makes a trimmer that works while Run runs.
func NewTrimmer(s *Store, o TrimmerOptions) *Trimmer {
	return &Trimmer{store: s, o: o, queued: make(map[persistence.EntityID]struct{}), wake: make(chan struct{}, 1)}
}

// Committed is the committer's observer. It does not block: an entity for which the queue has no place waits for the
// next sweep.
func (t *Trimmer) Committed(group []*persistence.Entry) {
	for _, e := range group {
		if t.grown(e) {
			t.enqueue(e.Entity)
		}
	}
}

// grown says that the entity has grown by enough since it was last looked at. It looks at the entry alone.
func (t *Trimmer) grown(e *persistence.Entry) bool {
	p := t.o.Policy(e.Entity)
	if p.KeepsAll() {
		return false
	}
	every := uint64(trimmerEveryVersions)
	if p.Versions > 0 {
		every = max(1, uint64(p.Versions)/trimmerSurplusShare)
	}
	for i := range e.Records {
		d := &e.Records[i].Beside
		if d.Content && d.Version%every == 0 || d.Seq > 0 && d.Seq%every == 0 {
			return true
		}
	}
	return false
}

func (t *Trimmer) enqueue(e persistence.EntityID) {
	t.mu.Lock()
	there := t.place(e, trimmerQueueMaxEntities)
	t.missed = t.missed || !there
	t.mu.Unlock()
	if !there && t.o.Dropped != nil {
		t.o.Dropped()
	}
}

// place puts the entity into the queue, once, unless that has as many.
func (t *Trimmer) place(e persistence.EntityID, most int) (there bool) {
	if _, there := t.queued[e]; there {
		return true
	}
	if len(t.queue) >= most {
		return false
	}
	t.queue = append(t.queue, e)
	t.queued[e] = struct{}{}
	select {
	case t.wake <- struct{}{}:
	default:
	}
	return true
}

// Look has the entity looked at soon, since something else than time and growth may have made its history longer than its policy:
// what held it was released. It waits while the queue is half full, so that groups find a place all the same. The error is that
// of the context.
func (t *Trimmer) Look(ctx context.Context, e persistence.EntityID) error {
	if t.o.Policy(e).KeepsAll() {
		return nil
	}
	for {
		t.mu.Lock()
		there := t.place(e, trimmerLooksMaxEntities)
		if !there && t.room == nil {
			t.room = make(chan struct{})
		}
		room := t.room
		t.mu.Unlock()
		if there {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("have %v looked at by retention: %w", e, context.Cause(ctx))
		case <-room:
		}
	}
}

// next takes the oldest entity out of the queue.
func (t *Trimmer) next() (e persistence.EntityID, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.queue) == 0 {
		return e, false
	}
	e = t.queue[0]
	t.queue = t.queue[1:]
	delete(t.queued, e)
	if t.room != nil && len(t.queue) < trimmerLooksMaxEntities {
		close(t.room)
		t.room = nil
	}
	return e, true
}

// Run trims until the context ends; it returns once nothing of it is at work. An error is one after which the store must
// not be used.
func (t *Trimmer) Run(ctx context.Context) error {
	forget := time.NewTicker(trimmerForgetEvery)
	defer forget.Stop()
	pins := time.NewTimer(0) // a sweep of them may be under way since before the start
	defer pins.Stop()
	if err := t.upkeep(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		if e, ok := t.next(); ok {
			t.trim(ctx, e)
			if err := t.store.Health(); err != nil {
				return fmt.Errorf("trimmer: %w", err)
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-t.wake:
		case <-forget.C:
			if err := t.upkeep(ctx); err != nil {
				return err
			}
			pins.Reset(0)
		case <-pins.C:
			begun := time.Now()
			more, err := t.store.stepPinSweep(t.o.Now())
			if err != nil {
				return fmt.Errorf("trimmer: %w", err)
			}
			if more {
				pins.Reset(max(pinsRestMin, pinsRestShare*time.Since(begun)))
			}
		}
	}
	return nil
}

func (t *Trimmer) trim(ctx context.Context, e persistence.EntityID) {
	done, err := t.store.Trim(ctx, e, t.o.Policy(e), TrimOptions{
		Fold: t.o.Fold, Now: t.o.Now(), Needs: t.o.Needs, Released: t.o.Released, Read: t.o.Read})
	if err != nil && ctx.Err() == nil {
		t.o.Failed(e, err)
	}
	if done.Records > 0 && t.o.Trimmed != nil {
		t.o.Trimmed(e, done)
	}
}

// upkeep does what time demands.
func (t *Trimmer) upkeep(ctx context.Context) error {
	now := t.o.Now()
	f, err := t.store.ForgetOutcomes(now, t.o.OutcomesMaxBytes)
	if err != nil {
		return fmt.Errorf("trimmer: %w", err)
	}
	if t.o.Forgotten != nil {
		t.o.Forgotten(f)
	}
	last, err := t.lastSweep()
	if err != nil {
		return fmt.Errorf("trimmer: %w", err)
	}
	t.mu.Lock()
	missed := t.missed
	t.missed = false
	t.mu.Unlock()
	if !missed && now.Sub(last) < trimmerSweepEvery {
		return nil
	}
	if err := t.Sweep(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	if err := t.store.beginPinSweep(); err != nil {
		return fmt.Errorf("trimmer: %w", err)
	}
	return t.store.SetCursor(trimmerCursor, binary.BigEndian.AppendUint64(nil, uint64(now.UnixMicro())))
}

func (t *Trimmer) lastSweep() (time.Time, error) {
	value, err := t.store.Cursor(trimmerCursor)
	if errors.Is(err, persistence.ErrNotFound) || err == nil && len(value) != 8 {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("read the time of the last sweep: %w", err)
	}
	return persistence.TimeOf(int64(binary.BigEndian.Uint64(value))), nil
}

// Sweep looks at every entity, and trims those whose history is longer than their policy.
func (t *Trimmer) Sweep(ctx context.Context) error {
	for p := range t.store.Partitions() {
		prefix := appendPrefix(nil, persistence.Partition(p), familyHead)
		for from := prefix; from != nil && ctx.Err() == nil; {
			entities, next, err := t.store.entitiesFrom(from, keyAfter(prefix))
			if err != nil {
				return fmt.Errorf("sweep partition %d: %w", p, err)
			}
			for _, e := range entities {
				if ctx.Err() == nil && !t.o.Policy(e).KeepsAll() {
					t.trim(ctx, e)
				}
			}
			if from = next; t.store.Health() != nil {
				return fmt.Errorf("sweep partition %d: %w", p, t.store.Health())
			}
		}
	}
	return nil
}

// entitiesFrom reads some entities, and where to go on; nil: that was the last.
func (r *reader) entitiesFrom(from, to []byte) (entities []persistence.EntityID, next []byte, err error) {
	err = r.walk(from, to, func(key, _ []byte) error {
		if len(entities) == trimmerSweepMaxEntities {
			next = bytes.Clone(key)
			return errEnough
		}
		e, _, err := parseEntity(key[3:])
		entities = append(entities, e)
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return entities, next, err
}
