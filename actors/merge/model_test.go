package merge

import (
	"errors"
	"slices"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
)

// What the laws draw. Few names and few scalars, so that three sides have much in common, and disagree often.

var (
	drawnNames    = rapid.SampledFrom([]string{"a", "a", "b", "c", "id", "", "1", "*", "~/"})
	drawnLiterals = rapid.SampledFrom([]string{
		`null`, `true`, `0`, `1`, `1.0`, `2`, `-3`, `10e-1`, `0.5`, `9007199254740993`, `9007199254740992`, `1e400`, `1e5000`,
		`""`, `"x"`, `"y"`, `"\u0078"`, `"1"`,
	})
	drawnKeys  = rapid.SampledFrom([]string{`"x"`, `"y"`, `"z"`, `"a"`, `"b"`, `1`, `1.0`, `2`, `"1"`, `""`, `null`})
	drawnSound = rapid.SampledFrom([]string{`"x"`, `"y"`, `"z"`, `"a"`, `"b"`, `"c"`, `1`, `2`, `3`, `9007199254740993`})
)

// parsed is the value of a text that is known to be right.
func parsed(text string) *jsonvalue.Value {
	v, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		panic(err)
	}
	return v
}

func drawnScalar(t *rapid.T) *jsonvalue.Value { return parsed(drawnLiterals.Draw(t, "scalar")) }

// drawnValue draws trees of up to depth levels.
func drawnValue(t *rapid.T, depth int) *jsonvalue.Value {
	if depth == 0 {
		return drawnScalar(t)
	}
	switch rapid.IntRange(0, 7).Draw(t, "shape") {
	case 0, 1, 2:
		return drawnObject(t, depth)
	case 3, 4:
		return drawnKeyed(t, depth)
	case 5, 6:
		var elements []*jsonvalue.Value
		for range rapid.IntRange(0, 4).Draw(t, "elements") {
			elements = append(elements, drawnValue(t, depth-1))
		}
		return jsonvalue.NewArray(elements...)
	default:
		return drawnScalar(t)
	}
}

func drawnObject(t *rapid.T, depth int) *jsonvalue.Value {
	var members []jsonvalue.Member
	for range rapid.IntRange(0, 5).Draw(t, "members") {
		members = append(members, drawnMember(t, depth))
	}
	return jsonvalue.NewObject(members...)
}

func drawnMember(t *rapid.T, depth int) jsonvalue.Member {
	return jsonvalue.Member{Name: drawnNames.Draw(t, "name"), Value: drawnValue(t, depth-1)}
}

// drawnKeyed draws an array of objects, mostly with good keys.
func drawnKeyed(t *rapid.T, depth int) *jsonvalue.Value {
	var elements []*jsonvalue.Value
	keys := rapid.SliceOfNDistinct(drawnSound, 0, 6, rapid.ID[string]).Draw(t, "keys")
	for _, key := range keys {
		elements = append(elements, drawnElement(t, depth, key))
	}
	if rapid.IntRange(0, 9).Draw(t, "bad key") == 0 {
		elements = append(elements, drawnElement(t, depth, drawnKeys.Draw(t, "key")))
	}
	return jsonvalue.NewArray(elements...)
}

func drawnElement(t *rapid.T, depth int, key string) *jsonvalue.Value {
	e := jsonvalue.NewObject(jsonvalue.Member{Name: "id", Value: parsed(key)})
	for range rapid.IntRange(0, 2).Draw(t, "members of the element") {
		if m := drawnMember(t, depth-1+min(1, 2-depth)); m.Name != "id" {
			e = jsonvalue.With(e, m.Name, m.Value)
		}
	}
	return e
}

// drawnEdit draws a value that somebody made of v.
func drawnEdit(t *rapid.T, v *jsonvalue.Value, depth int) *jsonvalue.Value {
	if rapid.IntRange(0, 11).Draw(t, "replaced") == 0 {
		return drawnValue(t, 1)
	}
	switch v.Kind() {
	case jsonvalue.Object:
		return drawnObjectEdit(t, v, depth)
	case jsonvalue.Array:
		return drawnArrayEdit(t, v, depth)
	case jsonvalue.Null, jsonvalue.Bool, jsonvalue.Number, jsonvalue.String:
	}
	if rapid.IntRange(0, 2).Draw(t, "changed") == 0 {
		return drawnScalar(t)
	}
	return v
}

