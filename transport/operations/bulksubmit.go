package operations

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"concord/actors/bulk"
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/provider"
	"concord/persistence"
	"concord/transport"
)

// A bulk update becomes a task like this:
//
//  1. what is wrong with the request by itself is told (readBulk, checkBulk); if its idempotency key is known, the task of then
//     is the answer;
//  2. the name is reserved; the provider's own actor remembers the id of the task under the key before that;
//  3. the list is made, and all chunks but the last are staged (bulkRows), as are all pieces of the body but the last: nobody is
//     shown a draft;
//  4. in the turn of the provider's numbers: is there room, the id is remembered at the latest, which number is next, and
//     Accept. From here on there is a task;
//  5. the name is confirmed.
//
// A refusal in 2 to 4 gives back what was taken. A crash there leaves a draft and a reservation, which both lapse by timer, or
// are taken up again by who repeats the request. Of a list nothing is taken over: the targets may lead elsewhere today. A crash
// after 4 leaves a name to be confirmed at the next start, before anybody can ask for names (SettleBulkNames).

// onlyAttempt waits until nobody else makes the task that the request's idempotency key stands for.
func (s *Service) onlyAttempt(ctx context.Context, r *transport.Request) (leave func(), err error) {
	if r.Header.IdempotencyKey == "" {
		return func() {}, nil
	}
	return s.alone(ctx, "an earlier attempt of the same request", r.Provider, r.Caller.Principal, r.Header.IdempotencyKey)
}

// alone waits until nobody else is at something: other says at what. Whoever has it for an idempotency key may take it for a task,
// and not the other way round.
func (s *Service) alone(ctx context.Context, other string, names ...string) (leave func(), err error) {
	return s.turns.take(ctx, forMaking, strings.Join(names, "\x00"), other)
}

// bulkSubmit makes a task.
func (s *Service) bulkSubmit(ctx context.Context, r *transport.Request, done reply) {
	answer, err := s.submitBulk(ctx, r)
	s.Host.SettledAll(func() { done(answer, err) })
}

func (s *Service) submitBulk(ctx context.Context, r *transport.Request) (*transport.Reply, error) {
	if err := s.bulkEnabled(); err != nil {
		return nil, err
	}
	o, err := readBulk(r)
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
	id, known, err := s.bulkTask(ctx, r)
	if err != nil || known != nil {
		return known, err
	}
	if o.targets.by == targetsUpload {
		if err := s.openUpload(r, &o.targets); err != nil {
			return nil, err
		}
	}
	if err := s.checkBulk(ctx, r, o); err != nil {
		return nil, err
	}
	return s.makeTask(ctx, r, o, id)
}

func (s *Service) bulkEnabled() error {
	if s.Limits.Bulk.Enabled {
		return nil
	}
	return problem.New(problem.Forbidden, "bulk updates are switched off on this service")
}

// makeTask makes the task with the id of an order that was checked, in the name of who asks, and says so with 202. If it refuses,
// there is no such task, and will be none: what was staged and reserved for it is given back. Any other error leaves it open; then
// the task may be there. The order's targets may be any that were read, or rows that somebody else makes (targets.rows): they are
// gone through once, on a goroutine that may block, and say what is to be taken back if the order says of which task.
func (s *Service) makeTask(ctx context.Context, r *transport.Request, o *bulkOrder, id persistence.EntityID) (*transport.Reply, error) {
	if err := s.bulkRoom(r.Provider, o.targets.items); err != nil {
		return nil, err
	}
	if err := s.dropDraft(ctx, r, id); err != nil {
		return nil, err
	}
	if err := s.takeBulkName(ctx, r, id, o.name); err != nil {
		if ctx.Err() != nil { // nobody knows if it was taken
			ctx, end := throughout(ctx)
			defer end()
			err = errors.Join(err, s.releaseBulkName(ctx, id, o.name))
		}
		return nil, err
	}
	l := s.newBulkRows(ctx, r, o, id)
	err := l.fill()
	if err == nil {
		err = l.keep()
	}
	if err == nil {
		answer, undecided, refusal := s.acceptBulk(ctx, r, o, l)
		if refusal == nil || undecided {
			return answer, refusal // what was reserved lapses, or is confirmed
		}
		err = refusal
	}
	ctx, end := throughout(ctx)
	defer end()
	return nil, errors.Join(err, s.dropDraft(ctx, r, id), s.releaseBulkName(ctx, id, o.name))
}

