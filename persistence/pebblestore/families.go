package pebblestore

import (
	"fmt"
)

// family describes a family of records to those who look at the store from outside.
type family struct {
	letter  byte
	name    string
	entity  int  // where in the key the entity begins; 0: it names none
	ofStore bool // not of a partition
}

// families are all of them, in the order of the layout.
var families = []family{
	{familyLog, "log", 0, false},
	{familyBody, "body", 0, false},
	{familyHead, "head", 3, false},
	{familyPart, "part", 3, false},
	{familyPartAt, "part-at", 3, false},
	{familyVersion, "version", 3, false},
	{familySeq, "seq", 3, false},
	{familyTimer, "timer", 11, false},
	{familyOutcome, "outcome", 7, false},
	{familyIndex, "index", 0, false},
	{familyEdge, "edge", 3, false},
	{familyEdgePart, "edge-part", 3, false},
	{familyEdgeTimer, "edge-timer", 3, false},
	{familyGap, "gap", 3, false},
	{familyStray, "stray", 0, false},
	{familyTrimmed, "trimmed", 0, false},
	{familyForgotten, "forgotten", 0, false},
	{familyPin, "pin", 3, false},
	{familyFormat, "format", 0, true},
	{familyCursor, "cursor", 0, true},
	{familyGroup, "group", 0, true},
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
func entityOfKey(key []byte) (entity string, rest []byte) {
	f, ok := familyOf(key[2])
	if !ok || f.entity == 0 || len(key) < f.entity {
		return "", nil
	}
	id, rest, err := parseEntity(key[f.entity:])
	if err != nil {
		return "", nil
	}
	return id.String(), rest
}
