package pebblestore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/actors/provider"
	"concord/actors/upload"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

// ack is one thing that a caller was told: all of it must be true of the store after any crash that comes later.
type ack struct {
	entity    persistence.EntityID
	version   uint64            // named by the answer
	parts     map[string][]byte // written at that version; nil: removed
	key       string            // remembered
	digest    []byte
	principal string
	time      time.Time
	number    uint64 // of a provider's counter
	size      uint64 // of an upload
	pinned    uint64 // version before, which is pinned
}

// acks are what was told, in order.
type acks struct {
	mu   sync.Mutex
	list []ack
	news chan struct{} // has a value when something was told since it was last looked at
}

func (a *acks) add(one ack) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, one)
	select {
	case a.news <- struct{}{}:
	default:
	}
}

func (a *acks) so() []ack {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.list[:len(a.list):len(a.list)]
}

// service is a store with a committer, and clients that send commands without waiting for each answer.
type service struct {
	store     *pebblestore.Store
	committer *persistence.Committer
	world     *entity.World
	told      acks
	run       sync.WaitGroup
	err       error // of the committer, once run is done
}

func newService(t tester, s *pebblestore.Store) *service {
	v := &service{told: acks{news: make(chan struct{}, 1)}, store: s, committer: persistence.NewCommitter(s, persistence.CommitMetrics{})}
	v.world = &entity.World{Store: s, Committer: v.committer, Now: func() time.Time { return worldStart }, Alarm: func(persistence.EntityID, time.Time) {},
		Panicked: func(id persistence.EntityID, _ string, cause any, stack []byte) {
			t.Errorf("%v: %v\n%s", id, cause, stack)
		},
		Failed: func(id persistence.EntityID, _ string, err error) {
			if s.Health() == nil {
				t.Errorf("%v: %v", id, err)
			}
		}}
	v.run.Go(func() { v.err = v.committer.Run(context.Background()) })
	return v
}

// stop waits until everything is answered.
func (v *service) stop() error {
	v.committer.Close()
	v.run.Wait()
	return v.err
}

// inFlightMax bounds what one client sends without having the answer.
const inFlightMax = 3

// client is the mailbox of a few entities, and those who write to them.
type client struct {
	*service
	t      tester
	choose seeded
	n      int // its number
	live   map[persistence.EntityID]entity.Live
	slots  chan struct{}
	keys   int
	ended  <-chan struct{} // nothing is answered any more

	mu       sync.Mutex
	answered []answeredKey
}

// answeredKey is a command with a key that has its answer.
type answeredKey struct {
	id      persistence.EntityID
	command any
	meta    entity.Meta
	answer  entity.Answer
}

func (v *service) client(t tester, n int, seed uint64, ended <-chan struct{}) *client {
	return &client{service: v, t: t, choose: newSeeded(seed), n: n, live: make(map[persistence.EntityID]entity.Live),
		slots: make(chan struct{}, inFlightMax), ended: ended}
}

// send sends a number of commands, and returns when all are answered, or nothing is answered any more.
func (c *client) send(commands int) {
	for range commands {
		select {
		case c.slots <- struct{}{}:
		case <-c.ended:
			return
		}
		c.one()
	}
	for range inFlightMax {
		select {
		case c.slots <- struct{}{}:
		case <-c.ended:
			return
		}
	}
}

func (c *client) one() {
	switch what := c.choose.n("what", 20); {
	case what == 0:
		c.issue()
	case what <= 2:
		c.upload()
	case what <= 5:
		c.read()
	case what == 6:
		c.reject()
	case what == 7:
		c.same()
	case what <= 9:
		c.repeat()
	case what <= 11:
		c.lock()
	case what <= 13:
		c.pin()
	default:
		c.write()
	}
}

func (c *client) id(kind persistence.Kind) persistence.EntityID {
	return persistence.EntityID{Kind: kind, Provider: "lib", ID: fmt.Sprintf("%d-%d", c.n, c.choose.n("entity", 2))}
}

// handle sends a command; told is what a success tells.
func (c *client) handle(id persistence.EntityID, command any, m entity.Meta, told func(entity.Answer) ack) {
	live, ok := c.live[id]
	if !ok {
		var err error
		if live, err = kinds[id.Kind].Activate(id, c.world); err != nil {
			c.t.Errorf("activate %v: %v", id, err)
			<-c.slots
			return
		}
		c.live[id] = live
	}
	m.Principal = "ann"
	live.Handle(&entity.Envelope{Entity: id, Command: command, Meta: m, Reply: func(a entity.Answer, err error) {
		defer func() { <-c.slots }()
		if err != nil {
			c.refused(id, err)
			return
		}
		one := told(a)
		one.entity, one.version = id, a.Version
		if m.Key != "" {
			one.key, one.digest, one.principal, one.time = m.Key, m.KeyDigest, m.Principal, worldStart
			c.mu.Lock()
			c.answered = append(c.answered, answeredKey{id, command, m, a})
			c.mu.Unlock()
		}
		c.told.add(one)
	}})
}

