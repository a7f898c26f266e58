package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"google.golang.org/protobuf/proto"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/actors/propagation"
	"concord/persistence"
	"concord/persistence/recordpb"
)

// world is a store and a host in which jobs are real entities, and collections dumb ones. What it holds is durable at once:
// a crash takes the driver, and what it was about to do.
type world struct {
	t           *testing.T
	mu          sync.Mutex
	jobs        map[persistence.EntityID]*fakeJob
	collections map[string]*fakeCollection
	partitions  int
	asks        int // commands that were delivered
	dieAt       int // that command is the last; 0: none
	dieDeaf     bool
	flying, top int   // relinks under way, and the most of them
	others      int64 // commands in flight that are not the driver's
	slow        func()
	cursor      []byte
	log         []persistence.LogRecord
	heads       map[persistence.EntityID][]byte // of sources and authorities

	observers []func([]*persistence.Entry)
	corrected int
	driver    *Driver
	courtesy  *Courtesy // of a checker; a driver has its own
	stop      func()
}

type fakeJob struct {
	state propagation.State
	parts map[string][]byte
	seq   uint64
}

// fakeDocument has links to one source, and shows a revision of it.
type fakeDocument struct{ links, revision uint64 }

type fakeCollection struct {
	documents  map[string]*fakeDocument
	outcomes   map[string][]byte // answers by key
	version    uint64
	born       uint64
	locked     string
	deleted    bool
	fails      int // so many requests are answered with an error; -1: all
	busy       int // so many requests are refused for load
	mostAtOnce int // documents of one version
	asked      int
	bad        string   // document that cannot be brought up to date
	order      []string // of jobs that wrote
}

func newWorld(t *testing.T) *world {
	return &world{t: t, partitions: 4, jobs: map[persistence.EntityID]*fakeJob{}, collections: map[string]*fakeCollection{},
		heads: map[persistence.EntityID][]byte{}}
}

// shelf adds a collection of so many documents with two links each.
func (w *world) shelf(name string, documents int) *fakeCollection {
	c := &fakeCollection{documents: map[string]*fakeDocument{}, outcomes: map[string][]byte{}, version: 1, born: 1, mostAtOnce: 1 << 20}
	for i := range documents {
		c.documents[fmt.Sprintf("d%03d", i)] = &fakeDocument{links: 2, revision: 1}
	}
	w.collections[name] = c
	return c
}

func jobID(name string) persistence.EntityID {
	source := persistence.EntityID{Kind: persistence.KindSource, Provider: "p", ID: "names"}
	return persistence.EntityID{Kind: persistence.KindPropagation, Provider: "p", ID: persistence.JobID(source, name)}
}

// request has a job begin, as a change of the base URL; it supersedes the one that is named.
func (w *world) request(name, action string, revision uint64, supersedes string) persistence.EntityID {
	w.t.Helper()
	id := jobID(name)
	change := &links.Change{Action: action, Source: links.Source{ID: "names", BaseURL: "http://" + name + "/", Revision: revision}}
	if supersedes != "" {
		change.Supersedes = jobID(supersedes).ID
	}
	e, err := propagation.Behavior{}.Begin(change, entity.Meta{Principal: "ann", Time: start.Add(1000 * timeStep(len(w.jobs)))})
	if err != nil {
		w.t.Fatal(err)
	}
	w.mu.Lock()
	w.jobs[id] = &fakeJob{parts: map[string][]byte{}}
	w.mu.Unlock()
	w.apply(id, e)
	return id
}

// apply stores an event of a job, and tells the observers.
func (w *world) apply(id persistence.EntityID, e propagation.Event) {
	w.mu.Lock()
	j := w.jobs[id]
	j.seq++
	j.state = propagation.Behavior{}.Evolve(j.state, e, entity.Stamp{Entity: id, Seq: j.seq})
	for _, p := range e.Parts {
		if j.parts[p.ID] = p.Body; p.Removed {
			delete(j.parts, p.ID)
		}
	}
	head := w.headOf(j)
	w.mu.Unlock()
	w.committed(&persistence.Entry{Entity: id, Records: []persistence.Stored{{Record: &recordpb.Record{Type: e.Type},
		Beside: persistence.Projection{Head: head}}}})
}

