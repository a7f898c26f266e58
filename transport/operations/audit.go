package operations

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"concord/actors/authority"
	"concord/actors/problem"
	"concord/actors/source"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// linkAudit begins a job that holds every field that is linked to a source or an authority against it as it is.
func (s *Service) linkAudit(_ context.Context, r *transport.Request, done reply) {
	id, command, reason, err := s.auditOf(r)
	if err != nil {
		done(nil, err)
		return
	}
	s.write(r, id, command, reason, func(answer *transport.Reply, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		var begun api.LinkChanged
		if err := json.Unmarshal(answer.Body, &begun); err != nil {
			done(nil, fmt.Errorf("answer of %v: %w", id, err))
			return
		}
		text, err := encode(api.Started{Propagation: begun.Propagation})
		done(&transport.Reply{Status: http.StatusAccepted, Body: text}, err)
	})
}

// auditOf reads what is to be audited.
func (s *Service) auditOf(r *transport.Request) (id persistence.EntityID, command any, reason string, err error) {
	e, err := openEnvelope(r.Body, "", "source", "authority", "reason")
	if err != nil {
		return id, nil, "", err
	}
	var of struct{ source, authority string }
	for _, text := range []struct {
		name string
		into *string
		most int
	}{{"source", &of.source, sourceTextMaxBytes}, {"authority", &of.authority, sourceTextMaxBytes}, {"reason", &reason, reasonMaxBytes}} {
		if *text.into, err = e.str(text.name, text.most); err != nil {
			return id, nil, "", err
		}
	}
	switch {
	case (of.source == "") == (of.authority == ""):
		return id, nil, "", problem.At("/source", "whose links? Give one of source and authority")
	case of.source != "" && !transport.ValidID(of.source):
		return id, nil, "", problem.At("/source", "is no id")
	case of.authority != "" && !transport.ValidDocumentID(of.authority):
		return id, nil, "", problem.At("/authority", "is no id")
	case of.source != "":
		return sourceID(r.Provider, of.source), &source.Audit{Job: s.NewID()}, reason, nil
	}
	return authorityID(r.Provider, of.authority), &authority.Follow{Job: s.NewID()}, reason, nil
}
