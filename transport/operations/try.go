package operations

import (
	"context"
	"errors"
	"net/http"

	"concord/actors/collection"
	"concord/actors/collectiontype"
	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/actors/script"
	"concord/persistence"
	"concord/transport"
)

// typeTry merges three sides as a write to a collection of the type would. Nothing is stored.
func (s *Service) typeTry(_ context.Context, r *transport.Request, done reply) {
	sides, policy, t, err := s.decodeTry(r)
	if err != nil {
		done(nil, err)
		return
	}
	behavior := collection.Behavior{Limits: s.Limits.Actors.Collection}
	m := entity.Meta{Principal: r.Caller.Principal,
		Entity: persistence.EntityID{Kind: persistence.KindCollection, Provider: r.Provider, ID: r.ID}}
	tried, job, err := behavior.Try(t, policy, sides, entity.Facts{}, m)
	if job == nil {
		done(tryReply(tried, err))
		return
	}
	ran := func(o script.Outcome) {
		tried, _, err := behavior.Try(t, policy, sides, entity.Facts{}.WithRan(job.Key(), o), m)
		done(tryReply(tried, err))
	}
	if s.Scripts == nil {
		ran(script.Outcome{Failure: &script.Failure{Reason: script.Off, Detail: "merge scripts are not enabled on this service"}})
		return
	}
	s.Scripts.Run(*job, ran)
}

func tryReply(tried *collection.Trial, err error) (*transport.Reply, error) {
	if err != nil {
		return nil, err
	}
	body, err := encode(tried)
	return &transport.Reply{Status: http.StatusOK, Body: body}, err
}

func (s *Service) decodeTry(r *transport.Request) (sides collection.Sides, policy rules.Policy, t *rules.Type, err error) {
	e, err := openEnvelope(r.Body, "", "base", "client", "server", "policy", "type")
	if err != nil {
		return sides, "", nil, err
	}
	for _, side := range []struct {
		name string
		into *map[string][]byte
	}{{"base", &sides.Base}, {"client", &sides.Client}, {"server", &sides.Server}} {
		if *side.into, err = e.side(side.name); err != nil {
			return sides, "", nil, err
		}
	}
	name, err := e.str("policy", 64)
	if err != nil {
		return sides, "", nil, err
	}
	if policy, err = parsePolicy(name, "/policy"); err != nil {
		return sides, "", nil, err
	}
	if policy == rules.Merged {
		return sides, "", nil, problem.At("/policy", "with %q the client has merged by itself: there is nothing to be tried", policy)
	}
	t, err = s.triedType(r, e)
	return sides, policy, t, err
}

// triedType is the type that the request holds, or else the stored one.
func (s *Service) triedType(r *transport.Request, e *envelope) (*rules.Type, error) {
	if m, ok := e.members["type"]; ok {
		t, err := rules.Parse(m.Text)
		if p, ok := errors.AsType[*problem.Problem](err); ok && len(p.Errors) == 1 {
			return nil, problem.At("/type"+p.Errors[0].Path, "%s", p.Errors[0].Message)
		}
		return t, err
	}
	head, err := s.Store.Head(typeID(r))
	if err != nil && !errors.Is(err, persistence.ErrNotFound) {
		return nil, err
	}
	t, err := rules.Decode(head.State)
	if err == nil && t.Version == 0 {
		return nil, collectiontype.Missing()
	}
	return t, err
}

// side is the metadata and the documents of one side of a trial.
func (e *envelope) side(name string) (map[string][]byte, error) {
	m, ok := e.members[name]
	if !ok || m.Kind != jsonvalue.Object {
		return nil, problem.At(e.at(name), "must be an object of metadata and documents")
	}
	inner, err := openEnvelope(m.Text, e.at(name), "metadata", "documents")
	if err != nil {
		return nil, err
	}
	side := make(map[string][]byte)
	metadata, ok, err := inner.metadata()
	if err != nil {
		return nil, err
	}
	if ok {
		side[collection.MetadataPart] = metadata.Body
	}
	if inner.has("documents") {
		documents, err := inner.documents()
		if err != nil {
			return nil, err
		}
		for _, d := range documents {
			side[d.Part] = d.Body
		}
	}
	return side, nil
}