func (w *world) committed(e *persistence.Entry) {
	for _, o := range w.observers {
		o([]*persistence.Entry{e})
	}
}

func (w *world) headOf(j *fakeJob) []byte {
	b, err := proto.Marshal(&recordpb.Head{Seq: j.seq, State: propagation.Behavior{}.EncodeState(j.state)})
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// begin starts a driver.
func (w *world) begin(s Settings) {
	w.t.Helper()
	w.driver = New(w, NewCourtesy(w), s, w.observer(), slog.New(slog.DiscardHandler))
	w.observers = []func([]*persistence.Entry){w.driver.Committed}
	w.run(w.driver.Run)
}

func (w *world) observer() Observer {
	return Observer{Linked: func(string, uint64) {}, Ended: func(string) {}, Corrected: func(n int) {
		w.mu.Lock()
		w.corrected += n
		w.mu.Unlock()
	}}
}

func (w *world) run(work func(context.Context)) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() { work(ctx) })
	w.stop = func() {
		cancel()
		running.Wait()
	}
}

// Deliver takes a command as an entity would.
func (w *world) Deliver(env *entity.Envelope) {
	w.mu.Lock()
	w.asks++
	last, dead := w.asks == w.dieAt, w.dieAt > 0 && w.asks > w.dieAt
	w.mu.Unlock()
	if dead || last && w.dieDeaf {
		return
	}
	go func() {
		a, err := w.take(env)
		if !last {
			env.Reply(a, err)
		}
	}()
}

func (w *world) InFlight() int64 {
	switch {
	case w.courtesy != nil:
		return w.others + w.courtesy.own.Load()
	case w.driver == nil:
		return w.others
	}
	return w.others + w.driver.courtesy.own.Load()
}

func (w *world) SettledAll(done func()) { done() }

func (w *world) take(env *entity.Envelope) (entity.Answer, error) {
	if env.Entity.Kind == persistence.KindPropagation {
		return entity.Answer{}, w.command(env.Entity, env.Command.(propagation.Command))
	}
	w.mu.Lock()
	w.flying++
	w.top = max(w.top, w.flying)
	slow := w.slow
	w.mu.Unlock()
	if slow != nil {
		slow()
	}
	answer, changed, err := w.relink(env)
	w.mu.Lock()
	w.flying--
	w.mu.Unlock()
	if changed {
		w.committed(&persistence.Entry{Entity: env.Entity, Records: []persistence.Stored{{Record: &recordpb.Record{Type: collection.TypeSaved}}}})
	}
	return answer, err
}

// command takes a command of a job.
func (w *world) command(id persistence.EntityID, c propagation.Command) error {
	w.mu.Lock()
	j := w.jobs[id]
	if j == nil {
		w.mu.Unlock()
		return propagation.Missing()
	}
	d, err := decide(propagation.Behavior{}, j.state, c, j.parts, entity.Meta{Principal: "concord", Time: start})
	w.mu.Unlock()
	for _, e := range d.Events {
		w.apply(id, e)
	}
	return err
}

// decide is the decision of a kind on a command, with all the facts that it wants.
func decide[S, C, E any](b entity.Behavior[S, C, E], s S, c C, stored map[string][]byte, m entity.Meta) (entity.Decision[E], error) {
	facts, parts := entity.Facts{}, map[string]entity.Fact{}
	for wants := b.Wants(s, c, facts); len(wants) > 0; wants = b.Wants(s, c, facts) {
		for _, want := range wants {
			if want.All {
				all := map[string]entity.Fact{}
				for part := range stored {
					all[part] = entity.Fact{Exists: true}
				}
				facts = entity.FactsOf(nil, all)
				continue
			}
			body, ok := stored[want.Part]
			parts[want.Part] = entity.Fact{Exists: ok, Body: body}
		}
		facts = facts.WithParts(maps.Clone(parts))
	}
	return b.Decide(s, c, facts, m)
}

