package propagation

import (
	"testing"

	"pgregory.net/rapid"
)

// TestARetryThatBreaksCountsNoLinkTwice: a collection that cannot be asked at all when its failed documents are tried again
// leaves the failures as they were: the next retry is about the same links.
func TestARetryThatBreaksCountsNoLinkTwice(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		must := func(c Command) {
			t.Helper()
			if err := w.do(c); err != nil {
				t.Fatalf("%T: %v", c, err)
			}
		}
		w.plan = []Row{{Collection: "a", Links: 10, Documents: 2}, {Collection: "b", Links: 5, Documents: 1}}
		must(&Plan{Rows: w.plan})
		must(&PlanDone{Chunks: 1})
		must(&Start{})
		failed := func(collection string, links ...uint64) (o Outcome) {
			for i, n := range links {
				o.Failed += n
				o.Failures = append(o.Failures, Failure{Collection: collection, Document: string(rune('d' + i)), Links: n, Cause: "too large"})
			}
			return o
		}
		must(&Progress{From: w.state.Cursor, Rows: []Outcome{failed("a", 4, 6), failed("b", 5)}})
		must(&Finish{})
		for range rapid.IntRange(1, 4).Draw(t, "rounds") {
			must(&Retry{})
			must(&Progress{From: w.state.Cursor, Open: []OpenOutcome{
				{Collection: "a", Outcome: Outcome{End: Broken, Why: "the store is not to be read"}},
				{Collection: "b", Looked: []string{"d"}, Outcome: failed("b", 5)}}})
			must(&Finish{})
			if s := &w.state; s.Counts.Total() != 15 || s.Counts.Failed != 15 {
				t.Fatalf("of 15 links, which have all failed: %+v", s.Counts)
			}
		}
		must(&Retry{})
		must(&Progress{From: w.state.Cursor, Open: []OpenOutcome{
			{Collection: "a", Looked: []string{"d", "e"}, Outcome: Outcome{Tally: Tally{Updated: 10}}},
			{Collection: "b", Looked: []string{"d"}, Outcome: Outcome{Tally: Tally{Updated: 5}}}}})
		must(&Finish{})
		if s := &w.state; s.Status != Completed || s.Counts != (Counts{Updated: 15}) || s.Failures != 0 {
			t.Fatalf("%s, %+v, %d failures", s.Status, s.Counts, s.Failures)
		}
	})
}
