package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/links"
	"concord/internal/planted"
	"concord/persistence"
)

// newest is a source or an authority as it is now.
type newest struct {
	source    links.Source
	authority *links.Authority // nil: it is a source
}

// revision is that of the newest change that linked fields see; 0: it never was.
func (n *newest) revision() uint64 {
	if n.authority != nil {
		return n.authority.Revision
	}
	return n.source.Revision
}

// older says that what a document shows is not the newest. A link that waits is not for an authority that is deleted.
func (n *newest) older(i *item) bool {
	return i.revision < n.revision() && (i.revision > 0 || n.authority == nil || n.authority.Live())
}

// read reads a source or an authority, once for a batch.
func (c *Checker) newest(known map[persistence.EntityID]*newest, id persistence.EntityID) (*newest, error) {
	if n, ok := known[id]; ok {
		return n, nil
	}
	head, err := c.store.Head(id)
	if err != nil && !errors.Is(err, persistence.ErrNotFound) {
		return nil, fmt.Errorf("read %v: %w", id, err)
	}
	n := new(newest)
	known[id] = n
	if id.Kind == persistence.KindSource {
		n.source, err = links.DecodeSource(head.State)
		return n, err
	}
	a, err := links.DecodeAuthority(head.State)
	if err != nil {
		return nil, fmt.Errorf("read %v: %w", id, err)
	}
	if n.authority = &a; a.Source == "" {
		return n, nil
	}
	source, err := c.newest(known, persistence.EntityID{Kind: persistence.KindSource, Provider: id.Provider, ID: a.Source})
	if err != nil {
		return nil, err
	}
	n.source = source.source
	return n, nil
}

// correction is what a collection is asked for: documents that show an older state of one source or authority.
type correction struct {
	collection persistence.EntityID
	cause      persistence.EntityID
	is         *newest
	items      []item // in order of their documents
}

// check holds entries against the newest revisions, and corrects those that are older.
func (c *Checker) check(ctx context.Context, items []item) error {
	known := make(map[persistence.EntityID]*newest)
	wrong := make(map[waitKey]*correction) // without the document
	var order []*correction
	items, err := c.found(items, known)
	if err != nil {
		return err
	}
	for i := range items {
		it := &items[i]
		if it.revives() {
			if err := c.revived(ctx, it); err != nil {
				return err
			}
			continue
		}
		n, err := c.newest(known, it.cause)
		if err != nil {
			return err
		}
		if !n.older(it) || planted.DropCorrection {
			c.forget(it)
			continue
		}
		key := waitKey{collection: it.collection, cause: it.cause}
		if wrong[key] == nil {
			wrong[key] = &correction{collection: it.collection, cause: it.cause, is: n}
			order = append(order, wrong[key])
		}
		wrong[key].items = append(wrong[key].items, *it)
	}
	return c.correctAll(ctx, order)
}

// forget says that an entry is right, as far as the checker goes.
func (c *Checker) forget(i *item) {
	if _, ok := c.waiting[i.key()]; ok {
		delete(c.waiting, i.key())
		c.held.Store(int64(len(c.waiting)))
	}
}

// correctAll corrects, a few collections at once, or one after another while others have commands in flight.
func (c *Checker) correctAll(ctx context.Context, all []*correction) error {
	results := make([]error, len(all))
	var workers sync.WaitGroup
	room := make(chan struct{}, correctMaxAtOnce)
	for i, one := range all {
		if c.courtesy.others(time.Now()) {
			workers.Wait()
		}
		room <- struct{}{}
		workers.Go(func() {
			defer func() { <-room }()
			results[i] = c.correct(ctx, one)
		})
	}
	workers.Wait()
	for i, one := range all {
		if errors.Is(results[i], errStopped) {
			return errStopped
		}
		c.corrected(one, results[i])
	}
	return nil
}

// corrected takes in how a correction came out.
func (c *Checker) corrected(one *correction, err error) {
	locked, _ := lockedBy(err)
	if err != nil && !locked && !gone(err) {
		c.log.Error("links cannot be corrected; an audit tries again", "collection", one.collection.String(), "cause", one.cause.String(), "error", err)
	}
	if !locked {
		for i := range one.items {
			c.forget(&one.items[i])
		}
		c.unwait(one.collection)
		return
	}
	for _, i := range one.items {
		c.waiting[i.key()] = i
	}
	c.held.Store(int64(len(c.waiting)))
}

// unwait stops looking at a collection for which nothing waits any more.
func (c *Checker) unwait(collection persistence.EntityID) {
	if c.waits.count.Load() == 0 {
		return
	}
	for key := range c.waiting {
		if key.collection == collection {
			return
		}
	}
	c.waits.remove(collection, collection)
}

// correct brings documents up to date, as many at once as go.
func (c *Checker) correct(ctx context.Context, one *correction) error {
	documents := make([]string, len(one.items))
	for i := range one.items {
		documents[i] = one.items[i].document
	}
	slices.SortFunc(documents, cmp.Compare[string])
	documents = slices.Compact(documents)
	for len(documents) > 0 {
		command := &collection.Relink{Documents: documents[:min(len(documents), correctMaxDocs)], Source: &one.is.source, Authority: one.is.authority}
		a, err := c.ask(ctx, one.collection, command)
		if err != nil {
			return err
		}
		var answer collection.Relinked
		if err := json.Unmarshal(a.Body, &answer); err != nil {
			return fmt.Errorf("answer of %v: %w", one.collection, err)
		}
		if answer.Looked <= 0 || answer.Looked > len(documents) {
			return fmt.Errorf("the collection has looked at %d of %d documents", answer.Looked, len(documents))
		}
		if answer.Documents > 0 {
			c.observer.Corrected(int(answer.Documents))
		}
		documents = documents[answer.Looked:]
	}
	return nil
}

// ask waits out what passes, and tries what failed a few times. Of a lock it takes note before it asks again, so that its end
// is not missed.
func (c *Checker) ask(ctx context.Context, id persistence.EntityID, command *collection.Relink) (entity.Answer, error) {
	var wait backOff
	noted, failures := false, 0
	for {
		begun := time.Now()
		a, err := ask(ctx, c.courtesy, id, command, entity.Meta{Principal: service, Kind: "service", RequestID: "link-correction"})
		if now := time.Now(); c.courtesy.others(now) && !pause(ctx, min(now.Sub(begun), restMax)) {
			return a, errStopped
		}
		switch locked, free := lockedBy(err); {
		case err == nil, errors.Is(err, errStopped), locked && noted && !free, gone(err):
			return a, err
		case locked && !noted:
			c.waits.add(id, id)
			noted = true
			continue
		case passing(err):
		default:
			if failures++; failures == triesMax {
				return a, err
			}
		}
		if !pause(ctx, wait.next(err)) {
			return a, errStopped
		}
	}
}
