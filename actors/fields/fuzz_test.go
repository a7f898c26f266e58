package fields

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// fuzzMaxBytes bounds what the targets look at: beyond it they would find nothing but time.
const fuzzMaxBytes = 8 << 10

// seeds are the lines of the cases that begin with a word.
func seeds(f *testing.F, word string) (lines []string) {
	files, _ := filepath.Glob("testdata/*.txt")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, word+" "); ok {
				lines = append(lines, strings.TrimSpace(rest))
			}
		}
	}
	return lines
}

// refusedWell: each place of a problem is below the path, and is a pointer.
func refusedWell(t *testing.T, p *problem.Problem, path string) {
	t.Helper()
	if p.Code != problem.Invalid || len(p.Errors) == 0 || len(p.Errors) > faultsMax {
		t.Fatalf("%v", p)
	}
	for _, e := range p.Errors {
		if _, err := jsonvalue.ParsePointer(e.Path); err != nil || !strings.HasPrefix(e.Path, path) || e.Message == "" {
			t.Fatalf("%q: %s (%v)", e.Path, e.Message, err)
		}
	}
}

// FuzzPath: a path is a part and a way below it, or is refused.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/metadata", "/metadata/a~1b/*/0", "/documents/*/x", "/documents/one", "/documents/../x", "/documents/\x7f", "", "x", "/~"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, p := Parse([]byte(`[{"type":"MERGE_PATCH","value":1,"path":`+quote(text)+`}]`), nil, "/i")
		if p != nil {
			refusedWell(t, p, "/i")
			return
		}
		in := list[0]
		at := jsonvalue.Pointer{tokenMetadata}
		switch in.Part.Kind {
		case Metadata:
		case OneDocument:
			at = jsonvalue.Pointer{tokenDocuments, in.Part.Document}
		case EveryDocument:
			at = jsonvalue.Pointer{tokenDocuments, jsonvalue.AnyToken}
		}
		if got := append(at, in.rest...).String(); got != in.Path.String() || len(in.Path) > pathMaxTokens {
			t.Fatalf("%q is %q", text, got)
		}
	})
}

// FuzzMatch: a find that is taken matches what the dumb matcher does.
func FuzzMatch(f *testing.F) {
	f.Add(`{"a":{"$contains":"x"},"b":{"$in":[1,"1",{}]}}`, `{"a":"axa","b":1.0}`)
	f.Add(`{"a":{"b":1,"c":{"$eq":{"d":[]}}}}`, `{"a":{"c":{"d":[]},"b":10e-1,"e":null}}`)
	f.Add(`{"$contains":{"a":{"$contains":1}}}`, `[{"a":[0,1]}]`)
	f.Fuzz(func(t *testing.T, find, text string) {
		v, err := jsonvalue.Parse([]byte(text))
		if err != nil || len(find) > fuzzMaxBytes || len(text) > fuzzMaxBytes {
			return
		}
		compareMatching(t, find, v)
	})
}

// FuzzParse: instructions and aliases are taken, or refused with places.
func FuzzParse(f *testing.F) {
	for _, seed := range seeds(f, "do") {
		f.Add("["+seed+"]", `{"F":{"path":"/metadata/l","operations":["ADD_TO_EXISTING"],"maxItems":3}}`)
	}
	for _, seed := range seeds(f, "fields") {
		f.Add(`[{"type":"CLEAR_FIELD","field":"SCIENCE_KEYWORDS"}]`, seed)
	}
	f.Fuzz(func(t *testing.T, text, fields string) {
		if len(text) > fuzzMaxBytes || len(fields) > fuzzMaxBytes {
			return
		}
		var aliases map[string]Alias
		if v, err := jsonvalue.Parse([]byte(fields)); err == nil {
			var p *problem.Problem
			if aliases, p = ParseAliases(v, "/fields"); p != nil {
				refusedWell(t, p, "/fields")
			}
		}
		list, p := Parse([]byte(text), aliases, "/instructions")
		if (p == nil) != (len(list) > 0) {
			t.Fatalf("%d instructions and %v", len(list), p)
		}
		if p != nil {
			refusedWell(t, p, "/instructions")
		}
		for _, in := range list {
			if in.kind == nil || in.Path == nil || in.PerItem() == (in.action.at != nil) {
				t.Fatalf("half an instruction: %+v", in)
			}
		}
	})
}

// FuzzApply: any instructions on any record and item give an outcome, the same each time, and leave their inputs alone.
func FuzzApply(f *testing.F) {
	contents := append(seeds(f, "metadata"), `{"l":[1,{"id":1}]}`)
	documents := append(seeds(f, "document d"), string(marcRecord(f, "001 x | 650 _0 $a Jazz $9 n1").Text()))
	items := append(seeds(f, "item"), `{"id":"x"}`)
	for i, seed := range seeds(f, "do") {
		f.Add("["+seed+"]", contents[i%len(contents)], documents[i%len(documents)], items[i%len(items)])
	}
	f.Fuzz(func(t *testing.T, text, metadata, document, item string) {
		list, p := Parse([]byte(text), nil, "")
		meta, err1 := jsonvalue.Parse([]byte(metadata))
		doc, err2 := jsonvalue.Parse([]byte(document))
		it, err3 := jsonvalue.Parse([]byte(item))
		if p != nil || err1 != nil || err2 != nil || err3 != nil || meta.Kind() != jsonvalue.Object || len(text)+len(metadata)+len(document)+len(item) > fuzzMaxBytes {
			return
		}
		r := Record{Metadata: meta, Documents: []Document{{"one", doc}, {"two", meta}}}
		before := texts(r)
		o := ApplyAll(list, r, it)
		if again := ApplyAll(list, r, it); shown(again) != shown(o) {
			t.Fatalf("%s, then %s", shown(o), shown(again))
		}
		if texts(r) != before {
			t.Fatal("an input was written to")
		}
		checkOutcome(t, r, o)
		for _, v := range append([]*jsonvalue.Value{o.Metadata}, valuesOf(o.Documents)...) {
			if v == nil {
				continue
			}
			if again, err := jsonvalue.Parse(v.Text()); err != nil || !jsonvalue.Equal(again, v) {
				t.Fatalf("%s is no JSON: %v", v.Text(), err)
			}
		}
	})
}

func valuesOf(documents []Document) (all []*jsonvalue.Value) {
	for _, d := range documents {
		all = append(all, d.Value)
	}
	return all
}
