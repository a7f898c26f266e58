package operations

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"concord/actors/editsession"
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/internal/planted"
	"concord/persistence"
	"concord/transport"
)

// Edit are the bounds of bulk edit sessions.
type Edit struct {
	RowsMax   int           // of a session
	OpenMax   int           // sessions of a provider that are not closed
	Lifetime  time.Duration // after which an open one is closed
	Retention time.Duration // of the rows of a closed one
}

// DefaultEdit are the bounds that nobody has changed.
var DefaultEdit = Edit{RowsMax: 250_000, OpenMax: 1000, Lifetime: 30 * 24 * time.Hour, Retention: 90 * 24 * time.Hour}

// editLast stands for the caller's own newest session that is not closed.
const editLast = "last"

func editID(provider, id string) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindEditSession, Provider: provider, ID: id}
}

// editSession is a session at one moment.
type editSession struct {
	id    persistence.EntityID
	state editsession.State
	seq   uint64
}

// editIn is a session as the reader has it; its state is the zero value if it never was.
func editIn(from persistence.EntityReader, id persistence.EntityID) (*editSession, error) {
	head, err := from.Head(id)
	if err != nil && !isMissing(err) {
		return nil, fmt.Errorf("read %v: %w", id, err)
	}
	state, err := editsession.Behavior{}.DecodeState(head.State)
	if err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, err)
	}
	return &editSession{id, state, head.Seq}, nil
}

// editAt is a session as it is now, whoever's it is.
func (s *Service) editAt(id persistence.EntityID) (*editSession, error) { return editIn(s.Store, id) }

// editNow is the session that a request names, as it is now.
func (s *Service) editNow(r *transport.Request) (*editSession, error) { return editOf(s.Store, r) }

// editOf reads the session that a request names: one of the caller's own, or, for who has the right, of anybody's. Drafts and
// expired ones are not there.
func editOf(from persistence.Reader, r *transport.Request) (*editSession, error) {
	id := editID(r.Provider, r.ID)
	if r.ID == editLast {
		var err error
		if id.ID, err = lastEdit(from, r); err != nil {
			return nil, err
		}
	}
	e, err := editIn(from, id)
	switch {
	case err != nil:
		return nil, err
	case !e.state.Status.Shown():
		return nil, editsession.Missing()
	case !mayEdit(r, e.state.Owner):
		return nil, problem.New(problem.Forbidden, "the bulk edit session is another's")
	}
	return e, nil
}

// mayEdit says that the caller may use the sessions of an owner.
func mayEdit(r *transport.Request, owner string) bool {
	return owner == r.Caller.Principal || r.Caller.May(transport.RightAdmin, r.Provider)
}

// lastEdit is the id of the caller's own newest session that is not closed: it looks at one entry of each partition.
func lastEdit(from persistence.IndexReader, r *transport.Request) (string, error) {
	var newest jobKey
	prefix := editsession.OwnerPrefix(r.Caller.Principal)
	if planted.OtherSession {
		prefix = ""
	}
	for p := range from.Partitions() {
		key := persistence.IndexKey{Kind: persistence.KindEditSession, Name: editsession.IndexLast, Provider: r.Provider, Term: prefix}
		for e, err := range from.IndexTerms(persistence.Partition(p), key) {
			if err != nil {
				return "", fmt.Errorf("look for the newest session of %s: %w", r.Caller.Principal, err)
			}
			k := jobKey{e.Term, e.Entity}
			if !strings.HasPrefix(e.Term, prefix) || newest != (jobKey{}) && newest.compare(k) < 0 {
				break
			}
			listed, err := editsession.DecodeListed(e.Value)
			if err != nil {
				return "", errors.Join(persistence.ErrCorrupt, err)
			}
			if listed.Owner == r.Caller.Principal || planted.OtherSession {
				newest = k
				break
			}
		}
	}
	if newest == (jobKey{}) {
		return "", problem.New(problem.NotFound, "you have no bulk edit session that is not closed")
	}
	return newest.id, nil
}

// onEdit answers from one moment of the store, in which the request's session is there.
func (s *Service) onEdit(r *transport.Request, done reply, fn func(persistence.View, *editSession) (*transport.Reply, error)) {
	view := s.Store.View()
	e, err := editOf(view, r)
	var answer *transport.Reply
	if err == nil {
		answer, err = fn(view, e)
	}
	if closeErr := view.Close(); err == nil {
		err = closeErr
	}
	s.Host.SettledAll(func() { done(answer, err) })
}

// editRow is a row and its place among the rows.
type editRow struct {
	number uint64
	editsession.Row
}

