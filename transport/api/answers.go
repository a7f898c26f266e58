package api

import (
	"encoding/json"
	"time"

	"concord/actors/collection"
	"concord/transport"
)

// The answers that are no single entity's: those of the writes stand with their kinds.

// Collection is the answer of collection.get.
type Collection struct {
	Provider         string                     `json:"provider"`
	ID               string                     `json:"id"`
	Version          uint64                     `json:"version" doc:"The version that is shown"`
	ETag             string                     `json:"etag"`
	Seq              uint64                     `json:"seq" doc:"Number of the event that made it"`
	Format           string                     `json:"format" doc:"json or marc"`
	Type             string                     `json:"type,omitempty"`
	Created          time.Time                  `json:"created"`
	Updated          time.Time                  `json:"updated"`
	DocumentCount    uint64                     `json:"documentCount"`
	Metadata         json.RawMessage            `json:"metadata,omitempty" doc:"On the first page, unless fields are chosen and none is of it"`
	Documents        map[string]json.RawMessage `json:"documents,omitempty" doc:"Documents of this page by id; a first page that metadata fills has none"`
	DocumentVersions map[string]uint64          `json:"documentVersions,omitempty" doc:"Version that last wrote each"`
	Next             string                     `json:"next,omitempty" doc:"Cursor of the next page of documents"`
}

// Document is the answer of document.get.
type Document struct {
	Provider string          `json:"provider"`
	ID       string          `json:"id"`
	Document string          `json:"document"`
	Version  uint64          `json:"version" doc:"Version of the collection that last wrote the document"`
	ETag     string          `json:"etag"`
	Value    json.RawMessage `json:"value"`
}

// CollectionPage is the answer of collection.list.
type CollectionPage struct {
	Items []CollectionItem `json:"items" doc:"Collections in order of their ids, deleted ones left out"`
	Next  string           `json:"next,omitempty" doc:"Cursor of the next page"`
}

// CollectionItem is a collection in a list.
type CollectionItem struct {
	ID            string    `json:"id"`
	Version       uint64    `json:"version"`
	ETag          string    `json:"etag"`
	Seq           uint64    `json:"seq"`
	Format        string    `json:"format"`
	Type          string    `json:"type,omitempty"`
	DocumentCount uint64    `json:"documentCount"`
	Updated       time.Time `json:"updated"`
}

// Type is the answer of type.get.
type Type struct {
	Provider  string          `json:"provider"`
	ID        string          `json:"id"`
	Version   uint64          `json:"version" doc:"The version that is shown"`
	ETag      string          `json:"etag"`
	Seq       uint64          `json:"seq" doc:"Number of the event that made it"`
	Updated   time.Time       `json:"updated"`
	Principal string          `json:"principal" doc:"Who made it"`
	Building  [][]string      `json:"building,omitempty" doc:"Of the newest version: keys and indexes that are still being built, each by its paths; until then nothing is found by them"`
	Value     json.RawMessage `json:"value" doc:"The collection type, as it was sent"`
}

// TypePage is the answer of type.list.
type TypePage struct {
	Items []TypeItem `json:"items" doc:"Collection types in order of their ids, deleted ones left out"`
	Next  string     `json:"next,omitempty" doc:"Cursor of the next page"`
}

// TypeItem is a collection type in a list.
type TypeItem struct {
	ID      string    `json:"id"`
	Version uint64    `json:"version"`
	ETag    string    `json:"etag"`
	Seq     uint64    `json:"seq"`
	Updated time.Time `json:"updated"`
}

// HistoryPage is the answer of collection.history.
type HistoryPage struct {
	Items []Version `json:"items" doc:"Versions, the newest first"`
	Next  string    `json:"next,omitempty" doc:"Cursor of the next page"`
}

// Version is one version in a history: who changed what, when and why.
type Version struct {
	Version    uint64    `json:"version"`
	Seq        uint64    `json:"seq"`
	Time       time.Time `json:"time"`
	Type       string    `json:"type" doc:"collection.saved or collection.deleted"`
	Principal  string    `json:"principal"`
	Session    string    `json:"session,omitempty"`
	RequestID  string    `json:"requestId,omitempty"`
	Reason     string    `json:"reason,omitempty"`
	Fence      uint64    `json:"fence,omitempty" doc:"Fence of the lock it was written under"`
	RevertedTo uint64    `json:"revertedTo,omitempty" doc:"Version whose content it restored"`
	// Merge is how a write came out that was built on an older version.
	Merge *collection.MergeData `json:"merge,omitempty" doc:"How it came out, if it was built on an older version"`
	// Relinked says that the service has brought links up to date.
	Relinked    bool   `json:"relinked,omitempty" doc:"The service has brought links up to date: nobody has edited anything"`
	Propagation string `json:"propagation,omitempty" doc:"Job that it is part of, if it is"`
	Bulk        string `json:"bulk,omitempty" doc:"Bulk task that has written it, if one has"`
	transport.Changed
}

// Diff is the answer of collection.diff.
type Diff struct {
	From    uint64           `json:"from"`
	To      uint64           `json:"to"`
	Patch   json.RawMessage  `json:"patch" doc:"RFC 6902, on {metadata, documents}"`
	Changes []ReadableChange `json:"changes" doc:"The same for people"`
	Next    string           `json:"next,omitempty" doc:"Cursor of the next page"`
}

// ReadableChange is one difference.
type ReadableChange struct {
	Path   string          `json:"path"`
	Kind   string          `json:"kind" doc:"added, removed or changed"`
	Before json.RawMessage `json:"before,omitempty"`
	After  json.RawMessage `json:"after,omitempty"`

	BeforeBytes int `json:"beforeBytes,omitempty" doc:"Size of a value that is too long to be shown"`
	AfterBytes  int `json:"afterBytes,omitempty" doc:"Size of a value that is too long to be shown"`
}

// Blame is the answer of collection.blame.
type Blame struct {
	Version   uint64                `json:"version" doc:"Newest version"`
	Metadata  map[string]BlameEntry `json:"metadata" doc:"Who last wrote each top-level member; on the first page"`
	Whole     *BlameEntry           `json:"wholeMetadata,omitempty" doc:"Instead, if it has more than 1000 members or they fill a page"`
	Documents map[string]BlameEntry `json:"documents" doc:"Who last wrote each document of this page"`
	Next      string                `json:"next,omitempty" doc:"Cursor of the next page"`
}

// BlameEntry is who wrote something last.
type BlameEntry struct {
	Version   uint64    `json:"version"`
	Time      time.Time `json:"time"`
	Principal string    `json:"principal"`
}

// EventPage is the answer of collection.events.
type EventPage struct {
	Items []transport.Event `json:"items" doc:"Events in order of their seq"`
	Next  string            `json:"next,omitempty" doc:"Cursor of the next page"`
}
