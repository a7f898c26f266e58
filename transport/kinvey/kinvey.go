// Package kinvey has the words in which clients of Kinvey read and write documents: an entity instead of an envelope, the
// time of its last change instead of a version, a header that says who wins a conflict. Each is an alias of an operation of
// the table, and the policies are those of the operations. docs/KINVEY.md is the page for people.
package kinvey

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"concord/actors/collection"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/transport"
	"concord/transport/api"
)

// Names of that system, and of ours.
const (
	System           = "kinvey"
	HeaderProperties = "X-Kinvey-Custom-Request-Properties" // a JSON object; without it a request is not for this package
	HeaderResolution = "Concord-Resolution"                 // of answers: how a write came out whose base was stale

	propertyWinner   = "ConflictResolutionWinner"
	resolutionServer = "server"

	paramDryRun  = "dryRun"
	paramPolicy  = "policy"
	paramVersion = "version"
)

// winners are the policies that Kinvey's clients know.
var winners = []rules.Policy{rules.Client, rules.Server, rules.Merged, rules.ServerLogic, rules.CustomLogic}

// Deleted is the answer to a deletion, as Kinvey gives it.
type Deleted struct {
	Count int `json:"count" doc:"Entities that were deleted"`
}

// Aliases are those of the operations on documents. It panics if one of them is missing.
func Aliases(table []*transport.Operation, timed api.Timed) []*transport.Alias {
	d := documents{timed}
	get := of(table, "document.get", Entity{}, d.get)
	get.Params = nil
	get.Doc = "Read a document as an entity of Kinvey's"
	put := of(table, "document.put", Entity{}, d.put)
	put.Body = Entity{}
	put.Doc = "Write an entity of Kinvey's; " + HeaderResolution + " says how it came out if its base was stale"
	remove := of(table, "document.delete", Deleted{}, d.remove)
	remove.Doc = "Remove an entity of Kinvey's"
	return []*transport.Alias{get, put, remove}
}

func of(table []*transport.Operation, name string, answer any,
	serve func(*transport.Request, transport.Ask) (*transport.Reply, error),
) *transport.Alias {
	i := slices.IndexFunc(table, func(op *transport.Operation) bool { return op.Name == name })
	if i < 0 {
		panic("kinvey: there is no operation " + name)
	}
	op := *table[i]
	op.Answer = answer
	return &transport.Alias{Operation: &op, System: System, Trigger: HeaderProperties, Refuse: refuse,
		Serve: func(r *transport.Request, ask transport.Ask) (*transport.Reply, error) {
			r.Params = maps.Clone(r.Params) // what is added is ours
			return serve(r, ask)
		}}
}

// documents serve the aliases.
type documents struct{ timed api.Timed }

// get shows the newest version of a document.
func (d documents) get(r *transport.Request, ask transport.Ask) (*transport.Reply, error) {
	if _, err := winner(r); err != nil {
		return nil, err
	}
	e, version, err := d.entity(r, 0, ask)
	if err != nil {
		return nil, err
	}
	return &transport.Reply{Status: http.StatusOK, Version: version, Body: e}, nil
}

// put writes a document, and answers with what is there then.
func (d documents) put(r *transport.Request, ask transport.Ask) (*transport.Reply, error) {
	policy, err := winner(r)
	if err != nil {
		return nil, err
	}
	sent, err := readEntity(r.Body, r.Inner)
	if err != nil {
		return nil, err
	}
	if sent.based() {
		if r.Base, err = d.base(r, sent, ask); err != nil {
			return nil, err
		}
		r.SetParam(memberKMD, string(sent.kmd)) // a repeat is known by what it says, not by what was found by that
	}
	r.Body = envelope(sent.content, policy)
	reply, err := ask(r)
	if err != nil {
		return nil, d.conflict(r, sent, placed(err), ask)
	}
	if r.Param(paramDryRun) == "true" || reply.Status == http.StatusAccepted {
		return reply, nil
	}
	return d.saved(r, reply, ask)
}

// saved is the entity as the write has left it, whoever has won. It may be gone then, or be none: a script may say so.
func (d documents) saved(r *transport.Request, reply *transport.Reply, ask transport.Ask) (*transport.Reply, error) {
	result, err := resultOf(reply)
	if err != nil {
		return nil, err
	}
	e, _, err := d.entity(r, result.Version, ask)
	if p, ok := errors.AsType[*problem.Problem](err); ok && (p.Code == problem.NotFound || p.Code == problem.Invalid) {
		return nil, problem.New(problem.NotFound, "the request was carried out, but at version %d there is no such entity", result.Version).
			With("version", result.Version).With("resolution", result.Resolution)
	}
	if err != nil {
		return nil, err
	}
	answer := *reply
	answer.Body = e
	return resolved(&answer, result), nil
}

