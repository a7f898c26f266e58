package faults

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"concord/actors/lock/scenario"
	"concord/transport"
)

// clerks has people with less than all rights: a guest reads, a clerk updates. Everybody else may do everything.
type clerks struct{ transport.AuthOff }

func (clerks) Authenticate(h *transport.Header) (transport.Caller, error) {
	c, err := transport.AuthOff{}.Authenticate(h)
	switch c.Principal {
	case "guest":
		c.All, c.Rights = false, map[string][]transport.Right{provider: {transport.RightRead}}
	case "clerk":
		c.All, c.Rights = false, map[string][]transport.Right{provider: {transport.RightRead, transport.RightUpdate}}
	}
	return c, err
}

// scenes are scopes in the states that wrong requests are made in. The first goes on while the clock moves.
var scenes = []struct{ name, settings, story string }{
	{"lapsed", "", "ann#1 acquire -> granted\nbob#1 acquire wait -> ticket\nann#1 release -> ok\n+10s"},
	{"expired", "ttl=5", "ann#1 acquire -> granted\n+5s"},
	{"free", "", "ann#1 write -> saved"},
	{"held", "", "ann#1 acquire -> granted"},
	{"explicit", "mode=explicit", "ann#1 get -> free"},
	{"contested", "", "ann#1 acquire -> granted\nbob#1 contest acquire -> contest"},
	{"denied", "", "ann#1 acquire -> granted\nbob#1 contest -> contest\nann#1 deny reason=no -> ok"},
	{"queued", "maxWaiters=1", "ann#1 acquire -> granted\nbob#1 acquire wait -> ticket"},
	{"offered", "", "ann#1 acquire -> granted\nbob#1 acquire wait -> ticket\ncat#1 acquire wait -> ticket\nann#1 release -> ok"},
	{"parked", "", "ann#1 acquire -> granted\nbob#1 write queue -> parked"},
	{"done", "", "ann#1 acquire -> granted\nbob#1 write queue -> parked\nann#1 release -> ok\nbob#1 operation -> done"},
	{"busy", "", "ann#1 acquire -> granted\n" + strings.Repeat("bob#1 contest -> contest\n", 10) + "bob#1 get -> contested"},
}

// wrong is a request that must be refused and change nothing. Its token, ticket or operation is named as in stories.
type wrong struct {
	scene, op, by                  string
	token, ticket, operation       string
	body                           map[string]any
	query, header                  map[string]string
	code                           string
	status                         int
	reason, path, field, fieldWant string
}

type object = map[string]any

var (
	long    = strings.Repeat("x", 501)
	release = map[string]string{"Lock-Release": "true"}
)

