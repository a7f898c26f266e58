// Package actors has the one list of entity kinds. Adding a kind is a folder beside this file, a line in Kinds, and its
// number in persistence.
package actors

import (
	"fmt"

	"concord/actors/authority"
	"concord/actors/bulk"
	"concord/actors/collection"
	"concord/actors/collectiontype"
	"concord/actors/editsession"
	"concord/actors/entity"
	"concord/actors/propagation"
	"concord/actors/provider"
	"concord/actors/rules"
	"concord/actors/source"
	"concord/actors/upload"
	"concord/persistence"
	"concord/persistence/recordpb"
)

// Kind is a kind of entity without its types.
type Kind struct {
	Number persistence.Kind
	// Activate loads an entity and makes it live.
	Activate func(persistence.EntityID, *entity.World) (entity.Live, error)
	// Rebuild makes what stands beside a record from the head before it, as at commit.
	Rebuild func(head persistence.Head, rec *recordpb.Record, hash []byte) (persistence.Head, persistence.Projection, error)
	// Index makes the index entries of a living part from what is kept of it.
	Index func(part string, info []byte) ([]persistence.IndexChange, error)
	// Found takes the entries that an entity has by its state from one stored state to a later one.
	Found func(before, after []byte) ([]persistence.IndexChange, error)
	// Born makes the records of an entity that begins in the batch of another one; nil: the kind's begin by themselves.
	Born func(entity.Birth, entity.Meta) (*persistence.Entry, error)
	// Published says that the events of the kind leave on the event stream.
	Published bool
	// Needs is the seq of the oldest event that an entity in the stored state still needs; 0: none. Retention leaves it.
	Needs func(state []byte) (uint64, error)
	// Timed says that its entities set their alarms themselves (entity.Timed).
	Timed bool
}

// Limits of all kinds.
type Limits struct {
	Collection collection.Limits
	Upload     upload.Limits
	Type       collectiontype.Limits
	Authority  authority.Limits
}

// DefaultLimits are the limits of the semantics.
var DefaultLimits = Limits{Collection: collection.DefaultLimits, Upload: upload.DefaultLimits, Type: collectiontype.DefaultLimits,
	Authority: authority.DefaultLimits}

// typesMaxCached is how many collection types are kept ready for the writes of their collections.
const typesMaxCached = 1000

// Kinds are all kinds of entities, under the limits. Lock tokens are made of lockKey; who only reads a store back needs
// none.
func Kinds(l Limits, lockKey [32]byte) map[persistence.Kind]Kind {
	list := []Kind{
		define(collection.Behavior{Limits: l.Collection, LockKey: lockKey, Types: rules.NewMemo(typesMaxCached)}, true),
		define(provider.Behavior{}, false),
		define(upload.Behavior{Limits: l.Upload}, false),
		define(collectiontype.Behavior{Limits: l.Type}, true),
		define(propagation.Behavior{}, true),
		define(source.Behavior{}, true),
		define(authority.Behavior{Limits: l.Authority}, true),
		define(bulk.Behavior{}, true),
		define(editsession.Behavior{}, true),
	}
	kinds := make(map[persistence.Kind]Kind, len(list))
	for _, k := range list {
		kinds[k.Number] = k
	}
	return kinds
}

func define[S, C, E any](b entity.Behavior[S, C, E], published bool) Kind {
	_, timed := b.(entity.Timed[S, C])
	return Kind{
		Number:    b.Kind(),
		Published: published,
		Timed:     timed,
		Needs: func(state []byte) (uint64, error) {
			keeper, ok := b.(entity.Keeper[S])
			if !ok {
				return 0, nil
			}
			s, err := b.DecodeState(state)
			if err != nil {
				return 0, fmt.Errorf("what an entity of kind %v needs: %w", b.Kind(), err)
			}
			return keeper.Needs(s), nil
		},
		Index: func(part string, info []byte) ([]persistence.IndexChange, error) {
			if indexed, ok := b.(entity.Indexed); ok {
				return indexed.Index(part, info)
			}
			return nil, nil
		},
		Found: func(before, after []byte) ([]persistence.IndexChange, error) { return found(b, before, after) },
		Born:  entity.Bearer(b),
		Activate: func(id persistence.EntityID, w *entity.World) (entity.Live, error) {
			return entity.Activate(b, id, w)
		},
		Rebuild: func(h persistence.Head, rec *recordpb.Record, hash []byte) (persistence.Head, persistence.Projection, error) {
			return entity.Rebuild(b, h, rec, hash)
		},
	}
}

func found[S, C, E any](b entity.Behavior[S, C, E], before, after []byte) ([]persistence.IndexChange, error) {
	f, ok := b.(entity.Found[S])
	if !ok {
		return nil, nil
	}
	was, err := b.DecodeState(before)
	if err != nil {
		return nil, fmt.Errorf("what an entity of kind %v was found by: %w", b.Kind(), err)
	}
	is, err := b.DecodeState(after)
	if err != nil {
		return nil, fmt.Errorf("what an entity of kind %v is found by: %w", b.Kind(), err)
	}
	return f.Found(was, is), nil
}

// Fold makes what is derived from the log, whatever the kind: what verification and rebuild of a store need to know of the
// kinds.
func Fold(l Limits) persistence.Fold {
	kinds := Kinds(l, [32]byte{})
	return persistence.Fold{
		Record: func(head persistence.Head, rec *recordpb.Record, hash []byte) (persistence.Head, persistence.Projection, error) {
			kind, ok := kinds[persistence.Kind(rec.GetKind())]
			if !ok {
				return head, persistence.Projection{}, fmt.Errorf("%w: record of unknown kind %d", persistence.ErrCorrupt, rec.GetKind())
			}
			return kind.Rebuild(head, rec, hash)
		},
		Part: func(e persistence.EntityID, part string, info []byte) ([]persistence.IndexChange, error) {
			kind, ok := kinds[e.Kind]
			if !ok {
				return nil, fmt.Errorf("%w: entity %v of an unknown kind", persistence.ErrCorrupt, e)
			}
			return kind.Index(part, info)
		},
		State: func(e persistence.EntityID, before, after []byte) ([]persistence.IndexChange, error) {
			kind, ok := kinds[e.Kind]
			if !ok {
				return nil, fmt.Errorf("%w: entity %v of an unknown kind", persistence.ErrCorrupt, e)
			}
			return kind.Found(before, after)
		},
	}
}

// Needs is what retention leaves of an entity, whatever its kind: see Kind.Needs.
func Needs(l Limits) func(e persistence.EntityID, state []byte) (uint64, error) {
	kinds := Kinds(l, [32]byte{})
	return func(e persistence.EntityID, state []byte) (uint64, error) {
		kind, ok := kinds[e.Kind]
		if !ok {
			return 0, fmt.Errorf("%w: entity %v of an unknown kind", persistence.ErrCorrupt, e)
		}
		return kind.Needs(state)
	}
}
