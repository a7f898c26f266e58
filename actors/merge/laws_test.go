package merge

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
)

// What notices which mistake. Each was planted by hand once; the cases of testdata noticed all of them, too.
//   - a side that is not compared with the base: TestOneSideChanged, TestNoDecisionIsLost
//   - the wrong side preferred, or preferred off the conflicts: TestPreferenceDecidesConflictsOnly
//   - a conflict that is forgotten, of the wrong kind, or out of order: TestConflictsDoNotDependOnTheNames
//   - an element lost, or in the wrong order: TestOrderOfElements
//   - a star that beats a name, a rule that the client may not have: TestAgainstDumb, TestOneSideChanged
//   - a counter without its base, max where one side changed it, a set that keeps or revives, a bad key let in:
//     TestEachRuleAgainstDumb
//   - a rule refused that can be reached: TestRefusedRulesAreNeverReached

var metadata = jsonvalue.Pointer{"metadata"}

// TestBothMadeTheSame: merge(b, x, x) = x. A counter alone may differ: what both have counted adds up.
func TestBothMadeTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sides := drawnSides(t)
		rules := drawnRules(t, sides, Counter)
		merged, conflicts := Merge(sides.base, sides.client, sides.client, compiled(t, rules), metadata, Neither)
		if merged != sides.client || len(conflicts) > 0 {
			t.Fatalf("%s became %s, %s", text(sides.client), text(merged), shown(conflicts))
		}
		rules = drawnRules(t, sides)
		merged, conflicts = Merge(sides.base, sides.client, sides.client, compiled(t, rules), metadata, ClientSide)
		differsOnlyAt(t, Counter, rules, metadata, sides.client, merged)
		for _, c := range conflicts { // sums of too many digits
			if r, ok := dumbRule(rules, metadata, c.Path); !ok || r.Strategy != Counter {
				t.Fatalf("conflict at %s", c.Path)
			}
		}
	})
}

// TestOneSideChanged: merge(b, b, s) = s, whatever the rules, and merge(b, c, b) = c but for what is the server's.
func TestOneSideChanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sides := drawnSides(t)
		rules := drawnRules(t, sides)
		merged, conflicts := Merge(sides.base, sides.base, sides.server, compiled(t, rules), metadata, Neither)
		if merged != sides.server || len(conflicts) > 0 {
			t.Fatalf("rules %v\n%s to %s by the server: %s, %s", rules, text(sides.base), text(sides.server), text(merged), shown(conflicts))
		}
		merged, conflicts = Merge(sides.base, sides.client, sides.base, compiled(t, rules), metadata, Neither)
		if len(conflicts) > 0 {
			t.Fatalf("conflicts %s", shown(conflicts))
		}
		differsOnlyAt(t, Server, rules, metadata, sides.client, merged)
		rules = drawnRules(t, sides, Server)
		merged, conflicts = Merge(sides.base, sides.client, sides.base, compiled(t, rules), metadata, Neither)
		if !jsonvalue.Equal(merged, sides.client) || len(conflicts) > 0 {
			t.Fatalf("rules %v\n%s to %s by the client: %s, %s", rules, text(sides.base), text(sides.client), text(merged), shown(conflicts))
		}
	})
}

// differsOnlyAt fails unless got is want, but for places with a rule of the strategy.
func differsOnlyAt(t *rapid.T, strategy Strategy, rules []Rule, path jsonvalue.Pointer, want, got *jsonvalue.Value) {
	r, ruled := dumbRule(rules, metadata, path)
	switch {
	case ruled && r.Strategy == strategy, jsonvalue.Equal(want, got):
		return
	case is(jsonvalue.Object, want, got), ruled && r.Strategy == Keyed && is(jsonvalue.Array, want, got):
	default:
		t.Fatalf("rules %v\nat %s there is %s, want %s", rules, path, text(got), text(want))
	}
	a, b := named(want, r.Key), named(got, r.Key)
	for _, m := range slices.Concat(a, b) {
		below := append(slices.Clone(path), m.Name)
		differsOnlyAt(t, strategy, rules, below, get(a, m.Name), get(b, m.Name))
	}
}

// named are the members of an object, or the elements of a keyed array by their tokens.
func named(v *jsonvalue.Value, key string) []jsonvalue.Member {
	if v.Kind() == jsonvalue.Object {
		return v.Members()
	}
	var members []jsonvalue.Member
	for _, e := range v.Elements() {
		if k, ok := e.Get(key); ok && (is(jsonvalue.String, k) || is(jsonvalue.Number, k)) {
			members = append(members, jsonvalue.Member{Name: dumbToken(k), Value: e})
		}
	}
	return members
}

