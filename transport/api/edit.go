package api

import (
	"encoding/json"
	"time"

	"concord/actors/editsession"
)

// EditRequest opens a bulk edit session: exactly one of upload, ids and query says which records.
type EditRequest struct {
	Name    string          `json:"name,omitempty" doc:"1 to 255 bytes; for people, need not be unique"`
	Type    string          `json:"type,omitempty" doc:"Collection type that all records are of; needed for by and query, and for fields in instructions"`
	Upload  string          `json:"upload,omitempty" doc:"Id of a closed upload: CSV, or JSON lines"`
	Format  string          `json:"format,omitempty" enum:"csv,jsonl" doc:"Of the upload; left out: JSON lines if it begins with {, else CSV"`
	IDs     []string        `json:"ids,omitempty" doc:"Identifiers as of an upload with one column"`
	Query   json.RawMessage `json:"query,omitempty" doc:"{path: value}: all collections of the type that have the value in this declared index"`
	By      []string        `json:"by,omitempty" doc:"JSON Pointers of a declared alternate key of the type; left out: rows name collections by id"`
	Columns []string        `json:"columns,omitempty" doc:"Names of the columns (CSV: its first line has them; JSON lines: members) that hold what by names, in its order, or the id; left out: the one column there is, without a line of names (JSON lines: the member id)"`
	Keep    string          `json:"keep,omitempty" enum:"all,previous" doc:"What can be rolled back: every step (the default), or the newest"`
	Reason  string          `json:"reason,omitempty" doc:"Why; kept in the history of each collection"`
}

// EditMatch replaces the records of a session that has no steps yet: the last upload counts.
type EditMatch struct {
	Upload  string          `json:"upload,omitempty"`
	Format  string          `json:"format,omitempty" enum:"csv,jsonl"`
	IDs     []string        `json:"ids,omitempty"`
	Query   json.RawMessage `json:"query,omitempty"`
	By      []string        `json:"by,omitempty"`
	Columns []string        `json:"columns,omitempty"`
}

// EditSession is a bulk edit session as callers see it.
type EditSession struct {
	Session           string      `json:"session" doc:"Id"`
	Provider          string      `json:"provider"`
	Name              string      `json:"name,omitempty"`
	Owner             string      `json:"owner" doc:"Principal whose session it is"`
	State             string      `json:"state" doc:"READY, PREVIEWING, REVIEW, APPLYING, COMPLETED, COMPLETED_WITH_ERRORS, FAILED, CANCELLING, CANCELLED, ROLLING_BACK, ROLLED_BACK, ROLLED_BACK_WITH_CONFLICTS or CLOSED"`
	Message           string      `json:"message" doc:"How it stands, in a sentence"`
	Type              string      `json:"type,omitempty"`
	By                []string    `json:"by,omitempty"`
	Keep              string      `json:"keep"`
	Reason            string      `json:"reason,omitempty"`
	Rows              uint64      `json:"rows" doc:"Uploaded identifiers"`
	Counts            EditCounts  `json:"counts" doc:"Rows by what they led to: their sum is rows"`
	Runs              []EditRun   `json:"runs" doc:"Steps, roll-backs, redos and the newest preview, oldest first"`
	Path              []uint32    `json:"path" doc:"Numbers of the steps that are in effect; none: the start"`
	RollbackAvailable bool        `json:"rollbackAvailable" doc:"There is something that can be taken back"`
	RedoAvailable     bool        `json:"redoAvailable" doc:"There is a roll-back that can be taken back"`
	Storage           EditStorage `json:"storage" doc:"What is kept for roll-backs"`
	Seq               uint64      `json:"seq"`
	OpenedAt          time.Time   `json:"openedAt"`
	ClosedAt          *time.Time  `json:"closedAt,omitempty"`
	ExpiresAt         *time.Time  `json:"expiresAt,omitempty" doc:"When it is closed; of a closed one, when its rows go"`
}

// EditCounts are rows by state.
type EditCounts = editsession.Counts

