// Package schema checks JSON values by JSON Schema 2020-12. The library santhosh-tekuri/jsonschema judges; this package
// keeps from it what it must not be given, and says what it found in our words.
//
//   - A schema is closed: nothing is ever loaded, by URL or from a file. $ref and $dynamicRef name a place or an anchor of
//     the same schema; only the whole schema may have an $id; $schema is absent or 2020-12.
//   - format is an annotation, as 2020-12 has it by default: it is not asserted. So are the content keywords.
//   - Regular expressions are those of RE2 (Go's regexp): no look-around, no back references, linear time.
//   - Numbers are exact: 9007199254740993 is not 9007199254740992, and 1.0 is the integer 1.
//   - Everything is bounded (bounds.go): a schema that could cost too much is refused by Compile, and a value that would
//     cost too much under a schema is one violation.
//
// The package is pure, and everything here may be called from many goroutines at once.
package schema

import (
	"errors"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// Schema is a compiled schema. It may be used by many goroutines at once.
type Schema struct {
	compiled *jsonschema.Schema
	root     *rule

	unevaluated bool // unevaluatedItems or unevaluatedProperties is in it
}

// Error is a text that is no schema, or one that is not taken here.
type Error struct {
	Path   string // JSON Pointer inside the schema
	Reason string
}

func (e *Error) Error() string { return e.Path + ": " + e.Reason }

// location is the base URL of every schema. Nothing is there.
const location = "schema:///type"

// Compile reads a schema. The error is an *Error that names the place, as near as it is known.
func Compile(v *jsonvalue.Value) (*Schema, error) {
	if v.Kind() != jsonvalue.Object && v.Kind() != jsonvalue.Bool {
		return nil, &Error{"", "must be an object, true or false"}
	}
	if err := admit(v); err != nil {
		return nil, err
	}
	var c conversion
	text := c.value(v)
	if refused := c.refused.violations; len(refused) > 0 {
		return nil, &Error{refused[0].Path, refused[0].Message}
	}
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.UseLoader(nothing{})
	compiler.UseRegexpEngine(newPattern)
	if err := compiler.AddResource(location, text); err != nil {
		return nil, notTaken(err)
	}
	compiled, err := compiler.Compile(location)
	if err != nil {
		return nil, notTaken(err)
	}
	s := &Schema{compiled: compiled}
	if err := s.plan(); err != nil {
		return nil, err
	}
	return s, nil
}

// nothing is what schemas are loaded from.
type nothing struct{}

func (nothing) Load(string) (any, error) { return nil, errClosed }

var errClosed = errors.New("a schema is not loaded from anywhere")

// notTaken names the place if the metaschema found it. Whatever else the library refuses, admit has looked for before.
func notTaken(err error) *Error {
	if invalid, ok := errors.AsType[*jsonschema.SchemaValidationError](err); ok {
		if found, ok := errors.AsType[*jsonschema.ValidationError](invalid.Err); ok {
			if first := violationsOf(found, ""); len(first) > 0 {
				return &Error{first[0].Path, first[0].Message}
			}
		}
	}
	return &Error{"", "is not taken: " + short(err.Error())}
}

// Check says where v violates the schema: at most violationsMax places, sorted by path, which is at, the JSON Pointer of v,
// and the place in v. The messages show nothing of v but the names of members in the paths.
//
// A value with a number that is too long to be compared (numberMaxDigits), or one that is too costly to check
// (checkMaxSteps), violates every schema; for its other violations it is then not looked at.
func (s *Schema) Check(v *jsonvalue.Value, at string) (violations []problem.FieldError) {
	return s.CheckWithin(v, at, new(Steps))
}

// Steps is the work that several checks have cost together. The zero value is ready for use.
type Steps struct{ spent int }

// CheckWithin is Check of one of several values, which together may cost as much as one may alone.
func (s *Schema) CheckWithin(v *jsonvalue.Value, at string, all *Steps) (violations []problem.FieldError) {
	steps := budget{left: checkMaxSteps - all.spent, unevaluated: s.unevaluated}
	enough := steps.evaluate(s.root, v, 0)
	if all.spent = checkMaxSteps - steps.left; !enough {
		return []problem.FieldError{{Path: at, Message: "is too costly to check against the schema"}}
	}
	c := conversion{refused: list{at: at}}
	value := c.value(v)
	if refused := c.refused.violations; len(refused) > 0 {
		return sorted(refused)
	}
	err := s.compiled.Validate(value)
	if found, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return violationsOf(found, at)
	}
	return nil
}
