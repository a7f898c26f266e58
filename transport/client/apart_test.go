package client_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
	"concord/actors/merge"
	"concord/transport/client"
)

func parsed(t testing.TB, text string) *jsonvalue.Value {
	t.Helper()
	if text == "" {
		return nil
	}
	v, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestDifferentMembers(t *testing.T) {
	for name, row := range map[string]struct {
		base, client, server string
		want                 bool
	}{
		"one side changed nothing":           {`{"a":1}`, `{"a":1}`, `[2]`, true},
		"nor did the other":                  {`{"a":1}`, ``, `{"a":1.0}`, true},
		"different members":                  {`{"a":1,"b":1}`, `{"a":2,"b":1}`, `{"a":1,"b":2}`, true},
		"different members of a member":      {`{"o":{"a":1}}`, `{"o":{"a":2}}`, `{"o":{"a":1,"b":2}}`, true},
		"one member, differently":            {`{"a":1}`, `{"a":2}`, `{"a":3}`, false},
		"one member, alike":                  {`{"a":1,"b":1}`, `{"a":2,"b":1}`, `{"a":2,"b":2}`, false},
		"both added one, alike":              {`{}`, `{"a":1}`, `{"a":1}`, false},
		"both removed one":                   {`{"a":1,"b":1}`, `{"b":1}`, `{"b":2}`, false},
		"both made the document, of two":     {``, `{"a":1}`, `{"b":1}`, true},
		"one removed what the other changed": {`{"a":1}`, ``, `{"a":2}`, false},
		"a list":                             {`[1]`, `[1,2]`, `[0,1]`, false},
	} {
		if got := client.DifferentMembers(parsed(t, row.base), parsed(t, row.client), parsed(t, row.server)); got != row.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func drawValue(t *rapid.T, depth int) string {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "leaf") == 0 {
		return rapid.SampledFrom([]string{"1", "2", "[1]", "[1,2]", "null"}).Draw(t, "value")
	}
	var members []string
	for _, name := range []string{"a", "b", "c"} {
		if rapid.Bool().Draw(t, "has "+name) {
			members = append(members, fmt.Sprintf("%q:%s", name, drawValue(t, depth-1)))
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// TestDifferentMembersMergeWithoutLoss: what passes has no conflict, whichever side is called client, and each side's changes
// are in the outcome: merged with the outcome it changes nothing more.
func TestDifferentMembersMergeWithoutLoss(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		base, one, other := parsed(t, drawValue(rt, 3)), parsed(t, drawValue(rt, 3)), parsed(t, drawValue(rt, 3))
		if !client.DifferentMembers(base, one, other) {
			return // they overlap
		}
		if !client.DifferentMembers(base, other, one) {
			rt.Fatal("it depends on who is the client")
		}
		at := jsonvalue.Pointer{"documents", "x"}
		merged, conflicts := merge.Merge(base, one, other, nil, at, merge.Neither)
		if len(conflicts) > 0 {
			rt.Fatalf("conflicts %v", conflicts)
		}
		for _, side := range []*jsonvalue.Value{one, other} {
			again, conflicts := merge.Merge(base, side, merged, nil, at, merge.Neither)
			if len(conflicts) > 0 || !jsonvalue.Equal(again, merged) {
				rt.Fatalf("a change is not in %s", merged.Text())
			}
		}
	})
}
