package httpapi_test

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"concord/actors/problem"
	"concord/transport"
)

// wrong is a request that must be refused.
type wrong struct {
	method  string // "": PUT
	target  string // "": the collection
	body    string
	options []func(*http.Request)
	code    problem.Code
	status  int    // 0: the code's own
	path    string // in errors; "": there are none
}

func with(options ...func(*http.Request)) []func(*http.Request) { return options }

func contentType(mediaType string) []func(*http.Request) {
	return with(header("Content-Type", mediaType))
}

var wrongPaths = map[string]wrong{
	"provider with a blank":       {target: "/api/v1/providers/p%20q/collections/c", body: `{}`, code: problem.Invalid, path: "provider"},
	"provider with a slash":       {target: "/api/v1/providers/p%2Fq/collections/c", body: `{}`, code: problem.Invalid, path: "provider"},
	"provider that is a slash":    {target: "/api/v1/providers/%2F/collections/c", body: `{}`, code: problem.Invalid, path: "provider"},
	"provider is a star":          {target: "/api/v1/providers/*/collections/c", body: `{}`, code: problem.Invalid, path: "provider"},
	"id begins with a dash":       {target: provider + "/collections/-c", body: `{}`, code: problem.Invalid, path: "id"},
	"id of 129 bytes":             {target: provider + "/collections/" + strings.Repeat("c", 129), body: `{}`, code: problem.Invalid, path: "id"},
	"id of dots, encoded":         {target: provider + "/collections/%2E%2E", body: `{}`, code: problem.Invalid, path: "id"},
	"id of dots":                  {target: provider + "/collections/..", body: `{}`, code: problem.Invalid, path: "path"},
	"id with a NUL":               {target: provider + "/collections/a%00", body: `{}`, code: problem.Invalid, path: "path"},
	"empty provider":              {target: "/api/v1/providers//collections/c", body: `{}`, code: problem.Invalid, path: "path"},
	"doubled slash":               {target: "/" + letters, body: `{}`, code: problem.Invalid, path: "path"},
	"document of one dot":         {target: letters + "/documents/%2e", body: `{"value":1}`, code: problem.Invalid, path: "document"},
	"document of 257 bytes":       {target: letters + "/documents/" + strings.Repeat("d", 257), body: `{"value":1}`, code: problem.Invalid, path: "document"},
	"document of control bytes":   {target: letters + "/documents/a%0Ab", body: `{"value":1}`, code: problem.Invalid, path: "document"},
	"document of invalid UTF-8":   {target: letters + "/documents/%FF", body: `{"value":1}`, code: problem.Invalid, path: "document"},
	"document with a naked slash": {target: letters + "/documents/a/b", body: `{"value":1}`, code: problem.NotFound},
	"no document":                 {target: letters + "/documents/", body: `{"value":1}`, code: problem.NotFound},
	"unknown route":               {target: "/api/v2/providers/p/collections/c", body: `{}`, code: problem.NotFound},
	"route with a slash too many": {target: letters + "/", body: `{}`, code: problem.NotFound},
	"scope of nothing":            {method: "GET", target: "/api/v1/locks/letters", code: problem.Invalid, path: "scope"},
	"scope of another kind":       {method: "GET", target: "/api/v1/locks/type:p:letters", code: problem.Invalid, path: "scope"},
	"scope of a wrong provider":   {method: "GET", target: "/api/v1/locks/collection:p%20q:letters", code: problem.Invalid, path: "provider"},
	"ticket that is none":         {method: "PUT", target: lock + "/queue/7", code: problem.TicketGone},
	"operation that is none":      {method: "GET", target: letters + "/operations/o7", code: problem.NotFound},
	"wrong method":                {method: "POST", body: `{}`, code: problem.Invalid, status: 405},
	"method that nobody knows":    {method: "BREW", body: `{}`, code: problem.Invalid, status: 405},
	"OPTIONS":                     {method: "OPTIONS", code: problem.Invalid, status: 405},
}

