package client

import (
	"context"
	"encoding/json"
	"io"
	"iter"
	"maps"
	"slices"
)

// pages yields the items of page after page. An error is the last that it yields.
func pages[T any](fetch func(options []CallOption) (items []T, next string, err error), options []CallOption) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		cursor := ""
		for {
			asked := options
			if cursor != "" {
				asked = with(options, Cursor(cursor))
			}
			items, next, err := fetch(asked)
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			cursor = next
		}
	}
}

// Collections yields all collections of the provider in order of their ids; an error is the last that it yields.
// Each page is asked for when it is needed, so that collections that come or go meanwhile may be seen or not.
func (c *Client) Collections(ctx context.Context, options ...CallOption) iter.Seq2[CollectionItem, error] {
	return pages(func(options []CallOption) ([]CollectionItem, string, error) {
		page, err := c.CollectionList(ctx, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// Types yields all collection types of the provider in order of their ids; an error is the last that it yields.
func (c *Client) Types(ctx context.Context, options ...CallOption) iter.Seq2[TypeItem, error] {
	return pages(func(options []CallOption) ([]TypeItem, string, error) {
		page, err := c.TypeList(ctx, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// Locks yields the collections of the provider that are not free, in order of their ids; an error is the last that it
// yields.
func (c *Client) Locks(ctx context.Context, options ...CallOption) iter.Seq2[LockItem, error] {
	return pages(func(options []CallOption) ([]LockItem, string, error) {
		page, err := c.LockList(ctx, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// History yields all versions of a collection, the newest first; an error is the last that it yields.
func (c *Client) History(ctx context.Context, id string, options ...CallOption) iter.Seq2[HistoryItem, error] {
	return pages(func(options []CallOption) ([]HistoryItem, string, error) {
		page, err := c.CollectionHistory(ctx, id, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// Item is one document in a list.
type Item struct {
	ID      string
	Version uint64 // that last wrote it
	Value   json.RawMessage
}

// Documents yields the documents of a collection in order of their ids, all of one version: the newest when it begins,
// or the one that an option names. An error is the last that it yields.
func (c *Client) Documents(ctx context.Context, id string, options ...CallOption) iter.Seq2[Item, error] {
	return pages(func(options []CallOption) ([]Item, string, error) {
		page, err := c.CollectionGet(ctx, id, options...)
		if err != nil {
			return nil, "", err
		}
		return ItemsOf(page), page.Next, nil
	}, options)
}

// ItemsOf are the documents of a page in order of their ids.
func ItemsOf(page *Collection) []Item {
	items := make([]Item, 0, len(page.Documents))
	for _, id := range slices.Sorted(maps.Keys(page.Documents)) {
		items = append(items, Item{ID: id, Version: page.DocumentVersions[id], Value: page.Documents[id]})
	}
	return items
}

// uploadChunkBytes is what one append carries: the service's own limit.
const uploadChunkBytes = 512 << 10

// Upload sends everything that it reads, chunk by chunk, in constant memory, and returns the id of the upload, which is
// closed then and can be used. After an error nothing is left that could be used.
func (c *Client) Upload(ctx context.Context, from io.Reader, options ...CallOption) (id string, err error) {
	opened, err := c.UploadOpen(ctx, options...)
	if err != nil {
		return "", err
	}
	chunk := make([]byte, uploadChunkBytes)
	var offset uint64
	for {
		n, readErr := io.ReadFull(from, chunk)
		if n > 0 {
			if _, err := c.UploadAppend(ctx, opened.Upload, offset, chunk[:n], options...); err != nil {
				return "", err
			}
			offset += uint64(n)
		}
		switch readErr {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			_, err := c.UploadClose(ctx, opened.Upload, options...)
			return opened.Upload, err
		default:
			return "", readErr
		}
	}
}
