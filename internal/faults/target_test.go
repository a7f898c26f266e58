package faults

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/actors/lock/scenario"
	"concord/actors/problem"
)

// target tells stories about locks to a running service, through one of its doors. Each has a collection of its own.
type target struct {
	house house
	door  door
	id    string
	seq   uint64 // of the newest event that was told
	wrote int
	given []gift

	merging bool       // the story has merges: all that it writes meets a newer version, and a script merges it
	held    bool       // scripts are kept from ending
	written chan error // of the write that was held
}

// gift is a token, a ticket or an operation, and who got it.
type gift struct {
	who         scenario.Party
	kind, value string
}

var _ scenario.Target = (*target)(nil)

// newTarget makes a collection at version 1 with the lock settings of a story.
func newTarget(h house, d door, id string, settings map[string]string) (*target, error) {
	t := &target{house: h, door: d, id: id}
	return t, t.begin(settings)
}

func (t *target) begin(settings map[string]string) error {
	// The collection comes first, under a type that sets nothing: one that demands locks would demand one for it, too.
	var made reply
	id, rules := t.id, map[string]any{"lock": typeOf(settings)}
	calls := []call{
		{op: "type.put", id: id, body: map[string]any{}},
		{op: "collection.put", id: id, body: map[string]any{"type": id}},
		{op: "type.put", id: id, body: rules},
	}
	if t.merging {
		calls = append(t.mergeable(rules), calls[2])
	}
	for _, c := range calls {
		r, err := t.must(c)
		if err != nil {
			return err
		}
		if c.op == "collection.put" {
			made = r
		}
	}
	t.seq = number(made.body["seq"])
	return nil
}

// typeOf is the lock part of a type: a name with a dot is a member of a member.
func typeOf(settings map[string]string) map[string]any {
	all := map[string]any{}
	for name, text := range settings {
		into := all
		if group, member, ok := strings.Cut(name, "."); ok {
			if all[group] == nil {
				all[group] = map[string]any{}
			}
			into, name = all[group].(map[string]any), member
		}
		into[name] = scalar(text)
	}
	return all
}

// must is a call that must not be refused.
func (t *target) must(c call) (reply, error) {
	r, err := t.door.do(c)
	if err == nil && r.code != "" {
		err = fmt.Errorf("%s is refused: %s", c.op, r.text)
	}
	return r, err
}

func (t *target) Advance(d time.Duration) error { return t.house.advance(d) }

// Do does a step as a client would. Reads of the store come after whatever the step before made the entity do by itself.
func (t *target) Do(s scenario.Step) (scenario.Observed, error) {
	switch s.Verb {
	case "events":
		return t.events()
	case "hold":
		return scenario.Observed{Word: "ok"}, t.hold(s)
	case "resume":
		return scenario.Observed{Word: "ok"}, t.resume()
	}
	c, err := t.call(s)
	if err != nil {
		return scenario.Observed{}, err
	}
	if s.Verb == "operation" {
		if err := t.settle(); err != nil {
			return scenario.Observed{}, err
		}
	}
	r, err := t.door.do(c)
	if err != nil {
		return scenario.Observed{}, err
	}
	if s.Verb == "beacon" && r.code == string(problem.NotFound) {
		return scenario.Observed{}, fmt.Errorf("beacon has no route: %w", errors.ErrUnsupported)
	}
	o := observed(s.Verb, r)
	t.unshift(o.Fields)
	for kind, value := range map[string]string{"token": o.Token, "ticket": o.Ticket, "operation": o.Operation} {
		if g := (gift{s.Who, kind, value}); value != "" && !slices.Contains(t.given, g) {
			t.given = append(t.given, g)
		}
	}
	return o, nil
}

// settle waits until all that the entity has decided so far is durable: it answers a question of its own only then. Scripts
// that run for it end first, unless they are held.
func (t *target) settle() error {
	_, err := t.must(call{op: "lock.get", id: t.id})
	if err != nil || !t.merging || t.held {
		return err
	}
	// The second answer says that what the first has made due is under way.
	if _, err := t.must(call{op: "lock.get", id: t.id}); err != nil {
		return err
	}
	return t.debug("merge/resume")
}

// nobodys is in place of an id that is not there, where a path needs one.
const nobodys = "none"

// verbs are the verbs that are operations of their own, and the members of their bodies.
var verbs = map[string]struct {
	op      string
	members []string
	inner   string
}{
	"acquire": {"lock.acquire", []string{"ttl", "wait", "takeOverOwn"}, ""}, "renew": {"lock.renew", []string{"ttl", "reacquire"}, ""},
	"release": {"lock.release", nil, ""}, "break": {"lock.break", []string{"reason"}, ""},
	"contest":  {"lock.contest", []string{"note", "acquire", "deadline"}, ""},
	"withdraw": {"lock.withdraw", nil, ""}, "deny": {"lock.deny", []string{"reason", "contest"}, ""}, "accept": {"lock.accept", []string{"session", "contest"}, ""},
	"claim": {"lock.claim", nil, "ticket"}, "keepalive": {"lock.keepalive", nil, "ticket"}, "leave": {"lock.leave", nil, "ticket"},
	"get": {"lock.get", nil, ""}, "outcome": {"lock.outcome", nil, ""},
	"operation": {"operation.get", nil, "operation"}, "cancel": {"operation.cancel", nil, "operation"},
}

