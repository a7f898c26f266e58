package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"concord/actors/editsession"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
)

// A session is opened like this:
//
//  1. what is wrong with the request by itself is told; if its idempotency key is known, the session of then is the answer;
//  2. its rows are made on one moment of the store, and all chunks but the last are staged (editRows): nobody is shown a draft;
//  3. the provider's own actor remembers the id of the session under the key, and Open makes the session, with the last chunk.
//
// A refusal in 2 or 3 takes back what is staged. A crash leaves a draft, which lapses. Other records for a session are matched in
// the same way; what a crash leaves of those gives way to the next ones.

// editOpen opens a session.
func (s *Service) editOpen(ctx context.Context, r *transport.Request, done reply) {
	answer, err := s.openEdit(ctx, r)
	s.Host.SettledAll(func() { done(answer, err) })
}

func (s *Service) openEdit(ctx context.Context, r *transport.Request) (*transport.Reply, error) {
	if err := s.bulkEnabled(); err != nil {
		return nil, err
	}
	o, err := readEditOpen(r)
	if err != nil {
		return nil, err
	}
	ctx, end := s.patience(ctx, r)
	defer end()
	leave, err := s.onlyAttempt(ctx, r)
	if err != nil {
		return nil, err
	}
	defer leave()
	id := editID(r.Provider, s.NewID())
	if r.Header.IdempotencyKey != "" {
		if id.ID, err = s.issuedBulk(ctx, r, id, true); err != nil {
			return nil, err
		}
		if known, err := s.knownEdit(r, id); err != nil || known != nil {
			return known, err
		}
	}
	if err := s.editRoom(r.Provider); err != nil {
		return nil, err
	}
	l := s.newEditRows(ctx, r, o, id, 1)
	err = l.fill()
	if err == nil {
		err = s.beginEdit(ctx, r, o, l)
	}
	if err != nil {
		return nil, errors.Join(err, s.discardEdit(ctx, l))
	}
	return s.editAnswer(r, id, http.StatusCreated)
}

// knownEdit is the answer to a request whose session is there already; nil if it is not.
func (s *Service) knownEdit(r *transport.Request, id persistence.EntityID) (*transport.Reply, error) {
	e, err := s.editAt(id)
	switch {
	case err != nil:
		return nil, err
	case e.state.Status.Shown():
		return s.editAnswer(r, id, http.StatusCreated)
	case !e.state.Opened.IsZero():
		return nil, problem.New(problem.NotFound, "the session that was opened under this idempotency key has expired")
	}
	return nil, nil
}

// beginEdit makes the session of what is staged.
func (s *Service) beginEdit(ctx context.Context, r *transport.Request, o *editOrder, l *editRows) error {
	if r.Header.IdempotencyKey != "" {
		if err := s.issueBulk(ctx, r, l.id); err != nil {
			return err
		}
	}
	env := s.toEdit(r, l.id, &editsession.Open{
		Session:  editsession.State{Name: o.name, Type: o.typ, By: o.by, From: o.from, Keep: o.keep, Retention: s.Limits.Edit.Retention},
		Lifetime: s.Limits.Edit.Lifetime, Chunks: l.chunks, Stage: l.last()})
	env.Meta.Reason = o.reason
	_, err := s.call(ctx, env)
	return err
}

// discardEdit takes back what is staged of a list that was not completed.
func (s *Service) discardEdit(ctx context.Context, l *editRows) error {
	if l.chunks == 0 {
		return nil
	}
	ctx, end := throughout(ctx)
	defer end()
	env := s.toEdit(l.request, l.id, &editsession.Discard{List: l.list})
	env.Deadline, env.Vital = time.Time{}, true
	if _, err := s.call(ctx, env); err != nil {
		return fmt.Errorf("discard what is staged of %v: %w", l.id, err)
	}
	return nil
}

