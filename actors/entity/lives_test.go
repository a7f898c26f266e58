package entity_test

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/actors/undo"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/persistence/recordpb"
)

// lives is a collection that is written, deleted, made again, reverted and rolled back, and beside it full copies of its versions.
// Retention is at work meanwhile; at times nothing of the collection is in memory, or the process begins again.
type lives struct {
	*node
	random   *rand.Rand
	id       persistence.EntityID
	versions []*life // from version 1 on
	tasks    int
	log      []string
}

// life is what is shown of a version; nil: the collection was not there.
type life struct {
	metadata  string
	documents map[string]string
}

func (l *life) String() string {
	if l == nil {
		return "gone"
	}
	return fmt.Sprintf("%.30q %.60q", l.metadata, l.documents)
}

func (l *life) same(o *life) bool {
	return (l == nil) == (o == nil) && (l == nil || l.metadata == o.metadata && maps.Equal(l.documents, o.documents))
}

func (l *lives) now() *life {
	if len(l.versions) == 0 {
		return nil
	}
	return l.versions[len(l.versions)-1]
}

func (l *lives) fatalf(format string, args ...any) {
	l.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(l.log, "\n"))
}

// shown is what the store shows.
func (l *lives) shown() *life {
	head, err := l.store.Head(l.id)
	if errors.Is(err, persistence.ErrNotFound) {
		return nil
	}
	if err != nil {
		l.fatalf("%v", err)
	}
	s, err := collection.Behavior{}.DecodeState(head.State)
	if err != nil {
		l.fatalf("%v", err)
	}
	if !s.Live() {
		return nil
	}
	got := &life{documents: make(map[string]string)}
	for p, err := range l.store.Parts(l.id, "") {
		if err == nil && p.Version >= s.Born && p.ID != "" {
			var body []byte
			body, err = l.store.Body(l.id, p.Place)
			got.documents[p.ID] = string(body)
		}
		if err != nil {
			l.fatalf("%v", err)
		}
	}
	if p, err := l.store.Part(l.id, ""); err == nil && !p.Removed && p.Version >= s.Born {
		body, err := l.store.Body(l.id, p.Place)
		if err != nil {
			l.fatalf("%v", err)
		}
		got.metadata = string(body)
	}
	if int(s.Documents) != len(got.documents) {
		l.fatalf("%d documents are counted, of %v", s.Documents, got)
	}
	return got
}

func (l *lives) text(name string) string {
	n := l.random.IntN(4)
	if l.random.IntN(6) == 0 {
		return fmt.Sprintf(`{"%s":%d,"x":%q}`, name, n, strings.Repeat("x", 40_000))
	}
	return fmt.Sprintf(`{"%s":%d}`, name, n)
}

func (l *lives) write() {
	w := &collection.Write{Create: true}
	next := &life{documents: map[string]string{}}
	if was := l.now(); was != nil {
		next = &life{was.metadata, maps.Clone(was.documents)}
	}
	if l.random.IntN(2) == 0 {
		next.metadata = l.text("m")
		w.Changes = append(w.Changes, put("", next.metadata).Changes...)
	}
	for i := range l.random.IntN(4) {
		id := fmt.Sprintf("d%d", i)
		_, there := next.documents[id]
		switch l.random.IntN(4) {
		case 0:
			if there {
				w.Changes = append(w.Changes, collection.Change{Op: collection.OpRemove, Part: id, Path: "/" + id})
				delete(next.documents, id)
			}
		case 1:
			next.documents[id] = l.text("d")
			w.Changes = append(w.Changes, put(id, next.documents[id]).Changes...)
		}
	}
	l.log = append(l.log, fmt.Sprintf("write after %d: %v", len(l.versions), next))
	l.made(l.send(&entity.Envelope{Entity: l.id, Command: w, Meta: by("ann")}), next)
}

