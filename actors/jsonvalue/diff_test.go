package jsonvalue

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiff(t *testing.T) {
	long := `"a long text that is not worth repeating, for it is the same"`
	for name, row := range map[string]struct{ a, b, want string }{
		"equal":           {`{"a":[1,{"b":1e2}]}`, `{"a":[1.0,{"b":100}]}`, `[]`},
		"another kind":    {`1`, `"1"`, `[{"op":"replace","path":"","value":"1"}]`},
		"null is a value": {`{}`, `{"a":null}`, `[{"op":"add","path":"/a","value":null}]`},
		"members in the order of their names": {
			`{"z":1,"y":` + long + `,"a":1,"m":1}`, `{"b":1,"z":2,"y":` + long + `,"m":1}`,
			`[{"op":"remove","path":"/a"},{"op":"add","path":"/b","value":1},{"op":"replace","path":"/z","value":2}]`,
		},
		"escaped names": {
			`{"a/b":{"~":1,"":` + long + `}}`, `{"a/b":{"~":2,"":` + long + `}}`,
			`[{"op":"replace","path":"/a~1b/~0","value":2}]`,
		},
		"element inserted": {
			`[` + long + `,` + long + `]`, `[` + long + `,7,` + long + `]`,
			`[{"op":"add","path":"/1","value":7}]`,
		},
		"element appended": {`[` + long + `]`, `[` + long + `,7]`, `[{"op":"add","path":"/1","value":7}]`},
		"element removed":  {`[7,` + long + `]`, `[` + long + `]`, `[{"op":"remove","path":"/0"}]`},
		"two removed": {
			`[` + long + `,1,2,` + long + `,3]`, `[` + long + `,` + long + `,3]`,
			`[{"op":"remove","path":"/1"},{"op":"remove","path":"/1"}]`,
		},
		"element changed inside": {
			`[{"t":` + long + `,"n":1},` + long + `]`, `[{"t":` + long + `,"n":2},` + long + `]`,
			`[{"op":"replace","path":"/0/n","value":2}]`,
		},
		"inserted before a change inside": {
			`[` + long + `,{"t":` + long + `,"n":1}]`, `[0,` + long + `,{"t":` + long + `,"n":2}]`,
			`[{"op":"add","path":"/0","value":0},{"op":"replace","path":"/2/n","value":2}]`,
		},
		"shorter as a whole": {
			`{"a":1,"b":2}`, `{"a":2,"b":1}`, `[{"op":"replace","path":"","value":{"a":2,"b":1}}]`,
		},
		"shorter as a part": {
			`{"t":` + long + `,"l":[1,2,3,4,5]}`, `{"t":` + long + `,"l":[6,7,8]}`,
			`[{"op":"replace","path":"/l","value":[6,7,8]}]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := mustParse(t, row.a)
			p := Diff(a, mustParse(t, row.b))
			if diff := cmp.Diff(row.want, string(p.Text())); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			got, err := p.Apply(a, Limits{})
			if err != nil || !Equal(got, mustParse(t, row.b)) {
				t.Errorf("applied: %v, %v", got, err)
			}
		})
	}
}

func TestChanges(t *testing.T) {
	a := mustParse(t, `{"title":"Blue","year":1959,"label":{"name":"Columbia"},
		"tracks":["So What","Freddie","All Blues"]}`)
	b := mustParse(t, `{"title":"Kind of Blue","label":{"name":"Columbia","no":8163},
		"tracks":["Intro","So What","All Blues"]}`)
	var got []string
	for _, c := range Changes(a, b) {
		line := c.Kind + " " + c.Path
		if c.Before != nil {
			line += " -" + string(c.Before.Text())
		}
		if c.After != nil {
			line += " +" + string(c.After.Text())
		}
		got = append(got, line)
	}
	want := []string{
		`added /label/no +8163`,
		`changed /title -"Blue" +"Kind of Blue"`,
		`added /tracks/0 +"Intro"`,
		`removed /tracks/1 -"Freddie"`,
		`removed /year -1959`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// wideArray returns n different elements.
func wideArray(n int) []string {
	elements := make([]string, n)
	for i := range elements {
		elements[i] = fmt.Sprintf(`"element number %d"`, i)
	}
	return elements
}

func TestDiffOfLongArrays(t *testing.T) {
	elements := wideArray(5000)
	a := mustParse(t, `[`+strings.Join(elements, ",")+`]`)
	few := append([]string{`"new"`}, elements[:4000]...)
	few = append(few, elements[4050:]...)
	many := make([]string, 0, len(elements))
	for i, e := range elements {
		if i%10 > 0 {
			many = append(many, e)
		}
	}
	for name, row := range map[string]struct {
		b          []string
		operations int
	}{
		"few edits are found":           {few, 51},
		"many are not worth the work":   {many, 1},
		"a change beside many is cheap": {append([]string{`"x"`}, elements[1:]...), 1},
	} {
		b := mustParse(t, `[`+strings.Join(row.b, ",")+`]`)
		p := Diff(a, b)
		if len(p) != row.operations {
			t.Errorf("%s: %d operations, want %d", name, len(p), row.operations)
		}
		if got, err := p.Apply(a, Limits{}); err != nil || !Equal(got, b) {
			t.Errorf("%s: does not apply: %v", name, err)
		}
	}
}

// TestDiffAppliesWithinDefaultLimits: a patch that Apply would find too much work becomes one
// replacement.
func TestDiffAppliesWithinDefaultLimits(t *testing.T) {
	wide := func(from, to int) *Value {
		members := make([]Member, 0, to-from)
		for i := from; i < to; i++ {
			members = append(members, Member{Name: indexToken(i), Value: NewNull()})
		}
		return NewObject(members...)
	}
	for name, row := range map[string]struct{ a, b *Value }{
		"members removed": {wide(0, 40_000), wide(9_000, 40_000)},
		"members added":   {wide(9_000, 40_000), wide(0, 40_000)},
		"others":          {wide(0, 20_000), wide(20_000, 40_000)},
	} {
		p := Diff(row.a, row.b)
		if got, err := p.Apply(row.a, Limits{}); err != nil || !Equal(got, row.b) {
			t.Errorf("%s: %d operations do not apply: %v", name, len(p), err)
		}
	}
}

func TestMergePatch(t *testing.T) {
	for name, row := range map[string]struct{ target, patch, want string }{
		"members keep their places":     {`{"a":1,"b":2,"c":3}`, `{"d":4,"b":null,"a":9}`, `{"a":9,"c":3,"d":4}`},
		"null in an array is a value":   {`{"a":1}`, `{"a":[null]}`, `{"a":[null]}`},
		"null in a new object is none":  {`{}`, `{"a":{"b":null,"c":{"d":null}}}`, `{"a":{"c":{}}}`},
		"an object replaces a scalar":   {`{"a":1}`, `{"a":{"b":2,"c":null}}`, `{"a":{"b":2}}`},
		"spelling of what is untouched": {`{"a":1.0,"b":"\u0041"}`, `{"c":1E0}`, `{"a":1.0,"b":"\u0041","c":1E0}`},
	} {
		got := MergePatch(mustParse(t, row.target), mustParse(t, row.patch))
		if string(got.Text()) != row.want {
			t.Errorf("%s: %s, want %s", name, got.Text(), row.want)
		}
	}
	if got := MergePatch(nil, mustParse(t, `{"a":null,"b":1}`)); string(got.Text()) != `{"b":1}` {
		t.Errorf("into a missing value: %s", got.Text())
	}
}