// acceptWithin is how long after it was sent an acceptance may be decided on: while what is reserved for it lasts for sure.
const acceptWithin = provider.ReservationTTL / 2

// acceptBulk takes a number and makes the task of what is staged. undecided says that nobody knows what came of it.
func (s *Service) acceptBulk(ctx context.Context, r *transport.Request, o *bulkOrder, l *bulkRows) (answer *transport.Reply, undecided bool, err error) {
	leave, err := s.turns.take(ctx, forNumber, r.Provider, "tasks that are accepted before")
	if err != nil {
		return nil, false, err
	}
	defer leave()
	ctx, end := throughout(ctx)
	defer end()
	if err := s.bulkRoom(r.Provider, l.total); err != nil {
		return nil, false, err
	}
	if err := s.reserveBulkName(ctx, r, l.id, o.name, false); err != nil { // anew: making the list may have taken long
		return nil, false, err
	}
	number, err := s.numberBulk(ctx, r, l.id)
	if err != nil {
		return nil, false, err
	}
	if o.before != nil {
		if err := o.before(ctx); err != nil {
			_, refused := errors.AsType[*problem.Problem](err)
			return nil, !refused, err
		}
	}
	if o.pinned.IsZero() && !o.dryRun {
		o.pinned = s.Clock.Now().Add(s.Limits.Bulk.undo())
	}
	env := s.toBulk(r, l.id, o.acceptance(l, number, s.Limits.Bulk.Retention), o.reason)
	if due := s.Clock.Now().Add(acceptWithin); env.Deadline.IsZero() || due.Before(env.Deadline) {
		env.Deadline = due
	}
	a, err := s.call(ctx, env)
	if err != nil {
		_, refused := errors.AsType[*problem.Problem](err)
		return nil, !refused, err
	}
	if err := s.confirmBulkName(ctx, l.id, o.name); err != nil {
		s.Failed(r.RequestID, err) // the task stands: the next start confirms its name
	}
	return acceptedBulk(l.id.ID, a.Body), false, nil
}

// acceptance is the command that makes the task.
func (o *bulkOrder) acceptance(l *bulkRows, number uint64, retention time.Duration) *bulk.Accept {
	o.targets.items = l.total
	return &bulk.Accept{
		Task: bulk.State{Number: number, Name: o.name, DryRun: o.dryRun, OnLocked: o.onLocked, PerSecond: o.perSecond, RetryOf: o.retryOf,
			Type: o.typ, Alias: o.alias, Retention: cmp.Or(o.retention, retention), UndoOf: o.undoOf, OnConflict: o.onConflict, Session: o.session, Run: o.run,
			Pinned: o.pinned},
		Request: bulk.Request{Type: o.typ, Instructions: o.instructions, Fields: o.fields, Targets: o.targets.told()},
		Chunks:  l.chunks,
		Pieces:  l.pieces,
		Posted:  l.lastPiece,
		Stage:   bulk.Stage{Number: l.chunks, PerChunk: uint32(l.perChunk), Rows: l.rows},
	}
}

// acceptedBulk is the answer to whoever asked for a task.
func acceptedBulk(id string, body []byte) *transport.Reply {
	return &transport.Reply{Status: http.StatusAccepted, Body: body, See: transport.Place{Operation: "bulk.get", ID: id}}
}

// shownBulk is the answer to a request whose task is there already; nil if it is not.
func (s *Service) shownBulk(id persistence.EntityID) (*transport.Reply, error) {
	state, seq, err := bulkState(s.Store, id)
	if err == nil && state.Status == bulk.Expired && state.Number > 0 {
		err = problem.New(problem.NotFound, "the task that was made under this idempotency key has expired")
	}
	if err != nil || !state.Status.Shown() {
		return nil, err
	}
	shown, err := s.showBulk(s.Store, &bulkTask{id, state, seq})
	if err != nil {
		return nil, err
	}
	body, err := encode(shown)
	return acceptedBulk(id.ID, body), err
}

