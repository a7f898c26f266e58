package client

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
)

// AuthorityPut creates an authority, or replaces all of it; linked fields follow. The record is sent in the bytes that it has. The
// options BaseVersion and Reason stand for the members of the request: give each once.
func (c *Client) AuthorityPut(ctx context.Context, id string, r AuthorityRequest, options ...CallOption) (*LinkChanged, error) {
	var o object
	err := setAll(&o, member{"source", r.Source}, member{"naturalId", r.NaturalID}, member{"record", r.Record})
	if err == nil && r.BaseVersion != nil {
		err = o.set("baseVersion", *r.BaseVersion)
	}
	if err == nil && r.Reason != "" {
		err = o.set("reason", r.Reason)
	}
	if err != nil {
		return nil, fmt.Errorf("authority.put %s: %w", id, err)
	}
	return ask[LinkChanged](ctx, c, "authority.put", "", o.text(), with(options, inner(id)))
}

// AuthorityGet reads an authority; one that was deleted says so.
func (c *Client) AuthorityGet(ctx context.Context, id string, options ...CallOption) (*Authority, error) {
	return ask[Authority](ctx, c, "authority.get", "", nil, with(options, inner(id)))
}

// AuthorityDelete deletes an authority; linked fields keep their text and lose the link.
func (c *Client) AuthorityDelete(ctx context.Context, id string, options ...CallOption) (*LinkChanged, error) {
	return ask[LinkChanged](ctx, c, "authority.delete", "", nil, with(options, inner(id)))
}

// AuthorityList is one page of the authorities: see Authorities for all of them, and the options OfSource, WithNaturalID,
// WithHeading and DeletedToo.
func (c *Client) AuthorityList(ctx context.Context, options ...CallOption) (*AuthorityPage, error) {
	return ask[AuthorityPage](ctx, c, "authority.list", "", nil, options)
}

// AuthorityImport creates or replaces many authorities. An item that is refused does not stop the others: the answer names it. The
// same import again changes nothing, so that it is repeated if its answer is lost. Records are sent in the bytes that they have.
func (c *Client) AuthorityImport(ctx context.Context, r ImportRequest, options ...CallOption) (*Imported, error) {
	body, err := importText(r)
	if err != nil {
		return nil, fmt.Errorf("authority.import: %w", err)
	}
	return ask[Imported](ctx, c, "authority.import", "", body, with(options, oneLongAttempt()))
}

// AuthorityImpact counts what a change of the authority would reach.
func (c *Client) AuthorityImpact(ctx context.Context, id string, options ...CallOption) (*Impact, error) {
	return ask[Impact](ctx, c, "authority.impact", "", nil, with(options, inner(id)))
}

// Authorities yields all authorities that the options leave, in the order of the service; an error is the last that it yields.
func (c *Client) Authorities(ctx context.Context, options ...CallOption) iter.Seq2[Authority, error] {
	return pages(func(options []CallOption) ([]Authority, string, error) {
		page, err := c.AuthorityList(ctx, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// OfSource leaves what belongs to a source.
func OfSource(id string) CallOption { return Set("source", id) }

// WithNaturalID leaves the authorities with a natural id.
func WithNaturalID(id string) CallOption { return Set("naturalId", id) }

// WithHeading leaves the authorities with this exact heading, but for punctuation at its end.
func WithHeading(text string) CallOption { return Set("heading", text) }

// DeletedToo lists what is deleted as well.
func DeletedToo() CallOption { return Set("deleted", true) }

// setAll sets members as far as they say something.
func setAll(o *object, all ...member) error {
	for _, m := range all {
		if text, ok := m.value.(string); ok && text == "" {
			continue
		}
		if raw, ok := m.value.(json.RawMessage); ok && raw == nil {
			continue
		}
		if err := o.set(m.name, m.value); err != nil {
			return err
		}
	}
	return nil
}

// importText is the body of an import.
func importText(r ImportRequest) ([]byte, error) {
	var o object
	err := setAll(&o, member{"upload", r.Upload}, member{"source", r.Source}, member{"reason", r.Reason})
	if err != nil || r.Items == nil {
		return o.text(), err
	}
	list := []byte{'['}
	for i, item := range r.Items {
		text, err := AuthorityItemText(item)
		if err != nil {
			return nil, fmt.Errorf("item %d: %w", i+1, err)
		}
		if i > 0 {
			list = append(list, ',')
		}
		list = append(list, text...)
	}
	err = o.set("items", append(list, ']'))
	return o.text(), err
}

// AuthorityItemText is an item of an import as one line of an upload has it, its record in the bytes that it has.
func AuthorityItemText(item AuthorityItem) ([]byte, error) {
	var o object
	err := setAll(&o, member{"id", item.ID}, member{"source", item.Source}, member{"naturalId", item.NaturalID}, member{"record", item.Record})
	return o.text(), err
}