var wrongParameters = map[string]wrong{
	"unknown":                       {target: letters + "?dryrun=true", body: `{}`, code: problem.Invalid, path: "dryrun"},
	"two unknown":                   {target: letters + "?b=1&a=2", body: `{}`, code: problem.Invalid, path: "a"},
	"given twice":                   {method: "GET", target: letters + "?version=1&version=2", code: problem.Invalid, path: "version"},
	"empty number":                  {method: "GET", target: letters + "?version=", code: problem.Invalid, path: "version"},
	"no number":                     {method: "GET", target: letters + "?version=one", code: problem.Invalid, path: "version"},
	"version and time":              {method: "GET", target: letters + "?version=1&at=2026-01-01T00:00:00Z", code: problem.Invalid, path: "at"},
	"no time":                       {method: "GET", target: letters + "?at=yesterday", code: problem.Invalid, path: "at"},
	"limit of nothing":              {method: "GET", target: letters + "/history?limit=0", code: problem.Invalid, path: "limit"},
	"limit beyond the bound":        {method: "GET", target: letters + "/history?limit=1001", code: problem.Invalid, path: "limit"},
	"cursor of another":             {method: "GET", target: letters + "/history?cursor=xyz!", code: problem.Invalid, path: "cursor"},
	"fields outside":                {method: "GET", target: letters + "?fields=/secrets", code: problem.Invalid, path: "fields"},
	"diff from nowhere":             {method: "GET", target: letters + "/diff?to=2", code: problem.Invalid, path: "from"},
	"dry run that is neither":       {target: letters + "?dryRun=1", body: `{}`, code: problem.Invalid, path: "dryRun"},
	"dry run twice":                 {target: letters + "?dryRun=true", body: `{}`, options: with(header("Concord-Dry-Run", "false")), code: problem.Invalid, path: "dryRun"},
	"dry run where there is none":   {method: "POST", target: provider + "/uploads", options: with(header("Concord-Dry-Run", "true")), code: problem.Invalid, path: "dryRun"},
	"dry run that is empty":         {body: `{}`, options: with(header("Concord-Dry-Run", "")), code: problem.Invalid, path: "dryRun"},
	"invalid UTF-8":                 {method: "DELETE", target: letters + "?reason=%FF", code: problem.Invalid, path: "reason"},
	"query that is none":            {method: "GET", target: letters + "?version=%zz", code: problem.Invalid, path: "query"},
	"token":                         {method: "GET", target: letters + "?token=s3cret", code: problem.Invalid, path: "token"},
	"lock-token":                    {method: "DELETE", target: letters + "?lock-token=s3cret", code: problem.Invalid, path: "lock-token"},
	"access_token":                  {method: "GET", target: letters + "?access_token=s3cret", code: problem.Invalid, path: "access_token"},
	"lockToken":                     {method: "GET", target: letters + "?lockToken=s3cret", code: problem.Invalid, path: "lockToken"},
	"token of an alias":             {method: "PUT", target: lock + "?X-Neverpile-Lock-Token=s3cret", code: problem.Invalid, path: "X-Neverpile-Lock-Token"},
	"lock token of a release":       {method: "DELETE", target: lock + "?token=s3cret", code: problem.Invalid, path: "token"},
	"token of a beacon":             {method: "POST", target: "/api-noauth/v1/locks/collection:c/release?token=s3cret", code: problem.Invalid, path: "token"},
	"owner of a lock":               {method: "POST", target: lock + "?ownerId=ann", code: problem.Invalid, path: "ownerId"},
	"token where nothing is":        {method: "GET", target: "/nothing?token=s3cret", code: problem.Invalid, path: "token"},
	"reason that is a long story":   {method: "DELETE", target: letters + "?reason=" + strings.Repeat("x", 1025), code: problem.Invalid, path: "reason"},
	"base that is no number":        {method: "DELETE", target: letters + "?baseVersion=v1", code: problem.Invalid, path: "baseVersion"},
	"parameter of the other half":   {target: letters + "?reason=r", body: `{}`, code: problem.Invalid, path: "reason"},
	"upload has no parameters":      {method: "POST", target: provider + "/uploads?dryRun=true", code: problem.Invalid, path: "dryRun"},
	"probe with a token in the URL": {method: "GET", target: "/healthz?access_token=x", code: problem.Invalid, path: "access_token"},
}