// rows are those of the session from one on.
func (e *editSession) rows(from persistence.EntityReader, number uint64) iter.Seq2[editRow, error] {
	return func(yield func(editRow, error) bool) {
		if e.state.PerChunk == 0 {
			return
		}
		per := uint64(e.state.PerChunk)
		for chunk := number / per; chunk < uint64(e.state.Chunks); chunk++ {
			body, err := partOf(from, e.id, editsession.ChunkPart(e.state.List, uint32(chunk)))
			if err != nil {
				yield(editRow{}, err)
				return
			}
			rows, err := editsession.DecodeChunk(body)
			if err != nil {
				yield(editRow{}, errors.Join(persistence.ErrCorrupt, err))
				return
			}
			for i := max(number, chunk*per) - chunk*per; i < uint64(len(rows)); i++ {
				if !yield(editRow{chunk*per + i, rows[i]}, nil) {
					return
				}
			}
		}
	}
}

// matched are the rows that take part in runs, in their order.
func (e *editSession) matched(view persistence.View) iter.Seq2[editsession.Row, error] {
	return func(yield func(editsession.Row, error) bool) {
		for row, err := range e.rows(view, 0) {
			if err != nil {
				yield(editsession.Row{}, err)
				return
			}
			if row.State == editsession.Matched && !yield(row.Row, nil) {
				return
			}
		}
	}
}

// toEdit is a command to a session on behalf of the request. It is repeatable by itself: no idempotency key goes with it.
func (s *Service) toEdit(r *transport.Request, id persistence.EntityID, c editsession.Command) *entity.Envelope {
	return &entity.Envelope{Entity: id, Command: c, Deadline: r.Deadline,
		Meta: entity.Meta{Principal: r.Caller.Principal, Kind: r.Caller.Kind, Session: r.Header.Session, RequestID: r.RequestID}}
}

// editEvents lists the events of a session.
func (s *Service) editEvents(_ context.Context, r *transport.Request, done reply) {
	e, err := s.editNow(r)
	if err != nil {
		s.Host.SettledAll(func() { done(nil, err) })
		return
	}
	s.events(r, e.id, editsession.Missing, done)
}

// editEventStream sends the events of a session, and goes on with those that come.
func (s *Service) editEventStream(ctx context.Context, r *transport.Request, send func(transport.StreamEvent) error) error {
	e, err := s.editNow(r)
	if err != nil {
		return err
	}
	return s.eventStream(ctx, r, e.id, editsession.Missing, send)
}

// editClose closes a session of which nothing is under way. Closing it again changes nothing.
func (s *Service) editClose(ctx context.Context, r *transport.Request, done reply) {
	answer, err := s.closeEdit(ctx, r)
	s.Host.SettledAll(func() { done(answer, err) })
}

func (s *Service) closeEdit(ctx context.Context, r *transport.Request) (*transport.Reply, error) {
	if _, err := openEnvelope(r.Body, ""); err != nil {
		return nil, err
	}
	ctx, end := s.patience(ctx, r)
	defer end()
	e, leave, err := s.turnOfEdit(ctx, r)
	if err != nil {
		return nil, err
	}
	defer leave()
	if err := s.idle(e); err != nil {
		return nil, err
	}
	env := s.toEdit(r, e.id, &editsession.Close{})
	env.Vital = true
	if _, err := s.call(ctx, env); err != nil {
		return nil, err
	}
	return s.editAnswer(r, e.id, 200)
}

// sessionTurn waits until nobody else changes the session.
func (s *Service) sessionTurn(ctx context.Context, session persistence.EntityID) (leave func(), err error) {
	return s.turns.take(ctx, forSession, session.String(), "another request for the session")
}

// turnOfEdit waits until nobody else changes the session, and reads it, without a run whose task never was.
func (s *Service) turnOfEdit(ctx context.Context, r *transport.Request) (*editSession, func(), error) {
	e, err := s.editNow(r)
	if err != nil {
		return nil, nil, err
	}
	leave, err := s.sessionTurn(ctx, e.id)
	if err != nil {
		return nil, nil, err
	}
	if e, err = s.settledEdit(ctx, r, e.id); err != nil {
		leave()
	}
	return e, leave, err
}

// idle refuses what cannot be while a run is at work.
func (s *Service) idle(e *editSession) error {
	newest, some := e.state.Newest()
	if !some || newest.Task == "" {
		return nil
	}
	task, _, err := bulkState(s.Store, bulkID(e.id.Provider, newest.Task))
	if err == nil && task.Status.Open() {
		err = problem.New(problem.WrongState, "the %s of the bulk edit session is at work: cancel it, or wait for its end", newest.Kind).
			With("state", task.Status).With("task", newest.Task)
	}
	return err
}
