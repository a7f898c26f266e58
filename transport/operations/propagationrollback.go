package operations

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"concord/actors/authority"
	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/actors/propagation"
	"concord/actors/source"
	"concord/persistence"
	"concord/persistence/recordpb"
	"concord/transport"
)

// What a propagation has done is taken back at its cause: the source, or the authority, becomes what it was before, which is a
// change like any other, with a revision and a job of its own. Whether it is still the newest change is for the source or the
// authority to decide, so that nothing comes in between. A field that was unlinked does not say any more whom it was linked to:
// a change that has unlinked fields cannot be taken back.

// propagationRollback changes the cause of a job back.
func (s *Service) propagationRollback(ctx context.Context, r *transport.Request, done reply) {
	answer, err := s.rollbackPropagation(ctx, r)
	s.Host.Settled(propagationID(r), func() { done(answer, err) })
}

func (s *Service) rollbackPropagation(ctx context.Context, r *transport.Request) (*transport.Reply, error) {
	e, err := openEnvelope(r.Body, "", "reason")
	if err != nil {
		return nil, err
	}
	reason, err := e.str("reason", reasonMaxBytes)
	if err != nil {
		return nil, err
	}
	reason = cmp.Or(reason, "roll-back of the propagation "+r.ID)
	b, err := s.readCauseBack(r)
	switch {
	case err != nil:
		return nil, err
	case b.source != nil:
		b.source.Job = s.NewID()
		return s.changeSource(ctx, r, b.of(), b.source, reason)
	}
	return s.changeAuthority(ctx, r, b.of(), b.authority, reason)
}

// readCauseBack finds out what the cause of the job in the request was before.
func (s *Service) readCauseBack(r *transport.Request) (b *causeBack, err error) {
	view := s.Store.View()
	defer func() { err = errors.Join(err, view.Close()) }()
	b = &causeBack{view: view, job: propagationID(r)}
	if b.state, _, err = propagationState(view, b.job); err != nil {
		return nil, err
	}
	if b.state.Cause.Authority == nil && !r.Caller.May(transport.RightAdmin, r.Provider) {
		return nil, problem.New(problem.Forbidden, "to take back a change of a base URL takes the right %q, as the change does", transport.RightAdmin)
	}
	if err = b.look(); err == nil && b.authority != nil {
		err = b.readRecord()
	}
	return b, err
}

// causeBack is what takes the cause of a job back: one of source and authority, once look has found it.
type causeBack struct {
	view  persistence.View
	job   persistence.EntityID
	state *propagation.State

	source    *source.Put
	authority *authority.Put
	before    *recordpb.Record // that made the version of the authority before
}

// of is the source or the authority that has changed.
func (b *causeBack) of() persistence.EntityID {
	return propagation.CauseOf(b.job.Provider, &b.state.Cause)
}

// irreversible refuses a job for good.
func irreversible(format string, args ...any) error {
	return problem.New(problem.CannotUndo, "the propagation cannot be rolled back: "+format, args...)
}

// look finds what takes the cause back, of an authority without its record; an error says why nothing does.
func (b *causeBack) look() error {
	c := &b.state.Cause
	switch {
	case c.Action == links.ActionAudit:
		return irreversible("an audit is no change of a source or an authority")
	case c.Authority == nil:
		was := c.Was.BaseURL
		b.source = &source.Put{Fields: source.Fields{BaseURL: &was}, Undoes: c.Source.Revision}
		return nil
	case c.Action == links.ActionCreate:
		return irreversible("fields have waited for the authority, and a deletion of it would unlink them")
	case c.Authority.UnlinkedAt == c.Authority.Revision:
		if err := b.unlinksNothing(); err != nil {
			return err
		}
	}
	return b.lookBefore()
}

// unlinksNothing is nil if the change has turned out to be one of an authority that no field was linked to.
func (b *causeBack) unlinksNothing() error {
	s := b.state
	switch {
	case s.Status.Open():
		return problem.New(problem.WrongState, "the propagation unlinks fields, and is %s: if there are any, it cannot be rolled back", s.Status).
			With("state", s.Status)
	case s.Status == propagation.Completed && s.Counts.Unchanged == s.Counts.Total():
		return nil
	}
	return irreversible("linked fields have lost the link by the change, or lose it when they are next brought up to date, and would not get it "+
		"back: write the authority %s again, then link the fields again", s.Cause.Authority.ID)
}

// lookBefore finds the version that the cause has made of the authority, and the one before it.
func (b *causeBack) lookBefore() error {
	newest, err := b.view.VersionAt(b.of(), b.state.Requested)
	if err != nil {
		return b.unkept(err)
	}
	b.authority = new(authority.Put)
	for rec, err := range b.view.Versions(b.of(), newest+1) {
		if err != nil {
			return b.unkept(err)
		}
		e, err := authority.Behavior{}.DecodeEvent(entity.Encoded{Type: rec.GetType(), Payload: rec.GetPayload()})
		switch {
		case err != nil:
			return errors.Join(persistence.ErrCorrupt, err)
		case e.After.Job == b.job.ID: // a version that no linked field sees keeps the job of the one before
			b.authority.Undoes = rec.GetVersion()
		case b.authority.Undoes > 0:
			b.before = rec
			return nil
		case rec.GetTime() < b.state.Requested.UnixMicro():
			return b.unkept(persistence.ErrNotFound)
		}
	}
	return b.unkept(persistence.ErrNotFound)
}

// unkept refuses a job if what was before its cause is no longer kept.
func (b *causeBack) unkept(err error) error {
	if errors.Is(err, persistence.ErrTrimmed) || isMissing(err) {
		return irreversible("the version before it of the authority %s is no longer kept", b.of().ID)
	}
	return fmt.Errorf("versions of %v: %w", b.of(), err)
}

// readRecord completes what makes the authority as it was.
func (b *causeBack) readRecord() error {
	e, err := authority.Behavior{}.DecodeEvent(entity.Encoded{Type: b.before.GetType(), Payload: b.before.GetPayload()})
	if err != nil {
		return errors.Join(persistence.ErrCorrupt, err)
	}
	part, err := b.view.PartAt(b.of(), authority.RecordPart, b.before.GetVersion())
	if err != nil {
		return b.unkept(err)
	}
	record, err := b.view.Body(b.of(), part.Place)
	if err != nil {
		return b.unkept(err)
	}
	c, p := authority.NewPut(e.After.Source, e.After.NaturalID, record, e.After.Hash, "")
	if p != nil {
		return irreversible("the version %d of the authority %s is none that could be written now: %v", b.before.GetVersion(), b.of().ID, p)
	}
	c.Undoes = b.authority.Undoes
	b.authority = c
	return nil
}

// available says that nothing is in the way of a roll-back as far as the job, and its cause as it is, can tell.
func (b *causeBack) available() (bool, error) {
	err := b.look()
	if err == nil {
		err = b.undoable()
	}
	if _, refused := errors.AsType[*problem.Problem](err); refused {
		return false, nil
	}
	return err == nil, err
}

// undoable asks the source or the authority, as it is.
func (b *causeBack) undoable() error {
	head, err := b.view.Head(b.of())
	if err != nil {
		return fmt.Errorf("cause of %v: %w", b.job, err)
	}
	if b.source != nil {
		state, err := source.Behavior{}.DecodeState(head.State)
		if err != nil {
			return err
		}
		return b.source.Undoable(&state)
	}
	state, err := authority.Behavior{}.DecodeState(head.State)
	if err != nil {
		return err
	}
	return b.authority.Undoable(&state)
}
