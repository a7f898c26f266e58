package jobs

import (
	"context"
	"time"

	"concord/actors/bulk"
	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/internal/planted"
	"concord/persistence"
)

// sending is a row on its way.
type sending struct {
	task    *task
	row     uint64
	waiting *waiting // nil: it is the row's first turn
	id      persistence.EntityID
	command *collection.Apply

	noted    bool // its collection is among those that are waited for
	freed    bool // the lock may have ended since it was sent
	moments  int
	busy     int
	failures int
	wait     backOff
	due      time.Time // of the next try
}

// dispatch sends as many items as the window has room for. It says when there may be more to be sent, if nothing else happens;
// zero: not before something does.
func (l *lane) dispatch(ctx context.Context, now time.Time) time.Time {
	switch {
	case now.Before(l.blind): // also if it makes room: then it looks again, or the driver has it look
		return l.blind
	case l.halting:
		return time.Time{}
	case l.dirty:
		l.pick()
	}
	for l.roomy(now) {
		if now.Before(l.ready) {
			return l.ready
		}
		it, until := l.choose(ctx, now)
		if it == nil {
			return until
		}
		l.permit, it.task.permit = false, false
		l.burst, l.since = l.burst-1, now
		l.send(it)
	}
	return time.Time{}
}

// politeItems are sent at once while others have commands in flight: they cost little more than one, since what waits for the
// disk is written together.
const politeItems = 8

// roomy says that one more item may be sent. While the disk is full, what sleeps tries if there is room again. While others are there, items go in bursts: the next one when all of the last
// were answered, and after a rest as long as that took.
func (l *lane) roomy(now time.Time) bool {
	if l.flying+len(l.asleep) >= l.settings.Window || l.full && len(l.asleep) > 0 {
		return false
	}
	if l.flying == 0 {
		l.burst = politeItems
	}
	return l.burst > 0 || !l.courtesy.others(now)
}

// rest puts the next items off when all that were sent are answered, if others are there.
func (l *lane) rest(now time.Time) {
	if l.flying == 0 && l.courtesy.others(now) {
		if until := now.Add(min(now.Sub(l.since), restMax)); until.After(l.ready) {
			l.ready = until
		}
	}
}

// pick finds the task whose turn it is: the oldest that can go on.
func (l *lane) pick() {
	l.dirty, l.main, l.beside = false, nil, nil
	defer func() { l.count(l.main) }()
	for _, t := range l.tasks {
		switch {
		case t.rests():
		case l.main == nil:
			l.main = t
			if t.state.DryRun {
				return
			}
		case t.state.DryRun:
			l.beside = t
			return
		}
	}
}

// choose finds the next item, if any may be sent. A task that has to wait, for its pace or for the store, holds up no rows of
// others that are come back to.
func (l *lane) choose(ctx context.Context, now time.Time) (*sending, time.Time) {
	var soonest time.Time
	for _, t := range l.tasks {
		if l.dues == 0 {
			break
		}
		it, until := l.comeBack(t, now)
		if soonest = earlier(soonest, until); it != nil || now.Before(l.ready) {
			return it, soonest
		}
	}
	for _, t := range []*task{l.main, l.beside} {
		if t == nil {
			continue
		}
		it, until, blocked := l.take(ctx, t, now)
		if it != nil || !blocked {
			return it, earlier(soonest, until)
		}
	}
	return nil, soonest
}

// earlier is the first of two moments; zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// allowed says that the pace, that of the task and that of all, lets one more item of it go; else when it will.
func (l *lane) allowed(t *task, now time.Time) (bool, time.Time) {
	if !t.permit {
		t.permit = true
		t.ready = now.Add(t.pace.take(1))
	}
	if now.Before(t.ready) {
		return false, t.ready
	}
	if !l.permit {
		l.permit = true
		if wait := l.pace.take(1); wait > 0 {
			l.ready = now.Add(wait)
			return false, l.ready
		}
	}
	return true, time.Time{}
}

// comeBack is the next row of a task that waited and may go on.
func (l *lane) comeBack(t *task, now time.Time) (*sending, time.Time) {
	switch {
	case len(t.due) == 0 || !t.goes() && !t.cancelling():
		return nil, time.Time{}
	case now.Before(t.retry):
		return nil, t.retry
	}
	if err := l.prepare(t); err != nil && !l.troubled(t, err, now) {
		return nil, t.retry
	}
	for len(t.due) > 0 {
		if ok, until := l.allowed(t, now); !ok {
			return nil, until
		}
		w := t.due[0]
		t.due, w.due = t.due[1:], false
		l.dues--
		switch {
		case t.waiting[w.collection] != w || w.asked:
		case t.broken != nil && (t.unreadable || !w.doubt):
			l.fail(t, w.row, w, t.broken)
		case t.broken != nil || t.cancelling() || w.lost != nil && w.doubt:
			return l.probe(t, w.row, w, w.collection), time.Time{}
		case w.lost != nil:
			l.fail(t, w.row, w, w.lost)
		case l.behind(t, w.collection): // it is come back to when the older one is through
		default:
			r, err := l.row(t, w.row, &t.late)
			if err != nil {
				l.troubled(t, err, now)
				l.come(t, w)
				return nil, t.retry
			}
			t.recovered()
			if it := l.item(t, w.row, w, r); it != nil {
				return it, time.Time{}
			}
		}
	}
	return nil, time.Time{}
}

