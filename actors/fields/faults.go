package fields

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/schema"
)

// faults gathers what is wrong with a text, so that its author is told all at once.
type faults struct {
	list  []problem.FieldError
	steps schema.Steps // of all checks of values
}

func (f *faults) add(path, format string, args ...any) {
	if len(f.list) < faultsMax {
		f.list = append(f.list, problem.FieldError{Path: path, Message: fmt.Sprintf(format, args...)})
	}
}

// problem is nil if nothing is wrong.
func (f *faults) problem() *problem.Problem {
	switch len(f.list) {
	case 0:
		return nil
	case 1:
		return problem.At(f.list[0].Path, "%s", f.list[0].Message)
	}
	p := problem.New(problem.Invalid, "the request has %d errors, the first at %s", len(f.list), f.list[0].Path)
	p.Errors = f.list
	return p
}

// below is the path of a member.
func below(path, name string) string { return path + jsonvalue.Pointer{name}.String() }

// element is the path of an element.
func element(path string, i int) string { return path + "/" + strconv.Itoa(i) }

// quoted is a text that came, cut if it is long.
func quoted(text string) string {
	if len(text) > quotedMaxBytes {
		return strconv.Quote(strings.ToValidUTF8(text[:quotedMaxBytes], "")) + "…"
	}
	return strconv.Quote(text)
}

// parsed reads a text; nil and a fault if it is no JSON.
func (f *faults) parsed(text []byte, path string) *jsonvalue.Value {
	v, err := jsonvalue.Parse(text)
	if s, ok := errors.AsType[*jsonvalue.SyntaxError](err); ok {
		f.add(path+s.Path, "%s at byte %d", s.Reason, s.Offset)
		return nil
	}
	return v
}

// member reads the value of one member of an object.
type member struct {
	name string
	read func(v *jsonvalue.Value, path string)
}

// object reads an object that has no members but those named, which may all be left out.
func (f *faults) object(v *jsonvalue.Value, path string, known ...member) bool {
	if v.Kind() != jsonvalue.Object {
		f.add(path, "must be an object, and is %s", kindOf(v))
		return false
	}
	for _, m := range v.Members() {
		at := below(path, m.Name)
		i := slices.IndexFunc(known, func(k member) bool { return k.name == m.Name })
		if i < 0 {
			f.unknown(at, m.Name, known)
			continue
		}
		known[i].read(m.Value, at)
	}
	return true
}

func (f *faults) unknown(path, name string, known []member) {
	names := make([]string, len(known))
	for i, k := range known {
		if names[i] = k.name; strings.EqualFold(k.name, name) {
			f.add(path, "names are exact: %q is meant", k.name)
			return
		}
	}
	f.add(path, "unknown member; known are %s", strings.Join(names, ", "))
}

func (f *faults) text(into *string) func(*jsonvalue.Value, string) {
	return func(v *jsonvalue.Value, path string) {
		if v.Kind() != jsonvalue.String {
			f.add(path, "must be a string, and is %s", kindOf(v))
			return
		}
		*into = v.Str()
	}
}

func (f *faults) boolean(into *bool) func(*jsonvalue.Value, string) {
	return func(v *jsonvalue.Value, path string) {
		if v.Kind() != jsonvalue.Bool {
			f.add(path, "must be true or false, and is %s", kindOf(v))
			return
		}
		*into = v.Bool()
	}
}

// kindOf is the kind of a value in a sentence.
func kindOf(v *jsonvalue.Value) string {
	switch v.Kind() {
	case jsonvalue.Null:
		return "null"
	case jsonvalue.Array:
		return "a list"
	case jsonvalue.Object:
		return "an object"
	case jsonvalue.Bool, jsonvalue.Number, jsonvalue.String:
	}
	return "a " + v.Kind().String()
}
