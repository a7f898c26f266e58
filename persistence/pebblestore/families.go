package pebblestore

import (
	"fmt"

	"concord/persistence"
)

// family describes a family of records to those who look at the store from outside.
type family struct {
	letter byte
	name   string
	entity int // where in the key the entity begins; 0: it names none
}

// families are all of them, in the order of the layout.
var families = []family{
	{familyLog, "log", 0},
	{familyBody, "body", 0},
	{familyHead, "head", 3},
	{familyPart, "part", 3},
	{familyPartAt, "part-at", 3},
	{familyVersion, "version", 3},
	{familySeq, "seq", 3},
	{familyTimer, "timer", 11},
	{familyOutcome, "outcome", 7},
	{familyEdge, "edge", 3},
	{familyEdgePart, "edge-part", 3},
	{familyEdgeTimer, "edge-timer", 3},
	{familyStray, "stray", 0},
	{familyTrimmed, "trimmed", 0},
	{familyForgotten, "forgotten", 0},
	{familyPin, "pin", 3},
	{familyFormat, "format", 0},
	{familyCursor, "cursor", 0},
	{familyGroup, "group", 0},
}

func familyOf(letter byte) (family, bool) {
	for _, f := range families {
		if f.letter == letter {
			return f, true
		}
	}
	return family{}, false
}

func familyName(letter byte) string {
	if f, ok := familyOf(letter); ok {
		return f.name
	}
	return fmt.Sprintf("unknown-%q", letter)
}

// entityOfKey is the entity that a key names, and what follows it; empty if it names none.
func entityOfKey(key []byte) (entity string, id persistence.EntityID, rest []byte) {
	f, ok := familyOf(key[2])
	if !ok || f.entity == 0 || len(key) < f.entity {
		return "", persistence.EntityID{}, nil
	}
	id, rest, err := parseEntity(key[f.entity:])
	if err != nil {
		return "", persistence.EntityID{}, nil
	}
	return id.String(), id, rest
}
