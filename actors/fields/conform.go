package fields

import (
	"errors"
	"strconv"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/schema"
)

// schema reads the schema of the elements of a field.
func (f *faults) schema(into **schema.Schema) func(*jsonvalue.Value, string) {
	return func(v *jsonvalue.Value, path string) {
		s, err := schema.Compile(v)
		if e, ok := errors.AsType[*schema.Error](err); ok {
			f.add(path+e.Path, "%s", e.Reason)
			return
		}
		if err != nil {
			f.add(path, "%v", err)
			return
		}
		*into = s
	}
}

// conforms holds a value that becomes an element against the schema of the field.
func (f *faults) conforms(in *Instruction, v *jsonvalue.Value, path string) {
	if in.schema == nil || !in.kind.takes.has(wholeElements) {
		return
	}
	for _, violation := range in.schema.CheckWithin(v, path, &f.steps) {
		f.add(violation.Path, "%s", violation.Message)
	}
}

// conforms holds the elements that an instruction has changed or made of others against the schema of the field. Those that
// it leaves alone are not judged, whatever they are; those that it brings were judged when they were read.
func (e *edit) conforms(old, got *jsonvalue.Value) bool {
	if e.in.schema == nil || e.in.kind.takes.has(wholeElements) {
		return true
	}
	if got.Kind() != jsonvalue.Array {
		violations := e.violations(got, e.place.String())
		return e.judged(violations, e.place.String())
	}
	var before []*jsonvalue.Value
	if old != nil {
		before = old.Elements()
	}
	alone := make(map[*jsonvalue.Value]struct{}, len(before))
	for _, x := range before {
		alone[x] = struct{}{}
	}
	var known map[string]struct{} // what equals an element of before is left alone, too, though it was written anew
	for i, x := range got.Elements() {
		if _, same := alone[x]; same {
			continue
		}
		at := e.place.String() + "/" + strconv.Itoa(i)
		violations := e.violations(x, at)
		if len(violations) == 0 {
			continue
		}
		if known == nil {
			known = make(map[string]struct{}, len(before))
			for _, x := range before {
				known[identity(x)] = struct{}{}
			}
		}
		if _, same := known[identity(x)]; !same {
			return e.judged(violations, at)
		}
	}
	return true
}

func (e *edit) violations(v *jsonvalue.Value, path string) []problem.FieldError {
	return e.in.schema.CheckWithin(v, path, &e.steps)
}

// judged ends the work if the element at the path does not fit.
func (e *edit) judged(violations []problem.FieldError, path string) bool {
	if len(violations) == 0 {
		return true
	}
	e.failAt(path, "does not fit")
	e.problem.Code, e.problem.Errors = problem.SchemaInvalid, violations
	e.problem.Detail = "the element at " + path + " would not fit the schema of the field " + e.in.Field
	return false
}
