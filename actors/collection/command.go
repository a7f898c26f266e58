// Package collection is the kind of entity that holds a set of documents with metadata: a dossier, a catalogue, a
// data-set description. It is pure: see entity.Behavior.
//
// The metadata is the part with the empty id; every other part is a document. The state of a collection does not hold
// its parts: a decision is given those that it needs, so that its cost does not grow with the others.
package collection

import (
	"concord/actors/jsonvalue"
	"concord/actors/rules"
)

// MetadataPart is the id of the part that is the metadata.
const MetadataPart = ""

// Limits of one version, and of its parts. They are configurable; these are the defaults.
type Limits struct {
	DocumentMaxBytes  int
	MetadataMaxBytes  int
	VersionMaxParts   int
	VersionMaxBytes   int
	PatchMaxOperation int
	ConflictsMaxBytes int // what one answer tells of conflicts
}

// DefaultLimits are the limits of semantics section 1.
var DefaultLimits = Limits{
	DocumentMaxBytes: 512 << 10, MetadataMaxBytes: 512 << 10,
	VersionMaxParts: 10_000, VersionMaxBytes: 16 << 20, PatchMaxOperation: 10_000, ConflictsMaxBytes: 640 << 10,
}

// Op is what a change does to its part.
type Op uint8

// The ops. Each exists for documents and for the metadata.
const (
	OpPut           Op = iota + 1 // the value replaces the part
	OpMerge                       // RFC 7396
	OpPatch                       // RFC 6902
	OpRemove                      // documents only; refused if there is none
	OpRemoveIfThere               // documents only
)

// Change is one change of one part.
type Change struct {
	Op    Op
	Part  string // document id, or MetadataPart
	Path  string // where the change stands in the request, for problems: "/changes/3"
	Body  []byte // OpPut: the accepted bytes
	Hash  uint64 // OpPut: their value hash
	Merge *jsonvalue.Value
	Patch jsonvalue.Patch
	Base  *uint64 // base version of this change alone

	// Conditions on the document alone. An entity tag of a document names a version of the collection: it matches while
	// the document has not changed since.
	IfMatch     []uint64
	IfExists    bool
	IfNoneMatch bool
}

// Preconditions of a command. The zero value has none.
type Preconditions struct {
	IfMatch     []uint64 // If-Match: the newest version is one of these
	IfExists    bool     // If-Match: *
	IfNoneMatch bool     // If-None-Match: *, create only
	Base        *uint64  // baseVersion: judged part by part
}

// Command is a sealed set: Write, Delete, Revert; Relink, Apply, Reindex; Locking, Advance.
type Command interface{ command() }

// Write changes parts, and may create the collection: all in one version, or nothing.
type Write struct {
	Preconditions
	Under
	Create           bool   // the collection is made if there is none
	Format, Type     string // of a new collection; if given for an old one, they must be its own
	ReplaceDocuments bool   // documents that no change puts are removed
	Changes          []Change
	Moves            *CrossPatch // a JSON Patch over the whole collection, instead of changes
	Policy           rules.Policy
	Fields           []jsonvalue.Pointer // conflicts elsewhere are not shown; none: all are
	Single           bool                // a write of one document by itself: making it is a creation to the caller
}

// CrossPatch is a JSON Patch on {metadata, documents}; Parts are those that its paths touch.
type CrossPatch struct {
	Patch jsonvalue.Patch
	Parts []string
}

// Delete leaves a tombstone; the history stays readable.
type Delete struct {
	Preconditions
	Under
}

// Revert makes a new version with the content of an old one.
type Revert struct {
	Preconditions
	Under
	To uint64
}

func (*Write) command()  {}
func (*Delete) command() {}
func (*Revert) command() {}
