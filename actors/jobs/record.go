package jobs

import (
	"context"
	"errors"
	"time"

	"concord/actors/problem"
	"concord/actors/propagation"
)

// record tells the job's entity what has come in, if it is time to: in order from the cursor.
func (r *run) record(ctx context.Context) error {
	for {
		p, rows := r.progress()
		told := len(p.Rows) + len(p.Open)
		full := told >= propagation.ProgressMaxRows
		idle := r.flying == 0 && (r.halted() || !r.hasNext())
		if told == 0 || !full && !idle && time.Now().Before(r.flush) {
			return nil
		}
		if err := r.tell(ctx, p); err != nil {
			return err
		}
		r.recorded(p, rows)
		r.flush = time.Now().Add(progressEvery)
	}
}

// progress is what can be recorded: outcomes of rows without a gap from the cursor, and those of collections that were come
// back to. rows are the numbers of the rows, as the outcomes.
func (r *run) progress() (p *propagation.Progress, rows []uint64) {
	p = &propagation.Progress{From: r.state.Cursor}
	texts := 0
	room := func(o *propagation.Outcome) bool {
		texts += len(o.Failures)
		told := len(p.Rows) + len(p.Open)
		return told == 0 || told < propagation.ProgressMaxRows && texts <= progressMaxTexts
	}
	for row := r.state.Cursor.Row; ; {
		list := r.done[row]
		taken := 0
		for i := range list {
			if !room(&list[i]) {
				return p, rows
			}
			p.Rows, rows = append(p.Rows, list[i]), append(rows, row)
			taken++
		}
		if taken == 0 || list[taken-1].End == propagation.Part {
			break
		}
		row++
	}
	for i := range r.reopened {
		texts += len(r.reopened[i].Looked)
		if !room(&r.reopened[i].Outcome) {
			break
		}
		p.Open = append(p.Open, r.reopened[i])
	}
	return p, rows
}

// recordable says that there is something to be recorded.
func (r *run) recordable() bool { return len(r.reopened) > 0 || len(r.done[r.state.Cursor.Row]) > 0 }

// recorded forgets what the job's entity knows now.
func (r *run) recorded(p *propagation.Progress, rows []uint64) {
	for i, row := range rows {
		o := &p.Rows[i]
		if r.done[row] = r.done[row][1:]; len(r.done[row]) == 0 {
			delete(r.done, row)
		}
		r.count(o)
		if o.End != propagation.Locked {
			continue
		}
		if planned, err := r.row(row); err == nil {
			r.open[planned.Collection] = propagation.Opened{After: o.After, Locked: true, Holder: o.Why, Row: row}
		}
	}
	for i := range p.Open {
		o := &p.Open[i]
		was := r.open[o.Collection]
		delete(r.asked, o.Collection)
		r.count(&o.Outcome)
		if o.End == propagation.Locked || o.End == propagation.Part {
			was.Turn, was.After, was.Locked = was.Turn+1, max(was.After, o.After), true
			r.open[o.Collection] = was
			continue
		}
		delete(r.open, o.Collection)
		r.waits.remove(collectionID(r.id.Provider, o.Collection), r.id)
	}
	r.reopened = r.reopened[len(p.Open):]
}

// count has the links counted.
func (r *run) count(o *propagation.Outcome) {
	for _, c := range []struct {
		outcome string
		links   uint64
	}{{"updated", o.Updated}, {"unchanged", o.Unchanged}, {"superseded", o.Superseded}, {"failed", o.Failed}} {
		if c.links > 0 {
			r.observer.Linked(c.outcome, c.links)
		}
	}
}

// stale says that the job does not stand where it was thought to.
func stale(err error) bool {
	p, ok := errors.AsType[*problem.Problem](err)
	return ok && (p.Code == problem.WrongState || p.Code == problem.NotFound)
}
