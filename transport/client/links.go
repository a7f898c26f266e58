package client

import (
	"context"
	"fmt"
	"iter"
	"time"
)

// LinkList is one page of the linked documents: see Links for all of them. One of the options OfSource, OfAuthority and
// OfCollection says which.
func (c *Client) LinkList(ctx context.Context, options ...CallOption) (*LinkPage, error) {
	return ask[LinkPage](ctx, c, "link.list", "", nil, options)
}

// LinkCount counts links: one of the options OfSource, OfAuthority and OfCollection says which.
func (c *Client) LinkCount(ctx context.Context, options ...CallOption) (*LinkCount, error) {
	return ask[LinkCount](ctx, c, "link.count", "", nil, options)
}

// LinkSuggest finds authorities for the fields of a document; nothing is stored. The document is sent in the bytes that it has.
func (c *Client) LinkSuggest(ctx context.Context, r SuggestRequest, options ...CallOption) (*Suggestions, error) {
	var o object
	err := setAll(&o, member{"format", r.Format}, member{"type", r.Type}, member{"document", r.Document}, member{"by", r.By},
		member{"source", r.Source})
	if err != nil {
		return nil, fmt.Errorf("link.suggest: %w", err)
	}
	return ask[Suggestions](ctx, c, "link.suggest", "", o.text(), options)
}

// LinkAuto links the documents of a collection where exactly one authority fits. The same again finds them linked, so that it is
// repeated if its answer is lost; a large collection needs a context with time enough.
func (c *Client) LinkAuto(ctx context.Context, r AutoRequest, options ...CallOption) (*AutoLinked, error) {
	return ask[AutoLinked](ctx, c, "link.auto", "", r, with(options, oneLongAttempt()))
}

// LinkAudit begins a job that holds linked fields against what they should be, and repairs them: see WatchPropagation.
func (c *Client) LinkAudit(ctx context.Context, r AuditRequest, options ...CallOption) (*Started, error) {
	return ask[Started](ctx, c, "link.audit", "", r, options)
}

// ReportList is one page of the changes that linked fields have followed, the newest first: see Reports for all of them, and
// the options OfAction, From and To.
func (c *Client) ReportList(ctx context.Context, options ...CallOption) (*ReportPage, error) {
	return ask[ReportPage](ctx, c, "report.list", "", nil, options)
}

// Links yields all linked documents of a source, an authority or a collection, which an option names; an error is the last that it
// yields.
func (c *Client) Links(ctx context.Context, options ...CallOption) iter.Seq2[Link, error] {
	return pages(func(options []CallOption) ([]Link, string, error) {
		page, err := c.LinkList(ctx, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// Reports yields the changes that linked fields have followed, the newest first; an error is the last that it yields.
func (c *Client) Reports(ctx context.Context, options ...CallOption) iter.Seq2[Report, error] {
	return pages(func(options []CallOption) ([]Report, string, error) {
		page, err := c.ReportList(ctx, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// OfAuthority leaves the links to an authority.
func OfAuthority(id string) CallOption { return Set("authority", id) }

// OfCollection leaves the links of a collection.
func OfCollection(id string) CallOption { return Set("collection", id) }

// OfAction leaves the reports of one action, such as UPDATE_BASE_URL.
func OfAction(action string) CallOption { return Set("action", action) }

// From leaves what has begun at a time or later.
func From(t time.Time) CallOption { return Set("from", t.UTC().Format(time.RFC3339Nano)) }

// To leaves what has begun before a time.
func To(t time.Time) CallOption { return Set("to", t.UTC().Format(time.RFC3339Nano)) }
