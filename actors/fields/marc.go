package fields

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"concord/actors/jsonvalue"
)

// The members of MARC-in-JSON:
//
//	{"leader": "...", "fields": [
//	  {"001": "..."},
//	  {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": "..."}, {"b": "..."}]}}]}
const (
	memberFields    = "fields"
	memberSubfields = "subfields"
	memberInd1      = "ind1"
	memberInd2      = "ind2"
)

// marcFind is what a MARC field must be like. What is "" or nil is not asked for.
type marcFind struct {
	tag        string
	ind1, ind2 string
	code       string  // of a subfield
	text       pattern // of that subfield, of any if none is named, or of a control field
	part       string  // what of a text is to be replaced: "" if all of it
}

// marcFind reads {tag, ind1?, ind2?, subfield?, text?}. A text is one that is contained, or has an operator.
func (f *faults) marcFind(name Type, v *jsonvalue.Value, path string) *marcFind {
	find, before := &marcFind{}, len(f.list)
	ok := f.object(v, path,
		member{"tag", f.characters(&find.tag, 3, "a tag")},
		member{memberInd1, f.characters(&find.ind1, 1, "an indicator")},
		member{memberInd2, f.characters(&find.ind2, 1, "an indicator")},
		member{"subfield", f.characters(&find.code, 1, "the code of a subfield")},
		member{"text", func(v *jsonvalue.Value, path string) { f.marcText(find, v, path) }},
	)
	if !ok || len(f.list) > before {
		return find
	}
	if find.tag == "" {
		f.add(below(path, "tag"), "is missing: a find in a MARC record begins with a tag")
	}
	if name == MARCFindAndReplace && find.text == nil {
		f.add(below(path, "text"), "is missing: it is the text to be replaced")
	}
	control := strings.HasPrefix(find.tag, "00")
	if control && (find.ind1 != "" || find.ind2 != "" || find.code != "") {
		f.add(below(path, "tag"), "is that of a control field, which has no indicators and subfields")
	}
	if control && (name == MARCFindAndAppend || name == MARCRemoveSubfield) {
		f.add(below(path, "tag"), "is that of a control field: %s is for data fields", name)
	}
	if !control && find.code == "" && (name == MARCFindAndReplace || name == MARCRemoveSubfield) {
		f.add(below(path, "subfield"), "is missing: %s needs the code of a subfield", name)
	}
	return find
}

func (f *faults) characters(into *string, count int, what string) func(*jsonvalue.Value, string) {
	return func(v *jsonvalue.Value, path string) {
		if v.Kind() != jsonvalue.String || utf8.RuneCountInString(v.Str()) != count {
			f.add(path, "must be %s: a string of %d character(s)", what, count)
			return
		}
		*into = v.Str()
	}
}

func (f *faults) marcText(find *marcFind, v *jsonvalue.Value, path string) {
	switch {
	case v.Kind() == jsonvalue.String:
		find.part = v.Str()
		find.text = f.operator(operatorContains, v, path)
	case v.Kind() == jsonvalue.Object && v.Len() == 1 && strings.HasPrefix(v.Members()[0].Name, "$"):
		m := v.Members()[0]
		if m.Name == operatorContains {
			find.part = m.Value.Str()
		}
		find.text = f.operator(m.Name, m.Value, below(path, m.Name))
	default:
		f.add(path, "must be a text that is contained, or an object with one of %s, %s, %s", operatorContains, operatorIn, operatorEq)
	}
}

// replaced is a text with what was found replaced.
func (find *marcFind) replaced(e *edit, v *jsonvalue.Value, by string) *jsonvalue.Value {
	if find.part != "" {
		return e.replaceText(v, find.part, by)
	}
	if !e.spend(len(by)) {
		return v
	}
	return jsonvalue.NewString(by)
}

// subfield is one of a data field.
type subfield struct {
	code  string
	text  *jsonvalue.Value
	whole *jsonvalue.Value // the object that it is written as
	hit   bool             // it is found: its code and text are those asked for
}

