package jobs

import (
	"errors"
	"slices"

	"concord/actors/bulk"
	"concord/actors/problem"
	"concord/persistence"
)

// A row that waits stands in a part of its own, which its task's entity reads when something comes of the row. If that part is
// damaged, the row is lost: it fails, and nothing else does. A row that the task may have written is asked of first.

// recalled reads a row that waits.
func recalled(view persistence.EntityReader, id persistence.EntityID, p persistence.Part, row uint64) (*waiting, error) {
	w := &waiting{row: row}
	body, err := view.Body(id, p.Place)
	if err != nil {
		return w, wrapf(err, id, "read what waits of")
	}
	r, err := bulk.DecodeWaiting(row, body)
	if err != nil {
		return w, wrapf(errors.Join(persistence.ErrCorrupt, err), id, "read what waits of")
	}
	w.turn, w.holder = r.Turn, r.Holder
	return w, nil
}

// lose takes in that the part of a row cannot be read.
func (l *lane) lose(t *task, w *waiting, err error) {
	l.log.Error("a row of a bulk task that waits cannot be read", "task", t.id.String(), "row", w.row, "error", err)
	w.lost = &failure{string(problem.Internal), clipped("the item cannot wait any more: " + err.Error())}
}

// reread looks at the rows whose outcomes were refused: the task's entity may have failed to read one of them. It is told of a
// lost one by other words; one that is to go on waiting is come back to instead.
func (l *lane) reread(t *task) {
	view := l.store.View()
	defer func() { _ = view.Close() }()
	t.opened = slices.DeleteFunc(t.opened, func(o opened) bool {
		w := o.waiting
		p, err := view.Part(t.id, bulk.WaitingPart(w.row))
		if err == nil {
			_, err = recalled(view, t.id, p, w.row)
		}
		if w.lost != nil || !errors.Is(err, persistence.ErrCorrupt) {
			return false
		}
		l.lose(t, w, err)
		if o.outcome.State != bulk.ItemPending {
			return false
		}
		w.asked = false
		l.come(t, w)
		return true
	})
}
