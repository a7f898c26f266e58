package operations

import (
	"context"
	"maps"
	"slices"

	"concord/actors/collection"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// listMaxSteps bounds how many deleted collections one page may pass over.
const listMaxSteps = 10_000

// collectionList pages through the collections of a provider.
func (s *Service) collectionList(_ context.Context, r *transport.Request, done reply) {
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
	answer, err := s.listPage(view, r.Provider, c.After, limit)
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.SettledAll(func() { done(answer, err) })
}

func (s *Service) listPage(view persistence.View, provider, after string, limit int) (*transport.Reply, error) {
	page, steps, last := s.newPage(limit), 0, after
	for e, err := range view.Entities(persistence.KindCollection, provider, after) {
		if err != nil {
			return nil, err
		}
		if steps == listMaxSteps {
			return page.reply(&cursor{After: last}), nil
		}
		state, err := collection.Behavior{}.DecodeState(e.Head.State)
		if err != nil {
			return nil, err
		}
		if state.Live() {
			fits, err := page.add(api.CollectionItem{ID: e.ID, Version: e.Head.Version, ETag: collection.ETag(e.Head.Version),
				Seq: e.Head.Seq, Format: state.Format, Type: state.Type, DocumentCount: state.Documents, Updated: e.Head.Time})
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
	for _, kind := range []persistence.Kind{persistence.KindCollection, persistence.KindProvider} {
		for _, err := range s.Store.Entities(kind, provider, "") {
			return err == nil
		}
	}
	return false
}

func sortedSet(set map[string]bool) []string { return slices.Sorted(maps.Keys(set)) }