// take is the next row of a task in its first turn. blocked says that it stands in front of one that an older task has before it.
func (l *lane) take(ctx context.Context, t *task, now time.Time) (it *sending, until time.Time, blocked bool) {
	switch {
	case t.telling && t.state.Status == bulk.Accepted: // its answer is news
		return nil, time.Time{}, false
	case now.Before(t.tellNext) && t.state.Status == bulk.Accepted:
		return nil, t.tellNext, false
	case t.state.Status == bulk.Accepted:
		l.start(ctx, t)
		return nil, time.Time{}, false
	case now.Before(t.retry):
		return nil, t.retry, false
	}
	if t.goes() {
		if err := l.prepare(t); err != nil && !l.troubled(t, err, now) {
			return nil, t.retry, false
		}
	}
	for t.hasRows() {
		if ok, until := l.allowed(t, now); !ok {
			return nil, until, false
		}
		if len(t.again) == 0 && t.next-t.base >= rowsMaxAhead || l.waits.count.Load() >= waitingMaxItems {
			return nil, time.Time{}, false
		}
		it, err, stopped := l.step(t)
		switch {
		case err != nil:
			l.troubled(t, err, now)
			return nil, t.retry, false
		case it != nil || stopped:
			return it, time.Time{}, stopped
		}
	}
	return nil, time.Time{}, false
}

// step takes the next row of a task: it is an item, or its outcome is known at once, or it is not taken.
func (l *lane) step(t *task) (it *sending, err error, stopped bool) {
	number := t.next
	if len(t.again) > 0 {
		number = t.again[0]
	}
	var r *bulk.Row
	if !t.unreadable {
		if r, err = l.row(t, number, &t.list); err != nil {
			return nil, err, false
		}
		t.recovered()
	}
	v := clears
	doubt := number < t.doubt // of a task whose rows cannot be read there is none
	if r != nil && t.broken == nil && t.goes() && r.Code == "" {
		if v = l.judge(t, r.Collection); v == ahead {
			return nil, nil, true
		}
	}
	if len(t.again) > 0 {
		t.again = t.again[1:]
	} else {
		t.next++
		t.ahead = append(t.ahead, slot{})
	}
	switch {
	case t.cancelling() && (!doubt || r.Code != ""):
		l.settle(t, number, nil, bulk.Outcome{State: bulk.ItemPending})
	case r != nil && r.Code != "":
		l.fail(t, number, nil, &failure{r.Code, r.Why})
	case t.broken != nil && !doubt:
		l.fail(t, number, nil, t.broken)
	case t.cancelling() || t.broken != nil:
		it = l.probe(t, number, nil, r.Collection)
	case v == awaited:
		l.lock(t, number, nil, r.Collection, "")
	case planted.LostItem && number%16 == 15:
		l.settle(t, number, nil, bulk.Outcome{State: fields.Updated, VersionBefore: 1, VersionAfter: 2})
	default:
		it = l.item(t, number, nil, r)
	}
	return it, nil, false
}

// troubled takes in that something about a task could not be read; true: it was tried often enough.
func (l *lane) troubled(t *task, err error, now time.Time) bool {
	l.log.Error("a bulk task met an error", "task", t.id.String(), "error", err)
	return t.trouble(err, now)
}

// item makes an item of a row; nil: it has failed.
func (l *lane) item(t *task, number uint64, w *waiting, r *bulk.Row) *sending {
	c := &collection.Apply{Task: t.id.ID, Type: t.state.Type, Instructions: t.instructions, Version: r.Version, Diff: t.state.DryRun}
	if !t.state.DryRun {
		c.PinUntil = t.state.Pinned
	}
	if t.state.UndoOf != "" {
		c.Undo = &collection.Undo{Spans: r.Undo, OnConflict: t.state.OnConflict}
	}
	if len(r.Value) > 0 {
		v, err := jsonvalue.Parse(r.Value)
		if err != nil {
			l.fail(t, number, w, &failure{string(problem.Invalid), "the value of the item: " + err.Error()})
			return nil
		}
		c.Item = v
	}
	return l.newItem(t, number, w, r.Collection, c)
}

// probe makes an item that asks what became of a row.
func (l *lane) probe(t *task, number uint64, w *waiting, collectionOf string) *sending {
	return l.newItem(t, number, w, collectionOf, &collection.Apply{Task: t.id.ID, Probe: true})
}

func (l *lane) newItem(t *task, number uint64, w *waiting, name string, c *collection.Apply) *sending {
	if w != nil {
		w.asked, w.freed = true, false
	}
	return &sending{task: t, row: number, waiting: w, noted: w != nil, id: collectionID(l.provider, name), command: c}
}

// send sends an item.
func (l *lane) send(it *sending) {
	l.flying++
	it.task.flying++
	l.touch(it.task)
	l.courtesy.Deliver(&entity.Envelope{Entity: it.id, Command: it.command, Meta: it.task.meta, DryRun: it.task.state.DryRun, Vital: it.command.Probe,
		Reply: func(a entity.Answer, err error) { l.in.answer(answered{it, a, err}) }})
}

// putBack has a row sent anew when its task goes on.
func (l *lane) putBack(it *sending) {
	l.unnote(it)
	if w := it.waiting; w != nil {
		w.asked = false
		l.come(it.task, w)
		return
	}
	it.task.again = append(it.task.again, it.row)
}

// unnote ends what an item has noted of its collection.
func (l *lane) unnote(it *sending) {
	if !it.noted {
		return
	}
	it.noted = false
	delete(l.noted, it.id.ID)
	if it.task.waiting[it.id.ID] == nil {
		l.waits.remove(it.id, it.task.id)
	}
}
