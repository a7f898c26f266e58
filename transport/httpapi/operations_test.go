package httpapi_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"concord/transport"
	"concord/transport/api"
	"concord/transport/schema"
)

const (
	lock     = "/api/v1/locks/collection:p:letters"
	provider = "/api/v1/providers/p"
	letters  = provider + "/collections/letters"
	typePath = provider + "/types/dossier"
)

// TestEveryOperation walks through the whole table; ask holds each answer against the OpenAPI document.
func TestEveryOperation(t *testing.T) {
	s := newStack(t)
	asked := map[string]bool{}
	ask := func(operation, body string, status int, edits ...string) *answer {
		t.Helper()
		asked[operation] = true
		op := operationOf(s.table, operation)
		path := pathOf(op)
		if strings.HasPrefix(operation, "upload.") {
			path = strings.Replace(path, "letters", "id-1", 1)
		}
		mediaType := "application/json"
		if len(edits) > 1 {
			mediaType = edits[1]
		}
		if len(edits) > 0 {
			path += edits[0]
		}
		a := s.ask(op.Method, path, body, header("Content-Type", mediaType)).is(status)
		if op.Method == http.MethodGet {
			checkHead(t, s, path, a)
		}
		return a
	}
	example := func(operation, mediaType string) string {
		body, ok := schema.Example(operation, mediaType)
		if !ok {
			t.Fatalf("no example of %s as %s", operation, mediaType)
		}
		return string(body)
	}

	created := ask("collection.put", example("collection.put", "application/json"), 201)
	if got := created.header.Get("ETag"); got != `"v1"` || created.member("etag") != `"\"v1\""` {
		t.Errorf("ETag %s, etag %s", got, created.member("etag"))
	}
	ask("collection.put", example("collection.put", "application/json"), 200) // changes nothing
	ask("collection.patch", example("collection.patch", "application/json"), 200)
	ask("collection.patch", example("collection.patch", "application/json-patch+json"), 200, "", "application/json-patch+json")
	ask("collection.patch", example("collection.patch", "application/merge-patch+json"), 200, "", "application/merge-patch+json")
	ask("document.put", `{"value": {"to": "Dora"}}`, 200)
	ask("document.get", "", 200)
	ask("document.get", "", 200, "?version=1")
	ask("document.delete", "", 200, "?reason=lost&baseVersion=5")
	ask("collection.revert", example("collection.revert", "application/json"), 200)
	ask("collection.get", "", 200)
	ask("collection.get", "", 200, "?documents=none&version=2")
	ask("collection.get", "", 200, "?document=letter-1&document=letter-2&fields=/documents/*/to,/metadata")
	ask("collection.list", "", 200, "?limit=1")
	ask("collection.history", "", 200, "?limit=2")
	ask("collection.diff", "", 200, "?from=1&to=2")
	ask("collection.blame", "", 200)
	ask("collection.events", "", 200, "?after=1")
	ask("type.put", example("type.put", "application/json"), 201)
	ask("type.try", example("type.try", "application/json"), 200)
	ask("type.put", `{}`, 200)
	ask("type.get", "", 200)
	ask("type.get", "", 200, "?version=1")
	ask("type.list", "", 200, "?limit=1")
	ask("type.delete", "", 200, "?reason=unused")
	ask("type.get", "", 404)
	ask("link.list", "", 200, "?collection=letters&limit=1")
	ask("link.suggest", example("link.suggest", "application/json"), 200)
	ask("link.auto", example("link.auto", "application/json"), 200)
	for name := range walkLocks(t, s) {
		asked[name] = true
	}
	ask("upload.open", "", 201)
	ask("upload.append", example("upload.append", "application/json"), 200)
	ask("upload.close", "{}", 200)
	for name := range walkAuthorities(t, s) {
		asked[name] = true
	}
	for name := range walkJobs(t, s) {
		asked[name] = true
	}
	for name := range walkBulk(t, s) {
		asked[name] = true
	}
	for name := range walkEdits(t, s) {
		asked[name] = true
	}
	ask("admin.status", "", 200)
	ask("admin.backup", example("admin.backup", "application/json"), 200)
	ask("admin.verify", "", 200)
	ask("collection.delete", "", 200)
	ask("collection.get", "", 404)

	for _, op := range s.table {
		if !asked[op.Name] {
			t.Errorf("%s was not asked", op.Name)
		}
	}
}

