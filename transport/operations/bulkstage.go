package operations

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"concord/actors/bulk"
	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
)

// bulkLookupKeys is how many keys are looked up together: many cost little more than one.
const bulkLookupKeys = 1000

// bulkRows makes the list of a task, on one moment of the store: targets are found, keys looked up, and full chunks staged.
// In memory it has the last chunk, what is looked up next and, if there are keys, 16 bytes for each item.
type bulkRows struct {
	ctx     context.Context
	service *Service
	request *transport.Request
	order   *bulkOrder
	id      persistence.EntityID
	view    persistence.View
	find    *lookups // nil: nothing was looked up yet

	waiting  []bulkTarget // to be looked up
	keys     []*jsonvalue.Value
	perChunk int
	rows     []bulk.Row // of the last chunk
	chunks   uint32     // that are staged
	total    uint64
	found    *idHashes // nil: whatever is there twice was told before

	pieces    uint32 // of the body that are kept
	lastPiece []byte
}

func (s *Service) newBulkRows(ctx context.Context, r *transport.Request, o *bulkOrder, id persistence.EntityID) *bulkRows {
	l := &bulkRows{ctx: ctx, service: s, request: r, order: o, id: id, perChunk: bulk.ChunkRows}
	if o.targets.keyed || o.targets.withValues {
		l.perChunk = bulk.ChunkValuedRows
	}
	if o.targets.keyed {
		l.found = newIDHashes(int(o.targets.items))
	}
	return l
}

// fill makes the list.
func (l *bulkRows) fill() (err error) {
	l.view = l.service.Store.View()
	defer func() { err = errors.Join(err, l.view.Close()) }()
	targets, err := l.targets()
	if err != nil {
		return err
	}
	for target, err := range targets {
		if err != nil {
			return err
		}
		if err := l.take(target); err != nil {
			return err
		}
	}
	if err := l.lookUp(); err != nil {
		return err
	}
	if l.total == 0 && l.order.undoOf != "" {
		return problem.New(problem.CannotUndo, "there is nothing to be taken back")
	}
	if l.total == 0 {
		return problem.At("/targets/"+l.order.targets.by, "leads to no collection: there is nothing to do")
	}
	return l.checkTwice()
}

func (l *bulkRows) targets() (iter.Seq2[bulkTarget, error], error) {
	t := &l.order.targets
	switch t.by {
	case targetsAll:
		return l.order.all(l.view, l.request.Provider), nil
	case targetsQuery:
		query, err := jsonvalue.Parse(t.query)
		if err != nil {
			return nil, syntax("/targets/"+targetsQuery, err)
		}
		find, err := l.finder()
		if err != nil {
			return nil, err
		}
		ids, err := find.query(l.ctx, query, "/targets/"+targetsQuery, l.service.Limits.Bulk.ItemsMax)
		return foundTargets(ids), err
	default:
		return t.each(), nil
	}
}

// take puts a target into the list, behind those that are still to be looked up.
func (l *bulkRows) take(t bulkTarget) error {
	count := l.total + uint64(len(l.waiting)) + 1
	switch {
	case count > l.most():
		return l.service.tooManyItems()
	case count%bulkStepItems == 0 && l.ctx.Err() != nil:
		return fmt.Errorf("make the list: %w", context.Cause(l.ctx))
	case t.fault != nil:
		return t.fault // it was read without one before
	}
	if w := l.request.Words; w != nil && w.Apart != nil {
		if why := w.Apart(t.id); why != "" {
			t.code, t.why = string(problem.NotFound), why
		}
	}
	if !l.order.targets.keyed {
		return l.put(&t, t.row())
	}
	l.waiting = append(l.waiting, t)
	if t.id == "" {
		key, err := jsonvalue.Parse(t.key)
		if err != nil {
			return syntax(l.order.targets.atID(&t), err)
		}
		l.keys = append(l.keys, key)
	}
	if len(l.waiting) == bulkLookupKeys {
		return l.lookUp()
	}
	return nil
}

// most is how many items there may be. What was done can be taken back, also under a limit that was lowered since.
func (l *bulkRows) most() uint64 {
	if l.order.undoOf != "" {
		return bulk.ItemsMax
	}
	return uint64(l.service.Limits.Bulk.ItemsMax)
}

// lookUp finds the collections of the keys that wait. A key that leads to none, or to several, is an item that has failed.
func (l *bulkRows) lookUp() error {
	if len(l.waiting) == 0 {
		return nil
	}
	keyed := make([]*bulkTarget, 0, len(l.keys))
	for i := range l.waiting {
		if l.waiting[i].id == "" {
			keyed = append(keyed, &l.waiting[i])
		}
	}
	var found [][]string
	if len(keyed) > 0 {
		find, err := l.finder()
		if err != nil {
			return err
		}
		if found, err = find.keys(l.ctx, l.keys, func(i int) string { return l.order.targets.atID(keyed[i]) }); err != nil {
			return err
		}
	}
	for i := range l.waiting {
		t := &l.waiting[i]
		row := t.row()
		if t.id == "" {
			row, found = rowOf(found[0]), found[1:]
		}
		if err := l.put(t, row); err != nil {
			return err
		}
	}
	l.waiting, l.keys = l.waiting[:0], l.keys[:0]
	return nil
}

