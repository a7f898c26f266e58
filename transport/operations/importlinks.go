package operations

import (
	"fmt"

	"concord/actors/links"
	"concord/persistence"
)

// importLinks knows which partitions have links, and links that wait, at all: mostly there are few or none.
type importLinks struct {
	store    persistence.IndexReader
	provider string
	in       map[string][]persistence.Partition // by index: those that have entries
}

// look has the partitions found anew when they are asked for.
func (l *importLinks) look(store persistence.IndexReader, provider string) {
	l.store, l.provider, l.in = store, provider, make(map[string][]persistence.Partition, 2)
}

func (l *importLinks) key(index, id string) persistence.IndexKey {
	return persistence.IndexKey{Kind: persistence.KindCollection, Name: index, Provider: l.provider, Term: persistence.Term(id)}
}

// partitions are those that have entries in the index.
func (l *importLinks) partitions(index string) ([]persistence.Partition, error) {
	in, known := l.in[index]
	if known {
		return in, nil
	}
	for p := range l.store.Partitions() {
		for _, err := range l.store.IndexTerms(persistence.Partition(p), l.key(index, "")) {
			if err != nil {
				return nil, fmt.Errorf("look for links: %w", err)
			}
			in = append(in, persistence.Partition(p))
			break
		}
	}
	l.in[index] = in
	return in, nil
}

// linked says whether documents are linked to the authority.
func (l *importLinks) linked(id string) (bool, error) { return l.any(links.IndexByAuthority, id) }

// awaited says whether documents wait for it.
func (l *importLinks) awaited(id string) (bool, error) { return l.any(links.IndexWaiting, id) }

func (l *importLinks) any(index, id string) (bool, error) {
	in, err := l.partitions(index)
	if err != nil {
		return false, err
	}
	for _, p := range in {
		for _, err := range l.store.Index(p, l.key(index, id), persistence.IndexEntry{}) {
			if err != nil {
				return false, fmt.Errorf("look for links to %q: %w", id, err)
			}
			return true, nil
		}
	}
	return false, nil
}