// walkLocks asks every operation on locks, and says which those are.
func walkLocks(t *testing.T, s *stack) (asked map[string]bool) {
	asked = map[string]bool{}
	ask := func(who, operation, body string, status int, options ...func(*http.Request)) *answer {
		t.Helper()
		asked[operation] = true
		op := operationOf(s.table, operation)
		return s.ask(op.Method, pathOf(op), body, append(options, by(who))...).is(status)
	}
	in := func(path string) func(*http.Request) {
		return func(r *http.Request) { r.URL.Path, r.URL.RawPath = path, "" }
	}
	token := func(a *answer) func(*http.Request) { return header("Lock-Token", a.text("token")) }
	example := func(operation string) string {
		body, _ := schema.Example(operation, "application/json")
		return string(body)
	}

	ann := ask("ann", "lock.acquire", example("lock.acquire"), 201)
	if got := ann.header.Get("Location"); got != lock {
		t.Errorf("Location of a grant: %s", got)
	}
	ask("ann", "lock.renew", example("lock.renew"), 200, token(ann))
	ask("bob", "lock.get", "", 200)
	ask("bob", "lock.list", "", 200)
	waits := ask("cid", "lock.acquire", `{"wait": true}`, 202)
	place := lock + "/queue/" + waits.text("ticket")
	if got := waits.header.Get("Location"); got != place+"/events" {
		t.Errorf("Location of a ticket: %s", got)
	}
	ask("cid", "lock.keepalive", "", 200, in(place))
	ask("cid", "lock.queue", "", 200, in(place+"/events"))
	ask("cid", "lock.claim", "", 409, in(place))
	contest := ask("bob", "lock.contest", example("lock.contest"), 202)
	if got := contest.header.Get("Location"); got != lock+"/contest" {
		t.Errorf("Location of a contest: %s", got)
	}
	ask("bob", "lock.outcome", "", 200)
	ask("ann", "prompt.list", "", 200)
	ask("ann", "prompt.watch", "", 200)
	ask("ann", "lock.deny", example("lock.deny"), 204, token(ann))
	ask("dan", "lock.contest", `{}`, 202)
	ask("dan", "lock.withdraw", "", 204)
	ask("eve", "lock.contest", `{"acquire": true}`, 202)
	ask("ann", "lock.accept", example("lock.accept"), 204, token(ann)) // to Eve, before those who wait
	eves := lock + "/queue/" + ask("eve", "lock.outcome", "", 200).text("ticket")
	eve := ask("eve", "lock.claim", "", 201, in(eves))
	ask("cid", "lock.leave", "", 204, in(place))
	parked := s.ask("PATCH", letters, `{"changes": [], "onLocked": "queue"}`, by("bob")).is(202)
	operation := letters + "/operations/" + parked.text("operation")
	if got := parked.header.Get("Location"); got != operation {
		t.Errorf("Location of a parked update: %s", got)
	}
	ask("bob", "operation.get", "", 200, in(operation))
	ask("bob", "operation.cancel", "", 204, in(operation))
	ask("eve", "lock.release", "", 204, token(eve))
	bob := lock + "/queue/" + ask("bob", "lock.outcome", "", 200).text("ticket") // his contest was denied, not his place
	ask("bob", "lock.claim", "", 201, in(bob))
	ask("root", "lock.break", example("lock.break"), 204)
	return asked
}

// by names the caller.
func by(who string) func(*http.Request) { return header("Concord-Principal", who) }

