package operations

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestIDSet: it is what a map is whose keys are sorted for each page.
func TestIDSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s idSet
		model := make(map[string]bool)
		ids := rapid.IntRange(0, 5*leafMaxIDs)
		check := func() {
			after, most := fmt.Sprintf("%05d", ids.Draw(t, "after")), rapid.IntRange(0, 2*leafMaxIDs).Draw(t, "most")
			var want []string
			for _, id := range slices.Sorted(maps.Keys(model)) {
				if id > after && len(want) < most {
					want = append(want, id)
				}
			}
			if got := s.after(after, most); !slices.Equal(got, want) {
				t.Fatalf("after %s are %v, not %v", after, got, want)
			}
			if s.empty() != (len(model) == 0) {
				t.Fatalf("%d ids, and empty is %v", len(model), s.empty())
			}
		}
		for range rapid.IntRange(1, 20).Draw(t, "rounds") {
			from, n, step := ids.Draw(t, "from"), ids.Draw(t, "count"), rapid.IntRange(1, 3).Draw(t, "step")
			add := rapid.IntRange(0, 2).Draw(t, "add") > 0
			for i := range n {
				id := fmt.Sprintf("%05d", from+i*step)
				if add {
					s.add(id)
					model[id] = true
				} else {
					s.remove(id)
					delete(model, id)
				}
			}
			check()
		}
		for id := range model {
			s.remove(id)
			delete(model, id)
		}
		check()
	})
}