// refused notes the version that a refusal names.
func (c *client) refused(id persistence.EntityID, err error) {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok {
		if c.store.Health() == nil {
			c.t.Errorf("%v: %v", id, err)
		}
		return
	}
	for _, m := range p.Members {
		if version, ok := m.Value.(uint64); ok && m.Name == "currentVersion" {
			c.told.add(ack{entity: id, version: version})
		}
	}
}

func (c *client) meta() entity.Meta {
	if c.choose.n("keyed", 3) > 0 {
		return entity.Meta{}
	}
	c.keys++
	digest := sha256.Sum256(fmt.Append(nil, c.keys))
	return entity.Meta{Key: fmt.Sprintf("key-%d", c.keys), KeyDigest: digest[:]}
}

func (c *client) write() {
	w := &collection.Write{Create: true}
	written := make(map[string][]byte)
	for range 1 + c.choose.n("changes", 3) {
		part := fmt.Sprintf("d%d", c.choose.n("part", 6))
		if _, ok := written[part]; ok {
			continue
		}
		size := 40 + c.choose.n("size", 500)
		if c.choose.n("large", 12) == 0 {
			size = 33 << 10
		}
		body := document(c.choose.n("value", 1000), size)
		if c.choose.n("remove", 8) == 0 {
			w.Changes = append(w.Changes, collection.Change{Op: collection.OpRemoveIfThere, Part: part, Path: "/"})
			body = nil
		} else {
			w.Changes = append(w.Changes, put(part, body))
		}
		written[part] = body
	}
	c.handle(c.id(persistence.KindCollection), w, c.meta(), func(entity.Answer) ack { return ack{parts: written} })
}

// same changes nothing, and remembers that under a key.
func (c *client) same() {
	w := &collection.Write{Create: true, Changes: []collection.Change{
		{Op: collection.OpRemoveIfThere, Part: "never", Path: "/"}}}
	c.handle(c.id(persistence.KindCollection), w, c.meta(), func(entity.Answer) ack { return ack{} })
}

// lock takes the lock of a collection and breaks it at once: events that make no version.
func (c *client) lock() {
	id := c.id(persistence.KindCollection)
	c.handle(id, &collection.Locking{Command: lock.Acquire{}}, c.meta(), func(entity.Answer) ack { return ack{} })
	select {
	case c.slots <- struct{}{}:
	case <-c.ended:
		return
	}
	c.handle(id, &collection.Locking{Command: lock.Break{Reason: "tidy"}}, c.meta(), func(entity.Answer) ack { return ack{} })
}

// holderGone is a holder of pins that needs them no more.
const holderGone = "gone"

func released(_ persistence.EntityID, holder string) (bool, error) { return holder == holderGone, nil }

// pin makes a version that pins the one before: for somebody who will not need it, or only sometimes for one who will, so that
// there is something to be trimmed.
func (c *client) pin() {
	e := &mixedEvent{Content: true, Part: "p", Value: c.choose.n("value", 1000), Holder: holderGone, Until: worldStart.Add(time.Hour)}
	if c.choose.n("holder", 12) == 0 {
		e.Holder = "task"
	}
	id := c.id(kindMixed)
	c.handle(id, e, c.meta(), func(a entity.Answer) ack {
		if e.Holder == holderGone {
			return ack{}
		}
		return ack{pinned: a.Version - 1}
	})
}

// repeat sends a command with its key again. It has the same answer, and no effect.
func (c *client) repeat() {
	c.mu.Lock()
	if len(c.answered) == 0 {
		c.mu.Unlock()
		<-c.slots
		return
	}
	first := c.answered[c.choose.n("repeated", len(c.answered))]
	c.mu.Unlock()
	c.handle(first.id, first.command, first.meta, func(a entity.Answer) ack {
		if a.Status != first.answer.Status || a.Version != first.answer.Version || !bytes.Equal(a.Body, first.answer.Body) {
			c.t.Errorf("%v, key %s: answered %d %s, then %d %s", first.id, first.meta.Key,
				first.answer.Status, first.answer.Body, a.Status, a.Body)
		}
		return ack{}
	})
}

// reject is refused, with the newest version in the refusal.
func (c *client) reject() {
	w := &collection.Write{Create: true, Preconditions: collection.Preconditions{IfMatch: []uint64{1 << 40}},
		Changes: []collection.Change{put("d0", document(1, 40))}}
	c.handle(c.id(persistence.KindCollection), w, entity.Meta{}, func(entity.Answer) ack { return ack{} })
}

