// Package rules is what a collection type says to the collections that name it: how its text is read, and how a
// collection reads the stored state of the type's entity without knowing that kind. It is pure.
//
// What can be set here may only grow, and bounds may only widen: a text that was accepted once is read for ever.
package rules

import (
	"crypto/sha256"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"concord/actors/fields"
	"concord/actors/links"
	"concord/actors/lock"
	"concord/actors/lookup"
	"concord/actors/rules/rulespb"
)

// Type is what a collection type sets. Who gets one must not write to it: it is shared.
type Type struct {
	Lock           lock.Settings
	RequireVersion bool // a write must say which version it is based on
	Conflict       Conflict
	Schemas        Schemas
	Links          Links
	Lookups        *lookup.Set             // keys and indexes; nil: there are none
	Fields         map[string]fields.Alias // what instructions of bulk updates may name
	Version        uint64                  // of the type's entity; 0: Parse does not know it
	Hash           [sha256.Size]byte       // SHA-256 of the accepted text; zero of None
}

// None is what holds for a collection without a type, and for one whose type is gone: every policy may be asked for, and
// no stale write is merged unasked.
var None = &Type{Lock: lock.DefaultSettings, Links: Links{Rules: links.DefaultRules}}

// State is a collection type as it is stored. The zero value is one that never was.
type State struct {
	Text     []byte // the accepted bytes; none once it is deleted
	Version  uint64
	Deleted  bool
	Declared []uint64 // numbers of its keys and indexes
	Built    []uint64 // those of them that every collection of the type is found by
}

// IsBuilt says that every collection of the type is found by the lookup.
func (s State) IsBuilt(lookup uint64) bool { return slices.Contains(s.Built, lookup) }

// Building says that there are keys or indexes which are not built.
func (s State) Building() bool {
	return slices.ContainsFunc(s.Declared, func(n uint64) bool { return !s.IsBuilt(n) })
}

// Live says that there is such a type.
func (s State) Live() bool { return s.Version > 0 && !s.Deleted }

// EncodeState is the stored form of a state.
func EncodeState(s State) []byte {
	if s.Version == 0 {
		return nil
	}
	b, err := proto.Marshal(&rulespb.State{Text: s.Text, Version: s.Version, Deleted: s.Deleted, Declared: s.Declared, Built: s.Built})
	if err != nil {
		panic("rules: a message without strings cannot fail to marshal: " + err.Error())
	}
	return b
}

// DecodeState reads a stored state; of nothing it is the zero one.
func DecodeState(b []byte) (State, error) {
	var m rulespb.State
	if err := proto.Unmarshal(b, &m); err != nil {
		return State{}, fmt.Errorf("state of a collection type: %w", err)
	}
	return State{Text: m.GetText(), Version: m.GetVersion(), Deleted: m.GetDeleted(), Declared: m.GetDeclared(), Built: m.GetBuilt()}, nil
}

// Decode is what the stored state of a type's entity (entity.Facts.Of) sets: None if there is no such type, never was
// one, or it was deleted. An error means that the bytes are not ours, or those of a version of Concord that knew more;
// the type is None then. Its cost is that of Parse: who asks often has a Memo.
func Decode(state []byte) (*Type, error) {
	s, err := DecodeState(state)
	if err != nil || !s.Live() {
		return None, err
	}
	t, err := Parse(s.Text)
	if err != nil {
		return None, fmt.Errorf("stored collection type, version %d: %w", s.Version, err)
	}
	t.Version = s.Version
	return t, nil
}
