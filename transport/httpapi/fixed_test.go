package httpapi_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/schema"
)

func TestDocuments(t *testing.T) {
	s := newStack(t)
	for target, member := range map[string]string{"/openapi.json": "paths", "/asyncapi.json": "channels", "/api/v1": "operations"} {
		a := s.ask("GET", target, "").is(200)
		if a.header.Get("Content-Type") != "application/json" || a.member(member) == "" {
			t.Errorf("%s: %s", target, a.header.Get("Content-Type"))
		}
		s.ask("HEAD", target, "").is(200)
	}
	var index struct {
		Operations []struct{ Name, Method, Path, Subject, Right string }
	}
	s.ask("GET", "/api/v1", "").into(&index)
	own := 1 // the content of an upload
	for _, a := range s.config.Aliases {
		if !a.Shares() {
			own++
		}
	}
	if len(index.Operations) != len(s.table)+own {
		t.Errorf("%d operations in the index", len(index.Operations))
	}
	for i, op := range s.table {
		if got := index.Operations[i]; got.Name != op.Name || got.Subject != schema.Subject(op, "concord.v1") {
			t.Errorf("%+v", got)
		}
	}
}

func TestProbes(t *testing.T) {
	var health, ready error
	s := newStack(t, func(s *stack) {
		s.config.Health = func() error { return health }
		s.config.Ready = func() error { return ready }
	})
	check := func(target string, status int) {
		t.Helper()
		a := s.ask("GET", target, "").is(status)
		if status == 200 && string(a.body) != `{"status":"ok"}` {
			t.Errorf("%s: %s", target, a.body)
		}
		if status == 503 && a.problem().Code != "unavailable" {
			t.Errorf("%s: %s", target, a.body)
		}
	}
	check("/healthz", 200)
	check("/readyz", 200)
	ready = errors.New("still starting")
	check("/healthz", 200)
	check("/readyz", 503)
	health = errors.New("the store failed")
	check("/healthz", 503)
}

func TestExtraRoutes(t *testing.T) {
	s := newStack(t, func(s *stack) {
		s.config.Debug = true
		s.config.Extra = map[string]http.Handler{
			"/metrics":         http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("up 1\n")) }),
			"GET /debug/clock": http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the clock broke") }),
		}
	})
	if got := s.ask("GET", "/metrics", "").is(200); string(got.body) != "up 1\n" {
		t.Errorf("metrics: %s", got.body)
	}
	s.ask("GET", "/metrics", "", toHost("evil.example")).is(403)
	for _, method := range []string{"POST", "OPTIONS", "BREW"} {
		a := s.ask(method, "/debug/clock", "").is(405)
		if p := a.problem(); p.Code != problem.Invalid || p.Status != 405 || a.header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %s, Allow %q", method, a.body, a.header.Get("Allow"))
		}
	}
	s.ask("GET", "/debug/pprof/", "").is(200)
	s.ask("GET", "/debug/pprof/cmdline", "").is(200)
	func() {
		defer func() { _ = recover() }()
		s.ask("GET", "/debug/clock", "")
		t.Error("half an answer was taken for a whole one")
	}()
	if len(s.logged.panics) != 1 {
		t.Errorf("panics %v", s.logged.panics)
	}
	newStack(t).ask("GET", "/debug/pprof/", "").is(404)
}

// TestWithoutLoopback has what the guard of --auth off refuses.
func TestWithoutLoopback(t *testing.T) {
	s := newStack(t, func(s *stack) { s.config.Loopback = false })
	s.ask("PUT", letters, `{}`, header("Content-Type", ""), toHost("concord.example"), header("Origin", "https://other.example")).is(201)
	s.ask("PUT", letters, `{}`, header("Content-Type", "text/plain")).is(400)
	if got := s.ask("GET", letters, "").is(200).header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("Access-Control-Allow-Origin %s", got)
	}
}