// finder is what looks up keys and queries.
func (l *bulkRows) finder() (*lookups, error) {
	if l.find != nil {
		return l.find, nil
	}
	var err error
	l.find, err = l.service.lookup(l.view, l.request.Provider, l.order.typ)
	return l.find, err
}

// row is the item of a target that was named by its id.
func (b *bulkTarget) row() bulk.Row { return bulk.Row{Collection: b.id, Code: b.code, Why: b.why} }

// codeAmbiguous is the code of an item whose key leads to several collections.
const codeAmbiguous = "ambiguous"

func rowOf(ids []string) bulk.Row {
	switch len(ids) {
	case 0:
		return bulk.Row{Code: string(problem.NotFound), Why: "no collection has this key"}
	case 1:
		return bulk.Row{Collection: ids[0]}
	default:
		return bulk.Row{Code: codeAmbiguous, Why: fmt.Sprintf("several collections have this key, among them %s and %s", ids[0], ids[1])}
	}
}

// put enters a row in the list.
func (l *bulkRows) put(t *bulkTarget, row bulk.Row) error {
	row.Key, row.Value, row.Version, row.Undo = string(t.key), t.value, t.version, t.undo
	if len(l.rows) == l.perChunk {
		if err := l.stage(); err != nil {
			return err
		}
	}
	if l.found != nil && row.Collection != "" {
		l.found.add(row.Collection, uint32(l.total), t.place)
	}
	l.rows = append(l.rows, row)
	l.total++
	return nil
}

// stage sends a full chunk.
func (l *bulkRows) stage() error {
	c := &bulk.Stage{Number: l.chunks, PerChunk: uint32(l.perChunk), Rows: l.rows}
	if _, err := l.service.call(l.ctx, l.service.toBulk(l.request, l.id, c, "")); err != nil {
		return fmt.Errorf("stage chunk %d of %v: %w", c.Number, l.id, err)
	}
	l.chunks++
	l.rows = make([]bulk.Row, 0, l.perChunk)
	return nil
}

// checkTwice refuses a collection that two of the targets lead to.
func (l *bulkRows) checkTwice() error {
	if l.found == nil {
		return nil
	}
	pairs, err := l.found.twice(bulkFaultsMax, l.idsOf)
	if err != nil {
		return err
	}
	return l.order.twice(pairs)
}

// idsOf are the collections of rows, which are given in order.
func (l *bulkRows) idsOf(rows []uint32) ([]string, error) {
	ids := make([]string, len(rows))
	var chunk []bulk.Row
	last := uint32(0)
	for i, row := range rows {
		number := row / uint32(l.perChunk)
		if chunk == nil || number != last {
			var err error
			if chunk, err = l.chunk(number); err != nil {
				return nil, err
			}
			last = number
		}
		ids[i] = chunk[row%uint32(l.perChunk)].Collection
	}
	return ids, nil
}

func (l *bulkRows) chunk(number uint32) ([]bulk.Row, error) {
	if number == l.chunks {
		return l.rows, nil
	}
	return chunkOf(l.service.Store, l.id, number)
}

// chunkOf reads a chunk of a list.
func chunkOf(from persistence.EntityReader, id persistence.EntityID, number uint32) ([]bulk.Row, error) {
	body, err := partOf(from, id, bulk.ChunkPart(number))
	if err != nil {
		return nil, err
	}
	rows, err := bulk.DecodeChunk(body)
	if err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, err)
	}
	return rows, nil
}

// partOf reads a part that must be there.
func partOf(from persistence.EntityReader, id persistence.EntityID, name string) ([]byte, error) {
	part, err := from.Part(id, name)
	if err != nil {
		return nil, fmt.Errorf("part %s of %v: %w", name, id, err)
	}
	body, err := from.Body(id, part.Place)
	if err != nil {
		return nil, fmt.Errorf("part %s of %v: %w", name, id, err)
	}
	return body, nil
}

// toBulk is a command to a task on behalf of the request. It is repeatable by itself: no idempotency key goes with it.
func (s *Service) toBulk(r *transport.Request, id persistence.EntityID, command bulk.Command, reason string) *entity.Envelope {
	return &entity.Envelope{Entity: id, Command: command, Deadline: r.Deadline,
		Meta: entity.Meta{Principal: r.Caller.Principal, Kind: r.Caller.Kind, Session: r.Header.Session, RequestID: r.RequestID, Reason: reason}}
}
