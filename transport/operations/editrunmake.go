package operations

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"

	"concord/actors/bulk"
	"concord/actors/editsession"
	"concord/actors/problem"
	"concord/internal/planted"
	"concord/persistence"
)

// make makes the run: steps 4 to 8. If a task has to be stopped first, it makes nothing, and names the task.
func (m *runMaker) make(ctx context.Context) (stop string, err error) {
	newest, open, err := m.underWay()
	if err != nil {
		return "", err
	}
	if err := m.prepare(newest, open); err != nil {
		return "", err
	}
	switch {
	case open:
		return newest.Task, m.checkExcluded()
	case m.order.undoes():
		return "", m.takeBack(ctx)
	}
	return "", m.edit(ctx)
}

// underWay is the newest run, and says if its task is still open; then it is one that gives way.
func (m *runMaker) underWay() (newest editsession.Run, open bool, err error) {
	if m.session.state.Status != editsession.Opened {
		if m.order.undoes() {
			err = m.plan()
		}
		return newest, false, cmp.Or(err, m.wrong("nothing can be done with it"))
	}
	newest, some := m.session.state.Newest()
	if !some || newest.Task == "" {
		return newest, false, nil
	}
	task, _, err := bulkState(m.service.Store, bulkID(m.id.Provider, newest.Task))
	if err != nil || !task.Status.Open() {
		return newest, false, err
	}
	stops := m.order.kind == editsession.Rollback && !m.order.dryRun
	if newest.Dry() || newest.Kind == editsession.Apply && stops {
		return newest, true, nil
	}
	return newest, true, m.wrong("run %d, %s, has not ended", newest.Number, newest.Kind)
}

// wrong refuses what is not possible where the session stands.
func (m *runMaker) wrong(format string, args ...any) error {
	tasks, err := m.session.tasksOf(m.service.Store, m.service.Clock.Now())
	if err != nil {
		return err
	}
	stands := m.session.state.Stands(tasks.work)
	return problem.New(problem.WrongState, "the bulk edit session is %s: %s", stands, fmt.Sprintf(format, args...)).With("state", stands)
}

// prepare finds what is wrong with the request where the session stands.
func (m *runMaker) prepare(newest editsession.Run, open bool) error {
	o, state := m.order, &m.session.state
	if o.reason == "" {
		o.reason = state.Reason
	}
	switch {
	case o.undoes():
		return m.plan()
	case state.Counts.Matched == 0:
		return m.wrong("no record is matched")
	}
	o.typ, o.targets.by = state.Type, targetsEdit
	if o.instructions == nil {
		return m.fromPreview(newest, open)
	}
	var f bulkFaults
	if err := m.service.readInstructions(&o.bulkOrder, m.id.Provider, &f); err != nil {
		return err
	}
	f.inSession()
	return f.err()
}

// fromPreview takes what is to be applied from the newest preview, which must have ended.
func (m *runMaker) fromPreview(newest editsession.Run, open bool) (err error) {
	switch {
	case newest.Kind != editsession.Preview:
		return m.wrong("its newest run is no preview, and the request has no instructions")
	case open:
		return m.wrong("the preview has not ended, and the request has no instructions")
	}
	view := m.service.Store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	task := &bulkTask{id: bulkID(m.id.Provider, newest.Task)}
	if task.state, _, err = bulkState(view, task.id); err != nil {
		return err
	}
	if task.state.Status != bulk.Complete {
		return m.wrong("the preview did not come to its end, and the request has no instructions")
	}
	asked, err := task.asked(view)
	if err != nil {
		return err
	}
	m.order.instructions, m.order.fields, m.preview = asked.Instructions, asked.Fields, &newest
	return nil
}

