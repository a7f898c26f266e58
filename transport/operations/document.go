package operations

import (
	"context"
	"net/http"
	"strconv"

	"concord/actors/collection"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
)

// documentGet shows one document: one look-up, however many there are.
func (s *Service) documentGet(_ context.Context, r *transport.Request, done reply) {
	q, err := s.getQuery(r)
	if err != nil {
		done(nil, err)
		return
	}
	id := collectionID(r)
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		sh, err := q.open(view, id)
		if err != nil {
			return nil, err
		}
		p, ok, err := sh.part(r.Inner)
		if err != nil {
			return nil, err
		}
		if !ok || sh.state.Deleted {
			return nil, problem.New(problem.NotFound, "there is no document %q", r.Inner)
		}
		text, err := view.Body(id, p.Place)
		if err != nil {
			return nil, err
		}
		body := make([]byte, 0, len(text)+256)
		body = append(append(append(body, `{"provider":"`...), r.Provider...), `","id":"`...)
		body = append(append(append(body, r.ID...), `","document":`...), jsonvalue.NewString(r.Inner).Text()...)
		body = strconv.AppendUint(append(body, `,"version":`...), p.Version, 10)
		body = append(strconv.AppendUint(append(body, `,"etag":"\"v`...), p.Version, 10), `\"","value":`...)
		body = append(append(body, text...), '}')
		return &transport.Reply{Status: http.StatusOK, Version: p.Version, Body: body}, nil
	})
}

// documentPut writes one document of a collection that exists.
func (s *Service) documentPut(_ context.Context, r *transport.Request, done reply) {
	e, err := openEnvelope(r.Body, "", append([]string{"document", "value"}, commonNames...)...)
	if err != nil {
		done(nil, err)
		return
	}
	w, reason, err := decodeDocumentPut(e, r)
	if err == nil {
		err = settleParams(r, w)
	}
	if err != nil {
		done(nil, err)
		return
	}
	s.change(r, w, &w.Under, reason, done)
}

func decodeDocumentPut(e *envelope, r *transport.Request) (*collection.Write, string, error) {
	c, err := e.common()
	if err != nil {
		return nil, "", err
	}
	ch := collection.Change{Op: collection.OpPut, Path: "/value"}
	if ch.Part, err = inner(e, r, "document"); err != nil {
		return nil, "", err
	}
	if err := e.changeValue(&ch); err != nil {
		return nil, "", err
	}
	w := &collection.Write{Policy: c.policy, Fields: c.fields, Single: true, Under: collection.Under{Park: c.queue}}
	w.Base = c.base
	if err := partPreconditions(r, &ch); err != nil {
		return nil, "", err
	}
	w.Changes = []collection.Change{ch}
	return w, c.reason, nil
}

// inner is the document, or what else has the name, that the path or, over NATS, the body names.
func inner(e *envelope, r *transport.Request, name string) (string, error) {
	if r.Inner == "" {
		if !e.has(name) {
			return "", problem.At(e.at(name), "is missing: which %s?", name)
		}
		return e.documentID(name)
	}
	if e.has(name) {
		return "", problem.At(e.at(name), "the path names the %s; the body does not repeat it", name)
	}
	return r.Inner, nil
}

// partPreconditions reads If-Match and If-None-Match as conditions on one document: its entity tag names the newest
// version of the collection at which the document was seen.
func partPreconditions(r *transport.Request, ch *collection.Change) error {
	p, err := preconditions(r, nil)
	ch.IfMatch, ch.IfExists, ch.IfNoneMatch = p.IfMatch, p.IfExists, p.IfNoneMatch
	return err
}

// documentDelete removes one document.
func (s *Service) documentDelete(_ context.Context, r *transport.Request, done reply) {
	reason, err := reasonParam(r)
	if err != nil {
		done(nil, err)
		return
	}
	ch := collection.Change{Op: collection.OpRemove, Part: r.Inner, Path: ""}
	if err := partPreconditions(r, &ch); err != nil {
		done(nil, err)
		return
	}
	w := &collection.Write{Changes: []collection.Change{ch}}
	if err := settleParams(r, w); err != nil {
		done(nil, err)
		return
	}
	s.change(r, w, &w.Under, reason, done)
}
