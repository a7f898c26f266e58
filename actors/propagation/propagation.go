// Package propagation is the kind of entity that is a job: it brings linked fields up to date after a change of a source or
// an authority. It begins in the batch of that change (entity.Born), in the same partition. It is pure: what it decides on is
// told by the driver (actors/jobs), which reads the index of links and asks the collections.
//
//	from                    by                          to
//	-                       birth                       REQUESTED
//	REQUESTED               Plan                        REQUESTED, with a chunk more of its plan
//	REQUESTED               Planned                     PLANNED, or COMPLETED if there is nothing to do
//	PLANNED                 Start                       RUNNING
//	RUNNING                 Progress                    RUNNING, further
//	RUNNING                 Finish                      COMPLETED, or COMPLETED_WITH_ERRORS if a link has failed
//	REQUESTED PLANNED RUNNING  Pause                    PAUSED; what is under way still comes in by Progress
//	PAUSED                  Resume                      the state before
//	any of these            Cancel, Supersede, Fail     CANCELLED, SUPERSEDED, FAILED
//	CANCELLED SUPERSEDED    Progress                    the same: what was under way when it ended
//	COMPLETED_WITH_ERRORS   Retry                       RUNNING, for the failed documents
//	FAILED                  Retry                       the state before
//
// Everything else changes nothing if it is a repeat, and is refused (`wrong-state`) if it is not.
//
// Links are counted by state, each with a counter of its own. What is still to be done stands in one of them: pending, and
// after a cancellation skipped, after a supersession superseded. So their sum is the total at every read.
//
// The plan is kept in parts: chunks of rows, one row a collection, in order of partition and id; the cursor is the first row
// that is not through. Collections that wait for a lock, or whose failed documents are tried again, are parts that are come
// back to; failed documents are parts for people, and for Retry.
package propagation

import (
	"time"

	"concord/actors/links"
	"concord/actors/problem"
)

// Status is where a job stands.
type Status string

// The states.
const (
	Requested           Status = "REQUESTED"
	Planned             Status = "PLANNED"
	Running             Status = "RUNNING"
	Paused              Status = "PAUSED"
	Completed           Status = "COMPLETED"
	CompletedWithErrors Status = "COMPLETED_WITH_ERRORS"
	Cancelled           Status = "CANCELLED"
	Superseded          Status = "SUPERSEDED"
	Failed              Status = "FAILED"
)

// Statuses are all of them.
var Statuses = []Status{Requested, Planned, Running, Paused, Completed, CompletedWithErrors, Cancelled, Superseded, Failed}

// Open says that the job has not ended.
func (s Status) Open() bool { return s == Requested || s == Planned || s == Running || s == Paused }

// Bounds of a job.
const (
	ChunkRows       = 1000 // rows of a full chunk of the plan
	ChunksMax       = 1 << 20
	ProgressMaxRows = 256    // of one Progress
	failuresMaxKept = 10_000 // failed documents of a job that are kept; more are counted
	causeMaxBytes   = 500    // of the text that says why something failed
)

// Cursor is the first row that is not through. Within it, documents up to After are.
type Cursor struct {
	Row   uint64
	After string
}

// State of a job.
type State struct {
	Status    Status // empty: it was never born
	Cause     links.Change
	Principal string // who made the change
	Reason    string
	Requested time.Time
	Started   time.Time
	Ended     time.Time

	Counts      Counts
	Documents   uint64 // rewritten
	Collections uint64 // planned
	Done        uint64 // collections that it is through with
	Waiting     uint64 // collections that somebody holds the lock of
	Retrying    uint64 // collections whose failed documents are tried again

	PlannedLinks uint64
	Chunks       uint32 // of the plan
	Whole        bool   // the plan is complete
	Cursor       Cursor
	Left         uint64 // links of the cursor's row that are not accounted for, if its After is set
	Round        uint32 // of retries
	Failures     uint64 // parts that tell of failed documents
	Rest         uint64 // links that were pending when the job failed

	SupersededBy string
	Message      string // why it has failed
}

// Through says that nothing is left to be done.
func (s *State) Through() bool {
	return s.Cursor.Row >= s.Collections && s.Waiting == 0 && s.Retrying == 0
}

// ended is the state of a job that ends.
func (s State) ended(status Status, at time.Time) State {
	s.Status, s.Ended = status, at
	return s
}

// Row is a collection that the job is about, as planned.
type Row struct {
	Collection       string
	Links, Documents uint64
}

// Tally is what became of links in one collection.
type Tally struct {
	Updated, Unchanged, Superseded, Failed uint64
	Documents                              uint64 // rewritten
}

// links is how many links it accounts for.
func (t Tally) links() uint64 { return t.Updated + t.Unchanged + t.Superseded + t.Failed }

// Failure is a document whose links could not be brought up to date.
type Failure struct {
	Collection string
	Document   string // empty: all documents of the collection after the one named by After
	Path       string
	Authority  string
	Links      uint64
	Cause      string
	After      string
}

// Outcome is how far a collection has come.
type Outcome struct {
	Tally
	Failures []Failure
	// End is how it ended; the zero value: it is through.
	End   End
	After string // newest document looked at, if it is not through
	Why   string // who is waited for, or why the rest of it failed
}

// End is how the work on a collection ended.
type End uint8

// The ends.
const (
	Done   End = iota // it is through: links that were planned and not met are skipped
	Part              // a version is written, and there is more to do
	Locked            // somebody holds the lock: it is come back to
	Broken            // the rest of it has failed
)

// OpenOutcome is how far a collection has come that the job has come back to.
type OpenOutcome struct {
	Collection string
	Turn       uint32   // that was taken: an outcome that was told before changes nothing
	Looked     []string // of a retry: the failed documents that were looked at
	Rest       bool     // of a retry: the failed rest of the collection was looked at
	Outcome
}

// Command is a sealed set.
type Command interface{ command() }

type (
	// Plan adds a chunk to the plan; one that is there already changes nothing.
	Plan struct {
		Number uint32
		Rows   []Row
	}
	// PlanDone says that the plan is complete, with so many chunks.
	PlanDone struct{ Chunks uint32 }
	// Start begins the work.
	Start struct{}
	// Progress tells of rows in order from the cursor, and of collections that were come back to. With another cursor it is a
	// repeat, as far as rows go.
	Progress struct {
		From Cursor
		Rows []Outcome
		Open []OpenOutcome
	}
	// Pause stops the job until it is resumed.
	Pause struct{}
	// Resume goes on with a paused job.
	Resume struct{}
	// Cancel ends the job; what it has done stays.
	Cancel struct{}
	// Supersede ends the job: a newer one of the same cause sees to the rest.
	Supersede struct{ By string }
	// Retry tries what has failed again.
	Retry struct{}
	// Fail ends a job that cannot be run.
	Fail struct{ Message string }
	// Finish ends the job when all is done.
	Finish struct{}
)

func (*Plan) command()      {}
func (*PlanDone) command()  {}
func (*Start) command()     {}
func (*Progress) command()  {}
func (*Pause) command()     {}
func (*Resume) command()    {}
func (*Cancel) command()    {}
func (*Supersede) command() {}
func (*Retry) command()     {}
func (*Fail) command()      {}
func (*Finish) command()    {}

// Missing is the refusal of a job that is not there.
func Missing() *problem.Problem { return problem.New(problem.NotFound, "there is no such propagation") }
