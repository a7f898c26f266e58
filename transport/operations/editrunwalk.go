package operations

import (
	"errors"
	"fmt"
	"iter"

	"concord/actors/bulk"
	"concord/actors/editsession"
	"concord/actors/fields"
	"concord/actors/undo"
	"concord/persistence"
)

// editRun reads what a run of a session has made of its records. Its list has records of the session in the session's order,
// so that one walk over the session's rows passes all its runs once.
type editRun struct {
	view persistence.View
	run  *editsession.Run
	task *bulkTask
	rows bulkChunks
	next func() (bulkOutcome, error, bool)
	stop func()

	record  string // the next one of its list; "" behind the last
	outcome bulk.Outcome
	wrote   undo.Span
}

// openRun reads a run from its first record on. Whoever opens it stops it.
func openRun(view persistence.View, provider string, run *editsession.Run) (*editRun, error) {
	r := &editRun{view: view, run: run, task: &bulkTask{id: bulkID(provider, run.Task)}}
	var err error
	if r.task.state, _, err = bulkState(view, r.task.id); err != nil {
		return nil, err
	}
	if !r.task.state.Status.Shown() {
		return nil, cannotUndo("what came of run %d is no longer kept", run.Number)
	}
	r.next, r.stop = iter.Pull2(r.task.outcomes(view, 0))
	if err := r.step(); err != nil {
		r.stop()
		return nil, err
	}
	return r, nil
}

// step goes to the next record of the list.
func (r *editRun) step() error {
	o, err, more := r.next()
	if err != nil {
		return fmt.Errorf("outcomes of %v: %w", r.task.id, err)
	}
	if !more {
		r.record, r.wrote = "", undo.Span{}
		return nil
	}
	row, err := r.rows.row(r.view, r.task, o.row)
	if err != nil {
		return err
	}
	if row.Collection == "" {
		return errors.Join(persistence.ErrCorrupt, fmt.Errorf("row %d of %v names no collection", o.row, r.task.id))
	}
	r.record, r.outcome, r.wrote = row.Collection, o.Outcome, undo.Span{}
	if o.State == fields.Updated && o.VersionAfter != o.VersionBefore {
		r.wrote = undo.Span{Before: o.VersionBefore, After: o.VersionAfter}
	}
	return nil
}

// pass says if the record takes part in the run, and goes on behind it. In no run every record takes part.
func (r *editRun) pass(record string) (bool, error) {
	if r == nil {
		return true, nil
	}
	if r.record != record {
		return false, nil
	}
	return true, r.step()
}

func (r *editRun) close() {
	if r != nil {
		r.stop()
	}
}

// tell tells the trail of a record what the run has made of it.
func (r *editRun) tell(record string, trail *undo.Trail) error {
	if r.record != record {
		return nil // it took no part
	}
	number := int(r.run.Number)
	if r.wrote != (undo.Span{}) {
		switch r.run.Kind {
		case editsession.Apply:
			trail.Applied(number, r.wrote)
		case editsession.Rollback:
			trail.RolledBack(number, int(r.run.Mark), r.wrote, r.run.OnConflict)
		case editsession.Redo:
			trail.Redone(number, int(r.run.Of), r.wrote, r.run.OnConflict)
		case editsession.Preview:
		}
	}
	return r.step()
}

// editWalk goes through the records of a session once, with what its runs have made of each.
type editWalk struct {
	view    persistence.View
	session *editSession
	runs    []*editRun // oldest first
}

// openWalk opens the runs of the session that have written. Whoever opens it closes it.
func openWalk(view persistence.View, session *editSession) (*editWalk, error) {
	w := &editWalk{view: view, session: session}
	for i := range session.state.Runs {
		run := &session.state.Runs[i]
		if run.Task == "" || run.DryRun || run.Kind == editsession.Preview {
			continue
		}
		r, err := openRun(view, session.id.Provider, run)
		if err != nil {
			w.close()
			return nil, err
		}
		w.runs = append(w.runs, r)
	}
	return w, nil
}

func (w *editWalk) close() {
	for _, r := range w.runs {
		r.stop()
	}
}

// trails are the records of the session, each with its trail, which is good until the next one.
func (w *editWalk) trails() iter.Seq2[editTrail, error] {
	return func(yield func(editTrail, error) bool) {
		for row, err := range w.session.matched(w.view) {
			t := editTrail{record: row.Collection}
			for _, r := range w.runs {
				if err == nil {
					err = r.tell(row.Collection, &t.Trail)
				}
			}
			if err != nil {
				yield(editTrail{}, err)
				return
			}
			if !yield(t, nil) {
				return
			}
		}
		for _, r := range w.runs {
			if r.record != "" {
				yield(editTrail{}, errors.Join(persistence.ErrCorrupt, fmt.Errorf("%v is in the list of %v, and not where it was in that of %v", r.record, r.task.id, w.session.id)))
				return
			}
		}
	}
}

// editTrail is what the runs of a session have made of one record.
type editTrail struct {
	record string
	undo.Trail
}

// undone are the versions of the record that a run takes back: none if there is nothing to undo.
func (t *editTrail) undone(run *editsession.Run) []undo.Span {
	if run.Kind == editsession.Rollback {
		return t.Since(int(run.Mark))
	}
	return t.Taken(int(run.Of))
}
