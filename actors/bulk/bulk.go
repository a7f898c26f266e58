// Package bulk is the kind of entity that is a bulk task: instructions (actors/fields) applied to a fixed list of
// collections, each in one version or none. It is pure: the driver (actors/jobs) sends the items to the collections, and tells
// the task what came of them.
//
//	from                         by          to
//	-                            Stage       DRAFT, with a chunk of its list: nobody is shown it
//	- DRAFT                      Keep        DRAFT, with a piece of the body that it is asked for with
//	- DRAFT                      Accept      ACCEPTED: from here on there is a task, whole
//	DRAFT                        Expire      gone: it was never accepted, and may begin again
//	- DRAFT gone                 Withdraw    withdrawn: nobody is shown it, and it cannot begin any more; what is staged goes by the timer
//	ACCEPTED                     Start       IN_PROGRESS
//	IN_PROGRESS PAUSED CANCELLING  Progress  the same, further
//	ACCEPTED IN_PROGRESS         Pause       PAUSED; what is under way still comes in by Progress
//	PAUSED                       Resume      the state before
//	ACCEPTED, PAUSED before its start  Cancel  CANCELLED
//	IN_PROGRESS PAUSED           Cancel      CANCELLING: what is under way still comes in by Progress
//	IN_PROGRESS                  Finish      COMPLETE
//	CANCELLING                   Finish      CANCELLED if no item was decided on, else PARTIALLY_CANCELLED
//	COMPLETE CANCELLED PARTIALLY_CANCELLED  Expire  EXPIRED: its list and outcomes are gone
//	all that have a name         Named       the same: the provider has the name down as the task's own
//	EXPIRED                      Released    EXPIRED, and its name is free
//	any that is shown            Undone      the same; it names the task that takes it back
//
// Everything else changes nothing if it is a repeat, and is refused (`wrong-state`) if it is not.
//
// Items are counted by state, each with a counter of its own; what is still to be done is pending, and cancelled once the task
// is: so the sum is the total at every read, and equals the list of items counted by state, which changes in the same event.
//
// The body that the task was asked for with stands in parts of its own, if it is kept: whoever works on the task reads the request
// without it. The list stands in parts, chunks of rows; the cursor is the first row that nothing is noted of. Outcomes stand in parts,
// as many rows as one Progress has told of; a row that waits for a lock is a part that is come back to, and its outcome a part
// of its own. So an item costs its row and its outcome, whatever the number of items.
package bulk

import (
	"time"

	"concord/actors/fields"
	"concord/actors/problem"
	"concord/actors/undo"
)

// Status is where a task stands.
type Status string

// The states. Draft and Expired are not shown: such a task is not there.
const (
	Draft              Status = "DRAFT"
	Accepted           Status = "ACCEPTED"
	InProgress         Status = "IN_PROGRESS"
	Paused             Status = "PAUSED"
	Cancelling         Status = "CANCELLING"
	Complete           Status = "COMPLETE"
	Cancelled          Status = "CANCELLED"
	PartiallyCancelled Status = "PARTIALLY_CANCELLED"
	Expired            Status = "EXPIRED"
)

// Statuses are all that are shown.
var Statuses = []Status{Accepted, InProgress, Paused, Cancelling, Complete, Cancelled, PartiallyCancelled}

// Open says that the task has not ended.
func (s Status) Open() bool {
	return s == Accepted || s == InProgress || s == Paused || s == Cancelling
}

// Shown says that there is such a task for callers.
func (s Status) Shown() bool {
	return s.Open() || s == Complete || s == Cancelled || s == PartiallyCancelled
}

// ItemState is what became of an item.
type ItemState = fields.Status

// The states of an item, beside those of fields: UPDATED, UNCHANGED, SKIPPED, FAILED.
const (
	ItemPending   ItemState = "PENDING"
	ItemCancelled ItemState = "CANCELLED"
)

// ItemStates are all of them.
var ItemStates = []ItemState{ItemPending, fields.Updated, fields.Unchanged, fields.Skipped, fields.Failed, ItemCancelled}

