package client

import (
	"context"
	"encoding/json"
	"fmt"

	"concord/transport"
)

// ask calls an operation and reads its answer.
func ask[A any](ctx context.Context, c *Client, operation, id string, body any, options []CallOption) (*A, error) {
	text, err := c.Do(ctx, operation, id, body, options...)
	if err != nil {
		return nil, err
	}
	answer := new(A)
	if err := json.Unmarshal(text, answer); err != nil {
		return nil, fmt.Errorf("%s %s: unreadable answer: %w", operation, id, err)
	}
	return answer, nil
}

// written calls an operation that changes content.
func written(ctx context.Context, c *Client, operation, id string, body any, options []CallOption) (*Result, error) {
	r, err := ask[Result](ctx, c, operation, id, body, options)
	if err == nil && r.Operation != "" {
		r.Provider, r.ID = c.providerOf(options), id
	}
	return r, err
}

// CollectionPut creates a collection, or replaces the parts of it that are given.
func (c *Client) CollectionPut(ctx context.Context, id string, r PutRequest, options ...CallOption) (*Result, error) {
	body, err := r.text()
	if err != nil {
		return nil, fmt.Errorf("collection.put %s: %w", id, err)
	}
	return written(ctx, c, "collection.put", id, body, options)
}

// CollectionPatch makes many changes of one collection, in one version.
func (c *Client) CollectionPatch(ctx context.Context, id string, changes []Change, options ...CallOption) (*Result, error) {
	body, err := changesText(changes)
	if err != nil {
		return nil, fmt.Errorf("collection.patch %s: %w", id, err)
	}
	return written(ctx, c, "collection.patch", id, body, options)
}

// CollectionJSONPatch changes {metadata, documents} by a JSON Patch (RFC 6902). It takes no further members: no reason
// and no base version; use IfMatch.
func (c *Client) CollectionJSONPatch(ctx context.Context, id string, patch json.RawMessage, options ...CallOption) (*Result, error) {
	return written(ctx, c, "collection.patch", id, patch, with(options, contentType(transport.MediaJSONPatch)))
}

// CollectionMergePatch changes {metadata, documents} by a merge patch (RFC 7396). It takes no further members: no reason
// and no base version; use IfMatch.
func (c *Client) CollectionMergePatch(ctx context.Context, id string, patch json.RawMessage, options ...CallOption) (*Result, error) {
	return written(ctx, c, "collection.patch", id, patch, with(options, contentType(transport.MediaMergePatch)))
}

// CollectionGet reads a collection with the first page of its documents: see Documents for all of them, and the options
// Version, At, Fields, OnlyDocuments and WithoutDocuments.
func (c *Client) CollectionGet(ctx context.Context, id string, options ...CallOption) (*Collection, error) {
	return ask[Collection](ctx, c, "collection.get", id, nil, options)
}

// CollectionDelete deletes a collection; its history stays readable.
func (c *Client) CollectionDelete(ctx context.Context, id string, options ...CallOption) (*Result, error) {
	return written(ctx, c, "collection.delete", id, nil, options)
}

// CollectionList is one page of the collections: see Collections for all of them.
func (c *Client) CollectionList(ctx context.Context, options ...CallOption) (*CollectionPage, error) {
	return ask[CollectionPage](ctx, c, "collection.list", "", nil, options)
}

// CollectionRevert makes the content of an old version the newest, as a new version.
func (c *Client) CollectionRevert(ctx context.Context, id string, to uint64, options ...CallOption) (*Result, error) {
	return written(ctx, c, "collection.revert", id, nil, with(options, Set("to", to)))
}

// CollectionHistory is one page of the versions, the newest first: see History for all of them.
func (c *Client) CollectionHistory(ctx context.Context, id string, options ...CallOption) (*HistoryPage, error) {
	return ask[HistoryPage](ctx, c, "collection.history", id, nil, options)
}

// CollectionDiff is the first page of what lies between two versions; to 0 is the newest.
func (c *Client) CollectionDiff(ctx context.Context, id string, from, to uint64, options ...CallOption) (*Diff, error) {
	options = with(options, Set("from", from))
	if to != 0 {
		options = with(options, Set("to", to))
	}
	return ask[Diff](ctx, c, "collection.diff", id, nil, options)
}