// relink is what a collection does, in short.
func (w *world) relink(env *entity.Envelope) (a entity.Answer, changed bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, r := w.collections[env.Entity.ID], env.Command.(*collection.Relink)
	c.asked++
	if body, ok := c.outcomes[env.Meta.Key]; ok && env.Meta.Key != "" {
		return entity.Answer{Body: body}, false, nil
	}
	switch {
	case c.busy > 0:
		c.busy--
		return a, false, problem.New(problem.Overloaded, "later")
	case c.fails != 0:
		c.fails--
		return a, false, problem.New(problem.Internal, "it broke")
	case c.deleted:
		return a, false, problem.New(problem.NotFound, "gone")
	case c.locked != "":
		return a, false, problem.New(problem.Locked, "the lock is held by %s", c.locked).With("holder", c.locked)
	}
	answer := collection.Relinked{}
	for _, id := range r.Documents[:min(len(r.Documents), c.mostAtOnce)] {
		answer.Looked++
		answer.Last = id
		d := c.documents[id]
		switch {
		case d == nil:
		case d.revision > r.Source.Revision:
			answer.Superseded += d.links
		case id == c.bad:
			answer.Failed += d.links
			answer.Failures = append(answer.Failures, collection.RelinkFailure{Document: id, Links: d.links, Cause: "it is bad"})
		case d.revision == r.Source.Revision:
			answer.Unchanged += d.links
		case r.Source.BaseURL == "http://unlink/":
			delete(c.documents, id)
			answer.Updated += d.links
			answer.Documents++
		default:
			d.revision = r.Source.Revision
			answer.Updated += d.links
			answer.Documents++
		}
	}
	if changed = answer.Documents > 0; changed {
		c.version++
		c.order = append(c.order, r.Job)
	}
	body, err := json.Marshal(&answer)
	if env.Meta.Key != "" {
		c.outcomes[env.Meta.Key] = body
	}
	return entity.Answer{Body: body}, changed, err
}

// unlock frees a collection, and says so.
func (w *world) unlock(name string) {
	w.mu.Lock()
	w.collections[name].locked = ""
	w.mu.Unlock()
	w.committed(&persistence.Entry{Entity: collectionID("p", name), Records: []persistence.Stored{{Record: &recordpb.Record{Type: "lock.released"}}}})
}

// locked changes the world while others look at it.
func (w *world) locked(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *world) job(id persistence.EntityID) propagation.State {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.jobs[id].state
}

// settle lets everything happen that happens now, and soon.
func (w *world) settle() {
	synctest.Wait()
	for range 20 {
		sleep(progressEvery)
		synctest.Wait()
	}
}

// The world as a store.

func (w *world) Partitions() int { return w.partitions }

func (w *world) Log(p persistence.Partition, from persistence.Position) iter.Seq2[persistence.LogRecord, error] {
	return func(yield func(persistence.LogRecord, error) bool) {
		for _, r := range w.log {
			if p == 0 && r.Position >= from && !yield(r, nil) {
				return
			}
		}
	}
}

func (w *world) Last(p persistence.Partition) persistence.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p == 0 {
		return persistence.Position(len(w.log))
	}
	return 0
}

func (w *world) Cursor(string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cursor == nil {
		return nil, persistence.ErrNotFound
	}
	return w.cursor, nil
}

func (w *world) SetCursor(_ string, value []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cursor = value
	return nil
}

func (w *world) SyncCursor(name string, value []byte) error { return w.SetCursor(name, value) }

