package operations

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"concord/actors/collection"
	"concord/actors/problem"
	"concord/transport"
)

// collectionPut replaces the parts that are given, and creates the collection if there is none.
func (s *Service) collectionPut(_ context.Context, r *transport.Request, done reply) {
	w, reason, err := decodePut(r)
	if err == nil {
		err = settleParams(r, w)
	}
	if err != nil {
		done(nil, err)
		return
	}
	s.change(r, w, &w.Under, reason, done)
}

// change sends a change of content, once it is known how it stands to the lock, and whether it could wait for it.
func (s *Service) change(r *transport.Request, c collection.Command, u *collection.Under, reason string, done reply) {
	var err error
	if *u, err = under(r, u.Park); err != nil {
		done(nil, err)
		return
	}
	if u.Park {
		u.NoRoom = s.Board.Room(r.Provider, len(r.Body), s.Limits.ParkedMaxBytes)
	}
	s.write(r, collectionID(r), c, reason, func(a *transport.Reply, err error) {
		err = linked(r, err)
		if err == nil && (u.Token != "" || a.Status == http.StatusAccepted) {
			err = tellMore(a)
		}
		done(a, err)
	})
}

// tellMore reads from the answer to a change what HTTP has headers for: the fence that it was made under, or where the
// change can be seen that waits for its turn. What is remembered of an answer is its body alone.
func tellMore(a *transport.Reply) error {
	var told struct {
		Lock      collection.UnderLock `json:"lock"`
		Operation string               `json:"operation"`
	}
	if err := json.Unmarshal(a.Body, &told); err != nil {
		return fmt.Errorf("read the answer to a change: %w", err)
	}
	a.Fence = told.Lock.Fence
	if told.Operation != "" {
		a.See = transport.Place{Operation: "operation.get", Inner: told.Operation}
	}
	return nil
}

func decodePut(r *transport.Request) (*collection.Write, string, error) {
	if len(r.Body) == 0 {
		return nil, "", problem.At("", "a body is needed: {} for an empty collection")
	}
	e, err := openEnvelope(r.Body, "", append([]string{"format", "type", "metadata", "documents"}, commonNames...)...)
	if err != nil {
		return nil, "", err
	}
	c, err := e.common()
	if err != nil {
		return nil, "", err
	}
	w := &collection.Write{Create: true, Policy: c.policy, Fields: c.fields, Under: collection.Under{Park: c.queue}}
	if w.Preconditions, err = preconditions(r, c.base); err != nil {
		return nil, "", err
	}
	if w.Format, err = e.str("format", 16); err != nil {
		return nil, "", err
	}
	if w.Format != "" && w.Format != collection.FormatJSON && w.Format != collection.FormatMARC {
		return nil, "", problem.At("/format", `must be "json" or "marc"`)
	}
	if w.Type, err = e.str("type", 128); err != nil {
		return nil, "", err
	}
	if w.Type != "" && !transport.ValidID(w.Type) {
		return nil, "", problem.At("/type", "a type id is letters, digits, \"_\" or \"-\"")
	}
	metadata, ok, err := e.metadata()
	if err != nil {
		return nil, "", err
	}
	if ok {
		w.Changes = append(w.Changes, metadata)
	}
	if e.has("documents") {
		documents, err := e.documents()
		if err != nil {
			return nil, "", err
		}
		w.ReplaceDocuments, w.Changes = true, append(w.Changes, documents...)
	}
	return w, c.reason, nil
}

// collectionDelete leaves a tombstone.
func (s *Service) collectionDelete(_ context.Context, r *transport.Request, done reply) {
	base, reason, err := deleteParams(r)
	if err != nil {
		done(nil, err)
		return
	}
	p, err := preconditions(r, base)
	if err != nil {
		done(nil, err)
		return
	}
	d := &collection.Delete{Preconditions: p}
	s.change(r, d, &d.Under, reason, done)
}

// deleteParams are the inputs of a deletion, which has no body.
func deleteParams(r *transport.Request) (base *uint64, reason string, err error) {
	n, given, err := intParam(r, "baseVersion")
	if err != nil {
		return nil, "", err
	}
	if given {
		base = &n
	}
	reason, err = reasonParam(r)
	return base, reason, err
}

func reasonParam(r *transport.Request) (string, error) {
	reason := r.Param("reason")
	if len(reason) > reasonMaxBytes {
		return "", problem.At("reason", "%d bytes: the limit is %d", len(reason), reasonMaxBytes)
	}
	return reason, nil
}

// collectionRevert makes an old version the newest.
func (s *Service) collectionRevert(_ context.Context, r *transport.Request, done reply) {
	e, err := openEnvelope(r.Body, "", "to", "baseVersion", "reason")
	if err != nil {
		done(nil, err)
		return
	}
	to, err := e.number("to")
	if err == nil && (to == nil || *to == 0) {
		err = problem.At("/to", "is missing: which version? The first is 1")
	}
	if err != nil {
		done(nil, err)
		return
	}
	base, err := e.number("baseVersion")
	if err != nil {
		done(nil, err)
		return
	}
	p, err := preconditions(r, base)
	if err != nil {
		done(nil, err)
		return
	}
	reason, err := e.str("reason", reasonMaxBytes)
	if err != nil {
		done(nil, err)
		return
	}
	back := &collection.Revert{Preconditions: p, To: *to}
	s.change(r, back, &back.Under, reason, done)
}
