package operations

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"concord/actors"
	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/lookup"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/transport/api"
)

// declarations are keys (lists) and indexes (texts) that types declare some of.
var declarations = []string{`["/metadata/a"]`, `["/metadata/a","/metadata/b"]`, `["/metadata/o/x"]`,
	`"/metadata/a"`, `"/metadata/l/*"`, `"/metadata/o/*"`, `"/metadata/o/*/x"`, `"/metadata/l/0"`}

func isKey(declaration string) bool { return declaration[0] == '[' }

func pathsOf(declaration string) (paths []string) {
	if json.Unmarshal([]byte(declaration), &paths) != nil {
		paths = []string{strings.Trim(declaration, `"`)}
	}
	return paths
}

// typeOfAll is a type that declares these.
func typeOfAll(declared []string) string {
	var keys, indexes []string
	for _, d := range declared {
		if isKey(d) {
			keys = append(keys, d)
		} else {
			indexes = append(indexes, d)
		}
	}
	return `{"keys":[` + strings.Join(keys, ",") + `],"indexes":[` + strings.Join(indexes, ",") + `]}`
}

// scalars are what is looked for, some of them equal to others and some nearly so.
var scalars = []string{`1`, `1.0`, `"1"`, `"a"`, `"A"`, `null`, `true`, `"true"`, `""`, `"s1"`, `"a\u0000"`, `"` + strings.Repeat("x", 60) + `"`,
	`"` + strings.Repeat("x", 61) + `"`, `1e400`, `"1:sa"`}