func TestLoopbackHosts(t *testing.T) {
	s := newStack(t)
	for _, name := range []string{"localhost", "LOCALHOST:80", "127.0.0.1", "127.8.9.10:8080", "[::1]", "[::1]:8080"} {
		s.ask("PUT", letters, `{}`, toHost(name), header("Origin", "http://"+strings.ToLower(name)))
		s.ask("GET", letters, "", toHost(name)).is(200)
	}
}

// principals writes a file of principals: the token of each is its name.
func principals(t *testing.T, rights map[string]map[string][]transport.Right) *transport.AuthFile {
	t.Helper()
	type entry struct {
		Name        string                       `json:"name"`
		Kind        string                       `json:"kind"`
		TokenSHA256 string                       `json:"tokenSha256"`
		Rights      map[string][]transport.Right `json:"rights"`
	}
	var file struct {
		Providers  []string `json:"providers"`
		Principals []entry  `json:"principals"`
	}
	file.Providers = []string{"p"}
	for name, r := range rights {
		digest := sha256.Sum256([]byte(name))
		file.Principals = append(file.Principals, entry{name, "person", hex.EncodeToString(digest[:]), r})
	}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "principals.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	auth, err := transport.LoadAuthFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

func TestAuthFile(t *testing.T) {
	auth := principals(t, map[string]map[string][]transport.Right{
		"ann":  {"p": {transport.RightRead, transport.RightUpdate}},
		"bob":  {"p": {transport.RightRead}},
		"root": {"*": {transport.RightRead, transport.RightUpdate, transport.RightAdmin}},
	})
	s := newStack(t, func(s *stack) { s.gate.Auth, s.config.Loopback = auth, false })
	as := func(name string) func(*http.Request) { return header("Authorization", "Bearer "+name) }
	s.ask("PUT", letters, `{}`, as("ann")).is(201)
	s.ask("GET", letters, "", as("bob")).is(200)
	for name, row := range map[string]struct {
		target    string
		options   []func(*http.Request)
		status    int
		challenge string
	}{
		"nobody":                             {letters, nil, 401, `Bearer realm="concord"`},
		"somebody unknown":                   {letters, with(as("mallory")), 401, `Bearer realm="concord", error="invalid_token"`},
		"the principal's own word":           {letters, with(header("Concord-Principal", "ann")), 401, `Bearer realm="concord"`},
		"two at once":                        {letters, with(as("ann"), as("bob")), 400, ""},
		"a reader":                           {letters, with(as("bob")), 403, ""},
		"a stranger to the provider":         {"/api/v1/providers/q/collections/c", with(as("ann")), 403, ""},
		"a provider that nobody knows":       {"/api/v1/providers/q/collections/c", with(as("root")), 404, ""},
		"nobody, with a wrong parameter":     {letters + "?foo=1", nil, 401, `Bearer realm="concord"`},
		"nobody, with a body of 2 MiB":       {letters, with(chunked), 401, `Bearer realm="concord"`},
		"nobody, content of a whole upload":  {provider + "/uploads/u/content", nil, 401, `Bearer realm="concord"`},
		"a reader, content of whole uploads": {provider + "/uploads/u/content", with(as("bob")), 403, ""},
	} {
		t.Run(name, func(t *testing.T) {
			written := s.written()
			body := `{"metadata": {"n": 2}}`
			if strings.Contains(name, "2 MiB") {
				body = strings.Repeat("x", 2<<20)
			}
			a := s.ask("PUT", row.target, body, row.options...).is(row.status)
			if got := a.header.Get("WWW-Authenticate"); got != row.challenge {
				t.Errorf("WWW-Authenticate %s", got)
			}
			if s.written() != written {
				t.Error("something was written")
			}
		})
	}
	s.ask("GET", "/api/v1/admin/status", "", as("ann")).is(403)
	s.ask("GET", "/api/v1/admin/status", "", as("root")).is(200)
	s.ask("GET", "/healthz", "").is(200)
	if a := s.ask("GET", letters+"/events", "", header("Accept", "text/event-stream")).is(401); a.problem().Code != "unauthenticated" {
		t.Errorf("stream: %s", a.body)
	}
}
