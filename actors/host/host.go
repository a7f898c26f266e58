// Package host runs live entities as actors. It is the only package that imports protoactor-go, and uses it for what it
// does well: spawning, mailboxes, one message at a time. What it does not do safely stands here: admission in front of
// the unbounded mailboxes, passivation by a sweep that cannot lose a message, answers by callback.
package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/cespare/xxhash/v2"

	"concord/actors"
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/script"
	"concord/persistence"
)

// Bounds of a host; each is a setting with this default.
type Bounds struct {
	EntityInFlightMax    int           // commands of one entity that wait for their answer
	PartitionInFlightMax int           // of one partition
	NodeInFlightMax      int           // of this node
	ActiveMax            int           // entities in memory; idle ones beyond it are passivated, oldest first
	IdleMax              time.Duration // an entity that was idle for so long is passivated
}

// DefaultBounds are the bounds that nobody has set otherwise.
var DefaultBounds = Bounds{
	EntityInFlightMax: 512, PartitionInFlightMax: 2048, NodeInFlightMax: 4096, ActiveMax: 100_000, IdleMax: 10 * time.Minute,
}

// overloadRetryAfter is the hint that goes with a refusal for load: about what a full node takes to work off its line.
const overloadRetryAfter = 100 * time.Millisecond

// Observer is told what the host does. All fields must be set.
type Observer struct {
	Activated  func(took time.Duration, err error)
	Passivated func()
	Refused    func(bound string) // "entity", "partition", "node"
	// Broken is told of a panic outside of a decision. What the entity has submitted is then unknown to its next life, so
	// that the process must end.
	Broken func(error)
}

// Store is what the host needs of the store beyond the shells' part.
type Store interface {
	entity.Store
	persistence.TimerReader
	Partitions() int
	Writable() error
}

// Host owns the live entities of this node.
type Host struct {
	kinds     map[persistence.Kind]actors.Kind
	world     *entity.World
	store     Store
	committer *persistence.Committer
	clock     Clock
	bounds    Bounds
	observer  Observer

	system     *actor.ActorSystem
	workers    workers
	props      *actor.Props
	shards     [shardCount]shard
	active     atomic.Int64
	inFlight   atomic.Int64
	merging    atomic.Int64   // commands that were set aside for a script
	partitions []atomic.Int32 // in flight
	closed     atomic.Bool
	timers     *timers
}

const shardCount = 256

type shard struct {
	mu    sync.RWMutex
	slots map[persistence.EntityID]*slot
}

// slot is a live entity's place in the table.
type slot struct {
	pid      *actor.PID
	inFlight atomic.Int32
	busy     atomic.Int32 // decisions under way, and what they did by themselves and is not durable
	used     atomic.Int64 // nanoseconds of the clock
	stays    atomic.Bool  // somebody wanted it who may want it again: not only jobs in passing
	live     atomic.Pointer[entity.Live]
}

// delivery is a command in a mailbox, or what an entity goes on with after a script.
type delivery struct {
	slot *slot
	env  *entity.Envelope
	then func()
}

// New makes a host; nothing runs before Run. It takes the alarms and the jobs of the world's shells.
func New(kinds map[persistence.Kind]actors.Kind, w *entity.World, store Store, c *persistence.Committer, clock Clock,
	b Bounds, o Observer, log *slog.Logger,
) *Host {
	h := &Host{kinds: kinds, world: w, store: store, committer: c, clock: clock, bounds: b, observer: o,
		partitions: make([]atomic.Int32, store.Partitions())}
	for i := range h.shards {
		h.shards[i].slots = make(map[persistence.EntityID]*slot)
	}
	h.system = actor.NewActorSystem(actor.WithLoggerFactory(func(*actor.ActorSystem) *slog.Logger { return log }))
	h.props = actor.PropsFromProducer(func() actor.Actor { return &resident{host: h} },
		actor.WithMailbox(actor.UnboundedLockfree()), actor.WithDispatcher(&h.workers))
	h.timers = newTimers(h)
	w.Alarm, w.Work, w.Born = h.Alarm, h.work, h.bear
	return h
}

// resident is the actor that holds an entity. protoactor-go sees to it that it handles one message at a time.
type resident struct {
	host *Host
	live entity.Live
}

// Receive handles one message.
func (r *resident) Receive(ctx actor.Context) {
	d, ok := ctx.Message().(*delivery)
	if !ok {
		return // the runtime's own messages
	}
	defer func() {
		if cause := recover(); cause != nil {
			r.host.observer.Broken(fmt.Errorf("panic outside of a decision: %v", cause))
			panic(cause)
		}
	}()
	if r.live == nil && !r.load(d) {
		return
	}
	// The answer may be out before the decision has returned: the entity must not be passivated in between.
	d.slot.busy.Add(1)
	if d.then != nil {
		d.then()
	} else if timer, ok := d.env.Command.(due); ok {
		r.live.Fire(timer.name, timer.at, d.env.Reply)
	} else {
		r.live.Handle(d.env)
	}
	rest := func() { d.slot.busy.Add(-1) }
	if woke := r.live.Woke(); woke > r.host.committer.Durable() {
		r.host.committer.After(woke, rest)
		return
	}
	rest()
}

