// Package editsession is the kind of entity that is a bulk edit session: a list of records that somebody has matched by what
// they uploaded, and the runs over it: previews, steps, roll-backs, redos. It is pure. The work of each run is a bulk task
// (actors/bulk) whose id the session knows before there is such a task, so that none runs that the session does not know of;
// what a run has come to is what its task says, and where the session stands follows from both (State.Stands). Nobody drives a
// session: it survives restarts because its tasks do.
//
//	from                    by        to
//	- DRAFT                 Stage     DRAFT, with a chunk of the rows: nobody is shown it
//	- DRAFT                 Open      OPEN: from here on there is a session, with all its rows matched
//	OPEN without steps      Stage     OPEN, with a chunk of rows that are to replace the others: nobody is shown them
//	OPEN without steps      Match     OPEN with other rows: the last upload counts, and previews of the others are gone
//	OPEN                    Begin     OPEN with one more run; the one before must have ended
//	OPEN                    Abort     OPEN without its newest run: there never was a task, nor will be
//	OPEN                    Close     CLOSED: nothing can be rolled back any more, and nothing is kept for it
//	DRAFT OPEN              Discard   what is staged is gone; DRAFT: EXPIRED, as below
//	DRAFT                   Expire    EXPIRED: it never was open, and may begin again
//	OPEN                    Expire    CLOSED
//	CLOSED                  Expire    EXPIRED: its rows are gone
//
// Everything else changes nothing if it is a repeat, and is refused (`wrong-state`, `cannot-undo`) if it is not.
package editsession

import (
	"time"

	"concord/actors/undo"
)

// Status is what is stored of where a session stands.
type Status string

// The stored states. Draft and Expired are not shown.
const (
	Draft   Status = "DRAFT"
	Opened  Status = "OPEN"
	Closed  Status = "CLOSED"
	Expired Status = "EXPIRED"
)

// Standing is where a session stands for who looks at it: its status and what its newest run has come to. NEW and MATCHING
// pass within the request that opens it.
type Standing string

// The states of semantics section 7.
const (
	Ready                   Standing = "READY"
	Previewing              Standing = "PREVIEWING"
	Review                  Standing = "REVIEW"
	Applying                Standing = "APPLYING"
	Completed               Standing = "COMPLETED"
	CompletedWithErrors     Standing = "COMPLETED_WITH_ERRORS"
	Failed                  Standing = "FAILED"
	Cancelling              Standing = "CANCELLING"
	Cancelled               Standing = "CANCELLED"
	RollingBack             Standing = "ROLLING_BACK"
	RolledBack              Standing = "ROLLED_BACK"
	RolledBackWithConflicts Standing = "ROLLED_BACK_WITH_CONFLICTS"
	StandsClosed            Standing = "CLOSED"
)

// RunKind is what a run does.
type RunKind string

// What runs do. A preview, and a dry run of a roll-back, write nothing and change nothing about the session.
const (
	Preview  RunKind = "preview"
	Apply    RunKind = "apply"
	Rollback RunKind = "rollback"
	Redo     RunKind = "redo"
)

// How the rows of a session came.
const (
	FromUpload = "upload"
	FromIDs    = "ids"
	FromQuery  = "query"
)

// What a session keeps to be rolled back.
const (
	KeepAll      = "all"
	KeepPrevious = "previous" // the newest step alone
)

// Bounds of a session.
const (
	RunsMax         = 200 // steps, roll-backs and redos
	StepsMax        = 100 // runs after which there are no more steps, so that there is room to take all of them back
	RowsMax         = 1_000_000
	ChunkRows       = 1000
	IdentifierBytes = 4 << 10 // longest
	NameMaxBytes    = 255
)

// RowStates are all of them, in the order in which they are stored.
var RowStates = []RowState{Matched, NotFound, Duplicate, Ambiguous}

// RowState is what an uploaded identifier led to.
type RowState string

// What rows led to. Only matched ones take part in runs.
const (
	Matched   RowState = "MATCHED"
	NotFound  RowState = "NOT_FOUND"
	Duplicate RowState = "DUPLICATE" // the record is there already, by an earlier row
	Ambiguous RowState = "AMBIGUOUS" // several records have the key
)