// EditRun is one thing that was done with a session.
type EditRun struct {
	Run             uint32     `json:"run"`
	Kind            string     `json:"kind" enum:"preview,apply,rollback,redo"`
	Step            uint32     `json:"step,omitempty" doc:"Of a preview and an apply"`
	To              *uint32    `json:"to,omitempty" doc:"Of a roll-back: the step whose end it goes back to; 0: the start"`
	Of              uint32     `json:"of,omitempty" doc:"Of a redo: the run that it takes back"`
	DryRun          bool       `json:"dryRun,omitempty"`
	OnConflict      string     `json:"onConflict,omitempty"`
	Task            string     `json:"task,omitempty" doc:"Bulk task that does the work; left out: there was nothing to be done"`
	State           string     `json:"state" doc:"As of a bulk task; PREPARING before there is one; CANCELLED also if the session was closed before that, so that nothing was done"`
	Counts          BulkCounts `json:"counts"`
	Total           uint64     `json:"total"`
	WaitingForLocks uint64     `json:"waitingForLocks,omitempty"`
	BegunAt         time.Time  `json:"begunAt"`
	EndedAt         *time.Time `json:"endedAt,omitempty"`
}

// EditStorage is what a session holds back from retention.
type EditStorage struct {
	Versions uint64 `json:"versions" doc:"Old versions of collections that are kept for it"`
	Bytes    uint64 `json:"bytes" doc:"Of the contents that its steps have replaced, as they are kept"`
	List     uint64 `json:"listBytes" doc:"Of its rows"`
}

// EditPage is a page of sessions, the newest first.
type EditPage struct {
	Items []EditSession `json:"items"`
	Next  string        `json:"next,omitempty"`
}

// EditRecord is a row of a session.
type EditRecord struct {
	Row        uint64 `json:"row" doc:"Its place among the rows, from 0"`
	Line       uint64 `json:"line,omitempty" doc:"Of the upload, from 1; of ids their place"`
	Identifier string `json:"identifier,omitempty" doc:"As it was uploaded; left out if it is the id; of a key with several paths a JSON list"`
	ID         string `json:"id,omitempty" doc:"Collection"`
	State      string `json:"state" enum:"MATCHED,NOT_FOUND,DUPLICATE,AMBIGUOUS"`
	Message    string `json:"message,omitempty"`
}

// EditRecordPage is a page of rows in the order of the upload.
type EditRecordPage struct {
	Items []EditRecord `json:"items"`
	Next  string       `json:"next,omitempty"`
}

// EditPreview asks what instructions would do to the records.
type EditPreview struct {
	Instructions json.RawMessage `json:"instructions" doc:"As of bulk.submit"`
	Exclude      []string        `json:"exclude,omitempty" doc:"Collections that are left out"`
}

// EditApply applies the instructions of the newest preview as a step, or those given.
type EditApply struct {
	Instructions   json.RawMessage `json:"instructions,omitempty" doc:"Left out: those of the newest preview"`
	Exclude        []string        `json:"exclude,omitempty" doc:"Collections that are left out of this step"`
	OnLocked       string          `json:"onLocked,omitempty" enum:"wait,fail"`
	ItemsPerSecond uint64          `json:"itemsPerSecond,omitempty"`
	Reason         string          `json:"reason,omitempty"`
}

// EditRollback takes steps back.
type EditRollback struct {
	To         json.RawMessage `json:"to" doc:"initial, previous, or the number of a step that is in effect: what came after it is taken back"`
	OnConflict string          `json:"onConflict,omitempty" enum:"skip,force,merge" doc:"What becomes of a record that somebody else has written since; skip is the default. With force nothing is left of what is not in effect there, also of what an earlier roll-back has left"`
	OnLocked   string          `json:"onLocked,omitempty" enum:"wait,fail"`
	Reason     string          `json:"reason,omitempty"`
}

// EditRedo takes a roll-back back.
type EditRedo struct {
	Of         uint32 `json:"of,omitempty" doc:"Number of the run that is taken back: the roll-back of which the newest redo has left some records, or the newest that was not redone; left out: the former if there is one"`
	OnConflict string `json:"onConflict,omitempty" enum:"skip,force,merge"`
	OnLocked   string `json:"onLocked,omitempty" enum:"wait,fail"`
	Reason     string `json:"reason,omitempty"`
}

// BulkRollback takes a bulk task back, as a task of its own.
type BulkRollback struct {
	Name       string `json:"name,omitempty" doc:"Of the new task"`
	OnConflict string `json:"onConflict,omitempty" enum:"skip,force,merge" doc:"What becomes of a collection that somebody else has written since; skip is the default"`
	OnLocked   string `json:"onLocked,omitempty" enum:"wait,fail"`
	Reason     string `json:"reason,omitempty"`
}
