package entity_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors"
	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/persistence/recordpb"
)

// toy is a kind of entity for the shell alone: it keeps a sum, and does what it is told.
type toy struct{}

type toyState struct{ Sum, Events uint64 }

// toyCommand adds each of the numbers by an event of its own; Do is done first.
type toyCommand struct {
	Add []uint64
	Do  func(toyState)
	No  *problem.Problem

	Births []entity.Birth
	Lacks  func(entity.Facts) []entity.Want // found out in the decision
}

type toyEvent struct{ Add uint64 }

// Numbers from apart on have a part each, and those from removes on take that of the number below away; all others share one.
const apart, removes = 1_000_000, 2_000_000

func (e toyEvent) part() (id string, removed bool) {
	switch {
	case e.Add >= removes:
		return fmt.Sprintf("p/%04d", e.Add-removes), true
	case e.Add >= apart:
		return fmt.Sprintf("p/%04d", e.Add-apart), false
	}
	return "n", false
}

const kindToy persistence.Kind = 99

func (toy) Kind() persistence.Kind { return kindToy }

func (toy) Wants(toyState, *toyCommand, entity.Facts) []entity.Want { return nil }

func (b toy) Decide(s toyState, c *toyCommand, f entity.Facts, m entity.Meta) (entity.Decision[toyEvent], error) {
	if c.Lacks != nil {
		if wants := c.Lacks(f); len(wants) > 0 {
			return entity.Decision[toyEvent]{Wants: wants}, nil
		}
	}
	d, err := entity.Only(b.decide(s, c, f, m))
	d.Births = c.Births
	return d, err
}

func (toy) decide(s toyState, c *toyCommand, _ entity.Facts, _ entity.Meta) ([]toyEvent, error) {
	if c.Do != nil {
		c.Do(s)
	}
	if c.No != nil {
		return nil, c.No
	}
	var events []toyEvent
	for _, n := range c.Add {
		events = append(events, toyEvent{n})
	}
	return events, nil
}

func (toy) Evolve(s toyState, e toyEvent, _ entity.Stamp) toyState {
	return toyState{s.Sum + e.Add, s.Events + 1}
}

func (toy) Answer(_, after toyState, _ *toyCommand, x entity.Case) entity.Answer {
	return entity.Answer{Status: 200, Version: x.At.Version, Body: fmt.Appendf(nil, "sum %d, changed %v", after.Sum, x.Changed)}
}

func (toy) Project(_ toyState, e toyEvent, _ entity.Stamp) entity.Projection {
	id, removed := e.part()
	return entity.Projection{Parts: []entity.PartInfo{{ID: id, Removed: removed}}}
}

func (toy) TimerFired(string, time.Time) *toyCommand { return &toyCommand{Add: []uint64{1000}} }

func (toy) EncodeState(s toyState) []byte { return mustJSON(s) }

func (toy) DecodeState(b []byte) (s toyState, err error) {
	if len(b) == 0 {
		return s, nil
	}
	return s, json.Unmarshal(b, &s)
}

func (toy) EncodeEvent(e toyEvent) entity.Encoded {
	body := mustJSON(e.Add)
	id, removed := e.part()
	part := entity.Content{ID: id, Size: len(body), Body: body}
	if removed {
		part = entity.Content{ID: id, Removed: true}
	}
	return entity.Encoded{Type: "toy.added", Payload: body, Content: true, Parts: []entity.Content{part}}
}

