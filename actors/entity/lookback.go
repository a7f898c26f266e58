package entity

import (
	"errors"
	"fmt"

	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/recordpb"
)

// lookBack finds the parts that were written after a version, as they are and as they were. It waits until the store shows
// everything: a revert is the one command that looks back, and may. That there is too much to be read is a fact for the
// decision: a command that comes again by itself would meet an error for ever.
//
// The records that it goes through have most of the contents inside them: what they have is not read once more.
func (s *Shell[S, C, E]) lookBack(f *Facts, w Want) error {
	if err := s.settle(); err != nil {
		return err
	}
	if f.parts == nil {
		f.parts = make(map[string]Fact)
	}
	f.was = make(map[string]Fact)
	from := s.head.Version
	for _, id := range w.Changed {
		if err := s.loadPart(f, Want{Part: id, Body: true}); err != nil {
			return err
		}
		if f.was[id] = (Fact{}); !f.weigh(f.parts[id], w.Was) {
			return nil
		}
		from = w.Was // what was written since is known
	}
	then, err := s.recordsSince(f, from, w.Was)
	if err != nil || f.many != nil {
		return err
	}
	return s.partsWere(f, w.Was, then)
}

// recordsSince goes through the records from a version down to an older one, for the parts that they have written. It returns the
// record of the older version; nil if that is not kept.
func (s *Shell[S, C, E]) recordsSince(f *Facts, from, version uint64) (*recordpb.Record, error) {
	for rec, err := range s.world.Store.Versions(s.id, from+1) {
		switch {
		case err != nil:
			return nil, fmt.Errorf("versions since %d: %w", version, err)
		case rec.GetVersion() < version:
			return nil, nil
		case rec.GetVersion() == version:
			f.then = encodedOf(rec)
			f.then.Content = true
			return rec, nil
		}
		for _, p := range rec.GetParts() {
			id := p.GetId()
			if _, ok := f.was[id]; ok {
				continue
			}
			if len(f.was) == wasMaxParts {
				f.many = problem.New(problem.TooLarge, "more than %d documents changed since version %d", wasMaxParts, version)
				return nil, nil
			}
			f.was[id] = Fact{}
			if err := s.partNow(f, p, rec.GetVersion()); err != nil {
				return nil, err
			}
			if !f.weigh(f.parts[id], version) {
				return nil, nil
			}
		}
	}
	return nil, nil
}

// partsWere reads the parts that have changed as they were at the version. then is its record; nil if that is not kept.
func (s *Shell[S, C, E]) partsWere(f *Facts, version uint64, then *recordpb.Record) error {
	written := make(map[string]*recordpb.Part, len(then.GetParts()))
	for _, p := range then.GetParts() {
		written[p.GetId()] = p
	}
	for id := range f.was {
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
