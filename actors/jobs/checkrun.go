package jobs

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/jobs/jobspb"
	"concord/persistence"
)

// Run checks until the context ends.
func (c *Checker) Run(ctx context.Context) error {
	moved, retry := time.NewTicker(movedEvery), time.NewTicker(waitingRetryEvery)
	defer moved.Stop()
	defer retry.Stop()
	var kept time.Time
	for ctx.Err() == nil {
		news, err := c.round(ctx)
		if errors.Is(err, errStopped) {
			return nil
		}
		if err != nil {
			return err
		}
		if c.news = c.news || news; c.news && time.Since(kept) >= savedEvery {
			if err := c.keep(ctx); err != nil {
				return err
			}
			kept = time.Now()
			continue
		}
		soon := time.NewTimer(savedEvery)
		if !c.news {
			soon.Stop()
		}
		select {
		case <-ctx.Done():
		case <-c.notes.wake:
		case <-soon.C:
		case <-moved.C:
			c.news = c.news || c.moved()
		case <-retry.C:
			c.retryAll()
		}
		soon.Stop()
	}
	return nil
}

// round checks all that is to be checked now; news says that there was something.
func (c *Checker) round(ctx context.Context) (news bool, err error) {
	_, freed, _ := c.notes.take()
	var again []item
	for _, i := range c.waiting {
		if freed[i.collection] {
			again = append(again, i)
		}
	}
	if err := c.check(ctx, again); err != nil {
		return false, err
	}
	for {
		c.mu.Lock()
		items, behind := c.items, c.behind
		c.items, c.behind = nil, false // from now on what comes is noted
		c.mu.Unlock()
		if len(items) == 0 && !behind {
			return news || len(again) > 0, nil
		}
		news = true
		for chunk := range slices.Chunk(items, checkBatch) {
			if err := c.check(ctx, chunk); err != nil {
				return true, err
			}
		}
		if behind {
			if err := c.catchUp(ctx); err != nil {
				return true, err
			}
		}
	}
}

// catchUp checks what the log has, up to its end.
func (c *Checker) catchUp(ctx context.Context) error {
	for p := range c.checked {
		part := persistence.Partition(p)
		last := c.store.Last(part)
		for at := c.checked[p] + 1; at <= last; {
			items, next, err := c.logged(part, at)
			if err != nil {
				return err
			}
			if err := c.check(ctx, items); err != nil {
				return err
			}
			at = next
			c.checked[p] = next - 1
		}
	}
	return nil
}

// logged reads the entries that records of the log have made, from a position on, and where to go on. Records that retention
// has removed leave nothing to be checked: what they wrote was written anew.
func (c *Checker) logged(part persistence.Partition, from persistence.Position) (items []item, next persistence.Position, err error) {
	next = c.store.Last(part) + 1
	n := 0
	for rec, err := range c.store.Log(part, from) {
		if err != nil {
			return nil, next, fmt.Errorf("read the log of partition %d at %d: %w", part, from, err)
		}
		if n == checkLogMaxAtOnce || len(items) >= checkBatch {
			return items, rec.Position, nil
		}
		n++
		more, err := itemsOf(&rec, part)
		if err != nil {
			return nil, next, err
		}
		items = append(items, more...)
		next = max(next, rec.Position+1)
	}
	return items, next, nil
}

// moved says that the log has grown since it was checked.
func (c *Checker) moved() bool {
	for p := range c.checked {
		if c.store.Last(persistence.Partition(p)) > c.checked[p] {
			return true
		}
	}
	return false
}

// retryAll has all corrections tried again that wait: a lock may have ended unseen.
func (c *Checker) retryAll() {
	for _, i := range c.waiting {
		c.notes.free(i.collection)
	}
}

// keep checks all that is in the log by now, and keeps how far that is.
func (c *Checker) keep(ctx context.Context) error {
	ends := make([]persistence.Position, len(c.checked))
	for p := range ends {
		ends[p] = c.store.Last(persistence.Partition(p))
	}
	seen := make(chan struct{})
	c.host.SettledAll(func() { close(seen) })
	select {
	case <-seen:
	case <-ctx.Done():
		return nil
	}
	if _, err := c.round(ctx); err != nil {
		if errors.Is(err, errStopped) {
			return nil
		}
		return err
	}
	for p := range ends {
		c.checked[p] = max(c.checked[p], ends[p])
	}
	c.news = false
	return c.save()
}

// save keeps how far the checker is. Corrections that wait are kept by name, those from the log last; for what has no room
// the log is read again.
func (c *Checker) save() error {
	m := &jobspb.Checked{Positions: make([]uint64, len(c.checked))}
	for p, position := range c.checked {
		m.Positions[p] = uint64(position)
	}
	waiting := slices.SortedFunc(maps.Values(c.waiting), func(a, b item) int { return int(min(a.position, 1)) - int(min(b.position, 1)) })
	for n := range waiting {
		i := &waiting[n]
		if n < pendingMaxItems || i.position == 0 {
			m.Pending = append(m.Pending, &jobspb.Pending{Provider: i.collection.Provider, Collection: i.collection.ID, Document: i.document,
				Authority: i.cause.Kind == persistence.KindAuthority, Cause: i.cause.ID, Revision: i.revision})
			continue
		}
		m.Positions[i.partition] = min(m.Positions[i.partition], uint64(i.position-1))
	}
	text, err := proto.Marshal(m)
	if err != nil {
		return fmt.Errorf("keep how far links are checked: %w", err)
	}
	if err := c.store.SetCursor(checkedCursor, text); err != nil {
		return fmt.Errorf("keep how far links are checked: %w", err)
	}
	for p, position := range m.Positions {
		c.passed[p].Store(position)
	}
	return nil
}