func (w *world) Head(id persistence.EntityID) (persistence.Head, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch id.Kind {
	case persistence.KindPropagation:
		if j := w.jobs[id]; j != nil {
			return persistence.Head{Seq: j.seq, State: propagation.Behavior{}.EncodeState(j.state)}, nil
		}
	case persistence.KindCollection:
		if c := w.collections[id.ID]; c != nil {
			s := collection.State{Exists: true, Deleted: c.deleted, Version: c.version, Born: c.born}
			return persistence.Head{Seq: 1, Version: c.version, State: collection.Behavior{}.EncodeState(s)}, nil
		}
	default:
		if state, ok := w.heads[id]; ok {
			return persistence.Head{Seq: 1, State: state}, nil
		}
	}
	return persistence.Head{}, persistence.ErrNotFound
}

func (w *world) View() persistence.View { return &fakeView{world: w} }

// fakeView shows what the driver reads; anything else panics.
type fakeView struct {
	persistence.View
	world *world
}

func (v *fakeView) Close() error    { return nil }
func (v *fakeView) Partitions() int { return v.world.partitions }
func (v *fakeView) Head(id persistence.EntityID) (persistence.Head, error) {
	return v.world.Head(id)
}

func (v *fakeView) Part(id persistence.EntityID, part string) (persistence.Part, error) {
	v.world.mu.Lock()
	defer v.world.mu.Unlock()
	if _, ok := v.world.jobs[id].parts[part]; !ok {
		return persistence.Part{}, persistence.ErrNotFound
	}
	at, _ := slices.BinarySearch(slices.Sorted(maps.Keys(v.world.jobs[id].parts)), part)
	return persistence.Part{ID: part, Place: persistence.Place{Index: at}}, nil
}

// Body finds the part by its name: the place has none.
func (v *fakeView) Body(id persistence.EntityID, place persistence.Place) ([]byte, error) {
	v.world.mu.Lock()
	defer v.world.mu.Unlock()
	parts := slices.Sorted(maps.Keys(v.world.jobs[id].parts))
	return v.world.jobs[id].parts[parts[place.Index]], nil
}

func (v *fakeView) Parts(id persistence.EntityID, after string) iter.Seq2[persistence.Part, error] {
	v.world.mu.Lock()
	parts := slices.Sorted(maps.Keys(v.world.jobs[id].parts))
	v.world.mu.Unlock()
	return func(yield func(persistence.Part, error) bool) {
		for i, part := range parts {
			if part > after && !yield(persistence.Part{ID: part, Place: persistence.Place{Index: i}}, nil) {
				return
			}
		}
	}
}

func (v *fakeView) Index(p persistence.Partition, key persistence.IndexKey, after persistence.IndexEntry) iter.Seq2[persistence.IndexEntry, error] {
	w := v.world
	w.mu.Lock()
	defer w.mu.Unlock()
	var entries []persistence.IndexEntry
	for name, c := range w.collections {
		if key.Name != links.IndexBySource || persistence.PartitionOf(collectionID("p", name), w.partitions) != p {
			continue
		}
		for id, d := range c.documents {
			e := persistence.IndexEntry{Provider: "p", Term: key.Term, Entity: name, Part: id,
				Value: links.IndexValue{Links: d.links, Revision: d.revision, Version: 1}.Encode()}
			if compareEntries(e, after) > 0 {
				entries = append(entries, e)
			}
		}
	}
	slices.SortFunc(entries, compareEntries)
	return func(yield func(persistence.IndexEntry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}

func compareEntries(a, b persistence.IndexEntry) int {
	return cmp.Or(strings.Compare(a.Entity, b.Entity), strings.Compare(a.Part, b.Part))
}

func (v *fakeView) IndexTerms(p persistence.Partition, key persistence.IndexKey) iter.Seq2[persistence.IndexEntry, error] {
	w := v.world
	w.mu.Lock()
	defer w.mu.Unlock()
	var entries []persistence.IndexEntry
	for id, j := range w.jobs {
		if key.Name == links.IndexOpenJobs && j.state.Status.Open() && persistence.PartitionOf(id, w.partitions) == p {
			entries = append(entries, persistence.IndexEntry{Provider: "p", Term: "source/p/names", Entity: id.ID})
		}
	}
	slices.SortFunc(entries, compareEntries)
	return func(yield func(persistence.IndexEntry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}
