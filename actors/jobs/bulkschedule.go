package jobs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"concord/actors/bulk"
	"concord/persistence"
)

// look takes the notes, and hands them to the lanes. All that is new to a lane comes to it at once: it must not hear of a task
// before it has heard of an older one.
func (d *Tasks) look() error {
	ids, freed, many := d.notes.take()
	d.overflow = d.overflow || many
	found := make(map[string][]persistence.EntityID)
	if many { // the news of any task may have been lost
		for id := range d.known {
			found[id.Provider] = append(found[id.Provider], id)
		}
	}
	for i, id := range ids {
		s, err := d.state(id)
		switch {
		case errors.Is(err, persistence.ErrNotFound):
		case err != nil:
			d.notes.back(ids, freed, many) // those of before, too: nobody has heard of them
			return fmt.Errorf("look at note %d of %d: %w", i+1, len(ids), err)
		case !concerns(s):
			delete(d.known, id)
			found[id.Provider] = append(found[id.Provider], id)
		case d.known[id] || !d.overflow && len(d.known) < d.openMax:
			d.known[id] = true
			found[id.Provider] = append(found[id.Provider], id)
		default:
			d.overflow = true
		}
	}
	for provider, ids := range found {
		d.post(provider, ids)
	}
	for collection := range freed {
		if l := d.lanes[collection.Provider]; l != nil {
			l.in.free(collection.ID)
			d.enqueue(l)
		}
	}
	if d.overflow && len(d.known) < d.openMax/2 {
		return d.fill()
	}
	return nil
}

// listed is a task in the index.
type listed struct {
	id     persistence.EntityID
	number uint64
}

// fill looks for open tasks in the index. If they are too many to be known, those with the least numbers are: of a provider the
// oldest, so that no task is known while an older one is not.
func (d *Tasks) fill() (err error) {
	view := d.store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	d.overflow = false
	var list []listed
	for p := range view.Partitions() {
		for e, err := range view.IndexTerms(persistence.Partition(p), persistence.IndexKey{Kind: persistence.KindBulk, Name: bulk.IndexOpenTasks}) {
			if err != nil {
				d.overflow = true
				return fmt.Errorf("look for open bulk tasks in partition %d: %w", p, err)
			}
			info, err := bulk.DecodeListed(e.Value)
			if err != nil {
				d.overflow = true
				return fmt.Errorf("look for open bulk tasks in partition %d: %w: %w", p, persistence.ErrCorrupt, err)
			}
			id := persistence.EntityID{Kind: persistence.KindBulk, Provider: e.Provider, ID: e.Entity}
			if !info.Status.Open() && info.Status != bulk.Expired || d.known[id] {
				continue
			}
			if list = append(list, listed{id, info.Number}); len(list) >= 2*d.openMax {
				list, d.overflow = d.oldest(list), true
			}
		}
	}
	if len(list) > d.openMax {
		list, d.overflow = d.oldest(list), true
	}
	found := make(map[string][]persistence.EntityID)
	for _, e := range list {
		d.known[e.id] = true
		found[e.id.Provider] = append(found[e.id.Provider], e.id)
	}
	for provider, ids := range found {
		d.post(provider, ids)
	}
	return nil
}

// oldest are as many as may be known.
func (d *Tasks) oldest(list []listed) []listed {
	slices.SortFunc(list, func(a, b listed) int { return cmp.Compare(a.number, b.number) })
	return list[:d.openMax]
}

// post has a lane look at tasks.
func (d *Tasks) post(provider string, ids []persistence.EntityID) {
	l := d.lanes[provider]
	if l == nil {
		l = newLane(d, provider)
		d.mu.Lock()
		d.lanes[provider] = l
		d.mu.Unlock()
	}
	l.in.look(ids)
	d.enqueue(l)
}

// enqueue puts a lane in line, if it is not there and does not run.
func (d *Tasks) enqueue(l *lane) {
	if !l.queued && !l.running {
		l.queued = true
		d.line = append(d.line, l)
	}
}

// retryWaiting has all tasks come back to all that they wait for: a lock may have ended unseen.
func (d *Tasks) retryWaiting() {
	for _, l := range d.lanes {
		l.in.retry()
		d.enqueue(l)
	}
}

// startMore starts lanes as far as there is room.
func (d *Tasks) startMore(ctx context.Context) {
	for d.running < d.settings.TasksAtOnce && len(d.line) > 0 {
		l := d.line[0]
		d.line = slices.Delete(d.line, 0, 1)
		l.queued, l.running, l.begun, l.asked = false, true, time.Now(), false
		d.running++
		d.runners.Go(func() {
			l.work(ctx)
			select {
			case d.finished <- l:
			case <-ctx.Done():
			}
		})
	}
}

// turn is a timer for the end of the oldest slice, if others wait for it.
func (d *Tasks) turn() *time.Timer {
	wait := waitingRetryEvery
	if len(d.line) > 0 {
		for _, l := range d.lanes {
			if l.running && !l.asked {
				wait = min(wait, time.Until(l.begun.Add(d.settings.Slice)))
			}
		}
	}
	return time.NewTimer(wait)
}

// takeTurns has lanes make room that have run for a slice, as many as there are others in line.
func (d *Tasks) takeTurns() {
	waiting := len(d.line)
	for _, l := range d.lanes {
		if waiting > 0 && l.running && !l.asked && time.Since(l.begun) >= d.settings.Slice {
			l.asked = true
			l.in.yield()
			waiting--
		}
	}
}

// ended takes in that a lane has made room, or has nothing to do at the moment.
func (d *Tasks) ended(l *lane) {
	d.running--
	l.running = false
	switch {
	case l.in.news() || l.more:
		d.enqueue(l)
	case len(l.tasks) == 0:
		d.mu.Lock()
		delete(d.lanes, l.provider)
		d.mu.Unlock()
	}
}
