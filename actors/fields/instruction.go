package fields

import (
	"maps"
	"slices"
	"strings"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/schema"
)

// Instruction is one instruction of a bulk update, checked. It does not change, and may be shared by goroutines.
type Instruction struct {
	Type  Type
	Field string            // the alias that it named; "" if it had a path
	Path  jsonvalue.Pointer // from the collection
	Part  Part

	rest      jsonvalue.Pointer // the path below the part
	kind      *updateType
	maxItems  int // 0: no bound
	schema    *schema.Schema
	find      pattern   // of the types that match values
	marc      *marcFind // of those that match MARC fields
	needle    string    // of those that look for a text
	key       string
	distinct  bool
	deep      bool
	onMissing string
	from      jsonvalue.Pointer // into the value of the item; nil if all items have the same
	action    action            // if all items have the same value
}

// What becomes of a key that no element has.
const (
	missingFails   = "fail"
	missingSkips   = "skip"
	missingAppends = "append"
)

// PerItem says if the instruction takes its value from the item: such an instruction needs targets that are items with
// values.
func (in *Instruction) PerItem() bool { return in.from != nil }

// Parse reads the instructions of a task. Their paths in the problem begin with path. All that is wrong is told at once.
func Parse(text []byte, aliases map[string]Alias, path string) ([]*Instruction, *problem.Problem) {
	if len(text) > instructionsMaxBytes {
		return nil, problem.At(path, "has %d bytes; the instructions of a task have at most %d", len(text), instructionsMaxBytes)
	}
	var f faults
	v := f.parsed(text, path)
	if v == nil {
		return nil, f.problem()
	}
	switch {
	case v.Kind() != jsonvalue.Array || v.Len() == 0:
		return nil, problem.At(path, "must be a list of one instruction or more")
	case v.Len() > instructionsMax:
		return nil, problem.At(path, "has %d instructions; a task has at most %d", v.Len(), instructionsMax)
	}
	all := make([]*Instruction, v.Len())
	for i, e := range v.Elements() {
		r := reading{faults: &f, in: &Instruction{distinct: true, onMissing: missingFails}, aliases: aliases, at: element(path, i)}
		r.instruction(e)
		all[i] = r.in
	}
	if p := f.problem(); p != nil {
		return nil, p
	}
	return all, nil
}

// reading is the reading of one instruction.
type reading struct {
	*faults
	in      *Instruction
	aliases map[string]Alias
	at      string
	given   map[string]bool
	name    string
	path    jsonvalue.Pointer
	all     bool
	find    *jsonvalue.Value
	value   *jsonvalue.Value
}

func (r *reading) instruction(v *jsonvalue.Value) {
	r.given = map[string]bool{}
	for _, m := range v.Members() {
		r.given[m.Name] = true
	}
	in, before := r.in, len(r.list)
	keep := func(into **jsonvalue.Value) func(*jsonvalue.Value, string) {
		return func(v *jsonvalue.Value, _ string) { *into = v }
	}
	ok := r.object(v, r.at,
		member{"type", r.text(&r.name)},
		member{"path", r.faults.path(&r.path)},
		member{"field", r.text(&in.Field)},
		member{"find", keep(&r.find)},
		member{"matchAll", r.boolean(&r.all)},
		member{"value", keep(&r.value)},
		member{"valueFrom", r.valueFrom},
		member{"key", r.key},
		member{"onMissing", r.text(&in.onMissing)},
		member{"deep", r.boolean(&in.deep)},
		member{"distinct", r.boolean(&in.distinct)},
	)
	if !ok {
		return
	}
	in.Type = Type(r.name)
	if in.kind = typeOf(in.Type); in.kind == nil {
		if !r.given["type"] {
			r.missing("type")
		} else if len(r.list) == before {
			r.add(r.at+"/type", "unknown update type %s; known are %s", quoted(r.name), strings.Join(typeNames(), ", "))
		}
	}
	r.place()
	if in.kind == nil {
		return
	}
	r.parts()
	keyless := in.kind.takes.has(takesKey) && in.key == "" // whose elements cannot be judged
	if !keyless && (r.value != nil || !in.kind.takes.has(takesValue)) {
		in.action = in.compile(r.value, r.at+"/value", r.faults)
	}
}

func (r *reading) missing(name string) { r.add(below(r.at, name), "is missing") }

func (r *reading) valueFrom(v *jsonvalue.Value, path string) {
	var text string
	r.text(&text)(v, path)
	p, err := jsonvalue.ParsePointer(text)
	if err != nil {
		r.add(path, "must be a JSON Pointer into the value of an item: %v", err)
	}
	r.in.from = p
}

func (r *reading) key(v *jsonvalue.Value, path string) {
	if r.text(&r.in.key)(v, path); v.Kind() == jsonvalue.String && (r.in.key == "" || len(r.in.key) > keyMaxBytes) {
		r.add(path, "must be the name of the member that names an element, of 1 to %d bytes", keyMaxBytes)
	}
}

// place finds the path: its own, or that of its field.
func (r *reading) place() {
	in := r.in
	switch {
	case r.given["path"] && r.given["field"]:
		r.add(r.at+"/field", "an instruction has a path or a field, not both")
	case r.given["field"]:
		r.alias()
	case !r.given["path"]:
		r.add(r.at+"/path", "is missing: an instruction has a path, or a field of the type")
	default:
		in.Path = r.path
	}
	if in.Path == nil {
		return
	}
	in.Part, in.rest, _ = split(in.Path)
	if in.kind != nil && in.kind.takes.has(belowMetadata) && in.Part.Kind == Metadata && len(in.rest) == 0 {
		r.add(r.at, "%s must lead below /metadata", in.Type)
	}
	if in.Type == ClearField && in.Part.Kind != Metadata && len(in.rest) == 0 {
		r.add(r.at, "%s must lead below a document: an instruction does not remove a document", in.Type)
	}
}

