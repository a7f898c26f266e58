package operations

import (
	"context"
	"maps"
	"slices"
	"time"

	"concord/actors/collection"
	"concord/persistence"
	"concord/transport"
)

// CollectionPage is the answer of collection.list.
type CollectionPage struct {
	Items []CollectionItem `json:"items" doc:"Collections in order of their ids, deleted ones left out"`
	Next  string           `json:"next,omitempty" doc:"Cursor of the next page"`
}

// CollectionItem is a collection in a list.
type CollectionItem struct {
	ID            string    `json:"id"`
	Version       uint64    `json:"version"`
	ETag          string    `json:"etag"`
	Seq           uint64    `json:"seq"`
	Format        string    `json:"format"`
	Type          string    `json:"type,omitempty"`
	DocumentCount uint64    `json:"documentCount"`
	Updated       time.Time `json:"updated"`
}

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
	page, err := listPage(view, r.Provider, c.After, limit)
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	answer, err2 := ok(page)
	if err == nil {
		err = err2
	}
	s.Host.SettledAll(func() { done(answer, err) })
}

func listPage(view persistence.View, provider, after string, limit int) (*CollectionPage, error) {
	page := &CollectionPage{Items: []CollectionItem{}}
	steps, last := 0, ""
	for e, err := range view.Entities(persistence.KindCollection, provider, after) {
		if err != nil {
			return nil, err
		}
		if len(page.Items) == limit || steps == listMaxSteps {
			page.Next = cursor{After: last}.String()
			break
		}
		steps, last = steps+1, e.ID
		state, err := collection.Behavior{}.DecodeState(e.Head.State)
		if err != nil {
			return nil, err
		}
		if !state.Live() {
			continue
		}
		page.Items = append(page.Items, CollectionItem{ID: e.ID, Version: e.Head.Version, ETag: collection.ETag(e.Head.Version),
			Seq: e.Head.Seq, Format: state.Format, Type: state.Type, DocumentCount: state.Documents, Updated: e.Head.Time})
	}
	return page, nil
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
