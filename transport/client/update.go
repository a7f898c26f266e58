package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"concord/actors/collection"
	"concord/actors/problem"
)

// Bounds of Update.
const (
	updateTriesMax = 32
	updateWaitMin  = 2 * time.Millisecond
	updateWaitMax  = 250 * time.Millisecond
)

// Snapshot is a collection at one version. Documents are read when they are asked for, at that version, so that an
// update costs what it looks at and not what there is.
type Snapshot struct {
	*Collection // without documents; of version 0 if there is no such collection

	client *Client
}

// Exists says whether there is such a collection.
func (s *Snapshot) Exists() bool { return s.Version != 0 }

// Document is the document as it was at the version of the snapshot; nil if it was not there.
func (s *Snapshot) Document(ctx context.Context, document string) (json.RawMessage, error) {
	if !s.Exists() {
		return nil, nil
	}
	d, err := s.client.DocumentGet(ctx, s.ID, document, In(s.Provider), Version(s.Version))
	switch {
	case IsCode(err, problem.NotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return d.Value, nil
}

// Update changes a collection without losing what others write at the same time: it reads the collection, calls change,
// and writes what that returns, once, if nothing has changed since in the documents and the metadata that it touches.
//
// If something has, there are two ways on. Where others have changed other members than change has, the service merges the
// two, and change is not called again: so what it looks at without writing it is not guarded, also within one document.
// That needs the policy merge to be allowed, and can be switched off (WithoutMerge). Members that both have changed, be it to
// the same value, are never merged: two that add one to a counter both have to count. Then Update begins again: it reads,
// and calls change with what there is now, after a growing and jittered wait, up to updateTriesMax times in all. So change
// may be called many times, and must do nothing but look and decide.
//
// At most one version comes of an Update, and it comes of what change has returned last. Each write has an idempotency key of
// its own, which its repeats after a lost answer share; one whose outcome stays unknown ends the update with
// ErrOutcomeUnknown, and is not followed by another.
//
// A collection that does not exist is shown as one of version 0, and made by the changes, which then must be puts. No
// changes make no request: the result says where the collection stands. What change looks at in other documents is not
// guarded. An error of change ends the update and is returned as it is. The options are those of the write; an idempotency
// key has no place among them, since each write is another. With OnConflict among them that policy settles a stale write,
// and only what it refuses is begun again: PolicyMerge merges by the rules of the type, also members that both have changed.
func (c *Client) Update(ctx context.Context, id string, change func(*Snapshot) ([]Change, error), options ...CallOption) (*Result, error) {
	u := &update{client: c, id: id, change: change, options: options}
	wait := updateWaitMin
	for try := 1; ; try++ {
		result, err := u.once(ctx)
		if !IsCode(err, problem.VersionConflict, problem.PreconditionFailed) {
			return result, err
		}
		if try == updateTriesMax {
			return nil, fmt.Errorf("update %s: others came first %d times: %w", id, try, err)
		}
		if !pause(ctx, jittered(wait)) {
			return nil, fmt.Errorf("update %s: %w", id, err)
		}
		wait = min(2*wait, updateWaitMax)
	}
}

// update is one call of Update.
type update struct {
	client  *Client
	id      string
	change  func(*Snapshot) ([]Change, error)
	options []CallOption
	whole   bool // the type does not allow the policy that refuses what is stale: the whole collection must be as it was
}

// once reads, asks what is to be changed, and writes it.
func (u *update) once(ctx context.Context) (*Result, error) {
	c := u.client
	s := &Snapshot{Collection: &Collection{Provider: c.providerOf(u.options), ID: u.id}, client: c}
	seen, err := c.CollectionGet(ctx, u.id, In(s.Provider), WithoutDocuments())
	switch {
	case err == nil:
		s.Collection = seen
	case !IsCode(err, problem.NotFound):
		return nil, err
	}
	changes, err := u.change(s)
	if err != nil {
		return nil, err
	}
	switch {
	case len(changes) == 0:
		return &Result{Result: collection.Result{Provider: s.Provider, ID: u.id, Version: s.Version, ETag: s.ETag, Seq: s.Seq}}, nil
	case s.Exists():
		return u.write(ctx, s, changes)
	}
	put, err := creation(changes)
	if err != nil {
		return nil, fmt.Errorf("update %s: %w", u.id, err)
	}
	return c.CollectionPut(ctx, u.id, put, with(u.options, CreateOnly())...)
}

// write makes the changes on the condition that nothing they touch has changed since the snapshot, or that what has can be
// merged with them. What a type does with a stale write that asks for nothing is no such condition: it may overwrite.
func (u *update) write(ctx context.Context, s *Snapshot, changes []Change) (*Result, error) {
	asked := u.client.asked(u.options)
	if asked.has(memberPolicy) {
		return u.patch(ctx, changes, BaseVersion(s.Version))
	}
	if u.whole {
		return u.patch(ctx, changes, IfMatch(s.Version))
	}
	result, err := u.patch(ctx, changes, BaseVersion(s.Version), OnConflict(PolicyMerged))
	if IsCode(err, problem.PolicyNotAllowed) {
		u.whole = true
		return u.patch(ctx, changes, IfMatch(s.Version))
	}
	met := conflictIn(err)
	if met == nil || asked.unmerged || !met.Allows(PolicyMerge) || !u.apart(ctx, s, changes, met) {
		return result, err
	}
	// It is merged with the version that was looked at, or not at all.
	result, failed := u.patch(ctx, changes, BaseVersion(s.Version), OnConflict(PolicyMerge), IfMatch(met.CurrentVersion))
	if p, ok := errors.AsType[*Problem](failed); ok && fateOf(failed) == refused && p.Code != problem.Locked {
		return nil, err // overtaken, or not fit to be merged: it is begun again
	}
	return result, failed
}

func (u *update) patch(ctx context.Context, changes []Change, more ...CallOption) (*Result, error) {
	return u.client.CollectionPatch(ctx, u.id, changes, with(u.options, more...)...)
}

// creation is the put that makes a collection of changes.
func creation(changes []Change) (PutRequest, error) {
	put := PutRequest{Documents: make(map[string]json.RawMessage)}
	for _, change := range changes {
		switch change.Op {
		case "put-document":
			put.Documents[change.ID] = change.Value
		case "put-metadata":
			put.Metadata = change.Value
		default:
			return put, fmt.Errorf("there is no such collection, so that %s has nothing to work on", change.Op)
		}
	}
	return put, nil
}
