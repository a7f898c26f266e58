package collection

import (
	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/rules"
)

// fit holds the parts that a command writes against the schemas of the type: violations refuse the command, or are
// warnings if the type says so.
func fit(parts []entity.Content, t *rules.Type) (warnings []problem.FieldError, err error) {
	if t.Schemas.Metadata == nil && t.Schemas.Documents == nil {
		return nil, nil
	}
	var violations []problem.FieldError
	for i := range parts {
		p := &parts[i]
		s := t.Schemas.Documents
		if p.ID == MetadataPart {
			s = t.Schemas.Metadata
		}
		if p.Removed || s == nil {
			continue
		}
		v, err := jsonvalue.Parse(p.Body)
		if err != nil {
			return nil, err
		}
		violations = append(violations, s.Check(v, pathOf(p.ID))...)
		if len(violations) > violationsMax {
			violations = violations[:violationsMax]
			break
		}
	}
	if len(violations) == 0 || t.Schemas.Warn {
		return violations, nil
	}
	refused := problem.New(problem.SchemaInvalid, "the content does not fit the schema of its type")
	refused.Errors = violations
	return nil, refused
}

// judged are the parts that the schemas judge: those that are written, and metadata that was given though it says no more
// than none would.
func (d *draft) judged(parts []entity.Content) []entity.Content {
	given := d.parts[MetadataPart]
	if d.state.Live() || given == nil || given.removed || len(parts) > 0 && parts[0].ID == MetadataPart {
		return parts
	}
	return append([]entity.Content{{ID: MetadataPart, Body: []byte("{}")}}, parts...)
}

// violationsMax bounds how many places are looked for that do not fit a schema.
const violationsMax = 1000
