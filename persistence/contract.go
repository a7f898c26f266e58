package persistence

import (
	"errors"
	"iter"
	"time"

	"concord/persistence/recordpb"
)

// Errors of the contract.
var (
	// ErrNotFound means that no such entity, version, part or record is kept.
	ErrNotFound = errors.New("not found")
	// ErrTrimmed means that it was kept once and that retention has removed it.
	ErrTrimmed = errors.New("trimmed by retention")
	// ErrFenced means that another owner has written: this one must stop.
	ErrFenced = errors.New("fenced off by another owner")
	// ErrCorrupt means that stored bytes are not what was written.
	ErrCorrupt = errors.New("store is corrupt")
	// ErrLowSpace means that the disk is within its reserve: writes are refused, reads go on.
	ErrLowSpace = errors.New("disk space is within the reserve")
	// ErrClosed means that the store or committer takes no more work.
	ErrClosed = errors.New("store is closed")
)

// Entry is the durable outcome of one command: all of it is committed, or nothing.
type Entry struct {
	Entity  EntityID
	Records []Stored // in order; at least one
	// Born are entities of the same partition that begin with it: all is one batch. To readers and observers they are
	// entries like any other.
	Born []*Entry
}

// Stored is one record and what stands beside it in the same batch. Its bytes are final: the position of the record is
// the only thing that the journal adds.
type Stored struct {
	Bytes  []byte           // the marshalled Record
	Record *recordpb.Record // the same, for observers: it must not be changed
	Bodies [][]byte
	Beside Projection

	Position Position // of the record, filled in by Append
}

// Projection is what a record leaves in the derived records. It is made by a pure function of the state before and
// the record, at commit and at rebuild alike.
type Projection struct {
	Seq, Version uint64
	Head         []byte // marshalled recordpb.Head; nil if the record changes no state
	Content      bool   // the record made Version
	Parts        []PartChange
	Timers       []TimerChange
	Index        []IndexChange
	Outcome      *OutcomeKey
	Pins         []Pin
}

// Pin holds back retention, whatever its policy says: the version of the entity, and all above, stay until the time, or until
// the holder needs them no more. It stands in the batch of the record that wants it, and its time never changes. Retention collects
// those that hold nothing any more; a rebuild leaves them as they are.
type Pin struct {
	Version uint64 // the one before that which the record made
	Holder  string // the kind of the entity knows what that is: of a collection the id of a bulk task
	Until   time.Time
}

// PartChange says where a part's newest body is to be found from now on.
type PartChange struct {
	ID      string // document id; empty: the metadata
	Index   int    // index of the part in the record
	Removed bool
	Beside  bool   // the body stands beside the record, not in it
	Info    []byte // marshalled PartInfo-like bytes of the kind: what is asked without the body
}

// TimerChange arms (Due set) or clears a timer of the entity. Was is the due time that it had, zero if it had none.
type TimerChange struct {
	Name     string
	Was, Due time.Time
}

// Timer is an armed timer.
type Timer struct {
	Entity EntityID
	Name   string
	Due    time.Time
}

// OutcomeKey is the scope under which an outcome is remembered: provider and entity are the entry's.
type OutcomeKey struct {
	Principal, Key string
	Time           time.Time
	Digest         []byte
}

// Journal appends groups of entries. An error of either step is final: the state of the disk is unknown, nothing after
// it may be answered, and the process must end.
type Journal interface {
	// Append writes the entries in order in one atomic batch, and returns before it is on disk: readers see it already.
	// wait, which must be called, returns nil once this group and every one appended before it are durable. Append is
	// for one goroutine, wait may be called on another.
	Append(group []*Entry) (wait func() error, err error)
}

// Head is an entity's newest state, as a reader gets it.
type Head struct {
	Seq, Version uint64
	Time         time.Time
	Hash         []byte
	State        []byte
}

// Part is one document or the metadata at some version.
type Part struct {
	ID      string
	Version uint64 // the version of the entity that wrote it
	Info    []byte // nil when an old version was asked for
	Place   Place
	Removed bool
}

// Place is where a body stands. It is valid as long as the version is kept.
type Place struct {
	Position Position
	Index    int
	Beside   bool
}