// What a task does with items whose collections somebody holds the lock of.
const (
	OnLockedWait = "wait"
	OnLockedFail = "fail"
)

// Bounds of a task.
const (
	ItemsMax         = 1_000_000
	ChunkRows        = 1000 // of a list without values
	ChunkValuedRows  = 100  // of one with values, or with keys
	ValueMaxBytes    = 64 << 10
	ProgressMaxItems = 1024      // of one Progress
	PieceMaxBytes    = 512 << 10 // of a piece of the posted body; all but the last are as long
	PostedMaxBytes   = 32 << 20  // of the posted body
	NameMaxBytes     = 255
	UndoMaxSpans     = 200 // versions that one row takes back
	messageMaxBytes  = 500
	warningsMaxKept  = 10 // of an item
	diffMaxBytes     = 4 << 10
)

// Request is what was asked for: it stands in the part PartRequest.
type Request struct {
	Type         string // collection type that the collections must be of, and whose fields the instructions name; "": any
	Instructions []byte // JSON, as fields.Parse reads it
	Fields       []byte // JSON: the part `fields` of the type as it was at acceptance, as fields.ParseAliases reads it; none without a type
	Targets      []byte // JSON: what the list was made from, ids and items left out
}

// Row is one item of the list.
type Row struct {
	Collection string      // "": the key leads to none, or to several
	Key        string      // alternate key that it was named by, as JSON; ""
	Version    uint64      // the newest version must be this one; 0: any
	Value      []byte      // JSON of the item; none: it has none
	Undo       []undo.Span // of a task that takes back others: the versions of this collection, in the order in which they were written
	Code, Why  string      // of a row that has failed before it began: not-found, ambiguous
}

// Outcome is what came of an item.
type Outcome struct {
	State         ItemState // not pending, but for a row that waits (Progress.Rows)
	Code          string    // of a failure: a problem code
	Message       string
	Warnings      []problem.FieldError
	VersionBefore uint64
	VersionAfter  uint64 // equal to VersionBefore if there is no new version; of a dry run always
	Diff          []byte // of a dry run: JSON Patch from what is there to what would be; none if it is longer than 4 KiB
	DiffBytes     uint64 // how long it is
	Kept          uint64 // bytes of the contents that the new version has replaced: retention keeps them for a roll-back
}

// Waiting is a row that is come back to: somebody holds the lock of its collection.
type Waiting struct {
	Row    uint64
	Turn   uint32 // grows with each time that it was tried
	Holder string
}

// OpenOutcome is what came of a row that waited.
type OpenOutcome struct {
	Row    uint64
	Turn   uint32 // that was taken: an outcome that was told before changes nothing
	Holder string // if it still waits: State is pending
	Lost   bool   // the row's own part cannot be read: this comes of it whatever its turn, and it does not wait any more
	Outcome
}

// State of a task. It does not grow with the items.
type State struct {
	Status    Status // empty: there is nothing
	Number    uint64 // of acceptance in the provider: tasks apply to a collection in this order
	Name      string // empty: it is free again
	DryRun    bool
	OnLocked  string
	PerSecond uint64 // items a second; 0: as many as it can
	RetryOf   string // task whose failed items these are
	Principal string
	Kind      string // of the principal
	Reason    string
	Type      string // as Request.Type
	Alias     string // system in whose words it was asked for: "cmr"; "": ours

	UndoOf     string          // task that it takes back, or the newest of several; "": it applies instructions
	OnConflict undo.OnConflict // of one that takes back: what becomes of collections that others have written since
	UndoneBy   string          // newest task that takes this one back; "": none does
	Session    string          // bulk edit session whose run it is; ""
	Run        uint32          // its number there
	Pinned     time.Time       // until when the versions that it replaces are kept; zero: as long as the policy of retention says
	KeptBytes  uint64          // of the contents that it has replaced

	Staged    time.Time // newest chunk of a draft
	Accepted  time.Time
	Started   time.Time
	Ended     time.Time
	Expires   time.Time // of a draft, of a task that has ended, and of one that has expired while it has parts; zero: never
	Retention time.Duration

	Counts   Counts
	Warned   uint64 // items that were updated with warnings
	Waiting  uint64 // items whose collection somebody holds the lock of
	Total    uint64
	Chunks   uint32 // of the list
	PerChunk uint32 // rows of a full chunk
	Cursor   uint64
	Pieces   uint32 // of the body that it was asked for with, for who wants to see it again; 0: it is not kept
	Unnamed  bool   // it was given a name, and may not have it for good: the provider is still to be told
	// Withdrawn says that there is no task and will be none, whatever is still on its way. It is a draft until its timer, or
	// expired.
	Withdrawn bool
	Gone      string // of one that has expired while it has parts: the last that was removed
}

