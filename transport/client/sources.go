package client

import (
	"context"
	"encoding/json"
	"iter"
)

// SourcePut creates an authority source file, or replaces all of it. The options BaseVersion and Reason stand for the members of
// the request: give each once.
func (c *Client) SourcePut(ctx context.Context, id string, r SourceRequest, options ...CallOption) (*LinkChanged, error) {
	return ask[LinkChanged](ctx, c, "source.put", id, r, options)
}

// SourcePatch changes the members that are given.
func (c *Client) SourcePatch(ctx context.Context, id string, r SourcePatch, options ...CallOption) (*LinkChanged, error) {
	return ask[LinkChanged](ctx, c, "source.patch", id, r, options)
}

// SourceSetURL changes the base URL of a source, or takes it away if it is empty. Every linked field follows: the answer names
// the job, see WatchPropagation.
func (c *Client) SourceSetURL(ctx context.Context, id, baseURL string, options ...CallOption) (*LinkChanged, error) {
	value := json.RawMessage("null")
	if baseURL != "" {
		text, err := marshal(baseURL)
		if err != nil {
			return nil, err
		}
		value = text
	}
	return c.SourcePatch(ctx, id, SourcePatch{BaseURL: value}, options...)
}

// SourceGet reads an authority source file.
func (c *Client) SourceGet(ctx context.Context, id string, options ...CallOption) (*Source, error) {
	return ask[Source](ctx, c, "source.get", id, nil, options)
}

// SourceDelete deletes a source that nothing refers to any more.
func (c *Client) SourceDelete(ctx context.Context, id string, options ...CallOption) (*LinkChanged, error) {
	return ask[LinkChanged](ctx, c, "source.delete", id, nil, options)
}

// SourceList is one page of the sources: see Sources for all of them.
func (c *Client) SourceList(ctx context.Context, options ...CallOption) (*SourcePage, error) {
	return ask[SourcePage](ctx, c, "source.list", "", nil, options)
}

// SourceImpact counts what a change of the base URL would reach.
func (c *Client) SourceImpact(ctx context.Context, id string, options ...CallOption) (*Impact, error) {
	return ask[Impact](ctx, c, "source.impact", id, nil, options)
}

// SourceNextID takes the next local id of a source, which nobody else gets.
func (c *Client) SourceNextID(ctx context.Context, id string, options ...CallOption) (*NextID, error) {
	return ask[NextID](ctx, c, "source.next-id", id, nil, options)
}

// Sources yields all authority source files of the provider in order of their ids; an error is the last that it yields.
func (c *Client) Sources(ctx context.Context, options ...CallOption) iter.Seq2[Source, error] {
	return pages(func(options []CallOption) ([]Source, string, error) {
		page, err := c.SourceList(ctx, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}
