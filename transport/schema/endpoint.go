package schema

import (
	"encoding/json"
	"maps"

	"github.com/danielgtaylor/huma/v2"

	"concord/transport"
)

// Endpoint is the metadata of an operation's NATS endpoint: "schema.request" and "schema.response" (JSON Schemas that
// are complete in themselves, absent where there is no such body), "right" and "doc".
func Endpoint(op *transport.Operation) map[string]string {
	metadata := map[string]string{"right": string(op.Right), "doc": op.Doc}
	asked := newSchemas("#/$defs/")
	metadata["schema.request"] = standalone(asked, asked.message(op))
	if op.Answer != nil {
		answered := newSchemas("#/$defs/")
		metadata["schema.response"] = standalone(answered, answered.reply(op))
	}
	return metadata
}

// message is the schema of the request's message over NATS. An operation without a body of its own has its parameters
// there; one on an id below the entity has that, too. In place of a JSON body, a message with another Content-Type has
// that type's.
func (s *schemas) message(op *transport.Operation) *huma.Schema {
	if op.Body == nil {
		return parameterObject(op)
	}
	schema := s.request(op.Body)
	if op.Inner != "" {
		schema = withInner(s.resolve(schema), op.Inner)
	}
	if len(op.Types) == 0 {
		return schema
	}
	either := &huma.Schema{AnyOf: []*huma.Schema{schema}}
	for _, t := range op.Types {
		either.AnyOf = append(either.AnyOf, patchSchema(t))
	}
	return either
}

// reply is the schema of the answer over NATS: of one of the successes, if they differ.
func (s *schemas) reply(op *transport.Operation) *huma.Schema {
	usual := s.answer(op.Answer)
	if len(op.Also) == 0 {
		return usual
	}
	either := &huma.Schema{AnyOf: []*huma.Schema{usual}}
	for _, o := range op.Also {
		either.AnyOf = append(either.AnyOf, s.answer(o.Answer))
	}
	return either
}

// parameterObject has a member for each parameter.
func parameterObject(op *transport.Operation) *huma.Schema {
	object := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Properties: map[string]*huma.Schema{}}
	for _, p := range op.Params {
		property := paramSchema(p)
		property.Description = p.Doc
		object.Properties[p.Name] = property
	}
	if op.Inner != "" {
		return withInner(object, op.Inner)
	}
	return object
}

// withInner is the object with the id below the entity among its members.
func withInner(object *huma.Schema, name string) *huma.Schema {
	with := *object
	with.Properties = maps.Clone(object.Properties)
	with.Properties[name] = innerSchema()
	with.Required = append([]string{name}, object.Required...)
	return &with
}

// standalone is the schema with all that it refers to.
func standalone(s *schemas, top *huma.Schema) string {
	defs := s.named()
	plain(top)
	document := map[string]any{"$schema": dialect}
	if len(defs) > 0 {
		document["$defs"] = defs
	}
	var members map[string]any
	if err := json.Unmarshal(marshal(top), &members); err != nil {
		panic("schema: a schema is an object: " + err.Error())
	}
	maps.Copy(document, members)
	return string(marshal(document))
}
