package jobs

import (
	"encoding/json"
	"errors"
	"time"

	"concord/actors/bulk"
	"concord/actors/collection"
	"concord/actors/fields"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/internal/planted"
	"concord/persistence"
)

// answered takes in what came of an item that was sent. What has failed for a reason that may pass is tried again, a few times.
// Of a lock the lane takes note before it asks again, so that its end is not missed.
func (l *lane) answered(a *answered, now time.Time) {
	it, t := a.sending, a.task
	l.flying--
	t.flying--
	l.rest(now)
	full := errors.Is(a.err, persistence.ErrLowSpace)
	if !it.command.Probe { // which is let through
		l.filled(full)
	}
	if t.closed {
		l.unnote(it)
		return
	}
	locked, moment := lockedBy(a.err)
	patient := t.state.OnLocked != bulk.OnLockedFail && !t.state.DryRun
	switch {
	case a.err == nil:
		l.decided(it, a.answer.Body)
	case locked && moment && it.moments < itemMaxMoments:
		it.moments++
		l.sleep(it, a.err, now)
	case locked && !patient:
		l.failed(it, failureOf(a.err))
	case locked && (!it.noted || it.freed) && !l.halted(t):
		it.freed = false
		if !it.noted {
			it.noted, l.noted[it.id.ID] = true, it
			l.waits.add(it.id, t.id)
		}
		l.send(it)
	case locked && (!it.noted || it.freed):
		l.putBack(it)
	case locked:
		it.noted = false
		delete(l.noted, it.id.ID)
		l.lock(t, it.row, it.waiting, it.id.ID, holder(a.err))
	case full: // nothing has failed: it rests until there is room
		l.sleep(it, a.err, now)
	case passing(a.err) && it.busy < itemMaxBusy-1:
		it.busy++
		l.sleep(it, a.err, now)
	case !passing(a.err) && problem.Of(a.err).Code == problem.Internal && it.failures < itemMaxFailures-1:
		it.failures++
		l.sleep(it, a.err, now)
	default:
		l.failed(it, failureOf(a.err))
	}
}

// filled takes in whether the disk has no room.
func (l *lane) filled(full bool) {
	if l.full == full {
		return
	}
	l.full = full
	l.count(l.main)
	l.log.Warn("bulk tasks rest while the disk has no room, and go on when it has", "provider", l.provider, "resting", full)
}

// halted says that nothing of the task is to be sent any more for now, but probes.
func (l *lane) halted(t *task) bool { return l.halting || !t.goes() }

// sleep has an item tried again soon.
func (l *lane) sleep(it *sending, err error, now time.Time) {
	if l.halting || l.halted(it.task) && !it.command.Probe {
		l.putBack(it)
		return
	}
	it.due = now.Add(it.wait.next(err))
	l.asleep = append(l.asleep, it)
}

// decided takes in what a collection says of an item.
func (l *lane) decided(it *sending, body []byte) {
	l.unnote(it)
	t := it.task
	var a collection.Applied
	err := json.Unmarshal(body, &a)
	if it.command.Probe && err == nil && a.State == collection.Undecided {
		switch {
		case !t.cancelling() && t.broken != nil:
			l.fail(t, it.row, it.waiting, t.broken)
		case !t.cancelling() && it.waiting != nil && it.waiting.lost != nil:
			l.fail(t, it.row, it.waiting, it.waiting.lost)
		default: // it is cancelled with the task
			l.settle(t, it.row, it.waiting, bulk.Outcome{State: bulk.ItemPending})
		}
		return
	}
	if planted.StickyCancel && t.cancelling() {
		l.settle(t, it.row, it.waiting, bulk.Outcome{State: bulk.ItemPending})
		return
	}
	switch a.State {
	case fields.Updated, fields.Unchanged, fields.Skipped, fields.Failed:
	default:
		err = errors.Join(err, errors.New("its state is "+string(a.State)))
	}
	if err != nil {
		l.fail(t, it.row, it.waiting, &failure{string(problem.Internal), "answer of the collection: " + err.Error()})
		return
	}
	o := bulk.Outcome{State: a.State, Code: a.Code, Message: clipped(a.Message), VersionBefore: a.VersionBefore, VersionAfter: a.VersionAfter,
		Warnings: a.Warnings[:min(len(a.Warnings), outcomeWarnings)], DiffBytes: uint64(len(a.Diff)), Kept: a.Kept}
	if len(a.Diff) <= outcomeDiffBytes {
		o.Diff = a.Diff
	}
	l.settle(t, it.row, it.waiting, o)
}

// clipped bounds what is kept in memory of a text; the task's entity cuts it to what is stored.
func clipped(text string) string { return text[:min(len(text), outcomeMaxMessage)] }

// holder names who holds the lock that the refusal is about.
func holder(err error) string {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok {
		return ""
	}
	for _, m := range p.Members {
		if h, ok := m.Value.(*lock.HolderView); ok && m.Name == "holder" {
			return h.Principal
		}
	}
	return ""
}

func (l *lane) failed(it *sending, f *failure) {
	l.unnote(it)
	l.fail(it.task, it.row, it.waiting, f)
}

// fail has a row fail.
func (l *lane) fail(t *task, row uint64, w *waiting, f *failure) {
	l.settle(t, row, w, bulk.Outcome{State: fields.Failed, Code: f.code, Message: clipped(f.why)})
}

// lock has a row wait for the lock of its collection, or for an older task that does.
func (l *lane) lock(t *task, row uint64, w *waiting, name, holder string) {
	if w != nil {
		w.doubt = false // the collection has judged it, and not written
	}
	switch {
	case w == nil && t.cancelling():
		l.settle(t, row, nil, bulk.Outcome{State: bulk.ItemPending})
	case w == nil && t.waiting[name] != nil: // the list names it twice
		l.fail(t, row, nil, &failure{string(problem.Locked), "another item of the task waits for the same collection"})
	case w == nil:
		w = &waiting{row: row, collection: name, holder: holder}
		l.holdBack(t, w)
		l.settle(t, row, nil, bulk.Outcome{State: bulk.ItemPending, Message: clipped(holder)})
		t.slot(row).collection = name
	case t.cancelling():
		l.through(t, w)
	case w.holder == holder:
		l.rested(t, w)
	default:
		w.holder = holder
		l.settle(t, row, w, bulk.Outcome{State: bulk.ItemPending})
	}
}

// rested takes in that a row that was come back to goes on waiting.
func (l *lane) rested(t *task, w *waiting) {
	freed := w.freed
	w.asked, w.freed = false, false
	switch {
	case t.cancelling() && !w.doubt:
		l.through(t, w)
	case freed || t.cancelling():
		l.come(t, w)
	}
}

// slot is the place of a row that was taken.
func (t *task) slot(row uint64) *slot { return &t.ahead[row-t.base] }

// settle keeps what came of a row until it is recorded.
func (l *lane) settle(t *task, row uint64, w *waiting, o bulk.Outcome) {
	l.touch(t)
	if t.prefix == 0 && len(t.opened) == 0 {
		t.flush = time.Now().Add(progressEvery)
	}
	switch {
	case w == nil:
		s := t.slot(row)
		s.known, s.outcome = true, o
		for t.prefix < len(t.ahead) && t.ahead[t.prefix].known {
			t.prefix++
		}
	case t.cancelling() && o.State == bulk.ItemPending:
		l.through(t, w)
	default:
		w.asked = true
		t.opened = append(t.opened, opened{w, o})
	}
}
