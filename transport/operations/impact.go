package operations

import (
	"context"
	"errors"
	"fmt"

	"concord/actors/authority"
	"concord/actors/collection"
	"concord/actors/links"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/actors/source"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// linkCounter counts linked documents by their entries in an index. No document is read.
type linkCounter struct {
	view     persistence.View
	provider string
	api.LinkCount
	locked uint64
}

// count counts all partitions. A collection stands in one of them, its documents in a row: so nothing has to be remembered.
func (c *linkCounter) count(ctx context.Context, key persistence.IndexKey) error {
	for p := range c.view.Partitions() {
		if err := ctx.Err(); err != nil {
			return problem.New(problem.Deadline, "the links could not be counted in time")
		}
		if err := c.partition(persistence.Partition(p), key); err != nil {
			return err
		}
	}
	return nil
}

func (c *linkCounter) partition(p persistence.Partition, key persistence.IndexKey) error {
	last, counted := "", false
	var state collection.State
	for e, err := range c.view.Index(p, key, persistence.IndexEntry{}) {
		if err != nil {
			return err
		}
		if e.Entity != last {
			last, counted = e.Entity, false
			if state, err = c.state(e.Entity); err != nil {
				return err
			}
		}
		value, err := links.DecodeIndexValue(e.Value)
		if err != nil {
			return errors.Join(persistence.ErrCorrupt, err)
		}
		if !state.Live() || value.Version < state.Born {
			continue
		}
		c.Links += value.Links
		c.Documents++
		if !counted {
			counted = true
			c.collection(state)
		}
	}
	return nil
}

func (c *linkCounter) collection(state collection.State) {
	c.Collections++
	if _, held := lock.HolderOf(state.Lock); held {
		c.locked++
	}
}

// state is that of a collection; of one that never was the zero one.
func (c *linkCounter) state(id string) (state collection.State, err error) {
	head, err := c.view.Head(persistence.EntityID{Kind: persistence.KindCollection, Provider: c.provider, ID: id})
	if err != nil && !isMissing(err) {
		return state, err
	}
	if state, err = (collection.Behavior{}).DecodeState(head.State); err != nil {
		return state, fmt.Errorf("%w: collection %s: %w", persistence.ErrCorrupt, id, err)
	}
	return state, nil
}

// ofCollection counts the links of one collection, by what is kept beside its documents.
func (c *linkCounter) ofCollection(id string) error {
	sh, err := newest(c.view, persistence.EntityID{Kind: persistence.KindCollection, Provider: c.provider, ID: id})
	if err != nil {
		return err
	}
	if sh.state.Deleted {
		return noSuchCollection()
	}
	for p, err := range sh.parts("") {
		if err != nil {
			return err
		}
		table := collection.TableOf(p.Info)
		if n := table.Links(); n > 0 {
			c.Links += uint64(n)
			c.Documents++
		}
	}
	if c.Documents > 0 {
		c.Collections = 1
	}
	return nil
}

// linkCount counts links by source, by authority or by collection.
func (s *Service) linkCount(ctx context.Context, r *transport.Request, done reply) {
	q, err := decodeLinkQuery(r)
	if err != nil {
		done(nil, err)
		return
	}
	s.readAll(done, func(view persistence.View) (*transport.Reply, error) {
		c := linkCounter{view: view, provider: r.Provider}
		if q.collection != "" {
			err = c.ofCollection(q.collection)
		} else {
			err = c.count(ctx, q.key(r.Provider))
		}
		if err != nil {
			return nil, err
		}
		return ok(c.LinkCount)
	})
}

// readAll runs fn on a view of the store, and answers when all that the view showed is durable.
func (s *Service) readAll(done reply, fn func(persistence.View) (*transport.Reply, error)) {
	view := s.Store.View()
	answer, err := fn(view)
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.SettledAll(func() { done(answer, err) })
}

// sourceImpact counts what a change of the base URL would reach.
func (s *Service) sourceImpact(ctx context.Context, r *transport.Request, done reply) {
	id := persistence.EntityID{Kind: persistence.KindSource, Provider: r.Provider, ID: r.ID}
	s.readAll(done, func(view persistence.View) (*transport.Reply, error) {
		if err := sourceIsThere(view, id); err != nil {
			return nil, err
		}
		c := linkCounter{view: view, provider: r.Provider}
		if err := c.count(ctx, indexOfDocuments(id)); err != nil {
			return nil, err
		}
		authorities, err := linkedAuthorities(ctx, view, id)
		if err != nil {
			return nil, err
		}
		return ok(c.impact(authorities))
	})
}

func (c *linkCounter) impact(authorities uint64) api.Impact {
	return api.Impact{Authorities: authorities, Links: c.Links, Documents: c.Documents, Collections: c.Collections, Locked: c.locked}
}

// authorityImpact counts what a change of the authority would reach.
func (s *Service) authorityImpact(ctx context.Context, r *transport.Request, done reply) {
	id := persistence.EntityID{Kind: persistence.KindAuthority, Provider: r.Provider, ID: r.Inner}
	s.readAll(done, func(view persistence.View) (*transport.Reply, error) {
		head, err := view.Head(id)
		if isMissing(err) {
			return nil, authority.Missing()
		}
		if err != nil {
			return nil, err
		}
		is, err := links.DecodeAuthority(head.State)
		if err != nil {
			return nil, errors.Join(persistence.ErrCorrupt, err)
		}
		if !is.Live() {
			return nil, authority.Missing()
		}
		c := linkCounter{view: view, provider: r.Provider}
		q := linkQuery{authority: r.Inner}
		if err := c.count(ctx, q.key(r.Provider)); err != nil {
			return nil, err
		}
		return ok(c.impact(min(c.Links, 1)))
	})
}

// sourceIsThere refuses a source that is not.
func sourceIsThere(view persistence.View, id persistence.EntityID) error {
	head, err := view.Head(id)
	if isMissing(err) {
		return source.Missing()
	}
	if err != nil {
		return err
	}
	state, err := source.Behavior{}.DecodeState(head.State)
	if err != nil {
		return errors.Join(persistence.ErrCorrupt, err)
	}
	if !state.Live {
		return source.Missing()
	}
	return nil
}
