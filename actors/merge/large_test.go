package merge

import (
	"bytes"
	"strings"
	"testing"

	"concord/actors/jsonvalue"
)

// TestLargeValues: the laws hold for each shape of the benchmarks, and for hostile ones, at the size of a document. Work
// that grows faster than the values would be noticed by whoever waits for this test.
func TestLargeValues(t *testing.T) {
	const documentBytes = 512 << 10
	digits := strings.Repeat("7", documentBytes/2)
	hostile := []shape{
		{"long counters", []Rule{{Path: metadata, Strategy: Counter}}, func(int) [3]string {
			return [3]string{"1" + digits, "2" + digits, "3" + digits}
		}},
		{"far exponents", []Rule{{Path: metadata, Strategy: Counter}}, func(int) [3]string {
			return [3]string{"1e" + digits, "1e-" + digits, "3"}
		}},
		{"long keys", []Rule{{Path: metadata, Strategy: Keyed, Key: "k"}}, func(int) [3]string {
			return [3]string{`[{"k":1` + digits + `}]`, `[{"k":0.` + digits + `}]`, `[{"k":1` + digits + `e9}]`}
		}},
		{"elements without end", []Rule{{Path: metadata, Strategy: Keyed, Key: "k"}}, func(size int) [3]string {
			bad := "[" + strings.Repeat(`{"k":"k"},`, size/10) + `{"k":"k"}]`
			return [3]string{"[]", bad, `[{"k":1}]`}
		}},
		{"one element again and again", []Rule{{Path: metadata, Strategy: Set}}, func(size int) [3]string {
			return [3]string{"[1]", "[" + strings.Repeat("2,", size/2) + "2]", "[" + strings.Repeat("1.0,", size/4) + "3]"}
		}},
	}
	for _, s := range append(hostile, shapes...) {
		t.Run(s.name, func(t *testing.T) {
			sides, rules := s.parsed(documentBytes), compiled(t, s.rules)
			base, client, server := sides.base, sides.client, sides.server
			if merged, conflicts := Merge(base, base, server, rules, metadata, Neither); merged != server || len(conflicts) > 0 {
				t.Error("merge(b, b, s) is not s")
			}
			if merged, conflicts := Merge(base, client, base, rules, metadata, Neither); !jsonvalue.Equal(merged, client) || len(conflicts) > 0 {
				t.Error("merge(b, c, b) is not c")
			}
			merged, conflicts := Merge(base, client, server, rules, metadata, ClientSide)
			read, err := jsonvalue.Parse(merged.Text())
			if err != nil || !bytes.Equal(read.Text(), merged.Text()) {
				t.Fatal(err)
			}
			for _, c := range conflicts {
				if got := found(s.rules, merged, c.Path); !jsonvalue.Equal(got, c.Client) {
					t.Fatalf("%.200s at %s", text(got), c.Path)
				}
				if len(conflicts) > 100 {
					break // found searches from the top
				}
			}
		})
	}
}
