// Package entity runs event-sourced entities. A kind of entity is a Behavior: pure functions over values, without I/O,
// clock, randomness or goroutine. The Shell is one live entity: it loads what a decision needs, decides, applies the
// events at once, hands them to the committer and takes the next command, while the disk is busy with the last.
package entity

import (
	"time"

	"concord/actors/problem"
	"concord/persistence"
)

// Meta is who asks, when and how: the same for every kind of command.
type Meta struct {
	Principal string
	Kind      string // of the principal: person or service
	Session   string
	RequestID string
	Reason    string
	Time      time.Time // of the decision; never before that of the entity's newest event
	Seq       uint64    // that the first event of the command gets
	Entity    persistence.EntityID

	Key       string // idempotency key, empty without
	KeyDigest []byte // SHA-256 over operation, target, preconditions, policy and body
}

// Stamp is the place of an event: what the shell adds to what the kind decided.
type Stamp struct {
	Entity       persistence.EntityID
	Seq, Version uint64
	Time         time.Time
	Principal    string
}

// Want asks for facts about the entity that its state does not hold.
type Want struct {
	Part string
	Body bool   // with the accepted bytes
	All  bool   // the states of all living parts, the metadata left out (Part and Body are ignored)
	Kept uint64 // a version: is it still kept?
	Was  uint64 // a version: its event, and the parts that changed since, as they are and as they were, with bodies

	Event uint64                // a seq: its event
	Of    *persistence.EntityID // another entity: its state; without a provider it is one of the same
}

// Fact is a part as the store (or what is on its way to it) has it.
type Fact struct {
	Exists  bool
	Version uint64
	Info    []byte
	Body    []byte // nil unless asked for
}

// Facts are the answers to wants. The zero value knows nothing.
type Facts struct {
	parts map[string]Fact
	all   map[string]Fact
	was   map[string]Fact
	then  Encoded // event of the version that was wanted
	many  *problem.Problem
	bytes int // of the contents in parts and was
	kept  map[uint64]bool
	event map[uint64]Encoded
	of    map[persistence.EntityID][]byte
}

// Part is what is known of a part; ok is false if it was not asked for (with its body, if that is wanted).
func (f Facts) Part(id string, body bool) (fact Fact, ok bool) {
	fact, ok = f.parts[id]
	return fact, ok && (!body || !fact.Exists || fact.Body != nil)
}

// Kept says whether the version can still be read; ok is false if that was not asked for.
func (f Facts) Kept(version uint64) (kept, ok bool) {
	kept, ok = f.kept[version]
	return kept, ok
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

// FactsOfEvent are facts made by hand, of one event.
func FactsOfEvent(seq uint64, e Encoded) Facts { return Facts{event: map[uint64]Encoded{seq: e}} }

// Content is a part as an event leaves it.
type Content struct {
	ID      string
	Removed bool
	Hash    uint64 // of the JSON value
	Size    int
	Body    []byte // nil when an event is read back for its facts alone
}

// Encoded is an event in the form in which it is stored and published.
type Encoded struct {
	Type    string // past tense, "collection.saved"; never reused
	Payload []byte
	Parts   []Content
	Content bool   // it makes a new version
	Fence   uint64 // of the lock that it was written under, or tells of; 0 without
	Data    []byte // JSON: what is published of it beside its parts, never contents or secrets
	Notify  string // principal whom it concerns: they are told, too
	// RequestID and Reason are those of an earlier request that the event comes from; empty: the command's own.
	RequestID, Reason string
	// Volatile events change the live state only: they are not stored, and no stored state depends on them. They keep
	// alive what has to be kept alive; Timed.Recover makes up for their loss.
	Volatile bool
}

// PartInfo is what is kept of a part beside its body.
type PartInfo struct {
	ID      string
	Removed bool
	Info    []byte
}

// Timer is armed with Due set and cleared with a zero Due; Was is what it was armed with before.
type Timer struct {
	Name     string
	Was, Due time.Time
}

// Projection is what an event leaves in the derived records, beyond the state. Parts are in the order of the event's.
type Projection struct {
	Parts  []PartInfo
	Timers []Timer
}

// Case is what an answer is made of, beside the states before and after the command.
type Case struct {
	Facts   Facts
	Meta    Meta
	At      Stamp // of the newest event
	Changed bool  // there was an event that is stored
}

// Answer is the success of a command, as both APIs give it.
type Answer struct {
	Status  int
	Version uint64
	Body    []byte // JSON
}

// Behavior is a kind of entity with state S, commands C and events E. All methods are pure: equal arguments, equal
// results; none writes through its arguments, waits, or looks at the world.
type Behavior[S, C, E any] interface {
	Kind() persistence.Kind
	// Wants names the facts that the decision on c lacks, given those that are known; none: it can be decided.
	Wants(s S, c C, known Facts) []Want
	// Decide returns the events that follow from c, none if it changes nothing, or a *problem.Problem. Events that come
	// with an error are volatile.
	Decide(s S, c C, f Facts, m Meta) ([]E, error)
	// Evolve is the state after an event. It cannot fail and does not judge.
	Evolve(s S, e E, at Stamp) S
	// Answer is what the caller of c is told.
	Answer(before, after S, c C, x Case) Answer
	// Project is what stands beside the event in the same batch.
	Project(before S, e E, at Stamp) Projection
	// TimerFired is the command that a due timer gives.
	TimerFired(name string, due time.Time) C

	EncodeState(S) []byte
	DecodeState([]byte) (S, error)
	EncodeEvent(E) Encoded
	DecodeEvent(Encoded) (E, error)
}

// Timed is a Behavior whose entities do something by themselves as time passes. What its live state waits for may be
// later than what its stored events tell of; the timers of its projections only wake it after a restart.
type Timed[S, C any] interface {
	// Recover is the stored state at the start of the process. Repeating it changes nothing.
	Recover(s S, started time.Time) S
	// Due is when Wake has something to do; zero: never.
	Due(s S) time.Time
	// Wake is the command for what is due, and on whose behalf it is.
	Wake(s S) (C, Meta)
}

// Keeper is a Behavior whose entities read some of their events back later.
type Keeper[S any] interface {
	// Needs is the seq of the oldest event that will be read back; 0: none.
	Needs(S) uint64
}

// Envelope is a command on its way to an entity. Reply is called exactly once, when everything that the answer
// depends on is durable, or never, when the process ends before.
type Envelope struct {
	Entity   persistence.EntityID
	Command  any
	Meta     Meta
	Deadline time.Time // zero: none
	DryRun   bool      // decide and answer, but store nothing
	Vital    bool      // goes on when disk space is low: it keeps something alive, ends it, or only asks
	Reply    func(Answer, error)
}

// panicked is the refusal of a command whose decision panicked.
var panicked = problem.New(problem.Internal, "the decision on this request failed; nothing was changed")
