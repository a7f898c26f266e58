package client

import (
	"context"
	"encoding/json"
	"errors"

	"concord/actors/collection"
	"concord/actors/problem"
	"concord/actors/rules"
)

// Policy is what becomes of a write that was built on an older version (BaseVersion), where that has changed since.
type Policy = rules.Policy

// The policies. A collection's type may allow a few of them only, and name one for writes that ask for none. The service
// refuses a stale write without a policy, if no type says otherwise.
const (
	// PolicyMerge brings both sides together, and refuses the write where they disagree: see Conflict.
	PolicyMerge = rules.Merge
	// PolicyMergeClient and PolicyMergeServer do, and where the sides disagree one of them wins: Result.Conflicts has the places.
	PolicyMergeClient = rules.MergeClient
	PolicyMergeServer = rules.MergeServer
	// PolicyClient saves what the write says over what there is: Result.Overwrote has the version.
	PolicyClient = rules.Client
	// PolicyServer saves nothing: Result.Content is what there is.
	PolicyServer = rules.Server
	// PolicyMerged says that the caller has merged, with the version that BaseVersion names: refused if that is not the newest.
	PolicyMerged = rules.Merged
	// PolicyServerLogic merges by the rules or the script of the type. PolicyCustomLogic is another name for it.
	PolicyServerLogic = rules.ServerLogic
	PolicyCustomLogic = rules.CustomLogic
)

// OnConflict says what becomes of the write if its base is stale. With Fields a refusal shows the conflicts at these paths
// alone.
func OnConflict(p Policy) CallOption { return Set(memberPolicy, p) }

const memberPolicy = "policy"

// WithoutMerge has Update call its function again at every conflict: nothing is merged for it. Other calls do not care.
func WithoutMerge() CallOption { return func(c *call) { c.unmerged = true } }

// Clash is a place at which the write and the newest version disagree.
type Clash = collection.Conflict

// Conflict is a write that was refused because its base is stale (version-conflict). It is what errors.As and errors.AsType
// find in the error of the call; the *Problem that it was read from is found in it, too.
type Conflict struct {
	BaseVersion    uint64 // what the write was built on
	CurrentVersion uint64 // the newest version, which it met
	ChangedBy      string // who has changed last what it touches; "" if that is not told
	// Clashes are in order of their paths. Under a policy that merges they are the places at which the two sides disagree,
	// otherwise the documents, or the metadata, that have changed. Long values are left out.
	Clashes []Clash
	Total   int      // how many there are, if Clashes has fewer: the answer had no room, or Fields left them out
	Allowed []Policy // what the write may ask for
	Problem *Problem
}

// Error is the text for a log line or a terminal.
func (c *Conflict) Error() string { return c.Problem.Error() }

// Unwrap is the refusal as it came.
func (c *Conflict) Unwrap() error { return c.Problem }

// Allows says that the write may be sent again with the policy.
func (c *Conflict) Allows(p Policy) bool {
	known := rules.Conflict{Allowed: c.Allowed}
	return len(c.Allowed) > 0 && known.Allows(p)
}

// As shows a version-conflict as a *Conflict: errors.As asks for it.
func (p *Problem) As(target any) bool {
	into, ok := target.(**Conflict)
	if !ok || p.Code != problem.VersionConflict {
		return false
	}
	c := &Conflict{CurrentVersion: p.CurrentVersion(), Problem: p}
	for name, member := range map[string]any{"baseVersion": &c.BaseVersion, "changedBy": &c.ChangedBy, "conflicts": &c.Clashes,
		"conflictsTotal": &c.Total, "allowed": &c.Allowed} {
		p.Member(name, member) // what is not told stays empty
	}
	*into = c
	return true
}

// conflictIn is the conflict that an error is, nil if it is none.
func conflictIn(err error) *Conflict {
	c, _ := errors.AsType[*Conflict](err)
	return c
}

// Trial is how three sides come out.
type Trial = collection.Trial

// TryRequest is what type.try is given.
type TryRequest struct {
	Base   TrySide         `json:"base"`             // what both sides were built on
	Client TrySide         `json:"client"`           // what a write would write
	Server TrySide         `json:"server"`           // what is stored
	Policy Policy          `json:"policy,omitempty"` // instead of the type's default, or of merge if it has none
	Type   json.RawMessage `json:"type,omitempty"`   // a collection type to be tried instead of the stored one
}

// TrySide is one side of a trial. What it leaves out is not there on that side.
type TrySide struct {
	Metadata  json.RawMessage            `json:"metadata,omitempty"`
	Documents map[string]json.RawMessage `json:"documents,omitempty"`
}

// TypeTry merges three sides as a write to a collection of the type would, by the same code, or by a type that the request
// holds. Nothing is stored.
func (c *Client) TypeTry(ctx context.Context, id string, r TryRequest, options ...CallOption) (*Trial, error) {
	return ask[Trial](ctx, c, "type.try", id, r, options)
}