// CollectionBlame is one page of who last wrote what.
func (c *Client) CollectionBlame(ctx context.Context, id string, options ...CallOption) (*Blame, error) {
	return ask[Blame](ctx, c, "collection.blame", id, nil, options)
}

// CollectionEvents is one page of the events above the seq: see Watch for those to come.
func (c *Client) CollectionEvents(ctx context.Context, id string, after uint64, options ...CallOption) (*EventPage, error) {
	return ask[EventPage](ctx, c, "collection.events", id, nil, with(options, Set("after", after)))
}

// DocumentPut writes one document of a collection that exists. The value is sent in the bytes that it has.
func (c *Client) DocumentPut(ctx context.Context, id, document string, value json.RawMessage, options ...CallOption) (*Result, error) {
	return written(ctx, c, "document.put", id, nil, with(options, Set("value", value), inner(document)))
}

// DocumentGet reads one document.
func (c *Client) DocumentGet(ctx context.Context, id, document string, options ...CallOption) (*Document, error) {
	return ask[Document](ctx, c, "document.get", id, nil, with(options, inner(document)))
}

// DocumentDelete removes one document.
func (c *Client) DocumentDelete(ctx context.Context, id, document string, options ...CallOption) (*Result, error) {
	return written(ctx, c, "document.delete", id, nil, with(options, inner(document)))
}

// TypePut creates a collection type, or replaces all of it. The value is the type, sent in the bytes that it has; there is
// no place in it for a reason or a base version: use IfMatch.
func (c *Client) TypePut(ctx context.Context, id string, value json.RawMessage, options ...CallOption) (*TypeResult, error) {
	return ask[TypeResult](ctx, c, "type.put", id, value, options)
}

// TypeGet reads a collection type: see the option Version.
func (c *Client) TypeGet(ctx context.Context, id string, options ...CallOption) (*Type, error) {
	return ask[Type](ctx, c, "type.get", id, nil, options)
}

// TypeList is one page of the collection types: see Types for all of them.
func (c *Client) TypeList(ctx context.Context, options ...CallOption) (*TypePage, error) {
	return ask[TypePage](ctx, c, "type.list", "", nil, options)
}

// TypeDelete deletes a collection type, also one in use: collections that name it have the defaults from then on.
func (c *Client) TypeDelete(ctx context.Context, id string, options ...CallOption) (*TypeResult, error) {
	return ask[TypeResult](ctx, c, "type.delete", id, nil, options)
}

// UploadOpen begins an upload: see Upload for all of its steps.
func (c *Client) UploadOpen(ctx context.Context, options ...CallOption) (*UploadResult, error) {
	return ask[UploadResult](ctx, c, "upload.open", "", nil, options)
}

// UploadAppend adds a chunk, which begins at the offset. A chunk that is there already is added once.
func (c *Client) UploadAppend(ctx context.Context, id string, offset uint64, chunk []byte, options ...CallOption) (*UploadResult, error) {
	body := struct {
		Offset uint64 `json:"offset"`
		Data   []byte `json:"data"` // base64
	}{offset, chunk}
	return ask[UploadResult](ctx, c, "upload.append", id, body, options)
}

// UploadClose ends an upload: from now on it can be used.
func (c *Client) UploadClose(ctx context.Context, id string, options ...CallOption) (*UploadResult, error) {
	return ask[UploadResult](ctx, c, "upload.close", id, nil, options)
}

// AdminStatus tells how the node is that answers.
func (c *Client) AdminStatus(ctx context.Context, options ...CallOption) (json.RawMessage, error) {
	return c.Do(ctx, "admin.status", "", nil, options...)
}

// AdminBackup has the node write a copy of its store below its backup directory. It is not repeated by itself.
func (c *Client) AdminBackup(ctx context.Context, name string, options ...CallOption) (json.RawMessage, error) {
	return c.Do(ctx, "admin.backup", "", nil, with(options, Set("name", name))...)
}

// AdminVerify has the node read its whole store against its hashes. It is not repeated by itself.
func (c *Client) AdminVerify(ctx context.Context, options ...CallOption) (json.RawMessage, error) {
	return c.Do(ctx, "admin.verify", "", nil, options...)
}
