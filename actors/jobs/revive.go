package jobs

import (
	"context"
	"errors"
	"fmt"

	"concord/actors/collection"
	"concord/persistence"
)

// A revert brings documents back that nobody writes: those of an earlier life of the collection, which its deletion has hidden.
// No job has come by for them meanwhile, and no event tells of their links. So the checker looks at all of them.

// revival stands for the links of all documents of a collection that a revert may have brought back with the version.
func revival(id persistence.EntityID, version uint64, partition persistence.Partition, at persistence.Position) item {
	return item{collection: id, revision: version, partition: partition, position: at}
}

// revives says that the item is a revival.
func (i *item) revives() bool { return i.cause == persistence.EntityID{} }

// revived checks the links of all documents of a collection, unless the revert has brought none back.
func (c *Checker) revived(ctx context.Context, it *item) error {
	for after, more := "", true; more; {
		if ctx.Err() != nil {
			return errStopped
		}
		var items []item
		var err error
		if items, after, more, err = c.kept(it, after); err != nil {
			return fmt.Errorf("links of %v, which came back: %w", it.collection, err)
		}
		if err := c.check(ctx, items); err != nil {
			return err
		}
	}
	return nil
}

// kept are the links of documents after one, as they are kept beside them, and the last of those documents.
func (c *Checker) kept(it *item, after string) (items []item, last string, more bool, err error) {
	view := c.store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	head, err := view.Head(it.collection)
	if err != nil {
		return nil, "", false, err
	}
	state, err := collection.Behavior{}.DecodeState(head.State)
	if err != nil || !state.Live() || state.Since < it.revision {
		return nil, "", false, err // it lives since an earlier version: what is there was followed
	}
	n := 0
	for p, err := range view.Parts(it.collection, after) {
		if err != nil {
			return nil, "", false, err
		}
		if n == checkBatch || len(items) >= checkBatch {
			return items, last, true, nil
		}
		n, last = n+1, p.ID
		if p.Version < state.Born {
			continue
		}
		table := collection.TableOf(p.Info)
		for i := range table.Entries {
			items = append(items, it.of(p.ID, persistence.KindAuthority, table.Entries[i].Authority, table.Entries[i].Revision))
		}
		for i := range table.Sources {
			items = append(items, it.of(p.ID, persistence.KindSource, table.Sources[i].ID, table.Sources[i].Revision))
		}
	}
	return items, last, false, nil
}

// of is a link of a document that came back.
func (i *item) of(document string, kind persistence.Kind, cause string, revision uint64) item {
	return item{i.collection, document, persistence.EntityID{Kind: kind, Provider: i.collection.Provider, ID: cause}, revision, i.partition, i.position}
}
