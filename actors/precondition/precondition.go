// Package precondition is what a writer may demand of the version that it changes: If-Match, If-None-Match, and the version
// that a change is based on. It is pure.
package precondition

import (
	"slices"

	"concord/actors/problem"
)

// Set of preconditions. The zero value has none.
type Set struct {
	IfMatch     []uint64 // If-Match: the newest version is one of these
	IfExists    bool     // If-Match: *
	IfNoneMatch bool     // If-None-Match: *, create only
	Base        *uint64  // version that the change is based on; 0: there was none
}

// Check judges the preconditions on what (a "source file") is at the version, if it lives.
func (p *Set) Check(what string, live bool, version uint64) error {
	newest := uint64(0)
	if live {
		newest = version
	}
	switch {
	case p.IfNoneMatch && live:
		return problem.New(problem.PreconditionFailed, "the %s exists, at version %d", what, version).With("currentVersion", version)
	case p.IfExists && !live:
		return problem.New(problem.PreconditionFailed, "there is no such %s", what)
	case len(p.IfMatch) > 0 && !live:
		return problem.New(problem.PreconditionFailed, "there is no such %s, and so no version of it", what)
	case len(p.IfMatch) > 0 && !slices.Contains(p.IfMatch, version):
		return problem.New(problem.PreconditionFailed, "the newest version is %d", version).With("currentVersion", version)
	case p.Base != nil && *p.Base != newest:
		return problem.New(problem.VersionConflict, "the change is based on version %d, the newest is %d", *p.Base, newest).
			With("baseVersion", *p.Base).With("currentVersion", newest)
	}
	return nil
}