// remove removes a document.
func (d documents) remove(r *transport.Request, ask transport.Ask) (*transport.Reply, error) {
	policy, err := winner(r)
	if err != nil {
		return nil, err
	}
	if policy != "" && r.Param(paramPolicy) != "" {
		return nil, problem.At(paramPolicy, "the header %s names a policy, too", HeaderProperties)
	}
	if policy != "" {
		r.SetParam(paramPolicy, string(policy))
	}
	reply, err := ask(r)
	if err != nil {
		return nil, d.conflict(r, entity{}, err, ask)
	}
	if r.Param(paramDryRun) == "true" || reply.Status == http.StatusAccepted {
		return reply, nil
	}
	result, err := resultOf(reply)
	if err != nil {
		return nil, err
	}
	answer := *reply
	answer.Body = []byte(`{"count":1}`)
	if !result.Changed {
		answer.Body = []byte(`{"count":0}`)
	}
	return resolved(&answer, result), nil
}

func resultOf(reply *transport.Reply) (r collection.Result, err error) {
	if err = json.Unmarshal(reply.Body, &r); err != nil {
		err = fmt.Errorf("read the answer to a change: %w", err)
	}
	return r, err
}

// resolved says how a stale write came out. Where the server has won, Kinvey answers as if something had been made: so
// does this, but the header tells.
func resolved(reply *transport.Reply, r collection.Result) *transport.Reply {
	if r.Resolution != "" {
		reply.Header = map[string]string{HeaderResolution: r.Resolution}
	}
	if r.Resolution == resolutionServer {
		reply.Status = http.StatusCreated
	}
	return reply
}

// winner reads the policy from the header; "": it asks for none.
func winner(r *transport.Request) (rules.Policy, error) {
	const at = "header " + HeaderProperties
	properties, err := jsonvalue.Members([]byte(r.Trigger))
	if err != nil {
		return "", problem.At(at, "must be a JSON object: %v", err)
	}
	i := slices.IndexFunc(properties, func(m jsonvalue.RawMember) bool { return m.Name == propertyWinner })
	if i < 0 {
		return "", nil
	}
	var name rules.Policy
	if properties[i].Kind != jsonvalue.String || json.Unmarshal(properties[i].Text, &name) != nil || !slices.Contains(winners, name) {
		return "", problem.At(at, "%s must be one of %s", propertyWinner, known())
	}
	return name, nil
}

func known() string {
	names := make([]string, len(winners))
	for i, w := range winners {
		names[i] = strconv.Quote(string(w))
	}
	return strings.Join(names, ", ")
}

// base finds the version that the client has read. Where there is none of that time, it is 0: whatever the document is
// now, the client has not read it.
func (d documents) base(r *transport.Request, sent entity, ask transport.Ask) (*uint64, error) {
	q := about(r, d.timed.Base)
	q.SetParam(api.ParamModified, sent.lmt)
	if sent.version > 0 {
		q.SetParam(paramVersion, strconv.FormatUint(sent.version, 10))
	}
	reply, err := ask(q)
	if err != nil {
		if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NotFound {
			return new(uint64), nil // that there is no such collection, the write says
		}
		return nil, err
	}
	var found api.TimedBase
	if err := json.Unmarshal(reply.Body, &found); err != nil {
		return nil, fmt.Errorf("read the base of a change: %w", err)
	}
	return &found.Base, nil
}

// entity is a document as Kinvey shows it, at a version of the collection or, with 0, as it is.
func (d documents) entity(r *transport.Request, version uint64, ask transport.Ask) (e []byte, wrote uint64, err error) {
	q := about(r, d.timed.Get)
	if version > 0 {
		q.SetParam(paramVersion, strconv.FormatUint(version, 10))
	}
	reply, err := ask(q)
	if err != nil {
		return nil, 0, err
	}
	var found api.TimedDocument
	if err := json.Unmarshal(reply.Body, &found); err != nil {
		return nil, 0, fmt.Errorf("read a document with its times: %w", err)
	}
	e, err = shownEntity(r.Inner, &found)
	return e, found.Version, err
}

// about asks another operation on the request's own document.
func about(r *transport.Request, op *transport.Operation) *transport.Request {
	return &transport.Request{Op: op, Provider: r.Provider, ID: r.ID, Inner: r.Inner, Caller: r.Caller,
		RequestID: r.RequestID, Received: r.Received, Deadline: r.Deadline}
}

// envelope is the body of the operation.
func envelope(content []byte, policy rules.Policy) []byte {
	b := make([]byte, 0, len(content)+64)
	b = append(append(b, `{"value":`...), content...)
	if policy != "" {
		b = append(strconv.AppendQuote(append(b, `,"policy":`...), string(policy)), '}')
		return b
	}
	return append(b, '}')
}
