package api

import (
	"encoding/json"

	"concord/actors/bulk"
	"concord/actors/problem"
	"concord/transport"
)

// BulkRequest asks for a bulk update: instructions for many collections.
type BulkRequest struct {
	Name           string          `json:"name,omitempty" doc:"1 to 255 bytes, unique in the provider; left out: the number of the task"`
	Type           string          `json:"type,omitempty" doc:"Collection type: all targets must be of it, and instructions may name its fields"`
	Targets        BulkTargets     `json:"targets"`
	Instructions   json.RawMessage `json:"instructions" doc:"List of {type, path or field, find?, value?, ...}: applied in their order, as one version or none"`
	OnLocked       string          `json:"onLocked,omitempty" enum:"wait,fail" doc:"What becomes of an item whose collection somebody holds the lock of; wait is the default"`
	ItemsPerSecond uint64          `json:"itemsPerSecond,omitempty" doc:"At most so many; left out: as many as it can"`
	Reason         string          `json:"reason,omitempty" doc:"Why; kept in the history of each collection"`
}

// BulkTargets are the collections of a bulk update: exactly one of the members. They are resolved once, into a fixed list.
type BulkTargets struct {
	IDs    []string          `json:"ids,omitempty"`
	Keys   []json.RawMessage `json:"keys,omitempty" doc:"Alternate keys that the type declares, each {path: value, ...}"`
	Query  json.RawMessage   `json:"query,omitempty" doc:"{path: value}: all collections of the type that have the value in this declared index; with several paths, in all of them"`
	All    bool              `json:"all,omitempty" doc:"Every collection of the provider, or of the type"`
	Items  []BulkTarget      `json:"items,omitempty" doc:"Collections with a value each"`
	Upload string            `json:"upload,omitempty" doc:"Id of a closed upload: a line for each item, an id or the JSON of an item"`
}

// BulkTarget is one item that is named by itself.
type BulkTarget struct {
	ID      string          `json:"id,omitempty"`
	Key     json.RawMessage `json:"key,omitempty" doc:"Instead of the id: an alternate key, {path: value, ...}"`
	Value   json.RawMessage `json:"value,omitempty" doc:"What instructions with valueFrom take their value from, if there are any; at most 64 KiB"`
	Version uint64          `json:"version,omitempty" doc:"The newest version must be this one"`
}

// BulkCounts are items by state: the total is their sum at every read.
type BulkCounts = bulk.Counts

// BulkTask is a bulk update.
type BulkTask = bulk.Result

// BulkPage is a page of tasks, the newest first.
type BulkPage struct {
	Items []BulkTask `json:"items"`
	Next  string     `json:"next,omitempty"`
}

// BulkItem is what came of one item.
type BulkItem struct {
	Row           uint64               `json:"row" doc:"Its place in the list, from 0"`
	ID            string               `json:"id,omitempty" doc:"Collection; left out if a key leads to none, or to several"`
	Key           json.RawMessage      `json:"key,omitempty" doc:"The alternate key that it was named by"`
	State         string               `json:"state" doc:"PENDING, UPDATED, UNCHANGED, SKIPPED, FAILED or CANCELLED"`
	Code          string               `json:"code,omitempty"`
	Message       string               `json:"message,omitempty" doc:"Why it has failed, or who is waited for"`
	Warnings      []problem.FieldError `json:"warnings,omitempty"`
	VersionBefore uint64               `json:"versionBefore,omitempty"`
	VersionAfter  uint64               `json:"versionAfter,omitempty" doc:"Left out if there is no new version"`
	Diff          json.RawMessage      `json:"diff,omitempty" doc:"Of a dry run: JSON Patch on {metadata, documents}; left out if it is longer than 4 KiB"`
	DiffBytes     uint64               `json:"diffBytes,omitempty" doc:"How long the diff is"`
}

// BulkItemPage is a page of items in the order of the list.
type BulkItemPage struct {
	Items []BulkItem `json:"items"`
	Next  string     `json:"next,omitempty"`
}

// BulkAsked is what a bulk update was asked for with.
type BulkAsked struct {
	Task         string          `json:"task"`
	Type         string          `json:"type,omitempty"`
	Instructions json.RawMessage `json:"instructions,omitempty" doc:"Left out of a roll-back"`
	Targets      json.RawMessage `json:"targets" doc:"What the list was made from; ids and items are left out"`
	Body         json.RawMessage `json:"body,omitempty" doc:"The request as it came; left out if it was longer than 64 KiB"`
}

// BulkWords is for aliases of bulk updates and of roll-backs. The operations are in no table: who may ask them is judged by the one
// that the alias is of.
type BulkWords struct {
	Posted        *transport.Operation // what a task was asked for with, byte for byte; nothing if that is not kept
	End           *transport.Operation // waits for the end of a task, and shows it as bulk.get: at the latest to the request's deadline or 30 s
	Enabled       func() bool          // says whether bulk updates may be asked for
	ChunkMaxBytes int                  // of a chunk of an upload
}

// BulkRetry asks for the failed items of a task again, as a task of its own.
type BulkRetry struct {
	Name   string `json:"name,omitempty" doc:"Of the new task"`
	Reason string `json:"reason,omitempty"`
}