var wrongLocks = map[string]wrong{
	// tokens
	"release without a token":            {scene: "held", op: "lock.release", by: "ann#1", code: "invalid", status: 400, path: "header Lock-Token"},
	"renew without a token":              {scene: "held", op: "lock.renew", by: "ann#1", body: object{}, code: "invalid", status: 400, path: "header Lock-Token"},
	"deny without a token":               {scene: "contested", op: "lock.deny", by: "ann#1", body: object{}, code: "invalid", status: 400, path: "header Lock-Token"},
	"accept without a token":             {scene: "contested", op: "lock.accept", by: "ann#1", body: object{}, code: "invalid", status: 400, path: "header Lock-Token"},
	"release with a forged token":        {scene: "held", op: "lock.release", by: "ann#1", token: "forged", code: "stale-token", status: 409, reason: "unknown"},
	"renew with a forged token":          {scene: "held", op: "lock.renew", by: "ann#1", token: "forged", body: object{}, code: "lock-lost", status: 410, reason: "unknown"},
	"acquire with a forged token":        {scene: "free", op: "lock.acquire", by: "ann#1", token: "forged", body: object{}, code: "stale-token", status: 409, reason: "unknown"},
	"deny with a forged token":           {scene: "contested", op: "lock.deny", by: "ann#1", token: "forged", body: object{}, code: "stale-token", status: 409, reason: "unknown"},
	"accept with a forged token":         {scene: "contested", op: "lock.accept", by: "ann#1", token: "forged", body: object{}, code: "stale-token", status: 409, reason: "unknown"},
	"write with a forged token":          {scene: "free", op: "document.put", by: "ann#1", token: "forged", body: object{"value": 1}, code: "stale-token", status: 409, reason: "unknown"},
	"delete with a forged token":         {scene: "held", op: "collection.delete", by: "ann#1", token: "forged", code: "stale-token", status: 409, reason: "unknown"},
	"write with an expired token":        {scene: "expired", op: "document.put", by: "ann#1", token: "ann#1", body: object{"value": 1}, code: "stale-token", status: 409, reason: "expired"},
	"renew late without reacquire":       {scene: "expired", op: "lock.renew", by: "ann#1", token: "ann#1", body: object{"reacquire": false}, code: "lock-lost", status: 410, reason: "expired"},
	"write with a released token":        {scene: "offered", op: "document.put", by: "ann#1", token: "ann#1", body: object{"value": 1}, code: "stale-token", status: 409, reason: "released"},
	"write with another's token":         {scene: "held", op: "document.put", by: "bob#1", token: "ann#1", body: object{"value": 1}, code: "stale-token", status: 409, reason: "unknown"},
	"release with another's token":       {scene: "held", op: "lock.release", by: "bob#1", token: "ann#1", code: "stale-token", status: 409, reason: "unknown"},
	"answer with another's token":        {scene: "contested", op: "lock.deny", by: "bob#1", token: "ann#1", body: object{}, code: "stale-token", status: 409, reason: "unknown"},
	"token of 2 KiB":                     {scene: "held", op: "lock.release", by: "ann#1", header: map[string]string{"Lock-Token": strings.Repeat("A", 2048)}, code: "invalid", status: 400, path: "header Lock-Token"},
	"token in the body":                  {scene: "held", op: "lock.renew", by: "ann#1", body: object{"token": "AAAA"}, code: "invalid", status: 400, path: "/token"},
	"save and release without a token":   {scene: "free", op: "document.put", by: "ann#1", header: release, body: object{"value": 1}, code: "invalid", status: 400, path: "header Lock-Token"},
	"save and perhaps release":           {scene: "held", op: "document.put", by: "ann#1", token: "ann#1", header: map[string]string{"Lock-Release": "perhaps"}, body: object{"value": 1}, code: "invalid", status: 400, path: "header Lock-Release"},
	"a write under a lock does not wait": {scene: "held", op: "document.put", by: "ann#1", token: "ann#1", body: object{"value": 1, "onLocked": "queue"}, code: "invalid", status: 400, path: "header Lock-Token"},
	"onLocked that is none":              {scene: "held", op: "document.put", by: "bob#1", body: object{"value": 1, "onLocked": "wait"}, code: "invalid", status: 400, path: "/onLocked"},

	// who holds it
	"acquire what another holds":    {scene: "held", op: "lock.acquire", by: "bob#1", body: object{}, code: "locked", status: 409, field: "holder", fieldWant: "ann#1"},
	"take over another's":           {scene: "held", op: "lock.acquire", by: "bob#1", body: object{"takeOverOwn": true}, code: "locked", status: 409, field: "holder", fieldWant: "ann#1"},
	"acquire what is offered":       {scene: "offered", op: "lock.acquire", by: "dan#1", body: object{}, code: "locked", status: 409, field: "state", fieldWant: "offered"},
	"write what another holds":      {scene: "held", op: "document.put", by: "bob#1", body: object{"value": 1}, code: "locked", status: 409, field: "ways", fieldWant: "contest,wait,park"},
	"delete what another holds":     {scene: "held", op: "collection.delete", by: "bob#1", code: "locked", status: 409, field: "holder", fieldWant: "ann#1"},
	"replace what another holds":    {scene: "held", op: "collection.put", by: "bob#1", body: object{"metadata": object{"n": 1}}, code: "locked", status: 409, field: "fence", fieldWant: "1"},
	"write without a lock":          {scene: "explicit", op: "document.put", by: "bob#1", body: object{"value": 1}, code: "lock-required", status: 428},
	"write, dry, what another does": {scene: "held", op: "document.put", by: "bob#1", query: map[string]string{"dryRun": "true"}, body: object{"value": 1, "onLocked": "queue"}, code: "", status: 202},

	// bodies
	"ttl of text":              {scene: "free", op: "lock.acquire", by: "ann#1", body: object{"ttl": "60"}, code: "invalid", status: 400, path: "/ttl"},
	"ttl of nothing":           {scene: "free", op: "lock.acquire", by: "ann#1", body: object{"ttl": 0}, code: "invalid", status: 400, path: "/ttl"},
	"ttl below nothing":        {scene: "free", op: "lock.acquire", by: "ann#1", body: object{"ttl": -5}, code: "invalid", status: 400, path: "/ttl"},
	"ttl of ages":              {scene: "free", op: "lock.acquire", by: "ann#1", body: object{"ttl": 1e12}, code: "invalid", status: 400, path: "/ttl"},
	"ttl of null":              {scene: "held", op: "lock.renew", by: "ann#1", token: "ann#1", body: object{"ttl": nil}, code: "invalid", status: 400, path: "/ttl"},
	"wait, perhaps":            {scene: "held", op: "lock.acquire", by: "bob#1", body: object{"wait": "yes"}, code: "invalid", status: 400, path: "/wait"},
	"reacquire by number":      {scene: "held", op: "lock.renew", by: "ann#1", token: "ann#1", body: object{"reacquire": 1}, code: "invalid", status: 400, path: "/reacquire"},
	"member in another case":   {scene: "free", op: "lock.acquire", by: "ann#1", body: object{"TTL": 60}, code: "invalid", status: 400, path: "/TTL"},
	"member that is none":      {scene: "contested", op: "lock.contest", by: "cat#1", body: object{"reason": "x"}, code: "invalid", status: 400, path: "/reason"},
	"note of 501 bytes":        {scene: "held", op: "lock.contest", by: "bob#1", body: object{"note": long}, code: "invalid", status: 400, path: "/note"},
	"note of a number":         {scene: "held", op: "lock.contest", by: "bob#1", body: object{"note": 7}, code: "invalid", status: 400, path: "/note"},
	"deadline below nothing":   {scene: "held", op: "lock.contest", by: "bob#1", body: object{"deadline": -1}, code: "invalid", status: 400, path: "/deadline"},
	"denial of 501 bytes":      {scene: "contested", op: "lock.deny", by: "ann#1", token: "ann#1", body: object{"reason": long}, code: "invalid", status: 400, path: "/reason"},
	"contest of 501 bytes":     {scene: "contested", op: "lock.accept", by: "ann#1", token: "ann#1", body: object{"contest": long}, code: "invalid", status: 400, path: "/contest"},
	"contest of a number":      {scene: "contested", op: "lock.deny", by: "ann#1", token: "ann#1", body: object{"contest": 1}, code: "invalid", status: 400, path: "/contest"},
	"break without a reason":   {scene: "held", op: "lock.break", by: "root#1", body: object{}, code: "invalid", status: 400, path: "/reason"},
	"break for an empty one":   {scene: "held", op: "lock.break", by: "root#1", body: object{"reason": ""}, code: "invalid", status: 400, path: "/reason"},
	"break for 501 bytes":      {scene: "held", op: "lock.break", by: "root#1", body: object{"reason": long}, code: "invalid", status: 400, path: "/reason"},
	"session of 2 KiB":         {scene: "free", op: "lock.acquire", by: "ann#" + strings.Repeat("s", 2048), body: object{}, code: "invalid", status: 400, path: "header Concord-Session"},
	"page of nothing":          {op: "lock.list", by: "ann#1", query: map[string]string{"limit": "0"}, code: "invalid", status: 400, path: "limit"},
	"page after what is none":  {op: "lock.list", by: "ann#1", query: map[string]string{"cursor": "!"}, code: "invalid", status: 400, path: "cursor"},
	"parameter that is none":   {scene: "held", op: "lock.get", by: "ann#1", query: map[string]string{"deep": "yes"}, code: "invalid", status: 400, path: "deep"},
	"parameter beside a body":  {scene: "free", op: "lock.acquire", by: "ann#1", query: map[string]string{"wait": "true1"}, body: object{}, code: "invalid", status: 400},
	"id that begins with dash": {scene: "-c", op: "lock.get", by: "ann#1", code: "invalid", status: 400, path: "id"},
	"id of 129 bytes":          {scene: strings.Repeat("c", 129), op: "lock.acquire", by: "ann#1", body: object{}, code: "invalid", status: 400, path: "id"},

	// rights
	"break without the right":     {scene: "held", op: "lock.break", by: "clerk", body: object{"reason": "stale"}, code: "forbidden", status: 403},
	"acquire, and may only read":  {scene: "free", op: "lock.acquire", by: "guest", body: object{}, code: "forbidden", status: 403},
	"contest, and may only read":  {scene: "held", op: "lock.contest", by: "guest", body: object{}, code: "forbidden", status: 403},
	"withdraw, and may only read": {scene: "contested", op: "lock.withdraw", by: "guest", code: "forbidden", status: 403},
	"cancel, and may only read":   {scene: "parked", op: "operation.cancel", by: "guest", operation: "bob#1", code: "forbidden", status: 403},

	// contests
	"contest what is free":               {scene: "free", op: "lock.contest", by: "bob#1", body: object{}, code: "not-contestable", status: 409, reason: "not_locked"},
	"contest what has expired":           {scene: "expired", op: "lock.contest", by: "bob#1", body: object{}, code: "not-contestable", status: 409, reason: "not_locked"},
	"contest what is offered":            {scene: "offered", op: "lock.contest", by: "dan#1", body: object{}, code: "not-contestable", status: 409, reason: "not_locked"},
	"contest the own lock":               {scene: "held", op: "lock.contest", by: "ann#1", body: object{"acquire": true}, code: "not-contestable", status: 409, reason: "own_lock"},
	"deny what nobody contests":          {scene: "held", op: "lock.deny", by: "ann#1", token: "ann#1", body: object{}, code: "no-contest", status: 404},
	"accept what nobody contests":        {scene: "held", op: "lock.accept", by: "ann#1", token: "ann#1", body: object{}, code: "no-contest", status: 404},
	"deny another contest":               {scene: "contested", op: "lock.deny", by: "ann#1", token: "ann#1", body: object{"contest": "c999"}, code: "no-contest", status: 404},
	"accept another contest":             {scene: "contested", op: "lock.accept", by: "ann#1", token: "ann#1", body: object{"contest": "c999"}, code: "no-contest", status: 404},
	"deny again":                         {scene: "denied", op: "lock.deny", by: "ann#1", token: "ann#1", body: object{}, code: "no-contest", status: 404},
	"accept after a denial":              {scene: "denied", op: "lock.accept", by: "ann#1", token: "ann#1", body: object{}, code: "no-contest", status: 404},
	"withdraw after a denial":            {scene: "denied", op: "lock.withdraw", by: "bob#1", code: "no-contest", status: 404},
	"contest again after a denial":       {scene: "denied", op: "lock.contest", by: "bob#1", body: object{}, code: "contest-cooldown", status: 429, field: "retryAfter", fieldWant: "30"},
	"contest as another own session":     {scene: "denied", op: "lock.contest", by: "bob#2", body: object{"acquire": true}, code: "contest-cooldown", status: 429},
	"accept who does not contest":        {scene: "contested", op: "lock.accept", by: "ann#1", token: "ann#1", body: object{"session": "nobody"}, code: "no-contest", status: 404},
	"accept another principal":           {scene: "contested", op: "lock.accept", by: "ann#1", token: "ann#1", body: object{"principal": "cat", "session": "1"}, code: "no-contest", status: 404},
	"outcome of no contest":              {scene: "contested", op: "lock.outcome", by: "cat#1", code: "no-contest", status: 404},
	"withdraw what was never contested":  {scene: "contested", op: "lock.withdraw", by: "cat#1", code: "no-contest", status: 404},
	"an eleventh contest in a minute":    {scene: "busy", op: "lock.contest", by: "bob#1", body: object{}, code: "overloaded", status: 429, field: "retryAfter", fieldWant: "60"},
	"an eleventh, as another session":    {scene: "busy", op: "lock.contest", by: "bob#2", body: object{"acquire": true}, code: "overloaded", status: 429},
	"a place in a full queue":            {scene: "queued", op: "lock.acquire", by: "cat#1", body: object{"wait": true}, code: "queue-full", status: 429, field: "limit", fieldWant: "1"},
	"a place in a full queue by contest": {scene: "queued", op: "lock.contest", by: "cat#1", body: object{"acquire": true}, code: "queue-full", status: 429},

	// tickets
	"claim before the turn":           {scene: "queued", op: "lock.claim", by: "bob#1", ticket: "bob#1", code: "not-offered", status: 409, field: "position", fieldWant: "1"},
	"claim behind who is offered":     {scene: "offered", op: "lock.claim", by: "cat#1", ticket: "cat#1", code: "not-offered", status: 409, field: "position", fieldWant: "2"},
	"claim an offer that is over":     {scene: "lapsed", op: "lock.claim", by: "bob#1", ticket: "bob#1", code: "ticket-gone", status: 410},
	"keep a ticket that is over":      {scene: "lapsed", op: "lock.keepalive", by: "bob#1", ticket: "bob#1", code: "ticket-gone", status: 410},
	"claim with another's ticket":     {scene: "offered", op: "lock.claim", by: "cat#1", ticket: "bob#1", code: "ticket-gone", status: 410},
	"claim as another own session":    {scene: "offered", op: "lock.claim", by: "bob#2", ticket: "bob#1", code: "ticket-gone", status: 410},
	"leave with another's ticket":     {scene: "offered", op: "lock.leave", by: "cat#1", ticket: "bob#1", code: "ticket-gone", status: 410},
	"keep another's ticket":           {scene: "queued", op: "lock.keepalive", by: "cat#1", ticket: "bob#1", code: "ticket-gone", status: 410},
	"watch another's ticket":          {scene: "queued", op: "lock.queue", by: "cat#1", ticket: "bob#1", code: "ticket-gone", status: 410},
	"claim with what is no ticket":    {scene: "offered", op: "lock.claim", by: "bob#1", ticket: "=t01", code: "ticket-gone", status: 410},
	"claim with an operation":         {scene: "parked", op: "lock.claim", by: "bob#1", operation: "bob#1", code: "ticket-gone", status: 410},
	"claim with control bytes":        {scene: "offered", op: "lock.claim", by: "bob#1", ticket: "=a\nb", code: "invalid", status: 400, path: "ticket"},
	"cancel another's operation":      {scene: "parked", op: "operation.cancel", by: "cat#1", operation: "bob#1", code: "forbidden", status: 403},
	"cancel what is done":             {scene: "done", op: "operation.cancel", by: "bob#1", operation: "bob#1", code: "wrong-state", status: 409, field: "state", fieldWant: "done"},
	"cancel what never was":           {scene: "parked", op: "operation.cancel", by: "bob#1", operation: "=o999", code: "not-found", status: 404},
	"read what never was":             {scene: "parked", op: "operation.get", by: "bob#1", operation: "=o999", code: "not-found", status: 404},
	"read an operation of no one":     {scene: "nowhere", op: "operation.get", by: "bob#1", operation: "=o1", code: "not-found", status: 404},
	"read an operation by its number": {scene: "parked", op: "operation.get", by: "bob#1", operation: "=3", code: "not-found", status: 404},
}