var wrongHeaders = map[string]wrong{
	"If-Match without quotes":         {body: `{}`, options: with(header("If-Match", "v1")), code: problem.Invalid, path: "header If-Match"},
	"weak If-Match":                   {body: `{}`, options: with(header("If-Match", `W/"v1"`)), code: problem.Invalid, path: "header If-Match"},
	"Lock-Token of nobody":            {body: `{}`, options: with(header("Lock-Token", "s3cret")), code: problem.StaleToken},
	"Lock-Release without a token":    {body: `{}`, options: with(header("Lock-Release", "true")), code: problem.Invalid, path: "header Lock-Token"},
	"Lock-Release that is neither":    {body: `{}`, options: with(header("Lock-Release", "1"), header("Lock-Token", "s3cret")), code: problem.Invalid, path: "header Lock-Release"},
	"two lock tokens":                 {body: `{}`, options: with(header("Lock-Token", "a"), header("Lock-Token", "b")), code: problem.Invalid, path: "header Lock-Token"},
	"a lock's token that waits":       {body: `{}`, options: with(header("Lock-Token", "a"), header("Prefer", "respond-async")), code: problem.Invalid, path: "header Lock-Token"},
	"If-Match of another":             {body: `{}`, options: with(header("If-Match", `"v9"`)), code: problem.PreconditionFailed},
	"If-None-Match of a write":        {body: `{}`, options: with(header("If-None-Match", `"v1"`)), code: problem.Invalid, path: "header If-None-Match"},
	"If-None-Match although it is":    {body: `{}`, options: with(header("If-None-Match", `*`)), code: problem.PreconditionFailed},
	"two idempotency keys":            {body: `{}`, options: with(header("Idempotency-Key", "a"), header("Idempotency-Key", "b")), code: problem.Invalid, path: "header Idempotency-Key"},
	"session of 1025 bytes":           {body: `{}`, options: with(header("Concord-Session", strings.Repeat("s", 1025))), code: problem.Invalid, path: "header Concord-Session"},
	"principal of invalid UTF-8":      {body: `{}`, options: with(header("Concord-Principal", "\xff")), code: problem.Invalid, path: "header Concord-Principal"},
	"deadline that is none":           {body: `{}`, options: with(header("Concord-Deadline", "soon")), code: problem.Invalid, path: "header Concord-Deadline"},
	"deadline that is over":           {body: `{"metadata":{"n":2}}`, options: with(header("Concord-Deadline", "0")), code: problem.Deadline},
	"wrong content type":              {body: `{}`, options: contentType("text/plain"), code: problem.Invalid, path: "header Content-Type"},
	"form":                            {body: `a=b`, options: contentType("application/x-www-form-urlencoded"), code: problem.Invalid, path: "header Content-Type"},
	"no content type":                 {body: `{}`, options: contentType(""), code: problem.Invalid, path: "header Content-Type"},
	"content type that is none":       {body: `{}`, options: contentType(";;"), code: problem.Invalid, path: "header Content-Type"},
	"patch type on a put":             {body: `{}`, options: contentType("application/merge-patch+json"), code: problem.Invalid, path: "header Content-Type"},
	"compressed body":                 {body: `{}`, options: with(header("Content-Encoding", "gzip")), code: problem.Invalid, path: "header Content-Encoding"},
	"Origin of another site":          {body: `{}`, options: with(header("Origin", "https://evil.example")), code: problem.Forbidden},
	"Origin of another port":          {body: `{}`, options: with(header("Origin", "http://127.0.0.1:3000")), code: problem.Forbidden},
	"Origin of nobody":                {body: `{}`, options: with(header("Origin", "null")), code: problem.Forbidden},
	"Origin of a read":                {method: "GET", options: with(header("Origin", "https://evil.example")), code: problem.Forbidden},
	"one own Origin, one other":       {body: `{}`, options: with(header("Origin", "http://127.0.0.1:8080"), header("Origin", "https://evil.example")), code: problem.Forbidden},
	"Host that points here":           {body: `{}`, options: with(toHost("evil.example:8080")), code: problem.Forbidden},
	"Host that begins like ours":      {body: `{}`, options: with(toHost("127.0.0.1.evil.example")), code: problem.Forbidden},
	"no Host":                         {body: `{}`, options: with(toHost("")), code: problem.Forbidden},
	"Host of the network":             {body: `{}`, options: with(toHost("192.168.0.7:8080")), code: problem.Forbidden},
	"Host with a zone":                {body: `{}`, options: with(toHost("[::1%25eth0]:8080")), code: problem.Forbidden},
	"foreign Host of a probe":         {method: "GET", target: "/healthz", options: with(toHost("evil.example")), code: problem.Forbidden},
	"foreign Origin where nothing is": {method: "GET", target: "/nothing", options: with(header("Origin", "https://evil.example")), code: problem.Forbidden},
	"Last-Event-ID that is no seq": {method: "GET", target: letters + "/events", options: with(header("Accept", "text/event-stream"), header("Last-Event-ID", "x")),
		code: problem.Invalid, path: "header Last-Event-ID"},
}

