package operations

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/entity"
	"concord/actors/host"
	"concord/actors/jobs"
	"concord/actors/problem"
	"concord/transport/api"
)

// told is one thing that is asked of the service: operation, id, body.
type told struct{ operation, id, body string }

// TestWhatIsFoundAfterwards: stories of a few collections, and what they are found by in the end.
func TestWhatIsFoundAfterwards(t *testing.T) {
	const byA, byB, byBoth = `{"indexes":["/metadata/a"]}`, `{"indexes":["/metadata/b"]}`, `{"indexes":["/metadata/a","/metadata/b"]}`
	for title, story := range map[string]struct {
		before []told // without the indexer
		after  []told // with it
		found  map[string]string
	}{
		"an index that comes later finds what was there": {
			before: []told{{"collection.put", "c", `{"type":"t","metadata":{"a":1}}`}, {"type.put", "t", byA}},
			found:  map[string]string{"t a": "c"},
		},
		"metadata that were never given are found by nothing": {
			before: []told{{"collection.put", "c", `{"type":"t","documents":{"d":1}}`}, {"type.put", "t", byA}},
			after:  []told{{"collection.put", "e", `{"type":"t"}`}},
			found:  map[string]string{"t a": ""},
		},
		"what is written is found by what it says now": {
			after: []told{{"type.put", "t", byA}, {"collection.put", "c", `{"type":"t","metadata":{"a":1}}`}, {"collection.put", "c", `{"metadata":{"a":2}}`},
				{"collection.put", "e", `{"type":"t","metadata":{"a":2}}`}, {"collection.put", "e", `{"metadata":{"a":1}}`}},
			found: map[string]string{"t a": "e"},
		},
		"what is deleted is not found": {
			after: []told{{"type.put", "t", byA}, {"collection.put", "c", `{"type":"t","metadata":{"a":1}}`}, {"collection.delete", "c", ""}},
			found: map[string]string{"t a": ""},
		},
		"a deletion that is taken back is found again": {
			after: []told{{"type.put", "t", byA}, {"collection.put", "c", `{"type":"t","metadata":{"a":1}}`}, {"collection.delete", "c", ""},
				{"collection.revert", "c", `{"to":1}`}},
			found: map[string]string{"t a": "c"},
		},
		"it is found again though only documents changed before the deletion": {
			after: []told{{"type.put", "t", byA}, {"collection.put", "c", `{"type":"t","metadata":{"a":1}}`}, {"collection.put", "c", `{"documents":{"d":1}}`},
				{"collection.delete", "c", ""}, {"collection.revert", "c", `{"to":2}`}},
			found: map[string]string{"t a": "c"},
		},
		"metadata of an earlier life are not found": {
			after: []told{{"type.put", "t", byA}, {"collection.put", "c", `{"type":"t","metadata":{"a":1}}`}, {"collection.delete", "c", ""},
				{"collection.put", "c", `{"type":"t","documents":{"d":1}}`}},
			found: map[string]string{"t a": ""},
		},
		"nor are they by an index that comes later": {
			before: []told{{"collection.put", "c", `{"type":"t","metadata":{"a":1}}`}, {"collection.delete", "c", ""},
				{"collection.put", "c", `{"type":"t","documents":{"d":1}}`}, {"type.put", "t", byA}, {"collection.put", "c", `{"documents":{"d":2}}`}},
			found: map[string]string{"t a": ""},
		},
		"metadata that only an earlier life had come back with it": {
			after: []told{{"type.put", "t", byA}, {"collection.put", "c", `{"type":"t","metadata":{"a":1}}`}, {"collection.delete", "c", ""},
				{"collection.put", "c", `{"type":"t","documents":{"d":1}}`}, {"collection.revert", "c", `{"to":1}`}},
			found: map[string]string{"t a": "c"},
		},
		"another life, another type": {
			after: []told{{"type.put", "t", byA}, {"type.put", "u", byB}, {"collection.put", "c", `{"type":"t","metadata":{"a":1,"b":1}}`},
				{"collection.delete", "c", ""}, {"collection.put", "c", `{"type":"u","metadata":{"a":1,"b":1}}`}},
			found: map[string]string{"t a": "", "u b": "c"},
		},
		"back to an earlier life, and its type": {
			after: []told{{"type.put", "t", byA}, {"type.put", "u", byB}, {"collection.put", "c", `{"type":"t","metadata":{"a":1,"b":1}}`},
				{"collection.delete", "c", ""}, {"collection.put", "c", `{"type":"u","metadata":{"a":2,"b":1}}`}, {"collection.revert", "c", `{"to":1}`}},
			found: map[string]string{"t a": "c", "u b": ""},
		},
		"back to a life of no type": {
			after: []told{{"type.put", "u", byB}, {"collection.put", "c", `{"metadata":{"b":1,"c":1}}`}, {"collection.delete", "c", ""},
				{"collection.put", "c", `{"type":"u","metadata":{"b":1}}`}, {"collection.revert", "c", `{"to":1}`}},
			found: map[string]string{"u b": ""},
		},
		"an index that was taken out and declared again is no staler than any": {
			after: []told{{"type.put", "t", byBoth}, {"collection.put", "c", `{"type":"t","metadata":{"a":1,"b":1}}`}, {"type.put", "t", byB},
				{"collection.put", "c", `{"metadata":{"a":2,"b":1}}`}, {"type.put", "t", byBoth}},
			found: map[string]string{"t a": "", "t b": "c"},
		},
		"so it is if nobody has written meanwhile": {
			after: []told{{"type.put", "t", byBoth}, {"collection.put", "c", `{"type":"t","metadata":{"a":1,"b":1}}`}, {"type.put", "t", byB}, {"type.put", "t", byBoth}},
			found: map[string]string{"t a": "c", "t b": "c"},
		},
		"so it is if the type was deleted meanwhile": {
			after: []told{{"type.put", "t", byA}, {"collection.put", "c", `{"type":"t","metadata":{"a":1}}`}, {"collection.put", "e", `{"type":"t","metadata":{"a":1}}`},
				{"type.delete", "t", ""}, {"collection.put", "c", `{"metadata":{"a":2}}`}, {"type.put", "t", byA}},
			found: map[string]string{"t a": "e"},
		},
		"a write of a document brings an old collection up to date": {
			before: []told{{"type.put", "t", byA}, {"collection.put", "c", `{"type":"t","metadata":{"a":1,"b":1}}`}, {"type.put", "t", byB},
				{"collection.put", "c", `{"documents":{"d":1}}`}},
			found: map[string]string{"t b": "c"},
		},
		"types do not share": {
			after: []told{{"type.put", "t", byA}, {"type.put", "u", byA}, {"collection.put", "c", `{"type":"t","metadata":{"a":1}}`},
				{"collection.put", "e", `{"type":"u","metadata":{"a":1}}`}},
			found: map[string]string{"t a": "c", "u a": "e"},
		},
		"somebody has the lock": {
			before: []told{{"collection.put", "c", `{"type":"t","metadata":{"a":1}}`}, {"lock.acquire", "collection:p:c", `{}`}, {"type.put", "t", byA}},
			found:  map[string]string{"t a": "c"},
		},
	} {
		t.Run(title, func(t *testing.T) {
			b := startWith(t, vfs.NewMem(), false)
			for _, s := range story.before {
				must[any](b, s.operation, s.id, s.body)
			}
			b.startIndexing()
			for _, s := range story.after {
				must[any](b, s.operation, s.id, s.body)
			}
			for asked, want := range story.found {
				typ, member, _ := strings.Cut(asked, " ")
				b.untilBuilt(typ)
				found, err := b.query(typ, fmt.Sprintf(`{"/metadata/%s":1}`, member))
				if got := strings.Join(found, " "); err != nil || got != want {
					t.Errorf("%s: %q, %v; want %q", asked, got, err, want)
				}
			}
			b.sound()
		})
	}
}