// alias takes path and bounds from the field.
func (r *reading) alias() {
	in := r.in
	alias, ok := r.aliases[in.Field]
	switch {
	case !ok && len(r.aliases) == 0:
		r.add(r.at+"/field", "the type of the collection has no fields: say a path")
		return
	case !ok:
		r.add(r.at+"/field", "unknown field %s; the type has %s", quoted(in.Field), strings.Join(slices.Sorted(maps.Keys(r.aliases)), ", "))
		return
	case in.kind != nil && len(alias.Operations) > 0 && !slices.Contains(alias.Operations, in.Type):
		r.add(r.at+"/type", "the field %s does not take %s; it takes %s", in.Field, in.Type, joined(alias.Operations))
	}
	if r.given["distinct"] {
		r.add(r.at+"/distinct", "the field %s says by itself if it is distinct", in.Field)
	}
	in.Path, in.maxItems, in.distinct, in.schema = alias.Path, alias.MaxItems, alias.Distinct, alias.Schema
}

func joined(names []Type) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = string(name)
	}
	return strings.Join(texts, ", ")
}

// parts checks that the members are those which the type takes.
func (r *reading) parts() {
	in, takes := r.in, r.in.kind.takes
	for _, m := range []struct {
		name string
		bit  bool
	}{
		{"find", takes.has(takesFind)}, {"matchAll", takes.has(takesMatchAll)}, {"key", takes.has(takesKey)}, {"value", takes.has(takesValue)},
		{"valueFrom", takes.has(takesValue)}, {"distinct", takes.has(takesDistinct)}, {"onMissing", takes.has(takesOnMissing)}, {"deep", takes.has(takesDeep)},
	} {
		if r.given[m.name] && !m.bit {
			r.add(below(r.at, m.name), "%s takes no %s", in.Type, m.name)
		}
	}
	switch {
	case !takes.has(takesValue):
	case r.value != nil && r.given["valueFrom"]:
		r.add(r.at+"/valueFrom", "an instruction has a value, or takes it from each item, not both")
	case takes.has(takesKey) && r.value == nil && !r.given["valueFrom"]:
		in.from = jsonvalue.Pointer{} // keyed values come with the items, if nothing else is said
	case r.value == nil && !r.given["valueFrom"]:
		r.add(r.at+"/value", "is missing: %s needs one, or valueFrom, if each item has its own", in.Type)
	}
	if takes.has(takesKey) && !r.given["key"] {
		r.add(r.at+"/key", "is missing: it is the name of the member that names an element")
	}
	if in.onMissing != missingFails && in.onMissing != missingSkips && (in.onMissing != missingAppends || !takes.has(takesAppend)) {
		r.add(r.at+"/onMissing", "must be one of %q, %q, and %q for %s", missingFails, missingSkips, missingAppends, MergeByKey)
	}
	if takes.has(takesFind) {
		r.finding()
	}
}

// finding reads the find in the way of the type.
func (r *reading) finding() {
	in, at := r.in, r.at+"/find"
	empty := r.find == nil || r.find.Kind() == jsonvalue.Object && r.find.Len() == 0
	switch takes := in.kind.takes; {
	case takes.has(takesMatchAll) && r.all && !empty:
		r.add(r.at+"/matchAll", "an instruction has a find or matches all, not both")
	case takes.has(takesMatchAll) && r.all:
		in.find = anything{}
	case r.find == nil && takes.has(takesMatchAll):
		r.add(at, "is missing: %s needs one, or matchAll", in.Type)
	case r.find == nil:
		r.add(at, "is missing: %s needs one", in.Type)
	case r.find.Kind() == jsonvalue.Null:
		r.add(at, "is null, which is nothing to look for")
	case takes.has(takesTag):
		in.marc = r.marcFind(in.Type, r.find, at)
	case !takes.has(takesMatchAll):
		if r.text(&in.needle)(r.find, at); r.find.Kind() == jsonvalue.String && in.needle == "" {
			r.add(at, "is empty, and would be found everywhere")
		}
	case empty:
		r.add(at, "is empty, and would match everything: say so by matchAll")
	default:
		in.find = r.pattern(r.find, at)
	}
}

// compile makes the action for a value; nil is that of a type without.
func (in *Instruction) compile(v *jsonvalue.Value, path string, f *faults) action {
	if v != nil && v.Kind() == jsonvalue.Null {
		f.add(path, "is null, which is no value")
		return action{}
	}
	return in.kind.compile(in, v, path, f)
}

// bind returns the action for one item.
func (in *Instruction) bind(item *jsonvalue.Value) (action, *problem.Problem) {
	if !in.PerItem() {
		return in.action, nil
	}
	var f faults
	var a action
	if v, ok := item.At(in.from); ok {
		a = in.compile(v, in.from.String(), &f)
	} else {
		f.add(in.from.String(), "is missing: the instruction takes its value from the item")
	}
	for i := range f.list {
		f.list[i].Path = strings.TrimSpace("item " + f.list[i].Path)
	}
	return a, f.problem()
}
