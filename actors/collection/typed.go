package collection

import (
	"concord/actors/entity"
	"concord/actors/lock"
	"concord/persistence"
)

// rulesOfType is what a collection's type sets.
type rulesOfType struct {
	Lock           lock.Settings
	RequireVersion bool
}

// typeID is the type that the command is judged by: the collection's own, or that of a collection it makes.
func typeID(s State, c Command) *persistence.EntityID {
	name := s.Type
	if w, ok := c.(*Write); ok && !s.Live() {
		name = w.Type
	}
	if name == "" {
		return nil
	}
	return &persistence.EntityID{Kind: 0, ID: name}
}

// typeOf reads it from the facts. A type that is gone, or was never there, sets nothing.
func typeOf(s State, c Command, f entity.Facts) (rulesOfType, error) {
	return rulesOfType{Lock: lock.DefaultSettings}, nil
}
