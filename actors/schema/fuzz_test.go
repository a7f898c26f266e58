package schema

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// FuzzCompileAndCheck: no text of a schema and no value does any harm, and the answer is bounded, sorted, and the same
// again, also from a schema that was compiled anew.
func FuzzCompileAndCheck(f *testing.F) {
	for _, schema := range []string{
		`true`, `false`, `{"$ref":"#"}`, `{"$id":"http://a/b?c#","$ref":"http://a/b?c#x","$anchor":"x"}`, `{"const":1e9999}`,
		`{"$dynamicAnchor":"n","anyOf":[{"items":{"$dynamicRef":"#n"}},{"uniqueItems":true,"contains":{},"minContains":0}]}`,
		`{"dependencies":{"a":["b"],"c":{"$recursiveRef":"#/not"}},"not":{},"dependentRequired":{"a":["b"]},"unevaluatedItems":false}`,
		`{"$schema":"https://json-schema.org/draft/2020-12/schema#","format":"regex","contentSchema":{}}`,
		`{"patternProperties":{"^a{2,}$":{"propertyNames":{"maxLength":2}},"[^\\d]":false},"maxLength":1e9,"multipleOf":0.1}`,
		`{"properties":{"title":{"$ref":"#/$defs/t"}},"$defs":{"t":{"minLength":2}},"if":{"required":["a"]},"then":{"enum":[1]},"else":false}`,
		doubling(3), chain(3),
	} {
		for _, value := range []string{`{"a":[1,1.0,{"aa":"b"}],"title":"x"}`, `[[],[[]],"\u0000",-0.0,1e400]`, `null`, `"9780306810213"`} {
			f.Add([]byte(schema), []byte(value))
		}
	}
	f.Fuzz(func(t *testing.T, schema, value []byte) {
		text, err := jsonvalue.Parse(schema)
		if err != nil {
			return
		}
		s, err := Compile(text)
		if refused, ok := errors.AsType[*Error](err); ok {
			checkRefusal(t, text, refused)
			return
		}
		v, err := jsonvalue.Parse(value)
		if err != nil {
			return
		}
		got := s.Check(v, "/at")
		checkAnswer(t, got)
		checkVerdict(t, text, v, got)
		again, err := Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, s.Check(v, "/at")) || !slices.Equal(got, again.Check(v, "/at")) {
			t.Fatalf("not the same again as %v", got)
		}
	})
}

func checkRefusal(t *testing.T, text *jsonvalue.Value, refused *Error) {
	if !utf8.ValidString(refused.Reason) || len(refused.Reason) > 300 || refused.Reason == "" {
		t.Fatalf("%q", refused.Reason)
	}
	if _, err := jsonvalue.ParsePointer(refused.Path); err != nil {
		t.Fatal(err)
	}
	_, err := Compile(text)
	if again, ok := errors.AsType[*Error](err); !ok || *again != *refused {
		t.Fatalf("%v, and then %v", refused, err)
	}
}

func checkAnswer(t *testing.T, got []problem.FieldError) {
	if len(got) > violationsMax {
		t.Fatalf("%d violations", len(got))
	}
	if !slices.IsSortedFunc(got, func(a, b problem.FieldError) int { return strings.Compare(a.Path, b.Path) }) {
		t.Fatalf("not sorted: %v", got)
	}
	for _, v := range got {
		if _, err := jsonvalue.ParsePointer(v.Path); err != nil || !strings.HasPrefix(v.Path, "/at") || len(v.Path) > pathMaxBytes+3 {
			t.Fatalf("path %q: %v", v.Path, err)
		}
		if v.Message == "" || len(v.Message) > 300 {
			t.Fatalf("message %q", v.Message)
		}
	}
}

// checkVerdict holds the verdict to that of the library alone, without what we put in front of it or in place of its own.
func checkVerdict(t *testing.T, schema, v *jsonvalue.Value, got []problem.FieldError) {
	compiler := jsonschema.NewCompiler()
	compiler.UseLoader(nothing{})
	if err := compiler.AddResource("alone:///", new(conversion).value(schema)); err != nil {
		t.Fatal(err)
	}
	alone, err := compiler.Compile("alone:///")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) > 0 && (strings.HasSuffix(got[0].Message, tooLong) || strings.HasSuffix(got[0].Message, costly)) {
		return
	}
	if err := alone.Validate(new(conversion).value(v)); (err == nil) != (len(got) == 0) {
		t.Fatalf("%v, and the library alone says %v", got, err)
	}
}
