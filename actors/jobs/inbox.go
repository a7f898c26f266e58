package jobs

import (
	"maps"
	"sync"

	"concord/actors/bulk"
	"concord/actors/entity"
	"concord/persistence"
)

// inbox is what comes to a lane from other goroutines. It is safe for concurrent use, and nobody who puts something in waits.
// It is bounded by what is under way, and by the tasks and collections that the driver knows.
type inbox struct {
	wake chan struct{}

	mu    sync.Mutex
	mail  mail
	tally TaskTally // what the lane says of itself
}

// mail is what has come since it was looked at.
type mail struct {
	answers []answered
	told    []told
	tasks   map[persistence.EntityID]bool // to be looked at
	freed   map[string]bool               // collections that may be free now
	retry   bool                          // come back to all that waits
	yield   bool                          // make room
}

// answered is what came of an item that was sent.
type answered struct {
	*sending
	answer entity.Answer
	err    error
}

// told is what came of a command to a task.
type told struct {
	task    *task
	command bulk.Command
	err     error
}

func (i *inbox) put(change func(*mail)) {
	i.mu.Lock()
	change(&i.mail)
	i.mu.Unlock()
	select {
	case i.wake <- struct{}{}:
	default:
	}
}

func (i *inbox) answer(a answered) { i.put(func(m *mail) { m.answers = append(m.answers, a) }) }

func (i *inbox) look(ids []persistence.EntityID) {
	i.put(func(m *mail) {
		if m.tasks == nil {
			m.tasks = make(map[persistence.EntityID]bool, len(ids))
		}
		for _, id := range ids {
			m.tasks[id] = true
		}
	})
}

func (i *inbox) free(collection string) {
	i.put(func(m *mail) {
		if m.freed == nil {
			m.freed = make(map[string]bool)
		}
		m.freed[collection] = true
	})
}

func (i *inbox) retry() { i.put(func(m *mail) { m.retry = true }) }
func (i *inbox) yield() { i.put(func(m *mail) { m.yield = true }) }

// take empties the inbox.
func (i *inbox) take() mail {
	i.mu.Lock()
	defer i.mu.Unlock()
	m := i.mail
	i.mail = mail{}
	return m
}

// back puts in again what could not be looked at, to be looked at later: it wakes nobody.
func (i *inbox) back(tasks map[persistence.EntityID]bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.mail.tasks == nil {
		i.mail.tasks = tasks
		return
	}
	maps.Copy(i.mail.tasks, tasks)
}

// news says that something has come that the lane has not looked at.
func (i *inbox) news() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	m := &i.mail
	return len(m.answers)+len(m.told)+len(m.tasks)+len(m.freed) > 0 || m.retry
}
