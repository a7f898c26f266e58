package editsession

import (
	"time"

	"concord/actors/problem"
)

// Command is a sealed set.
type Command interface{ command() }

type (
	// Stage adds a full chunk to a list of rows that nobody is shown yet: that of a draft, or the one that is to replace the
	// rows of an open session. List is its number: one more than the state's. Number 0 begins it anew: who makes a list makes
	// it alone. Any other number that is there already changes nothing.
	Stage struct {
		List     uint32
		Number   uint32
		PerChunk uint32
		Rows     []Row
	}
	// Open begins a session of what is staged and the last chunk: in one batch. Repeating it changes nothing.
	Open struct {
		Session  State         // Name, Type, By, From, Keep, Retention; the rest comes from the request
		Lifetime time.Duration // until it is closed
		Chunks   uint32        // that are staged; none: what is staged is left from another attempt
		Stage                  // the last one; it may have no rows
	}
	// Match replaces the rows of a session that has no step yet: wrong-state after that. Repeating it changes nothing.
	Match struct {
		By     []string
		From   string
		Chunks uint32 // that are staged; none: what is staged is left from another attempt
		Stage         // the last one; it may have no rows
	}
	// Discard removes the staged rows of a list that will not be complete, and a draft with them. A list that is complete stays.
	Discard struct{ List uint32 }
	// Begin adds a run whose task is about to be made. The one before has ended: the operation knows, and says which it has
	// seen (After), so that two that begin at once do not both (wrong-state). Of dry runs the newest is kept, and the one before
	// it while it is the newest of all. An apply changes Path by its step; a roll-back and a redo change it to what they lead to,
	// which must be what Plan and PlanRedo say (cannot-undo). Repeating it changes nothing if the run has a task.
	Begin struct {
		Run   Run // Kind, Task, DryRun, Mark, To, Of, OnConflict
		After uint32
	}
	// Abort removes the newest run, whose task never was, and never will be: who asks has seen to that (bulk.Withdraw). One that is
	// not there changes nothing.
	Abort struct{ Run uint32 }
	// Close ends the session: what is kept for it is released.
	Close struct{}
	// Expire is what the timer says.
	Expire struct{ Due time.Time }
)

func (*Stage) command()   {}
func (*Open) command()    {}
func (*Match) command()   {}
func (*Discard) command() {}
func (*Begin) command()   {}
func (*Abort) command()   {}
func (*Close) command()   {}
func (*Expire) command()  {}

// Missing is the refusal of a session that is not there.
func Missing() *problem.Problem {
	return problem.New(problem.NotFound, "there is no such bulk edit session")
}
