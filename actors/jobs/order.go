package jobs

import (
	"slices"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
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
