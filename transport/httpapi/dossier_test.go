package httpapi_test

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"concord/transport"
	"concord/transport/dossier"
)

const (
	theirs      = "/api/v1/collections/letters"
	ours        = "/api/v1/providers/main/collections/letters"
	theirLock   = "/api/v1/locks/neverpile:collection:letters"
	ourLock     = "/api/v1/locks/collection:main:letters"
	theirBeacon = "/api-noauth/v1/locks/neverpile:collection:letters/release"
)

// under names the token of a lock in the words of neverpile's clients.
func under(token string) func(*http.Request) { return header("X-Neverpile-Lock-Token", token) }

func TestDossierCollections(t *testing.T) {
	s := newStack(t)
	s.ask("PUT", theirs, `{"documents": {"a": 1}}`, by("ann")).is(201)
	s.ask("PATCH", theirs, `{"documents": {"b": 2}}`, by("ann"), header("Content-Type", transport.MediaMergePatch)).is(200)
	a := s.ask("GET", theirs, "").is(200)
	if got := a.header.Get("X-Neverpile-Lock-Scope"); got != "neverpile:collection:letters" || a.header.Get("ETag") != `"v2"` {
		t.Errorf("scope %q, ETag %s", got, a.header.Get("ETag"))
	}
	if diff := cmp.Diff(string(a.body), string(s.ask("GET", ours, "").is(200).body)); diff != "" {
		t.Errorf("by their route (-) and by ours (+): %s", diff)
	}
	s.ask("HEAD", theirs, "").is(200)
	s.ask("GET", theirs, "", header("If-None-Match", `"v2"`)).is(304)
	s.ask("GET", theirs+"?version=1", "").is(200)
	s.ask("GET", theirs+"/history", "").is(404)

	token := s.ask("POST", theirLock, "", by("ann")).is(200).text("token")
	s.ask("PUT", theirs, `{"documents": {"a": 3}}`, by("bob")).is(409)
	s.ask("PUT", theirs, `{"documents": {"a": 3}}`, by("ann"), under("nonsense")).is(409)
	s.ask("PUT", theirs, `{"documents": {"a": 3}}`, by("ann"), under(token), header("Lock-Token", "another")).is(400)
	s.ask("PUT", theirs, `{"documents": {"a": 3}}`, by("ann"), under(token), under(token)).is(400)
	saved := s.ask("PUT", theirs, `{"documents": {"a": 3}}`, by("ann"), under(token), header("Lock-Token", token)).is(200)
	if got := saved.header.Get("Lock-Fence"); got != "1" || saved.member("lock") != `{"fence":1}` {
		t.Errorf("Lock-Fence %q, lock %s", got, saved.member("lock"))
	}
	s.ask("DELETE", theirs, "", by("ann"), under(token), header("Lock-Release", "true")).is(200)
	s.ask("GET", theirs, "").is(404)
	s.ask("GET", theirLock, "").is(404)
	if got := s.logged.answered[0]; got != "collection.put " {
		t.Errorf("counted as %q", got)
	}
}

// TestDossierKeysAreOne: a repeat by the other route is a repeat.
func TestDossierKeysAreOne(t *testing.T) {
	s := newStack(t)
	s.ask("PUT", theirs, `{}`, header("Idempotency-Key", "k")).is(201)
	s.ask("PUT", ours, `{}`, header("Idempotency-Key", "k")).is(201)
}

