package collection

import (
	"slices"

	"concord/actors/bound"
	"concord/actors/entity"
	"concord/actors/merge"
	"concord/actors/schema"
)

// Bounds are the bounds of what happens to stale writes, and of types as far as they judge writes.
func Bounds() []bound.Bound {
	return slices.Concat([]bound.Bound{
		bound.Bytes("value of a conflict", conflictValueMaxBytes, "a longer one is told by its size; all values of a list: three fifths of `limits.conflicts`"),
		bound.Bytes("contents read for one write", entity.FactsMaxBytes, "as they are, and as they were"),
		bound.Bytes("recent contents", entity.RecentMaxBytes, "of a node, that merges need not read again; a parsed one counts nine times"),
		bound.Fixed("decided paths", decidedMaxNamed, "that an event keeps of a merge; the others are counted"),
	}, merge.Bounds(), schema.Bounds())
}
