package collection

import (
	"slices"
	"strings"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/rules"
)

// stalePart is a part that has changed since the version that a write builds on.
type stalePart struct {
	id        string // MetadataPart or a document
	documents bool   // all documents together: a put that replaces them
	base      uint64
	version   uint64 // that last wrote it
	by        string // who did
}

func (p *stalePart) path() string {
	if p.documents {
		return "/documents"
	}
	return pathOf(p.id)
}

// staleness is what has changed since the versions that a write builds on.
type staleness struct {
	parts []stalePart // in order of their paths, each once
	base  uint64      // the oldest version that one of them was built on
	// gone: the collection was deleted since, whether or not it was created again. Nothing can be merged then.
	gone bool
}

func (s *staleness) any() bool { return len(s.parts) > 0 || s.gone }

func (s *staleness) all() bool {
	return slices.ContainsFunc(s.parts, func(p stalePart) bool { return p.documents })
}

// stale compares the bases with the parts that the write touches.
func stale(s State, c *Write, f entity.Facts) (found staleness) {
	judge := func(p stalePart, given *uint64) {
		if given == nil || *given >= p.version && *given >= s.Since {
			return
		}
		if !p.documents {
			fact, _ := f.Part(p.id, false)
			p.by = infoOf(fact).GetPrincipal()
		}
		p.base, p.version = *given, max(p.version, s.Since)
		fresh := *given == 0 && !p.documents // built on nothing: whatever was there before, both sides have added
		found.gone = found.gone || *given < s.Since && !fresh
		if len(found.parts) == 0 || p.base < found.base {
			found.base = p.base
		}
		found.parts = append(found.parts, p)
	}
	if c.ReplaceDocuments {
		judge(stalePart{documents: true, version: s.DocumentsVersion}, c.Base)
	}
	for i := range c.Changes {
		ch := &c.Changes[i]
		given := ch.Base
		if together := c.ReplaceDocuments && ch.Part != MetadataPart; given == nil && !together {
			given = c.Base
		}
		if given != nil {
			judge(partStale(ch.Part, f), given)
		}
	}
	if c.Moves != nil && c.Base != nil {
		for _, part := range c.Moves.Parts {
			judge(partStale(part, f), c.Base)
		}
	}
	if s.Deleted && c.Base != nil && *c.Base < s.Version {
		found.gone, found.base = true, *c.Base // a stale write never brings it back
	}
	slices.SortStableFunc(found.parts, func(a, b stalePart) int { return strings.Compare(a.path(), b.path()) })
	found.parts = slices.CompactFunc(found.parts, func(a, b stalePart) bool { return a.id == b.id && a.documents == b.documents })
	return found
}

// partStale is what a part is judged by, also one of an earlier life of the collection: deleted since is changed since.
func partStale(id string, f entity.Facts) stalePart {
	fact, _ := f.Part(id, false)
	return stalePart{id: id, version: fact.Version}
}

// based refuses bases that cannot be judged: of versions that are not there yet, and of versions that are no longer
// kept, unless nothing depends on what they were.
func (c *Write) based(s State, f entity.Facts, p rules.Policy) error {
	for _, given := range c.bases() {
		if given > s.Version {
			return newer(s, given)
		}
	}
	if c.blind(p) {
		return nil
	}
	for _, given := range c.bases() {
		if kept, ok := f.Kept(given); ok && !kept {
			return problem.New(problem.BaseUnavailable, "version %d is no longer kept: what changed since is not known", given).
				With("baseVersion", given).With("currentVersion", s.Version)
		}
	}
	return nil
}

func newer(s State, base uint64) error {
	return problem.New(problem.VersionConflict, "there is no version %d yet: the newest is %d", base, s.Version).
		With("baseVersion", base).With("currentVersion", s.Version).With("conflicts", []Conflict{})
}

// bases are all base versions that the write names.
func (c *Write) bases() (bases []uint64) {
	if c.Base != nil {
		bases = append(bases, *c.Base)
	}
	for i := range c.Changes {
		if b := c.Changes[i].Base; b != nil {
			bases = append(bases, *b)
		}
	}
	return bases
}

// sameBase refuses changes of one part that were built on different versions: they cannot be merged as one.
func (c *Write) sameBase() error {
	base := make(map[string]*uint64, len(c.Changes))
	for i := range c.Changes {
		ch := &c.Changes[i]
		other, seen := base[ch.Part]
		if base[ch.Part] = ch.Base; seen && !equalBase(other, ch.Base) {
			return problem.At(ch.Path, "changes of one document that are to be merged name one base version, not several")
		}
	}
	return nil
}

func equalBase(a, b *uint64) bool { return a == b || a != nil && b != nil && *a == *b }
