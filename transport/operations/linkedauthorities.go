package operations

import (
	"container/heap"
	"context"
	"errors"
	"iter"

	"concord/actors/links"
	"concord/actors/problem"
	"concord/persistence"
)

// linkedAuthorities counts the authorities of a source that a document of a living collection is linked to. It merges the
// index of all partitions in order of the authorities: what it costs grows with the links of the provider, what it holds
// with the partitions.
func linkedAuthorities(ctx context.Context, view persistence.View, source persistence.EntityID) (n uint64, err error) {
	m := linkMerge{counter: linkCounter{view: view, provider: source.Provider}}
	defer m.close()
	key := persistence.IndexKey{Kind: persistence.KindCollection, Name: links.IndexByAuthority, Provider: source.Provider}
	for p := range view.Partitions() {
		if err := m.open(view.IndexTerms(persistence.Partition(p), key)); err != nil {
			return 0, err
		}
	}
	for len(m.lanes) > 0 {
		if ctx.Err() != nil {
			return n, problem.New(problem.Deadline, "the authorities could not be counted in time")
		}
		id, linked, err := m.next()
		if err != nil {
			return n, err
		}
		if !linked {
			continue
		}
		head, err := view.Head(persistence.EntityID{Kind: persistence.KindAuthority, Provider: source.Provider, ID: id})
		if err != nil && !isMissing(err) {
			return n, err
		}
		is, err := links.DecodeAuthority(head.State)
		if err != nil {
			return n, errors.Join(persistence.ErrCorrupt, err)
		}
		if is.Source == source.ID {
			n++
		}
	}
	return n, nil
}

// lane is the index of one partition, at the entry that comes next.
type lane struct {
	at   persistence.IndexEntry
	next func() (persistence.IndexEntry, error, bool)
	stop func()
}

// linkMerge merges lanes: a heap in order of the terms.
type linkMerge struct {
	lanes   []*lane
	counter linkCounter
}

func (m *linkMerge) Len() int           { return len(m.lanes) }
func (m *linkMerge) Less(i, j int) bool { return m.lanes[i].at.Term < m.lanes[j].at.Term }
func (m *linkMerge) Swap(i, j int)      { m.lanes[i], m.lanes[j] = m.lanes[j], m.lanes[i] }
func (m *linkMerge) Push(x any)         { m.lanes = append(m.lanes, x.(*lane)) }
func (m *linkMerge) Pop() any {
	last := m.lanes[len(m.lanes)-1]
	m.lanes = m.lanes[:len(m.lanes)-1]
	return last
}

// open adds a lane, unless it is empty.
func (m *linkMerge) open(entries iter.Seq2[persistence.IndexEntry, error]) error {
	next, stop := iter.Pull2(entries)
	at, err, ok := next()
	if !ok || err != nil {
		stop()
		return err
	}
	heap.Push(m, &lane{at, next, stop})
	return nil
}

// next takes all entries of the first term, and says whether one of them is of a living collection.
func (m *linkMerge) next() (term string, linked bool, err error) {
	term = m.lanes[0].at.Term
	for len(m.lanes) > 0 && m.lanes[0].at.Term == term {
		l := m.lanes[0]
		if !linked {
			if linked, err = m.living(l.at); err != nil {
				return term, linked, err
			}
		}
		at, err, ok := l.next()
		if err != nil {
			return term, linked, err
		}
		if !ok {
			l.stop()
			heap.Pop(m)
			continue
		}
		l.at = at
		heap.Fix(m, 0)
	}
	return term, linked, nil
}

func (m *linkMerge) living(e persistence.IndexEntry) (bool, error) {
	value, err := links.DecodeIndexValue(e.Value)
	if err != nil {
		return false, errors.Join(persistence.ErrCorrupt, err)
	}
	state, err := m.counter.state(e.Entity)
	return err == nil && state.Live() && value.Version >= state.Born, err
}

func (m *linkMerge) close() {
	for _, l := range m.lanes {
		l.stop()
	}
}
