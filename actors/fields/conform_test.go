package fields

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// TestNothingIsMadeThatDoesNotFit: under a schema an instruction does what it does without, or it is refused, or fails. What it
// leaves in the field that was not there before fits. It fails only for an element that does not.
func TestNothingIsMadeThatDoesNotFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		schema := rapid.SampledFrom([]string{`{"type":"object"}`, `{"type":["string","object"],"required":["id"]}`, `{"not":{"required":["c"]}}`,
			`{"properties":{"a":{"type":"number"},"id":{"type":"string"}}}`, `{"enum":["x","y",1]}`}).Draw(t, "schema")
		aliases := func(more string) map[string]Alias {
			all, p := ParseAliases(value(t, `{"F":{"path":"/metadata/l"`+more+`}}`), "")
			if p != nil {
				t.Fatal(p)
			}
			return all
		}
		strict, loose := aliases(`,"schema":`+schema), aliases("")
		fits := func(v *jsonvalue.Value) bool { return len(strict["F"].Schema.Check(v, "")) == 0 }
		kind := types[rapid.IntRange(0, len(types)-1).Draw(t, "type")]
		text := "[" + strings.Replace(instructionOf(t, kind, "/metadata/l"), `"path":"/metadata/l"`, `"field":"F"`, 1) + "]"
		free, p := Parse([]byte(text), loose, "")
		if p != nil {
			t.Skip("no instruction")
		}
		bound, p := Parse([]byte(text), strict, "")
		if p != nil {
			if !kind.takes.has(wholeElements) {
				t.Fatalf("%s is refused: %v", text, p)
			}
			return
		}
		r := drawnRecord(t)
		without, with := ApplyAll(free, r, nil), ApplyAll(bound, r, nil)
		made := slices.DeleteFunc(elementsOf(without.Metadata), func(v *jsonvalue.Value) bool {
			return slices.ContainsFunc(elementsOf(r.Metadata), func(old *jsonvalue.Value) bool { return jsonvalue.Equal(v, old) })
		})
		switch bad := slices.ContainsFunc(made, func(v *jsonvalue.Value) bool { return !fits(v) }); {
		case without.Status == Failed || !bad:
			if shown(with) != shown(without) {
				t.Fatalf("%s under %s: %s (%v), without it %s", text, schema, shown(with), with.Problem, shown(without))
			}
		case with.Status != Failed || with.Problem.Code != problem.SchemaInvalid:
			t.Fatalf("%s under %s makes %v: %s (%v)", text, schema, made, shown(with), with.Problem)
		}
	})
}

// elementsOf are the elements at /l, or what is there instead.
func elementsOf(metadata *jsonvalue.Value) []*jsonvalue.Value {
	if metadata == nil {
		return nil
	}
	v, ok := metadata.Get("l")
	switch {
	case !ok:
		return nil
	case v.Kind() == jsonvalue.Array:
		return slices.Clone(v.Elements())
	}
	return []*jsonvalue.Value{v}
}

// TestSchemasHaveABound: elements cost together what one may cost alone.
func TestSchemasHaveABound(t *testing.T) {
	aliases, p := ParseAliases(value(t, `{"F":{"path":"/metadata/l","schema":{"allOf":[{"$ref":"#/$defs/a"},{"$ref":"#/$defs/a"}],
		"$defs":{"a":{"allOf":[{"$ref":"#/$defs/b"},{"$ref":"#/$defs/b"},{"$ref":"#/$defs/b"}]},"b":{"allOf":[{"$ref":"#/$defs/c"},{"$ref":"#/$defs/c"},{"$ref":"#/$defs/c"}]},
		"c":{"allOf":[true,true,true,true,true,true,true,true,true,true,true,true,true,true,true,true,true,true,true,true,true,true,true,true,true,true]}}}}}`), "")
	if p != nil {
		t.Fatal(p)
	}
	list, p := Parse([]byte(`[{"type":"REPLACE_TEXT","field":"F","find":"x","value":"y"}]`), aliases, "")
	if p != nil {
		t.Fatal(p)
	}
	for n, want := range map[int]Status{100: Updated, 50_000: Failed} {
		o := ApplyAll(list, Record{Metadata: value(t, `{"l":["x"`+strings.Repeat(`,"x"`, n-1)+`]}`)}, nil)
		if o.Status != want || want == Failed && !strings.Contains(o.Problem.Error(), "too costly") {
			t.Errorf("%d elements: %s, %v", n, o.Status, o.Problem)
		}
	}
}
