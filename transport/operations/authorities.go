package operations

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"concord/actors/authority"
	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

func authorityID(provider, id string) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindAuthority, Provider: provider, ID: id}
}

// authorityPut creates an authority, or replaces all of it.
func (s *Service) authorityPut(ctx context.Context, r *transport.Request, done reply) {
	done(s.putAuthority(ctx, r))
}

func (s *Service) putAuthority(ctx context.Context, r *transport.Request) (*transport.Reply, error) {
	if len(r.Body) == 0 {
		return nil, problem.At("", "a body is needed: source, naturalId and record")
	}
	e, err := openEnvelope(r.Body, "", "source", "naturalId", "record", "baseVersion", "reason", "authority")
	if err != nil {
		return nil, err
	}
	inner, err := inner(e, r, "authority")
	if err != nil {
		return nil, err
	}
	c, err := e.authority("", "")
	if err != nil {
		return nil, err
	}
	base, err := e.number("baseVersion")
	if err != nil {
		return nil, err
	}
	if c.Set, err = preconditionSet(r, base); err != nil {
		return nil, err
	}
	reason, err := e.str("reason", reasonMaxBytes)
	if err != nil {
		return nil, err
	}
	return s.changeAuthority(ctx, r, authorityID(r.Provider, inner), c, reason)
}

// changeAuthority makes a change of an authority that linked fields follow.
func (s *Service) changeAuthority(ctx context.Context, r *transport.Request, id persistence.EntityID, c *authority.Put, reason string) (*transport.Reply, error) {
	var err error
	c.Job = s.NewID()
	if c.Awaited, err = s.awaited(id); err != nil {
		return nil, err
	}
	a, err := s.writeAuthority(ctx, s.envelope(r, id, c, reason))
	return &transport.Reply{Status: a.Status, Version: a.Version, Body: a.Body}, err
}

// writeAuthority sends a command whose decision looks at a source: see inFlight.
func (s *Service) writeAuthority(ctx context.Context, env *entity.Envelope) (entity.Answer, error) {
	g := s.authorities.enter()
	defer s.authorities.leave(g)
	return s.call(ctx, env)
}

// authority reads source, natural id and record, those that are left out as they are given.
func (e *envelope) authority(source, naturalID string) (*authority.Put, error) {
	for _, text := range []struct {
		name string
		into *string
	}{{"source", &source}, {"naturalId", &naturalID}} {
		given, err := e.str(text.name, sourceTextMaxBytes)
		if err != nil {
			return nil, err
		}
		if given != "" {
			*text.into = given
		}
	}
	switch {
	case source == "":
		return nil, problem.At(e.at("source"), "is missing: the id of its source file")
	case !transport.ValidID(source):
		return nil, problem.At(e.at("source"), "a source id is letters, digits, \"_\" or \"-\"")
	case !e.has("record"):
		return nil, problem.At(e.at("record"), "is missing: MARC-in-JSON with one 1XX, or an object with the text member heading")
	}
	record := e.members["record"]
	c, p := authority.NewPut(source, naturalID, record.Text, uint64(record.Hash), e.path)
	if p != nil {
		return nil, p
	}
	return c, nil
}

// awaited says whether documents wait for an authority with the id.
func (s *Service) awaited(id persistence.EntityID) (bool, error) {
	view := s.Store.View()
	found := false
	var err error
	for p := 0; p < view.Partitions() && !found && err == nil; p++ {
		key := persistence.IndexKey{Kind: persistence.KindCollection, Name: links.IndexWaiting, Provider: id.Provider, Term: persistence.Term(id.ID)}
		for _, err = range view.Index(persistence.Partition(p), key, persistence.IndexEntry{}) {
			found = true
			break
		}
	}
	if err = errors.Join(err, view.Close()); err != nil {
		return false, fmt.Errorf("look who waits for %v: %w", id, err)
	}
	return found, nil
}

// authorityDelete unlinks what is linked to the authority, and lets it go for good later.
func (s *Service) authorityDelete(_ context.Context, r *transport.Request, done reply) {
	base, reason, err := deleteParams(r)
	if err != nil {
		done(nil, err)
		return
	}
	c := &authority.Delete{Job: s.NewID()}
	if c.Set, err = preconditionSet(r, base); err != nil {
		done(nil, err)
		return
	}
	s.write(r, authorityID(r.Provider, r.Inner), c, reason, done)
}

// authorityGet shows an authority with its record. A deleted one says so, until it is gone for good.
func (s *Service) authorityGet(_ context.Context, r *transport.Request, done reply) {
	view := s.Store.View()
	answer, err := showAuthority(view, authorityID(r.Provider, r.Inner))
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.SettledAll(func() { done(answer, err) }) // it shows the base URL of its source, too
}

func showAuthority(view persistence.View, id persistence.EntityID) (*transport.Reply, error) {
	head, err := view.Head(id)
	if isMissing(err) {
		return nil, authority.Missing()
	}
	if err != nil {
		return nil, err
	}
	shown, err := (&authorityShow{view: view, provider: id.Provider}).item(persistence.Listed{ID: id.ID, Head: head})
	if err != nil {
		return nil, err
	}
	if shown == nil {
		return nil, authority.Missing()
	}
	part, err := view.Part(id, authority.RecordPart)
	if err != nil {
		return nil, fmt.Errorf("record of %v: %w", id, err)
	}
	record, err := view.Body(id, part.Place)
	if err != nil {
		return nil, fmt.Errorf("record of %v: %w", id, err)
	}
	text, err := encode(shown)
	if err != nil {
		return nil, err
	}
	// An encoder would write the record anew; it is shown as it came.
	text = append(append(bytes.TrimSuffix(text, []byte("}")), `,"record":`...), record...)
	return &transport.Reply{Status: http.StatusOK, Version: head.Version, Body: append(text, '}')}, nil
}

// authorityShow shows authorities, and remembers the base URLs of their sources.
type authorityShow struct {
	view     persistence.View
	provider string
	sources  map[string]links.Source
}

// item is what is shown of an authority without its record; nil of one that is gone.
func (a *authorityShow) item(e persistence.Listed) (*api.Authority, error) {
	state, err := authority.Behavior{}.DecodeState(e.Head.State)
	if err != nil || state.Revision == 0 || state.Purged() {
		return nil, err
	}
	source, err := a.source(state.Source)
	if err != nil {
		return nil, err
	}
	return &api.Authority{Provider: a.provider, ID: e.ID, Version: e.Head.Version, ETag: collection.ETag(e.Head.Version), Seq: e.Head.Seq,
		Source: state.Source, NaturalID: state.NaturalID, URI: source.URI(state.NaturalID), Heading: state.Heading.Label,
		HeadingType: state.Heading.Type(), Revision: state.Revision, Deleted: state.Deleted, Created: state.Created,
		Updated: state.Updated, Propagation: state.Job}, nil
}

func (a *authorityShow) source(id string) (links.Source, error) {
	if known, ok := a.sources[id]; ok {
		return known, nil
	}
	head, err := a.view.Head(sourceID(a.provider, id))
	if err != nil && !isMissing(err) {
		return links.Source{}, fmt.Errorf("source %s: %w", id, err)
	}
	source, err := links.DecodeSource(head.State)
	if err != nil {
		return source, err
	}
	if a.sources == nil {
		a.sources = make(map[string]links.Source)
	}
	a.sources[id] = source
	return source, nil
}
