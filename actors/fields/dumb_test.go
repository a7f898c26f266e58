package fields

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
)

// dumbMatches is matching once more, straight from the text of the find: nothing is prepared, every member is looked for
// from the start, every pair of elements is compared.
func dumbMatches(find, v *jsonvalue.Value) bool {
	if find.Kind() != jsonvalue.Object {
		return jsonvalue.Equal(find, v)
	}
	for _, m := range find.Members() {
		switch m.Name {
		case "$eq":
			return jsonvalue.Equal(m.Value, v)
		case "$in":
			for _, option := range m.Value.Elements() {
				if jsonvalue.Equal(option, v) {
					return true
				}
			}
			return false
		case "$contains":
			if m.Value.Kind() == jsonvalue.String && v.Kind() == jsonvalue.String {
				return strings.Contains(v.Str(), m.Value.Str())
			}
			for _, e := range v.Elements() {
				if dumbMatches(m.Value, e) {
					return true
				}
			}
			return false
		}
		got, ok := v.Get(m.Name)
		if !ok || !dumbMatches(m.Value, got) {
			return false
		}
	}
	return v.Kind() == jsonvalue.Object
}

// dumbDistinct compares all with all.
func dumbDistinct(list []*jsonvalue.Value) (kept []*jsonvalue.Value) {
next:
	for _, e := range list {
		for _, k := range kept {
			if jsonvalue.Equal(e, k) {
				continue next
			}
		}
		kept = append(kept, e)
	}
	return kept
}

// dumbFind is what a find type makes of a list.
func dumbFind(name Type, find, operand *jsonvalue.Value, list *jsonvalue.Value) (got *jsonvalue.Value, matched bool) {
	var out []*jsonvalue.Value
	for _, x := range list.Elements() {
		switch {
		case find != nil && !dumbMatches(find, x):
			out = append(out, x)
			continue
		case name == FindAndReplace && operand.Kind() == jsonvalue.Array:
			for _, e := range operand.Elements() {
				out = append(out, dumbWithoutNulls(e))
			}
		case name == FindAndReplace:
			out = append(out, dumbWithoutNulls(operand))
		case name == FindAndUpdate:
			for _, m := range operand.Members() {
				if x = jsonvalue.Without(x, m.Name); m.Value.Kind() != jsonvalue.Null {
					x = jsonvalue.With(x, m.Name, m.Value)
				}
			}
			out = append(out, x)
		}
		matched = true
	}
	if !matched {
		return list, false
	}
	if name != FindAndRemove {
		out = dumbDistinct(out)
	}
	return jsonvalue.NewArray(out...), true
}

func dumbWithoutNulls(v *jsonvalue.Value) *jsonvalue.Value {
	if v.Kind() != jsonvalue.Object {
		return v
	}
	for _, m := range v.Members() {
		if m.Value.Kind() == jsonvalue.Null {
			v = jsonvalue.Without(v, m.Name)
		}
	}
	return v
}

// TestMatchingAgainstDumb: prepared patterns match what the dumb matcher does.
func TestMatchingAgainstDumb(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { compareMatching(t, drawnPattern(t, 3), drawnValue(t, 3)) })
}

func compareMatching(t rapid.TB, find string, v *jsonvalue.Value) {
	text, err := jsonvalue.Parse([]byte(find))
	if err != nil {
		return
	}
	var f faults
	if p := f.pattern(text, "/find"); len(f.list) == 0 && p.matches(v) != dumbMatches(text, v) {
		t.Fatalf("%s matches %s: %v", find, v.Text(), p.matches(v))
	}
}

// TestFindingAgainstDumb: the find types make the same list of a list as the dumb version.
func TestFindingAgainstDumb(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kind := typeOf(rapid.SampledFrom([]Type{FindAndReplace, FindAndUpdate, FindAndRemove}).Draw(t, "type"))
		written := instructionOf(t, *kind, "/documents/one")
		in := taken(written)
		if in == nil {
			t.Skip("refused")
		}
		list, text := drawnList(t, 3), value(t, written)
		find, _ := text.Get("find")
		operand, _ := text.Get("value")
		got, p := in.Apply(list, jsonvalue.Pointer{"documents", "one"}, nil)
		if p != nil { // an element that cannot be updated
			if kind.name != FindAndUpdate {
				t.Fatal(p)
			}
			return
		}
		want, matched := dumbFind(kind.name, find, operand, list)
		if got.Value == nil {
			got.Value = list
		}
		if got.Matched != matched || !jsonvalue.Equal(got.Value, want) || got.Changed == jsonvalue.Equal(want, list) {
			t.Fatalf("%s on %s: %s (%+v), want %s (%v)", text.Text(), list.Text(), got.Value.Text(), got, want.Text(), matched)
		}
	})
}

// TestDistinct: as the dumb one, whatever the hashes are, and again nothing changes.
func TestDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) *jsonvalue.Value { return drawnValue(t, 2) }), 0, 8).Draw(t, "list")
		got, want := jsonvalue.NewArray(distinct(list)...), jsonvalue.NewArray(dumbDistinct(list)...)
		if textOf(got) != textOf(want) {
			t.Fatalf("%s, want %s", textOf(got), textOf(want))
		}
		few := func(v *jsonvalue.Value) jsonvalue.Hash { return v.Hash() % 2 }
		if by := jsonvalue.NewArray(distinctBy(list, few)...); textOf(by) != textOf(want) {
			t.Fatalf("with few hashes %s, want %s", textOf(by), textOf(want))
		}
		if again := jsonvalue.NewArray(distinct(got.Elements())...); textOf(again) != textOf(got) {
			t.Fatalf("%s again becomes %s", textOf(got), textOf(again))
		}
	})
}