// EntityReader reads what is kept of single entities. What it shows may not be durable yet: whoever answers from it
// waits for the durable position (Committer.After).
type EntityReader interface {
	// Head returns ErrNotFound for an entity that never was.
	Head(EntityID) (Head, error)
	// Part is the newest state of a part, removed ones included; ErrNotFound if it never was.
	Part(e EntityID, part string) (Part, error)
	// Body is the accepted bytes of a part.
	Body(e EntityID, place Place) ([]byte, error)
	// Parts are the living parts after the given id in order of their ids, the metadata (empty id) left out.
	Parts(e EntityID, after string) iter.Seq2[Part, error]
}

// HistoryReader reads older states and events of single entities.
type HistoryReader interface {
	// PartAt is the part as it was at the version: one seek. ErrNotFound if it was not there.
	PartAt(e EntityID, part string, version uint64) (Part, error)
	// PartsAt are the parts that lived at the version, in order of their ids, the metadata left out.
	PartsAt(e EntityID, version uint64, after string) iter.Seq2[Part, error]
	// Versions are the records that made the versions below before (0: all), newest first.
	Versions(e EntityID, before uint64) iter.Seq2[*recordpb.Record, error]
	// Oldest is the oldest version that is kept: 1 if retention has removed none.
	Oldest(e EntityID) (uint64, error)
	// VersionAt is the newest version that was made at or before the time; ErrNotFound if there was none yet.
	VersionAt(e EntityID, t time.Time) (uint64, error)
}

// PartHistoryReader reads how a single part came to be what it is.
type PartHistoryReader interface {
	// PartStates are the states that versions above after left the part in, the oldest first, removals included, as far as
	// they are kept. Their Info is nil.
	PartStates(e EntityID, part string, after uint64) iter.Seq2[Part, error]
}

// EventReader reads the events of an entity.
type EventReader interface {
	// Records are the entity's records with a seq above after, in order.
	Records(e EntityID, after uint64) iter.Seq2[*recordpb.Record, error]
}

// Directory lists entities.
type Directory interface {
	// Entities are the heads of the provider's entities of the kind, in order of their ids, ids above after only.
	Entities(k Kind, provider, after string) iter.Seq2[Listed, error]
}

// Listed is an entity in a directory.
type Listed struct {
	ID   string
	Head Head
}

// Reader is all that can be read of entities.
type Reader interface {
	EntityReader
	HistoryReader
	PartHistoryReader
	EventReader
	OutcomeReader
	Directory
	IndexReader
}

// View is a reader of one moment of the store. Close it soon: it holds back the removal of old data.
type View interface {
	Reader
	Close() error
}

// Store is what a running node needs of its store.
type Store interface {
	Journal
	Reader
	LogReader
	CursorStore
	TimerReader
	View() View
	// Writable is nil, or ErrLowSpace or a final error: ask before accepting a write.
	Writable() error
	Health() error
}

// OutcomeReader finds remembered outcomes.
type OutcomeReader interface {
	// Outcome returns ErrNotFound if none is remembered since the given time.
	Outcome(e EntityID, principal, key string, since time.Time) (*recordpb.Outcome, error)
}

// LogReader reads the log by partition and position: what fan-out follows.
type LogReader interface {
	Partitions() int
	// Log yields the records from the position on.
	Log(p Partition, from Position) iter.Seq2[LogRecord, error]
	// Last is the position of the newest record, 0 if there is none.
	Last(p Partition) Position
}

// LogRecord is a record at its place.
type LogRecord struct {
	Position Position
	Entity   EntityID
	Record   *recordpb.Record
}

// SecretPrefix begins the names of cursors that nobody is shown: a dump has their size alone.
const SecretPrefix = "secret."

// CursorStore keeps how far a reader of the log has come. Moving a cursor back is allowed: readers repeat, never skip.
type CursorStore interface {
	Cursor(name string) ([]byte, error)
	SetCursor(name string, value []byte) error
	// SyncCursor is SetCursor, and on disk when it returns.
	SyncCursor(name string, value []byte) error
}

// TimerReader reads the durable timer index.
type TimerReader interface {
	// Timers yields armed timers of the partition in order of their due times.
	Timers(p Partition) iter.Seq2[Timer, error]
}
