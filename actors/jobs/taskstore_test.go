package jobs

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"strings"

	"concord/actors/bulk"
	"concord/actors/entity"
	"concord/persistence"
)

// The world of bulk tasks as a store.

func (w *taskWorld) Head(id persistence.EntityID) (persistence.Head, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.headless != nil {
		if err := w.headless(id); err != nil {
			return persistence.Head{}, err
		}
	}
	if j := w.tasks[id]; j != nil {
		return persistence.Head{Seq: j.seq, State: bulk.Behavior{}.EncodeState(j.state)}, nil
	}
	return persistence.Head{}, persistence.ErrNotFound
}

func (w *taskWorld) View() persistence.View { return &taskView{world: w} }

// taskView shows what the driver reads; anything else panics.
type taskView struct {
	persistence.View
	world *taskWorld
}

func (v *taskView) Close() error    { return nil }
func (v *taskView) Partitions() int { return v.world.partitions }

func (v *taskView) Part(id persistence.EntityID, part string) (persistence.Part, error) {
	v.world.mu.Lock()
	defer v.world.mu.Unlock()
	if v.world.unread != nil {
		if err := v.world.unread(part); err != nil {
			return persistence.Part{}, err
		}
	}
	if _, ok := v.world.tasks[id].parts[part]; !ok {
		return persistence.Part{}, persistence.ErrNotFound
	}
	at, _ := slices.BinarySearch(slices.Sorted(maps.Keys(v.world.tasks[id].parts)), part)
	return persistence.Part{ID: part, Place: persistence.Place{Index: at}}, nil
}

// Body finds the part by its name: the place has none.
func (v *taskView) Body(id persistence.EntityID, place persistence.Place) ([]byte, error) {
	v.world.mu.Lock()
	defer v.world.mu.Unlock()
	parts := slices.Sorted(maps.Keys(v.world.tasks[id].parts))
	return v.world.tasks[id].parts[parts[place.Index]], nil
}

func (v *taskView) Parts(id persistence.EntityID, after string) iter.Seq2[persistence.Part, error] {
	v.world.mu.Lock()
	parts := slices.Sorted(maps.Keys(v.world.tasks[id].parts))
	v.world.mu.Unlock()
	return func(yield func(persistence.Part, error) bool) {
		for i, part := range parts {
			if part > after && !yield(persistence.Part{ID: part, Place: persistence.Place{Index: i}}, nil) {
				return
			}
		}
	}
}

// IndexTerms makes the entries of the index as the kind would.
func (v *taskView) IndexTerms(p persistence.Partition, key persistence.IndexKey) iter.Seq2[persistence.IndexEntry, error] {
	w := v.world
	w.mu.Lock()
	defer w.mu.Unlock()
	var entries []persistence.IndexEntry
	for id, j := range w.tasks {
		if persistence.PartitionOf(id, w.partitions) != p {
			continue
		}
		for _, c := range (bulk.Behavior{}).Project(bulk.State{}, bulk.Event{After: j.state}, entity.Stamp{Entity: id}).Index {
			if c.Name == key.Name && !c.Removed {
				entries = append(entries, persistence.IndexEntry{Provider: id.Provider, Term: c.Term, Entity: id.ID, Value: c.Value})
			}
		}
	}
	slices.SortFunc(entries, func(a, b persistence.IndexEntry) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.Term, b.Term), strings.Compare(a.Entity, b.Entity))
	})
	return func(yield func(persistence.IndexEntry, error) bool) {
		for _, e := range entries {
			if !yield(e, nil) {
				return
			}
		}
	}
}