// plan works out what the run takes back.
func (m *runMaker) plan() (err error) {
	state := &m.session.state
	if m.order.kind == editsession.Rollback {
		m.run, err = state.Plan(m.order.target, m.order.onConflict)
	} else {
		var left bool
		if left, err = m.left(); err == nil {
			m.run, err = state.PlanRedo(m.order.onConflict, left, m.order.redoOf)
		}
	}
	m.run.DryRun = m.order.dryRun
	return err
}

// left says that the newest run that was not a dry one has left records as they were.
func (m *runMaker) left() (bool, error) {
	done, some := m.session.state.Done()
	if !some || done.Task == "" {
		return false, nil
	}
	task, _, err := bulkState(m.service.Store, bulkID(m.id.Provider, done.Task))
	c := &task.Counts
	return c.Skipped+c.Failed+c.Cancelled > 0, err
}

// edit makes the run of a preview or of a step.
func (m *runMaker) edit(ctx context.Context) error {
	m.run.Kind = m.order.kind
	m.order.targets = bulkTargets{by: targetsEdit, edit: m.id.ID, rows: m.records()}
	some, err := m.makeTask(ctx)
	if err == nil && !some {
		err = noneLeft()
	}
	return err
}

// checkExcluded refuses what a run that is yet to be made leaves out, before anything is stopped for it.
func (m *runMaker) checkExcluded() error {
	if len(m.order.exclude) == 0 {
		return nil
	}
	some := false
	for _, err := range m.records() {
		if err != nil {
			return err
		}
		some = true
	}
	if !some {
		return noneLeft()
	}
	return nil
}

func noneLeft() error { return problem.At("/exclude", "leaves none of the records") }

// records are those of the session that the run edits: of one that goes by a preview those that the preview has shown.
func (m *runMaker) records() iter.Seq2[bulkTarget, error] {
	return m.service.viewed(func(view persistence.View, yield func(bulkTarget, error) bool) error {
		out := newLeftOut(m.order.exclude)
		shown, err := m.shown(view)
		if err != nil {
			return err
		}
		defer shown.close()
		for row, err := range m.session.matched(view) {
			if err != nil {
				return err
			}
			takesPart, err := shown.pass(row.Collection)
			if err != nil {
				return err
			}
			if out.met(row.Collection) || !takesPart {
				continue
			}
			if !yield(bulkTarget{id: row.Collection}, nil) {
				return nil
			}
		}
		return out.unmet()
	})
}

// shown is the preview that the run goes by; nil if it goes by none.
func (m *runMaker) shown(view persistence.View) (*editRun, error) {
	if m.preview == nil {
		return nil, nil
	}
	return openRun(view, m.id.Provider, m.preview)
}

// takeBack makes the run of a roll-back or a redo.
func (m *runMaker) takeBack(ctx context.Context) error {
	m.order.targets = bulkTargets{by: targetsEdit, edit: m.id.ID, rows: m.undone()}
	m.order.undoOf = m.undoOf()
	some, err := m.makeTask(ctx)
	if err != nil || some {
		return err
	}
	if m.again() {
		return cannotUndo("nothing is left to be taken back")
	}
	return m.tell(ctx)
}

// again says that the run leads to where the session is already: it is for what an earlier one has left.
func (m *runMaker) again() bool {
	state := &m.session.state
	done, _ := state.Done()
	if m.run.Kind == editsession.Redo {
		return done.Kind == editsession.Redo && done.Of == m.run.Of
	}
	at := uint32(0)
	if n := len(state.Path); n > 0 {
		at = state.Path[n-1]
	}
	return at == m.run.To
}

// undoOf is the task that the run takes back: of a roll-back the newest of several. A roll-back that had nothing to do has no task:
// a redo of it is for what roll-backs after it have taken off, so it takes back the first of them that has one.
func (m *runMaker) undoOf() (task string) {
	for i := range m.session.state.Runs {
		run := &m.session.state.Runs[i]
		switch {
		case run.Dry() || run.Task == "":
		case m.run.Kind == editsession.Rollback && run.Number > m.run.Mark:
			task = run.Task
		case m.run.Kind == editsession.Redo && run.Kind == editsession.Rollback && run.Number >= m.run.Of:
			return run.Task
		}
	}
	return task
}