// Row is one uploaded identifier. Rows are in the order of the upload.
type Row struct {
	Line       uint64 // of the file, from 1; of a query 0
	Identifier string // as it was uploaded; of a composite key as JSON; "" if it is the collection's id
	Collection string // that it led to; "" if none, or several
	State      RowState
	Why        string // of one that is not matched: "line 7 has it already"
}

// Counts of rows by state.
type Counts struct {
	Matched   uint64 `json:"matched"`
	NotFound  uint64 `json:"notFound"`
	Duplicate uint64 `json:"duplicate"`
	Ambiguous uint64 `json:"ambiguous"`
}

// Run is one thing that was done with the session. Runs are numbered from 1, in order; a number is never given twice.
type Run struct {
	Number     uint32
	Kind       RunKind
	Task       string // id of the bulk task; "": there was nothing to be done
	DryRun     bool   // of a roll-back or redo
	Step       uint32 // of a preview or an apply: the number of the step, from 1, never given twice; a preview has that of the step to come
	Mark       uint32 // of a roll-back: what came after this run is undone; 0: everything
	To         uint32 // of a roll-back: the step whose end it goes back to; 0: to the start
	Of         uint32 // of a redo: the number of the roll-back
	OnConflict undo.OnConflict
	Begun      time.Time
}

// Rows is what is known of a list of rows, which stands in chunks: all but the last have PerChunk rows.
type Rows struct {
	Chunks   uint32
	PerChunk uint32
	Bytes    uint64 // of the chunks, as they are stored
	Counts   Counts
}

// State of a session. It does not grow with its rows, and with its runs to RunsMax.
type State struct {
	Status    Status
	Name      string
	Owner     string   // principal
	Type      string   // collection type of the records; ""
	By        []string // JSON Pointers of the alternate key that rows were matched by; none: by id
	From      string   // how the rows came: upload, ids, query
	Keep      string
	Reason    string
	Rows             // none of a draft
	List      uint32 // how many lists of rows there were: the parts of older ones are gone; 0 of a draft
	Staged    Rows   // of the list to come, number List+1
	StagedAt  time.Time
	Runs      []Run    // a dry run that is neither the newest of them nor the newest of all is left out
	Numbered  uint32   // number of the newest run that ever was
	Steps     uint32   // number of the newest step that ever was
	Path      []uint32 // steps that are in effect, oldest first
	Opened    time.Time
	Used      time.Time // newest command of somebody
	Closed    time.Time
	Expires   time.Time     // of a draft: when it goes; of an open one: when it is closed; of a closed one: when its rows go
	Retention time.Duration // of the rows of a closed one; 0: for ever
}

// Shown says that callers see a session in this state.
func (s Status) Shown() bool { return s == Opened || s == Closed }

// Newest is the newest run; ok is false if there is none.
func (s *State) Newest() (run Run, ok bool) {
	if len(s.Runs) == 0 {
		return Run{}, false
	}
	return s.Runs[len(s.Runs)-1], true
}

// Done is the newest run that was not a dry one; ok is false if there is none.
func (s *State) Done() (run Run, ok bool) {
	for i := len(s.Runs) - 1; i >= 0; i-- {
		if !s.Runs[i].Dry() {
			return s.Runs[i], true
		}
	}
	return Run{}, false
}

// Told are the runs that callers see: steps, roll-backs, redos, and the newest dry run.
func (s *State) Told() []Run {
	last := -1
	for i := range s.Runs {
		if s.Runs[i].Dry() {
			last = i
		}
	}
	var told []Run
	for i := range s.Runs {
		if !s.Runs[i].Dry() || i == last {
			told = append(told, s.Runs[i])
		}
	}
	return told
}

// Dry says that the run writes nothing, and changes nothing about the session.
func (r *Run) Dry() bool { return r.Kind == Preview || r.DryRun }

// Total is the sum.
func (c *Counts) Total() uint64 { return c.Matched + c.NotFound + c.Duplicate + c.Ambiguous }

// Of is how many rows are in the state.
func (c *Counts) Of(state RowState) uint64 {
	if n := c.of(state); n != nil {
		return *n
	}
	return 0
}

// of is the counter of the state; nil: there is no such state.
func (c *Counts) of(state RowState) *uint64 {
	switch state {
	case Matched:
		return &c.Matched
	case NotFound:
		return &c.NotFound
	case Duplicate:
		return &c.Duplicate
	case Ambiguous:
		return &c.Ambiguous
	}
	return nil
}
