package client

import (
	"context"
	"encoding/json"
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
// and writes what that returns on the condition that nothing it touches has changed since; if something has, it begins
// again, up to updateTriesMax times. So change may be called many times, and must do nothing but look and decide.
//
// A collection that does not exist is shown as one of version 0, and made by the changes, which then must be puts. No
// changes make no request: the result says where the collection stands. What change looks at without writing it is not
// guarded. An error of change ends the update and is returned as it is. The options are those of the write; an idempotency
// key has no place among them, since each write is another.
func (c *Client) Update(ctx context.Context, id string, change func(*Snapshot) ([]Change, error), options ...CallOption) (*Result, error) {
	wait := updateWaitMin
	for try := 1; ; try++ {
		result, err := c.updateOnce(ctx, id, change, options)
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

func (c *Client) updateOnce(ctx context.Context, id string, change func(*Snapshot) ([]Change, error), options []CallOption) (*Result, error) {
	s := &Snapshot{Collection: &Collection{Provider: c.providerOf(options), ID: id}, client: c}
	seen, err := c.CollectionGet(ctx, id, In(s.Provider), WithoutDocuments())
	switch {
	case err == nil:
		s.Collection = seen
	case !IsCode(err, problem.NotFound):
		return nil, err
	}
	changes, err := change(s)
	if err != nil {
		return nil, err
	}
	switch {
	case len(changes) == 0:
		return &Result{Result: collection.Result{Provider: s.Provider, ID: id, Version: s.Version, ETag: s.ETag, Seq: s.Seq}}, nil
	case s.Exists():
		return c.CollectionPatch(ctx, id, changes, with(options, BaseVersion(s.Version))...)
	}
	put, err := creation(changes)
	if err != nil {
		return nil, fmt.Errorf("update %s: %w", id, err)
	}
	return c.CollectionPut(ctx, id, put, with(options, CreateOnly())...)
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
