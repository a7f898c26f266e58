package merge

import "concord/actors/bound"

// Bounds are the bounds of rules and merges.
func Bounds() []bound.Bound {
	return []bound.Bound{
		bound.Fixed("merge rules", rulesMax, "of one type"),
		bound.Fixed("digits of a counter", sumMaxDigits, "a longer sum is a conflict"),
	}
}