// bulkState is a task as the reader has it; the zero state if it never was.
func bulkState(from persistence.EntityReader, id persistence.EntityID) (bulk.State, uint64, error) {
	head, err := from.Head(id)
	if err != nil && !isMissing(err) {
		return bulk.State{}, 0, fmt.Errorf("read %v: %w", id, err)
	}
	state, err := bulk.Behavior{}.DecodeState(head.State)
	if err != nil {
		return state, 0, errors.Join(persistence.ErrCorrupt, err)
	}
	return state, head.Seq, nil
}

// bulkTask is the id of the request's task, and the answer if the task is there: under its key that of an earlier attempt.
func (s *Service) bulkTask(ctx context.Context, r *transport.Request) (id persistence.EntityID, known *transport.Reply, err error) {
	id = bulkID(r.Provider, s.NewID())
	if r.Header.IdempotencyKey == "" {
		return id, nil, nil
	}
	if id.ID, err = s.issuedBulk(ctx, r, id, true); err == nil {
		known, err = s.shownBulk(id)
	}
	return id, known, err
}

// issueBulk has the id of the task remembered under the key of the request.
func (s *Service) issueBulk(ctx context.Context, r *transport.Request, id persistence.EntityID) error {
	issued, err := s.issuedBulk(ctx, r, id, false)
	if err == nil && issued != id.ID {
		err = problem.New(problem.Overloaded, "the same request is being made a task by another")
	}
	return err
}

// issuedBulk has the provider's own actor remember the id of the task under the key of the request, and tells the id that it
// has remembered. A look leaves nothing to be remembered.
func (s *Service) issuedBulk(ctx context.Context, r *transport.Request, id persistence.EntityID, look bool) (string, error) {
	env := s.toProvider(id, &provider.Issue{ID: id.ID})
	env.Vital, env.Deadline, env.DryRun = false, r.Deadline, look
	env.Meta = entity.Meta{Principal: r.Caller.Principal, Kind: r.Caller.Kind, Session: r.Header.Session, RequestID: r.RequestID,
		Key: r.Header.IdempotencyKey, KeyDigest: bulkDigest(r)}
	a, err := s.call(ctx, env)
	if err != nil {
		return "", err
	}
	var issued provider.Result
	if err := json.Unmarshal(a.Body, &issued); err != nil {
		return "", fmt.Errorf("read the id of a task: %w", err)
	}
	return issued.ID, nil
}

// numberBulk has the task's id remembered, and takes its number.
func (s *Service) numberBulk(ctx context.Context, r *transport.Request, id persistence.EntityID) (uint64, error) {
	if r.Header.IdempotencyKey != "" {
		if err := s.issueBulk(ctx, r, id); err != nil {
			return 0, err
		}
	}
	a, err := s.call(ctx, s.toProvider(id, &provider.Next{Counter: bulk.CounterTasks}))
	if err != nil {
		return 0, fmt.Errorf("number %v: %w", id, err)
	}
	var next provider.Result
	if err := json.Unmarshal(a.Body, &next); err != nil {
		return 0, fmt.Errorf("number %v: %w", id, err)
	}
	return next.Number, nil
}

// bulkDigest is what must be equal for a request to be a repeat. A dry run is a task of its own: it is remembered, too.
func bulkDigest(r *transport.Request) []byte {
	if r.Words != nil && r.Words.Same != nil {
		same := *r
		same.Body = r.Words.Same
		r = &same
	}
	sum := sha256.Sum256(append(digest(r), "dryRun="+strconv.FormatBool(r.Param("dryRun") == "true")...))
	return sum[:]
}

// dropDraft removes what an earlier attempt has staged.
func (s *Service) dropDraft(ctx context.Context, r *transport.Request, id persistence.EntityID) error {
	state, _, err := bulkState(s.Store, id)
	if err != nil || state.Status != bulk.Draft {
		return err
	}
	env := s.toBulk(r, id, &bulk.Expire{Due: state.Expires}, "")
	env.Deadline, env.Vital = time.Time{}, true
	if _, err := s.call(ctx, env); err != nil {
		return fmt.Errorf("drop the draft %v: %w", id, err)
	}
	return nil
}
