package bulk

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"concord/actors/entity"
	"concord/actors/fields"
)

// Result is a task as callers see it, and the answer to every command.
type Result struct {
	Task              string     `json:"task" doc:"Id"`
	Number            uint64     `json:"number" doc:"Of acceptance in the provider, from 1: tasks apply to a collection in this order"`
	Name              string     `json:"name" doc:"Unique in the provider; the number if none was given"`
	Provider          string     `json:"provider"`
	State             string     `json:"state" doc:"ACCEPTED, IN_PROGRESS, PAUSED, CANCELLING, COMPLETE, CANCELLED or PARTIALLY_CANCELLED"`
	Message           string     `json:"message" doc:"How it stands, in a sentence"`
	DryRun            bool       `json:"dryRun,omitempty" doc:"Nothing is written: the items tell what would be"`
	Counts            Counts     `json:"counts" doc:"Items by state: their sum is the total"`
	Total             uint64     `json:"total"`
	Warned            uint64     `json:"warned" doc:"Items that were updated with warnings"`
	WaitingForLocks   uint64     `json:"waitingForLocks" doc:"Items whose collection somebody holds the lock of"`
	Type              string     `json:"type,omitempty" doc:"Collection type that all collections are of"`
	OnLocked          string     `json:"onLocked"`
	ItemsPerSecond    uint64     `json:"itemsPerSecond,omitempty"`
	RetryOf           string     `json:"retryOf,omitempty" doc:"Task whose failed items these are"`
	RollbackAvailable bool       `json:"rollbackAvailable" doc:"It can be taken back by bulk.rollback"`
	RollbackUntil     *time.Time `json:"rollbackUntil,omitempty" doc:"Until when what it replaces is kept for a roll-back; of a run of a bulk edit session, which takes it back, at most"`
	UndoOf            string     `json:"undoOf,omitempty" doc:"Task that it takes back"`
	OnConflict        string     `json:"onConflict,omitempty" doc:"Of one that takes back: what becomes of collections that others have written since: skip, force or merge"`
	UndoneBy          string     `json:"undoneBy,omitempty" doc:"Newest task that takes it back"`
	Session           string     `json:"session,omitempty" doc:"Bulk edit session whose run it is"`
	Run               uint32     `json:"run,omitempty" doc:"Its number there"`
	KeptBytes         uint64     `json:"keptBytes,omitempty" doc:"Of the contents that it has replaced, which are kept for a roll-back"`
	Principal         string     `json:"principal" doc:"Who asked for it"`
	Reason            string     `json:"reason,omitempty"`
	Seq               uint64     `json:"seq"`
	AcceptedAt        time.Time  `json:"acceptedAt"`
	StartedAt         *time.Time `json:"startedAt,omitempty"`
	EndedAt           *time.Time `json:"endedAt,omitempty"`
	ExpiresAt         *time.Time `json:"expiresAt,omitempty" doc:"When its list and outcomes go"`
}

// Undoable says that the task can be taken back at the moment, as far as it knows itself: of one that was taken back already, and
// some of it left, the other task knows.
func (s *State) Undoable(now time.Time) bool { return s.Final(now) == "" && s.UndoneBy == "" }

// Final says why nothing that the task has done can be taken back at the moment; "": it can. One that is open may still do
// something.
func (s *State) Final(now time.Time) string {
	switch {
	case s.DryRun:
		return "it was a dry run, and has written nothing"
	case s.Session != "":
		return "it is a run of the bulk edit session " + s.Session + ", which takes it back"
	case s.Counts.Updated == 0 && !s.Status.Open():
		return "it has updated nothing"
	case s.Pinned.IsZero():
		return "nothing is kept for it"
	case !now.Before(s.Pinned):
		return "what it has replaced was kept until " + s.Pinned.Format(time.RFC3339)
	}
	return ""
}