// stage is the scenes on one node, with who got what in them.
type stage struct {
	targets map[string]*target
	door    door
}

// TestWrongLockRequests: each request is refused with its code, its status and what it says beside them, over both doors;
// and nothing has changed by it.
func TestWrongLockRequests(t *testing.T) {
	h := startInProcess(t, zerolog.Nop(), clerks{})
	for _, d := range h.doors() {
		s := stage{map[string]*target{}, d}
		for _, scene := range scenes {
			s.set(t, h, scene.name, scene.settings, scene.story)
		}
		for _, name := range slices.Sorted(maps.Keys(wrongLocks)) {
			t.Run(d.name()+"/"+name, func(t *testing.T) { s.ask(t, wrongLocks[name]) })
		}
	}
}

func (s stage) set(t *testing.T, h house, name, settings, story string) {
	t.Helper()
	if settings != "" {
		story = "settings " + settings + "\n" + story
	}
	all, err := scenario.Parse(name, "== "+name+"\n"+story)
	if err != nil {
		t.Fatal(err)
	}
	made, err := newTarget(h, s.door, s.door.name()+name, all[0].Settings)
	if err == nil {
		err = heardBy(s.door, all[0]).Run(made)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.targets[name] = made
}

func (s stage) ask(t *testing.T, w wrong) {
	before := s.look(t, w.scene)
	r, err := s.door.do(s.call(t, w))
	if err != nil {
		t.Fatal(err)
	}
	o := observed("", r)
	switch {
	case r.code != w.code || r.status != w.status && (r.code != "" || s.door.name() == "http"):
		t.Errorf("%d %s, want %d %s", r.status, r.text, w.status, w.code)
	case w.reason != "" && o.Fields["reason"] != w.reason, w.field != "" && o.Fields[w.field] != w.fieldWant:
		t.Errorf("want %s %s=%s: %s", w.reason, w.field, w.fieldWant, r.text)
	case w.path != "" && strings.TrimPrefix(pathOf(r), "/") != strings.TrimPrefix(w.path, "/"):
		t.Errorf("at %q, want %q: %s", pathOf(r), w.path, r.text)
	}
	if diff := cmp.Diff(before, s.look(t, w.scene)); diff != "" {
		t.Errorf("something has changed (-before +after):\n%s", diff)
	}
}

// pathOf is the place of the request that the refusal names.
func pathOf(r reply) string {
	errors, _ := r.body["errors"].([]any)
	if len(errors) == 0 {
		return ""
	}
	first, _ := errors[0].(map[string]any)
	return fmt.Sprint(first["path"])
}

func (s stage) call(t *testing.T, w wrong) call {
	t.Helper()
	principal, session, _ := strings.Cut(w.by, "#")
	c := call{op: w.op, id: w.scene, by: scenario.Party{Principal: principal, Session: session}, body: w.body, query: w.query, header: w.header}
	if target := s.targets[w.scene]; target != nil {
		c.id = target.id
	}
	c.token = s.given(t, w.scene, "token", w.token)
	if c.inner = s.given(t, w.scene, "ticket", w.ticket) + s.given(t, w.scene, "operation", w.operation); w.op == "document.put" {
		c.inner = "d"
	}
	return c
}

// given is what somebody got in the scene: ann#1, or =text as it is, or forged.
func (s stage) given(t *testing.T, scene, kind, name string) string {
	t.Helper()
	if text, ok := strings.CutPrefix(name, "="); ok || name == "" {
		return text
	}
	if name == "forged" {
		return strings.Repeat("A", tokenChars)
	}
	for _, g := range s.targets[scene].given {
		if g.kind == kind && g.who.String() == name {
			return g.value
		}
	}
	t.Fatalf("%s never got a %s in %s", name, kind, scene)
	return ""
}

// look is what is seen of a scene, with all its events.
func (s stage) look(t *testing.T, scene string) (all []string) {
	t.Helper()
	target := s.targets[scene]
	if target == nil {
		return nil
	}
	for _, c := range []call{{op: "lock.get"}, {op: "collection.get"}, {op: "collection.events", query: map[string]string{"limit": "1000"}}} {
		c.id = target.id
		all = append(all, string(succeed(t, s.door, c).text))
	}
	return all
}

// TestWrongScopes: what only a URL or only a subject can get wrong.
func TestWrongScopes(t *testing.T) {
	h := startInProcess(t, zerolog.Nop(), transport.AuthOff{})
	for request, path := range map[string]string{
		"GET /api/v1/locks/letters": "scope", "GET /api/v1/locks/document:p:c": "scope", "GET /api/v1/locks/collection:p:c:d": "scope",
		"GET /api/v1/locks/collection": "scope", "GET /api/v1/locks/neverpile:document:c": "scope",
		"GET /api/v1/locks/collection:p%20q:c": "provider", "GET /api/v1/locks/collection::c": "provider",
		"GET /api/v1/locks/collection:p:": "id", "POST /api/v1/locks/collection:p:-c": "id",
		"DELETE /api/v1/locks/collection:p:c?token=AAAA":      "token",
		"DELETE /api/v1/locks/collection:p:c?lockToken=AAAA":  "lockToken",
		"PUT /api/v1/locks/collection:p:c?Lock-Token=AAAA":    "Lock-Token",
		"POST /api/v1/locks/collection:p:c/queue/t1?token=t1": "token",
	} {
		method, target, _ := strings.Cut(request, " ")
		in, err := http.NewRequest(method, h.http()+target, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(in)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		r, err := read(response.StatusCode, text, true)
		if err != nil || r.code != "invalid" || r.status != http.StatusBadRequest || pathOf(r) != path {
			t.Errorf("%s: %v %d %s", request, err, response.StatusCode, text)
		}
	}
	nc, err := h.connection()
	if err != nil {
		t.Fatal(err)
	}
	for subject, path := range map[string]string{"lock.get.p.-c": "id", "lock.acquire.p.c!": "id", "lock.get.p!.c": "provider", "lock.list.-": "provider"} {
		answer, err := nc.RequestMsg(&nats.Msg{Subject: "concord.v1." + subject}, requestTimeout)
		if err != nil {
			t.Errorf("%s: %v", subject, err)
			continue
		}
		r, err := read(http.StatusBadRequest, answer.Data, answer.Header.Get(transport.HeaderServiceCode) == "400")
		if err != nil || r.code != "invalid" || pathOf(r) != path {
			t.Errorf("%s: %v %v %s", subject, err, answer.Header, answer.Data)
		}
	}
}

// TestAskedLengthsAreClamped: what is too short or too long is given as the type allows.
func TestAskedLengthsAreClamped(t *testing.T) {
	h := startInProcess(t, zerolog.Nop(), transport.AuthOff{})
	for _, d := range h.doors() {
		for asked, given := range map[float64]string{0.001: "5", 1: "5", 5.5: "5", 3600.5: "3600", 7200: "3600", 3e7: "3600"} {
			id := d.name() + strings.NewReplacer(".", "-", "+", "").Replace(fmt.Sprint(asked))
			succeed(t, d, call{op: "collection.put", id: id, body: object{}})
			r := succeed(t, d, call{op: "lock.acquire", id: id, by: ann, body: object{"ttl": asked}})
			if o := observed("acquire", r); o.Fields["expiresIn"] != given {
				t.Errorf("%s: ttl %v: %s", d.name(), asked, r.text)
			}
			token, _ := r.body["token"].(string)
			r = succeed(t, d, call{op: "lock.renew", id: id, by: ann, token: token, body: object{"ttl": asked}})
			if o := observed("renew", r); o.Fields["expiresIn"] != given {
				t.Errorf("%s: renewal for %v: %s", d.name(), asked, r.text)
			}
		}
	}
}