// field is a field with the tag that is asked for, and the indicators.
type field struct {
	value     *jsonvalue.Value // under the tag
	subfields []subfield       // none in a control field
	hit       bool             // it is found
}

// fieldsAction lets change have the fields of a record that are found; it returns what stands under the tag afterwards, nil
// if the field is removed.
func (in *Instruction) fieldsAction(change func(e *edit, f *field) *jsonvalue.Value) action {
	return action{at: func(e *edit, record *jsonvalue.Value) *jsonvalue.Value {
		fields, ok := record.Get(memberFields)
		if !ok || fields.Kind() != jsonvalue.Array {
			e.fail("is no record in MARC-in-JSON: it has no list of fields")
			return record
		}
		list, changed := make([]*jsonvalue.Value, 0, fields.Len()), false
		for i, x := range fields.Elements() {
			got := x
			e.inside(memberFields, func() {
				e.inside(strconv.Itoa(i), func() { got = in.oneField(e, x, change) })
			})
			if changed = changed || got != x; got != nil {
				list = append(list, got)
			}
		}
		if !changed || e.problem != nil {
			return record
		}
		return jsonvalue.With(record, memberFields, jsonvalue.NewArray(list...))
	}}
}

func (in *Instruction) oneField(e *edit, x *jsonvalue.Value, change func(e *edit, f *field) *jsonvalue.Value) *jsonvalue.Value {
	if x.Kind() != jsonvalue.Object || x.Len() != 1 {
		e.fail("is no MARC field: an object with one member, its tag")
		return x
	}
	m := x.Members()[0]
	if m.Name != in.marc.tag {
		return x
	}
	got := m.Value
	e.inside(m.Name, func() {
		if f := in.marc.read(e, m.Value); e.problem == nil && f.hit {
			e.matched = true
			got = change(e, f)
		}
	})
	switch got {
	case m.Value:
		return x
	case nil:
		return nil
	}
	return jsonvalue.ObjectOf([]jsonvalue.Member{{Name: m.Name, Value: got}})
}

// read reads a field and says what of it is found.
func (find *marcFind) read(e *edit, v *jsonvalue.Value) *field {
	f := &field{value: v}
	if v.Kind() == jsonvalue.String { // a control field
		f.hit = find.code == "" && find.ind1 == "" && find.ind2 == "" && (find.text == nil || find.text.matches(v))
		return f
	}
	subfields, ok := v.Get(memberSubfields)
	if !ok || subfields.Kind() != jsonvalue.Array {
		e.fail("is no data field: it has no list of subfields")
		return f
	}
	if !indicates(v, memberInd1, find.ind1) || !indicates(v, memberInd2, find.ind2) {
		return f
	}
	f.hit = find.code == "" && find.text == nil
	for i, x := range subfields.Elements() {
		if x.Kind() != jsonvalue.Object || x.Len() != 1 || x.Members()[0].Value.Kind() != jsonvalue.String {
			e.failAt(element(below(e.place.String(), memberSubfields), i), "is no subfield: an object with one member, its code, that is a text")
			return f
		}
		s := subfield{code: x.Members()[0].Name, text: x.Members()[0].Value, whole: x}
		s.hit = (find.code == "" || find.code == s.code) && (find.text == nil || find.text.matches(s.text))
		f.hit = f.hit || s.hit
		f.subfields = append(f.subfields, s)
	}
	return f
}

// indicates says if an indicator is as asked for. One that is not written is blank.
func indicates(v *jsonvalue.Value, name, wanted string) bool {
	ind, ok := v.Get(name)
	return wanted == "" || ok && ind.Str() == wanted || !ok && wanted == " "
}

// with is the field with other subfields; nil if it has none.
func (f *field) with(list []*jsonvalue.Value) *jsonvalue.Value {
	if len(list) == 0 {
		return nil
	}
	return jsonvalue.With(f.value, memberSubfields, jsonvalue.NewArray(list...))
}
