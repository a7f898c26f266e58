package fields

import (
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"concord/actors/bound"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

func TestAliases(t *testing.T) {
	for name, row := range map[string]struct {
		text    string
		want    map[string]Alias
		refused []string
	}{
		"none": {text: `{}`, want: map[string]Alias{}},
		"all that can be said": {
			text: `{"SCIENCE_KEYWORDS": {"path": "/metadata/ScienceKeywords", "operations": ["ADD_TO_EXISTING", "CLEAR_FIELD"], "distinct": false, "maxItems": 1e3}}`,
			want: map[string]Alias{"SCIENCE_KEYWORDS": {jsonvalue.Pointer{"metadata", "ScienceKeywords"}, []Type{AddToExisting, ClearField}, false, 1000, nil}},
		},
		"only a path": {
			text: `{"tags": {"path": "/documents/*/tags"}}`,
			want: map[string]Alias{"tags": {jsonvalue.Pointer{"documents", "*", "tags"}, nil, true, 0, nil}},
		},
		"no object": {text: `[]`, refused: []string{"/fields must be an object, and is a list"}},
		"everything wrong at once": {
			text: `{"a b": {"path": "/x", "operations": ["REPLACE", "CLEAR_FIELD", "CLEAR_FIELD"], "maxItems": 0}, "B": {"operations": []}, "C": 1, "D": {"path": "/metadata/x", "maxitems": 1, "element": {}}}`,
			refused: []string{
				"/fields/a b a field has a name of 1 to 128 letters", "/fields/a b/path must begin with /metadata", "/fields/a b/operations/0 must be an update type: one of ADD",
				"/fields/a b/operations/2 is there twice", "/fields/a b/maxItems must be a whole number from 1 to 1000000", "/fields/B/operations must be a list of one update type or more",
				"/fields/B/path is missing", "/fields/C must be an object, and is a number", `/fields/D/maxitems names are exact: "maxItems" is meant`,
				"/fields/D/element unknown member; known are path, operations, distinct, maxItems, schema",
			},
		},
		"a schema that is none": {
			text:    `{"a": {"path": "/metadata/x", "schema": {"type": "thing"}}, "b": {"path": "/metadata/x", "schema": 1}}`,
			refused: []string{"/fields/a/schema/type", "/fields/b/schema must be an object, true or false"},
		},
		"numbers that are no counts": {
			text:    `{"a": {"path": "/metadata/x", "maxItems": 1.5}, "b": {"path": "/metadata/x", "maxItems": 1e99}, "c": {"path": "/metadata/x", "maxItems": "3"}, "": {"path": "/metadata/x"}}`,
			refused: []string{"/fields/a/maxItems must be", "/fields/b/maxItems must be", "/fields/c/maxItems must be", "/fields/ a field has a name"},
		},
		"too many": {text: `{"x":0` + manyMembers(aliasesMax) + `}`, refused: []string{"/fields has 1001 fields; a type has at most 1000"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, p := ParseAliases(value(t, row.text), "/fields")
			if row.refused != nil {
				says(t, p, row.refused)
				return
			}
			if p != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("%v %v, want %v", got, p, row.want)
			}
		})
	}
}

func manyMembers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `,"m%d":0`, i)
	}
	return b.String()
}

func TestInstructionsHaveBounds(t *testing.T) {
	clear := `{"type":"CLEAR_FIELD","path":"/metadata/x"}`
	deep := strings.Repeat("[", 60) + strings.Repeat("]", 60)
	for name, row := range map[string]struct {
		text string
		want string // "": taken
	}{
		"no text":             {"", "/instructions unexpected end of text at byte 0"},
		"no list":             {clear, "/instructions must be a list of one instruction or more"},
		"an empty list":       {"[]", "/instructions must be a list of one instruction or more"},
		"a double member":     {`[{"type":"CLEAR_FIELD","type":"CLEAR_FIELD"}]`, "/instructions/0/type duplicate member name"},
		"just enough":         {"[" + clear + strings.Repeat(","+clear, instructionsMax-1) + "]", ""},
		"one too many":        {"[" + clear + strings.Repeat(","+clear, instructionsMax) + "]", "/instructions has 101 instructions; a task has at most 100"},
		"a long text":         {"[" + clear + "]" + strings.Repeat(" ", instructionsMaxBytes), "/instructions has 524333 bytes; the instructions of a task have at most 524288"},
		"a long path":         {`[{"type":"CLEAR_FIELD","path":"/metadata` + strings.Repeat("/x", 64) + `"}]`, "/instructions/0/path has too many levels"},
		"a value that fits":   {`[{"type":"MERGE_PATCH","path":"/metadata/a/b/c","value":` + deep + `}]`, ""},
		"a value too deep":    {`[{"type":"MERGE_PATCH","path":"/metadata/a/b/c/d/e","value":` + deep + `}]`, "/instructions/0/value would be nested deeper than 64 levels"},
		"an element too deep": {`[{"type":"ADD_TO_EXISTING","path":"/metadata/a/b/c/d/e","value":[` + deep + `]}]`, "/instructions/0/value/0 would be nested deeper than 64 levels"},
		"a long key":          {`[{"type":"MERGE_BY_KEY","path":"/metadata/a","key":"` + strings.Repeat("k", 257) + `"}]`, "/instructions/0/key must be the name of the member"},
		"a long type":         {`[{"type":"` + strings.Repeat("é", 100) + `","path":"/metadata/a"}]`, `/instructions/0/type unknown update type "` + strings.Repeat("é", 40) + `"…; known are`},
		"a long patch": {`[{"type":"JSON_PATCH","path":"/metadata/a","value":[` + strings.TrimSuffix(strings.Repeat(`{"op":"remove","path":"/a"},`, 10001), ",") + `]}]`,
			"/instructions/0/value has 10001 operations; a patch has 1 to 10000"},
	} {
		t.Run(name, func(t *testing.T) {
			list, p := Parse([]byte(row.text), nil, "/instructions")
			if row.want != "" {
				says(t, p, []string{row.want})
			} else if p != nil || len(list) == 0 {
				t.Error(p)
			}
		})
	}
}

