package operations

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"
	"strings"

	"concord/actors/collection"
	"concord/actors/editsession"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/sheet"
)

// editRows makes the rows of a session, on one moment of the store: identifiers are read, the collections they lead to are found,
// and full chunks staged. In memory it has the last chunk, what is looked up next, and 24 bytes or so for each record found.
type editRows struct {
	ctx     context.Context
	service *Service
	request *transport.Request
	order   *editOrder
	id      persistence.EntityID
	list    uint32
	view    persistence.View
	find    *lookups // nil: nothing is looked up

	waiting []editWaiting // to be looked up
	rows    []editsession.Row
	chunks  uint32 // that are staged
	total   uint64
	seeds   [2]maphash.Seed
	first   map[[2]uint64]uint64 // place of each record: by 128 bits of its id, seeded, so that nobody can choose two that are equal
}

// editWaiting is a row whose record is still to be found.
type editWaiting struct {
	row    editsession.Row
	fields []sheet.Field
}

func (s *Service) newEditRows(ctx context.Context, r *transport.Request, o *editOrder, id persistence.EntityID, list uint32) *editRows {
	return &editRows{ctx: ctx, service: s, request: r, order: o, id: id, list: list,
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, first: make(map[[2]uint64]uint64)}
}

// last is the last chunk.
func (l *editRows) last() editsession.Stage {
	return editsession.Stage{List: l.list, Number: l.chunks, PerChunk: editsession.ChunkRows, Rows: l.rows}
}

// fill makes the rows.
func (l *editRows) fill() (err error) {
	l.view = l.service.Store.View()
	defer func() { err = errors.Join(err, l.view.Close()) }()
	if err := l.prepare(); err != nil {
		return err
	}
	if l.order.from == editsession.FromQuery {
		return l.found()
	}
	rows, err := l.identifiers()
	if err != nil {
		return err
	}
	for row, err := range rows {
		if err != nil {
			return err
		}
		if err := l.take(&row); err != nil {
			return err
		}
	}
	if err := l.lookUp(); err != nil {
		return err
	}
	if l.total == 0 {
		return problem.At("/"+l.order.from, "has no rows: there is nothing to match")
	}
	return nil
}

// prepare reads the type, and looks if it declares the key.
func (l *editRows) prepare() (err error) {
	o := l.order
	if o.typ == "" {
		return nil
	}
	if l.find, err = l.service.lookup(l.view, l.request.Provider, o.typ); err != nil {
		if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NotFound {
			missing := problem.New(problem.NotFound, "there is no collection type %q", o.typ)
			missing.Errors = []problem.FieldError{{Path: "/type", Message: "there is no such collection type"}}
			err = missing
		}
		return err
	}
	if len(o.by) == 0 {
		return nil
	}
	empty := make([]sheet.Field, len(o.by))
	for i := range empty {
		empty[i].JSON = []byte(`""`)
	}
	key, err := keyOfFields(o.by, empty)
	if err != nil {
		return fmt.Errorf("make a key of %q: %w", o.by, err)
	}
	if _, refused := l.find.declared.Key(key, "/by"); refused != nil {
		return refused
	}
	return nil
}

// found makes rows of what a query finds.
func (l *editRows) found() error {
	query, err := jsonvalue.Parse(l.order.query)
	if err != nil {
		return syntax("/query", err)
	}
	ids, err := l.find.query(l.ctx, query, "/query", l.service.Limits.Edit.RowsMax)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := l.put(editsession.Row{Collection: id, State: editsession.Matched}); err != nil {
			return err
		}
	}
	return nil
}

// identifiers are those of the request, or of its upload.
func (l *editRows) identifiers() (iter.Seq2[sheet.Row, error], error) {
	o := l.order
	if o.from == editsession.FromIDs {
		return o.eachID, nil
	}
	u, err := l.service.closedUpload(l.request, o.upload)
	if err != nil {
		return nil, err
	}
	return sheet.Read(u.reader(), sheet.Options{Format: o.format, Columns: o.columns, At: "/columns"}), nil
}

// eachID reads the ids of the request: the first one is in line 1.
func (o *editOrder) eachID(yield func(sheet.Row, error) bool) {
	for i := range o.ids {
		m := &o.ids[i]
		row := sheet.Row{Line: uint64(i + 1), Fields: []sheet.Field{{JSON: m.Text}}}
		err := problem.At("/ids"+indexPath(i), "must be a string")
		if m.Kind == jsonvalue.String && json.Unmarshal(m.Text, &row.Fields[0].Text) == nil {
			err = nil
		}
		if err != nil {
			yield(row, err)
			return
		}
		if !yield(row, nil) {
			return
		}
	}
}

