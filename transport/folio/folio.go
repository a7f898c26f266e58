// Package folio has the route by which clients of FOLIO took back what a bulk edit had done, as long as FOLIO had one. It is an
// alias of an operation of the table: the operations do the work, and the rules of a roll-back are theirs. docs/FOLIO.md is the
// page for people.
package folio

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"concord/actors/editsession"
	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// System is the name of that system.
const System = "folio"

// pathRollBack names a bulk edit session or a bulk task of the default provider, which the path does not name.
const pathRollBack = "/bulk-edit/{id}/roll-back"

// last is the caller's own newest session: of tasks there is nothing like it.
const last = "last"

// messageDone is FOLIO's text. There it was said of half a roll-back, too.
const messageDone = "Rollback has been done"

// toStart is what edit.rollback is asked for.
var toStart = []byte(`{"to":"initial"}`)

// RolledBack says that all was taken back.
type RolledBack struct {
	Message string         `json:"message" doc:"Rollback has been done"`
	Session string         `json:"session,omitempty" doc:"Bulk edit session that is back at its start; left out: a bulk task was taken back"`
	Task    string         `json:"task,omitempty" doc:"Bulk task that has taken all back; left out: there was nothing to be done"`
	Counts  api.BulkCounts `json:"counts" doc:"Its items by state"`
	Total   uint64         `json:"total"`
}

// Aliases are those of the operations on roll-backs. It panics if one of them is missing.
func Aliases(table []*transport.Operation, words api.BulkWords) []*transport.Alias {
	b := back{edit: find(table, "edit.rollback"), session: find(table, "edit.get"), bulk: find(table, "bulk.rollback"), task: find(table, "bulk.get"),
		end: words.End}
	op := *b.edit
	op.Path, op.Params, op.Body = pathRollBack, nil, nil
	op.Answer, op.Status = RolledBack{}, http.StatusOK
	op.Also = []transport.Outcome{{Status: http.StatusAccepted, Answer: api.EditSession{}, Doc: "The roll-back has begun, and not ended yet"},
		{Status: http.StatusAccepted, Answer: api.BulkTask{}}}
	op.Doc = "Take all back that a bulk edit session or a bulk task has done, and wait for that, for clients of FOLIO; {id} is the id of either, " +
		"the number of a task, or last"
	return []*transport.Alias{{Operation: &op, System: System, Serve: b.serve}}
}

func find(table []*transport.Operation, name string) *transport.Operation {
	i := slices.IndexFunc(table, func(op *transport.Operation) bool { return op.Name == name })
	if i < 0 {
		panic("folio: there is no operation " + name)
	}
	return table[i]
}

// back serves the alias.
type back struct{ edit, session, bulk, task, end *transport.Operation }

// begun is a roll-back that has begun.
type begun struct {
	session string // that goes back to its start; "": a bulk task is taken back
	task    string // that does the work; "": there was nothing to be done
}

// serve takes back, and answers once that has come to its end: of all taken back alone it says that it is done. What the request
// does not see the end of goes on.
func (b *back) serve(r *transport.Request, ask transport.Ask) (*transport.Reply, error) {
	to, err := b.begin(r, ask)
	if err != nil {
		return nil, err
	}
	if to.task == "" {
		return to.done(&api.BulkTask{})
	}
	reply, err := ask(about(r, b.end, to.task))
	if refused(err, problem.Deadline, problem.Overloaded) {
		return b.atWork(r, to, ask)
	}
	if err != nil {
		return nil, err
	}
	var task api.BulkTask
	if err := read(reply, &task); err != nil {
		return nil, err
	}
	if c := &task.Counts; c.Skipped+c.Failed+c.Cancelled > 0 {
		return nil, to.left(&task)
	}
	return to.done(&task)
}

// begin begins to take back a session, or, if there is none with that id, a task.
func (b *back) begin(r *transport.Request, ask transport.Ask) (*begun, error) {
	q := *r
	q.Body = toStart
	reply, err := ask(&q)
	switch {
	case err == nil:
		return ofSession(reply)
	case r.ID == last || !refused(err, problem.NotFound):
		return nil, err
	}
	q.Op, q.Body = b.bulk, nil
	if reply, err = ask(&q); refused(err, problem.NotFound) {
		return nil, problem.New(problem.NotFound, "there is no bulk edit session and no bulk task %q", r.ID)
	}
	if err != nil {
		return nil, err
	}
	var task api.BulkTask
	err = read(reply, &task)
	return &begun{task: task.Task}, err
}

// ofSession is the newest roll-back of a session to its start: the one that was asked for, also of a request that is asked again
// under its idempotency key.
func ofSession(reply *transport.Reply) (*begun, error) {
	var s api.EditSession
	if err := read(reply, &s); err != nil {
		return nil, err
	}
	for _, run := range slices.Backward(s.Runs) {
		if run.Kind == string(editsession.Rollback) && !run.DryRun && *run.To == 0 {
			return &begun{session: s.Session, task: run.Task}, nil
		}
	}
	return nil, fmt.Errorf("the bulk edit session %s was rolled back, and has no such run", s.Session)
}

// atWork shows where the session, or the task that takes another one back, stands.
func (b *back) atWork(r *transport.Request, to *begun, ask transport.Ask) (*transport.Reply, error) {
	op, id := b.task, to.task
	if to.session != "" {
		op, id = b.session, to.session
	}
	reply, err := ask(about(r, op, id))
	if err != nil {
		return nil, err
	}
	return &transport.Reply{Status: http.StatusAccepted, Body: reply.Body, See: transport.Place{Operation: op.Name, ID: id}}, nil
}

func (to *begun) done(task *api.BulkTask) (*transport.Reply, error) {
	body, err := json.Marshal(RolledBack{Message: messageDone, Session: to.session, Task: to.task, Counts: task.Counts, Total: task.Total})
	if err != nil {
		return nil, fmt.Errorf("write the answer about a roll-back: %w", err)
	}
	return &transport.Reply{Status: http.StatusOK, Body: body}, nil
}

// left says that the roll-back has ended, and has not taken back all.
func (to *begun) left(task *api.BulkTask) error {
	p := problem.New(problem.VersionConflict, "others have written since: %s", task.Message)
	if task.Counts.Skipped == 0 {
		p = problem.New(problem.WrongState, "not all was taken back: %s", task.Message)
	}
	if to.session != "" {
		p = p.With("session", to.session)
	}
	return p.With("task", task.Task).With("counts", task.Counts).With("total", task.Total)
}

// about asks an operation on what the caller has just been let take back.
func about(r *transport.Request, op *transport.Operation, id string) *transport.Request {
	return &transport.Request{Op: op, Provider: r.Provider, ID: id, Caller: r.Caller, RequestID: r.RequestID, Received: r.Received, Deadline: r.Deadline}
}

// refused says that the error is a problem with one of the codes.
func refused(err error, codes ...problem.Code) bool {
	p, ok := errors.AsType[*problem.Problem](err)
	return ok && slices.Contains(codes, p.Code)
}

func read(reply *transport.Reply, v any) error {
	if err := json.Unmarshal(reply.Body, v); err != nil {
		return fmt.Errorf("read the answer about a roll-back: %w", err)
	}
	return nil
}
