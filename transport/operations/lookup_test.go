package operations

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collectiontype"
	"concord/actors/host"
	"concord/actors/jobs"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport/api"
)

// newIndexer makes what builds keys and indexes; it does so once startIndexing was called.
func (b *bench) newIndexer(h *host.Host) {
	b.built = make(chan string, 1000)
	b.indexer = jobs.NewIndexer(b.store, h, jobs.NewCourtesy(h), jobs.DefaultSettings, slog.New(slog.DiscardHandler))
	b.stopIndexing = func() {}
}

func (b *bench) startIndexing() {
	ctx, cancel := context.WithCancel(context.Background())
	var working sync.WaitGroup
	working.Go(func() { b.indexer.Run(ctx) })
	b.stopIndexing = sync.OnceFunc(func() {
		cancel()
		working.Wait()
	})
}

func (b *bench) noteBuilt(group []*persistence.Entry) {
	b.indexer.Committed(group)
	for _, e := range group {
		for i := range e.Records {
			if e.Records[i].Record.GetType() == collectiontype.TypeBuilt {
				b.built <- e.Entity.ID
			}
		}
	}
}

// untilBuilt waits until nothing of the type is being built.
func (b *bench) untilBuilt(typ string) {
	b.t.Helper()
	for len(must[api.Type](b, "type.get", typ, "").Building) > 0 {
		<-b.built
	}
}

// looked runs one look-up on the store as it is now.
func looked[T any](b *bench, typ string, do func(*lookups) (T, error)) (found T, err error) {
	b.t.Helper()
	view := b.store.View()
	defer func() {
		if err := view.Close(); err != nil {
			b.t.Error(err)
		}
	}()
	l, err := b.service.lookup(view, "p", typ)
	if err != nil {
		return found, err
	}
	return do(l)
}

func (b *bench) query(typ, query string) ([]string, error) {
	b.t.Helper()
	v, err := jsonvalue.Parse([]byte(query))
	if err != nil {
		b.t.Fatal(err)
	}
	return looked(b, typ, func(l *lookups) ([]string, error) { return l.query(context.Background(), v, "/targets/query", 1000) })
}

func (b *bench) keys(typ string, keys ...string) ([][]string, error) {
	b.t.Helper()
	values := make([]*jsonvalue.Value, len(keys))
	for i, k := range keys {
		var err error
		if values[i], err = jsonvalue.Parse([]byte(k)); err != nil {
			b.t.Fatal(err)
		}
	}
	return looked(b, typ, func(l *lookups) ([][]string, error) {
		return l.keys(context.Background(), values, func(i int) string { return fmt.Sprintf("/targets/keys/%d", i) })
	})
}

const catalogueType = `{"keys":[["/metadata/ShortName","/metadata/Version"]],
	"indexes":["/metadata/Platforms/*/ShortName","/metadata/DOI","/metadata/Depth"]}`

// catalogue is a few collections of a type, and one of none.
func catalogue(t *testing.T) *bench {
	b := startWith(t, vfs.NewMem(), true)
	must[any](b, "type.put", "dif", catalogueType)
	for id, metadata := range map[string]string{
		"modis":  `{"ShortName":"MOD02","Version":"6","DOI":"10.1/a","Depth":1,"Platforms":[{"ShortName":"Terra"},{"ShortName":"Aqua"}]}`,
		"modis5": `{"ShortName":"MOD02","Version":"5","DOI":"10.1/b","Depth":1.0,"Platforms":[{"ShortName":"Terra"}]}`,
		"copy":   `{"ShortName":"MOD02","Version":"6","DOI":null,"Depth":"1","Platforms":{"a":{"ShortName":"Aqua"}}}`,
		"bare":   `{"ShortName":"MOD02","DOI":{"DOI":"10.1/a"},"Platforms":[]}`,
	} {
		must[any](b, "collection.put", id, `{"type":"dif","metadata":`+metadata+`}`)
	}
	must[any](b, "collection.put", "other", `{"metadata":{"ShortName":"MOD02","Version":"6","DOI":"10.1/a"}}`)
	b.untilBuilt("dif")
	return b
}

func TestQueries(t *testing.T) {
	b := catalogue(t)
	for query, want := range map[string]string{
		`{"/metadata/DOI":"10.1/a"}`:                                                  "modis",
		`{"/metadata/DOI":null}`:                                                      "copy",
		`{"/metadata/DOI":"10.1/A"}`:                                                  "",
		`{"/metadata/Depth":1}`:                                                       "modis modis5",
		`{"/metadata/Depth":10e-1}`:                                                   "modis modis5",
		`{"/metadata/Depth":"1"}`:                                                     "copy",
		`{"/metadata/Depth":true}`:                                                    "",
		`{"/metadata/Platforms/*/ShortName":"Aqua"}`:                                  "copy modis",
		`{"/metadata/Platforms/*/ShortName":"Terra"}`:                                 "modis modis5",
		`{"/metadata/Platforms/*/ShortName":"Terra","/metadata/DOI":"10.1/b"}`:        "modis5",
		`{"/metadata/Platforms/*/ShortName":"Aqua","/metadata/DOI":"10.1/b"}`:         "",
		`{"/metadata/Version":"6","/metadata/ShortName":"MOD02"}`:                     "copy modis",
		`{"/metadata/Version":"6","/metadata/ShortName":"MOD02","/metadata/Depth":1}`: "modis",
	} {
		ids, err := b.query("dif", query)
		if got := strings.Join(ids, " "); err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", query, got, err, want)
		}
	}
	b.sound()
}

