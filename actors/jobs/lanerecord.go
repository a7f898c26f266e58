package jobs

import (
	"context"
	"errors"
	"slices"
	"time"

	"concord/actors/bulk"
)

// recordAll tells tasks what has come in, if it is time to. It says when it will be; zero: nothing is to be told.
func (l *lane) recordAll(ctx context.Context, now time.Time) (next time.Time) {
	l.touched = slices.DeleteFunc(l.touched, func(t *task) bool {
		until, more := l.record(ctx, t, now)
		if !until.IsZero() && (next.IsZero() || until.Before(next)) {
			next = until
		}
		t.touched = more
		return !more
	})
	return next
}

// record tells a task what has come in. more says that it has to be looked at again: at a time, or when something happens.
func (l *lane) record(ctx context.Context, t *task, now time.Time) (until time.Time, more bool) {
	switch {
	case t.closed:
		return until, false
	case t.telling:
		return until, true
	case now.Before(t.tellNext):
		return t.tellNext, true
	}
	idle := t.flying == 0 && !l.sleeps(t) && !l.goesOn(t)
	if t.cancelling() && idle {
		t.trim()
	}
	told := t.prefix + len(t.opened)
	switch {
	case told > 0 && (idle || told >= bulk.ProgressMaxItems || !now.Before(t.flush)):
		l.command(ctx, t, t.progress())
	case told > 0:
		return t.flush, true
	case idle && t.over():
		l.command(ctx, t, &bulk.Finish{})
	default:
		return until, t.flying > 0
	}
	return until, true
}

// sleeps says that an item of the task is to be tried again soon.
func (l *lane) sleeps(t *task) bool {
	return slices.ContainsFunc(l.asleep, func(it *sending) bool { return it.task == t })
}

// goesOn says that rows of the task are to be sent now.
func (l *lane) goesOn(t *task) bool {
	if l.halting {
		return false
	}
	return len(t.due) > 0 && (t.goes() || t.cancelling()) || (t == l.main || t == l.beside) && t.hasRows()
}

// over says that all that was to be done is recorded.
func (t *task) over() bool {
	switch {
	case t.goes():
		return t.base >= t.state.Total && len(t.waiting) == 0 && t.state.Waiting == 0
	case t.cancelling():
		return !t.hasRows() && len(t.ahead) == 0 && len(t.waiting) == 0
	}
	return false
}

// trim drops what need not be told of a task that is being cancelled: the last rows, which were never decided on.
func (t *task) trim() {
	if t.hasRows() {
		return
	}
	for n := len(t.ahead); n > 0 && t.ahead[n-1].outcome.State == bulk.ItemPending; n-- {
		t.ahead = t.ahead[:n-1]
	}
	t.next = t.base + uint64(len(t.ahead))
	t.doubt = min(t.doubt, t.next)
	t.prefix = min(t.prefix, len(t.ahead))
}

// progress is what can be recorded: outcomes of rows in order from the cursor, and those of rows that waited.
func (t *task) progress() *bulk.Progress {
	p := &bulk.Progress{From: t.base}
	bytes := 0
	room := func(o *bulk.Outcome) bool {
		bytes += len(o.Message) + len(o.Diff)
		for _, w := range o.Warnings {
			bytes += len(w.Path) + len(w.Message)
		}
		told := len(p.Rows) + len(p.Open)
		return told == 0 || told < bulk.ProgressMaxItems && bytes <= progressMaxBytes
	}
	for i := range t.opened {
		o := &t.opened[i]
		if !room(&o.outcome) {
			return p
		}
		p.Open = append(p.Open, bulk.OpenOutcome{Row: o.waiting.row, Turn: o.waiting.turn, Holder: o.waiting.holder,
			Lost: o.waiting.lost != nil, Outcome: o.outcome})
	}
	for i := range t.ahead[:t.prefix] {
		o := &t.ahead[i].outcome
		if !room(o) {
			break
		}
		p.Rows = append(p.Rows, *o)
	}
	return p
}

// command gives a task a command, and has the lane hear of what came of it.
func (l *lane) command(ctx context.Context, t *task, c bulk.Command) {
	l.tell(t, c, func() error { return insist(ctx, l.courtesy, t.id, c) })
}

// tell does what gives a task a command, and has the lane hear of what came of it.
func (l *lane) tell(t *task, c bulk.Command, do func() error) {
	t.telling = true
	l.telling++
	l.touch(t)
	l.tellers.Go(func() {
		m := told{task: t, command: c, err: do()}
		l.in.put(func(all *mail) { all.told = append(all.told, m) })
	})
}

// heard takes in what came of a command to a task.
func (l *lane) heard(m *told, now time.Time) {
	t := m.task
	t.telling = false
	l.telling--
	l.dirty = true
	l.touch(t)
	err := m.err
	var s *bulk.State
	if err == nil || stale(err) {
		var unread error
		if s, unread = l.state(t.id); unread != nil { // now, and not before: it may have been paused since
			s, err = nil, errors.Join(err, unread)
		}
	}
	if err != nil {
		t.tellNext = now.Add(t.tellWait.next(err))
		if !stale(err) && !errors.Is(err, errStopped) { // else somebody was faster
			l.log.Error("a bulk task cannot be told how far it is", "task", t.id.String(), "error", err)
			l.reread(t)
		}
	} else {
		t.tellWait = backOff{}
		if p, ok := m.command.(*bulk.Progress); ok {
			l.recorded(t, p, s)
		}
	}
	if s != nil {
		l.stands(t.id, s)
	}
}

// recorded forgets what the task's entity knows now.
func (l *lane) recorded(t *task, p *bulk.Progress, s *bulk.State) {
	for i := range t.opened[:len(p.Open)] {
		o := &t.opened[i]
		if o.outcome.State == bulk.ItemPending {
			o.waiting.turn++
			l.rested(t, o.waiting)
			continue
		}
		l.observer.Items(s, o.outcome.State, 1)
		l.through(t, o.waiting)
	}
	t.opened = slices.Delete(t.opened, 0, len(p.Open))
	n := int(min(max(s.Cursor, t.base)-t.base, uint64(len(p.Rows))))
	counts := make(map[bulk.ItemState]uint64)
	for i := range t.ahead[:n] {
		o := &t.ahead[i]
		if o.outcome.State != bulk.ItemPending {
			counts[o.outcome.State]++
			continue
		}
		if w := t.waiting[o.collection]; w != nil && !w.recorded {
			w.recorded = true
			l.rested(t, w)
		}
	}
	for state, items := range counts {
		l.observer.Items(s, state, items)
	}
	t.ahead = slices.Delete(t.ahead, 0, n)
	t.base += uint64(n)
	t.prefix -= n
	if n > 0 {
		l.forgetOrder(t) // it has come further since it was paused
	}
	t.flush = time.Now().Add(progressEvery)
}

// cancel takes in that a task is being cancelled. What became of rows that the process before this one may have sent is found out
// by probes; other rows that wait are cancelled as they are.
func (l *lane) cancel(t *task) {
	t.opened = slices.DeleteFunc(t.opened, func(o opened) bool {
		pending := o.outcome.State == bulk.ItemPending
		o.waiting.asked = o.waiting.asked && !pending
		return pending && !t.telling
	})
	for _, w := range t.waiting {
		switch {
		case w.asked:
		case w.doubt:
			l.come(t, w)
		default:
			l.through(t, w)
		}
	}
}
