package operations

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"concord/actors/collection"
	"concord/actors/jsonvalue"
	"concord/actors/precondition"
	"concord/actors/problem"
	"concord/actors/source"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// sourcePut creates an authority source file, or replaces all of it.
func (s *Service) sourcePut(ctx context.Context, r *transport.Request, done reply) {
	if len(r.Body) == 0 {
		done(nil, problem.At("", "a body is needed: a source file has a name"))
		return
	}
	done(s.sourceWrite(ctx, r, true))
}

// sourcePatch changes the members that are given.
func (s *Service) sourcePatch(ctx context.Context, r *transport.Request, done reply) {
	done(s.sourceWrite(ctx, r, false))
}

func (s *Service) sourceWrite(ctx context.Context, r *transport.Request, whole bool) (*transport.Reply, error) {
	c, reason, err := decodeSource(r, whole)
	if err != nil {
		return nil, err
	}
	c.Job = s.NewID()
	return s.changeSource(ctx, r, sourceID(r.Provider, r.ID), c, reason)
}

var sourceNames = []string{"name", "codes", "type", "baseUrl", "selectable", "origin", "sequence", "baseVersion", "reason"}

// decodeSource reads the members of a source; in a patch null takes one away.
func decodeSource(r *transport.Request, whole bool) (*source.Put, string, error) {
	e, err := openEnvelope(r.Body, "", sourceNames...)
	if err != nil {
		return nil, "", err
	}
	c := &source.Put{Whole: whole}
	for _, text := range []struct {
		name string
		into **string
	}{{"name", &c.Name}, {"type", &c.Type}, {"baseUrl", &c.BaseURL}, {"origin", &c.Origin}} {
		if *text.into, err = member(e, text.name, whole, func() (string, error) { return e.str(text.name, sourceTextMaxBytes) }); err != nil {
			return nil, "", err
		}
	}
	if c.Codes, err = member(e, "codes", whole, func() ([]string, error) { return e.texts("codes") }); err != nil {
		return nil, "", err
	}
	if c.Selectable, err = member(e, "selectable", whole, func() (bool, error) { return e.flag("selectable", true) }); err != nil {
		return nil, "", err
	}
	if e.null("selectable") && c.Selectable != nil {
		*c.Selectable = true // what it is if nobody says
	}
	if c.Sequence, err = member(e, "sequence", whole, e.sequence); err != nil {
		return nil, "", err
	}
	base, err := e.number("baseVersion")
	if err != nil {
		return nil, "", err
	}
	if c.Set, err = preconditionSet(r, base); err != nil {
		return nil, "", err
	}
	reason, err := e.str("reason", reasonMaxBytes)
	return c, reason, err
}

// sourceTextMaxBytes bounds a member of a source file before its characters are counted.
const sourceTextMaxBytes = 1024

// member is the value of a member if it is given: the zero value for null, which only a patch may have.
func member[T any](e *envelope, name string, whole bool, read func() (T, error)) (*T, error) {
	if !e.has(name) {
		return nil, nil
	}
	if !whole && e.null(name) {
		return new(T), nil
	}
	value, err := read()
	return &value, err
}

func (e *envelope) null(name string) bool {
	m, ok := e.members[name]
	return ok && m.Kind == jsonvalue.Null
}

// texts is an array of strings.
func (e *envelope) texts(name string) ([]string, error) {
	m := e.members[name]
	if m.Kind != jsonvalue.Array {
		return nil, problem.At(e.at(name), "must be an array of strings")
	}
	v, err := jsonvalue.Parse(m.Text)
	if err != nil {
		return nil, syntax(e.at(name), err)
	}
	texts := make([]string, v.Len())
	for i, element := range v.Elements() {
		if element.Kind() != jsonvalue.String {
			return nil, problem.At(e.at(name)+indexPath(i), "must be a string")
		}
		texts[i] = element.Str()
	}
	return texts, nil
}

// sequence is where local ids begin.
func (e *envelope) sequence() (*source.Sequence, error) {
	m := e.members["sequence"]
	if m.Kind != jsonvalue.Object {
		return nil, problem.At(e.at("sequence"), `must be an object, such as {"start": 1}`)
	}
	inner, err := openEnvelope(m.Text, e.at("sequence"), "start")
	if err != nil {
		return nil, err
	}
	start, err := inner.number("start")
	if err == nil && start == nil {
		err = problem.At(inner.at("start"), "is missing: where do the numbers begin?")
	}
	if err != nil {
		return nil, err
	}
	return &source.Sequence{Start: *start}, nil
}

// preconditionSet reads the headers and the base.
func preconditionSet(r *transport.Request, base *uint64) (precondition.Set, error) {
	p, err := preconditions(r, base)
	return precondition.Set{IfMatch: p.IfMatch, IfExists: p.IfExists, IfNoneMatch: p.IfNoneMatch, Base: p.Base}, err
}

// sourceGet shows an authority source file.
func (s *Service) sourceGet(_ context.Context, r *transport.Request, done reply) {
	id := sourceID(r.Provider, r.ID)
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		head, err := view.Head(id)
		if isMissing(err) {
			return nil, source.Missing()
		}
		if err != nil {
			return nil, err
		}
		shown, err := shownSource(r.Provider, persistence.Listed{ID: r.ID, Head: head})
		if err != nil {
			return nil, err
		}
		if shown == nil {
			return nil, source.Missing()
		}
		answer, err := ok(shown)
		if err == nil {
			answer.Version = head.Version
		}
		return answer, err
	})
}

