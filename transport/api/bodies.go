package api

import "encoding/json"

// The request bodies, for the schemas that both APIs publish. What is accepted is decided by the decoders, which keep
// contents as the bytes that came; a test holds the two against each other.

// PutRequest is the body of collection.put.
type PutRequest struct {
	Format    string                     `json:"format,omitempty" enum:"json,marc" doc:"Of a new collection; default json"`
	Type      string                     `json:"type,omitempty" doc:"Of a new collection"`
	Metadata  map[string]any             `json:"metadata,omitempty" doc:"Left out: stays as it is"`
	Documents map[string]json.RawMessage `json:"documents,omitempty" doc:"Left out: stay as they are; given: all documents"`
	CommonRequest
}

// CommonRequest are the members that every write has.
type CommonRequest struct {
	BaseVersion uint64 `json:"baseVersion,omitempty" doc:"Version that the content is based on"`
	Policy      string `json:"policy,omitempty" doc:"What to do if the base is stale"`
	OnLocked    string `json:"onLocked,omitempty" enum:"queue" doc:"queue: leave the write here while another holds the lock"`
	Reason      string `json:"reason,omitempty" doc:"Why; kept in the history"`
}

// PatchRequest is the body of collection.patch with type application/json.
type PatchRequest struct {
	Changes []ChangeRequest `json:"changes"`
	CommonRequest
}

// ChangeRequest is one change of a patch.
type ChangeRequest struct {
	Op          string          `json:"op" enum:"put-document,merge-document,patch-document,remove-document,put-metadata,merge-metadata,patch-metadata"`
	ID          string          `json:"id,omitempty" doc:"Document; none for the metadata"`
	Value       json.RawMessage `json:"value,omitempty" doc:"New value, RFC 7396 merge patch, or RFC 6902 patch"`
	BaseVersion uint64          `json:"baseVersion,omitempty" doc:"Base of this change alone"`
}

// DocumentPutRequest is the body of document.put.
type DocumentPutRequest struct {
	Value json.RawMessage `json:"value"`
	CommonRequest
}

// RevertRequest is the body of collection.revert.
type RevertRequest struct {
	To          uint64 `json:"to" doc:"Version whose content becomes the newest"`
	BaseVersion uint64 `json:"baseVersion,omitempty" doc:"Version that must still be the newest"`
	Reason      string `json:"reason,omitempty" doc:"Why; kept in the history"`
}

// AppendRequest is the body of upload.append.
type AppendRequest struct {
	Offset uint64 `json:"offset" doc:"How many bytes were sent before"`
	Data   []byte `json:"data" doc:"The chunk, base64"`
}

// BackupRequest is the body of admin.backup.
type BackupRequest struct {
	Name string `json:"name" doc:"Name of the new directory below the backup directory"`
}