// load makes the entity live for its first command; false: it cannot be read, and the command is refused.
func (r *resident) load(d *delivery) bool {
	start := time.Now()
	live, err := r.host.activate(d.env.Entity)
	r.host.observer.Activated(time.Since(start), err)
	if err != nil {
		r.host.world.Failed(d.env.Entity, d.env.Meta.RequestID, err)
		d.env.Reply(entity.Answer{}, problem.New(problem.Unavailable, "the entity cannot be read at the moment"))
		return false
	}
	r.live = live
	d.slot.live.Store(&live)
	return true
}

// work runs a job of a live entity, and then lets the entity go on: its actor takes that like a command. Until then it is
// busy, and not passivated.
func (h *Host) work(id persistence.EntityID, job *script.Job, then func(script.Outcome)) {
	sh := h.shard(id)
	sh.mu.RLock()
	s := sh.slots[id]
	sh.mu.RUnlock()
	s.busy.Add(1)
	h.merging.Add(1)
	done := func(o script.Outcome) {
		h.system.Root.Send(s.pid, &delivery{slot: s, then: func() {
			then(o)
			s.busy.Add(-1)
			h.merging.Add(-1)
		}})
	}
	if h.world.Scripts == nil {
		done(script.Outcome{Failure: &script.Failure{Reason: script.Off}})
		return
	}
	h.world.Scripts.Run(*job, done)
}

// bear makes the records of an entity that begins in the batch of another one.
func (h *Host) bear(b entity.Birth, m entity.Meta) (*persistence.Entry, error) {
	kind, ok := h.kinds[b.Entity.Kind]
	if !ok || kind.Born == nil {
		return nil, fmt.Errorf("begin %v: not of a kind that is born", b.Entity)
	}
	return kind.Born(b, m)
}

func (h *Host) shard(id persistence.EntityID) *shard {
	return &h.shards[xxhash.Sum64String(id.ID)%shardCount]
}

func (h *Host) activate(id persistence.EntityID) (live entity.Live, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = fmt.Errorf("activate %v: panic: %v", id, cause)
		}
	}()
	kind, ok := h.kinds[id.Kind]
	if !ok {
		return nil, fmt.Errorf("activate %v: unknown kind", id)
	}
	return kind.Activate(id, h.world)
}

// Deliver passes a command to its entity, which is activated if need be. It does not wait. The reply comes when all
// that it depends on is durable; a command that is refused for load is answered at once and has changed nothing.
func (h *Host) Deliver(env *entity.Envelope) {
	_, timer := env.Command.(due)
	err := h.store.Writable()
	if (timer || env.Vital) && errors.Is(err, persistence.ErrLowSpace) {
		err = nil // what a timer does may make room, and nobody shall lose a lock because he cannot renew it
	}
	if err != nil {
		env.Reply(entity.Answer{}, fmt.Errorf("%w (%w)", problem.New(problem.Unavailable, "writes are refused: %v", err), err))
		return
	}
	reply := env.Reply
	partition := &h.partitions[persistence.PartitionOf(env.Entity, len(h.partitions))]
	if refused := h.admit(partition); refused != "" {
		h.refuse(refused, reply)
		return
	}
	s := h.enter(env.Entity, env.Passing)
	if s == nil {
		h.leave(partition)
		h.refuse("entity", reply)
		return
	}
	env.Reply = func(a entity.Answer, err error) {
		s.inFlight.Add(-1)
		h.leave(partition)
		reply(a, err)
	}
	h.system.Root.Send(s.pid, &delivery{slot: s, env: env})
}

func (h *Host) admit(partition *atomic.Int32) (refused string) {
	if h.closed.Load() {
		return "closed"
	}
	if h.inFlight.Add(1) > int64(h.bounds.NodeInFlightMax) {
		h.inFlight.Add(-1)
		return "node"
	}
	if partition.Add(1) > int32(h.bounds.PartitionInFlightMax) {
		h.leave(partition)
		return "partition"
	}
	return ""
}

func (h *Host) leave(partition *atomic.Int32) {
	partition.Add(-1)
	h.inFlight.Add(-1)
}

func (h *Host) refuse(bound string, reply func(entity.Answer, error)) {
	if bound == "closed" {
		reply(entity.Answer{}, problem.New(problem.Unavailable, "the service is stopping"))
		return
	}
	h.observer.Refused(bound)
	p := problem.New(problem.Overloaded, "too many requests are in flight for this %s", bound)
	p.RetryAfter = overloadRetryAfter
	reply(entity.Answer{}, p)
}