// pathOf is the path of an operation on what these tests are about.
func pathOf(op *transport.Operation) string {
	return strings.NewReplacer("{provider}", "p", "{id}", "letters", "{document}", "letter-1", "{authority}", "a%2F1", "{scope}", "collection:p:letters",
		"{ticket}", "t1", "{operation}", "o1").Replace(op.Path)
}

func operationOf(table []*transport.Operation, name string) *transport.Operation {
	return table[slices.IndexFunc(table, func(op *transport.Operation) bool { return op.Name == name })]
}

// checkHead asks HEAD of the same: the same headers, but for the request's own, and no body.
func checkHead(t *testing.T, s *stack, path string, get *answer) {
	t.Helper()
	head := s.ask("HEAD", path, "")
	if head.status != get.status || len(head.body) != 0 {
		t.Errorf("HEAD %s: status %d, %d bytes", path, head.status, len(head.body))
	}
	for _, name := range []string{"ETag", "Content-Type", "Content-Length", "Cache-Control"} {
		if got, want := head.header.Get(name), get.header.Get(name); got != want && get.status == 200 {
			t.Errorf("HEAD %s: %s %q, GET has %q", path, name, got, want)
		}
	}
}

func TestConditionalRead(t *testing.T) {
	s := newStack(t)
	s.ask("PUT", letters, `{"metadata":{"n":1}}`).is(201)
	s.ask("PUT", letters, `{"metadata":{"n":2}}`).is(200)
	for name, row := range map[string]struct {
		ifNoneMatch string
		status      int
	}{
		"the shown version":          {`"v2"`, 304},
		"one of several":             {`"v1", "v2"`, 304},
		"weakly":                     {`W/"v2"`, 304},
		"any":                        {`*`, 304},
		"an older one":               {`"v1"`, 200},
		"another that begins alike":  {`"v22"`, 200},
		"no entity tag":              {`v2`, 200},
		"a list that is not written": {`,,`, 200},
	} {
		t.Run(name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD"} {
				a := s.ask(method, letters, "", header("If-None-Match", row.ifNoneMatch)).is(row.status)
				if a.header.Get("ETag") != `"v2"` || a.status == 304 && len(a.body) > 0 {
					t.Errorf("%s: ETag %s, body %q", method, a.header.Get("ETag"), a.body)
				}
			}
		})
	}
	s.ask("GET", letters+"?version=1", "", header("If-None-Match", `"v2"`)).is(200)
	s.ask("GET", letters, "", header("If-None-Match", `"v7"`), header("If-None-Match", `"v2"`)).is(304)
}

func TestConditionalWrite(t *testing.T) {
	s := newStack(t)
	s.ask("PUT", letters, `{}`, header("If-Match", `"v1"`)).is(412)
	s.ask("PUT", letters, `{}`, header("If-None-Match", `*`)).is(201)
	s.ask("PUT", letters, `{}`, header("If-None-Match", `*`)).is(412)
	s.ask("PUT", letters, `{"metadata":{"n":1}}`, header("If-Match", `"v7"`), header("If-Match", `"v1"`)).is(200)
	s.ask("PUT", letters, `{"metadata":{"n":2}}`, header("If-Match", `"v1"`)).is(412)
}

func TestIdempotencyKey(t *testing.T) {
	s := newStack(t)
	key := header("Idempotency-Key", "k1")
	first := s.ask("PUT", letters, `{"metadata":{"n":1}}`, key).is(201)
	written := s.written()
	again := s.ask("PUT", letters, `{"metadata":{"n":1}}`, key).is(201)
	if diff := cmp.Diff(string(first.body), string(again.body)); diff != "" || s.written() != written {
		t.Errorf("a repeat answers otherwise, or writes: %s", diff)
	}
	if p := s.ask("PUT", letters, `{"metadata":{"n":2}}`, key).is(409).problem(); p.Code != "key-reused" {
		t.Errorf("code %s", p.Code)
	}
}

