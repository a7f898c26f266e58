package operations

import (
	"context"
	"iter"
	"maps"
	"slices"

	"concord/actors/collection"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// listMaxSteps bounds how many deleted entities one page may pass over.
const listMaxSteps = 10_000

// collectionList pages through the collections of a provider.
func (s *Service) collectionList(_ context.Context, r *transport.Request, done reply) {
	s.list(r, persistence.KindCollection, done, func(e persistence.Listed) (any, error) {
		state, err := collection.Behavior{}.DecodeState(e.Head.State)
		if err != nil || !state.Live() {
			return nil, err
		}
		return api.CollectionItem{ID: e.ID, Version: e.Head.Version, ETag: collection.ETag(e.Head.Version),
			Seq: state.SavedSeq, Format: state.Format, Type: state.Type, DocumentCount: state.Documents, Updated: state.Updated}, nil
	})
}

// itemOf is what a list shows of an entity; nil: nothing, it is deleted.
type itemOf func(persistence.Listed) (any, error)

// list pages through the provider's entities of a kind.
func (s *Service) list(r *transport.Request, kind persistence.Kind, done reply, item itemOf) {
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
	view := s.Store.View()
	answer, err := listPage(s.newPage(limit), view.Entities(kind, r.Provider, c.After), c.After, item)
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.SettledAll(func() { done(answer, err) })
}

func listPage(page *page, entities iter.Seq2[persistence.Listed, error], after string, item itemOf) (*transport.Reply, error) {
	steps, last := 0, after
	for e, err := range entities {
		if err != nil {
			return nil, err
		}
		if steps == listMaxSteps {
			return page.reply(&cursor{After: last}), nil
		}
		shown, err := item(e)
		if err != nil {
			return nil, err
		}
		if shown != nil {
			fits, err := page.add(shown)
			if err != nil {
				return nil, err
			}
			if !fits {
				return page.reply(&cursor{After: last}), nil
			}
		}
		steps, last = steps+1, e.ID
	}
	return page.reply(nil), nil
}

// ProviderExists says whether the store has any entity of the provider.
func (s *Service) ProviderExists(provider string) bool {
	for _, kind := range []persistence.Kind{persistence.KindCollection, persistence.KindProvider, persistence.KindType} {
		for _, err := range s.Store.Entities(kind, provider, "") {
			return err == nil
		}
	}
	return false
}

func sortedSet(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