// Rest is the state of the items that nothing is noted of, and of those that wait: pending, and cancelled once the task is.
func (s *State) Rest() ItemState {
	if s.Ended.IsZero() {
		return ItemPending
	}
	return ItemCancelled
}

// Command is a sealed set.
type Command interface{ command() }

type (
	// Stage adds a full chunk to the list of a draft, number 0 first; one that is there already changes nothing. All chunks
	// but the last have PerChunk rows.
	Stage struct {
		Number   uint32
		PerChunk uint32
		Rows     []Row
	}
	// Keep adds a full piece of the posted body to a draft, number 0 first; one that is there already changes nothing.
	Keep struct {
		Number uint32
		Piece  []byte
	}
	// Accept makes the task of what is staged and kept, of the last chunk, which may have no rows if others are there, and of the
	// last piece of the posted body: in one batch. Repeating it changes nothing.
	Accept struct {
		// Number, Name, DryRun, OnLocked, PerSecond, RetryOf, Type, Alias, Retention, UndoOf, OnConflict, Session, Run, Pinned; the
		// rest comes from the request. A task with UndoOf takes back: all its rows have Undo, and it has no instructions.
		Task    State
		Request Request
		Chunks  uint32 // that are staged
		Pieces  uint32 // that are kept
		Posted  []byte // the last piece; none: there is no other
		Stage          // the last one
	}
	// Start begins the work.
	Start struct{}
	// Progress tells of rows in order from the cursor, and of rows that waited: of each row once. With another cursor it is a
	// repeat, as far as Rows go. A row that waits has the state pending, and its holder as message.
	Progress struct {
		From uint64
		Rows []Outcome
		Open []OpenOutcome
	}
	// Pause stops the task at the border of an item until it is resumed.
	Pause struct{}
	// Resume goes on with a paused task.
	Resume struct{}
	// Cancel ends the task at the border of an item; what it has done stays.
	Cancel struct{}
	// Finish ends the task when all is done, or, of one that is being cancelled, when nothing is under way.
	Finish struct{}
	// Expire is what the timer says: of a draft that was not accepted, and of a task at the end of its retention.
	Expire struct{ Due time.Time }
	// Named says that the provider has the name for the task's own.
	Named struct{}
	// Released says that the provider has the task's name back.
	Released struct{}
	// Undone says that another task takes this one back, from its acceptance on. The newest one is known.
	Undone struct{ By string }
	// Withdraw has no task come of this id any more, unless it is there already: who asks sees which by the number in the answer,
	// 0 is none. An Accept that comes behind it is refused, also if nothing was ever staged. Repeating it changes nothing.
	Withdraw struct{}
)

func (*Stage) command()    {}
func (*Keep) command()     {}
func (*Accept) command()   {}
func (*Start) command()    {}
func (*Progress) command() {}
func (*Pause) command()    {}
func (*Resume) command()   {}
func (*Cancel) command()   {}
func (*Finish) command()   {}
func (*Expire) command()   {}
func (*Named) command()    {}
func (*Released) command() {}
func (*Undone) command()   {}
func (*Withdraw) command() {}

// Missing is the refusal of a task that is not there.
func Missing() *problem.Problem { return problem.New(problem.NotFound, "there is no such bulk task") }
