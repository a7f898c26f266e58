package jobs

import (
	"slices"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"

	"concord/actors/bulk"
	"concord/internal/planted"
)

// order are the collections that a paused task has not come to, as a sorted list of their hashes: 8 bytes each. Of two
// collections with the same hash one may be held back for the sake of the other; it goes on when the paused task does.
type order []uint64

// orderRoom bounds the items of all lists in memory.
type orderRoom struct{ left atomic.Int64 }

// take says if there is room for so many more.
func (r *orderRoom) take(items int) bool {
	if r.left.Add(-int64(items)) < 0 {
		r.left.Add(int64(items))
		return false
	}
	return true
}

func (r *orderRoom) give(items int) { r.left.Add(int64(items)) }

// add enters a collection. The list is of use once it is sorted.
func (o order) add(collection string) order { return append(o, xxhash.Sum64String(collection)) }

func (o order) sort() { slices.Sort(o) }

// has says that the collection may be in the list; if it is, it does.
func (o order) has(collection string) bool {
	_, found := slices.BinarySearch(o, xxhash.Sum64String(collection))
	return found
}

// verdict says if an item may be sent, as far as older tasks go.
type verdict uint8

const (
	clears  verdict = iota
	awaited         // an older one waits for the collection: so does this one
	ahead           // an older one that is paused has it before it, or may have
)

// judge looks for a collection in the older tasks.
func (l *lane) judge(t *task, name string) (v verdict) {
	if t.state.DryRun || planted.Overtake {
		return clears
	}
	for _, o := range l.tasks {
		if o == t {
			break
		}
		if o.state.DryRun {
			continue
		}
		if o.waiting[name] != nil {
			v = awaited
		}
		if o.state.Status == bulk.Paused && o.base < o.state.Total && l.before(o, name) {
			return ahead
		}
	}
	return v
}

// behind says that an older task waits for the collection, too. That it might have the collection before it need not be asked
// of a row that waits: it had its first turn.
func (l *lane) behind(t *task, name string) bool {
	for _, o := range l.tasks {
		if o == t || t.state.DryRun || planted.Overtake {
			break
		}
		if o.waiting[name] != nil && !o.state.DryRun {
			return true
		}
	}
	return false
}

// before says that a paused task has the collection before it, or may have: its list may not be at hand.
func (l *lane) before(t *task, name string) bool {
	if !t.ordered {
		t.ordered = true
		if err := l.orderOf(t); err != nil {
			l.log.Error("the list of a paused bulk task cannot be read: younger ones wait", "task", t.id.String(), "error", err)
		}
	}
	return t.order == nil || t.order.has(name)
}

// orderOf makes the list of what a task has before it, if there is room.
func (l *lane) orderOf(t *task) error {
	items := int(t.state.Total - t.base)
	if !l.room.take(items) {
		return nil
	}
	list := make(order, 0, items)
	var c chunk
	for row := t.base; row < t.state.Total; row++ {
		r, err := l.row(t, row, &c)
		if err != nil {
			l.room.give(items)
			return err
		}
		list = list.add(r.Collection)
	}
	list.sort()
	t.order = list
	return nil
}

// forgetOrder gives the room of a list back.
func (l *lane) forgetOrder(t *task) {
	if t.order != nil {
		l.room.give(cap(t.order))
	}
	t.order, t.ordered = nil, false
}
