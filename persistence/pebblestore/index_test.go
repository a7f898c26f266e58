package pebblestore_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/entity"
	"concord/persistence"
)

// entries reads an index over all partitions, as "provider entity part".
func entries(t *testing.T, r persistence.IndexReader, key persistence.IndexKey, after persistence.IndexEntry, terms bool) (found []string) {
	t.Helper()
	for p := range r.Partitions() {
		read := r.Index(persistence.Partition(p), key, after)
		if terms {
			read = r.IndexTerms(persistence.Partition(p), key)
		}
		for e, err := range read {
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, fmt.Sprintf("%s %s %s %s", e.Provider, e.Entity, e.Part, e.Value))
		}
	}
	slices.Sort(found)
	return found
}

// TestIndex: what is entered is found under its term, until it is taken out; who reads on begins behind what he has.
func TestIndex(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	for n, part := range []string{"a", "ab", "b"} {
		for entityNumber := range 3 {
			w.do(mixedID(entityNumber), &mixedEvent{Content: true, Part: part, Value: 2 * n}, entity.Meta{Principal: "ann"})
		}
	}
	w.do(mixedID(1), &mixedEvent{Content: true, Part: "ab", Removed: true}, entity.Meta{Principal: "ann"})
	w.line.flush()
	key := persistence.IndexKey{Kind: kindMixed, Name: "mixed.parts", Provider: "lib", Term: "all"}
	want := []string{"lib m0 a value 0", "lib m0 ab value 2", "lib m0 b value 4", "lib m1 a value 0", "lib m1 b value 4",
		"lib m2 a value 0", "lib m2 ab value 2", "lib m2 b value 4"}
	for name, c := range map[string]struct {
		key   persistence.IndexKey
		after persistence.IndexEntry
		terms bool
		want  []string
	}{
		"all under the term":         {key, persistence.IndexEntry{}, false, want},
		"behind a part":              {key, persistence.IndexEntry{Entity: "m2", Part: "a"}, false, []string{"lib m2 ab value 2", "lib m2 b value 4"}},
		"another term":               {persistence.IndexKey{Kind: kindMixed, Name: "mixed.parts", Provider: "lib", Term: "al"}, persistence.IndexEntry{}, false, nil},
		"another provider":           {persistence.IndexKey{Kind: kindMixed, Name: "mixed.parts", Provider: "li", Term: "all"}, persistence.IndexEntry{}, false, nil},
		"another index":              {persistence.IndexKey{Kind: kindMixed, Name: "mixed", Provider: "lib", Term: "all"}, persistence.IndexEntry{}, false, nil},
		"all terms":                  {persistence.IndexKey{Kind: kindMixed, Name: "mixed.parts", Provider: "lib"}, persistence.IndexEntry{}, true, want},
		"all terms of all providers": {persistence.IndexKey{Kind: kindMixed, Name: "mixed.parts"}, persistence.IndexEntry{}, true, want},
		"terms from one on":          {persistence.IndexKey{Kind: kindMixed, Name: "mixed.parts", Provider: "lib", Term: "b"}, persistence.IndexEntry{}, true, nil},
	} {
		got := entries(t, s, c.key, c.after, c.terms)
		if c.after.Entity != "" { // other partitions begin there, too
			got = slices.DeleteFunc(got, func(line string) bool { return line < "lib "+c.after.Entity })
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%q\nnot\n%q", name, got, c.want)
		}
	}
}
