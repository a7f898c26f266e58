package fields

import (
	"strings"

	"concord/actors/jsonvalue"
)

// pattern is a find. It is made once, holds no state, and takes time linear in the value that it looks at.
type pattern interface {
	matches(v *jsonvalue.Value) bool
}

// The operators of a find.
const (
	operatorContains = "$contains"
	operatorIn       = "$in"
	operatorEq       = "$eq"
)

type (
	// anything is the find of matchAll.
	anything struct{}
	// equals is one value, whole.
	equals struct{ value *jsonvalue.Value }
	// partial is an object that has all these members, and may have others.
	partial map[string]pattern
	// oneOf is one of several values, whole, by their identities.
	oneOf map[string]struct{}
	// contains is a text in which there is another, or a list that has an element.
	contains struct {
		text    *string // nil: only lists can match
		element pattern
	}
)

func (anything) matches(*jsonvalue.Value) bool { return true }

func (p equals) matches(v *jsonvalue.Value) bool { return jsonvalue.Equal(p.value, v) }

func (p partial) matches(v *jsonvalue.Value) bool {
	if v.Kind() != jsonvalue.Object || v.Len() < len(p) {
		return false
	}
	found := 0 // as no name is twice in an object
	for _, m := range v.Members() {
		wanted, asked := p[m.Name]
		if !asked {
			continue
		}
		if !wanted.matches(m.Value) {
			return false
		}
		if found++; found == len(p) {
			return true
		}
	}
	return false
}

func (p oneOf) matches(v *jsonvalue.Value) bool {
	_, ok := p[identity(v)]
	return ok
}

func (p contains) matches(v *jsonvalue.Value) bool {
	if v.Kind() == jsonvalue.String && p.text != nil {
		return strings.Contains(v.Str(), *p.text)
	}
	for _, e := range v.Elements() {
		if p.element.matches(e) {
			return true
		}
	}
	return false
}

// pattern reads what a value must be like. An object without members, which any object would match, is a fault.
func (f *faults) pattern(v *jsonvalue.Value, path string) pattern {
	if v.Kind() != jsonvalue.Object {
		return equals{v}
	}
	if v.Len() == 0 {
		f.add(path, `is empty, and would match every object; {"$eq": {}} matches the empty one`)
	}
	p := make(partial, v.Len())
	for _, m := range v.Members() {
		if !strings.HasPrefix(m.Name, "$") {
			p[m.Name] = f.pattern(m.Value, below(path, m.Name))
			continue
		}
		if v.Len() > 1 {
			f.add(below(path, m.Name), "is an operator, and must stand alone in its object")
			continue
		}
		return f.operator(m.Name, m.Value, below(path, m.Name))
	}
	return p
}

func (f *faults) operator(name string, v *jsonvalue.Value, path string) pattern {
	switch name {
	case operatorEq:
		return equals{v}
	case operatorIn:
		if v.Kind() != jsonvalue.Array || v.Len() == 0 {
			f.add(path, "must be a list of one value or more")
		}
		p := make(oneOf, v.Len())
		for _, e := range v.Elements() {
			p[identity(e)] = struct{}{}
		}
		return p
	case operatorContains:
		p := contains{element: f.pattern(v, path)}
		if v.Kind() == jsonvalue.String {
			text := v.Str()
			if p.text = &text; text == "" {
				f.add(path, "is empty, and would match every text")
			}
		}
		return p
	}
	f.add(path, "unknown operator; known are %s, %s and %s, and in %s a name may begin with $",
		operatorContains, operatorIn, operatorEq, operatorEq)
	return anything{}
}
