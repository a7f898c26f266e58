package client

import (
	"context"
	"encoding/json"

	"concord/actors/jsonvalue"
	"concord/actors/merge"
)

// apart says that the two sides of a conflict have changed different members. What cannot be seen counts as changed by both.
//
// Members that both sides have changed alike are no conflict to a merge, but they are to who has counted on what was there.
func (u *update) apart(ctx context.Context, s *Snapshot, changes []Change, met *Conflict) bool {
	if len(met.Clashes) == 0 || met.Total > len(met.Clashes) {
		return false
	}
	for i := range met.Clashes {
		clash := &met.Clashes[i]
		if clash.Kind != merge.ModifyModify && clash.Kind != merge.AddAdd {
			return false
		}
		part, err := jsonvalue.ParsePointer(clash.Path)
		if err != nil {
			return false
		}
		read := func(version uint64) (json.RawMessage, error) { return u.client.part(ctx, s, part, version) }
		base, sees := seen(clash.Base, clash.BaseBytes, func() (json.RawMessage, error) { return read(s.Version) })
		server, seesToo := seen(clash.Server, clash.ServerBytes, func() (json.RawMessage, error) { return read(met.CurrentVersion) })
		client, seesAll := seen(clash.Client, clash.ClientBytes, func() (json.RawMessage, error) { return putOf(changes, part), nil })
		if !sees || !seesToo || !seesAll || !differentMembers(base, client, server) {
			return false
		}
	}
	return true
}

// seen is a value of a clash: as it stands there, or, if it was left out for its length, as it is read. nil is missing.
func seen(text json.RawMessage, bytes int, read func() (json.RawMessage, error)) (v *jsonvalue.Value, ok bool) {
	var err error
	switch {
	case len(text) == 0 && bytes == 0:
		return nil, true
	case len(text) == 0:
		if text, err = read(); err != nil {
			return nil, false
		}
	}
	v, err = jsonvalue.Parse(text)
	return v, err == nil
}

// part reads the metadata or a document of the collection at a version.
func (c *Client) part(ctx context.Context, s *Snapshot, part jsonvalue.Pointer, version uint64) (json.RawMessage, error) {
	if len(part) == 1 {
		whole, err := c.CollectionGet(ctx, s.ID, In(s.Provider), Version(version), WithoutDocuments())
		if err != nil {
			return nil, err
		}
		return whole.Metadata, nil
	}
	d, err := c.DocumentGet(ctx, s.ID, part[1], In(s.Provider), Version(version))
	if err != nil {
		return nil, err
	}
	return d.Value, nil
}

// putOf is what the only change of a part puts there; nil if it was changed in another way.
func putOf(changes []Change, part jsonvalue.Pointer) (value json.RawMessage) {
	for _, change := range changes {
		about := jsonvalue.Pointer{"metadata"}
		if change.ID != "" {
			about = jsonvalue.Pointer{"documents", change.ID}
		}
		if about.String() != part.String() {
			continue
		}
		if value != nil || change.Op != "put-document" && change.Op != "put-metadata" {
			return nil
		}
		value = change.Value
	}
	return value
}

// differentMembers says that no value was changed on both sides, but for objects whose members were not.
func differentMembers(base, client, server *jsonvalue.Value) bool {
	if jsonvalue.Equal(client, base) || jsonvalue.Equal(server, base) {
		return true
	}
	if !isObject(client) || !isObject(server) || base != nil && !isObject(base) {
		return false
	}
	sides := make(map[string]*[3]*jsonvalue.Value, client.Len())
	for i, side := range []*jsonvalue.Value{base, client, server} {
		if side == nil {
			continue
		}
		for _, m := range side.Members() {
			if sides[m.Name] == nil {
				sides[m.Name] = new([3]*jsonvalue.Value)
			}
			sides[m.Name][i] = m.Value
		}
	}
	for _, values := range sides {
		if !differentMembers(values[0], values[1], values[2]) {
			return false
		}
	}
	return true
}

func isObject(v *jsonvalue.Value) bool { return v != nil && v.Kind() == jsonvalue.Object }
