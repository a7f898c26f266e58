package cmr

import (
	"encoding/json"
	"fmt"

	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/transport/api"
)

// instruction is what an update asks for, in the words of our own.
type instruction struct {
	Type  fields.Type     `json:"type"`
	Path  string          `json:"path"`
	Find  json.RawMessage `json:"find,omitempty"`
	All   bool            `json:"matchAll,omitempty"`
	Value json.RawMessage `json:"value,omitempty"`
}

// task is the body of the operation that does the update.
func (u *update) task(targets api.BulkTargets) ([]byte, error) {
	instructions, err := json.Marshal([]instruction{u.instruction()})
	if err != nil {
		return nil, fmt.Errorf("write the instruction of a bulk update: %w", err)
	}
	body, err := json.Marshal(api.BulkRequest{Name: u.name, Targets: targets, Instructions: instructions})
	if err != nil {
		return nil, fmt.Errorf("write the request of a bulk update: %w", err)
	}
	return body, nil
}

func (u *update) instruction() instruction {
	in := instruction{Type: u.kind, Path: updateFields[u.field]}
	if u.value != nil {
		in.Value = u.value.Text()
	}
	switch {
	case u.find == nil:
	case u.find.Len() == 0:
		in.All = true
	default:
		in.Find = whole(u.find).Text()
	}
	return in
}

// whole is a find whose objects are meant whole, as in CMR. Ours would look for their members.
func whole(find *jsonvalue.Value) *jsonvalue.Value {
	members := make([]jsonvalue.Member, find.Len())
	for i, m := range find.Members() {
		if m.Value.Kind() == jsonvalue.Object {
			m.Value = jsonvalue.NewObject(jsonvalue.Member{Name: "$eq", Value: m.Value})
		}
		members[i] = m
	}
	return jsonvalue.ObjectOf(members)
}