func (toy) DecodeEvent(enc entity.Encoded) (e toyEvent, err error) {
	return e, json.Unmarshal(enc.Payload, &e.Add)
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

var kinds = actors.Kinds(actors.DefaultLimits, [32]byte{})

func activate(id persistence.EntityID, w *entity.World) (entity.Live, error) {
	switch id.Kind {
	case kindToy:
		return entity.Activate(toy{}, id, w)
	case kindChild:
		return entity.Activate(child{}, id, w)
	}
	return kinds[id.Kind].Activate(id, w)
}

var fold = persistence.Fold{
	Record: func(before persistence.Head, rec *recordpb.Record, hash []byte) (persistence.Head, persistence.Projection, error) {
		switch persistence.Kind(rec.GetKind()) {
		case kindToy:
			return entity.Rebuild(toy{}, before, rec, hash)
		case kindChild:
			return entity.Rebuild(child{}, before, rec, hash)
		}
		return kinds[persistence.Kind(rec.GetKind())].Rebuild(before, rec, hash)
	},
	Part: func(e persistence.EntityID, part string, info []byte) ([]persistence.IndexChange, error) {
		if k, ok := kinds[e.Kind]; ok {
			return k.Index(part, info)
		}
		return nil, nil // the toys
	},
	State: func(e persistence.EntityID, before, after []byte) ([]persistence.IndexChange, error) {
		if k, ok := kinds[e.Kind]; ok {
			return k.Found(before, after)
		}
		return nil, nil // the toys
	},
}

// node is a store with a committer and live entities, in a bubble. The disk can be made to wait.
type node struct {
	t         *testing.T
	disk      vfs.FS
	store     *pebblestore.Store
	committer *persistence.Committer
	world     *entity.World
	live      map[persistence.EntityID]entity.Live
	ended     chan error
	now       func() time.Time
	held      atomic.Pointer[chan struct{}] // not nil: groups wait for it before they are written
	failures  []string
}

// inBubble runs a test on a node, and demands that its store is sound in the end.
func inBubble(t *testing.T, test func(n *node)) {
	synctest.Test(t, func(t *testing.T) {
		n := &node{t: t, disk: vfs.NewMem(), now: time.Now}
		n.start()
		test(n)
		report, err := n.store.Verify(t.Context(), pebblestore.VerifyOptions{Fold: fold})
		if err != nil || report.Findings > 0 {
			t.Errorf("verify: %v, %v", err, report.List)
		}
		n.stop()
		for _, f := range n.failures {
			t.Errorf("failed: %s", f)
		}
	})
}

func (n *node) start() {
	n.t.Helper()
	var err error
	n.store, err = pebblestore.Open("data", pebblestore.Options{FS: n.disk, Partitions: 2, CacheBytes: 1 << 20})
	if err != nil {
		n.t.Fatal(err)
	}
	n.committer = persistence.NewCommitter(n, persistence.CommitMetrics{})
	n.live = make(map[persistence.EntityID]entity.Live)
	n.world = &entity.World{Born: entity.Bearer(child{}), Store: n.store, Committer: n.committer, Now: func() time.Time { return n.now() }, Alarm: func(persistence.EntityID, time.Time) {},
		Panicked: func(id persistence.EntityID, _ string, cause any, _ []byte) {
			n.failures = append(n.failures, fmt.Sprint(cause))
		},
		Failed: func(id persistence.EntityID, _ string, err error) { n.failures = append(n.failures, err.Error()) }}
	n.ended = make(chan error, 1)
	go func() { n.ended <- n.committer.Run(context.Background()) }()
	synctest.Wait()
}

func (n *node) stop() {
	n.t.Helper()
	n.committer.Close()
	if err := errors.Join(<-n.ended, n.store.Close()); err != nil {
		n.t.Error(err)
	}
}

func (n *node) restart() {
	n.stop()
	n.start()
}

// Append is the store's, once the disk is let go.
func (n *node) Append(group []*persistence.Entry) (wait func() error, err error) {
	if held := n.held.Load(); held != nil {
		<-*held
	}
	return n.store.Append(group)
}

// hold makes the disk wait; the result lets it go.
func (n *node) hold() (letGo func()) {
	held := make(chan struct{})
	n.held.Store(&held)
	return func() {
		n.held.Store(nil)
		close(held)
		synctest.Wait()
	}
}

// reply is an answer that may not have come yet.
type reply struct {
	entity.Answer
	err  error
	came bool
}

func (r *reply) text() string {
	switch {
	case !r.came:
		return "none yet"
	case r.err != nil:
		return r.err.Error()
	default:
		return fmt.Sprintf("%d v%d %s", r.Status, r.Version, r.Body)
	}
}

// send hands a command to its entity.
func (n *node) send(env *entity.Envelope) *reply {
	n.t.Helper()
	live, ok := n.live[env.Entity]
	if !ok {
		var err error
		if live, err = activate(env.Entity, n.world); err != nil {
			n.t.Fatal(err)
		}
		n.live[env.Entity] = live
	}
	r := new(reply)
	env.Reply = func(a entity.Answer, err error) {
		if r.came {
			n.t.Error("answered twice")
		}
		*r = reply{a, err, true}
	}
	live.Handle(env)
	return r
}

// do sends and waits.
func (n *node) do(id persistence.EntityID, command any, m entity.Meta) *reply {
	n.t.Helper()
	r := n.send(&entity.Envelope{Entity: id, Command: command, Meta: m})
	synctest.Wait()
	return r
}

func (n *node) want(r *reply, want string) {
	n.t.Helper()
	if got := r.text(); !strings.HasPrefix(got, want) {
		n.t.Errorf("answered %q, not %q", got, want)
	}
}

func toyID(name string) persistence.EntityID {
	return persistence.EntityID{Kind: kindToy, Provider: "lib", ID: name}
}

func collectionID(name string) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindCollection, Provider: "lib", ID: name}
}

func by(principal string) entity.Meta { return entity.Meta{Principal: principal} }

// keyed has an idempotency key, for a request that says text.
func keyed(principal, key, text string) entity.Meta {
	digest := sha256.Sum256([]byte(text))
	return entity.Meta{Principal: principal, Key: key, KeyDigest: digest[:]}
}

func add(numbers ...uint64) *toyCommand { return &toyCommand{Add: numbers} }

func put(part, body string) *collection.Write {
	hash, err := jsonvalue.Check([]byte(body))
	if err != nil {
		panic(err)
	}
	return &collection.Write{Create: true, Changes: []collection.Change{
		{Op: collection.OpPut, Part: part, Path: "/", Body: []byte(body), Hash: uint64(hash)}}}
}