// TestConflictsDoNotDependOnTheNames: who is called client has no say in where the conflicts are.
func TestConflictsDoNotDependOnTheNames(t *testing.T) {
	mirrored := map[Kind]Kind{DeleteModify: ModifyDelete, ModifyDelete: DeleteModify}
	rapid.Check(t, func(t *rapid.T) {
		sides := drawnSides(t)
		rules := drawnRules(t, sides)
		_, conflicts := Merge(sides.base, sides.client, sides.server, compiled(t, rules), metadata, Neither)
		_, swapped := Merge(sides.base, sides.server, sides.client, compiled(t, rules), metadata, Neither)
		for i, c := range swapped {
			if kind, ok := mirrored[c.Kind]; ok {
				swapped[i].Kind = kind
			}
		}
		if shown(conflicts) != shown(swapped) {
			t.Fatalf("%s\nand with the sides swapped\n%s", shown(conflicts), shown(swapped))
		}
		byPath := func(a, b Conflict) int { return slices.Compare(a.Path, b.Path) }
		if !slices.IsSortedFunc(conflicts, byPath) {
			t.Fatalf("not sorted: %s", shown(conflicts))
		}
		for i := 1; i < len(conflicts); i++ {
			if above := conflicts[i-1].Path; strings.HasPrefix(conflicts[i].Path.String()+"/", above.String()+"/") {
				t.Fatalf("conflict at %s and inside it", above)
			}
		}
	})
}

// TestPreferenceDecidesConflictsOnly: at the conflicts stands the preferred side's value; all else is the same, whoever is
// preferred.
func TestPreferenceDecidesConflictsOnly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sides := drawnSides(t)
		rules := drawnRules(t, sides)
		c := compiled(t, rules)
		_, conflicts := Merge(sides.base, sides.client, sides.server, c, metadata, Neither)
		client, clientConflicts := Merge(sides.base, sides.client, sides.server, c, metadata, ClientSide)
		server, serverConflicts := Merge(sides.base, sides.client, sides.server, c, metadata, ServerSide)
		if shown(conflicts) != shown(clientConflicts) || shown(conflicts) != shown(serverConflicts) {
			t.Fatalf("other conflicts with a preference")
		}
		for _, conflict := range conflicts {
			if got := found(rules, client, conflict.Path); !jsonvalue.Equal(got, conflict.Client) {
				t.Fatalf("preferring the client: %s at %s", text(got), conflict.Path)
			}
			if got := found(rules, server, conflict.Path); !jsonvalue.Equal(got, conflict.Server) {
				t.Fatalf("preferring the server: %s at %s", text(got), conflict.Path)
			}
		}
		for _, conflict := range conflicts {
			client, server = without(rules, client, metadata, conflict.Path), without(rules, server, metadata, conflict.Path)
		}
		if !jsonvalue.Equal(client, server) {
			t.Fatalf("the preference shows off the conflicts\n%s\n%s\n%s", shown(conflicts), text(client), text(server))
		}
	})
}

// found returns what a path names, elements of keyed arrays by their keys.
func found(rules []Rule, v *jsonvalue.Value, path jsonvalue.Pointer) *jsonvalue.Value {
	for i := len(metadata); i < len(path) && v != nil; i++ {
		r, _ := dumbRule(rules, metadata, path[:i])
		v = get(named(v, r.Key), path[i])
	}
	return v
}

// without returns v, which stands at at, without what stands at path.
func without(rules []Rule, v *jsonvalue.Value, at, path jsonvalue.Pointer) *jsonvalue.Value {
	if v == nil || len(at) == len(path) {
		return nil
	}
	r, _ := dumbRule(rules, metadata, at)
	token := path[len(at)]
	below := path[:len(at)+1]
	if v.Kind() == jsonvalue.Object {
		child, _ := v.Get(token)
		return jsonvalue.With(v, token, without(rules, child, below, path))
	}
	var elements []*jsonvalue.Value
	for _, m := range named(v, r.Key) {
		if m.Name == token {
			m.Value = without(rules, m.Value, below, path)
		}
		elements = append(elements, m.Value)
	}
	return jsonvalue.NewArray(elements...)
}

// TestNoDecisionIsLost: without rules a scalar that exactly one side changed is as that side has it; nothing else changed.
func TestNoDecisionIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sides := drawnSides(t)
		merged, conflicts := Merge(sides.base, sides.client, sides.server, nil, metadata, Neither)
		if len(conflicts) > 0 || !sides.all(jsonvalue.Object) || sides.base == nil {
			return
		}
		for _, m := range slices.Concat(sides.base.Members(), sides.client.Members(), sides.server.Members()) {
			before, _ := sides.base.Get(m.Name)
			c, _ := sides.client.Get(m.Name)
			s, _ := sides.server.Get(m.Name)
			got, _ := merged.Get(m.Name)
			if jsonvalue.Equal(before, c) && !jsonvalue.Equal(got, s) || jsonvalue.Equal(before, s) && !jsonvalue.Equal(got, c) {
				t.Fatalf("%q is %s", m.Name, text(got))
			}
		}
	})
}