// take puts a row behind those that are still to be looked up.
func (l *editRows) take(row *sheet.Row) error {
	if most := l.service.Limits.Edit.RowsMax; l.total+uint64(len(l.waiting)) >= uint64(most) {
		return problem.New(problem.TooLarge, "more than %d rows: that is the limit of a session", most).With("limit", most)
	}
	w := editWaiting{row: editsession.Row{Line: row.Line, Identifier: identifierOf(row.Fields)}, fields: row.Fields}
	if len(w.row.Identifier) > editsession.IdentifierBytes {
		return problem.At(l.at(row.Line), "has an identifier of %d bytes: the limit is %d", len(w.row.Identifier), editsession.IdentifierBytes)
	}
	if l.waiting = append(l.waiting, w); len(l.waiting) == bulkLookupKeys {
		return l.lookUp()
	}
	return nil
}

// at says where a row was named.
func (l *editRows) at(line uint64) string {
	if l.order.from == editsession.FromIDs {
		return "/ids" + indexPath(int(line-1))
	}
	return fmt.Sprintf("line %d", line)
}

// identifierOf is what a row is called by: its field, or a list of them.
func identifierOf(fields []sheet.Field) string {
	if len(fields) == 1 {
		return fields[0].Text
	}
	text := []byte("[")
	for i, f := range fields {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(text, f.JSON...)
	}
	return string(append(text, ']'))
}

// lookUp finds the records of the rows that wait, and enters them.
func (l *editRows) lookUp() error {
	if l.ctx.Err() != nil {
		return fmt.Errorf("match the records: %w", context.Cause(l.ctx))
	}
	judge := l.byIDs
	if len(l.order.by) > 0 {
		judge = l.byKeys
	}
	if err := judge(); err != nil {
		return err
	}
	for i := range l.waiting {
		if err := l.put(l.waiting[i].row); err != nil {
			return err
		}
	}
	l.waiting = l.waiting[:0]
	return nil
}

// byIDs finds the collections of ids, in the order in which they are stored: neighbours cost little.
func (l *editRows) byIDs() error {
	type place struct {
		partition persistence.Partition
		id        persistence.EntityID
		row       *editsession.Row
	}
	places := make([]place, len(l.waiting))
	for i := range l.waiting {
		row := &l.waiting[i].row
		id := persistence.EntityID{Kind: persistence.KindCollection, Provider: l.request.Provider, ID: row.Identifier}
		places[i] = place{persistence.PartitionOf(id, l.view.Partitions()), id, row}
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.partition, b.partition), strings.Compare(a.id.ID, b.id.ID))
	})
	for _, p := range places {
		if err := l.byID(p.id, p.row); err != nil {
			return err
		}
	}
	return nil
}

// byID finds the collection of an id.
func (l *editRows) byID(id persistence.EntityID, row *editsession.Row) error {
	row.State = editsession.NotFound
	if !transport.ValidID(id.ID) {
		row.Why = "it is no id of a collection"
		return nil
	}
	head, err := l.view.Head(id)
	if err != nil && !isMissing(err) {
		return fmt.Errorf("look for the collection %s: %w", id.ID, err)
	}
	state, err := collection.Behavior{}.DecodeState(head.State)
	switch {
	case err != nil:
		return errors.Join(persistence.ErrCorrupt, err)
	case !state.Live():
		row.Why = "there is no such collection"
	case l.order.typ != "" && state.Type != l.order.typ:
		row.Why = "the collection is of another type"
	default:
		row.Identifier, row.Collection, row.State = "", id.ID, editsession.Matched
	}
	return nil
}

// put enters a row whose record is found, or is not.
func (l *editRows) put(row editsession.Row) error {
	if len(l.rows) == editsession.ChunkRows {
		if err := l.stage(); err != nil {
			return err
		}
	}
	l.total++
	if row.State == editsession.Matched {
		hash := [2]uint64{maphash.String(l.seeds[0], row.Collection), maphash.String(l.seeds[1], row.Collection)}
		if line, again := l.first[hash]; again {
			row.State, row.Why = editsession.Duplicate, l.at(line)+" has it already"
		} else {
			l.first[hash] = row.Line
		}
	}
	l.rows = append(l.rows, row)
	return nil
}

// stage sends a full chunk.
func (l *editRows) stage() error {
	c := l.last()
	if _, err := l.service.call(l.ctx, l.service.toEdit(l.request, l.id, &c)); err != nil {
		return fmt.Errorf("stage chunk %d of %v: %w", c.Number, l.id, err)
	}
	l.chunks++
	l.rows = make([]editsession.Row, 0, editsession.ChunkRows)
	return nil
}