// made notes what a command has made, once its answer is there.
func (l *lives) made(r *reply, next *life) {
	synctest.Wait()
	if r.err != nil {
		l.fatalf("%v", r.err)
	}
	switch {
	case int(r.Version) == len(l.versions)+1:
		l.versions = append(l.versions, next)
	case int(r.Version) != len(l.versions) || !next.same(l.now()):
		l.fatalf("version %d of %d: %v, and not %v", r.Version, len(l.versions), l.now(), next)
	}
	if got := l.shown(); !got.same(next) {
		l.fatalf("it is %v, and not %v", got, next)
	}
}

func (l *lives) remove() {
	if l.now() == nil {
		return
	}
	l.log = append(l.log, "delete")
	l.made(l.send(&entity.Envelope{Entity: l.id, Command: &collection.Delete{}, Meta: by("ann")}), nil)
}

// forget has the next command meet a collection that is not in memory, or the process begin again.
func (l *lives) forget() {
	switch l.random.IntN(6) {
	case 0:
		delete(l.live, l.id)
	case 1:
		l.restart()
	}
	l.world.Store = trimming{l.store, l}
}

// trimming is a store of which retention takes something away whenever it likes: before any look at what was.
type trimming struct {
	entity.Store
	*lives
}

func (s trimming) PartAt(e persistence.EntityID, part string, version uint64) (persistence.Part, error) {
	s.trim()
	return s.Store.PartAt(e, part, version)
}

func (s trimming) Body(e persistence.EntityID, at persistence.Place) ([]byte, error) {
	s.trim()
	return s.Store.Body(e, at)
}

func (s trimming) Versions(e persistence.EntityID, before uint64) iter.Seq2[*recordpb.Record, error] {
	return func(yield func(*recordpb.Record, error) bool) {
		for rec, err := range s.Store.Versions(e, before) {
			s.trim()
			if !yield(rec, err) {
				return
			}
		}
	}
}

// trim keeps some versions.
func (l *lives) trim() {
	if l.random.IntN(8) > 0 {
		return
	}
	policy := pebblestore.Policy{Versions: 1 + l.random.IntN(8)}
	l.log = append(l.log, fmt.Sprint("trim ", policy.Versions))
	if _, err := l.store.Trim(l.t.Context(), l.id, policy, pebblestore.TrimOptions{Fold: fold, Now: l.node.now()}); err != nil {
		l.fatalf("trim: %v", err)
	}
}

func (l *lives) revert() {
	if len(l.versions) == 0 {
		return
	}
	to := 1 + l.random.IntN(len(l.versions))
	l.log = append(l.log, fmt.Sprint("revert to ", to))
	dry := l.random.IntN(5) == 0
	r := l.send(&entity.Envelope{Entity: l.id, Command: &collection.Revert{To: uint64(to)}, Meta: by("ann"), DryRun: dry})
	synctest.Wait()
	p, refused := errors.AsType[*problem.Problem](r.err)
	then := l.versions[to-1]
	switch oldest, err := l.store.Oldest(l.id); {
	case err != nil:
		l.fatalf("%v", err)
	case refused && p.Code == problem.BaseUnavailable && uint64(to) < oldest:
	case refused && then == nil:
	case dry && r.err == nil:
		if !l.shown().same(l.now()) {
			l.fatalf("a dry run has changed it: %v", l.shown())
		}
	default:
		l.made(r, then)
	}
}

func (l *lives) undo() {
	if len(l.versions) < 2 {
		return
	}
	before := 1 + l.random.IntN(len(l.versions)-1)
	after := before + 1 + l.random.IntN(len(l.versions)-before)
	l.tasks++
	l.log = append(l.log, fmt.Sprintf("undo %d-%d at %d", before, after, len(l.versions)))
	r := l.send(&entity.Envelope{Entity: l.id, Meta: by("ann"), Command: &collection.Apply{Task: fmt.Sprint("t", l.tasks),
		Undo: &collection.Undo{Spans: []undo.Span{{Before: uint64(before), After: uint64(after)}}, OnConflict: undo.Force}}})
	synctest.Wait()
	if r.err != nil {
		l.fatalf("%v", r.err)
	}
	oldest, err := l.store.Oldest(l.id)
	if err != nil {
		l.fatalf("%v", err)
	}
	if strings.Contains(string(r.Body), string(fields.Failed)) {
		if uint64(before) >= oldest {
			l.fatalf("%s", r.Body)
		}
		return
	}
	l.made(r, l.versions[before-1])
}