func TestFaultsHaveABound(t *testing.T) {
	_, p := Parse([]byte(`[{"type":"CLEAR_FIELD","path":"/metadata/x"`+manyMembers(5000)+`}]`), nil, "")
	if p == nil || len(p.Errors) != faultsMax {
		t.Errorf("%d faults", len(p.Errors))
	}
}

func TestPartsToLoad(t *testing.T) {
	for path, want := range map[string]Part{
		"/metadata/x":         {Kind: Metadata},
		"/documents/one":      {Kind: OneDocument, Document: "one"},
		"/documents/a~1b/x":   {Kind: OneDocument, Document: "a/b"},
		"/documents/*/x":      {Kind: EveryDocument},
		"/documents/**/x":     {Kind: OneDocument, Document: "**"},
		"/documents/metadata": {Kind: OneDocument, Document: "metadata"},
	} {
		in := taken(`{"type":"MERGE_PATCH","path":"` + path + `","value":1}`)
		if in == nil || in.Part != want {
			t.Errorf("%s: %+v, want %+v", path, in, want)
		}
	}
	if !(Part{Kind: EveryDocument}).Covers("x") || !(Part{Kind: OneDocument, Document: "x"}).Covers("x") || (Part{Kind: OneDocument, Document: "y"}).Covers("x") || (Part{}).Covers("") {
		t.Error("covers")
	}
}

// TestTypesAreDocumented: the package comment has the line of each type as the table has it, and each has cases.
func TestTypesAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	cases := ""
	for _, name := range []string{"lists", "find", "keyed", "text", "marc"} {
		text, err := os.ReadFile("testdata/" + name + ".txt")
		if err != nil {
			t.Fatal(err)
		}
		cases += string(text)
	}
	for _, info := range Types() {
		takes := strings.Join(info.Takes, " ")
		if takes == "" {
			takes = "-"
		}
		if line := fmt.Sprintf("//\t%-31s%-32s%s\n", info.Name, takes, info.Doc); !strings.Contains(string(doc), line) {
			t.Errorf("doc.go lacks\n%s", line)
		}
		if strings.Count(cases, `"type": "`+string(info.Name)+`"`) < 3 {
			t.Errorf("%s has few cases", info.Name)
		}
	}
}

func TestBoundsAreTold(t *testing.T) {
	names := map[string]bound.Bound{}
	for _, b := range Bounds() {
		names[b.Name] = b
	}
	if len(names) != len(Bounds()) || names["instructions"].Default != "100" || names["text of instructions"].Default != "512KiB" {
		t.Error(slices.Sorted(maps.Keys(names)))
	}
}

// TestFailuresNameTheInstruction: which of several could not be applied.
func TestFailuresNameTheInstruction(t *testing.T) {
	list := []*Instruction{taken(`{"type":"CLEAR_FIELD","path":"/metadata/x"}`), taken(`{"type":"ADD_TO_EXISTING","path":"/metadata/a","value":1}`)}
	p := ApplyAll(list, Record{Metadata: value(t, `{"a":{}}`)}, nil).Problem
	if p == nil || p.Code != problem.Invalid || !reflect.DeepEqual(p.Members, []problem.Member{{Name: "instruction", Value: 1}}) {
		t.Errorf("%+v", p)
	}
	if _, p := list[1].Apply(value(t, `{"a":{}}`), jsonvalue.Pointer{"metadata"}, nil); p == nil || p.Errors[0].Path != "/metadata/a" {
		t.Errorf("%+v", p)
	}
	perItem := taken(`{"type":"ADD_TO_EXISTING","path":"/metadata/a","valueFrom":""}`)
	if _, p := perItem.Apply(value(t, `{}`), jsonvalue.Pointer{"metadata"}, nil); p == nil || p.Errors[0].Path != "item" {
		t.Errorf("%+v", p)
	}
}
