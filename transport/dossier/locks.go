package dossier

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"concord/actors/lock"
	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// LockState is the state of a lock, as neverpile shows it.
type LockState struct {
	OwnerID      string    `json:"ownerId" doc:"Principal that has the lock, or is offered it"`
	ValidUntil   time.Time `json:"validUntil,omitzero"`
	ContestantID string    `json:"contestantId,omitempty" doc:"Principal that contests the lock: the oldest"`
}

// LockRequestResult is the answer to who gets a lock, as neverpile gives it.
type LockRequestResult struct {
	Success bool      `json:"success"`
	Token   string    `json:"token" doc:"Proves the lock: the header X-Neverpile-Lock-Token"`
	State   LockState `json:"state"`
}

// lockAliases share the routes of the lock operations, for scopes of neverpile's name. A denial has the method that is
// the contestant's withdrawal otherwise.
func lockAliases(table []*transport.Operation) []*transport.Alias {
	get := onLock(table, "lock.get", LockState{}, http.StatusOK, shown)
	acquire := onLock(table, "lock.acquire", LockRequestResult{}, http.StatusOK, acquired)
	renew := onLock(table, "lock.renew", LockState{}, http.StatusOK, extended)
	release := onLock(table, "lock.release", nil, http.StatusNoContent, nil)
	contest := onLock(table, "lock.contest", nil, http.StatusOK, contested)
	contest.Also = []transport.Outcome{{Status: http.StatusOK, Answer: LockRequestResult{}, Doc: "The scope was free, and the lock is yours"}}
	contest.Refuse = notContestable
	deny := onLock(table, "lock.deny", nil, http.StatusOK, bare)
	deny.Method, deny.Path, deny.Body = http.MethodDelete, contest.Path, nil
	itself(acquire, "ownerId")
	itself(renew, "ownerId")
	itself(contest, "contestantId")
	return []*transport.Alias{get, acquire, renew, release, contest, deny}
}

func onLock(table []*transport.Operation, name string, answer any, status int,
	reply func(*transport.Request, *transport.Reply) (*transport.Reply, error),
) *transport.Alias {
	a := of(table, name)
	a.Scopes, a.Answer, a.Status, a.Reply = scopes, answer, status, reply
	return a
}

// itself has the alias take a parameter by which neverpile's clients say who they are. It proves nothing: it may be the
// caller's own name, and no other.
func itself(a *transport.Alias, name string) {
	a.Params = append(a.Params, transport.Param{Name: name, Type: transport.TypeString,
		Doc: "The caller's own principal: credentials say who asks, parameters do not"})
	a.Translate = func(r *transport.Request) error {
		if given, named := r.Params[name]; named && given[0] != r.Caller.Principal {
			return problem.At(name, "credentials say who asks, parameters do not: leave it out")
		}
		delete(r.Params, name)
		return nil
	}
}

// shown is a lock that is there; a free scope has none.
func shown(_ *transport.Request, reply *transport.Reply) (*transport.Reply, error) {
	var v lock.View
	if err := read(reply, &v); err != nil {
		return nil, err
	}
	if v.State == lock.Free {
		return nil, problem.New(problem.NotFound, "the scope is not locked")
	}
	s := LockState{ValidUntil: v.ExpiresAt, ContestantID: oldest(v.Contest)}
	if v.Holder != nil {
		s.OwnerID = v.Holder.Principal
	}
	return answer(reply, s)
}

// acquired is a grant, or a ticket as it is.
func acquired(r *transport.Request, reply *transport.Reply) (*transport.Reply, error) {
	if reply.Status != http.StatusCreated {
		return reply, nil
	}
	var g api.Grant
	if err := read(reply, &g); err != nil {
		return nil, err
	}
	return answer(reply, LockRequestResult{Success: true, Token: g.Token, State: held(r, g.GrantAnswer)})
}

func extended(r *transport.Request, reply *transport.Reply) (*transport.Reply, error) {
	var g lock.GrantAnswer
	if err := read(reply, &g); err != nil {
		return nil, err
	}
	return answer(reply, held(r, g))
}

// contested says no more than that it is so, unless the scope was free.
func contested(r *transport.Request, reply *transport.Reply) (*transport.Reply, error) {
	if reply.Status == http.StatusCreated {
		return acquired(r, reply)
	}
	return bare(r, reply)
}

func bare(_ *transport.Request, reply *transport.Reply) (*transport.Reply, error) {
	return &transport.Reply{Status: http.StatusOK, See: reply.See}, nil
}

// notContestable has the status that neverpile's clients know.
func notContestable(err error) error {
	p, ok := errors.AsType[*problem.Problem](err)
	if !ok || p.Code != problem.NotContestable {
		return err
	}
	theirs := *p
	theirs.OtherwiseStatus = http.StatusBadRequest
	return &theirs
}

// held is the state of the caller's own lock.
func held(r *transport.Request, g lock.GrantAnswer) LockState {
	return LockState{OwnerID: r.Caller.Principal, ValidUntil: g.ExpiresAt, ContestantID: oldest(g.Contest)}
}

func oldest(c *lock.ContestView) string {
	if c == nil || len(c.Contestants) == 0 {
		return ""
	}
	return c.Contestants[0].Principal
}

func read(reply *transport.Reply, v any) error {
	if err := json.Unmarshal(reply.Body, v); err != nil {
		return fmt.Errorf("read the answer of a lock: %w", err)
	}
	return nil
}

func answer(reply *transport.Reply, v any) (*transport.Reply, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("write the answer of a lock: %w", err)
	}
	return &transport.Reply{Status: http.StatusOK, Body: body, See: reply.See}, nil
}
