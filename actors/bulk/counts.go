package bulk

import "concord/actors/fields"

// Counts are items by state. Their sum is the total.
type Counts struct {
	Pending   uint64 `json:"pending"`
	Updated   uint64 `json:"updated"`
	Unchanged uint64 `json:"unchanged" doc:"What was to be done was done already: no new version"`
	Skipped   uint64 `json:"skipped" doc:"No instruction found what it is about"`
	Failed    uint64 `json:"failed"`
	Cancelled uint64 `json:"cancelled"`
}

// Total is the sum.
func (c Counts) Total() uint64 {
	return c.Pending + c.Updated + c.Unchanged + c.Skipped + c.Failed + c.Cancelled
}

// Done is how many were decided on.
func (c Counts) Done() uint64 { return c.Updated + c.Unchanged + c.Skipped + c.Failed }

// Of is how many items are in the state.
func (c *Counts) Of(state ItemState) uint64 {
	if n := c.of(state); n != nil {
		return *n
	}
	return 0
}

// of is the counter of the state; nil: there is no such state.
func (c *Counts) of(state ItemState) *uint64 {
	switch state {
	case ItemPending:
		return &c.Pending
	case fields.Updated:
		return &c.Updated
	case fields.Unchanged:
		return &c.Unchanged
	case fields.Skipped:
		return &c.Skipped
	case fields.Failed:
		return &c.Failed
	case ItemCancelled:
		return &c.Cancelled
	}
	return nil
}
