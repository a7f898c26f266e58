package operations

import (
	"errors"
	"fmt"
	"iter"
	"time"

	"concord/actors/bulk"
	"concord/actors/problem"
	"concord/persistence"
)

// Bulk are the bounds of bulk updates.
type Bulk struct {
	Enabled      bool
	ItemsMax     int           // of a task
	OpenTasksMax int           // of a provider
	OpenItemsMax int           // of all open tasks of a provider
	Retention    time.Duration // of a task that has ended
	Undo         time.Duration // how long what a task replaces is kept for a roll-back; see undo
}

// undo is how long a task can be taken back: no longer than it is known what it has done.
func (b *Bulk) undo() time.Duration {
	if b.Retention > 0 {
		return min(b.Undo, b.Retention)
	}
	return b.Undo
}

// DefaultBulk are the bounds that nobody has changed.
var DefaultBulk = Bulk{Enabled: true, ItemsMax: bulk.ItemsMax, OpenTasksMax: 100, OpenItemsMax: 4_000_000, Retention: 90 * 24 * time.Hour,
	Undo: 7 * 24 * time.Hour}

// bulkFullRetry is when it makes sense to ask again whether there is room for another task.
const bulkFullRetry = 10 * time.Second

// bulkRoom refuses a task for which there is no room beside the open ones.
func (s *Service) bulkRoom(provider string, items uint64) error {
	view := s.Store.View()
	tasks, open, err := openBulks(view, provider)
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	most := &s.Limits.Bulk
	var p *problem.Problem
	switch {
	case tasks >= most.OpenTasksMax:
		p = problem.New(problem.QueueFull, "%d bulk tasks of the provider are open: that is the limit", tasks).With("limit", most.OpenTasksMax)
	case open > 0 && open+items > uint64(most.OpenItemsMax):
		p = problem.New(problem.QueueFull, "the open bulk tasks of the provider have %d items, and this one has %d: the limit is %d",
			open, items, most.OpenItemsMax).With("limit", most.OpenItemsMax)
	default:
		return nil
	}
	p.RetryAfter = bulkFullRetry
	return p
}

// openBulks counts the open tasks of a provider, and their items.
func openBulks(view persistence.View, provider string) (tasks int, items uint64, err error) {
	for t, err := range openTasks(view, provider) {
		if err != nil {
			return 0, 0, err
		}
		tasks, items = tasks+1, items+t.state.Total
	}
	return tasks, items, nil
}

// openTasks are the open tasks of a provider. Their number is bounded.
func openTasks(view persistence.View, provider string) iter.Seq2[*bulkTask, error] {
	return func(yield func(*bulkTask, error) bool) {
		key := persistence.IndexKey{Kind: persistence.KindBulk, Name: bulk.IndexOpenTasks, Provider: provider}
		for p := range view.Partitions() {
			for e, err := range view.IndexTerms(persistence.Partition(p), key) {
				var t *bulkTask
				if err == nil {
					t, err = openTask(view, provider, &e)
				}
				if err != nil {
					yield(nil, fmt.Errorf("look at the open bulk tasks: %w", err))
					return
				}
				if t != nil && !yield(t, nil) {
					return
				}
			}
		}
	}
}

// openTask is the task of an entry in the index of open tasks; nil: it is a draft, or has expired.
func openTask(view persistence.View, provider string, e *persistence.IndexEntry) (*bulkTask, error) {
	listed, err := bulk.DecodeListed(e.Value)
	if err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, err)
	}
	if !listed.Status.Open() {
		return nil, nil
	}
	t := &bulkTask{id: bulkID(provider, e.Entity)}
	t.state, t.seq, err = bulkState(view, t.id)
	return t, err
}