// TestResultIsMadeOfItsInputs: valid JSON, each scalar from a side (but for counters), the inputs as before, and twice the
// same.
func TestResultIsMadeOfItsInputs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sides := drawnSides(t)
		rules := drawnRules(t, sides, Counter)
		before := [...]string{text(sides.base), text(sides.client), text(sides.server)}
		prefer := rapid.SampledFrom([]Side{Neither, ClientSide, ServerSide}).Draw(t, "prefer")
		merged, conflicts := Merge(sides.base, sides.client, sides.server, compiled(t, rules), metadata, prefer)
		again, conflictsAgain := Merge(sides.base, sides.client, sides.server, compiled(t, rules), metadata, prefer)
		if text(merged) != text(again) || shown(conflicts) != shown(conflictsAgain) {
			t.Fatalf("%s, and then %s", text(merged), text(again))
		}
		if before != [...]string{text(sides.base), text(sides.client), text(sides.server)} {
			t.Fatalf("an input was written to")
		}
		if merged == nil {
			return
		}
		read, err := jsonvalue.Parse(merged.Text())
		if err != nil || !bytes.Equal(read.Text(), merged.Text()) {
			t.Fatalf("%s: %v", merged.Text(), err)
		}
		known := map[string]bool{}
		for _, side := range []*jsonvalue.Value{sides.client, sides.server} {
			scalars(side, func(literal string) { known[literal] = true })
		}
		scalars(merged, func(literal string) {
			if !known[literal] {
				t.Fatalf("%s has %s from nowhere", merged.Text(), literal)
			}
		})
	})
}

func scalars(v *jsonvalue.Value, visit func(literal string)) {
	switch {
	case v == nil:
	case v.Kind() == jsonvalue.Object:
		for _, m := range v.Members() {
			scalars(m.Value, visit)
		}
	case v.Kind() == jsonvalue.Array:
		for _, e := range v.Elements() {
			scalars(e, visit)
		}
	default:
		visit(v.Literal())
	}
}

// TestOrderOfElements: of keyed arrays. What both have stands in the order of the lead; what one side has added stands behind
// its predecessor there, with nothing between that both have; each key is there once; nothing is lost.
func TestOrderOfElements(t *testing.T) {
	rules := []Rule{{Path: metadata, Strategy: Keyed, Key: "id"}}
	keys := rapid.SliceOfNDistinct(rapid.IntRange(0, 12), 0, 10, rapid.ID[int])
	rapid.Check(t, func(t *rapid.T) {
		b, c, s := keys.Draw(t, "base"), keys.Draw(t, "client"), keys.Draw(t, "server")
		if rapid.Bool().Draw(t, "client keeps the order") {
			c = only(b, in(c))
		}
		if rapid.Bool().Draw(t, "server keeps the order") {
			s = only(b, in(s))
		}
		merged, _ := Merge(arrayOf(b), arrayOf(c), arrayOf(s), compiled(t, rules), metadata, Neither)
		got := keysOf(merged)
		shared := func(k int) bool { return in(c)(k) && in(s)(k) }
		common := func(k int) bool { return shared(k) && in(b)(k) }
		lead := s
		if !slices.Equal(only(c, common), only(b, common)) && slices.Equal(only(s, common), only(b, common)) {
			lead = c
		}
		if !slices.Equal(only(got, shared), only(lead, shared)) {
			t.Fatalf("base %v, client %v, server %v: merged %v", b, c, s, got)
		}
		want := slices.Concat(only(s, func(k int) bool { return in(c)(k) || !in(b)(k) }),
			only(c, func(k int) bool { return !in(s)(k) && !in(b)(k) }))
		if !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			t.Fatalf("base %v, client %v, server %v: merged %v, want %v in some order", b, c, s, got, want)
		}
		for _, side := range [][]int{c, s} {
			side = only(side, in(got))
			for i, k := range side {
				from := -1
				if i > 0 {
					from = slices.Index(got, side[i-1])
				}
				at := slices.Index(got, k)
				if !shared(k) && (at < from || slices.ContainsFunc(got[from+1:at], shared)) {
					t.Fatalf("base %v, client %v, server %v: merged %v: %d is not behind its predecessor", b, c, s, got, k)
				}
			}
		}
	})
}

func in(list []int) func(int) bool { return func(k int) bool { return slices.Contains(list, k) } }

func only(list []int, want func(int) bool) []int {
	return slices.DeleteFunc(slices.Clone(list), func(k int) bool { return !want(k) })
}

// arrayOf is an array of objects with these keys.
func arrayOf(keys []int) *jsonvalue.Value {
	var elements []*jsonvalue.Value
	for _, k := range keys {
		elements = append(elements, parsed(fmt.Sprintf(`{"id":%d}`, k)))
	}
	return jsonvalue.NewArray(elements...)
}

func keysOf(v *jsonvalue.Value) (keys []int) {
	for _, m := range named(v, "id") {
		k, err := strconv.Atoi(m.Name)
		if err != nil {
			panic(err)
		}
		keys = append(keys, k)
	}
	return keys
}
