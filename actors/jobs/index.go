package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"concord/actors/collectiontype"
	"concord/actors/entity"
	"concord/actors/lookup"
	"concord/actors/rules"
	"concord/persistence"
)

// Bounds of the indexer.
const (
	indexScanMaxHeads    = 10_000 // collections that are looked at before it looks whether it is still to go on
	indexMaxAtOnce       = 1000   // collections that are found before they are asked
	blockedMaxKept       = 10_000 // collections that could not be indexed and are watched
	blockedRetryEvery    = time.Minute
	indexTypesMaxAtRound = 10_000
)

// IndexHost is what the indexer needs of the host.
type IndexHost interface {
	CheckHost
	// Decided calls done once every decision that was under way is over, and submitted.
	Decided(done func())
}

// Indexer builds the keys and indexes that collection types declare: it asks the collections of a type that are not found by
// all of them yet, and then tells the type. Writes keep up by themselves from the moment when the type has changed, so
// that it need not look twice. It is an observer of the committer, and a goroutine (Run).
//
// It keeps nothing: what is to be built stands in an index of the store, and how far it is says each collection. So it goes on
// after a crash, and begins again when a type changes meanwhile.
type Indexer struct {
	store    Store
	host     IndexHost
	window   int
	log      *slog.Logger
	courtesy *Courtesy
	wake     chan struct{}
	building atomic.Int64
	blocked  *waits // collections that could not be indexed; the "job" is the type
}

// NewIndexer makes an indexer; nothing runs before Run, but Committed may be called.
func NewIndexer(s Store, h IndexHost, c *Courtesy, settings Settings, log *slog.Logger) *Indexer {
	x := &Indexer{store: s, host: h, window: settings.Window, log: log, wake: make(chan struct{}, 1),
		courtesy: c, blocked: newWaits()}
	return x
}

// Building is how many types have keys or indexes that are still being built.
func (x *Indexer) Building() int { return int(x.building.Load()) }

// Blocked is how many collections cannot be found by all keys and indexes of their types, and so hold these up.
func (x *Indexer) Blocked() int { return int(x.blocked.count.Load()) }

// Committed is the committer's observer.
func (x *Indexer) Committed(group []*persistence.Entry) {
	for _, e := range group {
		switch e.Entity.Kind {
		case persistence.KindType:
			x.again()
		case persistence.KindCollection:
			if x.blocked.count.Load() > 0 && x.blocked.has(e.Entity) {
				x.again()
			}
		default:
		}
	}
}

func (x *Indexer) again() {
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

// Run builds until the context ends.
func (x *Indexer) Run(ctx context.Context) {
	for ctx.Err() == nil {
		err := x.round(ctx)
		if err != nil && !errors.Is(err, errStopped) {
			x.log.Error("keys and indexes cannot be built, and will be tried again", "error", err)
		}
		retry := time.NewTimer(blockedRetryEvery)
		if err == nil && x.Building() == 0 {
			retry.Stop()
		}
		select {
		case <-ctx.Done():
		case <-x.wake:
		case <-retry.C:
		}
		retry.Stop()
	}
}

// round builds what there is to be built.
func (x *Indexer) round(ctx context.Context) error {
	types, err := x.types()
	if err != nil {
		return err
	}
	var errs []error
	left := len(types)
	x.building.Store(int64(left))
	for _, id := range types {
		built, err := x.build(ctx, id)
		if errors.Is(err, errStopped) {
			return err
		}
		if errs = append(errs, err); built {
			left--
			x.building.Store(int64(left))
		}
	}
	return errors.Join(errs...)
}

// types are those that have something to be built.
func (x *Indexer) types() (ids []persistence.EntityID, err error) {
	view := x.store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	key := persistence.IndexKey{Kind: persistence.KindType, Name: lookup.IndexBuilding}
	for p := range view.Partitions() {
		for e, err := range view.IndexTerms(persistence.Partition(p), key) {
			if err != nil {
				return nil, fmt.Errorf("look for keys and indexes to be built: %w", err)
			}
			if len(ids) == indexTypesMaxAtRound {
				x.again()
				return ids, nil
			}
			ids = append(ids, persistence.EntityID{Kind: persistence.KindType, Provider: e.Provider, ID: e.Entity})
		}
	}
	return ids, nil
}

// target is what is to be built: a type at a version.
type target struct {
	id      persistence.EntityID
	version uint64
	print   uint64
}

// read reads where a type stands; false: there is nothing to be built.
func (x *Indexer) read(id persistence.EntityID) (target, bool, error) {
	head, err := x.store.Head(id)
	if err != nil {
		return target{}, false, wrapf(err, id, "read")
	}
	s, err := rules.DecodeState(head.State)
	if err != nil || !s.Live() || !s.Building() {
		return target{}, false, err
	}
	t, err := rules.Decode(head.State)
	return target{id, s.Version, t.Lookups.Print()}, err == nil, err
}

// build builds the keys and indexes of one type; false: it is not done, since it has changed or collections are in the way.
func (x *Indexer) build(ctx context.Context, id persistence.EntityID) (built bool, err error) {
	t, any, err := x.read(id)
	if err != nil || !any {
		return err == nil, err
	}
	// What is decided from here on is decided under this version of the type, or a newer one; what was decided before is
	// in the store.
	if err := settle(ctx, x.host.Decided); err != nil {
		return false, err
	}
	if err := settle(ctx, x.host.SettledAll); err != nil {
		return false, err
	}
	x.blocked.removeAll(id)
	p := pass{Indexer: x, target: t}
	if whole, err := p.run(ctx); err != nil || !whole {
		return false, err
	}
	return p.end(ctx)
}

// settle waits until it is called back.
func settle(ctx context.Context, until func(func())) error {
	done := make(chan struct{})
	until(func() { close(done) })
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return errStopped
	}
}

// end tells the type that it is built.
func (p *pass) end(ctx context.Context) (built bool, err error) {
	if p.refused > 0 {
		p.log.Warn("keys and indexes cannot be built: collections have too many values for them", "type", p.id.String(),
			"collections", p.refused, "first", p.first, "error", p.why)
		return false, nil
	}
	var wait backOff
	for {
		_, err := ask(ctx, p.courtesy, p.id, &collectiontype.Built{Version: p.version}, p.meta())
		switch {
		case err == nil:
			return true, nil
		case !passing(err):
			return false, fmt.Errorf("tell %v that it is built: %w", p.id, err)
		}
		if !pause(ctx, wait.next(err)) {
			return false, errStopped
		}
	}
}

func (t target) meta() entity.Meta {
	return entity.Meta{Principal: service, Kind: "service", RequestID: t.id.ID}
}