// Show is the task as callers see it at a moment.
func (s *State) Show(provider, id string, seq uint64, now time.Time) Result {
	r := Result{Task: id, Number: s.Number, Name: s.Name, Provider: provider, State: string(s.Status), Message: s.message(), DryRun: s.DryRun,
		Counts: s.Counts, Total: s.Total, Warned: s.Warned, WaitingForLocks: s.Waiting, Type: s.Type, OnLocked: s.OnLocked,
		ItemsPerSecond: s.PerSecond, RetryOf: s.RetryOf, Principal: s.Principal, Reason: s.Reason, Seq: seq, AcceptedAt: s.Accepted,
		RollbackAvailable: s.Undoable(now), UndoOf: s.UndoOf, OnConflict: string(s.OnConflict), UndoneBy: s.UndoneBy, Session: s.Session,
		Run: s.Run, KeptBytes: s.KeptBytes}
	if !s.Pinned.IsZero() && !s.DryRun {
		r.RollbackUntil = &s.Pinned
	}
	if !s.Started.IsZero() {
		r.StartedAt = &s.Started
	}
	if !s.Ended.IsZero() {
		r.EndedAt = &s.Ended
		if !s.Expires.IsZero() {
			r.ExpiresAt = &s.Expires
		}
	}
	return r
}

// message says in a sentence how the task stands. That of one that is complete is in the words of the origin.
func (s *State) message() string {
	task := "The task "
	if s.UndoOf != "" {
		task = "The roll-back "
	}
	switch s.Status {
	case Accepted:
		return fmt.Sprintf(task+"waits for its turn: %d total collection update(s) are pending.", s.Total)
	case InProgress:
		return task + "is in progress: " + s.progress()
	case Paused:
		return task + "is paused: " + s.progress()
	case Cancelling:
		return task + "is being cancelled: " + s.progress()
	case Complete:
		return s.completed()
	case Cancelled:
		return fmt.Sprintf(task+"was cancelled before any of %d total collection update(s).", s.Total)
	case PartiallyCancelled:
		return fmt.Sprintf(task+"was cancelled with %s out of %d total collection update(s).", s.Counts.text(), s.Total)
	case Draft, Expired:
	}
	return ""
}

// progress says how far the task is.
func (s *State) progress() string {
	text := fmt.Sprintf("of %d total collection update(s), %d are processed and %d are pending", s.Total, s.Counts.Done(), s.Counts.Pending)
	if s.Waiting > 0 {
		text += fmt.Sprintf(", %d of them waiting for locks", s.Waiting)
	}
	return text + "."
}

// completed says what came of the items of a task that is complete.
func (s *State) completed() string {
	whole, back := s.Counts.Failed == 0 && s.Counts.Skipped == 0, s.UndoOf != ""
	what := "Task"
	switch {
	case whole && back && s.DryRun:
		return "All collection updates would be rolled back."
	case whole && back:
		return "All collection updates were rolled back."
	case whole && s.DryRun:
		return "All collection updates would be completed successfully."
	case whole:
		return "All collection updates completed successfully."
	case back && s.DryRun:
		what = "Dry run of the roll-back"
	case back:
		what = "Roll-back"
	case s.DryRun:
		what = "Dry run"
	}
	return fmt.Sprintf("%s completed with %s out of %d total collection update(s).", what, s.Counts.text(), s.Total)
}

// text lists the counts that are not zero.
func (c *Counts) text() string {
	var list []string
	for _, state := range []ItemState{ItemCancelled, fields.Failed, fields.Skipped, fields.Unchanged, fields.Updated} {
		if n := c.Of(state); n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, state))
		}
	}
	if last := len(list) - 1; last > 0 {
		return strings.Join(list[:last], ", ") + " and " + list[last]
	}
	return strings.Join(list, "")
}

// Answer shows the task. The acceptance of one is 202: there is more to come.
func (Behavior) Answer(_, after State, c Command, x entity.Case) entity.Answer {
	body, err := json.Marshal(after.Show(x.At.Entity.Provider, x.At.Entity.ID, x.At.Seq, x.Meta.Time))
	if err != nil {
		panic("bulk: a result always marshals: " + err.Error())
	}
	if _, accepts := c.(*Accept); accepts {
		return entity.Answer{Status: http.StatusAccepted, Body: body}
	}
	return entity.Answer{Status: http.StatusOK, Body: body}
}
