package operations

import (
	"context"
	"errors"
	"net/http"

	"concord/actors/bulk"
	"concord/actors/editsession"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
)

// editVerb gives a command to the task of the session's newest run.
func (s *Service) editVerb(command bulk.Command) func(context.Context, *transport.Request, reply) {
	return func(ctx context.Context, r *transport.Request, done reply) {
		answer, err := s.verbOfEdit(ctx, r, command)
		s.Host.SettledAll(func() { done(answer, err) })
	}
}

func (s *Service) verbOfEdit(ctx context.Context, r *transport.Request, command bulk.Command) (*transport.Reply, error) {
	if _, err := openEnvelope(r.Body, ""); err != nil {
		return nil, err
	}
	session, err := s.editNow(r)
	if err != nil {
		return nil, err
	}
	newest, some := session.state.Newest()
	if !some || newest.Task == "" {
		return nil, problem.New(problem.WrongState, "nothing of the bulk edit session is under way")
	}
	_, err = s.call(ctx, s.envelope(r, bulkID(r.Provider, newest.Task), command, ""))
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NotFound {
		err = problem.New(problem.WrongState, "nothing of the bulk edit session is under way") // its task is about to be made
	}
	if err != nil {
		return nil, err
	}
	return s.editAnswer(r, session.id, http.StatusOK)
}

// editResults lists the items of a run, in the order of the session's records.
func (s *Service) editResults(_ context.Context, r *transport.Request, done reply) {
	q, err := s.itemQuery(r)
	if err != nil {
		done(nil, err)
		return
	}
	number, given, err := intParam(r, "run")
	if err != nil {
		done(nil, err)
		return
	}
	s.onEdit(r, done, func(view persistence.View, session *editSession) (*transport.Reply, error) {
		run, some := session.state.Newest()
		if given {
			run, some = session.run(number)
		}
		if !some && given {
			return nil, problem.New(problem.NotFound, "the bulk edit session has no run %d", number)
		}
		task := &bulkTask{id: bulkID(session.id.Provider, run.Task)}
		if some && run.Task != "" {
			if task.state, task.seq, err = bulkState(view, task.id); err != nil {
				return nil, err
			}
		}
		if !task.state.Status.Shown() {
			return s.newPage(q.limit).reply(nil), nil
		}
		return s.itemPage(view, task, q)
	})
}

// run is the run with a number.
func (e *editSession) run(number uint64) (editsession.Run, bool) {
	for i := range e.state.Runs {
		if uint64(e.state.Runs[i].Number) == number {
			return e.state.Runs[i], true
		}
	}
	return editsession.Run{}, false
}
