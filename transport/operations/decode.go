package operations

import (
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/actors/collection"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/transport"
)

// Bounds of single fields.
const (
	reasonMaxBytes = 1024
	changesMax     = 10_000
	secondsMax     = 366 * 24 * 3600 // of a length in a request; what is longer than allowed is clamped or refused later
)

// envelope is a request body of ours, opened: its members by their exact names. Contents stay text.
type envelope struct {
	path    string // in front of the names, for problems
	members map[string]jsonvalue.RawMember
}

// openEnvelope reads an object that has no members but the named ones. An empty body is an empty object.
func openEnvelope(body []byte, path string, names ...string) (*envelope, error) {
	e := &envelope{path: path, members: make(map[string]jsonvalue.RawMember, len(names))}
	if len(body) == 0 {
		return e, nil
	}
	members, err := jsonvalue.Members(body)
	if err != nil {
		return nil, syntax(path, err)
	}
	for _, m := range members {
		if !contains(names, m.Name) {
			return nil, unknownMember(path, m.Name, names)
		}
		e.members[m.Name] = m
	}
	return e, nil
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

func unknownMember(path, name string, known []string) error {
	at := path + jsonvalue.Pointer{name}.String()
	for _, n := range known {
		if strings.EqualFold(n, name) {
			return problem.At(at, "names are exact: %q is meant", n)
		}
	}
	return problem.At(at, "unknown member; known are %s", strings.Join(known, ", "))
}

// syntax turns an error of the JSON reader into a problem that names the place.
func syntax(path string, err error) error {
	if s, ok := errors.AsType[*jsonvalue.SyntaxError](err); ok {
		return problem.At(path+s.Path, "%s at byte %d", s.Reason, s.Offset)
	}
	return problem.At(path, "%v", err)
}

func (e *envelope) has(name string) bool { _, ok := e.members[name]; return ok }

func (e *envelope) at(name string) string { return e.path + "/" + name }

// str is a string member, "" if it is not there.
func (e *envelope) str(name string, maxBytes int) (string, error) {
	m, ok := e.members[name]
	if !ok {
		return "", nil
	}
	if m.Kind != jsonvalue.String {
		return "", problem.At(e.at(name), "must be a string")
	}
	var s string
	if err := json.Unmarshal(m.Text, &s); err != nil {
		return "", problem.At(e.at(name), "must be a string")
	}
	if len(s) > maxBytes {
		return "", problem.At(e.at(name), "%d bytes: the limit is %d", len(s), maxBytes)
	}
	return s, nil
}

// number is a whole number from 1 on; nil if it is not there.
func (e *envelope) number(name string) (*uint64, error) {
	m, ok := e.members[name]
	if !ok {
		return nil, nil
	}
	n, err := strconv.ParseUint(string(m.Text), 10, 53)
	if m.Kind != jsonvalue.Number || err != nil {
		return nil, problem.At(e.at(name), "must be a whole number from 0 on")
	}
	return &n, nil
}

// seconds is a length; 0 if it is not there.
func (e *envelope) seconds(name string) (time.Duration, error) {
	m, ok := e.members[name]
	if !ok {
		return 0, nil
	}
	n, err := strconv.ParseFloat(string(m.Text), 64)
	if m.Kind != jsonvalue.Number || err != nil || !(n > 0) || n > secondsMax {
		return 0, problem.At(e.at(name), "must be a number of seconds above 0")
	}
	return time.Duration(n * float64(time.Second)), nil
}

// flag is a boolean; otherwise is what it is if it is not there.
func (e *envelope) flag(name string, otherwise bool) (bool, error) {
	m, ok := e.members[name]
	if !ok {
		return otherwise, nil
	}
	if m.Kind != jsonvalue.Bool {
		return false, problem.At(e.at(name), "must be true or false")
	}
	return string(m.Text) == "true", nil
}

// common are the members that every write has.
type common struct {
	base   *uint64
	policy rules.Policy
	fields []jsonvalue.Pointer // conflicts elsewhere are not shown
	reason string
	queue  bool // wait for its turn if the scope is locked
}

var commonNames = []string{"baseVersion", "policy", "fields", "onLocked", "reason"}

func (e *envelope) common() (c common, err error) {
	if c.base, err = e.number("baseVersion"); err != nil {
		return c, err
	}
	policy, err := e.str("policy", 64)
	if err != nil {
		return c, err
	}
	if c.policy, err = parsePolicy(policy, e.at("policy")); err != nil {
		return c, err
	}
	if c.fields, err = e.paths("fields"); err != nil {
		return c, err
	}
	onLocked, err := e.str("onLocked", 64)
	if err != nil {
		return c, err
	}
	if onLocked != "" && onLocked != "queue" {
		return c, problem.At(e.at("onLocked"), `must be "queue"`)
	}
	c.queue = onLocked == "queue"
	c.reason, err = e.str("reason", reasonMaxBytes)
	return c, err
}

// parsePolicy knows the names of the policies; which of them a collection allows is its own matter.
func parsePolicy(name, path string) (rules.Policy, error) {
	p := rules.Policy(name)
	if name == "" || slices.Contains(rules.Policies, p) {
		return p, nil
	}
	known := make([]string, len(rules.Policies))
	for i, p := range rules.Policies {
		known[i] = string(p)
	}
	return "", problem.At(path, "unknown policy; known are %s", strings.Join(known, ", "))
}

// paths is a list of JSON Pointers below the metadata or a document.
func (e *envelope) paths(name string) ([]jsonvalue.Pointer, error) {
	m, ok := e.members[name]
	if !ok {
		return nil, nil
	}
	if m.Kind != jsonvalue.Array {
		return nil, problem.At(e.at(name), "must be an array of paths")
	}
	v, err := jsonvalue.Parse(m.Text)
	if err != nil {
		return nil, syntax(e.at(name), err)
	}
	if v.Len() > fieldsMax {
		return nil, problem.At(e.at(name), "%d paths: the limit is %d", v.Len(), fieldsMax)
	}
	paths := make([]jsonvalue.Pointer, v.Len())
	for i, element := range v.Elements() {
		if paths[i], err = partPath(element.Str()); err != nil || element.Kind() != jsonvalue.String {
			return nil, problem.At(e.at(name)+indexPath(i), "must be a path below /metadata or /documents/<id>")
		}
	}
	return paths, nil
}

// under reads how a write stands to the lock. queue is what its body says.
func under(r *transport.Request, queue bool) (u collection.Under, err error) {
	u = collection.Under{Token: r.Header.LockToken, Park: queue}
	for _, preference := range strings.FieldsFunc(r.Header.Prefer, func(c rune) bool { return c == ',' }) {
		if strings.EqualFold(strings.TrimSpace(preference), "respond-async") { // RFC 7240 section 4.1
			u.Park = true
		}
	}
	switch r.Header.LockRelease {
	case "", "false":
	case "true":
		if u.Release = true; u.Token == "" {
			return u, problem.At("header "+transport.HeaderLockToken, "only the holder can release the lock: name its token")
		}
	default:
		return u, problem.At("header "+transport.HeaderLockRelease, "must be true or false")
	}
	if u.Park && u.Token != "" {
		return u, problem.At("header "+transport.HeaderLockToken, "a write under a lock does not wait for it: leave out one of the two")
	}
	return u, nil
}

// preconditions reads the headers and the base.
func preconditions(r *transport.Request, base *uint64) (p collection.Preconditions, err error) {
	p.Base = base
	if r.Header.IfMatch != "" {
		if p.IfMatch, p.IfExists, err = transport.ParseETags(r.Header.IfMatch); err != nil {
			return p, err
		}
	}
	switch r.Header.IfNoneMatch {
	case "":
	case "*":
		p.IfNoneMatch = true
	default:
		return p, problem.At("header "+transport.HeaderIfNoneMatch, "a write takes only *")
	}
	return p, nil
}

// metadata reads the new metadata of a put; ok is false if it is left out.
func (e *envelope) metadata() (ch collection.Change, ok bool, err error) {
	m, ok := e.members["metadata"]
	if !ok {
		return ch, false, nil
	}
	if m.Kind != jsonvalue.Object {
		return ch, false, problem.At(e.at("metadata"), "must be an object")
	}
	return collection.Change{Op: collection.OpPut, Part: collection.MetadataPart, Path: e.at("metadata"),
		Body: m.Text, Hash: uint64(m.Hash)}, true, nil
}

// documents reads the new documents of a put.
func (e *envelope) documents() ([]collection.Change, error) {
	m := e.members["documents"]
	if m.Kind != jsonvalue.Object {
		return nil, problem.At(e.at("documents"), "must be an object of documents by their ids")
	}
	members, err := jsonvalue.Members(m.Text)
	if err != nil {
		return nil, syntax(e.at("documents"), err)
	}
	changes := make([]collection.Change, len(members))
	for i, d := range members {
		if !transport.ValidDocumentID(d.Name) {
			return nil, problem.At(e.at("documents")+jsonvalue.Pointer{d.Name}.String(), "a document id is %s",
				transport.DocumentIDRule)
		}
		changes[i] = collection.Change{Op: collection.OpPut, Part: d.Name, Body: d.Text, Hash: uint64(d.Hash),
			Path: e.at("documents") + jsonvalue.Pointer{d.Name}.String()}
	}
	return changes, nil
}
