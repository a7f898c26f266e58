package fields

import "concord/actors/jsonvalue"

// compileAdd is ADD_TO_EXISTING.
func compileAdd(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	values, bytes := f.listValues(in, v, path)
	return action{makes: true, at: func(e *edit, old *jsonvalue.Value) *jsonvalue.Value {
		e.matched = true
		before := e.listAt(old)
		if !e.spend(bytes) {
			return old
		}
		return in.listOf(append(before, values...))
	}}
}

// compileClearAll is CLEAR_ALL_AND_REPLACE.
func compileClearAll(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	values, bytes := f.listValues(in, v, path)
	return action{makes: true, at: func(e *edit, old *jsonvalue.Value) *jsonvalue.Value {
		e.matched = true
		if e.listAt(old); !e.spend(bytes) {
			return old
		}
		return in.listOf(values)
	}}
}

// compileClear is CLEAR_FIELD.
func compileClear(*Instruction, *jsonvalue.Value, string, *faults) action {
	return action{at: func(e *edit, _ *jsonvalue.Value) *jsonvalue.Value {
		e.matched = true
		return nil
	}}
}

// listOf is a list of elements, each once if the instruction wants that.
func (in *Instruction) listOf(elements []*jsonvalue.Value) *jsonvalue.Value {
	if in.distinct {
		elements = distinct(elements)
	}
	return jsonvalue.NewArray(elements...)
}

// listValues reads value(s) that become elements: one, or a list of them. Null members of objects are dropped.
func (f *faults) listValues(in *Instruction, v *jsonvalue.Value, path string) (values []*jsonvalue.Value, bytes int) {
	if v.Kind() != jsonvalue.Array {
		values = []*jsonvalue.Value{f.elementValue(in, v, path)}
	}
	for i, e := range v.Elements() {
		values = append(values, f.elementValue(in, e, element(path, i)))
	}
	if len(values) == 0 {
		f.add(path, "is an empty list: it must have one value or more")
	}
	for _, e := range values {
		bytes += e.Size() + 1
	}
	return values, bytes
}

func (f *faults) elementValue(in *Instruction, v *jsonvalue.Value, path string) *jsonvalue.Value {
	f.fits(in, v, path)
	switch v.Kind() {
	case jsonvalue.Null:
		f.add(path, "is null, which is no value")
	case jsonvalue.Object:
		if v = withoutNulls(v); v.Len() == 0 {
			f.add(path, "has nothing but null members, which are dropped")
		}
	case jsonvalue.Bool, jsonvalue.Number, jsonvalue.String, jsonvalue.Array:
	}
	f.conforms(in, v, path)
	return v
}

// fits says if a value can stand in a list at the path, or a level above it: contents have a bound on their depth.
func (f *faults) fits(in *Instruction, v *jsonvalue.Value, path string) {
	if len(in.rest)+1+v.Depth() > jsonvalue.MaxDepth {
		f.add(path, "would be nested deeper than %d levels", jsonvalue.MaxDepth)
	}
}

// withoutNulls is an object without its members that are null; v itself if it has none.
func withoutNulls(v *jsonvalue.Value) *jsonvalue.Value {
	members := make([]jsonvalue.Member, 0, v.Len())
	for _, m := range v.Members() {
		if m.Value.Kind() != jsonvalue.Null {
			members = append(members, m)
		}
	}
	if len(members) == v.Len() {
		return v
	}
	return jsonvalue.ObjectOf(members)
}

// overlay is the shallow merge of one object over another: its members replace those of the other, null removes one.
func overlay(v, over *jsonvalue.Value) *jsonvalue.Value {
	places := make(map[string]int, over.Len())
	for i, m := range over.Members() {
		places[m.Name] = i
	}
	members := make([]jsonvalue.Member, 0, v.Len()+over.Len())
	used := make([]bool, over.Len())
	for _, m := range v.Members() {
		if i, ok := places[m.Name]; ok {
			if m, used[i] = over.Members()[i], true; m.Value.Kind() == jsonvalue.Null {
				continue
			}
		}
		members = append(members, m)
	}
	for i, m := range over.Members() {
		if !used[i] && m.Value.Kind() != jsonvalue.Null {
			members = append(members, m)
		}
	}
	return jsonvalue.ObjectOf(members)
}