// undone are the records of which the run takes something back, and what.
func (m *runMaker) undone() iter.Seq2[bulkTarget, error] {
	return m.service.viewed(func(view persistence.View, yield func(bulkTarget, error) bool) error {
		w, err := openWalk(view, m.session)
		if err != nil {
			return err
		}
		defer w.close()
		for trail, err := range w.trails() {
			if err != nil {
				return err
			}
			if planted.LostUndo && trail.record[len(trail.record)-1]%2 == 0 {
				continue
			}
			if spans := trail.undone(&m.run); len(spans) > 0 && !yield(bulkTarget{id: trail.record, undo: spans}, nil) {
				return nil
			}
		}
		return nil
	})
}

// viewed are targets that are read on one moment of the store.
func (s *Service) viewed(each func(persistence.View, func(bulkTarget, error) bool) error) iter.Seq2[bulkTarget, error] {
	return func(yield func(bulkTarget, error) bool) {
		view, stopped := s.Store.View(), false
		err := each(view, func(t bulkTarget, err error) bool {
			stopped = !yield(t, err)
			return !stopped
		})
		if err = errors.Join(err, view.Close()); err != nil && !stopped {
			yield(bulkTarget{}, err)
		}
	}
}

// makeTask makes the task of the run, and tells the session of it before. some is false if there is nothing to be done: then
// neither is made.
func (m *runMaker) makeTask(ctx context.Context) (some bool, err error) {
	s, state := m.service, &m.session.state
	o := &m.order.bulkOrder
	if m.order.writes() {
		o.pinned = state.Expires
	}
	o.session = m.id.ID
	o.retention = max(s.Limits.Bulk.Retention, state.Expires.Sub(s.Clock.Now())) // a roll-back reads what it has come to
	o.before = func(ctx context.Context) error {
		m.run.Task = m.task.ID
		err := m.tell(ctx)
		o.run = m.run.Number
		return err
	}
	count, through := countTargets(&o.targets)
	r := *m.request
	r.Header.IdempotencyKey = "" // the session remembers it
	_, err = s.makeTask(ctx, &r, o, m.task)
	_, refused := errors.AsType[*problem.Problem](err)
	switch {
	case refused && m.run.Number > 0:
		ctx, end := throughout(ctx)
		defer end()
		off, failed := s.takeOff(ctx, m.request, m.id, &m.run)
		if failed == nil && !off {
			return true, nil // it is there all the same
		}
		err = errors.Join(err, failed)
	case refused && *through && *count == 0:
		return false, nil // that is what was refused
	}
	return err == nil, err
}

// countTargets counts the rows of a task while its list is made; through says that all of them were read.
func countTargets(t *bulkTargets) (count *uint64, through *bool) {
	rows := t.rows
	count, through = new(uint64), new(bool)
	t.rows = func(yield func(bulkTarget, error) bool) {
		for target, err := range rows {
			if !yield(target, err) || err != nil {
				return
			}
			*count++
		}
		*through = true
	}
	return count, through
}

// tell tells the session of the run.
func (m *runMaker) tell(ctx context.Context) error {
	newest, _ := m.session.state.Newest()
	a, err := m.service.call(ctx, m.begin(&editsession.Begin{Run: m.run, After: newest.Number}))
	if err != nil {
		return err
	}
	told, err := beganAs(a.Body)
	if err == nil && told.Task != m.run.Task {
		err = fmt.Errorf("run %d of %v has the task %q, where %q is to be made", told.Run, m.id, told.Task, m.run.Task)
	}
	m.run.Number = told.Run
	return err
}

func cannotUndo(format string, args ...any) error {
	return problem.New(problem.CannotUndo, format, args...)
}
