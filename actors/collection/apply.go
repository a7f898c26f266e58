package collection

import (
	"encoding/json"

	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// Apply applies the instructions of a bulk task to the collection: one version, or none. It is repeatable without an
// idempotency key: the collection remembers the task that has written it last, and tasks come in order of their acceptance. A
// repeat is told the versions, and the warnings no more.
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
	Item         *jsonvalue.Value // value of the item; nil: it has none
	Version      uint64           // the newest version must be this one; 0: any
	Diff         bool             // of a dry run: tell what would change
	// Probe asks what became of an item that may have been sent before: it never writes. If the task has not written the
	// collection, the answer's state is PENDING.
	Probe bool
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
}

// Undecided is the answer to a probe of a collection that the task has not written.
const Undecided fields.Status = "PENDING"

func (*Apply) command() {}