// TestBuilding: a type says what of it is being built. Until then nothing is answered by it; the rest is. No version of a type
// or a collection is made.
func TestBuilding(t *testing.T) {
	b := startWith(t, vfs.NewMem(), false)
	must[any](b, "type.put", "t", `{"indexes":["/metadata/a"]}`)
	must[any](b, "collection.put", "c", `{"type":"t","metadata":{"a":1,"b":1}}`)
	b.startIndexing()
	b.untilBuilt("t")
	b.stopIndexing()
	must[any](b, "type.put", "t", `{"indexes":["/metadata/a","/metadata/b"],"keys":[["/metadata/b","/metadata/a"]]}`)
	was := must[api.Type](b, "type.get", "t", "")
	if got := fmt.Sprint(was.Building); got != "[[/metadata/a /metadata/b] [/metadata/b]]" {
		t.Errorf("being built: %s", got)
	}
	if old := must[api.Type](b, "type.get", "t", "", param("version", "1")); old.Building != nil {
		t.Errorf("an old version is being built: %v", old.Building)
	}
	if found, err := b.query("t", `{"/metadata/a":1}`); err != nil || len(found) != 1 {
		t.Errorf("by what was built before: %v, %v", found, err)
	}
	for _, query := range []string{`{"/metadata/b":1}`, `{"/metadata/b":1,"/metadata/a":1}`} {
		if _, err := b.query("t", query); problem.Of(err).Code != problem.IndexBuilding || problem.Of(err).RetryAfter == 0 {
			t.Errorf("%s: %v", query, err)
		}
	}
	if _, err := b.keys("t", `{"/metadata/b":1,"/metadata/a":1}`); problem.Of(err).Code != problem.IndexBuilding {
		t.Errorf("by the key: %v", err)
	}
	b.startIndexing()
	b.untilBuilt("t")
	is := must[api.Type](b, "type.get", "t", "")
	if is.Version != was.Version || is.ETag != was.ETag {
		t.Errorf("version %d, tag %s; it was %d, %s", is.Version, is.ETag, was.Version, was.ETag)
	}
	if c := must[api.Collection](b, "collection.get", "c", ""); c.Version != 1 {
		t.Errorf("the collection is at version %d", c.Version)
	}
	must[any](b, "type.put", "t", string(is.Value), with("If-Match", was.ETag))
	if found, err := b.keys("t", `{"/metadata/b":1,"/metadata/a":1}`); err != nil || len(found[0]) != 1 {
		t.Errorf("by the key: %v, %v", found, err)
	}
}

