package entity_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"concord/actors/entity"
)

// TestSomeOfTheParts: a want of the next parts behind one finds these, whatever of them is on its way to the store, made or
// removed, and reads no more than it has to.
func TestSomeOfTheParts(t *testing.T) {
	inBubble(t, func(n *node) {
		id := toyID("a")
		for _, part := range []uint64{1, 2, 3, 5, 6, 7, 8, 9} {
			n.do(id, add(apart+part), by("ann"))
		}
		n.do(id, add(removes+2), by("ann"))
		letGo := n.hold()
		defer letGo()
		for _, number := range []uint64{removes + 5, apart + 4} {
			n.send(&entity.Envelope{Entity: id, Command: add(number), Meta: by("ann")})
		}
		for _, row := range []struct {
			from   string
			most   int
			want   string
			atMost int
		}{
			{"", 3, "p/0001 p/0003 p/0004", 4},
			{"p/0001", 2, "p/0003 p/0004", 3},
			{"p/0004", 2, "p/0006 p/0007", 2},
			{"p/0007", 9, "p/0008 p/0009", 2},
			{"p/0009", 9, "", 0},
			{"", 0, "p/0001 p/0003 p/0004 p/0006 p/0007 p/0008 p/0009", 7},
		} {
			var found []string
			n.send(&entity.Envelope{Entity: id, DryRun: true, Meta: by("ann"), Command: &toyCommand{Lacks: func(f entity.Facts) []entity.Want {
				all, ok := f.All()
				if !ok {
					return []entity.Want{{All: true, From: row.from, Most: row.most}}
				}
				found = slices.Sorted(maps.Keys(all))
				return nil
			}}})
			first := found
			if row.most > 0 {
				first = found[:min(row.most, len(found))]
			}
			if strings.Join(first, " ") != row.want || len(found) > row.atMost {
				t.Errorf("%d behind %q: %q", row.most, row.from, found)
			}
		}
	})
}
