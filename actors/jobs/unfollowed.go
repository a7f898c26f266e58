package jobs

import (
	"errors"
	"fmt"

	"concord/actors/links"
	"concord/persistence"
)

// anyWaits says whether any links wait for authorities.
func anyWaits(s Store) (found bool, err error) {
	view := s.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	for p := range view.Partitions() {
		for _, err := range view.IndexTerms(persistence.Partition(p), persistence.IndexKey{Kind: persistence.KindCollection, Name: links.IndexWaiting}) {
			if err != nil {
				return false, fmt.Errorf("look for links that wait: %w", err)
			}
			return true, nil
		}
	}
	return false, nil
}

// found are the items, with the entries of linked documents in place of each authority that has changed without a job. New
// authorities are looked for among the links that wait, all of them at once: mostly there are none.
func (c *Checker) found(items []item, known map[persistence.EntityID]*newest) (all []item, err error) {
	var created []item
	view := c.store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	for i := range items {
		it := &items[i]
		if it.document != "" || it.revives() {
			all = append(all, *it)
			continue
		}
		n, err := c.newest(known, it.cause)
		if err != nil {
			return nil, err
		}
		if n.revision() == 1 {
			created = append(created, *it)
			continue
		}
		for p := range view.Partitions() {
			if all, err = entriesOf(view, persistence.Partition(p), it, all); err != nil {
				return nil, err
			}
		}
	}
	if len(created) == 0 {
		return all, nil
	}
	return waitingFor(view, created, all)
}

// entriesOf adds the entries of an authority in a partition.
func entriesOf(view persistence.IndexReader, p persistence.Partition, of *item, all []item) ([]item, error) {
	key := persistence.IndexKey{Kind: persistence.KindCollection, Name: links.IndexByAuthority, Provider: of.cause.Provider, Term: of.cause.ID}
	for e, err := range view.Index(p, key, persistence.IndexEntry{}) {
		if err != nil {
			return nil, fmt.Errorf("look for links to %v: %w", of.cause, err)
		}
		it, err := entryItem(&e, of)
		if err != nil {
			return nil, err
		}
		all = append(all, it)
	}
	return all, nil
}

// waitingFor adds the entries that wait for one of the new authorities.
func waitingFor(view persistence.IndexReader, created, all []item) ([]item, error) {
	by := make(map[persistence.EntityID]*item, len(created))
	for i := range created {
		by[created[i].cause] = &created[i]
	}
	for p := range view.Partitions() {
		for e, err := range view.IndexTerms(persistence.Partition(p), persistence.IndexKey{Kind: persistence.KindCollection, Name: links.IndexWaiting}) {
			if err != nil {
				return nil, fmt.Errorf("look for links that wait: %w", err)
			}
			of := by[persistence.EntityID{Kind: persistence.KindAuthority, Provider: e.Provider, ID: e.Term}]
			if of == nil {
				continue
			}
			it, err := entryItem(&e, of)
			if err != nil {
				return nil, err
			}
			all = append(all, it)
		}
	}
	return all, nil
}

func entryItem(e *persistence.IndexEntry, of *item) (item, error) {
	v, err := links.DecodeIndexValue(e.Value)
	if err != nil {
		return item{}, fmt.Errorf("links to %v: %w: %w", of.cause, persistence.ErrCorrupt, err)
	}
	return item{collection: collectionID(e.Provider, e.Entity), document: e.Part, cause: of.cause, revision: v.Revision,
		partition: of.partition, position: of.position}, nil
}