// TestTooManyValues: metadata that cannot be found by all that they say are refused. Those that were there before hold up what
// is being built, and nothing else, until they are changed.
func TestTooManyValues(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	list := func(n int) string {
		values := make([]string, n)
		for i := range values {
			values[i] = fmt.Sprint(i)
		}
		return `{"l":[` + strings.Join(values, ",") + `]}`
	}
	must[any](b, "collection.put", "old", `{"type":"t","metadata":`+list(1001)+`}`)
	must[any](b, "type.put", "t", `{"indexes":["/metadata/l/*"]}`)
	must[any](b, "collection.put", "new", `{"type":"t","metadata":`+list(1000)+`}`)
	p := b.refused(problem.TooLarge, "collection.put", "new", `{"metadata":`+list(1001)+`}`)
	if len(p.Errors) != 1 || p.Errors[0].Path != "/metadata/l/*" {
		t.Errorf("%v", p)
	}
	b.refused(problem.TooLarge, "collection.put", "newer", `{"type":"t","metadata":{"l":[`+strings.Repeat(`1,`, 10_000)+`1]}}`)
	must[any](b, "collection.put", "old", `{"documents":{"d":1}}`) // nobody touches the metadata
	must[any](b, "collection.put", "older", `{"type":"u","metadata":`+list(1001)+`,"documents":{"d":1}}`)
	must[any](b, "collection.delete", "older", "")
	must[any](b, "type.put", "u", `{"indexes":["/metadata/l/*"]}`)
	b.untilBuilt("u")
	b.refused(problem.TooLarge, "collection.revert", "older", `{"to":1}`)
	for b.indexer.Blocked() == 0 {
		must[api.Type](b, "type.get", "t", "")
	}
	if _, err := b.query("t", `{"/metadata/l/*":7}`); problem.Of(err).Code != problem.IndexBuilding {
		t.Errorf("an index that lacks a collection answers: %v", err)
	}
	must[any](b, "collection.put", "old", `{"metadata":`+list(8)+`}`)
	b.untilBuilt("t")
	if found, err := b.query("t", `{"/metadata/l/*":7}`); err != nil || len(found) != 2 || b.indexer.Blocked() != 0 {
		t.Errorf("%v, %v; %d in the way", found, err, b.indexer.Blocked())
	}
	b.sound()
}

// orderly notes what the indexer asks of the host, in its order.
type orderly struct {
	*host.Host
	mu    sync.Mutex
	asked []string
}

func (o *orderly) note(what string) {
	o.mu.Lock()
	o.asked = append(o.asked, what)
	o.mu.Unlock()
}

func (o *orderly) Decided(done func()) {
	o.note("decided")
	o.Host.Decided(func() { o.note("over"); done() })
}

func (o *orderly) SettledAll(done func()) { o.note("settled"); o.Host.SettledAll(done) }

func (o *orderly) Deliver(env *entity.Envelope) {
	o.note(fmt.Sprintf("%T", env.Command))
	o.Host.Deliver(env)
}

// TestBuildsWaitForDecisions: the collections are looked at when what was decided under the type as it was is over, and on the
// disk. The type is told when all of them have answered.
func TestBuildsWaitForDecisions(t *testing.T) {
	b := startWith(t, vfs.NewMem(), false)
	for i := range 3 {
		must[any](b, "collection.put", fmt.Sprintf("c%d", i), `{"type":"t","metadata":{"a":1}}`)
	}
	must[any](b, "type.put", "t", `{"indexes":["/metadata/a"]}`)
	h := &orderly{Host: b.service.Host}
	b.indexer = jobs.NewIndexer(b.store, h, jobs.NewCourtesy(h), jobs.DefaultSettings, slog.New(slog.DiscardHandler))
	b.startIndexing()
	b.untilBuilt("t")
	b.stopIndexing()
	want := "[decided over settled *collection.Reindex *collection.Reindex *collection.Reindex *collectiontype.Built]"
	if got := fmt.Sprint(h.asked); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
