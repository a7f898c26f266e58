package operations

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"concord/actors/problem"
	"concord/actors/propagation"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

func propagationID(r *transport.Request) persistence.EntityID {
	return persistence.EntityID{Kind: persistence.KindPropagation, Provider: r.Provider, ID: r.ID}
}

// propagationGet shows where a job stands.
func (s *Service) propagationGet(_ context.Context, r *transport.Request, done reply) {
	id := propagationID(r)
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		state, seq, err := propagationState(view, id)
		if err != nil {
			return nil, err
		}
		job := state.Show(id.Provider, id.ID, seq)
		job.RollbackAvailable, err = (&causeBack{view: view, job: id, state: state}).available()
		if err != nil {
			return nil, err
		}
		return ok(job)
	})
}

// propagationOf reads a job as it is shown in lists.
func propagationOf(view persistence.View, id persistence.EntityID) (*api.Propagation, error) {
	state, seq, err := propagationState(view, id)
	if err != nil {
		return nil, err
	}
	job := state.Show(id.Provider, id.ID, seq)
	return &job, nil
}

// propagationState reads a job.
func propagationState(view persistence.View, id persistence.EntityID) (*propagation.State, uint64, error) {
	head, err := view.Head(id)
	if errors.Is(err, persistence.ErrNotFound) {
		return nil, 0, propagation.Missing()
	}
	if err != nil {
		return nil, 0, err
	}
	state, err := propagation.Behavior{}.DecodeState(head.State)
	if err != nil {
		return nil, 0, errors.Join(persistence.ErrCorrupt, err)
	}
	return &state, head.Seq, nil
}

// propagationVerb gives a job a command.
func (s *Service) propagationVerb(command propagation.Command) func(context.Context, *transport.Request, reply) {
	return func(_ context.Context, r *transport.Request, done reply) {
		if _, err := openEnvelope(r.Body, ""); err != nil {
			done(nil, err)
			return
		}
		s.write(r, propagationID(r), command, "", done)
	}
}

// propagationEvents lists the events of a job.
func (s *Service) propagationEvents(_ context.Context, r *transport.Request, done reply) {
	s.events(r, propagationID(r), propagation.Missing, done)
}

// propagationEventStream sends the events of a job, and goes on with those that come.
func (s *Service) propagationEventStream(ctx context.Context, r *transport.Request, send func(transport.StreamEvent) error) error {
	return s.eventStream(ctx, r, propagationID(r), propagation.Missing, send)
}

// States of the items of a job.
const (
	itemFailed  = "FAILED"
	itemWaiting = "WAITING"
)

// propagationItems lists what has failed, and then what is waited for.
func (s *Service) propagationItems(_ context.Context, r *transport.Request, done reply) {
	state := r.Param("state")
	if state != "" && state != itemFailed && state != itemWaiting {
		done(nil, problem.At("state", "must be FAILED or WAITING"))
		return
	}
	limit, err := s.limit(r)
	if err != nil {
		done(nil, err)
		return
	}
	c, _, err := cursorParam(r)
	if err != nil {
		done(nil, err)
		return
	}
	after := cmp.Or(c.After, propagation.PartFailures)
	if state == itemWaiting {
		after = max(after, propagation.PartOpen)
	}
	id := propagationID(r)
	s.read(id, done, func(view persistence.View) (*transport.Reply, error) {
		job, err := propagationOf(view, id)
		if err != nil {
			return nil, err
		}
		items := jobItems{view: view, id: id, job: job, page: s.newPage(limit), state: state}
		return items.list(after)
	})
}

// jobItems makes one page of the items of a job.
type jobItems struct {
	view  persistence.View
	id    persistence.EntityID
	job   *api.Propagation
	page  *page
	state string // that are asked for; empty: all
}

// list shows the parts after one. Failures stand before the chunks of the plan, and what is waited for behind them.
func (l *jobItems) list(after string) (*transport.Reply, error) {
	next, err := l.from(after, propagation.PartFailures)
	if err == nil && next == nil && l.state != itemFailed && after <= propagation.PartOpen {
		next, err = l.from(propagation.PartOpen, propagation.PartOpen)
	}
	if err != nil {
		return nil, err
	}
	return l.page.reply(next), nil
}

// from shows the parts with the prefix, or those that a page before has left; next says where this page ends.
func (l *jobItems) from(after, prefix string) (next *cursor, err error) {
	if after > propagation.PartOpen {
		prefix = propagation.PartOpen
	}
	last, steps := after, 0
	for p, err := range l.view.Parts(l.id, after) {
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(p.ID, prefix) {
			break
		}
		if steps++; steps > listMaxSteps {
			return &cursor{After: last}, nil
		}
		item, err := l.item(p)
		if err != nil {
			return nil, err
		}
		if item != nil {
			fits, err := l.page.add(item)
			if err != nil {
				return nil, err
			}
			if !fits {
				return &cursor{After: last}, nil
			}
		}
		last = p.ID
	}
	return nil, nil
}

// item is what is shown of a part; nil: nothing.
func (l *jobItems) item(p persistence.Part) (*api.PropagationItem, error) {
	body, err := l.view.Body(l.id, p.Place)
	if err != nil {
		return nil, err
	}
	if _, _, failure := propagation.FailureOf(p.ID); failure {
		f, err := propagation.DecodeFailure(p.ID, body)
		if err != nil {
			return nil, errors.Join(persistence.ErrCorrupt, err)
		}
		return &api.PropagationItem{Collection: f.Collection, Document: f.Document, Path: f.Path, Authority: f.Authority,
			State: itemFailed, Links: f.Links, Cause: f.Cause}, nil
	}
	collection, _ := propagation.OpenOf(p.ID)
	o, err := propagation.DecodeOpen(body)
	if err != nil {
		return nil, errors.Join(persistence.ErrCorrupt, err)
	}
	if !o.Locked || l.job.EndedAt != nil {
		return nil, nil
	}
	return &api.PropagationItem{Collection: collection, State: itemWaiting, Links: o.Left, Cause: o.Holder}, nil
}
