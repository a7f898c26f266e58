package collection

import (
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/persistence"
)

// typeID is the type that the command is judged by: the collection's own, or that of a collection it makes; nil without.
func typeID(s State, c Command) *persistence.EntityID {
	name := s.Type
	if w, ok := c.(*Write); ok && !s.Live() {
		name = w.Type
		if name == "" && s.Deleted && w.Base != nil && *w.Base < s.Version {
			name = s.Type // whether it may be brought back is for the type to say that it had
		}
	}
	if name == "" {
		return nil
	}
	return &persistence.EntityID{Kind: persistence.KindType, ID: name}
}

// typeOf reads it from the facts. One that is gone, or was never there, sets nothing; one that this version cannot read
// may set anything, so that nothing can be decided by it.
func (b Behavior) typeOf(s State, c Command, f entity.Facts) (*rules.Type, error) {
	id := typeID(s, c)
	if id == nil {
		return rules.None, nil
	}
	return b.typeKnown(*id, f)
}

func (b Behavior) typeKnown(id persistence.EntityID, f entity.Facts) (*rules.Type, error) {
	state, _ := f.Of(id)
	t, err := b.Types.Decode(state)
	if err != nil {
		return rules.None, problem.New(problem.Unavailable, "the type %q cannot be read by this version of the service", id.ID)
	}
	return t, nil
}
