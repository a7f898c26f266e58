package fields

import (
	"strconv"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
)

// What the laws draw. Few names and few scalars, so that instructions find something.

var (
	drawnNames   = rapid.SampledFrom([]string{"a", "a", "b", "id", "l", "", "~/"})
	drawnScalars = rapid.SampledFrom([]string{
		`null`, `true`, `0`, `1`, `1.0`, `2`, `10e-1`, `9007199254740993`, `9007199254740992`, `""`, `"x"`, `"y"`, `"xy"`, `"\u0078"`, `"1"`,
	})
	drawnPaths = rapid.SampledFrom([]string{
		"/metadata/l", "/metadata/l", "/metadata/l", "/metadata/a", "/metadata/*", "/metadata/l/*", "/metadata/l/*/l", "/metadata/l/0/a",
		"/metadata/a/b/l", "/documents/*", "/documents/*/l", "/documents/one/l", "/documents/one/*/a", "/documents/none/l",
	})
)

func drawnValue(t *rapid.T, depth int) *jsonvalue.Value {
	shape := rapid.IntRange(0, 5).Draw(t, "shape")
	switch {
	case depth > 0 && shape < 2:
		return drawnObject(t, depth)
	case depth > 0 && shape < 4:
		return drawnList(t, depth)
	}
	v, err := jsonvalue.Parse([]byte(drawnScalars.Draw(t, "scalar")))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func drawnList(t *rapid.T, depth int) *jsonvalue.Value {
	var list []*jsonvalue.Value
	for range rapid.IntRange(0, 4).Draw(t, "elements") {
		list = append(list, drawnValue(t, depth-1))
	}
	return jsonvalue.NewArray(list...)
}

func drawnObject(t *rapid.T, depth int) *jsonvalue.Value {
	var members []jsonvalue.Member
	for range rapid.IntRange(0, 4).Draw(t, "members") {
		members = append(members, jsonvalue.Member{Name: drawnNames.Draw(t, "name"), Value: drawnValue(t, depth-1)})
	}
	return jsonvalue.NewObject(members...)
}

func drawnRecord(t *rapid.T) Record {
	meta := drawnObject(t, 3)
	if rapid.Bool().Draw(t, "list") {
		meta = jsonvalue.With(meta, "l", drawnList(t, 3))
	}
	r := Record{Metadata: meta}
	for i := range rapid.IntRange(0, 2).Draw(t, "documents") {
		r.Documents = append(r.Documents, Document{[]string{"one", "two"}[i], drawnValue(t, 3)})
	}
	return r
}

// drawnInstruction draws the text of an instruction; it need not be one that is taken.
func drawnInstruction(t *rapid.T) string {
	kind := types[rapid.IntRange(0, len(types)-1).Draw(t, "type")]
	return instructionOf(t, kind, drawnPaths.Draw(t, "path"))
}

func instructionOf(t *rapid.T, kind updateType, path string) string {
	text := `{"type":"` + string(kind.name) + `","path":` + strconv.Quote(path)
	takes := kind.takes
	if takes.has(takesFind) {
		text += drawnFind(t, takes)
	}
	if takes.has(takesKey) {
		text += `,"key":"id"`
	}
	if takes.has(takesOnMissing) {
		choices := []string{"fail", "skip"}
		if takes.has(takesAppend) {
			choices = append(choices, "append")
		}
		text += `,"onMissing":"` + rapid.SampledFrom(choices).Draw(t, "onMissing") + `"`
	}
	if takes.has(takesDeep) && rapid.Bool().Draw(t, "deep") {
		text += `,"deep":true`
	}
	if takes.has(takesValue) {
		text += `,"value":` + drawnOperand(t, kind)
	}
	return text + "}"
}

func drawnFind(t *rapid.T, takes takes) string {
	switch {
	case takes.has(takesTag):
		return `,"find":{"tag":"650","subfield":"a","text":"x"}`
	case !takes.has(takesMatchAll):
		return `,"find":` + rapid.SampledFrom([]string{`"x"`, `"y"`, `"xy"`}).Draw(t, "find")
	case rapid.IntRange(0, 5).Draw(t, "all") == 0:
		return `,"matchAll":true`
	}
	return `,"find":` + drawnPattern(t, 2)
}

// drawnPattern draws the text of a find.
func drawnPattern(t *rapid.T, depth int) string {
	inside := func() string { return drawnPattern(t, depth-1) }
	switch n := rapid.IntRange(0, 9).Draw(t, "pattern"); {
	case depth == 0 || n < 2:
		return string(drawnValue(t, min(depth, 1)).Text())
	case n < 6:
		name := strconv.Quote(drawnNames.Draw(t, "name"))
		return `{` + name + `:` + inside() + `}`
	case n == 6:
		return `{"$contains":` + inside() + `}`
	case n == 7:
		return `{"$in":[` + string(drawnValue(t, 1).Text()) + `,` + string(drawnValue(t, 1).Text()) + `]}`
	case n == 8:
		return `{"$eq":` + string(drawnValue(t, 2).Text()) + `}`
	default:
		return `{"a":` + inside() + `,"b":` + inside() + `}`
	}
}

func drawnOperand(t *rapid.T, kind updateType) string {
	switch {
	case kind.name == ChangeKey:
		return rapid.SampledFrom([]string{`{"from":"x","to":"y"}`, `[{"from":1,"to":2},{"from":2,"to":1}]`}).Draw(t, "change")
	case kind.name == RemoveByKey && rapid.Bool().Draw(t, "plain"):
		return rapid.SampledFrom([]string{`"x"`, `[1,"x"]`}).Draw(t, "keys")
	case kind.takes.has(takesKey):
		return rapid.SampledFrom([]string{`{"id":"x","a":1}`, `[{"id":1,"a":null},{"id":"1","l":[1]}]`, `{"id":1.0,"b":{"a":2}}`}).Draw(t, "keyed")
	case kind.name == JSONPatch:
		return rapid.SampledFrom([]string{
			`[{"op":"add","path":"/a","value":1}]`, `[{"op":"replace","path":"","value":{"a":[]}}]`, `[{"op":"test","path":"/a","value":1}]`,
			`[{"op":"add","path":"/-","value":"x"}]`, `[{"op":"copy","from":"","path":"/b"}]`,
		}).Draw(t, "patch")
	case kind.name == MARCFindAndAppend:
		return rapid.SampledFrom([]string{`{"x":"y"}`, `[{"9":"n1"},{"a":"x"}]`}).Draw(t, "subfields")
	case kind.name == MARCFindAndReplace || kind.name == ReplaceText:
		return rapid.SampledFrom([]string{`"x"`, `"y"`, `""`, `"xx"`}).Draw(t, "text")
	case kind.takes.has(takesFind) && kind.name != FindAndReplace:
		return string(drawnObject(t, 2).Text())
	}
	return string(drawnValue(t, 2).Text())
}

// drawnInstructions draws instructions that are taken.
func drawnInstructions(t *rapid.T, most int) []*Instruction {
	var list []*Instruction
	for range rapid.IntRange(1, most).Draw(t, "instructions") {
		if in := taken(drawnInstruction(t)); in != nil {
			list = append(list, in)
		}
	}
	if len(list) == 0 {
		t.Skip("no instruction")
	}
	return list
}

// taken is nil for an instruction that is refused.
func taken(text string) *Instruction {
	list, p := Parse([]byte("["+text+"]"), nil, "")
	if p != nil {
		return nil
	}
	return list[0]
}

// after is the record with the outcome in it.
func after(r Record, o Outcome) Record {
	next := Record{Metadata: r.Metadata}
	if o.Metadata != nil {
		next.Metadata = o.Metadata
	}
	changed := map[string]*jsonvalue.Value{}
	for _, d := range o.Documents {
		changed[d.ID] = d.Value
	}
	for _, d := range r.Documents {
		if v := changed[d.ID]; v != nil {
			d.Value = v
		}
		next.Documents = append(next.Documents, d)
	}
	return next
}

// texts is all of a record, to the byte.
func texts(r Record) string {
	text := textOf(r.Metadata)
	for _, d := range r.Documents {
		text += "\n" + d.ID + " " + textOf(d.Value)
	}
	return text
}