// TestIdempotencyKeyOfAReadMeansNothing: an answer that was remembered would be an old one.
func TestIdempotencyKeyOfAReadMeansNothing(t *testing.T) {
	s := newStack(t)
	key := header("Idempotency-Key", "k1")
	if got := s.ask("GET", lock, "", key).is(200).text("state"); got != "free" || s.written() != 0 {
		t.Errorf("state %s, %d records", got, s.written())
	}
	token := header("Lock-Token", s.ask("POST", lock, "", by("ann")).is(201).text("token"))
	if got := s.ask("GET", lock, "", key).is(200).text("state"); got != "held" {
		t.Errorf("state %s", got)
	}
	s.advance(30 * time.Second)
	s.ask("PUT", lock, "", by("ann"), token, key).is(200)
	s.advance(40 * time.Second)
	s.ask("PUT", lock, "", by("ann"), token, key).is(200)
	s.advance(40 * time.Second)
	if got := s.state(); got != "held" {
		t.Errorf("the second renewal was taken for a repeat: state %s", got)
	}
}

func TestDryRunStoresNothing(t *testing.T) {
	s := newStack(t)
	for _, target := range []string{letters + "?dryRun=true", letters} {
		var options []func(*http.Request)
		if target == letters {
			options = append(options, header("Concord-Dry-Run", "true"))
		}
		if got := s.ask("PUT", target, `{"metadata":{}}`, options...).is(201).member("changed"); got != "true" {
			t.Errorf("changed %s", got)
		}
	}
	if s.written() != 0 {
		t.Errorf("%d records were written", s.written())
	}
	s.ask("PUT", letters+"?dryRun=false", `{"metadata":{}}`).is(201)
	if s.written() != 1 {
		t.Errorf("%d records were written", s.written())
	}
}