func TestQueriesThatCannotBe(t *testing.T) {
	b := catalogue(t)
	for query, want := range map[string]struct {
		code problem.Code
		path string
		text string
	}{
		`{}`:                                  {problem.Invalid, "/targets/query", "must be an object {path: value, ...}"},
		`[]`:                                  {problem.Invalid, "/targets/query", "must be an object"},
		`{"/metadata/DOI":["10.1/a"]}`:        {problem.Invalid, "/targets/query/~1metadata~1DOI", "must be a string, a number, true, false or null"},
		`{"DOI":"10.1/a"}`:                    {problem.Invalid, "/targets/query/DOI", "must be a JSON Pointer below /metadata"},
		`{"/metadata/Nothing":1}`:             {problem.SchemaInvalid, "/targets/query/~1metadata~1Nothing", "the index /metadata/DOI, the index /metadata/Depth"},
		`{"/metadata/Version":"6"}`:           {problem.SchemaInvalid, "/targets/query/~1metadata~1Version", "the key /metadata/ShortName with /metadata/Version"},
		`{"/metadata/DOI":1,"/metadata/X":1}`: {problem.SchemaInvalid, "/targets/query/~1metadata~1X", "there is no such index"},
	} {
		_, err := b.query("dif", query)
		p := problem.Of(err)
		if err == nil || p.Code != want.code || len(p.Errors) != 1 || p.Errors[0].Path != want.path || !strings.Contains(p.Error(), want.text) {
			t.Errorf("%s: %v, want %+v", query, err, want)
		}
	}
	if _, err := b.query("nothing", `{"/metadata/DOI":1}`); problem.Of(err).Code != problem.NotFound {
		t.Errorf("a type that is not there: %v", err)
	}
	ids, err := looked(b, "dif", func(l *lookups) ([]string, error) {
		return l.query(context.Background(), jsonvalue.NewObject(jsonvalue.Member{Name: "/metadata/DOI", Value: jsonvalue.NewString("10.1/a")}), "", 0)
	})
	if problem.Of(err).Code != problem.TooLarge {
		t.Errorf("more than are asked for: %v, %v", ids, err)
	}
}

func TestKeys(t *testing.T) {
	b := catalogue(t)
	found, err := b.keys("dif",
		`{"/metadata/ShortName":"MOD02","/metadata/Version":"5"}`,
		`{"/metadata/Version":"7","/metadata/ShortName":"MOD02"}`,
		`{"/metadata/ShortName":"MOD02","/metadata/Version":"6"}`,
		`{"/metadata/ShortName":"MOD02","/metadata/Version":"5"}`,
		`{"/metadata/ShortName":"MOD02","/metadata/Version":6}`)
	want := [][]string{{"modis5"}, nil, {"copy", "modis"}, {"modis5"}, nil}
	if err != nil || !slices.EqualFunc(found, want, slices.Equal) {
		t.Errorf("%v, %v; want %v", found, err, want)
	}
	for key, code := range map[string]problem.Code{
		`{"/metadata/ShortName":"MOD02"}`: problem.SchemaInvalid,
		`{"/metadata/DOI":"10.1/a"}`:      problem.SchemaInvalid, // an index is no key
		`{"/metadata/ShortName":"MOD02","/metadata/Version":"6","/metadata/DOI":"10.1/a"}`: problem.SchemaInvalid,
		`{"/metadata/ShortName":"MOD02","/metadata/Version":[]}`:                           problem.Invalid,
	} {
		if _, err := b.keys("dif", `{"/metadata/ShortName":"a","/metadata/Version":"b"}`, key); problem.Of(err).Code != code ||
			!strings.HasPrefix(problem.Of(err).Errors[0].Path, "/targets/keys/1") {
			t.Errorf("%s: %v, want %s", key, err, code)
		}
	}
}

// TestManyKeys: keys that stand close to one another are read in one go, and others jumped to; all are found.
func TestManyKeys(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	must[any](b, "type.put", "dif", catalogueType)
	var keys []string
	want := make([][]string, 300)
	for i := range want {
		key := func(n int) string { return fmt.Sprintf(`"ShortName":"s%03d","Version":"%d"`, n, n%7) }
		if i%3 > 0 {
			id := fmt.Sprintf("c%03d", i)
			must[any](b, "collection.put", id, `{"type":"dif","metadata":{`+key(i)+`}}`)
			want[i] = []string{id}
		}
		keys = append(keys, "{"+strings.NewReplacer(`"ShortName"`, `"/metadata/ShortName"`, `"Version"`, `"/metadata/Version"`).Replace(key(i))+"}")
	}
	b.untilBuilt("dif")
	for _, every := range []int{1, 2, 40, 299} {
		var some []string
		var expected [][]string
		for i := 0; i < len(keys); i += every {
			some, expected = append(some, keys[len(keys)-1-i]), append(expected, want[len(keys)-1-i])
		}
		if found, err := b.keys("dif", some...); err != nil || !slices.EqualFunc(found, expected, slices.Equal) {
			t.Errorf("every %dth: %v, %v; want %v", every, found, err, expected)
		}
	}
}
