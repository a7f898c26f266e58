package fields

import (
	"strconv"

	"concord/actors/jsonvalue"
)

// compileReplace is FIND_AND_REPLACE.
func compileReplace(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	values, bytes := f.listValues(in, v, path)
	return in.each(func(e *edit, _ *jsonvalue.Value) []*jsonvalue.Value {
		e.spend(bytes)
		return values
	})
}

// compileUpdate is FIND_AND_UPDATE.
func compileUpdate(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	if !f.updating(in, v, path) {
		return action{}
	}
	bytes := v.Size()
	return in.each(func(e *edit, x *jsonvalue.Value) []*jsonvalue.Value {
		if e.isObject(x) && e.spend(bytes) {
			x = overlay(x, v)
		}
		return []*jsonvalue.Value{x}
	})
}

// compileRemove is FIND_AND_REMOVE.
func compileRemove(in *Instruction, _ *jsonvalue.Value, _ string, _ *faults) action {
	kept := *in
	kept.distinct = false // what is left stays as it is
	a := kept.each(func(*edit, *jsonvalue.Value) []*jsonvalue.Value { return nil })
	a.prunes = true
	return a
}

// updating checks a value that is merged over objects.
func (f *faults) updating(in *Instruction, v *jsonvalue.Value, path string) bool {
	if v.Kind() != jsonvalue.Object || v.Len() == 0 {
		f.add(path, "must be an object with the members that are to be changed")
		return false
	}
	f.fits(in, v, path)
	return true
}

func (e *edit) isObject(x *jsonvalue.Value) bool {
	if x.Kind() != jsonvalue.Object {
		e.fail("matches, but is %s: only an object has members to change", kindOf(x))
		return false
	}
	return true
}

// each lets change have each match: the elements of a list, or the value itself if it is none. What change returns comes in
// the place of the match.
func (in *Instruction) each(change func(e *edit, x *jsonvalue.Value) []*jsonvalue.Value) action {
	return action{at: func(e *edit, old *jsonvalue.Value) *jsonvalue.Value {
		switch old.Kind() {
		case jsonvalue.Null:
			return old
		case jsonvalue.Array:
			return in.eachElement(e, old, change)
		case jsonvalue.Bool, jsonvalue.Number, jsonvalue.String, jsonvalue.Object:
		}
		if !in.find.matches(old) {
			return old
		}
		e.matched = true
		switch got := change(e, old); {
		case len(got) == 0:
			return nil
		case len(got) == 1 && got[0].Kind() != jsonvalue.Array:
			return got[0]
		}
		e.fail("is %s, not a list: neither a list nor several values can come in its place", kindOf(old))
		return old
	}}
}

func (in *Instruction) eachElement(e *edit, old *jsonvalue.Value, change func(e *edit, x *jsonvalue.Value) []*jsonvalue.Value) *jsonvalue.Value {
	elements, hit := make([]*jsonvalue.Value, 0, old.Len()), false
	for i, x := range old.Elements() {
		if !in.find.matches(x) {
			elements = append(elements, x)
			continue
		}
		hit = true
		e.inside(strconv.Itoa(i), func() { elements = append(elements, change(e, x)...) })
		if e.problem != nil {
			return old
		}
	}
	switch {
	case !hit:
		return old
	case len(elements) == 0:
		e.matched = true
		return nil
	}
	e.matched = true
	return in.listOf(elements)
}