// TestDocumentIDsInPaths has ids that a path could be mistaken about.
func TestDocumentIDsInPaths(t *testing.T) {
	s := newStack(t)
	s.ask("PUT", letters, `{}`).is(201)
	for _, id := range []string{
		"a/b", "/", "//", "a b", "100%", "%2F", "..a", "...", "a?b", "a#b", "a;b", "a+b", "{id}", "ü", "日本語", `"`, `\`, "*", "~0~1",
		strings.Repeat("x", 256),
	} {
		t.Run(id, func(t *testing.T) {
			path := letters + "/documents/" + url.PathEscape(id)
			s.ask("PUT", path, `{"value":1}`).is(201)
			got := s.ask("GET", path, "").is(200).member("document")
			if want, _ := json.Marshal(id); !sameJSON(t, got, string(want)) {
				t.Errorf("wrote %q, read %s", id, got)
			}
			s.ask("DELETE", path, "").is(200)
			s.ask("GET", path, "").is(404)
		})
	}
}

func sameJSON(t *testing.T, a, b string) bool {
	t.Helper()
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		t.Fatalf("no JSON: %s, %s", a, b)
	}
	return cmp.Equal(x, y)
}

// TestBodiesHaveTheMembersOfTheirTypes holds the decoders against the types in bodies.go: an unknown member is refused
// with the list of the known ones.
func TestBodiesHaveTheMembersOfTheirTypes(t *testing.T) {
	s := newStack(t)
	for _, op := range s.table {
		if op.Body == nil {
			continue
		}
		t.Run(op.Name, func(t *testing.T) {
			known := knownMembers(t, s.ask(op.Method, pathOf(op), `{"no such member":1}`))
			want := s.openapi.members(schemaName(op))
			if op.Inner != "" {
				want = append(want, op.Inner) // over NATS
			}
			if diff := cmp.Diff(sorted(want), sorted(known)); diff != "" {
				t.Errorf("type (-) and decoder (+) differ: %s", diff)
			}
		})
	}
	for name, inner := range map[string]*answer{
		"BulkTargets":   s.ask("POST", provider+"/bulk-updates", `{"targets":{"no such member":1},"instructions":[]}`),
		"BulkTarget":    s.ask("POST", provider+"/bulk-updates", `{"targets":{"items":[{"no such member":1}]},"instructions":[{"type":"CLEAR_FIELD","path":"/metadata/a"}]}`),
		"ChangeRequest": s.ask("PATCH", letters, `{"changes":[{"no such member":1}]}`),
		"TypeLock":      s.ask("PUT", typePath, `{"lock":{"no such member":1}}`),
		"TypeContest":   s.ask("PUT", typePath, `{"lock":{"contest":{"no such member":1}}}`),
		"TypeConflict":  s.ask("PUT", typePath, `{"conflict":{"no such member":1}}`),
		"TypeRule":      s.ask("PUT", typePath, `{"conflict":{"rules":[{"no such member":1}]}}`),
		"TypeScript":    s.ask("PUT", typePath, `{"conflict":{"script":{"no such member":1}}}`),
		"TypeSchemas":   s.ask("PUT", typePath, `{"schemas":{"no such member":1}}`),
		"TypeLinks":     s.ask("PUT", typePath, `{"links":{"no such member":1}}`),
		"TypeLinkRule":  s.ask("PUT", typePath, `{"links":{"rules":[{"no such member":1}]}}`),
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(sorted(s.openapi.members(name)), sorted(knownMembers(t, inner))); diff != "" {
				t.Errorf("type (-) and decoder (+) differ: %s", diff)
			}
		})
	}
}

// knownMembers reads the list of members from a refusal of an unknown one.
func knownMembers(t *testing.T, a *answer) []string {
	t.Helper()
	p := a.is(400).problem()
	if len(p.Errors) != 1 || !strings.HasSuffix(p.Errors[0].Path, "/no such member") {
		t.Fatalf("errors %v", p.Errors)
	}
	_, list, ok := strings.Cut(p.Errors[0].Message, "known are ")
	if !ok {
		t.Fatalf("message %q", p.Errors[0].Message)
	}
	return strings.Split(list, ", ")
}

func schemaName(op *transport.Operation) string {
	switch op.Body.(type) {
	case api.SourceRequest:
		return "SourceRequest"
	case api.SourcePatch:
		return "SourcePatch"
	case api.AuthorityRequest:
		return "AuthorityRequest"
	case api.ImportRequest:
		return "ImportRequest"
	case api.AuditRequest:
		return "AuditRequest"
	case api.PropagationRollback:
		return "PropagationRollback"
	case api.TryRequest:
		return "TryRequest"
	case api.BulkRequest:
		return "BulkRequest"
	case api.BulkRetry:
		return "BulkRetry"
	case api.BulkRollback:
		return "BulkRollback"
	case api.EditRequest:
		return "EditRequest"
	case api.EditMatch:
		return "EditMatch"
	case api.EditPreview:
		return "EditPreview"
	case api.EditApply:
		return "EditApply"
	case api.EditRollback:
		return "EditRollback"
	case api.EditRedo:
		return "EditRedo"
	case api.AcquireRequest:
		return "AcquireRequest"
	case api.RenewRequest:
		return "RenewRequest"
	case api.BreakRequest:
		return "BreakRequest"
	case api.ContestRequest:
		return "ContestRequest"
	case api.DenyRequest:
		return "DenyRequest"
	case api.AcceptRequest:
		return "AcceptRequest"
	case api.PutRequest:
		return "PutRequest"
	case api.PatchRequest:
		return "PatchRequest"
	case api.RevertRequest:
		return "RevertRequest"
	case api.DocumentPutRequest:
		return "DocumentPutRequest"
	case api.TypeRequest:
		return "TypeRequest"
	case api.SuggestRequest:
		return "SuggestRequest"
	case api.AutoRequest:
		return "AutoRequest"
	case api.AppendRequest:
		return "AppendRequest"
	case api.BackupRequest:
		return "BackupRequest"
	default:
		return ""
	}
}

// members are the names of the members of a schema.
func (d *openAPI) members(name string) []string {
	properties, _ := d.at("/components/schemas/" + name + "/properties").(map[string]any)
	var names []string
	for n := range properties {
		names = append(names, n)
	}
	return names
}

func sorted(names []string) []string {
	slices.Sort(names)
	return names
}