// shownSource is what is shown of a source file; nil of a deleted one.
func shownSource(provider string, e persistence.Listed) (*api.Source, error) {
	state, err := source.Behavior{}.DecodeState(e.Head.State)
	if err != nil || !state.Live {
		return nil, err
	}
	shown := &api.Source{Provider: provider, ID: e.ID, Version: e.Head.Version, ETag: collection.ETag(e.Head.Version), Seq: e.Head.Seq,
		Name: state.Name, Codes: append([]string{}, state.Codes...), Type: state.Type, BaseURL: state.BaseURL,
		URLRevision: state.Revision, Selectable: state.Selectable, Origin: state.Origin, Created: state.Created, Updated: state.Updated,
		Propagation: state.Job}
	if state.Sequence != nil {
		shown.Sequence = &api.Numbering{Start: state.Sequence.Start, Next: max(state.Next, state.Sequence.Start)}
	}
	return shown, nil
}

// sourceList pages through the source files of a provider.
func (s *Service) sourceList(_ context.Context, r *transport.Request, done reply) {
	s.list(r, persistence.KindSource, done, func(e persistence.Listed) (any, error) {
		shown, err := shownSource(r.Provider, e)
		if shown == nil {
			return nil, err
		}
		return shown, err
	})
}

// sourceNextID takes the next local id.
func (s *Service) sourceNextID(_ context.Context, r *transport.Request, done reply) {
	if len(bytes.TrimSpace(r.Body)) > 0 {
		if _, err := openEnvelope(r.Body, ""); err != nil {
			done(nil, err)
			return
		}
	}
	s.write(r, sourceID(r.Provider, r.ID), &source.Next{}, "", done)
}

// sourceDelete leaves a tombstone, if nothing refers to the source file.
func (s *Service) sourceDelete(ctx context.Context, r *transport.Request, done reply) {
	reason, err := reasonParam(r)
	if err != nil {
		done(nil, err)
		return
	}
	p, err := preconditionSet(r, nil)
	if err != nil {
		done(nil, err)
		return
	}
	done(s.deleteSource(ctx, r, p, reason))
}

// deleteSource closes the source, looks whether anything refers to it, and deletes it if nothing does: see the package
// source.
func (s *Service) deleteSource(ctx context.Context, r *transport.Request, p precondition.Set, reason string) (*transport.Reply, error) {
	id := sourceID(r.Provider, r.ID)
	leave, err := s.sourceTurn(ctx, r, id)
	if err != nil {
		return nil, err
	}
	defer leave()
	ctx, done := throughout(ctx)
	defer done()
	if err := s.settleSource(ctx, id); err != nil {
		return nil, err
	}
	env := s.envelope(r, id, &source.Delete{Set: p, Try: true}, reason)
	dryRun := env.DryRun
	env.DryRun = true
	tried, err := s.call(ctx, env)
	if err != nil || tried.Status != 0 {
		return &transport.Reply{Status: tried.Status, Version: tried.Version, Body: tried.Body}, err
	}
	if err := s.unused(id); err != nil || dryRun {
		return &transport.Reply{Status: 200, Version: tried.Version, Body: tried.Body}, err
	}
	if err := s.tellSource(ctx, id, &source.Close{}); err != nil {
		return nil, err
	}
	// What was decided before the source was closed is in the store, or nowhere, once it is answered.
	waiting, cancel := context.WithTimeout(ctx, drainMax)
	defer cancel()
	if err = s.authorities.drain(waiting); err == nil {
		err = s.unused(id)
	}
	var a transport.Reply
	if err == nil {
		deleted, callErr := s.call(ctx, s.envelope(r, id, &source.Delete{Set: p}, reason))
		a, err = transport.Reply{Status: deleted.Status, Version: deleted.Version, Body: deleted.Body}, callErr
	}
	// It gives the names back, or opens the source again.
	if settleErr := s.settleSource(ctx, id); settleErr != nil {
		s.Failed(r.RequestID, settleErr)
	}
	if err != nil {
		return nil, err
	}
	return &a, nil
}

// drainMax bounds how long a deletion waits for writes that were on their way.
const drainMax = 30 * time.Second

// usesMaxCount bounds how far the uses of a source file are counted.
const usesMaxCount = 1000

// unused is nil if no authority belongs to the source, and no document is linked to one that does.
func (s *Service) unused(id persistence.EntityID) error {
	view := s.Store.View()
	authorities, documents, err := usesOf(view, id)
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	if err != nil || authorities == 0 && documents == 0 {
		return err
	}
	atLeast := ""
	if authorities == usesMaxCount || documents == usesMaxCount {
		atLeast = "at least "
	}
	return problem.New(problem.InUse, "%s%d authorities belong to it, and %d documents are linked to it", atLeast, authorities, documents).
		With("authorities", authorities).With("documents", documents)
}

func usesOf(view persistence.View, id persistence.EntityID) (authorities, documents int, err error) {
	lives := linkedCollections{view: view, known: make(map[string]collection.State)}
	for p := range view.Partitions() {
		key := indexOfAuthorities(id)
		for _, err := range view.Index(persistence.Partition(p), key, persistence.IndexEntry{}) {
			if authorities++; err != nil || authorities == usesMaxCount {
				return authorities, documents, err
			}
		}
		key = indexOfDocuments(id)
		for e, err := range view.Index(persistence.Partition(p), key, persistence.IndexEntry{}) {
			if err != nil {
				return authorities, documents, err
			}
			live, err := lives.has(e)
			if err != nil {
				return authorities, documents, fmt.Errorf("look for uses of %v: %w", id, err)
			}
			if live {
				documents++
			}
			if documents == usesMaxCount {
				return authorities, documents, nil
			}
		}
	}
	return authorities, documents, nil
}
