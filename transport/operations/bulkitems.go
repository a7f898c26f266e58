package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"concord/actors/bulk"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// bulkOutcome is what came of a row, or how it stands.
type bulkOutcome struct {
	row uint64
	bulk.Outcome
}

// rest is how the rows stand that nothing has come of.
func (t *bulkTask) rest() bulk.ItemState {
	if t.state.Status.Open() {
		return bulk.ItemPending
	}
	return bulk.ItemCancelled
}

// outcomes are those of the rows from one on, in their order: all that there are, at the moment that the view shows.
func (t *bulkTask) outcomes(view persistence.View, row uint64) iter.Seq2[bulkOutcome, error] {
	return func(yield func(bulkOutcome, error) bool) {
		if row < t.state.Cursor {
			first, err := t.covering(view, row)
			if err != nil {
				yield(bulkOutcome{}, err)
				return
			}
			for p, err := range view.Parts(t.id, before(first)) {
				if err == nil && (row >= t.state.Cursor || !strings.HasPrefix(p.ID, bulk.PartOutcomes)) {
					break
				}
				more := false
				if err == nil {
					row, more, err = t.part(view, p, row, yield)
				}
				if err != nil {
					yield(bulkOutcome{}, err)
				}
				if err != nil || !more {
					return
				}
			}
		}
		if row < min(t.state.Cursor, t.state.Total) { // else what was written would count as left alone, and would not be taken back
			yield(bulkOutcome{}, errors.Join(persistence.ErrCorrupt, fmt.Errorf("row %d of %v has no outcome, and %d are recorded", row, t.id, t.state.Cursor)))
			return
		}
		for ; row < t.state.Total; row++ {
			if !yield(bulkOutcome{row, bulk.Outcome{State: t.rest()}}, nil) {
				return
			}
		}
	}
}

// before is the place in front of the outcomes that begin with a row.
func before(first uint64) string {
	if first == 0 {
		return bulk.PartOutcomes
	}
	return bulk.OutcomesPart(first - 1)
}

// covering is the first row of the part that has the outcome of a row. Parts have at most bulk.ProgressMaxItems rows.
func (t *bulkTask) covering(view persistence.View, row uint64) (first uint64, err error) {
	for p, err := range view.Parts(t.id, before(row-min(row, bulk.ProgressMaxItems-1))) {
		if err != nil {
			return 0, err
		}
		begins, err := outcomesFrom(p.ID)
		if err != nil || begins > row {
			break // these are no outcomes, or those of later rows
		}
		first = begins
	}
	return first, nil
}

func outcomesFrom(part string) (uint64, error) {
	digits, found := strings.CutPrefix(part, bulk.PartOutcomes)
	if !found {
		return 0, fmt.Errorf("part %s has no outcomes", part)
	}
	return strconv.ParseUint(digits, 10, 64)
}

// part yields the outcomes of a part from a row on; next is the row behind them.
func (t *bulkTask) part(view persistence.View, p persistence.Part, row uint64, yield func(bulkOutcome, error) bool) (next uint64, more bool, err error) {
	first, err := outcomesFrom(p.ID)
	if err != nil || first > row {
		return row, false, errors.Join(persistence.ErrCorrupt, fmt.Errorf("row %d of %v has no outcome", row, t.id), err)
	}
	body, err := view.Body(t.id, p.Place)
	if err != nil {
		return row, false, fmt.Errorf("outcomes %s of %v: %w", p.ID, t.id, err)
	}
	outcomes, err := bulk.DecodeOutcomes(body)
	if err != nil {
		return row, false, errors.Join(persistence.ErrCorrupt, err)
	}
	for ; row-first < uint64(len(outcomes)); row++ {
		o := outcomes[row-first]
		if o.State == bulk.ItemPending {
			if o, err = t.waited(view, row); err != nil {
				return row, false, err
			}
		}
		if !yield(bulkOutcome{row, o}, nil) {
			return row, false, nil
		}
	}
	return row, true, nil
}

// waited is what came of a row that has waited, or still does: then the message names who is waited for.
func (t *bulkTask) waited(view persistence.View, row uint64) (bulk.Outcome, error) {
	body, err := partOrNone(view, t.id, bulk.LatePart(row))
	if err != nil {
		return bulk.Outcome{}, err
	}
	if body != nil {
		o, err := bulk.DecodeOutcome(body)
		if err != nil {
			return o, errors.Join(persistence.ErrCorrupt, err)
		}
		return o, nil
	}
	o := bulk.Outcome{State: t.rest()}
	if o.State != bulk.ItemPending {
		return o, nil
	}
	if body, err = partOrNone(view, t.id, bulk.WaitingPart(row)); err != nil || body == nil {
		return o, err
	}
	waiting, err := bulk.DecodeWaiting(row, body)
	if err != nil {
		return o, errors.Join(persistence.ErrCorrupt, err)
	}
	o.Message = waiting.Holder
	return o, nil
}

