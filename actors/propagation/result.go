package propagation

import (
	"encoding/json"
	"net/http"
	"time"

	"concord/actors/entity"
	"concord/actors/links"
)

// Cause is what has changed.
type Cause struct {
	Action    string `json:"action" doc:"UPDATE_BASE_URL, UPDATE_SOURCE, UPDATE_NATURAL_ID, UPDATE_HEADING, DELETE, CREATE or AUDIT"`
	Source    string `json:"source,omitempty"`
	Authority string `json:"authority,omitempty"`
	Revision  uint64 `json:"revision" doc:"Of the base URL, or of the authority"`

	BaseURLOld   string `json:"baseUrlOld,omitempty"`
	BaseURLNew   string `json:"baseUrlNew,omitempty"`
	SourceOld    string `json:"sourceOld,omitempty"`
	SourceNew    string `json:"sourceNew,omitempty"`
	NaturalIDOld string `json:"naturalIdOld,omitempty"`
	NaturalIDNew string `json:"naturalIdNew,omitempty"`
	HeadingOld   string `json:"headingOld,omitempty"`
	HeadingNew   string `json:"headingNew,omitempty"`
	TagOld       string `json:"headingTypeOld,omitempty"`
	TagNew       string `json:"headingTypeNew,omitempty"`
}

// Told is what leaves of an event.
type Told struct {
	State           Status `json:"state"`
	Cause           *Cause `json:"cause,omitempty"`
	Total           uint64 `json:"total"`
	Counts          Counts `json:"counts"`
	Documents       uint64 `json:"rewritten"`
	Collections     uint64 `json:"collections"`
	Done            uint64 `json:"done"`
	WaitingForLocks uint64 `json:"waitingForLocks"`
	SupersededBy    string `json:"supersededBy,omitempty"`
	Message         string `json:"message,omitempty"`
}

// Result is a job as callers see it, and the answer to every command.
type Result struct {
	ID              string     `json:"propagation"`
	Provider        string     `json:"provider"`
	State           string     `json:"state" doc:"REQUESTED, PLANNED, RUNNING, PAUSED, COMPLETED, COMPLETED_WITH_ERRORS, CANCELLED, SUPERSEDED or FAILED"`
	Cause           Cause      `json:"cause"`
	Total           uint64     `json:"total" doc:"Links; 0 until it is planned"`
	Counts          Counts     `json:"counts"`
	Documents       uint64     `json:"documents" doc:"Documents rewritten"`
	Collections     uint64     `json:"collections" doc:"Collections that it is about"`
	Done            uint64     `json:"done" doc:"Collections that it is through with"`
	WaitingForLocks uint64     `json:"waitingForLocks" doc:"Collections that somebody holds the lock of"`
	SupersededBy    string     `json:"supersededBy,omitempty"`
	Message         string     `json:"message,omitempty" doc:"Why it has failed"`
	Principal       string     `json:"principal" doc:"Who made the change"`
	Seq             uint64     `json:"seq"`
	RequestedAt     time.Time  `json:"requestedAt"`
	StartedAt       *time.Time `json:"startedAt,omitempty"`
	EndedAt         *time.Time `json:"endedAt,omitempty"`

	// RollbackAvailable is for who shows the job to say: it does not know what its cause is by now.
	RollbackAvailable bool `json:"rollbackAvailable,omitempty" doc:"The change that has caused it can be taken back by propagation.rollback; told by propagation.get alone"`
}

// causeOf shows a change, as far as it has changed something.
func causeOf(c *links.Change) Cause {
	cause := Cause{Action: c.Action, Source: c.Source.ID, Revision: c.Source.Revision}
	differ := func(was, is string) (string, string) {
		if was == is || c.Action == links.ActionAudit {
			return "", ""
		}
		return was, is
	}
	if c.Authority == nil {
		cause.BaseURLOld, cause.BaseURLNew = differ(c.Was.BaseURL, c.Source.BaseURL)
		return cause
	}
	a := c.Authority
	cause.Authority, cause.Revision = a.ID, a.Revision
	cause.SourceOld, cause.SourceNew = differ(c.Was.Source, a.Source)
	cause.NaturalIDOld, cause.NaturalIDNew = differ(c.Was.NaturalID, a.NaturalID)
	cause.HeadingOld, cause.HeadingNew = differ(c.Was.Heading, a.Heading.Label)
	cause.TagOld, cause.TagNew = differ(c.Was.Tag, a.Heading.Tag)
	return cause
}

// waits is how many collections are waited for: none, once the job has ended.
func (s *State) waits() uint64 {
	if !s.Status.Open() {
		return 0
	}
	return s.Waiting
}

// Show is the job as callers see it.
func (s *State) Show(provider, id string, seq uint64) Result {
	r := Result{ID: id, Provider: provider, State: string(s.Status), Cause: causeOf(&s.Cause), Total: s.Counts.Total(), Counts: s.Counts,
		Documents: s.Documents, Collections: s.Collections, Done: s.Done, WaitingForLocks: s.waits(), SupersededBy: s.SupersededBy,
		Message: s.Message, Principal: s.Principal, Seq: seq, RequestedAt: s.Requested}
	if !s.Started.IsZero() {
		r.StartedAt = &s.Started
	}
	if !s.Ended.IsZero() {
		r.EndedAt = &s.Ended
	}
	return r
}

// Answer shows the job.
func (Behavior) Answer(_, after State, _ Command, x entity.Case) entity.Answer {
	body, err := json.Marshal(after.Show(x.At.Entity.Provider, x.At.Entity.ID, x.At.Seq))
	if err != nil {
		panic("propagation: a result always marshals: " + err.Error())
	}
	return entity.Answer{Status: http.StatusOK, Body: body}
}
