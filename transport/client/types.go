package client

import (
	"encoding/json"
	"maps"
	"slices"

	"concord/actors/collection"
	"concord/actors/collectiontype"
	"concord/actors/lock"
	"concord/actors/upload"
	"concord/transport"
	"concord/transport/api"
)

// Collection and the others are the answers of the table, by their own types, so that there is one truth about them.
type (
	Collection     = api.Collection
	CollectionPage = api.CollectionPage
	CollectionItem = api.CollectionItem
	Document       = api.Document
	HistoryPage    = api.HistoryPage
	HistoryItem    = api.Version
	HistoryMerge   = collection.MergeData
	Content        = collection.Content
	Diff           = api.Diff
	Blame          = api.Blame
	BlameEntry     = api.BlameEntry
	EventPage      = api.EventPage
	Event          = transport.Event
	Type           = api.Type
	TypePage       = api.TypePage
	TypeItem       = api.TypeItem
	TypeResult     = collectiontype.Result
	UploadResult   = upload.Result
	Grant          = api.Grant
	DenyRequest    = api.DenyRequest
	AcceptRequest  = api.AcceptRequest
	Lease          = lock.GrantAnswer
	Ticket         = lock.TicketAnswer
	LockView       = lock.View
	LockPage       = api.LockPage
	LockItem       = api.ListedLock
	LockEvent      = collection.EventData
	ContestAnswer  = lock.ContestAnswer
	Contest        = lock.ContestView
	Contestant     = lock.ContestantView
	Outcome        = lock.OutcomeAnswer
	Party          = lock.Party
	Prompt         = api.Prompt
	PromptList     = api.PromptList
	Operation      = api.Operation

	Source              = api.Source
	SourceRequest       = api.SourceRequest
	SourcePatch         = api.SourcePatch
	SourcePage          = api.SourcePage
	Sequence            = api.Sequence
	NextID              = api.NextID
	Authority           = api.Authority
	AuthorityRequest    = api.AuthorityRequest
	AuthorityPage       = api.AuthorityPage
	AuthorityItem       = api.AuthorityItem
	ImportRequest       = api.ImportRequest
	ImportError         = api.ImportError
	Imported            = api.Imported
	LinkChanged         = api.LinkChanged
	Impact              = api.Impact
	Link                = api.Link
	LinkPage            = api.LinkPage
	LinkCount           = api.LinkCount
	SuggestRequest      = api.SuggestRequest
	Suggestion          = api.Suggestion
	Suggestions         = api.Suggestions
	AutoRequest         = api.AutoRequest
	AutoLinked          = api.AutoLinked
	AuditRequest        = api.AuditRequest
	Started             = api.Started
	Propagation         = api.Propagation
	PropagationCause    = api.PropagationCause
	PropagationCounts   = api.PropagationCounts
	PropagationPage     = api.PropagationPage
	PropagationItem     = api.PropagationItem
	PropagationItemPage = api.PropagationItemPage
	PropagationRollback = api.PropagationRollback
	Report              = api.Report
	ReportPage          = api.ReportPage

	BulkRequest  = api.BulkRequest
	BulkTargets  = api.BulkTargets
	BulkTarget   = api.BulkTarget
	BulkTask     = api.BulkTask
	BulkCounts   = api.BulkCounts
	BulkPage     = api.BulkPage
	BulkItem     = api.BulkItem
	BulkItemPage = api.BulkItemPage
	BulkAsked    = api.BulkAsked
	BulkRetry    = api.BulkRetry
	BulkRollback = api.BulkRollback

	EditRequest    = api.EditRequest
	EditMatch      = api.EditMatch
	EditSession    = api.EditSession
	EditCounts     = api.EditCounts
	EditRun        = api.EditRun
	EditStorage    = api.EditStorage
	EditPage       = api.EditPage
	EditRecord     = api.EditRecord
	EditRecordPage = api.EditRecordPage
	EditPreview    = api.EditPreview
	EditApply      = api.EditApply
	EditRollback   = api.EditRollback
	EditRedo       = api.EditRedo
)

// Result is the answer to a write. A write that was parked, because it was sent with QueueIfLocked and the collection was
// locked, has Operation, the id of what waits in its place: then only Provider and ID are set beside it, and
// OperationWait has the result when there is one.
type Result struct {
	collection.Result
	Operation string `json:"operation,omitempty"`
}

// PutRequest is what collection.put is given. A part that is nil stays as it is; one that is not replaces the whole part,
// so that an empty map removes all documents. Contents are sent in the bytes that they have.
type PutRequest struct {
	Format    string // of a new collection: "json" (default) or "marc"
	Type      string // of a new collection
	Metadata  json.RawMessage
	Documents map[string]json.RawMessage
}

func (r PutRequest) text() ([]byte, error) {
	var o object
	var err error
	set := func(name string, value any) {
		if err == nil {
			err = o.set(name, value)
		}
	}
	if r.Format != "" {
		set("format", r.Format)
	}
	if r.Type != "" {
		set("type", r.Type)
	}
	if r.Metadata != nil {
		set("metadata", r.Metadata)
	}
	if r.Documents != nil {
		var documents object
		for _, id := range slices.Sorted(maps.Keys(r.Documents)) {
			if err == nil {
				err = documents.set(id, r.Documents[id])
			}
		}
		set("documents", documents.text())
	}
	return o.text(), err
}

// Change is one change of a patch. The functions below make them.
type Change struct {
	Op          string
	ID          string // document; none for the metadata
	Value       json.RawMessage
	BaseVersion uint64 // base of this change alone; 0: that of the request, if it has one
}

// PutDocument writes a document.
func PutDocument(id string, value json.RawMessage) Change {
	return Change{Op: "put-document", ID: id, Value: value}
}

// MergeDocument changes a document by a merge patch (RFC 7396).
func MergeDocument(id string, patch json.RawMessage) Change {
	return Change{Op: "merge-document", ID: id, Value: patch}
}

// PatchDocument changes a document by a JSON Patch (RFC 6902).
func PatchDocument(id string, patch json.RawMessage) Change {
	return Change{Op: "patch-document", ID: id, Value: patch}
}

// RemoveDocument removes a document, which must be there.
func RemoveDocument(id string) Change { return Change{Op: "remove-document", ID: id} }

// PutMetadata replaces the metadata.
func PutMetadata(value json.RawMessage) Change { return Change{Op: "put-metadata", Value: value} }

// MergeMetadata changes the metadata by a merge patch (RFC 7396).
func MergeMetadata(patch json.RawMessage) Change { return Change{Op: "merge-metadata", Value: patch} }

// PatchMetadata changes the metadata by a JSON Patch (RFC 6902).
func PatchMetadata(patch json.RawMessage) Change { return Change{Op: "patch-metadata", Value: patch} }

func (c Change) text() ([]byte, error) {
	var o object
	err := o.set("op", c.Op)
	if err == nil && c.ID != "" {
		err = o.set("id", c.ID)
	}
	if err == nil && c.Value != nil {
		err = o.set("value", c.Value)
	}
	if err == nil && c.BaseVersion != 0 {
		err = o.set("baseVersion", c.BaseVersion)
	}
	return o.text(), err
}

// changesText is the body of a patch.
func changesText(changes []Change) ([]byte, error) {
	list := []byte{'['}
	for i, change := range changes {
		text, err := change.text()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, text...)
	}
	var o object
	err := o.set("changes", append(list, ']'))
	return o.text(), err
}