// editMatch replaces the records of a session.
func (s *Service) editMatch(ctx context.Context, r *transport.Request, done reply) {
	answer, err := s.matchEdit(ctx, r)
	s.Host.SettledAll(func() { done(answer, err) })
}

func (s *Service) matchEdit(ctx context.Context, r *transport.Request) (*transport.Reply, error) {
	o, err := readEditMatch(r)
	if err != nil {
		return nil, err
	}
	ctx, end := s.patience(ctx, r)
	defer end()
	e, leave, err := s.turnOfEdit(ctx, r)
	if err != nil {
		return nil, err
	}
	defer leave()
	if known, err := s.matchedBefore(ctx, r, e); err != nil || known {
		if err != nil {
			return nil, err
		}
		return s.editAnswer(r, e.id, http.StatusOK)
	}
	if err := s.mayMatch(e, o); err != nil {
		return nil, err
	}
	o.typ = e.state.Type
	l := s.newEditRows(ctx, r, o, e.id, e.state.List+1)
	if err = l.fill(); err == nil {
		env := s.toEdit(r, e.id, &editsession.Match{By: o.by, From: o.from, Chunks: l.chunks, Stage: l.last()})
		if r.Header.IdempotencyKey != "" {
			env.Meta.Key, env.Meta.KeyDigest = r.Header.IdempotencyKey, bulkDigest(r)
		}
		_, err = s.call(ctx, env)
	}
	if err != nil {
		return nil, errors.Join(err, s.discardEdit(ctx, l))
	}
	return s.editAnswer(r, e.id, http.StatusOK)
}

// mayMatch refuses other records where there can be none.
func (s *Service) mayMatch(e *editSession, o *editOrder) error {
	if _, stepped := e.state.Done(); stepped || e.state.Status != editsession.Opened {
		return problem.New(problem.WrongState, "the records of a bulk edit session stay once it has a step, or is closed: open another").
			With("state", e.state.Status)
	}
	if e.state.Type == "" && (len(o.by) > 0 || o.from == editsession.FromQuery) {
		at := "/by"
		if o.from == editsession.FromQuery {
			at = "/query"
		}
		return problem.At(at, "keys and queries are those of a type, and the session has none")
	}
	return s.idle(e)
}

// matchedBefore says that the request's key stands for records that were matched. What the session's actor remembers is told to
// a look that would change nothing: an answer of an earlier moment.
func (s *Service) matchedBefore(ctx context.Context, r *transport.Request, e *editSession) (bool, error) {
	if r.Header.IdempotencyKey == "" || e.state.Status != editsession.Opened {
		return false, nil
	}
	env := s.toEdit(r, e.id, &editsession.Match{From: editsession.FromIDs, Stage: editsession.Stage{List: 1}})
	env.DryRun, env.Meta.Key, env.Meta.KeyDigest = true, r.Header.IdempotencyKey, bulkDigest(r)
	a, err := s.call(ctx, env)
	if err != nil {
		return false, err
	}
	var told editsession.Result
	if err := json.Unmarshal(a.Body, &told); err != nil {
		return false, fmt.Errorf("read what %v remembers: %w", e.id, err)
	}
	return told.Matched, nil
}

// editRoom refuses a session for which there is no room beside the open ones.
func (s *Service) editRoom(provider string) error {
	open := 0
	key := persistence.IndexKey{Kind: persistence.KindEditSession, Name: editsession.IndexOpen, Provider: provider, Term: editsession.OpenTerm}
	for p := range s.Store.Partitions() {
		for _, err := range s.Store.Index(persistence.Partition(p), key, persistence.IndexEntry{}) {
			if err != nil {
				return fmt.Errorf("count the open bulk edit sessions: %w", err)
			}
			if open++; open >= s.Limits.Edit.OpenMax {
				p := problem.New(problem.QueueFull, "%d bulk edit sessions of the provider are open: that is the limit; close some", open).
					With("limit", s.Limits.Edit.OpenMax)
				p.RetryAfter = bulkFullRetry
				return p
			}
		}
	}
	return nil
}