// call is the request that a step is.
func (t *target) call(s scenario.Step) (call, error) {
	switch {
	case s.Verb == "write":
		return t.write(s)
	case s.Verb == "beacon" && t.door.name() == "http":
		return call{op: "beacon", id: t.id, text: s.Args["token"]}, nil // the token alone: neither headers nor a name
	}
	v, ok := verbs[s.Verb]
	if !ok {
		return call{}, fmt.Errorf("%s cannot be done from outside: %w", s.Verb, errors.ErrUnsupported)
	}
	c := call{op: v.op, id: t.id, by: s.Who, token: s.Args["token"]}
	if v.members != nil {
		c.body = map[string]any{}
	}
	for _, name := range v.members {
		if text, ok := s.Args[name]; ok {
			c.body[name] = value(name, text)
		}
	}
	if v.inner != "" {
		if c.inner = s.Args[v.inner]; c.inner == "" {
			c.inner = nobodys
		}
	}
	return c, nil
}

// value is an argument of a step as JSON: texts stay texts, whatever they look like.
func value(name, text string) any {
	switch name {
	case "note", "reason", "session", "contest":
		return text
	case "ttl", "deadline":
		return scalar(text)
	default:
		return text == "true"
	}
}

// write is a write of one document, with content that it never had.
func (t *target) write(s scenario.Step) (call, error) {
	if s.Args["job"] == "true" {
		return call{}, fmt.Errorf("a write of a job cannot be made from outside: %w", errors.ErrUnsupported)
	}
	doc := s.Args["doc"]
	if doc == "" {
		doc = s.Who.Principal
	}
	t.wrote++
	c := call{op: "document.put", id: t.id, inner: doc, by: s.Who, token: s.Args["token"], header: map[string]string{},
		body: map[string]any{"value": map[string]any{"n": t.wrote}}}
	if t.merging {
		c.body["baseVersion"], c.body["policy"] = 1, "server-logic"
	}
	if base, _ := strconv.Atoi(s.Args["base"]); base > 0 {
		c.body["baseVersion"] = base
	}
	if policy := s.Args["policy"]; policy != "" {
		c.body["policy"] = policy
	}
	if s.Args["queue"] == "true" && c.token == "" {
		c.body["onLocked"] = "queue"
	}
	if s.Args["release"] == "true" {
		c.header["Lock-Release"] = "true"
	}
	return c, nil
}

// events are the types of the events since the last time.
func (t *target) events() (o scenario.Observed, err error) {
	if err := t.settle(); err != nil {
		return o, err
	}
	for after := t.seq; ; after = t.seq {
		r, err := t.must(call{op: "collection.events", id: t.id, query: map[string]string{"after": strconv.FormatUint(after, 10)}})
		if err != nil {
			return o, err
		}
		items, _ := r.body["items"].([]any)
		for _, item := range items {
			event, _ := item.(map[string]any)
			if seq := number(event["seq"]); seq != t.seq+1 {
				return o, fmt.Errorf("event %d follows %d", seq, t.seq)
			}
			t.seq++
			o.Events = append(o.Events, fmt.Sprint(event["type"]))
		}
		if len(items) == 0 {
			return o, nil
		}
	}
}

func number(v any) uint64 {
	n, _ := strconv.ParseUint(fmt.Sprint(v), 10, 64)
	return n
}

// words are what the success of a verb is called. "": it is the state that the answer names.
var words = map[string]string{"renew": "renewed", "keepalive": "alive", "get": "", "outcome": "", "operation": ""}

// observed is an answer in the words of stories.
func observed(verb string, r reply) scenario.Observed {
	o := scenario.Observed{Word: "ok", Status: r.status, Fields: map[string]string{}}
	for name, v := range r.body {
		field(o.Fields, name, v)
	}
	text := func(name string) string {
		s, _ := r.body[name].(string)
		return s
	}
	if r.code != "" {
		o.Word = r.code
		return o
	}
	o.Token, o.Ticket = text("token"), text("ticket")
	if verb == "contest" {
		o.Contest = text("contest")
	}
	word, known := words[verb]
	switch {
	case known && word != "":
		o.Word = word
	case known:
		o.Word = text("state")
	case verb == "write" && text("operation") != "":
		o.Word, o.Operation = "parked", text("operation")
	case verb == "write":
		o.Word = "saved"
	case o.Token != "":
		o.Word = "granted"
	case text("contest") != "":
		o.Word = "contest"
	case o.Ticket != "":
		o.Word = "ticket"
	}
	return o
}

// field adds a member of an answer as stories name it: a party in one word, a list in one, whole seconds rounded up.
func field(fields map[string]string, name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		principal, _ := v["principal"].(string)
		session, _ := v["session"].(string)
		fields[name] = scenario.Party{Principal: principal, Session: session}.String()
	case []any:
		all := make([]string, len(v))
		for i, one := range v {
			all[i] = fmt.Sprint(one)
		}
		fields[name] = strings.Join(all, ",")
	case json.Number:
		fields[name] = v.String()
		if f, err := v.Float64(); err == nil && name == "retryAfter" {
			fields[name] = strconv.Itoa(int(math.Ceil(f)))
		}
	default:
		fields[name] = fmt.Sprint(v)
	}
}

// heardBy is the story as a door can tell it: over NATS a success has no status.
func heardBy(d door, sc scenario.Scenario) scenario.Scenario {
	if d.name() != "nats" {
		return sc
	}
	codes := map[string]bool{}
	for _, c := range problem.Codes() {
		codes[string(c)] = true
	}
	steps := make([]scenario.Step, len(sc.Steps))
	for i, s := range sc.Steps {
		if !codes[s.Want.Word] {
			var fields []scenario.Field
			for _, f := range s.Want.Fields {
				if f.Name != "status" {
					fields = append(fields, f)
				}
			}
			s.Want.Fields = fields
		}
		steps[i] = s
	}
	sc.Steps = steps
	return sc
}
