package operations

import (
	"encoding/json"
	"fmt"
	"slices"

	"concord/actors/editsession"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport/sheet"
)

// editOpenFields is how many fields of a row of CSV may be meant as numbers, true or false: each doubles what is looked up.
const editOpenFields = 4

// byKeys finds the collections of keys. A field of CSV that looks like a number, true or false is looked up as that and as text.
func (l *editRows) byKeys() error {
	var keys []*jsonvalue.Value
	var owners []int // of each key: the row that waits
	for i := range l.waiting {
		forms, err := l.forms(&l.waiting[i])
		if err != nil {
			return err
		}
		for _, key := range forms {
			keys, owners = append(keys, key), append(owners, i)
		}
	}
	found, err := l.find.keys(l.ctx, keys, func(i int) string { return l.at(l.waiting[owners[i]].row.Line) })
	if err != nil {
		return err
	}
	ids := make([][]string, len(l.waiting))
	for i, some := range found {
		for _, id := range some {
			if !slices.Contains(ids[owners[i]], id) {
				ids[owners[i]] = append(ids[owners[i]], id)
			}
		}
	}
	for i := range l.waiting {
		row := &l.waiting[i].row
		switch len(ids[i]) {
		case 0:
			row.State, row.Why = editsession.NotFound, "no collection has this key"
		case 1:
			row.State, row.Collection = editsession.Matched, ids[i][0]
		default:
			slices.Sort(ids[i])
			row.State, row.Why = editsession.Ambiguous, fmt.Sprintf("several collections have this key, among them %s and %s", ids[i][0], ids[i][1])
		}
	}
	return nil
}

// forms are the keys that a row may mean.
func (l *editRows) forms(w *editWaiting) ([]*jsonvalue.Value, error) {
	all := [][]sheet.Field{slices.Clone(w.fields)}
	open := 0
	for i, f := range w.fields {
		if !f.Open {
			continue
		}
		if open++; open > editOpenFields {
			return nil, problem.At(l.at(w.row.Line), "has more than %d fields that may be numbers or texts: JSON lines say which they are", editOpenFields)
		}
		for _, form := range slices.Clone(all) {
			form = slices.Clone(form)
			form[i].JSON = []byte(f.Text)
			all = append(all, form)
		}
	}
	keys := make([]*jsonvalue.Value, len(all))
	for i, form := range all {
		var err error
		if keys[i], err = keyOfFields(l.order.by, form); err != nil {
			return nil, syntax(l.at(w.row.Line), err)
		}
	}
	return keys, nil
}

// keyOfFields is the alternate key {path: value, ...}.
func keyOfFields(by []string, fields []sheet.Field) (*jsonvalue.Value, error) {
	text := []byte("{")
	for i, path := range by {
		name, err := json.Marshal(path)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(text, name...), ':'), fields[i].JSON...)
	}
	return jsonvalue.Parse(append(text, '}'))
}