func (c *client) issue() {
	c.handle(c.id(persistence.KindProvider), &provider.Next{Counter: "task"}, c.meta(), func(a entity.Answer) ack {
		var r provider.Result
		if err := json.Unmarshal(a.Body, &r); err != nil {
			c.t.Errorf("answer of a provider: %v", err)
		}
		return ack{number: r.Number}
	})
}

func (c *client) upload() {
	id := c.id(persistence.KindUpload)
	sized := func(a entity.Answer) ack {
		var r upload.Result
		if err := json.Unmarshal(a.Body, &r); err != nil {
			c.t.Errorf("answer of an upload: %v", err)
		}
		return ack{size: r.Size}
	}
	if c.choose.n("open", 2) == 0 {
		c.handle(id, &upload.Open{}, c.meta(), sized)
		return
	}
	offset := uint64(100 * c.choose.n("offset", 4))
	c.handle(id, &upload.Append{Offset: offset, Chunk: bytes.Repeat([]byte{byte(offset)}, 100)}, c.meta(), sized)
}

// read is what every door does: look, then wait until what was seen is durable, then answer.
func (c *client) read() {
	id := c.id(persistence.KindCollection)
	head, err := c.store.Head(id)
	if err != nil {
		<-c.slots
		return
	}
	done := func() {
		c.told.add(ack{entity: id, version: head.Version})
		<-c.slots
	}
	live, ok := c.live[id]
	if !ok {
		done()
		return
	}
	lsn, known := live.LSN()
	if !known {
		lsn = c.committer.Last()
	}
	c.committer.After(lsn, done)
}

// kept demands that a store has what was told.
func kept(t tester, s *pebblestore.Store, told []ack) {
	t.Helper()
	for i := range told {
		if err := told[i].check(s); err != nil {
			t.Fatalf("answer %d of %d, on %v: %v", i, len(told), told[i].entity, err)
		}
	}
}

func (a *ack) check(s *pebblestore.Store) error {
	head, err := s.Head(a.entity)
	switch {
	case err != nil && (a.version > 0 || a.size > 0 || a.number > 0):
		return fmt.Errorf("head: %w", err)
	case head.Version < a.version:
		return fmt.Errorf("it said version %d, and the newest is %d", a.version, head.Version)
	}
	if oldest, _ := s.EdgeOf(a.entity); a.version >= oldest {
		if err := a.checkParts(s); err != nil {
			return err
		}
	}
	if a.key != "" {
		o, err := s.Outcome(a.entity, a.principal, a.key, a.time.Add(-pebblestore.OutcomeMemory))
		if err != nil || !bytes.Equal(o.GetDigest(), a.digest) {
			return fmt.Errorf("outcome of key %s: %v, %w", a.key, o, err)
		}
	}
	if a.pinned > 0 {
		oldest, _ := s.EdgeOf(a.entity)
		pins := s.PinsOf(a.entity)
		if i := slices.IndexFunc(pins, func(p persistence.Pin) bool { return p.Version == a.pinned }); i < 0 || oldest > a.pinned {
			return fmt.Errorf("version %d was pinned: the oldest is %d, pins are %v", a.pinned, oldest, pins)
		}
	}
	return a.checkState(head)
}

func (a *ack) checkParts(s *pebblestore.Store) error {
	for id, body := range a.parts {
		p, err := s.PartAt(a.entity, id, a.version)
		if body == nil {
			if !errors.Is(err, persistence.ErrNotFound) {
				return fmt.Errorf("part %q was removed at version %d: %+v, %w", id, a.version, p, err)
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("part %q at version %d: %w", id, a.version, err)
		}
		stored, err := s.Body(a.entity, p.Place)
		if err != nil || !bytes.Equal(stored, body) {
			return fmt.Errorf("body of part %q at version %d: %d bytes, not %d: %w", id, a.version, len(stored), len(body), err)
		}
	}
	return nil
}

func (a *ack) checkState(head persistence.Head) error {
	switch a.entity.Kind {
	case persistence.KindProvider:
		state, err := provider.Behavior{}.DecodeState(head.State)
		if err != nil || state.Counters["task"] < a.number {
			return fmt.Errorf("it gave number %d, and the newest is %v: %w", a.number, state.Counters, err)
		}
	case persistence.KindUpload:
		state, err := upload.Behavior{}.DecodeState(head.State)
		if err != nil || state.Size < a.size {
			return fmt.Errorf("it had %d bytes, and has %d: %w", a.size, state.Size, err)
		}
	}
	return nil
}
