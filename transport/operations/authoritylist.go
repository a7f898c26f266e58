package operations

import (
	"container/heap"
	"context"
	"fmt"
	"iter"

	"concord/actors/authority"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
)

// authorityFilter is which authorities a list shows.
type authorityFilter struct {
	source, naturalID, heading string // empty: all
	deleted                    bool   // those, too
}

// authorityList pages through authorities in order of their ids: those of an index that the request names a term of, or
// all. Deleted ones are found by their source, and among all.
func (s *Service) authorityList(_ context.Context, r *transport.Request, done reply) {
	limit, err := s.limit(r)
	if err != nil {
		done(nil, err)
		return
	}
	c, _, err := cursorParam(r)
	if err != nil {
		done(nil, err)
		return
	}
	f := authorityFilter{source: r.Param("source"), naturalID: r.Param("naturalId"), deleted: r.Param("deleted") == "true"}
	if text := r.Param("heading"); text != "" {
		if f.heading = links.KeyOf(text); f.heading == "" {
			done(nil, problem.At("heading", "has nothing but punctuation"))
			return
		}
	}
	view := s.Store.View()
	show := &authorityShow{view: view, provider: r.Provider}
	answer, err := listPage(s.newPage(limit), f.entities(view, r.Provider, c.After), c.After, func(e persistence.Listed) (any, error) {
		state, err := authority.Behavior{}.DecodeState(e.Head.State)
		if err != nil || !f.shows(&state) {
			return nil, err
		}
		item, err := show.item(e)
		if item == nil {
			return nil, err
		}
		return item, err
	})
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.SettledAll(func() { done(answer, err) })
}

func (f *authorityFilter) shows(state *authority.State) bool {
	return (!state.Deleted || f.deleted) && (f.source == "" || state.Source == f.source) &&
		(f.naturalID == "" || state.NaturalID == f.naturalID) && (f.heading == "" || state.Heading.Key() == f.heading)
}

// entities are the authorities that may be shown, from the smallest index that has them.
func (f *authorityFilter) entities(view persistence.View, provider, after string) iter.Seq2[persistence.Listed, error] {
	key := persistence.IndexKey{Kind: persistence.KindAuthority, Provider: provider}
	switch {
	case f.naturalID != "" && !f.deleted:
		key.Name, key.Term = links.IndexByNaturalID, persistence.Term(f.naturalID)
	case f.heading != "" && !f.deleted:
		key.Name, key.Term = links.IndexByHeading, persistence.Term(f.heading)
	case f.source != "":
		key.Name, key.Term = links.IndexAuthoritiesOf, persistence.Term(f.source)
	default:
		return view.Entities(persistence.KindAuthority, provider, after)
	}
	return func(yield func(persistence.Listed, error) bool) {
		for e, err := range indexInOrder(view, key, after) {
			listed := persistence.Listed{ID: e.Entity}
			if err == nil {
				listed.Head, err = view.Head(authorityID(provider, e.Entity))
			}
			if err != nil {
				err = fmt.Errorf("list authorities: %w", err)
			}
			if !yield(listed, err) || err != nil {
				return
			}
		}
	}
}

// indexInOrder merges the entries under a term of all partitions in order of their entities: one seek a partition, then one
// step an entry.
func indexInOrder(view persistence.View, key persistence.IndexKey, after string) iter.Seq2[persistence.IndexEntry, error] {
	return func(yield func(persistence.IndexEntry, error) bool) {
		var lines indexLines
		defer func() {
			for _, l := range lines {
				l.stop()
			}
		}()
		from := persistence.IndexEntry{Entity: after}
		for p := range view.Partitions() {
			l := indexLine{}
			l.next, l.stop = iter.Pull2(view.Index(persistence.Partition(p), key, from))
			if !l.advance() {
				l.stop()
				continue
			}
			lines = append(lines, l)
		}
		heap.Init(&lines)
		for len(lines) > 0 {
			l := &lines[0]
			if !yield(l.entry, l.err) || l.err != nil {
				return
			}
			if l.advance() {
				heap.Fix(&lines, 0)
				continue
			}
			l.stop()
			heap.Pop(&lines)
		}
	}
}

// indexLine is the entries of one partition.
type indexLine struct {
	next  func() (persistence.IndexEntry, error, bool)
	stop  func()
	entry persistence.IndexEntry
	err   error
}

func (l *indexLine) advance() (more bool) {
	l.entry, l.err, more = l.next()
	return more
}

// indexLines are a heap: the least entity first, and errors before all.
type indexLines []indexLine

func (l indexLines) Len() int { return len(l) }
func (l indexLines) Less(i, j int) bool {
	if l[i].err != nil || l[j].err != nil {
		return l[i].err != nil
	}
	return l[i].entry.Entity < l[j].entry.Entity
}
func (l indexLines) Swap(i, j int) { l[i], l[j] = l[j], l[i] }
func (l *indexLines) Push(x any)   { *l = append(*l, x.(indexLine)) }
func (l *indexLines) Pop() any {
	last := (*l)[len(*l)-1]
	*l = (*l)[:len(*l)-1]
	return last
}