func drawnObjectEdit(t *rapid.T, v *jsonvalue.Value, depth int) *jsonvalue.Value {
	var members []jsonvalue.Member
	for _, m := range v.Members() {
		switch rapid.IntRange(0, 7).Draw(t, "member") {
		case 0: // removed
		case 1:
			members = append(members, m, drawnMember(t, max(1, depth)))
		case 2, 3, 4:
			if m.Name != "id" || rapid.IntRange(0, 5).Draw(t, "key") == 0 {
				m.Value = drawnEdit(t, m.Value, depth-1)
			}
			members = append(members, m)
		default:
			members = append(members, m)
		}
	}
	if rapid.IntRange(0, 5).Draw(t, "shuffled") == 0 {
		members = rapid.Permutation(members).Draw(t, "order")
	}
	return jsonvalue.NewObject(members...)
}

func drawnArrayEdit(t *rapid.T, v *jsonvalue.Value, depth int) *jsonvalue.Value {
	var elements []*jsonvalue.Value
	for _, e := range v.Elements() {
		switch rapid.IntRange(0, 6).Draw(t, "element") {
		case 0: // removed
		case 1, 2:
			elements = append(elements, drawnEdit(t, e, depth-1))
		default:
			elements = append(elements, e)
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "new elements") {
		at := rapid.IntRange(0, len(elements)).Draw(t, "at")
		e := drawnScalar(t)
		if len(elements) == 0 || elements[0].Kind() == jsonvalue.Object {
			e = drawnElement(t, 1, drawnSound.Draw(t, "new key"))
		}
		elements = slices.Insert(elements, at, e)
	}
	if len(elements) > 1 && rapid.IntRange(0, 3).Draw(t, "moved") == 0 {
		from := rapid.IntRange(0, len(elements)-1).Draw(t, "from")
		e := elements[from]
		elements = slices.Delete(elements, from, from+1)
		elements = slices.Insert(elements, rapid.IntRange(0, len(elements)).Draw(t, "to"), e)
	}
	return jsonvalue.NewArray(elements...)
}

// drawnSides draws three sides, of which any may be missing.
func drawnSides(t *rapid.T) triple {
	base := drawnObject(t, 4)
	sides := triple{base, drawnEdit(t, base, 4), drawnEdit(t, base, 4)}
	for _, side := range []**jsonvalue.Value{&sides.base, &sides.client, &sides.server} {
		if rapid.IntRange(0, 19).Draw(t, "missing") == 0 {
			*side = nil
		}
	}
	return sides
}

// drawnRules draws rules that Compile takes: mostly for paths of the sides, with strategies that fit what stands there.
func drawnRules(t *rapid.T, sides triple, without ...Strategy) []Rule {
	var rules []Rule
	for range rapid.IntRange(0, 8).Draw(t, "rules") {
		side := rapid.SampledFrom([]*jsonvalue.Value{sides.base, sides.client, sides.server}).Draw(t, "side")
		r := drawnRule(t, side)
		if slices.Contains(without, r.Strategy) {
			continue
		}
		rules = append(rules, r)
		var refused *RuleError
		for _, err := Compile(rules); errors.As(err, &refused); _, err = Compile(rules) {
			rules = slices.Delete(rules, refused.Index, refused.Index+1)
		}
	}
	return rules
}

// drawnRule walks down from the top of a side, and stops somewhere.
func drawnRule(t *rapid.T, v *jsonvalue.Value) Rule {
	r := Rule{Path: jsonvalue.Pointer{"metadata"}}
	for v != nil && rapid.IntRange(0, 3).Draw(t, "further") > 0 {
		children := named(v, "id")
		if len(children) == 0 {
			break
		}
		child := rapid.SampledFrom(children).Draw(t, "child")
		token := child.Name
		if rapid.IntRange(0, 2).Draw(t, "star") == 0 {
			token = jsonvalue.AnyToken
		}
		r.Path, v = append(r.Path, token), child.Value
	}
	strategies := []Strategy{Atomic, Set, Counter, Max, Min, Client, Server, Keyed}
	if v != nil && rapid.IntRange(0, 4).Draw(t, "fits") > 0 {
		switch v.Kind() {
		case jsonvalue.Number:
			strategies = []Strategy{Counter, Counter, Max, Min}
		case jsonvalue.Array:
			strategies = []Strategy{Set, Keyed, Keyed}
		case jsonvalue.Object:
			strategies = []Strategy{Keyed, Atomic, Client, Server}
		case jsonvalue.Null, jsonvalue.Bool, jsonvalue.String:
			strategies = []Strategy{Client, Server}
		}
	}
	r.Strategy = rapid.SampledFrom(strategies).Draw(t, "strategy")
	if r.Strategy == Keyed {
		r.Key = rapid.SampledFrom([]string{"id", "id", "id", "id", "a"}).Draw(t, "key")
	}
	return r
}

func compiled(t interface{ Fatalf(string, ...any) }, rules []Rule) *Rules {
	c, err := Compile(rules)
	if err != nil {
		t.Fatalf("compile %v: %v", rules, err)
	}
	return c
}