var wrongBodies = map[string]wrong{
	"no JSON":                  {body: `{"metadata": {"a": nul}}`, code: problem.Invalid, path: "/metadata/a"},
	"half a text":              {body: `{"metadata": {`, code: problem.Invalid, path: "/metadata"},
	"text after the text":      {body: `{} {}`, code: problem.Invalid, path: ""},
	"no object":                {body: `[]`, code: problem.Invalid, path: ""},
	"duplicate name":           {body: `{"documents": {"a": {"x": 1, "x": 2}}}`, code: problem.Invalid, path: "/documents/a/x"},
	"duplicate name, escaped":  {body: `{"metadata": {"a": 1, "\u0061": 2}}`, code: problem.Invalid, path: "/metadata/a"},
	"duplicate envelope name":  {body: `{"metadata": {}, "metadata": {}}`, code: problem.Invalid, path: "/metadata"},
	"name in another case":     {body: `{"Metadata": {}}`, code: problem.Invalid, path: "/Metadata"},
	"unknown name":             {body: `{"documentz": {}}`, code: problem.Invalid, path: "/documentz"},
	"invalid UTF-8":            {body: "{\"metadata\": {\"a\": \"\xff\"}}", code: problem.Invalid, path: "/metadata/a"},
	"half a surrogate":         {body: `{"metadata": {"a": "\ud800"}}`, code: problem.Invalid, path: "/metadata/a"},
	"depth of 65":              {body: `{"metadata":` + strings.Repeat(`{"a":`, 64) + `1` + strings.Repeat(`}`, 64) + `}`, code: problem.Invalid, path: "/metadata" + strings.Repeat("/a", 63)},
	"2 MiB":                    {body: `{"metadata": {"a": "` + strings.Repeat("x", 2<<20) + `"}}`, code: problem.TooLarge},
	"2 MiB of unknown length":  {body: `{"metadata": {"a": "` + strings.Repeat("x", 2<<20) + `"}}`, options: with(chunked), code: problem.TooLarge},
	"document of 600 KiB":      {body: `{"documents": {"a": "` + strings.Repeat("x", 600<<10) + `"}}`, code: problem.TooLarge, path: "/documents/a"},
	"metadata is no object":    {body: `{"metadata": 1}`, code: problem.Invalid, path: "/metadata"},
	"document id with a slash": {body: `{"documents": {"..": 1}}`, code: problem.Invalid, path: "/documents/.."},
	"base of a string":         {body: `{"metadata": {}, "baseVersion": "1"}`, code: problem.Invalid, path: "/baseVersion"},
	"base that is stale":       {body: `{"metadata": {"n": 2}, "baseVersion": 7}`, code: problem.VersionConflict},
	"policy that is none":      {body: `{"metadata": {}, "policy": "mine"}`, code: problem.Invalid, path: "/policy"},
	"format that is none":      {body: `{"format": "xml"}`, code: problem.Invalid, path: "/format"},
	"change without an op":     {method: "PATCH", body: `{"changes": [{}]}`, code: problem.Invalid, path: "/changes/0/op"},
	"document in the body, too": {target: letters + "/documents/a", body: `{"document": "a", "value": 1}`, code: problem.Invalid,
		path: "/document"},
	"patch that does not apply": {method: "PATCH", body: `[{"op": "test", "path": "/metadata/n", "value": 2}]`,
		options: contentType("application/json-patch+json"), code: problem.WrongState, path: "/0"},
	"patch that is none": {method: "PATCH", body: `{"op": "test"}`,
		options: contentType("application/json-patch+json"), code: problem.Invalid, path: ""},
	"body of a read":            {method: "GET", body: `{"version": 1}`, code: problem.Invalid, path: "body"},
	"body of a deletion":        {method: "DELETE", body: `{"baseVersion": 1}`, code: problem.Invalid, path: "body"},
	"long body of a deletion":   {method: "DELETE", body: strings.Repeat(" ", 1<<20) + `{}`, code: problem.Invalid, path: "body"},
	"body of an upload's end":   {method: "POST", target: provider + "/uploads/u/close", body: `{"size": 1}`, code: problem.Invalid, path: "body"},
	"revert to nowhere":         {method: "POST", target: letters + "/revert", body: `{"to": 9}`, code: problem.Invalid, path: "/to"},
	"upload that is none":       {method: "POST", target: provider + "/uploads/u/append", body: `{"offset": 0, "data": ""}`, code: problem.NotFound},
	"content of no upload":      {target: provider + "/uploads/u/content", body: `abc`, code: problem.NotFound},
	"chunk that is no base64":   {method: "POST", target: provider + "/uploads/u/append", body: `{"offset": 0, "data": "?"}`, code: problem.Invalid, path: "/data"},
	"backup outside":            {method: "POST", target: "/api/v1/admin/backup", body: `{"name": "../x"}`, code: problem.Invalid, path: "/name"},
	"type that is no JSON":      {target: typePath, body: `{"lock": {"ttl": O}}`, code: problem.Invalid, path: "/lock/ttl"},
	"type without a body":       {target: typePath, body: ``, code: problem.Invalid, path: ""},
	"type with a setting twice": {target: typePath, body: `{"requireVersion": true, "requireVersion": true}`, code: problem.Invalid, path: "/requireVersion"},
	"type out of bounds":        {target: typePath, body: `{"lock": {"contest": {"cooldown": -1}}}`, code: problem.Invalid, path: "/lock/contest/cooldown"},
	"type of the future":        {target: typePath, body: `{"views": []}`, code: problem.Invalid, path: "/views"},
	"type with a wrong schema":  {target: typePath, body: `{"schemas": {"metadata": {"items": {"$ref": "file:///etc/passwd"}}}}`, code: problem.Invalid, path: "/schemas/metadata/items/$ref"},
	"type with a wrong rule":    {target: typePath, body: `{"conflict": {"rules": [{"path": "tags", "strategy": "set"}]}}`, code: problem.Invalid, path: "/conflict/rules/0/path"},
	"type of 257 KiB":           {target: typePath, body: `{` + strings.Repeat(" ", 257<<10) + `}`, code: problem.TooLarge},
	"type that is none":         {method: "GET", target: typePath, code: problem.NotFound},
	"no type to delete":         {method: "DELETE", target: typePath, code: problem.NotFound},
	"type that is not there":    {target: typePath, body: `{}`, options: with(header("If-Match", "*")), code: problem.PreconditionFailed},
	"version 0 of a type":       {method: "GET", target: typePath + "?version=0", code: problem.Invalid, path: "version"},
	"length of a lock below 0":  {method: "POST", target: lock, body: `{"ttl": -1}`, code: problem.Invalid, path: "/ttl"},
	"break without a reason":    {method: "POST", target: lock + "/break", body: `{}`, code: problem.Invalid, path: "/reason"},
	"note of a whole page":      {method: "POST", target: lock + "/contest", body: `{"note": "` + strings.Repeat("x", 501) + `"}`, code: problem.Invalid, path: "/note"},
	"renewal without a token":   {target: lock, body: `{}`, code: problem.Invalid, path: "header Lock-Token"},
	"contest of a free scope":   {method: "POST", target: lock + "/contest", body: `{}`, code: problem.NotContestable},
	"way of waiting that is no": {body: `{"onLocked": "wait"}`, code: problem.Invalid, path: "/onLocked"},
	"document of a missing one": {target: provider + "/collections/none/documents/a", body: `{"value": 1}`, code: problem.NotFound},
}

