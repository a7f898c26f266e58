package operations

import (
	"errors"
	"fmt"
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
}

// DefaultBulk are the bounds that nobody has changed.
var DefaultBulk = Bulk{Enabled: true, ItemsMax: bulk.ItemsMax, OpenTasksMax: 100, OpenItemsMax: 4_000_000, Retention: 90 * 24 * time.Hour}

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
	key := persistence.IndexKey{Kind: persistence.KindBulk, Name: bulk.IndexOpenTasks, Provider: provider}
	for p := range view.Partitions() {
		for e, err := range view.IndexTerms(persistence.Partition(p), key) {
			if err != nil {
				return 0, 0, fmt.Errorf("count the open bulk tasks: %w", err)
			}
			listed, err := bulk.DecodeListed(e.Value)
			if err != nil {
				return 0, 0, errors.Join(persistence.ErrCorrupt, err)
			}
			if !listed.Status.Open() {
				continue
			}
			state, _, err := bulkState(view, bulkID(provider, e.Entity))
			if err != nil {
				return 0, 0, err
			}
			tasks, items = tasks+1, items+state.Total
		}
	}
	return tasks, items, nil
}
