package faults

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"concord/actors/collection"
	"concord/actors/collection/collectionpb"
	"concord/persistence"
)

// stacks are the collections of a store that nothing runs on. To look at all of very many of them takes seconds here, and
// minutes at the door of a service.
type stacks struct {
	t    *testing.T
	view persistence.View
}

var _ library = (*stacks)(nil)

func (s *stacks) id(id string) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindCollection, Provider: provider, ID: id}
}

func (s *stacks) history(id string) (all []bulkVersion) {
	for rec, err := range s.view.Versions(s.id(id), 0) {
		var saved collectionpb.Saved
		if err == nil && rec.GetType() == collection.TypeSaved {
			err = proto.Unmarshal(rec.GetPayload(), &saved)
		}
		if err != nil {
			s.t.Errorf("history of %s: %v", id, err)
			return nil
		}
		all = append(all, bulkVersion{Version: rec.GetVersion(), Type: rec.GetType(), Bulk: saved.GetTask(), Principal: rec.GetPrincipal()})
	}
	slices.Reverse(all)
	return all
}

// shelf reads a collection; of its documents the one that the crowd writes.
func (s *stacks) shelf(id string) (k shelf) {
	head, err := s.view.Head(s.id(id))
	k.Version = head.Version
	var metadata, written json.RawMessage
	if err == nil {
		metadata, err = s.part(id, collection.MetadataPart)
	}
	if err == nil {
		err = json.Unmarshal(metadata, &k.Metadata)
	}
	if err == nil {
		written, err = s.part(id, "w")
	}
	if err != nil && !errors.Is(err, persistence.ErrNotFound) || metadata == nil {
		s.t.Errorf("%s: %v", id, err)
	}
	k.Documents = map[string]json.RawMessage{"w": written}
	return k
}

func (s *stacks) part(id, name string) (json.RawMessage, error) {
	part, err := s.view.Part(s.id(id), name)
	if err != nil {
		return nil, err
	}
	return s.view.Body(s.id(id), part.Place)
}
