package operations

import (
	"context"
	"encoding/base64"
	"encoding/json"

	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/provider"
	"concord/actors/upload"
	"concord/persistence"
	"concord/transport"
)

func uploadID(provider, id string) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindUpload, Provider: provider, ID: id}
}

// uploadOpen makes an upload. The provider's own actor remembers the id under the idempotency key, so that a repeat,
// also one after a crash between the two steps, opens the same upload.
func (s *Service) uploadOpen(_ context.Context, r *transport.Request, done reply) {
	if _, err := openEnvelope(r.Body, ""); err != nil {
		done(nil, err)
		return
	}
	id := persistence.EntityID{Kind: persistence.KindProvider, Provider: r.Provider, ID: r.Provider}
	s.write(r, id, &provider.Issue{ID: s.NewID()}, "", func(issued *transport.Reply, err error) {
		if err != nil {
			done(nil, err)
			return
		}
		var result provider.Result
		if err := json.Unmarshal(issued.Body, &result); err != nil {
			done(nil, err)
			return
		}
		s.deliver(r, uploadID(r.Provider, result.ID), &upload.Open{}, func(answer *transport.Reply, err error) {
			if answer != nil {
				answer.Status = 201
			}
			done(answer, err)
		})
	})
}

// deliver sends a command that is repeatable by itself: without an idempotency key.
func (s *Service) deliver(r *transport.Request, id persistence.EntityID, command any, done reply) {
	s.Host.Deliver(&entity.Envelope{Entity: id, Command: command, Deadline: r.Deadline,
		Meta: entity.Meta{Principal: r.Caller.Principal, Session: r.Header.Session, RequestID: r.RequestID},
		Reply: func(a entity.Answer, err error) {
			if err != nil {
				done(nil, err)
				return
			}
			done(&transport.Reply{Status: a.Status, Body: a.Body}, nil)
		}})
}

// uploadAppend adds a chunk: base64 in the body.
func (s *Service) uploadAppend(_ context.Context, r *transport.Request, done reply) {
	e, err := openEnvelope(r.Body, "", "offset", "data")
	if err != nil {
		done(nil, err)
		return
	}
	offset, err := e.number("offset")
	if err == nil && offset == nil {
		err = problem.At("/offset", "is missing: how many bytes were sent before?")
	}
	if err != nil {
		done(nil, err)
		return
	}
	text, err := e.str("data", base64.StdEncoding.EncodedLen(s.Limits.Actors.Upload.ChunkMaxBytes))
	if err != nil {
		done(nil, err)
		return
	}
	chunk, err := base64.StdEncoding.DecodeString(text)
	if err != nil || e.members["data"].Kind != jsonvalue.String {
		done(nil, problem.At("/data", "must be base64 (RFC 4648 section 4)"))
		return
	}
	s.deliver(r, uploadID(r.Provider, r.ID), &upload.Append{Offset: *offset, Chunk: chunk}, done)
}

// uploadClose ends an upload.
func (s *Service) uploadClose(_ context.Context, r *transport.Request, done reply) {
	if _, err := openEnvelope(r.Body, ""); err != nil {
		done(nil, err)
		return
	}
	s.deliver(r, uploadID(r.Provider, r.ID), &upload.Close{}, done)
}