// dumb finds collections by reading all of them.
func dumb(t rapid.TB, view persistence.View, typ string, query map[string]string) (ids []string) {
	t.Helper()
	for e, err := range view.Entities(persistence.KindCollection, "p", "") {
		if err != nil {
			t.Fatal(err)
		}
		s, err := collection.Behavior{}.DecodeState(e.Head.State)
		if err != nil {
			t.Fatal(err)
		}
		if !s.Live() || s.Type != typ {
			continue
		}
		id := persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: e.ID}
		metadata := jsonvalue.NewObject()
		if part, err := view.Part(id, ""); err == nil && !part.Removed && part.Version >= s.Born {
			body, err := view.Body(id, part.Place)
			if err != nil {
				t.Fatal(err)
			}
			if metadata, err = jsonvalue.Parse(body); err != nil {
				t.Fatal(err)
			}
		}
		all := true
		for path, value := range query {
			v, err := jsonvalue.Parse([]byte(value))
			if err != nil {
				t.Fatal(err)
			}
			all = all && slices.ContainsFunc(valuesAt(metadata, strings.Split(path, "/")[2:]), func(w *jsonvalue.Value) bool { return jsonvalue.Equal(v, w) })
		}
		if all {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// valuesAt goes down a path, in every way that there is.
func valuesAt(v *jsonvalue.Value, path []string) (values []*jsonvalue.Value) {
	if len(path) == 0 {
		return []*jsonvalue.Value{v}
	}
	for _, m := range v.Members() {
		if path[0] == "*" || path[0] == m.Name {
			values = append(values, valuesAt(m.Value, path[1:])...)
		}
	}
	for i, e := range v.Elements() {
		if path[0] == "*" || path[0] == strconv.Itoa(i) {
			values = append(values, valuesAt(e, path[1:])...)
		}
	}
	return values
}

// declares says that the text of a type has the declaration.
func declares(t rapid.TB, text []byte, declaration string) bool {
	t.Helper()
	var parts struct{ Keys, Indexes []json.RawMessage }
	if err := json.Unmarshal(text, &parts); len(text) > 0 && err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(append(parts.Keys, parts.Indexes...), func(d json.RawMessage) bool { return string(d) == declaration })
}

// agree holds look-ups by a declaration against a dumb scan of the same moment. It says whether there was an answer.
func agree(b *bench, t rapid.TB, typ, declaration string, values []string) bool {
	t.Helper()
	view := b.store.View()
	defer func() { _ = view.Close() }()
	declared := false
	if head, err := view.Head(persistence.EntityID{Kind: persistence.KindType, Provider: "p", ID: typ}); err == nil {
		s, err := rules.DecodeState(head.State)
		if err != nil {
			t.Fatal(err)
		}
		declared = declares(t, s.Text, declaration)
	}
	l, err := b.service.lookup(view, "p", typ)
	if err != nil {
		if declared || problem.Of(err).Code != problem.NotFound {
			t.Fatalf("%s: %v", typ, err)
		}
		return false
	}
	query, asked := map[string]string{}, "{"
	for i, path := range pathsOf(declaration) {
		query[path] = values[i%len(values)]
		asked += fmt.Sprintf("%q:%s,", path, values[i%len(values)])
	}
	v, err := jsonvalue.Parse([]byte(strings.TrimSuffix(asked, ",") + "}"))
	if err != nil {
		t.Fatal(err)
	}
	want := dumb(t, view, typ, query)
	var found []string
	if isKey(declaration) {
		var all [][]string
		if all, err = l.keys(context.Background(), []*jsonvalue.Value{v}, func(int) string { return "" }); err == nil {
			found = all[0]
		}
		if len(want) > keyMaxFound && len(found) == keyMaxFound {
			want = found // which of them is not said
		}
	} else {
		found, err = l.query(context.Background(), v, "", 1000)
	}
	switch code := problem.Of(err).Code; {
	case err != nil && code == problem.IndexBuilding && declared:
		return false
	case err != nil && !declared && code == problem.SchemaInvalid:
		return false
	case err != nil && !declared && code == problem.IndexBuilding && !isKey(declaration): // by a key of this path
		return false
	case err != nil:
		t.Fatalf("%s %s, declared: %v: %v", typ, v.Text(), declared, err)
	}
	if !slices.Equal(found, want) {
		t.Fatalf("%s by %s %s: %v, a scan finds %v", typ, declaration, v.Text(), found, want)
	}
	return true
}

// agreeAll holds all that is declared against scans, each by a few values.
func agreeAll(b *bench, t *rapid.T) (answers int) {
	t.Helper()
	from := rapid.IntRange(0, len(scalars)-1).Draw(t, "from")
	for _, typ := range []string{"t", "u"} {
		for i, d := range declarations {
			for n := range 3 {
				if agree(b, t, typ, d, scalars[(from+i+5*n)%len(scalars):]) {
					answers++
				}
			}
		}
	}
	return answers
}

// drawMetadata are metadata with something at the paths of the declarations.
func drawMetadata(t *rapid.T) string {
	value := rapid.Custom(func(t *rapid.T) string {
		switch rapid.IntRange(0, 7).Draw(t, "form") {
		case 0:
			return `{"x":` + rapid.SampledFrom(scalars).Draw(t, "x") + `,"y":{"x":` + rapid.SampledFrom(scalars).Draw(t, "x") + `}}`
		case 1, 2:
			list := rapid.SliceOfN(rapid.SampledFrom(scalars), 0, 4).Draw(t, "list")
			return "[" + strings.Join(list, ",") + "]"
		}
		return rapid.SampledFrom(scalars).Draw(t, "value")
	})
	var members []string
	for _, name := range []string{"a", "b", "l", "o"} {
		if rapid.IntRange(0, 4).Draw(t, "there") > 0 {
			members = append(members, strconv.Quote(name)+":"+value.Draw(t, name))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// TestLookupsAgainstScans: whatever happens to collections and types, and however far the indexer is: a look-up that is
// answered says what a scan of all collections says. What was built is not built again, and the store can be made anew from
// its log, also after retention.
func TestLookupsAgainstScans(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		fs := vfs.NewMem()
		b := startWith(t, fs, false)
		b.startIndexing()
		for range rapid.IntRange(1, 30).Draw(rt, "steps") {
			b.lookupStep(rt)
		}
		for _, typ := range []string{"t", "u"} {
			if _, p := b.do("type.get", typ, ""); p == nil {
				b.untilBuilt(typ)
			}
		}
		answers := agreeAll(b, rt)
		b.sound()
		for _, id := range []string{"c0", "c1", "c2", "c3"} {
			_, err := b.store.Trim(context.Background(), persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: id},
				pebblestore.Policy{Versions: 1 + rapid.IntRange(0, 2).Draw(rt, "kept")},
				pebblestore.TrimOptions{Fold: actors.Fold(actors.DefaultLimits), Now: b.clock.Now()})
			if err != nil {
				rt.Fatal(err)
			}
		}
		b.sound()
		b.stop()
		b = startWith(t, fs, false)
		if again := agreeAll(b, rt); again != answers {
			rt.Fatalf("%d answers, and %d after a restart", answers, again)
		}
		b.stop()
	})
}

// lookupStep is one thing that happens.
func (b *bench) lookupStep(t *rapid.T) {
	id := "c" + strconv.Itoa(rapid.IntRange(0, 3).Draw(t, "collection"))
	typ := rapid.SampledFrom([]string{"t", "t", "u"}).Draw(t, "type")
	switch rapid.IntRange(0, 11).Draw(t, "what") {
	case 0, 1, 2:
		_, _ = b.do("collection.put", id, `{"type":"`+typ+`","metadata":`+drawMetadata(t)+`}`)
		_, _ = b.do("collection.put", id, `{"metadata":`+drawMetadata(t)+`}`)
	case 3:
		_, _ = b.do("collection.put", id, `{"type":"`+typ+`","documents":{"d":`+rapid.SampledFrom(scalars).Draw(t, "document")+`}}`)
		_, _ = b.do("document.put", id, `{"value":`+rapid.SampledFrom(scalars).Draw(t, "document")+`}`, inDocument("d"))
	case 4:
		_, _ = b.do("collection.delete", id, "")
	case 5, 6:
		_, _ = b.do("collection.revert", id, fmt.Sprintf(`{"to":%d}`, rapid.IntRange(1, 8).Draw(t, "to")))
	case 7:
		b.applyTo(t, id, `[{"type":"ADD_TO_EXISTING","path":"/metadata/l","value":`+rapid.SampledFrom(scalars[3:5]).Draw(t, "added")+`}]`)
	case 8, 9:
		declared := rapid.SliceOfNDistinct(rapid.SampledFrom(declarations), 0, 4, rapid.ID).Draw(t, "declared")
		must[any](b, "type.put", typ, typeOfAll(declared))
	case 10:
		_, _ = b.do("type.delete", typ, "")
	case 11:
		agreeAll(b, t)
	}
}

// applyTo has a bulk task change the collection.
func (b *bench) applyTo(t rapid.TB, id, text string) {
	list, p := fields.Parse([]byte(text), nil, "")
	if p != nil {
		t.Fatal(p)
	}
	_, err := b.service.call(context.Background(), &entity.Envelope{Command: &collection.Apply{Task: b.service.NewID(), Instructions: list},
		Entity: persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: id}, Meta: entity.Meta{Principal: "ann"}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestTypesChangeUnderWrites: while collections are written, made and deleted, their types change again and again. As soon
// as something is built, look-ups say what a scan of the same moment says: nothing that was decided before is missed.
func TestTypesChangeUnderWrites(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	ctx, cancel := context.WithCancel(context.Background())
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(w)))
			for ctx.Err() == nil {
				id, body := fmt.Sprintf("c%d", r.IntN(60)), fmt.Sprintf(`{"type":"t","metadata":{"a":%d,"l":[%d,"x"]}}`, r.IntN(3), r.IntN(3))
				if r.IntN(6) == 0 {
					_, _ = b.try("collection.delete", id, "")
					continue
				}
				_, _ = b.try("collection.put", id, body)
			}
		})
	}
	answers := 0
	const rounds = 15 / underRace // three at least: each type once
	for round := range rounds {
		must[any](b, "type.put", "t", typeOfAll([][]string{{`"/metadata/a"`}, {`"/metadata/l/*"`}, {`["/metadata/a"]`, `"/metadata/l/*"`}}[round%3]))
		b.untilBuilt("t")
		for _, d := range []string{`"/metadata/a"`, `"/metadata/l/*"`, `["/metadata/a"]`} {
			for _, v := range []string{"0", "1", "2"} {
				if agree(b, t, "t", d, []string{v}) {
					answers++
				}
			}
		}
	}
	cancel()
	writers.Wait()
	b.sound()
	if answers < rounds*3 {
		t.Errorf("only %d answers", answers)
	}
}

