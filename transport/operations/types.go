package operations

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"time"

	"concord/actors/collection"
	"concord/actors/collectiontype"
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/actors/script"
	"concord/persistence"
	"concord/persistence/recordpb"
	"concord/transport"
	"concord/transport/api"
)

func typeID(r *transport.Request) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindType, Provider: r.Provider, ID: r.ID}
}

// typePut creates a collection type, or replaces all of it. The body is the type; its entity judges it.
func (s *Service) typePut(_ context.Context, r *transport.Request, done reply) {
	if len(r.Body) == 0 {
		done(nil, problem.At("", "a body is needed: {} for a type that sets nothing"))
		return
	}
	p, err := typePreconditions(r)
	if err != nil {
		done(nil, err)
		return
	}
	s.checkScript(r.Body, func(err error) {
		if err != nil {
			done(nil, err)
			return
		}
		s.write(r, typeID(r), &collectiontype.Put{Preconditions: p, Body: r.Body}, "", done)
	})
}

// scriptPath is where a type has its merge script.
const scriptPath = "/conflict/script/source"

// checkScript refuses a type whose script does not compile, or that could not be run here. Whatever else is wrong with the
// type is for its entity to say.
func (s *Service) checkScript(text []byte, done func(error)) {
	t, err := rules.Parse(text)
	if err != nil || t.Conflict.Script == "" {
		done(nil)
		return
	}
	if s.Scripts == nil {
		done(scriptRefused(&script.Failure{Reason: script.Off, Detail: "merge scripts are not enabled on this service: see the setting merge.scripts"}))
		return
	}
	s.Scripts.Check(t.Conflict.Script, func(f *script.Failure) { done(scriptRefused(f)) })
}

func scriptRefused(f *script.Failure) error {
	switch {
	case f == nil:
		return nil
	case f.Reason == script.Busy:
		p := problem.New(problem.Overloaded, "too many merge scripts wait to be run")
		p.RetryAfter = time.Second
		return p
	default:
		return problem.At(scriptPath, "%s: %s", f.Reason, f.Detail)
	}
}

// typeDelete leaves a tombstone.
func (s *Service) typeDelete(_ context.Context, r *transport.Request, done reply) {
	_, reason, err := deleteParams(r)
	if err != nil {
		done(nil, err)
		return
	}
	p, err := typePreconditions(r)
	if err != nil {
		done(nil, err)
		return
	}
	s.write(r, typeID(r), &collectiontype.Delete{Preconditions: p}, reason, done)
}

func typePreconditions(r *transport.Request) (collectiontype.Preconditions, error) {
	p, err := preconditions(r, nil)
	return collectiontype.Preconditions{IfMatch: p.IfMatch, IfExists: p.IfExists, IfNoneMatch: p.IfNoneMatch}, err
}

// typeGet shows the newest version, or the one that is named.
func (s *Service) typeGet(_ context.Context, r *transport.Request, done reply) {
	version, given, err := intParam(r, "version")
	if err == nil && given && version == 0 {
		err = problem.At("version", "versions begin at 1")
	}
	if err != nil {
		done(nil, err)
		return
	}
	id := typeID(r)
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		head, err := view.Head(id)
		if errors.Is(err, persistence.ErrNotFound) {
			return nil, collectiontype.Missing()
		}
		if err != nil {
			return nil, err
		}
		if !given {
			version = head.Version
		}
		if version > head.Version {
			return nil, problem.New(problem.NotFound, "there is no version %d: the newest is %d", version, head.Version).
				With("currentVersion", head.Version)
		}
		var building [][]string
		if version == head.Version {
			if building, err = typeBuilding(head.State); err != nil {
				return nil, err
			}
		}
		return typeAt(view, id, version, building)
	})
}

// typeBuilding are the keys and indexes of a type that are still being built, each by its paths.
func typeBuilding(stored []byte) (building [][]string, err error) {
	state, err := rules.DecodeState(stored)
	if err != nil || !state.Building() {
		return nil, err
	}
	t, err := rules.Decode(stored)
	if err != nil {
		return nil, err
	}
	for _, l := range t.Lookups.Lookups {
		if state.IsBuilt(l.Number) {
			continue
		}
		paths := make([]string, len(l.Paths))
		for i, p := range l.Paths {
			paths[i] = p.Text
		}
		building = append(building, paths)
	}
	return building, nil
}

// typeAt shows a version as the event that made it has it. Retention does not touch types.
func typeAt(view persistence.View, id persistence.EntityID, version uint64, building [][]string) (*transport.Reply, error) {
	for rec, err := range view.Versions(id, version+1) {
		if err != nil {
			return nil, trimmed(err, version)
		}
		if rec.GetVersion() != version {
			break
		}
		return typeOf(id, rec, building)
	}
	return nil, trimmed(persistence.ErrTrimmed, version)
}

func typeOf(id persistence.EntityID, rec *recordpb.Record, building [][]string) (*transport.Reply, error) {
	e, err := collectiontype.Behavior{}.DecodeEvent(entity.Encoded{Type: rec.GetType(), Payload: rec.GetPayload()})
	if err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, err)
	}
	saved, ok := e.(*collectiontype.Saved)
	if !ok {
		return nil, collectiontype.Missing().With("deletedAt", rec.GetVersion())
	}
	text, err := encode(api.Type{Provider: id.Provider, ID: id.ID, Version: rec.GetVersion(), ETag: collection.ETag(rec.GetVersion()),
		Seq: rec.GetSeq(), Updated: persistence.TimeOf(rec.GetTime()), Principal: rec.GetPrincipal(),
		Building: building})
	if err != nil {
		return nil, err
	}
	// The value is the last member. An encoder would write it anew; it is shown as it came.
	text = append(bytes.TrimSuffix(text, []byte("null}")), saved.Text...)
	return &transport.Reply{Status: http.StatusOK, Version: rec.GetVersion(), Body: append(text, '}')}, nil
}

// typeList pages through the collection types of a provider.
func (s *Service) typeList(_ context.Context, r *transport.Request, done reply) {
	s.list(r, persistence.KindType, done, func(e persistence.Listed) (any, error) {
		state, err := rules.DecodeState(e.Head.State)
		if err != nil || !state.Live() {
			return nil, err
		}
		return api.TypeItem{ID: e.ID, Version: e.Head.Version, ETag: collection.ETag(e.Head.Version), Seq: e.Head.Seq,
			Updated: e.Head.Time}, nil
	})
}
