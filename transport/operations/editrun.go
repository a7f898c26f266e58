package operations

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"concord/actors/editsession"
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
)

// A run of an edit session is made like this, one after another in a session (Service.sessionTurn):
//
//  1. what is wrong with the request by itself is told;
//  2. if its idempotency key stands for a run that was made, that is the answer;
//  3. a run whose task is not there is taken off, once it is sure that none will come: something has come between 7 and 8;
//  4. may this kind of run follow what the session has come to? What is wrong with it there is told;
//  5. what is under way and gives way to this run is cancelled, and its end waited for; then all begins anew at 2;
//  6. the list of its task is made and staged as a draft, which nobody is shown. If there is nothing in it, the run has no task:
//     the session is told of it, and that is all;
//  7. the session is told of the run, with the id of the task to come and the request's key: from here on there is a run;
//  8. the task is accepted under that id.
//
// A refusal in 8 takes the run off again. A crash before 7 leaves a draft, which lapses; one between 7 and 8 a run whose task
// never was, which the next request takes off, whoever makes it. If the answer in 8 does not come in time, the task may yet come:
// the run stays, and the next request finds the task, or makes sure that there will be none (takeOff).

// editStopsMax bounds how often what is under way is stopped for one request.
const editStopsMax = 3

// editAttemptsMax bounds how often a request under one key can have come to nothing after step 7.
const editAttemptsMax = 100

// editAttemptMark stands behind the key of a request in the keys of its later attempts: no key of a caller has it.
const editAttemptMark = "\x00"

// editRunner makes runs as read reads them.
func (s *Service) editRunner(read func(*transport.Request) (*runOrder, error)) func(context.Context, *transport.Request, reply) {
	return func(ctx context.Context, r *transport.Request, done reply) {
		answer, err := s.runEdit(ctx, r, read)
		s.Host.SettledAll(func() { done(answer, err) })
	}
}

func (s *Service) runEdit(ctx context.Context, r *transport.Request, read func(*transport.Request) (*runOrder, error)) (*transport.Reply, error) {
	if err := s.bulkEnabled(); err != nil {
		return nil, err
	}
	o, err := read(r)
	if err != nil {
		return nil, err
	}
	session, err := s.editNow(r)
	if err != nil {
		return nil, err
	}
	m := &runMaker{service: s, request: r, order: o, id: session.id, task: bulkID(r.Provider, s.NewID())}
	patient, end := s.patience(ctx, r)
	defer end()
	for range editStopsMax {
		stop, err := m.attempt(patient)
		if err != nil {
			return nil, err
		}
		if stop == "" {
			return s.editAnswer(r, m.id, http.StatusAccepted)
		}
		if _, err := s.stopTask(ctx, r, bulkID(r.Provider, stop)); err != nil { // it says by itself that the deadline has passed
			return nil, err
		}
	}
	return nil, m.wrong("runs begin as fast as they are stopped")
}

// runMaker makes one run. Whoever uses it has the session's turn.
type runMaker struct {
	service *Service
	request *transport.Request
	order   *runOrder
	id      persistence.EntityID // of the session
	task    persistence.EntityID // to come
	key     string               // idempotency key of this attempt; "": none

	session *editSession
	preview *editsession.Run // that it goes by; nil: none
	run     editsession.Run  // its number is 0 until the session knows of it
}

// attempt makes the run, unless it is there already. If a task has to be stopped first, it makes nothing, and names the task:
// nobody has to wait for the session meanwhile.
func (m *runMaker) attempt(ctx context.Context) (stop string, err error) {
	leave, err := m.service.sessionTurn(ctx, m.id)
	if err != nil {
		return "", err
	}
	defer leave()
	known, err := m.known(ctx)
	if err != nil || known {
		return "", err
	}
	return m.make(ctx)
}

// known says that the request's key stands for a run that was made. If what the key stood for has come to nothing, the attempt
// at hand gets a key that follows from it.
func (m *runMaker) known(ctx context.Context) (bool, error) {
	m.key = m.request.Header.IdempotencyKey
	for range editAttemptsMax {
		if err := m.settle(ctx); err != nil || m.key == "" {
			return false, err
		}
		run, err := m.under(ctx)
		if err != nil || run.Number == 0 {
			return false, err
		}
		if run.Task == "" {
			return true, nil
		}
		state, _, err := bulkState(m.service.Store, bulkID(m.request.Provider, run.Task))
		if err != nil || state.Number > 0 {
			return err == nil, err
		}
		m.key = m.request.Header.IdempotencyKey + editAttemptMark + strconv.FormatUint(uint64(run.Number), 10)
	}
	return false, problem.New(problem.Overloaded, "the request was refused %d times under this key", editAttemptsMax)
}

// under is the run that the attempt's key stands for; its number is 0 if there is none.
func (m *runMaker) under(ctx context.Context) (editsession.Run, error) {
	env := m.begin(&editsession.Begin{Run: editsession.Run{Kind: m.order.kind, Task: m.task.ID}})
	env.DryRun = true
	a, err := m.service.call(ctx, env)
	p, refused := errors.AsType[*problem.Problem](err)
	switch {
	case refused && (p.Code == problem.KeyReused || p.Code == problem.Deadline):
		return editsession.Run{}, err
	case refused:
		return editsession.Run{}, nil // of a run that was made before it would have been told
	case err != nil:
		return editsession.Run{}, err
	}
	told, err := beganAs(a.Body)
	if err != nil || told.Task == m.task.ID {
		return editsession.Run{}, err
	}
	return editsession.Run{Number: told.Run, Task: told.Task}, nil
}

// beganAs is what the answer to a Begin says of the run.
func beganAs(answer []byte) (editsession.Result, error) {
	var told editsession.Result
	if err := json.Unmarshal(answer, &told); err != nil {
		return told, fmt.Errorf("read the number of a run: %w", err)
	}
	return told, nil
}

// begin is the command that tells the session of a run.
func (m *runMaker) begin(c *editsession.Begin) *entity.Envelope {
	env := m.service.toEdit(m.request, m.id, c)
	if m.key != "" {
		env.Meta.Key, env.Meta.KeyDigest = m.key, bulkDigest(m.request)
	}
	return env
}

// settle reads the session, and takes off the newest run if its task never was.
func (m *runMaker) settle(ctx context.Context) (err error) {
	m.session, err = m.service.settledEdit(ctx, m.request, m.id)
	return err
}
