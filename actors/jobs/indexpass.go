package jobs

import (
	"context"
	"errors"
	"sync"
	"time"

	"concord/actors/collection"
	"concord/persistence"
)

// pass is one go through the collections of a provider for one type. It belongs to one goroutine.
type pass struct {
	*Indexer
	target
	refused int // collections that cannot be found by all
	first   string
	why     error
}

// run asks all collections of the type that are not found by all of its keys and indexes; false: the type has changed.
func (p *pass) run(ctx context.Context) (whole bool, err error) {
	for after, more := "", true; more; {
		if now, any, err := p.read(p.id); err != nil || !any || now != p.target {
			return false, err
		}
		begun := time.Now()
		var behind []persistence.EntityID
		if behind, after, more, err = p.scan(after); err != nil {
			return false, err
		}
		if err := p.rest(ctx, time.Since(begun)); err != nil {
			return false, err
		}
		if err := p.ask(ctx, behind); err != nil {
			return false, err
		}
	}
	return true, nil
}

// scan looks at collections after one, and says which of them are not found by what the type declares.
func (p *pass) scan(after string) (behind []persistence.EntityID, last string, more bool, err error) {
	view := p.store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	looked := 0
	for e, err := range view.Entities(persistence.KindCollection, p.id.Provider, after) {
		if err != nil {
			return nil, "", false, wrapf(err, p.id, "list the collections of")
		}
		if looked == indexScanMaxHeads || len(behind) == indexMaxAtOnce {
			return behind, last, true, nil
		}
		looked, last = looked+1, e.ID
		if typ, print, live := collection.FoundBy(e.Head.State); live && typ == p.id.ID && print != p.print {
			behind = append(behind, collectionID(p.id.Provider, e.ID))
		}
	}
	return behind, last, false, nil
}

// asked is what came of one collection.
type asked struct {
	id   persistence.EntityID
	took time.Duration
	err  error
}

// ask asks the collections, a few at once.
func (p *pass) ask(ctx context.Context, ids []persistence.EntityID) error {
	outcomes := make(chan asked, p.window)
	var workers sync.WaitGroup
	defer workers.Wait()
	for flying := 0; len(ids) > 0 || flying > 0; {
		for ; len(ids) > 0 && flying < p.width(); ids = ids[1:] {
			flying++
			id := ids[0]
			workers.Go(func() {
				begun := time.Now()
				err := p.one(ctx, id)
				outcomes <- asked{id, time.Since(begun), err}
			})
		}
		o := <-outcomes
		flying--
		if o.err != nil && errors.Is(o.err, errStopped) {
			return errStopped
		}
		p.take(&o)
		if err := p.rest(ctx, o.took); err != nil {
			return err
		}
	}
	return nil
}

// take notes a collection that has refused.
func (p *pass) take(o *asked) {
	if o.err == nil {
		return
	}
	if p.refused++; p.refused == 1 {
		p.first, p.why = o.id.ID, o.err
	}
	if p.blocked.count.Load() < blockedMaxKept {
		p.blocked.add(o.id, p.id)
	}
}

// one asks one collection, until it has an answer that stands.
func (p *pass) one(ctx context.Context, id persistence.EntityID) error {
	var wait backOff
	for {
		_, err := ask(ctx, p.courtesy, id, &collection.Reindex{}, p.meta())
		if err == nil || !passing(err) {
			return err
		}
		if !pause(ctx, wait.next(err)) {
			return errStopped
		}
	}
}

// width is how many collections may be asked at once.
func (p *pass) width() int {
	if p.courtesy.others(time.Now()) {
		return 1
	}
	return p.window
}

// rest leaves others as much time as was taken, if there are any.
func (p *pass) rest(ctx context.Context, took time.Duration) error {
	if ctx.Err() != nil || p.courtesy.others(time.Now()) && !pause(ctx, min(took, restMax)) {
		return errStopped
	}
	return nil
}
