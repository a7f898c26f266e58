package rules

import (
	"errors"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/schema"
)

// Schemas are the schemas of a type; nil ones demand nothing.
type Schemas struct {
	Metadata  *schema.Schema
	Documents *schema.Schema // of each document
	Warn      bool           // violations are told, and refuse nothing
}

func schemasObject(s *Schemas) reader {
	return object{
		{"metadata", compiled(&s.Metadata)},
		{"documents", compiled(&s.Documents)},
		{"warn", boolean(&s.Warn)},
	}.read
}

func compiled(into **schema.Schema) reader {
	return func(v *jsonvalue.Value, path string) error {
		s, err := schema.Compile(v)
		if e, ok := errors.AsType[*schema.Error](err); ok {
			return problem.At(path+e.Path, "%s", e.Reason)
		}
		if err != nil {
			return problem.At(path, "%v", err)
		}
		*into = s
		return nil
	}
}
