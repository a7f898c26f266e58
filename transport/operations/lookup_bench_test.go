package operations

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/jsonvalue"
)

// BenchmarkIndexedWrites is a write of metadata, by four values and a key that stand in indexes, or in none, beside so many other
// collections.
func BenchmarkIndexedWrites(b *testing.B) {
	for _, typ := range []string{"plain", "indexed"} {
		for _, others := range []int{1000, 100_000} {
			b.Run(fmt.Sprintf("%s/collections=%d", typ, others), func(b *testing.B) {
				s := indexedShelves(b, others)
				const written = 1000
				for i := range written {
					must[any](s, "collection.put", fmt.Sprintf("c%d", i), metadataOf(typ, i))
				}
				for i := 0; b.Loop(); i++ {
					must[any](s, "collection.put", fmt.Sprintf("c%d", i%written), metadataOf(typ, i))
				}
			})
		}
	}
}

// BenchmarkLookups is one key, a thousand keys at once, and a query for a hundredth of the collections.
func BenchmarkLookups(b *testing.B) {
	for _, others := range []int{1000, 100_000} {
		s := indexedShelves(b, others)
		key := func(n int) *jsonvalue.Value {
			return jsonvalue.NewObject(jsonvalue.Member{Name: "/metadata/name", Value: jsonvalue.NewString(fmt.Sprintf("n%d", n))})
		}
		keys := func(n int) func(*lookups) ([][]string, error) {
			var list []*jsonvalue.Value
			for i := range n {
				list = append(list, key(i*(others/n)))
			}
			return func(l *lookups) ([][]string, error) {
				return l.keys(context.Background(), list, func(int) string { return "" })
			}
		}
		for _, n := range []int{1, 1000} {
			b.Run(fmt.Sprintf("keys=%d/collections=%d", n, others), func(b *testing.B) {
				do := keys(n)
				for b.Loop() {
					if found, err := looked(s, "indexed", do); err != nil || len(found[n-1]) != 1 {
						b.Fatal(found, err)
					}
				}
			})
		}
		b.Run(fmt.Sprintf("query/collections=%d", others), func(b *testing.B) {
			for b.Loop() {
				if found, err := s.query("indexed", `{"/metadata/tags/*":7}`); err != nil || len(found) != min(1000, others/100) {
					b.Fatal(len(found), err)
				}
			}
		})
	}
}

func metadataOf(typ string, n int) string {
	return fmt.Sprintf(`{"type":"%s","metadata":{"name":"n%d","tags":[%d,"a","b"],"n":%d}}`, typ, n, n%100, n)
}

// indexedShelves is a service with so many collections of a type with indexes, and of one without; all of them are built.
func indexedShelves(t testing.TB, n int) *bench {
	t.Helper()
	s := startWith(t, vfs.NewMem(), true)
	must[any](s, "type.put", "plain", `{}`)
	must[any](s, "type.put", "indexed", `{"keys":[["/metadata/name"]],"indexes":["/metadata/tags/*","/metadata/n"]}`)
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := w; i < n; i += 8 {
				must[any](s, "collection.put", fmt.Sprintf("x%d", i), metadataOf("indexed", i))
			}
		})
	}
	writers.Wait()
	s.untilBuilt("indexed")
	return s
}
