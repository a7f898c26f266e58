// Package entity runs event-sourced entities. A kind of entity is a Behavior: pure functions over values, without I/O,
// clock, randomness or goroutine. The Shell is one live entity: it loads what a decision needs, decides, applies the
// events at once, hands them to the committer and takes the next command, while the disk is busy with the last.
package entity

import (
	"time"

	"concord/actors/problem"
	"concord/actors/script"
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
	Merging   bool // the script of another command is at work
	Merged    bool // the command's own script was
	DryRun    bool // nothing of what is decided is stored

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

// Content is a part as an event leaves it.
type Content struct {
	ID      string
	Removed bool
	Hash    uint64 // of the JSON value
	Size    int
	Body    []byte // nil when an event is read back for its facts alone
	Value   any    // what the kind has read the body as, if it is at hand: it comes back in facts, and is never stored
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
	Index  []persistence.IndexChange
	Pins   []persistence.Pin
}

// Case is what an answer is made of, beside the states before and after the command.
type Case struct {
	Facts   Facts
	Meta    Meta
	At      Stamp // of the newest event
	Changed bool  // there was an event that is stored
	Told    any   // by the decision
	DryRun  bool  // nothing is stored
}

// Answer is the success of a command, as both APIs give it.
type Answer struct {
	Status  int
	Version uint64
	Body    []byte // JSON
}

// Decision is what follows from a command.
type Decision[E any] struct {
	Events []E // none if it changes nothing
	Told   any // what Answer has to know of the decision beyond its events; it is not stored
	// Job is merge code that has to be run before there is a decision: there are no events then. It takes its time, so that
	// the command is set aside meanwhile, and decided anew when the outcome is known (Facts.Ran).
	Job *script.Job
	// Wants are facts that the decision turned out to need: there are no events then, and it is made anew with them.
	Wants []Want
	// Births are entities that begin with this decision, if it has events that are stored.
	Births []Birth
}

// Birth is an entity that begins in the same batch as the decision that gives it life, as the job that a change asks for.
// It lives in the same partition, never was, and its kind is a Born one.
type Birth struct {
	Entity persistence.EntityID
	As     any // what it begins with: the kind knows what
}

// Only is the decision of a kind whose answers follow from the states and the command alone.
func Only[E any](events []E, err error) (Decision[E], error) { return Decision[E]{Events: events}, err }

// Behavior is a kind of entity with state S, commands C and events E. All methods are pure: equal arguments, equal
// results; none writes through its arguments, waits, or looks at the world.
type Behavior[S, C, E any] interface {
	Kind() persistence.Kind
	// Wants names the facts that the decision on c lacks, given those that are known; none: it can be decided.
	Wants(s S, c C, known Facts) []Want
	// Decide returns what follows from c, or a *problem.Problem. Events that come with an error are volatile.
	Decide(s S, c C, f Facts, m Meta) (Decision[E], error)
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

// Born is a Behavior whose entities begin in the batch of another one (Birth), never by a command of their own: an entity
// that was not born refuses every command, and has no event.
type Born[E any] interface {
	// Begin is the first event.
	Begin(as any, m Meta) (E, error)
}

// Indexed is a Behavior whose parts stand in indexes: its projections enter them, and Index makes the same entries from
// what is kept of a living part.
type Indexed interface {
	Index(part string, info []byte) ([]persistence.IndexChange, error)
}

// Found is a Behavior whose entities stand in indexes by their state: Found takes the entries from one state to a later one,
// and its projections say the same.
type Found[S any] interface {
	Found(before, after S) []persistence.IndexChange
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
	Passing  bool      // of a job that goes through many entities: no reason to keep the entity in memory
	Reply    func(Answer, error)

	ran map[script.Key]script.Outcome // what came of the jobs that it was set aside for
}

// panicked is the refusal of a command whose decision panicked.
var panicked = problem.New(problem.Internal, "the decision on this request failed; nothing was changed")
