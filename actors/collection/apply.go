package collection

import (
	"encoding/json"
	"time"

	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/undo"
)

// Apply applies the instructions of a bulk task to the collection: one version, or none. It is repeatable without an
// idempotency key: the collection remembers the task that has written it last, and tasks come in order of their acceptance. A
// repeat is told the versions; warnings, a message and what is kept no more.
//
// Else the lock is judged first, as for any write of a job; a lock of somebody refuses it (`locked`). Whatever is wrong with
// the item itself is no refusal, but an answer that says so.
//
// It works on the newest version, which the task need not name: not where a type demands it of others, either. A dry run
// does not ask the lock: it tells what would be, whoever holds the collection.
type Apply struct {
	Task         string // id
	Type         string // the collection must be of this type; "": any
	Instructions []*fields.Instruction
	Undo         *Undo            // instead of instructions: what the task takes back
	Item         *jsonvalue.Value // value of the item; nil: it has none
	Version      uint64           // the newest version must be this one; 0: any
	Diff         bool             // of a dry run: tell what would change
	// Probe asks what became of an item that may have been sent before: it never writes. If the task has not written the
	// collection, the answer's state is PENDING.
	Probe bool
	// PinUntil is until when retention keeps the version that the new one replaces, and all above, whatever its policy says:
	// for a roll-back; zero: as the policy says. The pin's holder is the task, and it is in the batch of the new version.
	PinUntil time.Time
}

// Undo takes versions of the collection back, which tasks have written. If nobody else has written in between (undo.Foreign),
// the collection gets the content that it had before the first of them, byte for byte but for links, which follow their
// authorities (as of a Revert). Else OnConflict decides: skip is SKIPPED with the code version-conflict, naming the versions
// that are foreign; force restores all the same; merge merges the inverse of each change, newest first, with what is there, by
// the rules of the type, and is SKIPPED with the code version-conflict and the paths that disagree (as warnings) if they do. A
// deletion since is a foreign version, too: force brings the collection back. A version that is no longer kept: FAILED,
// base-unavailable.
type Undo struct {
	Spans      []undo.Span // one or more, in the order in which they were written
	OnConflict undo.OnConflict
}

// Applied is the answer to an Apply.
type Applied struct {
	State         fields.Status        `json:"state"`
	Code          string               `json:"code,omitempty"`
	Message       string               `json:"message,omitempty"`
	Warnings      []problem.FieldError `json:"warnings,omitempty"` // the first of them
	VersionBefore uint64               `json:"versionBefore"`
	VersionAfter  uint64               `json:"versionAfter"`   // as before if there is no new one; so in a dry run
	Diff          json.RawMessage      `json:"diff,omitempty"` // JSON Patch on {metadata, documents}
	Kept          uint64               `json:"kept,omitempty"` // bytes of the contents that the new version has replaced; of a dry run 0
}

// Undecided is the answer to a probe of a collection that the task has not written.
const Undecided fields.Status = "PENDING"

func (*Apply) command() {}