// TestABuildThatIsCutShort: a crash at any moment of a build is made up for at the next start.
func TestABuildThatIsCutShort(t *testing.T) {
	fs := vfs.NewCrashableMem()
	b := startWith(t, fs, false)
	const all = 200
	for i := range all {
		must[any](b, "collection.put", fmt.Sprintf("c%03d", i), fmt.Sprintf(`{"type":"t","metadata":{"a":%d,"l":[1,%d]}}`, i%5, i%3))
	}
	must[any](b, "type.put", "t", typeOfAll([]string{`["/metadata/a"]`, `"/metadata/l/*"`}))
	if building := must[api.Type](b, "type.get", "t", "").Building; len(building) != 2 {
		t.Fatalf("being built: %v", building)
	}
	for _, cut := range []int{1, 20, 150} {
		passed := b.store.IndexTerms
		b.startIndexing()
		for indexedIn(t, passed) < cut && len(must[api.Type](b, "type.get", "t", "").Building) > 0 {
		}
		left := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 50, RNG: rand.New(rand.NewPCG(1, uint64(cut)))})
		b.stop()
		fs = left
		b = startWith(t, fs, false)
		b.sound()
	}
	b.startIndexing()
	b.untilBuilt("t")
	for _, d := range []string{`["/metadata/a"]`, `"/metadata/l/*"`} {
		for _, v := range []string{"0", "1", "2", "4", "7"} {
			if !agree(b, t, "t", d, []string{v}) {
				t.Errorf("%s is not answered", d)
			}
		}
	}
	b.sound()
	if found, err := b.query("t", `{"/metadata/l/*":1}`); err != nil || len(found) != all {
		t.Errorf("%d are found, %v", len(found), err)
	}
}

// indexedIn is how many collections are found by one of the indexes.
func indexedIn(t *testing.T, terms func(persistence.Partition, persistence.IndexKey) iter.Seq2[persistence.IndexEntry, error]) (n int) {
	t.Helper()
	l, p := lookup.ParseKeys(jsonvalue.NewArray(jsonvalue.NewArray(jsonvalue.NewString("/metadata/a"))), "")
	if p != nil {
		t.Fatal(p)
	}
	key := persistence.IndexKey{Kind: persistence.KindCollection, Name: lookup.IndexName("t", l[0].Number), Provider: "p"}
	for p := range 8 {
		for _, err := range terms(persistence.Partition(p), key) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
	}
	return n
}
