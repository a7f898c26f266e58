package httpapi_test

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// FuzzRequest sends whatever request net/http lets pass to a whole service: it never panics, never blames itself, and
// answers in JSON.
func FuzzRequest(f *testing.F) {
	for _, rows := range []map[string]wrong{wrongPaths, wrongParameters, wrongHeaders, wrongBodies} {
		for _, row := range rows {
			r := request(row.method, "/", "", row.options...)
			var headers strings.Builder
			if err := r.Header.Write(&headers); err != nil {
				f.Fatal(err)
			}
			if row.method == "" {
				row.method = "PUT"
			}
			if len(row.body) < 10_000 {
				f.Add(row.method, row.target, headers.String(), []byte(row.body))
			}
		}
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"} {
		f.Add(method, letters+"/documents/a%2Fb", "If-Match: \"v1\"\r\n", []byte(`{"value":{"a":[1,null,"x"]}}`))
		f.Add(method, provider+"/uploads/id-1/content?x=1", "Range: bytes=0-1\r\n", []byte("abc"))
	}
	for _, target := range []string{theirLock, theirLock + "/contest?contestantId=anonymous", theirBeacon} {
		f.Add("POST", target, "X-Neverpile-Lock-Token: t\r\n", []byte(`{"token":"t"}`))
		f.Add("POST", target, "Content-Type: text/plain\r\n", []byte(`t`))
		f.Add("POST", target, "Content-Type: multipart/form-data; boundary=b\r\n",
			[]byte("--b\r\nContent-Disposition: form-data; name=\"token\"\r\n\r\nt\r\n--b--\r\n"))
		f.Add("DELETE", target, "X-Neverpile-Lock-Token: t\r\n", []byte(nil))
	}
	for _, method := range []string{"GET", "HEAD", "PUT", "DELETE"} {
		f.Add(method, letters+"/documents/a", "X-Kinvey-Custom-Request-Properties: {\"ConflictResolutionWinner\": \"server\"}\r\n",
			[]byte(`{"_id":"a","n":1,"_kmd":{"lmt":"2026-01-01T00:00:00.000Z"}}`))
		f.Add(method, letters+"/documents/b", "X-Kinvey-Custom-Request-Properties: {}\r\n", []byte(`{"_kmd":{}}`))
	}
	for _, method := range []string{"GET", "HEAD", "POST"} {
		f.Add(method, updates, "Accept: text/html, application/json;q=0.1\r\n", []byte(update(`"C1-p", "letters"`, aqua)))
		f.Add(method, updates+"/status", "Accept: application/xml\r\n", []byte(nil))
		f.Add(method, updates+"/status/1", "", []byte(nil))
	}
	s := newStack(f)
	s.logged.forget = true
	s.ask("PUT", letters, `{"metadata":{"n":1},"documents":{"a":1}}`).is(201)
	s.ask("POST", provider+"/uploads", "").is(201)
	f.Fuzz(func(t *testing.T, method, target, headers string, body []byte) {
		r := parseRequest(method, target, headers, body)
		if r == nil || strings.Contains(headers, "event-stream") {
			t.Skip()
		}
		w := httptest.NewRecorder()
		s.server.ServeHTTP(w, r)
		if w.Code >= 500 && w.Code != 504 {
			t.Errorf("status %d: %s", w.Code, w.Body)
		}
		if mediaType := w.Header().Get("Content-Type"); w.Body.Len() > 0 && !strings.HasSuffix(mediaType, "json") {
			t.Errorf("status %d with a body of type %q", w.Code, mediaType)
		}
		if len(s.logged.panics) > 0 {
			t.Fatalf("panics: %v", s.logged.panics)
		}
	})
}

// parseRequest is the request as net/http would give it to a handler; nil: it would refuse it.
func parseRequest(method, target, headers string, body []byte) *http.Request {
	if target == "" {
		target = letters
	}
	text := method + " " + target + " HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n"
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		return nil
	}
	whole := request("PUT", "/", string(body))
	r.Body, r.ContentLength = whole.Body, whole.ContentLength
	if r.Header.Get("Content-Type") == "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return r
}
