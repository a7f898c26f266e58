package entity

import (
	"errors"
	"fmt"

	"concord/actors/problem"
	"concord/persistence"
)

// wasMaxParts bounds how many parts one command may want as they were: as many as a version may change.
const wasMaxParts = 10_000

// wasMaxBytes bounds their contents, as they are and as they were.
const wasMaxBytes = 2 * 16 << 20

// FactsMaxBytes bounds the bodies that are read for one command: a small request may name many large documents.
const FactsMaxBytes = 2 * wasMaxBytes

// load fetches what is wanted into the facts.
func (s *Shell[S, C, E]) load(f *Facts, wants []Want) error {
	for i := 0; i < len(wants) && f.heavy == nil; i++ {
		var err error
		switch w := wants[i]; {
		case w.All:
			f.all, err = s.allParts(w.From, w.Most)
		case w.Kept > 0:
			err = s.loadKept(f, w.Kept)
		case w.At > 0:
			err = s.loadPartAt(f, w.Part, w.At)
		case w.Made > 0:
			err = s.loadMade(f, w.Made)
		case w.Event > 0:
			err = s.loadEvent(f, w.Event)
		case w.Of != nil:
			err = s.loadOf(f, *w.Of)
		case w.Was > 0:
			if err = s.lookBack(f, w); errors.Is(err, persistence.ErrTrimmed) {
				f.then, err = Encoded{}, nil // Decide sees that the version is no longer kept
				f.keep(w.Was, false)
			}
		default:
			err = s.loadPart(f, w)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// loadEvent reads an event back: a parked update has its turn. It waits until the store shows the event.
func (s *Shell[S, C, E]) loadEvent(f *Facts, seq uint64) error {
	if err := s.settle(); err != nil {
		return err
	}
	if f.event == nil {
		f.event = make(map[uint64]Encoded, 1)
	}
	f.event[seq] = Encoded{}
	for rec, err := range s.world.Store.Records(s.id, seq-1) {
		if err != nil && !errors.Is(err, persistence.ErrTrimmed) {
			return fmt.Errorf("event %d: %w", seq, err)
		}
		if err == nil && rec.GetSeq() == seq {
			f.event[seq] = encodedOf(rec)
		}
		break
	}
	return nil
}

// loadMade reads the event of a version. It waits until the store shows it.
func (s *Shell[S, C, E]) loadMade(f *Facts, version uint64) error {
	if err := s.settle(); err != nil {
		return err
	}
	if f.made == nil {
		f.made = make(map[uint64]Made, 1)
	}
	f.made[version] = Made{}
	for rec, err := range s.world.Store.Versions(s.id, version+1) {
		if err != nil && !errors.Is(err, persistence.ErrTrimmed) {
			return fmt.Errorf("version %d: %w", version, err)
		}
		if err == nil && rec.GetVersion() == version {
			f.made[version] = Made{encodedOf(rec), rec.GetPrincipal()}
		}
		break
	}
	return nil
}

// loadOf reads the state of another entity. What it shows may not be durable yet, and the answer must not run ahead of
// it: an event of ours is committed after it, anything else waits.
func (s *Shell[S, C, E]) loadOf(f *Facts, id persistence.EntityID) error {
	if f.of == nil {
		f.of = make(map[persistence.EntityID][]byte, 1)
	}
	full := id
	if full.Provider == "" {
		full.Provider = s.id.Provider
	}
	head, err := s.world.Store.Head(full)
	if err != nil && !errors.Is(err, persistence.ErrNotFound) {
		return fmt.Errorf("state of %v: %w", id, err)
	}
	f.of[id] = head.State
	s.saw = s.world.Committer.Last()
	return nil
}

// loadKept asks whether retention has left the version.
func (s *Shell[S, C, E]) loadKept(f *Facts, version uint64) error {
	oldest, err := s.world.Store.Oldest(s.id)
	if err != nil {
		return fmt.Errorf("version %d: %w", version, err)
	}
	f.keep(version, version >= oldest)
	return nil
}

func (f *Facts) keep(version uint64, kept bool) {
	if f.kept == nil {
		f.kept = make(map[uint64]bool, 1)
	}
	f.kept[version] = kept
}

func (s *Shell[S, C, E]) loadPart(f *Facts, w Want) error {
	if f.parts == nil {
		f.parts = make(map[string]Fact, 1)
	}
	if fact, ok := s.pending.part(w.Part, w.Body); ok {
		f.parts[w.Part] = fact
		return nil
	}
	known, _ := s.pending.part(w.Part, false)
	if known.Exists && s.merges > 0 {
		if fact, ok := s.world.Recent.get(s.id, w.Part, known.Version); ok {
			known.Body, known.Value = fact.Body, fact.Value
			f.parts[w.Part] = known
			f.read(known)
			return nil
		}
	}
	if known.Exists && known.place.Position > 0 {
		err := s.readBody(w.Part, &known)
		f.parts[w.Part] = known
		f.read(known)
		return err
	}
	stored, err := s.world.Store.Part(s.id, w.Part)
	if errors.Is(err, persistence.ErrNotFound) {
		f.parts[w.Part] = Fact{}
		return nil
	}
	if err != nil {
		return fmt.Errorf("part %q: %w", w.Part, err)
	}
	fact, err := s.fact(stored, w.Body)
	f.parts[w.Part] = fact
	f.read(fact)
	s.pending.know(w.Part, fact)
	return err
}

// loadPartAt reads a part as it was. What is not durable yet, and so may not be in the store, is on its way there.
func (s *Shell[S, C, E]) loadPartAt(f *Facts, part string, version uint64) error {
	if f.at == nil {
		f.at = make(map[partAt]Fact, 1)
	}
	at := partAt{part, version}
	s.merges = recentDecay
	if fact, ok := s.pending.partAt(part, version); ok {
		f.at[at] = fact
		return nil
	}
	if fact, ok := s.world.Recent.get(s.id, part, version); ok {
		f.at[at] = fact
		f.read(fact)
		return nil
	}
	was, err := s.partWas(part, version)
	if errors.Is(err, persistence.ErrTrimmed) {
		was, err = Fact{}, nil
		f.keep(version, false) // since it was asked for: Decide sees that
	}
	f.at[at] = was
	f.read(was)
	return err
}

// read counts what was read of the store.
func (f *Facts) read(fact Fact) {
	if f.bodies += len(fact.Body); f.bodies > FactsMaxBytes && f.heavy == nil {
		f.heavy = problem.New(problem.TooLarge, "the documents that this touches have more than %d bytes, as they are and as they were: split it",
			FactsMaxBytes).With("limit", FactsMaxBytes)
	}
}

func (s *Shell[S, C, E]) fact(p persistence.Part, body bool) (Fact, error) {
	fact := Fact{Exists: !p.Removed, Version: p.Version, Info: p.Info, place: p.Place}
	if !body || p.Removed {
		return fact, nil
	}
	return fact, s.readBody(p.ID, &fact)
}

// readBody reads the body of a part from its place: also after retention has moved it.
func (s *Shell[S, C, E]) readBody(part string, fact *Fact) (err error) {
	if fact.Body, err = s.world.Store.Body(s.id, fact.place); err != nil {
		return fmt.Errorf("body of %q: %w", part, err)
	}
	return nil
}

// allParts lays what is pending over what is stored. Those that are wanted, if not all are, are among what it finds.
func (s *Shell[S, C, E]) allParts(after string, most int) (map[string]Fact, error) {
	all, living := make(map[string]Fact), 0
	for p, err := range s.world.Store.Parts(s.id, after) {
		if err != nil {
			return nil, fmt.Errorf("parts: %w", err)
		}
		if known, ok := s.pending.part(p.ID, false); ok && !known.Exists {
			continue
		}
		all[p.ID] = Fact{Exists: true, Version: p.Version, Info: p.Info}
		if living++; living == most {
			break
		}
	}
	for id, fact := range s.pending.parts() {
		switch {
		case id <= after: // the metadata, if that is nothing
		case fact.Exists:
			all[id] = fact
		default:
			delete(all, id)
		}
	}
	return all, nil
}

// settle waits until everything that this entity has submitted is durable, and so in the store.
func (s *Shell[S, C, E]) settle() error {
	durable := make(chan struct{})
	s.world.Committer.After(s.newest(), func() { close(durable) })
	select {
	case <-durable:
		s.pending.forget(s.newest())
		return nil
	case <-s.world.Committer.Closed():
		return problem.New(problem.Unavailable, "the service is stopping")
	}
}
