package entity

import (
	"errors"
	"fmt"

	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/recordpb"
)

// partsSince finds the parts that were written after the version, as they are and as they were. It waits until the
// store shows everything: a revert is the one command that looks back, and may. That there is too much to be read is a
// fact for the decision: a command that comes again by itself would meet an error for ever.
//
// The records that it goes through have most of the contents inside them: what they have is not read once more.
func (s *Shell[S, C, E]) partsSince(f *Facts, version uint64) error {
	if err := s.settle(); err != nil {
		return err
	}
	if f.parts == nil {
		f.parts = make(map[string]Fact)
	}
	f.was = make(map[string]Fact)
	var changed []string // in the order in which they are met
	var then *recordpb.Record
	for rec, err := range s.world.Store.Versions(s.id, s.head.Version+1) {
		if err != nil {
			return fmt.Errorf("versions since %d: %w", version, err)
		}
		if rec.GetVersion() == version {
			then, f.then = rec, encodedOf(rec)
			f.then.Content = true
			break
		}
		for _, p := range rec.GetParts() {
			id := p.GetId()
			if _, ok := f.was[id]; ok {
				continue
			}
			if len(changed) == wasMaxParts {
				f.many = problem.New(problem.TooLarge, "more than %d documents changed since version %d", wasMaxParts, version)
				return nil
			}
			changed, f.was[id] = append(changed, id), Fact{}
			if err := s.partNow(f, p, rec.GetVersion()); err != nil {
				return err
			}
			if !f.weigh(f.parts[id], version) {
				return nil
			}
		}
	}
	return s.partsWere(f, changed, version, then)
}

// partsWere reads parts as they were at the version. then is the record of the version; nil if it is not kept.
func (s *Shell[S, C, E]) partsWere(f *Facts, changed []string, version uint64, then *recordpb.Record) error {
	written := make(map[string]*recordpb.Part, len(then.GetParts()))
	for _, p := range then.GetParts() {
		written[p.GetId()] = p
	}
	for _, id := range changed {
		was, known := inRecord(written[id], version)
		if !known {
			var err error
			if was, err = s.partWas(id, version); err != nil {
				return err
			}
		}
		f.was[id] = was
		if !f.weigh(was, version) {
			return nil
		}
	}
	return nil
}

// partWas reads a part as it was at the version.
func (s *Shell[S, C, E]) partWas(id string, version uint64) (Fact, error) {
	old, err := s.world.Store.PartAt(s.id, id, version)
	if errors.Is(err, persistence.ErrNotFound) {
		return Fact{}, nil
	}
	if err != nil {
		return Fact{}, fmt.Errorf("part %q at version %d: %w", id, version, err)
	}
	return s.fact(old, true)
}

// partNow finds a part as it is, with its body. Its newest record is at hand.
func (s *Shell[S, C, E]) partNow(f *Facts, newest *recordpb.Part, version uint64) error {
	id := newest.GetId()
	if err := s.loadPart(f, Want{Part: id}); err != nil {
		return err
	}
	now := f.parts[id]
	if !now.Exists || now.Body != nil {
		return nil
	}
	written, known := inRecord(newest, version)
	if !known || now.Version != version {
		return s.loadPart(f, Want{Part: id, Body: true})
	}
	now.Body = written.Body
	f.parts[id] = now
	f.read(now)
	return nil
}

// inRecord is a part as the record of a version left it; known is false if the record does not have it, or not its body.
func inRecord(p *recordpb.Part, version uint64) (fact Fact, known bool) {
	switch {
	case p == nil, len(p.GetDigest()) > 0:
		return Fact{}, false
	case p.GetRemoved():
		return Fact{}, true
	}
	body := p.GetBody()
	if body == nil {
		body = []byte{} // as it was accepted
	}
	return Fact{Exists: true, Version: version, Body: body}, true
}

// weigh counts what a look back has read, and says if it may read on.
func (f *Facts) weigh(fact Fact, version uint64) bool {
	if f.bytes += len(fact.Body); f.bytes > wasMaxBytes {
		f.many = problem.New(problem.TooLarge, "more than %d bytes changed since version %d", wasMaxBytes/2, version)
	}
	return f.many == nil
}