func TestDossierLocks(t *testing.T) {
	s := newStack(t)
	s.ask("GET", theirLock, "").is(404)
	s.ask("POST", theirLock+"/contest", "", by("bob")).is(400)
	var got dossier.LockRequestResult
	s.ask("POST", theirLock+"?ownerId=ann", "", by("ann")).is(200).into(&got)
	expires := start.Add(60e9)
	want := dossier.LockRequestResult{Success: true, Token: got.Token, State: dossier.LockState{OwnerID: "ann", ValidUntil: expires}}
	if diff := cmp.Diff(want, got); diff != "" || got.Token == "" {
		t.Errorf("granted: %s", diff)
	}
	s.ask("POST", theirLock, "", by("bob")).is(409)
	s.ask("POST", theirLock+"?ownerId=ann", "", by("bob")).is(400)
	s.ask("POST", theirLock+"/contest", "", by("ann")).is(400)
	if a := s.ask("POST", theirLock+"/contest?contestantId=bob", "", by("bob")).is(200); len(a.body) > 0 {
		t.Errorf("contest: %s", a.body)
	}
	state := func(method string, options ...func(*http.Request)) (l dossier.LockState) {
		t.Helper()
		s.ask(method, theirLock, "", options...).is(200).into(&l)
		return l
	}
	contested := dossier.LockState{OwnerID: "ann", ValidUntil: expires, ContestantID: "bob"}
	for name, got := range map[string]dossier.LockState{"query": state("GET", by("bob")), "extend": state("PUT", by("ann"), under(got.Token))} {
		if diff := cmp.Diff(contested, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	s.ask("DELETE", theirLock+"/contest", "", by("ann")).is(400) // no token
	s.ask("DELETE", theirLock+"/contest", "", by("ann"), under(got.Token)).is(200)
	if o := s.ask("GET", theirLock+"/contest", "", by("bob")).is(200); o.text("state") != "denied" {
		t.Errorf("outcome %s", o.body)
	}
	s.ask("DELETE", theirLock, "", by("ann"), under(got.Token)).is(204)
	s.ask("DELETE", theirLock, "", by("ann"), under(got.Token)).is(204)
	s.ask("PUT", theirLock, "", by("ann"), under(got.Token)).is(410)
	if s.ask("POST", theirLock+"/contest", `{"acquire": true}`, by("bob")).is(200).text("token") == "" {
		t.Error("a contest of a free scope gives no lock")
	}
	if ticket := s.ask("POST", theirLock, `{"wait": true}`, by("cid")).is(202).text("ticket"); ticket == "" {
		t.Error("no ticket")
	}
	if view := s.ask("GET", ourLock, "").is(200); view.text("state") != "held" {
		t.Errorf("by our name: %s", view.body)
	}
}

// form is a multipart form, as FormData is sent.
func form(t *testing.T, field, value string) (body, mediaType string) {
	t.Helper()
	var text bytes.Buffer
	w := multipart.NewWriter(&text)
	for _, pair := range [][2]string{{"other", "x"}, {field, value}} {
		if err := w.WriteField(pair[0], pair[1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return text.String(), w.FormDataContentType()
}

func TestBeaconTakesWhatBrowsersSend(t *testing.T) {
	s := newStack(t, func(s *stack) {
		s.gate.Auth = principals(t, map[string]map[string][]transport.Right{"ann": {"main": {transport.RightRead, transport.RightUpdate}}})
	})
	ann := header("Authorization", "Bearer ann")
	multi, multiType := form(t, "token", "TOKEN")
	for name, row := range map[string]struct{ mediaType, body string }{
		"a string":           {"text/plain;charset=UTF-8", "TOKEN"},
		"a string of JSON":   {"text/plain;charset=UTF-8", `{"token": "TOKEN"}`},
		"JSON":               {"application/json", ` {"token": "TOKEN"} `},
		"URL parameters":     {"application/x-www-form-urlencoded;charset=UTF-8", "other=1&token=TOKEN"},
		"form data":          {multiType, multi},
		"a blob of no type":  {"", "TOKEN"},
		"a blob with a line": {"", "TOKEN\n"},
	} {
		t.Run(name, func(t *testing.T) {
			token := s.ask("POST", ourLock, "", ann).is(201).text("token")
			release := func() {
				t.Helper()
				a := s.ask("POST", theirBeacon, strings.ReplaceAll(row.body, "TOKEN", token), header("Content-Type", row.mediaType),
					header("Origin", "http://127.0.0.1:8080")).is(204)
				if len(a.body) > 0 {
					t.Errorf("body %s", a.body)
				}
			}
			release()
			if v := s.ask("GET", ourLock, "", ann).is(200); v.text("state") != "free" {
				t.Errorf("state %s", v.body)
			}
			written := s.written()
			release() // once more
			if s.written() != written {
				t.Error("a repeat was written")
			}
		})
	}
}

// TestBeaconTellsNothing: whoever has no token learns nothing of locks, collections or providers.
func TestBeaconTellsNothing(t *testing.T) {
	s := newStack(t, func(s *stack) {
		s.gate.Auth = principals(t, map[string]map[string][]transport.Right{"ann": {"main": {transport.RightRead, transport.RightUpdate}}})
	})
	s.ask("POST", ourLock, "", header("Authorization", "Bearer ann")).is(201)
	s.ask("PUT", "/api/v1/collections/free", `{}`, header("Authorization", "Bearer ann")).is(201)
	written := s.written()
	answers := map[string]bool{}
	for _, scope := range []string{"collection:letters", "neverpile:collection:letters", "collection:free", "collection:none", "collection:nobody:c"} {
		p := s.ask("POST", "/api-noauth/v1/locks/"+scope+"/release", "guess", header("Content-Type", "text/plain")).is(409).problem()
		p.RequestID = ""
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		answers[string(text)] = true
	}
	if len(answers) != 1 {
		t.Errorf("%d different answers: %v", len(answers), answers)
	}
	for name, row := range map[string]struct {
		mediaType, body string
		status          int
	}{
		"nothing":             {"text/plain", " ", 400},
		"no token":            {"application/json", `{}`, 400},
		"something else":      {"application/json", `{"token": "x", "scope": "y"}`, 400},
		"a number":            {"application/json", `{"token": 7}`, 400},
		"no JSON":             {"application/json", `token`, 400},
		"no form":             {"multipart/form-data; boundary=x", `token`, 400},
		"a form without it":   {"application/x-www-form-urlencoded", `t=1`, 400},
		"a long story":        {"text/plain", strings.Repeat("x", 300), 400},
		"another media type":  {"application/xml", `<token/>`, 400},
		"more than a request": {"text/plain", strings.Repeat("x", 2<<20), 413},
	} {
		t.Run(name, func(t *testing.T) {
			s.ask("POST", theirBeacon, row.body, header("Content-Type", row.mediaType)).is(row.status)
		})
	}
	s.ask("POST", theirBeacon, "guess", header("Content-Type", "text/plain"), header("Origin", "https://evil.example")).is(403)
	s.ask("GET", theirBeacon, "").is(405)
	if s.written() != written {
		t.Error("something was written")
	}
}

// TestStreamsOfLocksForBrowsers: an EventSource that comes back sends the last id that it knows; here there is none to
// go on from, and the stream begins with how things stand.
func TestStreamsOfLocksForBrowsers(t *testing.T) {
	s := newStack(t)
	web := httptest.NewServer(s.server)
	defer web.Close()
	token := s.ask("POST", lock, "", by("ann")).is(201).text("token")
	bob := s.ask("POST", lock+"/contest", `{"acquire": true, "note": "nightly"}`, by("bob"), header("Concord-Session", "tab-1")).is(202)

	prompts := listen(t, web.URL+"/api/v1/prompts/events", by("ann"), header("Last-Event-ID", "garbage"))
	defer prompts.close()
	place := listen(t, web.URL+lock+"/queue/"+bob.text("ticket")+"/events", by("bob"), header("Concord-Session", "tab-1"), header("Last-Event-ID", "7"))
	defer place.close()
	next := func(l *listener, kind, with string) {
		t.Helper()
		e, ok := l.next()
		if !ok || e.kind != kind || e.id != "" || !strings.Contains(e.data, with) {
			t.Fatalf("event %+v where %s with %s was expected", e, kind, with)
		}
	}
	next(prompts, "prompt", `"note":"nightly"`)
	next(place, "ticket", `"position":1`)
	s.ask("DELETE", lock, "", by("ann"), header("Lock-Token", token)).is(204)
	next(prompts, "prompt.closed", `"note":"nightly"`)
	next(place, "ticket", `"offered":true`)
}
