package entity

import (
	"maps"

	"concord/actors/problem"
	"concord/actors/script"
	"concord/internal/planted"
	"concord/persistence"
)

// Want asks for facts about the entity that its state does not hold.
type Want struct {
	Part string
	Body bool   // with the accepted bytes
	At   uint64 // a version: the part as it was then, with its body; 0: as it is
	All  bool   // the states of all living parts, the metadata left out (Part and Body are ignored)
	From string // with All: those behind this one, in the order of their ids
	Most int    // with All: the first so many of them, and maybe more; 0: all
	Kept uint64 // a version: is it still kept?
	Was  uint64 // a version: its event, and the parts that changed since, as they are and as they were, with bodies

	Changed []string // with Was: parts among which are all that changed since, if the kind knows; nil: they are looked for

	Made  uint64                // a version: the event that made it, and who did
	Event uint64                // a seq: its event
	Of    *persistence.EntityID // another entity: its state; without a provider it is one of the same
}

// Fact is a part as the store (or what is on its way to it) has it.
type Fact struct {
	Exists  bool
	Version uint64
	Info    []byte
	Body    []byte // nil unless asked for
	Value   any    // what the kind has read the body as (Content.Value), if that is remembered

	place persistence.Place // of the body in the store, if it is known; else without a position
}

// Facts are the answers to wants. The zero value knows nothing.
type Facts struct {
	parts  map[string]Fact
	all    map[string]Fact
	was    map[string]Fact
	then   Encoded // event of the version that was wanted
	many   *problem.Problem
	bytes  int // of the contents in parts and was
	heavy  *problem.Problem
	bodies int // bytes of those that were read, for parts and at

	kept  map[uint64]bool
	made  map[uint64]Made
	event map[uint64]Encoded
	of    map[persistence.EntityID][]byte
	at    map[partAt]Fact
	ran   map[script.Key]script.Outcome
}

type partAt struct {
	part    string
	version uint64
}

// Made is how a version came to be.
type Made struct {
	Event Encoded // its contents left out; without a type: the version is not kept
	By    string  // principal
}

// Part is what is known of a part; ok is false if it was not asked for (with its body, if that is wanted).
func (f Facts) Part(id string, body bool) (fact Fact, ok bool) {
	fact, ok = f.parts[id]
	return fact, ok && (!body || !fact.Exists || fact.Body != nil)
}

// At is the part as it was at the version; ok is false if that was not asked for. Before version 1 there was nothing.
func (f Facts) At(part string, version uint64) (fact Fact, ok bool) {
	if version == 0 {
		return Fact{}, true
	}
	fact, ok = f.at[partAt{part, version}]
	return fact, ok
}

// Ran is what came of a job; ok is false if it did not run (Decision.Job).
func (f Facts) Ran(job *script.Job) (o script.Outcome, ok bool) {
	if len(f.ran) == 0 {
		return script.Outcome{}, false
	}
	for key := range f.ran {
		if planted.StaleScript {
			return f.ran[key], true
		}
	}
	o, ok = f.ran[job.Key()]
	return o, ok
}

// Kept says whether the version can still be read; ok is false if that was not asked for.
func (f Facts) Kept(version uint64) (kept, ok bool) {
	kept, ok = f.kept[version]
	return kept, ok
}

// Made is how the version came to be; ok is false if that was not asked for.
func (f Facts) Made(version uint64) (m Made, ok bool) {
	m, ok = f.made[version]
	return m, ok
}

// All are the living parts by id; ok is false if they were not asked for.
func (f Facts) All() (parts map[string]Fact, ok bool) { return f.all, f.all != nil }

// Was are the event of the version asked for, and the parts that changed since, as they were then.
func (f Facts) Was() (then Encoded, parts map[string]Fact, ok bool) {
	return f.then, f.was, f.was != nil
}

// TooMuch is the refusal of a command that wants to know more than can be read for one (Want.Was): then Was has only some
// of it. nil: it has all.
func (f Facts) TooMuch() error {
	if f.many == nil {
		return nil
	}
	return f.many
}

// TooHeavy is the refusal of a command that touches more than can be read for one: then there are not all the facts that it
// wants. nil: there are.
func (f Facts) TooHeavy() error {
	if f.heavy == nil {
		return nil
	}
	return f.heavy
}

// Event is the event with the seq, its contents left out; its type is empty if it is not kept. ok is false if it was not
// asked for.
func (f Facts) Event(seq uint64) (e Encoded, ok bool) {
	e, ok = f.event[seq]
	return e, ok
}

// Of is the stored state of another entity, nil if it never was; ok is false if it was not asked for.
func (f Facts) Of(id persistence.EntityID) (state []byte, ok bool) {
	state, ok = f.of[id]
	return state, ok
}

// FactsOf are facts made by hand: for the tests of a kind, and for models of it.
func FactsOf(parts, all map[string]Fact) Facts { return Facts{parts: parts, all: all} }

// WithParts are the facts and parts as they are.
func (f Facts) WithParts(parts map[string]Fact) Facts {
	f.parts = parts
	return f
}

// WithAll are the facts and all living parts.
func (f Facts) WithAll(all map[string]Fact) Facts {
	f.all = all
	return f
}

// WithAt are the facts and a part as it was at a version.
func (f Facts) WithAt(part string, version uint64, fact Fact) Facts {
	at := maps.Clone(f.at)
	if at == nil {
		at = make(map[partAt]Fact, 1)
	}
	at[partAt{part, version}] = fact
	f.at = at
	return f
}

// WithKept are the facts and whether a version can still be read.
func (f Facts) WithKept(version uint64, kept bool) Facts {
	f.kept = maps.Clone(f.kept)
	f.keep(version, kept)
	return f
}

// WithMade are the facts and how a version came to be.
func (f Facts) WithMade(version uint64, m Made) Facts {
	made := maps.Clone(f.made)
	if made == nil {
		made = make(map[uint64]Made, 1)
	}
	made[version] = m
	f.made = made
	return f
}

// WithWas are the facts and the event of a version, with the parts that changed since as they were then.
func (f Facts) WithWas(then Encoded, was map[string]Fact) Facts {
	f.then, f.was = then, was
	return f
}

// WithOf are the facts and the stored state of another entity.
func (f Facts) WithOf(id persistence.EntityID, state []byte) Facts {
	of := maps.Clone(f.of)
	if of == nil {
		of = make(map[persistence.EntityID][]byte, 1)
	}
	of[id] = state
	f.of = of
	return f
}

// WithRan are the facts and what came of a job.
func (f Facts) WithRan(key script.Key, o script.Outcome) Facts {
	ran := maps.Clone(f.ran)
	if ran == nil {
		ran = make(map[script.Key]script.Outcome, 1)
	}
	ran[key] = o
	f.ran = ran
	return f
}

// FactsOfEvent are facts made by hand, of one event.
func FactsOfEvent(seq uint64, e Encoded) Facts { return Facts{event: map[uint64]Encoded{seq: e}} }
