package jobs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"concord/actors/bulk"
	"concord/persistence"
)

// lane are the open bulk tasks of a provider. One goroutine works on all of them, and while it does not run nobody touches
// them. It applies one task at a time, the oldest that can go on, and comes back to rows of any task whose locks have ended.
//
// A younger task never overtakes an older one on a collection:
//   - The lane knows no task while it does not know an older one. The number of a task is taken, and its acceptance is durable,
//     before the next one is taken; the driver hears of them in that order, and hands what is new to the lane at once; from the
//     index it takes the ones with the least numbers.
//   - A row of a task in its first turn is sent only while each older task is paused, or through but for rows that wait (pick).
//     The row's collection is then looked for in those that wait, and in the list of what a paused one has not come to (judge).
//     What is in neither has an outcome that is recorded, and will not be sent again, also not after a crash. What is under way
//     or not recorded counts as not come to.
//   - If it is found in the first, the row becomes one that waits, and is sent when no older one waits for the collection. If in
//     the second, the task stops in front of it. So no older task can ever have a collection before it that a younger one waits
//     for or was sent to: an older one that is resumed meets none of them.
//
// A dry run writes nothing, and takes no part in this.
type lane struct {
	*Tasks
	provider string
	in       inbox

	// What the goroutine of Tasks.Run alone knows.
	queued, running bool
	asked           bool // to make room
	begun           time.Time

	more    bool // it has made room, and would go on
	halting bool // it makes room
	tasks   []*task
	fresh   []*task // of which others are to hear (tellOthers)
	untold  []*task // of which others could not be told
	unread  []*task // whose waiting rows are not read
	dirty   bool    // pick has to look again
	main    *task   // the one whose turn it is
	beside  *task   // a dry run for the time in which that one stands in front of a row
	touched []*task // that have something to be recorded, or will have
	noted   map[string]*sending
	dues    int // rows of all tasks to come back to
	flying  int // items
	telling int // commands to tasks
	asleep  []*sending
	burst   int       // items that may still be sent of a burst
	since   time.Time // the newest item was sent
	permit  bool      // the pace of all was asked for one more item
	ready   time.Time // when pace and courtesy allow the next
	full    bool      // the disk has no room: what was sent was refused for that
	blind   time.Time // until when nothing is sent, because the store cannot be read
	tellers sync.WaitGroup
	timer   *time.Timer
}

func newLane(d *Tasks, provider string) *lane {
	return &lane{Tasks: d, provider: provider, noted: make(map[string]*sending), in: inbox{wake: make(chan struct{}, 1)}}
}

// work goes on until nothing can be done at the moment, or the lane is told to make room. It ends with nothing under way and
// everything recorded, but at the end of the context.
func (l *lane) work(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer l.tellers.Wait()
	defer cancel()
	l.timer = time.NewTimer(0)
	defer l.timer.Stop()
	l.more, l.halting, l.dirty = false, false, true
	for {
		now := time.Now()
		l.read(now)
		l.tellOthers(ctx)
		next := l.dispatch(ctx, now)
		flush := l.recordAll(ctx, now)
		if l.flying+len(l.asleep)+l.telling == 0 && next.IsZero() && flush.IsZero() && !l.in.news() {
			l.more = l.halting
			l.count(nil)
			return
		}
		if !l.wait(ctx, next, flush) {
			return
		}
	}
}