// enter counts a command in at its entity, so that a sweep leaves the entity alone; nil: the entity has too many.
func (h *Host) enter(id persistence.EntityID, passing bool) *slot {
	sh := h.shard(id)
	sh.mu.RLock()
	s := sh.slots[id]
	if s != nil {
		defer sh.mu.RUnlock()
		return h.count(s, passing)
	}
	sh.mu.RUnlock()
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if s = sh.slots[id]; s == nil {
		s = &slot{pid: h.system.Root.Spawn(h.props)}
		sh.slots[id] = s
		h.active.Add(1)
	}
	return h.count(s, passing)
}

func (h *Host) count(s *slot, passing bool) *slot {
	if s.inFlight.Add(1) > int32(h.bounds.EntityInFlightMax) {
		s.inFlight.Add(-1)
		return nil
	}
	switch {
	case !passing:
		s.used.Store(h.clock.Now().UnixNano())
		s.stays.Store(true)
	case !s.stays.Load(): // what others use is not made to look as if they had used it just now
		s.used.Store(h.clock.Now().UnixNano())
	}
	return s
}

// Settled calls done once everything of the entity that a reader may have seen in the store is durable: at once for an
// entity at rest. Call it after reading, before answering.
func (h *Host) Settled(id persistence.EntityID, done func()) {
	if h.committer.Idle() {
		done() // nor is anything else under way: the entity need not be looked for
		return
	}
	if h.kinds[id.Kind].Born != nil {
		h.SettledAll(done) // it may have begun with another one: its own submissions do not tell
		return
	}
	sh := h.shard(id)
	sh.mu.RLock()
	s := sh.slots[id]
	sh.mu.RUnlock()
	if s == nil {
		done() // it was passivated, so all of it is durable
		return
	}
	live := s.live.Load()
	if live == nil {
		done() // not loaded yet, so nothing was submitted
		return
	}
	lsn, known := (*live).LSN()
	if !known {
		lsn = h.committer.Last()
	}
	h.committer.After(lsn, done)
}

// SettledAll is Settled for a reader of many entities.
func (h *Host) SettledAll(done func()) { h.committer.After(h.committer.Last(), done) }

// Decided calls done once every decision that is under way is over, and what it submits is on its way to the disk
// (SettledAll). So whoever calls after a change of what decisions read knows that all from then on see it.
func (h *Host) Decided(done func()) {
	var left atomic.Int64
	left.Store(1)
	over := func() {
		if left.Add(-1) == 0 {
			done()
		}
	}
	for i := range h.shards {
		for _, s := range h.shards[i].deciding() {
			left.Add(1)
			h.system.Root.Send(s.pid, &delivery{slot: s, then: func() {
				s.busy.Add(-1)
				over()
			}})
		}
	}
	over()
}

// deciding are the entities of the shard that may be in the middle of a decision. They are kept in memory: each is to be
// told that it need not be any more.
func (sh *shard) deciding() (slots []*slot) {
	sh.mu.RLock()
	defer sh.mu.RUnlock()
	for _, s := range sh.slots {
		if s.busy.Load() > 0 {
			s.busy.Add(1) // a sweep needs the lock: it does not come in between
			slots = append(slots, s)
		}
	}
	return slots
}

// Active is the number of entities in memory.
func (h *Host) Active() int64 { return h.active.Load() }

// InFlight is the number of commands that wait for their answer.
func (h *Host) InFlight() int64 { return h.inFlight.Load() }

// Close refuses commands from now on.
func (h *Host) Close() { h.closed.Store(true) }

// drainPoll is how often Drain looks.
const drainPoll = 2 * time.Millisecond

// Drain waits until every command is answered.
func (h *Host) Drain(ctx context.Context) error {
	for h.inFlight.Load() > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("drain %d commands: %w", h.inFlight.Load(), context.Cause(ctx))
		case <-time.After(drainPoll):
		}
	}
	return nil
}

// Merged waits until no command waits for a script, and all that was submitted is durable.
func (h *Host) Merged(ctx context.Context) error {
	for h.merging.Load() > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %d scripts: %w", h.merging.Load(), context.Cause(ctx))
		case <-time.After(drainPoll):
		}
	}
	durable := make(chan struct{})
	h.SettledAll(func() { close(durable) })
	select {
	case <-ctx.Done():
		return fmt.Errorf("wait for the commit: %w", context.Cause(ctx))
	case <-durable:
		return nil
	}
}

// Run passivates idle entities and fires timers until the context ends.
func (h *Host) Run(ctx context.Context) error {
	defer h.workers.close()
	defer h.system.Shutdown()
	var sweeper sync.WaitGroup
	sweeper.Go(func() { h.sweepUntil(ctx) })
	defer sweeper.Wait()
	return h.timers.run(ctx)
}