// A way back leads to what was, through deletions and other lives, also where retention takes away what it needs while it looks: then
// it is refused, and changes nothing.
func TestLivesAgainstFullCopies(t *testing.T) {
	for seed := range uint64(60) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			inBubble(t, func(n *node) {
				l := &lives{node: n, random: rand.New(rand.NewPCG(seed, 1)), id: collectionID("c")}
				for range 40 {
					switch l.random.IntN(10) {
					case 0, 1, 2, 3:
						l.write()
					case 4:
						l.remove()
					case 5, 6, 7:
						l.revert()
					default:
						l.undo()
					}
					l.forget()
				}
			})
		})
	}
}

// trimmedBody is a store of which retention takes everything old away once it is known where a part stood.
type trimmedBody struct {
	entity.Store
	trim func()
}

func (s trimmedBody) PartAt(e persistence.EntityID, part string, version uint64) (persistence.Part, error) {
	defer s.trim()
	return s.Store.PartAt(e, part, version)
}

// A base whose contents go while it is looked at is no longer kept: that is a refusal, and no failure.
func TestABaseThatGoesMeanwhile(t *testing.T) {
	inBubble(t, func(n *node) {
		id := collectionID("c")
		for i := range 3 {
			n.do(id, put("d", fmt.Sprintf(`{"n":%d}`, i)), by("ann"))
		}
		n.world.Store = trimmedBody{n.store, func() {
			if _, err := n.store.Trim(t.Context(), id, pebblestore.Policy{Versions: 1}, pebblestore.TrimOptions{Fold: fold, Now: n.now()}); err != nil {
				t.Error(err)
			}
		}}
		stale := put("d", `{"n":0,"m":1}`)
		stale.Base, stale.Policy = new(uint64(1)), rules.Merge
		n.want(n.do(id, stale, by("bob")), string(problem.BaseUnavailable))
	})
}

// goesFirst is a store of which retention takes the record of an old version away once it is known where it is.
type goesFirst struct {
	entity.Store
	below uint64
}

func (s goesFirst) Versions(e persistence.EntityID, before uint64) iter.Seq2[*recordpb.Record, error] {
	if before > s.below {
		return s.Store.Versions(e, before)
	}
	return func(yield func(*recordpb.Record, error) bool) { yield(nil, persistence.ErrTrimmed) }
}

// goesAt is a store of which retention takes everything old away when a version is looked at.
type goesAt struct {
	entity.Store
	version uint64
	trim    func()
}

func (s goesAt) PartAt(e persistence.EntityID, part string, version uint64) (persistence.Part, error) {
	if version == s.version {
		s.trim()
	}
	return s.Store.PartAt(e, part, version)
}

// What goes while it is looked at is not taken back by guess: nothing is brought back that somebody else has removed.
func TestASideThatGoesMeanwhile(t *testing.T) {
	inBubble(t, func(n *node) {
		id := collectionID("c")
		n.do(id, put("d", `{"n":1}`), by("ann"))
		n.do(id, put("d", `{"n":2}`), by("ann"))
		n.do(id, &collection.Write{Changes: []collection.Change{{Op: collection.OpRemove, Part: "d", Path: "/d"}}}, by("bob"))
		for _, store := range []entity.Store{goesFirst{n.store, 3}, goesAt{n.store, 2, func() {
			if _, err := n.store.Trim(t.Context(), id, pebblestore.Policy{Versions: 1}, pebblestore.TrimOptions{Fold: fold, Now: n.now()}); err != nil {
				t.Error(err)
			}
		}}} {
			n.world.Store = store
			r := n.do(id, &collection.Apply{Task: "t", Undo: &collection.Undo{Spans: []undo.Span{{Before: 1, After: 2}}, OnConflict: undo.Merge}}, by("ann"))
			if r.Version != 3 || !strings.Contains(string(r.Body), string(problem.BaseUnavailable)) {
				t.Errorf("%T: %s", store, r.text())
			}
		}
	})
}