// wait waits for something to happen; false: the context has ended.
func (l *lane) wait(ctx context.Context, until ...time.Time) bool {
	for _, it := range l.asleep {
		until = append(until, it.due)
	}
	var first time.Time
	for _, t := range until {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	var timer <-chan time.Time
	if !first.IsZero() {
		l.timer.Reset(time.Until(first))
		timer = l.timer.C
	}
	select {
	case <-ctx.Done():
		return false
	case <-l.in.wake:
	case <-timer:
	}
	return true
}

// read takes in what has come.
func (l *lane) read(now time.Time) {
	m := l.in.take()
	for i := range m.answers {
		l.answered(&m.answers[i], now)
	}
	for i := range m.told {
		l.heard(&m.told[i], now)
	}
	for collection := range m.freed {
		l.free(collection)
	}
	if m.retry {
		l.retryAll()
	}
	if m.yield {
		l.makeRoom()
	}
	if len(m.tasks) > 0 && now.Before(l.blind) {
		l.in.back(m.tasks)
	} else {
		l.look(m.tasks, now)
	}
	l.rouse(now)
}

// look takes in where tasks stand: all of them before anything is sent.
func (l *lane) look(ids map[persistence.EntityID]bool, now time.Time) {
	for id := range ids {
		s, err := l.state(id)
		if errors.Is(err, persistence.ErrNotFound) {
			s, err = &bulk.State{}, nil
		}
		if err != nil {
			l.log.Error("a bulk task cannot be read", "task", id.String(), "error", err)
			l.in.back(ids)
			l.blind = now.Add(backOffMax)
			return
		}
		l.stands(id, s)
	}
	for len(l.unread) > 0 && !now.Before(l.blind) {
		t := l.unread[0]
		if err := l.recall(t); err != nil {
			l.log.Error("the rows that wait of a bulk task cannot be read", "task", t.id.String(), "error", err)
			l.blind = now.Add(backOffMax)
			return
		}
		l.unread = slices.Delete(l.unread, 0, 1)
	}
}

// stands takes in where a task stands.
func (l *lane) stands(id persistence.EntityID, s *bulk.State) {
	at := slices.IndexFunc(l.tasks, func(t *task) bool { return t.id == id })
	l.dirty = true
	switch {
	case at < 0 && concerns(s):
		t := newTask(id, s)
		l.fresh = append(l.fresh, t)
		at, _ := slices.BinarySearchFunc(l.tasks, t, byNumber)
		l.tasks = slices.Insert(l.tasks, at, t)
		if s.Waiting > 0 {
			l.unread = append(l.unread, t)
		}
		l.touch(t)
		if s.Status == bulk.Cancelling {
			l.cancel(t)
		}
	case at < 0:
	case !concerns(s):
		l.tasks[at].state = s
		l.drop(l.tasks[at])
	default:
		t := l.tasks[at]
		was := t.state.Status
		t.state = s
		l.changed(t, was)
	}
}

// byNumber is the order in which tasks apply.
func byNumber(a, b *task) int {
	return cmp.Or(cmp.Compare(a.state.Number, b.state.Number), strings.Compare(a.id.ID, b.id.ID))
}

// changed takes in that a task has another status.
func (l *lane) changed(t *task, was bulk.Status) {
	if t.state.Status == was {
		return
	}
	l.touch(t)
	if t.state.Status != bulk.Paused {
		l.forgetOrder(t)
	}
	if t.state.Status != bulk.InProgress {
		l.layDown(t)
	}
	switch t.state.Status {
	case bulk.Cancelling:
		l.cancel(t)
	case bulk.Expired:
		l.fresh = append(l.fresh, t)
	default:
	}
}

// drop forgets a task.
func (l *lane) drop(t *task) {
	t.closed, l.dirty = true, true
	l.layDown(t)
	l.forgetOrder(t)
	for _, list := range []*[]*task{&l.tasks, &l.fresh, &l.untold, &l.unread} {
		*list = slices.DeleteFunc(*list, func(o *task) bool { return o == t })
	}
	l.dues -= len(t.due)
	t.due = nil
	for _, w := range t.waiting {
		l.through(t, w)
	}
}

// makeRoom has the lane stop at the border of an item.
func (l *lane) makeRoom() {
	l.halting = true
	for _, t := range l.tasks {
		l.layDown(t)
	}
}

// layDown lays down the items of a task that were to be tried again soon: they are sent anew when it goes on.
func (l *lane) layDown(t *task) {
	l.asleep = slices.DeleteFunc(l.asleep, func(it *sending) bool {
		if it.task == t {
			l.putBack(it)
		}
		return it.task == t
	})
}

// rouse sends what has slept long enough.
func (l *lane) rouse(now time.Time) {
	var up []*sending
	l.asleep = slices.DeleteFunc(l.asleep, func(it *sending) bool {
		if it.due.After(now) {
			return false
		}
		up = append(up, it)
		return true
	})
	for _, it := range up {
		l.send(it)
	}
}

// touch has a task recorded, when there is something.
func (l *lane) touch(t *task) {
	if !t.touched {
		t.touched = true
		l.touched = append(l.touched, t)
	}
}

// count tells what the tasks do; running is the one whose turn it is, nil if the lane does not run. It rests while the disk
// has no room.
func (l *lane) count(running *task) {
	var tally TaskTally
	for _, t := range l.tasks {
		switch {
		case t.state.Status == bulk.Expired:
		case t == running && l.full:
			tally.Resting++
		case t == running:
			tally.Running++
		case t.state.Status == bulk.Paused:
			tally.Paused++
		case t.through():
			tally.Waiting++
		default:
			tally.Queued++
		}
	}
	l.in.mu.Lock()
	l.in.tally = tally
	l.in.mu.Unlock()
}
