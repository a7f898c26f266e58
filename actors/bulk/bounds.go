package bulk

import (
	"slices"

	"concord/actors/bound"
	"concord/actors/fields"
)

// Bounds are the bounds of bulk tasks, and of their instructions.
func Bounds() []bound.Bound {
	return slices.Concat([]bound.Bound{
		bound.Fixed("items", ItemsMax, "of one bulk task"),
		bound.Bytes("name", NameMaxBytes, "of a bulk task"),
		bound.Bytes("value of an item", ValueMaxBytes, "longer ones are refused"),
		bound.Bytes("alternate key of an item", KeyMaxBytes, "as JSON"),
		bound.Fixed("versions of an item", UndoMaxSpans, "that a roll-back takes back"),
		bound.Bytes("posted body", PostedMaxBytes, "that a task keeps to be read again, in pieces: those of CMR's clients (`limits.cmr`), and others up to 64 KiB"),
		bound.Bytes("message of an item", messageMaxBytes, "longer ones are cut"),
		bound.Fixed("warnings of an item", warningsMaxKept, "that are kept"),
		bound.Bytes("diff of an item", diffMaxBytes, "of a dry run; a longer one is told by its size"),
	}, fields.Bounds())
}
