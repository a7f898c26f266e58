package collection

import (
	"google.golang.org/protobuf/encoding/protowire"

	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/lookup"
	"concord/actors/rules"
	"concord/persistence"
)

// Reindex brings what the collection is found by up to date with the keys and indexes of its type, as every write of the
// metadata does. The content stays as it is, so that no lock is asked and no version made. Metadata that have more values than
// a collection can be found by are refused.
type Reindex struct{}

func (*Reindex) command() {}

func (b Behavior) reindex(s State, c *Reindex, f entity.Facts) (decision, error) {
	if !s.Live() {
		return decision{}, nil
	}
	t, err := b.typeOf(s, c, f)
	if err != nil || t.Lookups.Print() == lookup.Fingerprint(s.Lookups) {
		return decision{}, err
	}
	metadata, wants, err := visible(nil, s, f)
	if err != nil || len(wants) > 0 {
		return decision{Wants: wants}, err
	}
	terms, refused := t.Lookups.Terms(metadata)
	if refused != nil {
		return decision{}, refused
	}
	return decision{Events: []Event{&Reindexed{terms}}}, nil
}

// found notes in an event what the collection is found by from then on, if that changes. It is made anew if the event writes
// the metadata or begins another life, and if the type declares other keys and indexes than it did. Only in the last case metadata
// that cannot be found by all of them are left as they were: nobody has touched them.
func (e *Saved) found(now State, f entity.Facts, t *rules.Type) (wants []entity.Want, err error) {
	if t.Lookups == nil {
		if len(now.Lookups) > 0 {
			e.Lookups = []byte{}
		}
		return nil, nil
	}
	var written *entity.Content
	if len(e.Parts) > 0 && e.Parts[0].ID == MetadataPart { // its id is the least
		written = &e.Parts[0]
	}
	goesOn := now.Live() && e.After.Type == now.Type && e.After.Born == now.Born
	if written == nil && goesOn && lookup.Fingerprint(now.Lookups) == t.Lookups.Print() {
		return nil, nil
	}
	metadata, wants, err := visible(written, e.After, f)
	if err != nil || len(wants) > 0 {
		return wants, err
	}
	terms, refused := t.Lookups.Terms(metadata)
	switch {
	case refused == nil:
		e.Lookups = terms
	case written != nil || !goesOn:
		return nil, refused
	}
	return nil, nil
}

// foundAgain is found of a revert, which may bring a collection back that was of another type.
func (b Behavior) foundAgain(e *Saved, now State, f entity.Facts, t *rules.Type) (wants []entity.Want, err error) {
	if e.After.Type == now.Type {
		return e.found(now, f, t)
	}
	t = rules.None
	if e.After.Type != "" {
		id := persistence.EntityID{Kind: persistence.KindType, ID: e.After.Type}
		if _, ok := f.Of(id); !ok {
			return []entity.Want{{Of: &id}}, nil
		}
		if t, err = b.typeKnown(id, f); err != nil {
			return nil, err
		}
	}
	return e.found(now, f, t)
}

// visible are the metadata that can be seen after an event: those that it writes, or those that are there; nil: none.
func visible(written *entity.Content, after State, f entity.Facts) (*jsonvalue.Value, []entity.Want, error) {
	if written == nil {
		fact, ok := f.Part(MetadataPart, true)
		switch {
		case after.Born == 0:
			return nil, nil, nil // it begins without
		case !ok:
			return nil, []entity.Want{{Part: MetadataPart, Body: true}}, f.TooHeavy()
		case !fact.Exists || fact.Version < after.Born:
			return nil, nil, nil
		}
		v, err := valueOf(fact)
		return v, nil, err
	}
	if v, ok := written.Value.(*jsonvalue.Value); ok || written.Removed {
		return v, nil, nil
	}
	v, err := jsonvalue.Parse(written.Body)
	return v, nil, err
}

// Found takes the entries of a collection in the indexes of its type from one state to a later one.
func (Behavior) Found(before, after State) []persistence.IndexChange {
	return lookup.Changes(before.standing(), after.standing())
}

func (s State) standing() lookup.Standing { return lookup.Standing{Type: s.Type, Terms: s.Lookups} }

// FoundBy is the type of a living collection, from its stored state, and the fingerprint of the keys and indexes that it is
// found by, without decoding the rest.
func FoundBy(state []byte) (collectionType string, fingerprint uint64, live bool) {
	yes := func(field protowire.Number) bool {
		n, _ := protowire.ConsumeVarint(entity.Peek(state, field, protowire.VarintType))
		return n == 1
	}
	collectionType = string(entity.PeekMessage(state, stateFieldType))
	return collectionType, lookup.Fingerprint(entity.PeekMessage(state, stateFieldLookups)),
		len(state) > 0 && !yes(stateFieldDeleted) && !yes(stateFieldNever)
}

// Numbers of members of State.
const (
	stateFieldType    = 2
	stateFieldDeleted = 3
	stateFieldNever   = 12
	stateFieldLookups = 16
)
