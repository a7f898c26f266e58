package fields

import (
	"slices"
	"strconv"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/schema"
)

// action is what an instruction does with a value at hand. It holds no state: that is in the edit.
type action struct {
	// at returns what stands at a place afterwards; nil: nothing. old is what stands there, nil if there is nothing, which
	// is so only for actions that make. What is not changed is returned as it is.
	at func(e *edit, old *jsonvalue.Value) *jsonvalue.Value
	// finish, if there is one, is called after the last place.
	finish func(e *edit)
	// makes: members that are missing on the way are made.
	makes bool
	// prunes: a list that has lost all its elements is removed.
	prunes bool
}

// edit is the work of one instruction on one collection: on one part of it after the other.
type edit struct {
	in     *Instruction
	action action

	place    jsonvalue.Pointer // from the collection, of what is looked at
	whole    *jsonvalue.Value  // the part that is looked at
	bytes    int               // its size; 0: not measured
	matched  bool
	written  int // bytes
	found    map[elementKey]struct{}
	steps    schema.Steps // of checks of elements
	warnings []problem.FieldError
	problem  *problem.Problem // the first; nothing is done after it
}

// fail ends the work.
func (e *edit) fail(format string, args ...any) { e.failAt(e.place.String(), format, args...) }

func (e *edit) failAt(path, format string, args ...any) {
	if e.problem == nil {
		e.problem = problem.At(path, format, args...)
		e.problem.Detail = "the instruction cannot be applied at " + path
	}
}

func (e *edit) warn(path, format string, args ...any) {
	if len(e.warnings) < warningsMax {
		e.warnings = append(e.warnings, problem.At(path, format, args...).Errors...)
	}
}

// spend takes bytes to be written from the bound of the instruction; false: they are too many, which ends the work.
func (e *edit) spend(bytes int) bool {
	if e.written += bytes; e.written > writtenMaxBytes && e.problem == nil {
		e.fail("the instruction would write more than %d bytes into the collection", writtenMaxBytes)
		e.problem.Code = problem.TooLarge
	}
	return e.problem == nil
}

// inside runs do one level down.
func (e *edit) inside(token string, do func()) {
	e.place = append(e.place, token)
	do()
	e.place = e.place[:len(e.place)-1]
}

// part returns what the instruction makes of a part; nil if it is left as it is.
func (e *edit) part(v *jsonvalue.Value, at jsonvalue.Pointer) *jsonvalue.Value {
	e.place, e.whole, e.bytes = slices.Clone(at), v, 0
	got := e.walk(v, e.in.rest)
	switch {
	case e.problem != nil || got == v:
		return nil
	case got == nil && v.Kind() == jsonvalue.Array:
		return jsonvalue.NewArray()
	case got == nil:
		e.fail("the instruction would remove the whole part")
		return nil
	case e.in.Part.Kind == Metadata && got.Kind() != jsonvalue.Object:
		e.fail("the metadata must stay an object, and would be %s", kindOf(got))
		return nil
	}
	return got
}

// size is that of the part, measured once.
func (e *edit) size() int {
	if e.bytes == 0 {
		e.bytes = e.whole.Size()
	}
	return e.bytes
}

// walk goes down the path, and returns what is made of v: itself if nothing changes, nil if it is removed, or was missing
// and is still.
func (e *edit) walk(v *jsonvalue.Value, rest jsonvalue.Pointer) *jsonvalue.Value {
	if e.problem != nil {
		return v
	}
	if len(rest) == 0 {
		return e.visit(v)
	}
	switch {
	case v == nil || v.Kind() == jsonvalue.Null:
		if e.action.makes && rest[0] != jsonvalue.AnyToken {
			return e.member(v, rest)
		}
	case v.Kind() == jsonvalue.Object && rest[0] != jsonvalue.AnyToken:
		return e.member(v, rest)
	case v.Kind() == jsonvalue.Object:
		return e.members(v, rest)
	case v.Kind() == jsonvalue.Array:
		return e.elements(v, rest)
	case e.action.makes:
		e.fail("is %s: nothing can be put below it", kindOf(v))
	}
	return v
}

// member goes down to one member, which may be missing.
func (e *edit) member(v *jsonvalue.Value, rest jsonvalue.Pointer) *jsonvalue.Value {
	var old *jsonvalue.Value
	if v != nil {
		old, _ = v.Get(rest[0])
	}
	if old == nil && !e.action.makes {
		return v
	}
	got := old
	e.inside(rest[0], func() { got = e.walk(old, rest[1:]) })
	if got == old {
		return v
	}
	return jsonvalue.With(v, rest[0], got)
}

// members goes down to all members.
func (e *edit) members(v *jsonvalue.Value, rest jsonvalue.Pointer) *jsonvalue.Value {
	members, changed := make([]jsonvalue.Member, 0, v.Len()), false
	for _, m := range v.Members() {
		got := m.Value
		e.inside(m.Name, func() { got = e.walk(m.Value, rest[1:]) })
		if changed = changed || got != m.Value; got != nil {
			members = append(members, jsonvalue.Member{Name: m.Name, Value: got})
		}
	}
	if !changed || e.problem != nil {
		return v
	}
	return jsonvalue.ObjectOf(members)
}

// elements goes down to one element, or to all.
func (e *edit) elements(v *jsonvalue.Value, rest jsonvalue.Pointer) *jsonvalue.Value {
	first, last := 0, v.Len()-1
	if rest[0] != jsonvalue.AnyToken {
		i, ok := index(v, rest[0])
		if !ok {
			return v // an element is not made
		}
		first, last = i, i
	}
	list, changed := slices.Clone(v.Elements()), false
	for i := first; i <= last; i++ {
		e.inside(strconv.Itoa(i), func() { list[i] = e.walk(list[i], rest[1:]) })
		changed = changed || list[i] != v.Elements()[i]
	}
	if !changed || e.problem != nil {
		return v
	}
	got := jsonvalue.NewArray(list...) // leaves out those that are gone
	if got.Len() == 0 && e.action.prunes {
		return nil
	}
	return got
}

// visit lets the action work at a place. A value that is equal afterwards is left as it was written.
func (e *edit) visit(old *jsonvalue.Value) *jsonvalue.Value {
	got := e.action.at(e, old)
	switch {
	case e.problem != nil || got == old || got != nil && jsonvalue.Equal(got, old):
		return old
	case got != nil && e.in.maxItems > 0 && got.Kind() == jsonvalue.Array && got.Len() > e.in.maxItems && (old == nil || got.Len() > old.Len()):
		e.fail("would have %d elements; the field %s has at most %d", got.Len(), e.in.Field, e.in.maxItems)
		return old
	case got != nil && !e.conforms(old, got):
		return old
	}
	return got
}

// listAt is what a list type works on: the elements at the place; none if it is missing or null. Other kinds of values end
// the work.
func (e *edit) listAt(old *jsonvalue.Value) []*jsonvalue.Value {
	if old == nil || old.Kind() == jsonvalue.Null {
		return nil
	}
	if old.Kind() != jsonvalue.Array {
		e.fail("is %s, not a list", kindOf(old))
	}
	return old.Elements()
}
