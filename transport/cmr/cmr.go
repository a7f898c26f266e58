// Package cmr has the routes, keys and texts by which clients of NASA's Common Metadata Repository update collections in
// bulk. Each route is an alias of an operation of the table: the operations do the work, and the rules of a bulk update are
// theirs. docs/CMR.md is the page for people.
//
// Nothing is stored in CMR's words but the request itself, byte for byte. What a client reads is made from the task and its
// items when it asks.
package cmr

import (
	"net/http"
	"slices"

	"concord/transport"
	"concord/transport/api"
)

// System is the name of that system.
const System = "cmr"

const (
	pathUpdates = "/ingest/providers/{provider}/bulk-update/collections"
	pathStatus  = pathUpdates + "/status"
)

// Limits of the aliases.
type Limits struct {
	BodyMaxBytes    int // of an update
	RequestMaxBytes int // of a request to an operation
}

// DefaultLimits are the limits of semantics section 1.
var DefaultLimits = Limits{BodyMaxBytes: 20 << 20, RequestMaxBytes: transport.DefaultLimits.RequestMaxBytes}

// Aliases are those of the operations on bulk tasks. It panics if one of them is missing.
func Aliases(table []*transport.Operation, words api.BulkWords, limits Limits) []*transport.Alias {
	t := tasks{get: find(table, "bulk.get"), list: find(table, "bulk.list"), items: find(table, "bulk.items"), limits: limits, BulkWords: words,
		open: find(table, "upload.open"), append: find(table, "upload.append"), end: find(table, "upload.close")}
	submit := t.alias(find(table, "bulk.submit"), pathUpdates, UpdateAccepted{}, t.submit)
	submit.Body, submit.BodyMaxBytes = CollectionUpdate{}, limits.BodyMaxBytes
	submit.Doc = "Update a field of many collections, for clients of CMR"
	list := t.alias(t.list, pathStatus, UpdateTaskList{}, t.showAll)
	list.Doc = "List the bulk updates of a provider, the newest first, for clients of CMR"
	show := t.alias(t.get, pathStatus+"/{id}", UpdateTaskStatus{}, t.showOne)
	show.Doc = "Show a bulk update with the status of each collection, for clients of CMR; {id} is its number"
	return []*transport.Alias{submit, list, show}
}

func find(table []*transport.Operation, name string) *transport.Operation {
	i := slices.IndexFunc(table, func(op *transport.Operation) bool { return op.Name == name })
	if i < 0 {
		panic("cmr: there is no operation " + name)
	}
	return table[i]
}

// tasks serve the aliases.
type tasks struct {
	get, list, items  *transport.Operation
	open, append, end *transport.Operation // of uploads
	limits            Limits
	api.BulkWords
}

// alias is a route of its own to an operation.
func (t *tasks) alias(of *transport.Operation, path string, answer any,
	serve func(*transport.Request, transport.Ask) (*transport.Reply, error),
) *transport.Alias {
	op := *of
	op.Path, op.Params, op.Answer, op.Status = path, nil, answer, http.StatusOK
	return &transport.Alias{Operation: &op, System: System, Serve: serve, Media: transport.MediaJSON,
		Refusals: &transport.Refusals{Body: ErrorTexts{}, Statuses: statuses, Write: t.refusal}}
}

// submit begins a task.
func (t *tasks) submit(r *transport.Request, ask transport.Ask) (*transport.Reply, error) {
	if !t.Enabled() {
		return nil, refuse(http.StatusBadRequest, textDisabled)
	}
	u, err := readUpdate(r.Body, t.limits.RequestMaxBytes)
	if err != nil {
		return nil, err
	}
	targets := api.BulkTargets{IDs: u.ids, All: u.ids == nil}
	r.Words = &transport.Words{System: System, Body: r.Body}
	if u.ids != nil {
		r.Words.Apart = apart(r.Provider)
	}
	if u.listBytes() > t.limits.RequestMaxBytes {
		if targets, err = t.upload(r, u, ask); err != nil {
			return nil, err
		}
	}
	if r.Body, err = u.task(targets); err != nil {
		return nil, err
	}
	reply, err := ask(r)
	if err != nil {
		return nil, unaccepted(r.Provider, u, err)
	}
	var task api.BulkTask
	if err := read(reply, &task); err != nil {
		return nil, err
	}
	return answer(UpdateAccepted{Status: http.StatusOK, TaskID: task.Number})
}
