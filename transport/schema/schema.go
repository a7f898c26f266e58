// Package schema makes the documents of the API from the operation table: JSON Schemas (2020-12) of its Go types, the
// OpenAPI 3.1 and AsyncAPI 3.0 descriptions, the metadata of the NATS endpoints, and the page docs/WIRE.md. Equal tables
// give equal bytes. What a document says is derived; only what no type can say (headers, examples) stands here as text.
package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"concord/actors/problem"
	"concord/transport"
)

// dialect names the meta-schema of every schema here.
const dialect = "https://json-schema.org/draft/2020-12/schema"

// What CheckIDs and ValidDocumentID accept, as JSON Schema can say it.
const (
	idPattern        = "^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"
	documentMaxRunes = 256 // bytes, in truth: JSON Schema counts characters
)

// schemas collects the schemas of one document by name. A request is closed, since an unknown member of it is refused;
// an answer is open, so that a later version of the service may add members.
type schemas struct {
	prefix   string // of references
	requests huma.Registry
	answers  huma.Registry
}

func newSchemas(prefix string) *schemas {
	return &schemas{prefix: prefix, requests: huma.NewMapRegistry(prefix, nameOf), answers: huma.NewMapRegistry(prefix, nameOf)}
}

// nameOf is the name of a type's schema. A kind's package is half of its types' names (collection.Result); the packages
// of the transport say nothing that matters.
func nameOf(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	pkg := path.Base(t.PkgPath())
	if !strings.Contains(t.PkgPath(), "/actors/") || pkg == "problem" {
		return name
	}
	return strings.ToUpper(pkg[:1]) + pkg[1:] + name
}

// request is the schema of a request's value: a reference if its type is a struct.
func (s *schemas) request(value any) *huma.Schema {
	return s.requests.Schema(reflect.TypeOf(value), true, "")
}

// answer is the schema of an answer's value.
func (s *schemas) answer(value any) *huma.Schema {
	return s.answers.Schema(reflect.TypeOf(value), true, "")
}

// problem is the schema of a refusal. Each kind of problem has members of its own beside the ones of all.
func (s *schemas) problem() *huma.Schema {
	ref := s.answer(transport.ProblemBody{})
	code := s.answers.SchemaFromRef(ref.Ref).Properties["code"]
	code.Enum = nil
	for _, c := range problem.Codes() {
		code.Enum = append(code.Enum, string(c))
	}
	return ref
}

// named are all schemas that were asked for, and those that they refer to.
func (s *schemas) named() map[string]*huma.Schema {
	all := maps.Clone(s.requests.Map())
	for name, answer := range s.answers.Map() {
		if _, both := all[name]; both {
			panic(fmt.Sprintf("schema: %s is both asked and answered, so it can be neither closed nor open", name))
		}
		open(answer)
		all[name] = answer
	}
	for _, schema := range all {
		plain(schema)
	}
	return all
}

// resolve is the schema itself, where s may be a reference.
func (s *schemas) resolve(schema *huma.Schema) *huma.Schema {
	if schema.Ref == "" {
		return schema
	}
	name := strings.TrimPrefix(schema.Ref, s.prefix)
	if found, ok := s.requests.Map()[name]; ok {
		return found
	}
	return s.answers.Map()[name]
}

// open lets an object have members beyond those that it names.
func open(schema *huma.Schema) {
	if schema.AdditionalProperties == false {
		schema.AdditionalProperties = nil
	}
}

// plain takes back what huma assumes of every slice: the service never writes null for an empty array, nor takes it.
func plain(schema *huma.Schema) {
	if schema.Type == huma.TypeArray {
		schema.Nullable = false
		plain(schema.Items)
	}
	if schema.Nullable && len(schema.Enum) > 0 && !slices.Contains(schema.Enum, nil) {
		schema.Enum = append(schema.Enum, nil) // huma leaves it to the type, and the enumeration refuses it
	}
	for _, property := range schema.Properties {
		plain(property)
	}
	if values, ok := schema.AdditionalProperties.(*huma.Schema); ok {
		plain(values)
	}
}

// marshal writes a document. Everything in it marshals: it is made of strings, numbers and maps.
func marshal(document any) []byte {
	text, err := json.Marshal(document)
	if err != nil {
		panic("schema: " + err.Error())
	}
	return text
}

// Subject is the NATS subject of an operation, with its ids in braces.
func Subject(op *transport.Operation, prefix string) string {
	subject := prefix + "." + op.Name
	if !op.Global {
		subject += ".{provider}"
	}
	if op.HasID {
		subject += ".{id}"
	}
	return subject
}

// noun is the first half of an operation's name.
func noun(op *transport.Operation) string {
	n, _, _ := strings.Cut(op.Name, ".")
	return n
}

// idSchema is the schema of an id in a path or a subject.
func idSchema() *huma.Schema { return &huma.Schema{Type: huma.TypeString, Pattern: idPattern} }

// scopeSchema is the schema of what a lock is on.
func scopeSchema() *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Examples: []any{"collection:main:letters"}}
}

// innerSchema is the schema of an id below an entity.
func innerSchema() *huma.Schema {
	least, most := 1, documentMaxRunes
	return &huma.Schema{Type: huma.TypeString, MinLength: &least, MaxLength: &most, Description: transport.DocumentIDRule}
}

// paramSchema is the schema of a parameter beside the body.
func paramSchema(p transport.Param) *huma.Schema {
	one := &huma.Schema{Type: string(p.Type)}
	if p.Type == transport.TypeTime {
		one = &huma.Schema{Type: huma.TypeString, Format: string(p.Type)}
	}
	if p.Type == transport.TypeInteger {
		least := 0.0
		one.Minimum = &least
	}
	if p.Repeat {
		return &huma.Schema{Type: huma.TypeArray, Items: one}
	}
	return one
}

// patchSchema is the schema of a body in one of the media types that an operation takes beside JSON.
func patchSchema(mediaType string) *huma.Schema {
	switch mediaType {
	case transport.MediaJSONPatch:
		return &huma.Schema{Type: huma.TypeArray, Description: "RFC 6902, on {metadata, documents}", Items: &huma.Schema{
			Type: huma.TypeObject, Required: []string{"op", "path"}, Properties: map[string]*huma.Schema{
				"op":    {Type: huma.TypeString, Enum: []any{"add", "remove", "replace", "move", "copy", "test"}},
				"path":  {Type: huma.TypeString, Description: "/metadata... or /documents/<id>..."},
				"from":  {Type: huma.TypeString},
				"value": {},
			}}}
	case transport.MediaMergePatch:
		return &huma.Schema{Type: huma.TypeObject, Description: "RFC 7396, on {metadata, documents}",
			AdditionalProperties: false, Properties: map[string]*huma.Schema{"metadata": {}, "documents": {}}}
	default:
		return &huma.Schema{Type: huma.TypeString, Format: "binary"}
	}
}
