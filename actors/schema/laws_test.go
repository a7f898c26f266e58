package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
)

var (
	drawnNames   = rapid.SampledFrom([]string{"title", "year", "a/b", "m~n", "", "é", "fields", "x"})
	drawnNumbers = rapid.SampledFrom([]string{"0", "-0.0", "1", "1.0", "10e-1", "9007199254740993", "2.5", "1e400", "-3"})
	drawnStrings = rapid.SampledFrom([]string{"", "Jazz", "1", "true", "\u0000\"/~", "Récital"})
)

func drawnValue(t *rapid.T, depth int) *jsonvalue.Value {
	kinds := 6
	if depth == 0 {
		kinds = 4
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return jsonvalue.NewNull()
	case 1:
		return jsonvalue.NewBool(rapid.Bool().Draw(t, "bool"))
	case 2:
		n, err := jsonvalue.NewNumber(drawnNumbers.Draw(t, "number"))
		if err != nil {
			t.Fatal(err)
		}
		return n
	case 3:
		return jsonvalue.NewString(drawnStrings.Draw(t, "string"))
	case 4:
		var elements []*jsonvalue.Value
		for range rapid.IntRange(0, 4).Draw(t, "elements") {
			elements = append(elements, drawnValue(t, depth-1))
		}
		return jsonvalue.NewArray(elements...)
	default:
		return drawnObject(t, depth)
	}
}

func drawnObject(t *rapid.T, depth int) *jsonvalue.Value {
	var members []jsonvalue.Member
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		members = append(members, jsonvalue.Member{Name: drawnNames.Draw(t, "name"), Value: drawnValue(t, depth-1)})
	}
	return jsonvalue.NewObject(members...)
}

// describe makes a schema that v fits, and as little else as the keywords can say.
func describe(v *jsonvalue.Value) string {
	text := string(v.Text())
	switch v.Kind() {
	case jsonvalue.Number:
		return `{"type":"number","minimum":` + text + `,"maximum":` + text + `,"const":` + text + `}`
	case jsonvalue.Array:
		parts := make([]string, v.Len())
		for i, e := range v.Elements() {
			parts[i] = describe(e)
		}
		prefix := ""
		if len(parts) > 0 {
			prefix = `"prefixItems":[` + strings.Join(parts, ",") + `],`
		}
		return fmt.Sprintf(`{"type":"array",%s"items":false,"minItems":%d}`, prefix, len(parts))
	case jsonvalue.Object:
		var properties, names []string
		for _, m := range v.Members() {
			name := string(jsonvalue.NewString(m.Name).Text())
			properties, names = append(properties, name+":"+describe(m.Value)), append(names, name)
		}
		return `{"type":"object","properties":{` + strings.Join(properties, ",") + `},"required":[` + strings.Join(names, ",") +
			`],"additionalProperties":false}`
	default:
		return `{"enum":[` + text + `]}`
	}
}

func compileDrawn(t *rapid.T, text string) *Schema {
	v, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	s, err := Compile(v)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s
}

func TestASchemaMadeFromAValueTakesIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawnValue(t, 4)
		s := compileDrawn(t, describe(v))
		if got := s.Check(v, "/x"); got != nil {
			t.Fatalf("%s: %v", v.Text(), got)
		}
		other := drawnValue(t, 4)
		if got := s.Check(other, "/x"); (got == nil) != jsonvalue.Equal(v, other) {
			t.Fatalf("%s under the schema of %s: %v", other.Text(), v.Text(), got)
		}
	})
}

func TestAMissingMemberIsToldAtItsPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawnObject(t, 3)
		if v.Len() == 0 {
			return
		}
		name := v.Members()[rapid.IntRange(0, v.Len()-1).Draw(t, "which")].Name
		level := rapid.IntRange(0, 3).Draw(t, "level")
		schema, at, less := describe(v), "/documents/d", jsonvalue.Without(v, name)
		for range level {
			schema, at, less = `{"properties":{"in/":`+schema+`}}`, at+"/in~1", jsonvalue.NewObject(jsonvalue.Member{Name: "in/", Value: less})
		}
		got := compileDrawn(t, schema).Check(less, "/documents/d")
		want := at + (jsonvalue.Pointer{name}).String()
		if len(got) != 1 || got[0].Path != want || got[0].Message != "is required" {
			t.Fatalf("%v, and not %s", got, want)
		}
	})
}

// TestUniqueItemsIsEqual holds the canonical text to the equality of jsonvalue.
func TestUniqueItemsIsEqual(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := drawnValue(t, 3), drawnValue(t, 3)
		s := compileDrawn(t, `{"uniqueItems":true}`)
		if got := s.Check(jsonvalue.NewArray(a, b), ""); (got != nil) != jsonvalue.Equal(a, b) {
			t.Fatalf("%s and %s: %v", a.Text(), b.Text(), got)
		}
	})
}

// TestEachWrongElementIsTold: as many violations as wrong elements, at their places and in order of the paths.
func TestEachWrongElementIsTold(t *testing.T) {
	s := compile(t, `{"items":{"type":"string"}}`)
	rapid.Check(t, func(t *rapid.T) {
		var elements []*jsonvalue.Value
		var want []string
		for i := range rapid.IntRange(0, 30).Draw(t, "length") {
			e := drawnValue(t, 0)
			elements = append(elements, e)
			if e.Kind() != jsonvalue.String {
				want = append(want, "/a/"+strconv.Itoa(i)+" must be string")
			}
		}
		slices.Sort(want)
		if got := lines(s, jsonvalue.NewArray(elements...), "/a"); !slices.Equal(got, want) {
			t.Fatalf("%q, and not %q", got, want)
		}
	})
}