// partOrNone is the body of a part, nil if it is not there.
func partOrNone(view persistence.View, id persistence.EntityID, name string) ([]byte, error) {
	part, err := view.Part(id, name)
	switch {
	case isMissing(err) || err == nil && part.Removed:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("part %s of %v: %w", name, id, err)
	}
	body, err := view.Body(id, part.Place)
	if err != nil {
		return nil, fmt.Errorf("part %s of %v: %w", name, id, err)
	}
	return body, nil
}

// itemQuery says which items of a task are listed.
type itemQuery struct {
	states []string // that are asked for; none: all
	limit  int
	row    uint64 // from this one on
}

func (s *Service) itemQuery(r *transport.Request) (q itemQuery, err error) {
	q.states = r.Params["state"]
	for _, state := range q.states {
		if !slices.Contains(bulk.ItemStates, bulk.ItemState(state)) {
			return q, problem.At("state", "must be one of %s", joined(bulk.ItemStates))
		}
	}
	if q.limit, err = s.limit(r); err != nil {
		return q, err
	}
	c, _, err := cursorParam(r)
	q.row = c.Number
	return q, err
}

// bulkItems lists the items of a task in the order of its list.
func (s *Service) bulkItems(_ context.Context, r *transport.Request, done reply) {
	q, err := s.itemQuery(r)
	if err != nil {
		done(nil, err)
		return
	}
	s.onBulk(r, done, func(view persistence.View, t *bulkTask) (*transport.Reply, error) { return s.itemPage(view, t, q) })
}

// itemPage is a page of the items of a task.
func (s *Service) itemPage(view persistence.View, t *bulkTask, q itemQuery) (*transport.Reply, error) {
	l := bulkItemList{view: view, task: t, page: s.newPage(q.limit), states: q.states}
	return l.from(q.row)
}

func joined[T ~string](list []T) string {
	texts := make([]string, len(list))
	for i, text := range list {
		texts[i] = string(text)
	}
	return strings.Join(texts, ", ")
}

// bulkItemList makes one page of the items of a task.
type bulkItemList struct {
	view   persistence.View
	task   *bulkTask
	page   *page
	states []string // that are asked for; none: all
	rows   bulkChunks
}

// shows says whether items in the state are asked for.
func (l *bulkItemList) shows(state bulk.ItemState) bool {
	return len(l.states) == 0 || slices.Contains(l.states, string(state))
}

// any says whether there are items that are asked for.
func (l *bulkItemList) any() bool {
	return slices.ContainsFunc(bulk.ItemStates, func(state bulk.ItemState) bool {
		return l.shows(state) && l.task.state.Counts.Of(state) > 0
	})
}

// from shows the items from a row on. A page passes over a bounded number of those that it does not show.
func (l *bulkItemList) from(row uint64) (*transport.Reply, error) {
	if !l.any() {
		return l.page.reply(nil), nil
	}
	steps := 0
	for o, err := range l.task.outcomes(l.view, row) {
		if err != nil {
			return nil, err
		}
		if o.row >= l.task.state.Cursor && !l.shows(o.State) {
			break // nor will any that follow be shown
		}
		if steps++; steps > listMaxSteps {
			return l.page.reply(&cursor{Number: o.row}), nil
		}
		if !l.shows(o.State) {
			continue
		}
		item, err := l.item(&o)
		if err != nil {
			return nil, err
		}
		fits, err := l.page.add(item)
		if err != nil {
			return nil, err
		}
		if !fits {
			return l.page.reply(&cursor{Number: o.row}), nil
		}
	}
	return l.page.reply(nil), nil
}

func (l *bulkItemList) item(o *bulkOutcome) (*api.BulkItem, error) {
	row, err := l.rows.row(l.view, l.task, o.row)
	if err != nil {
		return nil, err
	}
	item := &api.BulkItem{Row: o.row, ID: row.Collection, Key: json.RawMessage(row.Key), State: string(o.State), Code: o.Code,
		Message: o.Message, Warnings: o.Warnings, VersionBefore: o.VersionBefore, Diff: o.Diff, DiffBytes: o.DiffBytes}
	if o.VersionAfter != o.VersionBefore {
		item.VersionAfter = o.VersionAfter
	}
	return item, nil
}

// bulkChunks reads rows one after another: the chunk of the last one is at hand.
type bulkChunks struct {
	number uint32
	rows   []bulk.Row
}

func (c *bulkChunks) row(view persistence.View, t *bulkTask, row uint64) (*bulk.Row, error) {
	per := uint64(t.state.PerChunk)
	if number := uint32(row / per); c.rows == nil || number != c.number {
		rows, err := chunkOf(view, t.id, number)
		if err != nil {
			return nil, err
		}
		c.number, c.rows = number, rows
	}
	if row%per >= uint64(len(c.rows)) {
		return nil, errors.Join(persistence.ErrCorrupt, fmt.Errorf("%v has no row %d", t.id, row))
	}
	return &c.rows[row%per], nil
}
