// Package undo is how changes of a bulk edit session, or of a bulk task, are taken back for one record: which of its
// versions are to be undone, what is in the way, and what is left to be undone after that. It is pure, and knows no
// contents: whoever has them restores or merges.
//
// A session is a list of runs: steps (instructions applied), roll-backs, and redos of roll-backs. Of each record a run has
// written one version, or none. A Trail follows one record through the runs:
//
//	a step           puts its change on top of the trail
//	a roll-back      takes off what came after a moment; what a skip has left stays on
//	a redo           puts back what a roll-back, and those after it, have taken off
//
// What is to be undone is exact if nobody else has written in between: then the record gets the content that it had before,
// byte for byte. Versions of others in between are foreign (Foreign); OnConflict says what becomes of the record then.
package undo

// OnConflict says what becomes of a record that somebody else has written since.
type OnConflict string

// What becomes of such a record. Skip is the default.
const (
	Skip  OnConflict = "skip"  // it stays as it is, and is reported
	Force OnConflict = "force" // it gets the content that it had; what others wrote is no longer the newest
	Merge OnConflict = "merge" // the inverse of each change is merged with what is there; if they disagree, it stays as it is
)

// Choices are all of them.
var Choices = []OnConflict{Skip, Force, Merge}

// SpansMax bounds how many spans of one record are taken back at once.
const SpansMax = 1000

// Span is one change of a record: a version that a run wrote, or several that come to one change.
type Span struct {
	Before uint64 // version that it met, never 0
	After  uint64 // version that it made
}

// Good says that spans can be those of a record whose newest version is now: some, not too many, in the order in which they
// were written.
func Good(spans []Span, now uint64) bool {
	last := uint64(1)
	for _, s := range spans {
		if s.Before < last || s.After <= s.Before || s.After > now {
			return false
		}
		last = s.After
	}
	return len(spans) > 0 && len(spans) <= SpansMax
}

// Foreign are the versions of others that are in the way of undoing the spans, which are in the order in which they were
// written, of a record whose newest version is now: ranges, each from one version to another, both included. Where a merge has
// brought a roll-back together with what others wrote, a range has also the versions that were merged.
func Foreign(spans []Span, now uint64) (ranges []Span) {
	for i, s := range spans {
		next := now
		if i+1 < len(spans) {
			next = spans[i+1].Before
		}
		if next > s.After {
			ranges = append(ranges, Span{s.After + 1, next})
		}
	}
	return ranges
}

// Joined are the spans with those that meet made one: between two that are left others have written.
func Joined(spans []Span) (groups []Span) {
	for _, s := range spans {
		if last := len(groups) - 1; last >= 0 && groups[last].After == s.Before {
			groups[last].After = s.After
			continue
		}
		groups = append(groups, s)
	}
	return groups
}
