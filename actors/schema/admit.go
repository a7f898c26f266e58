package schema

import (
	"net/url"
	"strconv"
	"strings"

	"concord/actors/jsonvalue"
)

const dialect = "https://json-schema.org/draft/2020-12/schema"

// A shape says where the schemas are in the value of a keyword.
type shape int

const (
	itself  shape = iota + 1 // the value is a schema
	listed                   // its elements are
	named                    // its members are
	pattern                  // its members are, and their names are regular expressions
)

var shapes = map[string]shape{
	"not": itself, "if": itself, "then": itself, "else": itself,
	"items": itself, "contains": itself, "unevaluatedItems": itself, "additionalItems": itself,
	"additionalProperties": itself, "unevaluatedProperties": itself, "propertyNames": itself, "contentSchema": itself,
	"allOf": listed, "anyOf": listed, "oneOf": listed, "prefixItems": listed,
	"$defs": named, "definitions": named, "properties": named, "dependentSchemas": named, "dependencies": named,
	"patternProperties": pattern,
}

// admission is what is learnt of a schema before the library sees it. It finds the errors whose place the library does not
// tell, or that it would meet at great cost.
type admission struct {
	id           string
	places       map[string]bool   // of the schemas in it, by JSON Pointer
	anchors      map[string]string // to their places
	references   []reference
	instructions int
}

type reference struct{ path, to string }

func admit(v *jsonvalue.Value) error {
	if nodes(v) > schemaMaxNodes {
		return &Error{"", "has too many values for a schema"}
	}
	a := admission{places: map[string]bool{}, anchors: map[string]string{}}
	if err := a.schema(v, ""); err != nil {
		return err
	}
	for _, r := range a.references {
		if err := a.resolve(r); err != nil {
			return err
		}
	}
	return nil
}

func nodes(v *jsonvalue.Value) int {
	n := 1
	for _, e := range v.Elements() {
		n += nodes(e)
	}
	for _, m := range v.Members() {
		n += nodes(m.Value)
	}
	return n
}

func (a *admission) schema(v *jsonvalue.Value, path string) error {
	if v.Kind() != jsonvalue.Object && v.Kind() != jsonvalue.Bool {
		return nil // the metaschema will say what it must be
	}
	a.places[path] = true
	if len(a.places) > schemaMaxPlaces {
		return &Error{path, "is one schema too many inside a schema"}
	}
	for _, m := range v.Members() {
		if err := a.keyword(m, path); err != nil {
			return err
		}
	}
	return nil
}

func (a *admission) keyword(m jsonvalue.Member, schema string) error {
	path := child(schema, m.Name)
	switch shapes[m.Name] {
	case itself:
		return a.schema(m.Value, path)
	case listed:
		for i, e := range m.Value.Elements() {
			if err := a.schema(e, child(path, strconv.Itoa(i))); err != nil {
				return err
			}
		}
	case named, pattern:
		for _, below := range m.Value.Members() {
			if shapes[m.Name] == pattern {
				if err := a.pattern(below.Name, child(path, below.Name)); err != nil {
					return err
				}
			}
			if err := a.schema(below.Value, child(path, below.Name)); err != nil {
				return err
			}
		}
	default:
		return a.assertion(m.Name, m.Value, path, schema)
	}
	return nil
}

// assertion looks at a keyword that has no schemas in it.
func (a *admission) assertion(name string, v *jsonvalue.Value, path, schema string) error {
	text := v.Str()
	switch name {
	case "$schema":
		if strings.TrimSuffix(text, "#") != dialect {
			return &Error{path, "must be " + dialect}
		}
	case "$id":
		if _, err := url.Parse(text); err != nil || schema != "" {
			return &Error{path, "must be a URL, and only the whole schema may have one"}
		}
		a.id = strings.TrimSuffix(text, "#")
	case "$vocabulary":
		return &Error{path, "is for schemas of schemas only"}
	case "$anchor", "$dynamicAnchor":
		if other, ok := a.anchors[text]; ok && other != schema {
			return &Error{path, "names two places"}
		}
		a.anchors[text] = schema
	case "$ref", "$dynamicRef", "$recursiveRef":
		if v.Kind() == jsonvalue.String {
			a.references = append(a.references, reference{path, text})
		}
	case "pattern":
		if v.Kind() == jsonvalue.String {
			return a.pattern(text, path)
		}
	case "minLength", "maxLength", "minItems", "maxItems", "minContains", "maxContains", "minProperties", "maxProperties":
		if v.Kind() == jsonvalue.Number && jsonvalue.CompareNumbers(v.Literal(), countMax) > 0 {
			return &Error{path, "must be at most " + countMax}
		}
	}
	return nil
}

func (a *admission) pattern(text, path string) error {
	if len(text) > patternMaxBytes {
		return &Error{path, "is too long for a regular expression"}
	}
	n, err := instructions(text)
	if err != nil {
		return &Error{path, "is no regular expression of RE2"}
	}
	a.instructions += n
	if a.instructions > patternsMaxInstructions {
		return &Error{path, "makes the regular expressions of the schema too large"}
	}
	return nil
}

// resolve holds a reference to a schema inside this one. A place that holds none is refused even if there is a value: the
// library would copy all that it knows of the schema for each.
func (a *admission) resolve(r reference) error {
	document, fragment, _ := strings.Cut(r.to, "#")
	if document != "" && document != a.id {
		return &Error{r.path, "must be a place in this schema, and begin with #"}
	}
	fragment, err := url.PathUnescape(fragment)
	if err != nil {
		return &Error{r.path, "must be percent-encoded"}
	}
	found := a.places[fragment]
	if fragment != "" && fragment[0] != '/' {
		_, found = a.anchors[fragment]
	}
	if !found {
		return &Error{r.path, "names no schema in this schema"}
	}
	return nil
}