// chunked hides the length of the body.
func chunked(r *http.Request) { r.ContentLength = -1 }

// TestWrongInput refuses each request with its code and its place, and without a trace in the store.
func TestWrongInput(t *testing.T) {
	s := newStack(t)
	s.ask("PUT", letters, `{"metadata": {"n": 1}, "documents": {"a": 1}}`).is(201)
	for group, rows := range map[string]map[string]wrong{
		"path": wrongPaths, "parameters": wrongParameters, "headers": wrongHeaders, "body": wrongBodies,
	} {
		for _, name := range slices.Sorted(maps.Keys(rows)) {
			t.Run(group+"/"+name, func(t *testing.T) { s.refuses(t, rows[name]) })
		}
	}
}

func (s *stack) refuses(t *testing.T, row wrong) {
	t.Helper()
	if row.method == "" {
		row.method = "PUT"
	}
	if row.target == "" {
		row.target = letters
	}
	if row.status == 0 {
		row.status = row.code.Status()
	}
	written := s.written()
	a := s.ask(row.method, row.target, row.body, row.options...)
	p := a.is(row.status).problem()
	if p.Code != row.code || p.Status != row.status {
		t.Errorf("code %s, status %d: %s", p.Code, p.Status, a.body)
	}
	if len(p.Errors) > 0 && p.Errors[0].Path != row.path || len(p.Errors) == 0 && row.path != "" {
		t.Errorf("errors %v, expected at %q", p.Errors, row.path)
	}
	if p.RequestID == "" || p.RequestID != a.header.Get(transport.HeaderRequestID) {
		t.Errorf("request id %q, header %q", p.RequestID, a.header.Get(transport.HeaderRequestID))
	}
	if strings.Contains(string(a.body), "s3cret") {
		t.Errorf("the answer repeats the token: %s", a.body)
	}
	if (row.status == 405) != (a.header.Get("Allow") != "") {
		t.Errorf("status %d with Allow %q", row.status, a.header.Get("Allow"))
	}
	if s.written() != written {
		t.Errorf("%d records were written", s.written()-written)
	}
}

