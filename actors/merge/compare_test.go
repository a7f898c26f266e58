package merge

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
)

// TestAgainstDumb: the same value in the same spelling and order, the same conflicts in the same order.
func TestAgainstDumb(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sides := drawnSides(t)
		rules := drawnRules(t, sides)
		compareWithDumb(t, sides, rules, metadata)
	})
}

// TestEachRuleAgainstDumb is the same with values that one rule is made for.
func TestEachRuleAgainstDumb(t *testing.T) {
	numbers := rapid.SampledFrom([]string{`0`, `1`, `1.0`, `2`, `-3`, `0.5`, `1e5000`, `"x"`})
	number := func(t *rapid.T) *jsonvalue.Value { return parsed(numbers.Draw(t, "number")) }
	path := jsonvalue.Pointer{"metadata", "v"}
	for name, row := range map[string]struct {
		rules []Rule
		draw  func(*rapid.T) *jsonvalue.Value
	}{
		"counter": {[]Rule{{Path: path, Strategy: Counter}}, number},
		"max":     {[]Rule{{Path: path, Strategy: Max}}, number},
		"min":     {[]Rule{{Path: path, Strategy: Min}}, number},
		"client":  {[]Rule{{Path: path, Strategy: Client}}, number},
		"server":  {[]Rule{{Path: path, Strategy: Server}}, number},
		"set": {[]Rule{{Path: path, Strategy: Set}}, func(t *rapid.T) *jsonvalue.Value {
			return jsonvalue.NewArray(rapid.SliceOfN(rapid.Custom(number), 0, 5).Draw(t, "elements")...)
		}},
		"keyed": {[]Rule{{Path: path, Strategy: Keyed, Key: "id"}}, drawnFewKeys},
		"keyed, with counters": {[]Rule{
			{Path: path, Strategy: Keyed, Key: "id"},
			{Path: append(slices.Clone(path), "*", "*"), Strategy: Counter},
		}, drawnFewKeys},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				side := func() *jsonvalue.Value {
					if rapid.IntRange(0, 9).Draw(t, "missing") == 0 {
						return jsonvalue.NewObject()
					}
					return jsonvalue.NewObject(jsonvalue.Member{Name: "v", Value: row.draw(t)})
				}
				sides := triple{side(), side(), side()}
				if rapid.IntRange(0, 3).Draw(t, "nothing changed by the client") == 0 {
					sides.client = sides.base
				}
				compareWithDumb(t, sides, row.rules, metadata)
			})
		})
	}
}

// drawnFewKeys draws keyed arrays that have much in common, now and then with a key that is bad.
func drawnFewKeys(t *rapid.T) *jsonvalue.Value {
	one := rapid.SampledFrom([]string{`1`, `1`, `1.0`, `"1"`}).Draw(t, "one")
	keys := rapid.Permutation([]string{`"x"`, `"y"`, `"z"`, one}).Draw(t, "keys")
	keys = keys[rapid.IntRange(0, 2).Draw(t, "removed"):]
	if rapid.IntRange(0, 5).Draw(t, "one more") == 0 {
		keys = append(keys, drawnKeys.Draw(t, "key"))
	}
	var elements []*jsonvalue.Value
	for _, key := range keys {
		n := rapid.IntRange(1, 3).Draw(t, "n")
		elements = append(elements, parsed(fmt.Sprintf(`{"id":%s,"n":%d}`, key, n)))
	}
	return jsonvalue.NewArray(elements...)
}

func compareWithDumb(t interface{ Fatalf(string, ...any) }, sides triple, rules []Rule, at jsonvalue.Pointer) {
	c := compiled(t, rules)
	for _, prefer := range []Side{Neither, ClientSide, ServerSide} {
		merged, conflicts := Merge(sides.base, sides.client, sides.server, c, at, prefer)
		want, wantConflicts := dumbMerge(sides.base, sides.client, sides.server, rules, at, prefer)
		if text(merged) != text(want) || shown(conflicts) != shown(wantConflicts) {
			t.Fatalf("rules %v\nbase   %s\nclient %s\nserver %s\npreferring %d\ngot  %s\n%s\nwant %s\n%s", rules,
				text(sides.base), text(sides.client), text(sides.server), prefer,
				text(merged), shown(conflicts), text(want), shown(wantConflicts))
		}
		for i := range conflicts {
			g, w := conflicts[i], wantConflicts[i]
			if g.Base != w.Base || g.Client != w.Client || g.Server != w.Server {
				t.Fatalf("values of the conflict at %s", g.Path)
			}
		}
	}
}