func TestAllErrorsOfTheQueryAreNamed(t *testing.T) {
	s := newStack(t)
	p := s.ask("GET", letters+"?version=1&version=2&foo=1&at=&bar=", "").is(400).problem()
	var paths []string
	for _, e := range p.Errors {
		paths = append(paths, e.Path)
	}
	if got := strings.Join(paths, " "); got != "at bar foo version" {
		t.Errorf("named are %s", got)
	}
}

func TestAFewErrorsOfTheQueryAreEnough(t *testing.T) {
	s := newStack(t)
	var query strings.Builder
	for range 5000 {
		fmt.Fprintf(&query, "%s%d&", strings.Repeat("x", 300), query.Len())
	}
	a := s.ask("GET", letters+"?"+query.String(), "").is(400)
	if n := len(a.problem().Errors); n != 16 || len(a.body) > 8<<10 {
		t.Errorf("%d errors, %d bytes", n, len(a.body))
	}
}

func TestAllow(t *testing.T) {
	s := newStack(t)
	for target, want := range map[string]string{
		letters:              "DELETE, GET, HEAD, PATCH, PUT",
		letters + "/revert":  "POST",
		letters + "/history": "GET, HEAD",
		"/healthz":           "GET, HEAD",
	} {
		a := s.ask("TRACE", target, "").is(405)
		if got := a.header.Get("Allow"); got != want {
			t.Errorf("%s allows %s", target, got)
		}
		if p := a.problem(); p.Code != problem.Invalid || p.Status != 405 || p.Title != "Method Not Allowed" || !strings.Contains(p.Detail, want) {
			t.Errorf("%s: %s", target, a.body)
		}
	}
}
