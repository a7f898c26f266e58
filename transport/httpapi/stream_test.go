package httpapi_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/httpapi"
)

// event is a server-sent event as a client reads it.
type event struct{ id, kind, data string }

// listener reads the events of a real connection.
type listener struct {
	testing.TB
	lines *bufio.Scanner
	close func()
}

func listen(t testing.TB, url string, options ...func(*http.Request)) *listener {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "text/event-stream")
	for _, o := range options {
		o(r)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if got := response.Header.Get("Content-Type"); response.StatusCode != 200 || got != "text/event-stream" {
		t.Fatalf("status %d, type %s", response.StatusCode, got)
	}
	return &listener{t, bufio.NewScanner(response.Body), func() {
		cancel()
		_ = response.Body.Close()
	}}
}

// next is the next event; ok is false at the end of the stream.
func (l *listener) next() (e event, ok bool) {
	l.Helper()
	for l.lines.Scan() {
		switch field, value, _ := strings.Cut(l.lines.Text(), ": "); field {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.data += value
		case "":
			if e != (event{}) {
				return e, true
			}
		}
	}
	return e, false
}

func (l *listener) expect(id string) {
	l.Helper()
	e, ok := l.next()
	if !ok || e.id != id || e.kind != "collection.saved" || !strings.Contains(e.data, `"seq":`+id+`,`) {
		l.Fatalf("event %+v, %t where %s was expected", e, ok, id)
	}
}

func TestStreamGoesOn(t *testing.T) {
	s := newStack(t)
	web := httptest.NewServer(s.server)
	defer web.Close()
	s.ask("PUT", letters, `{"metadata": {"n": 1}}`).is(201)

	first := listen(t, web.URL+letters+"/events")
	first.expect("1")
	s.ask("PUT", letters, `{"metadata": {"n": 2}}`).is(200)
	first.expect("2")
	s.ask("PUT", letters, `{"metadata": {"n": 3}}`).is(200)
	first.expect("3")
	first.close()

	second := listen(t, web.URL+letters+"/events?after=0", header("Last-Event-ID", "2"))
	defer second.close()
	second.expect("3")
	s.ask("PUT", letters, `{"metadata": {"n": 4}}`).is(200)
	second.expect("4")

	if err := s.server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if e, ok := second.next(); ok {
		t.Errorf("event %+v after the stop", e)
	}
}

func TestStreamIsAskedForByAccept(t *testing.T) {
	s := newStack(t)
	s.ask("PUT", letters, `{}`).is(201)
	for _, accept := range []string{"", "application/json", "*/*", "text/event-stream;q=0", "text/*"} {
		a := s.ask("GET", letters+"/events", "", header("Accept", accept)).is(200)
		if got := a.header.Get("Content-Type"); got != "application/json" || a.header.Get("Vary") != "Accept" {
			t.Errorf("Accept %q: %s, Vary %q", accept, got, a.header.Get("Vary"))
		}
	}
	s.ask("HEAD", letters+"/events", "", header("Accept", "text/event-stream")).is(200)
	for target, status := range map[string]int{provider + "/collections/none/events": 404, letters + "/events?after=x": 400} {
		s.ask("GET", target, "", header("Accept", "application/json, text/event-stream; q=0.5")).is(status).problem()
	}
}

// watch is a stream that the test plays.
type watch struct {
	server *httpapi.Server
	logged *log
	answer *tape
	stop   context.CancelFunc // the client goes away
	ended  chan struct{}
}

// tape records an answer that is read while it is written.
type tape struct {
	mu sync.Mutex
	*httptest.ResponseRecorder
}

func (t *tape) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ResponseRecorder.Write(b)
}

func (t *tape) sent() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.Body.String()
}

// startWatch opens a stream of an operation of the test's own. It belongs into a synctest bubble.
func startWatch(stream func(ctx context.Context, send func(transport.StreamEvent) error) error) *watch {
	op := &transport.Operation{Name: "thing.watch", Method: "GET", Path: "/api/v1/things", Global: true,
		Right: transport.RightRead, Status: 200, Doc: "Watch things",
		Handle: func(context.Context, *transport.Request, func(*transport.Reply, error)) {},
		Stream: func(ctx context.Context, _ *transport.Request, send func(transport.StreamEvent) error) error {
			return stream(ctx, send)
		}}
	w := &watch{logged: &log{}, answer: &tape{ResponseRecorder: httptest.NewRecorder()}, ended: make(chan struct{})}
	w.server = httpapi.New(httpapi.Config{}, &transport.Gate{Auth: transport.AuthOff{}, Now: time.Now,
		Limits: transport.DefaultLimits}, []*transport.Operation{op}, func() string { return "r-1" }, w.logged.observer())
	ctx, cancel := context.WithCancel(context.Background())
	w.stop = cancel
	r := request("GET", "/api/v1/things", "", header("Accept", "text/event-stream")).WithContext(ctx)
	go func() {
		defer close(w.ended)
		defer func() { _ = recover() }() // net/http's, of an aborted answer
		w.server.ServeHTTP(w.answer, r)
	}()
	synctest.Wait()
	return w
}

func untilDone(ctx context.Context, _ func(transport.StreamEvent) error) error {
	<-ctx.Done()
	return nil
}

func TestStreamBeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startWatch(untilDone)
		for _, step := range []struct {
			after time.Duration
			beats int
		}{{0, 0}, {50 * time.Millisecond, 1}, {15*time.Second - 1, 1}, {1, 2}, {15 * time.Second, 3}} {
			time.Sleep(step.after)
			synctest.Wait()
			if got := w.answer.sent(); got != strings.Repeat(":\n\n", step.beats) {
				t.Errorf("%v later: %q where %d beats were expected", step.after, got, step.beats)
			}
		}
		if !w.answer.Flushed || w.answer.Code != 200 {
			t.Errorf("flushed %t, status %d", w.answer.Flushed, w.answer.Code)
		}
		w.stop()
		<-w.ended
	})
}

func TestStreamEndsWithTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startWatch(untilDone)
		time.Sleep(time.Second)
		if err := w.server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		<-w.ended
		if got := w.answer.sent(); got != ":\n\n" || len(w.logged.dropped)+len(w.logged.refused) > 0 {
			t.Errorf("sent %q; dropped %v, refused %v", got, w.logged.dropped, w.logged.refused)
		}
	})
}

func TestStreamRefusesBeforeItsFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startWatch(func(context.Context, func(transport.StreamEvent) error) error {
			time.Sleep(49 * time.Millisecond)
			return problem.New(problem.NotFound, "there is no such thing")
		})
		<-w.ended
		if w.answer.Code != 404 || w.answer.Header().Get("Content-Type") != transport.ProblemContentType {
			t.Errorf("status %d, %s", w.answer.Code, w.answer.Body)
		}
	})
}

func TestStreamFailsAfterItsFirstByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startWatch(func(_ context.Context, send func(transport.StreamEvent) error) error {
			if err := send(transport.StreamEvent{ID: "1", Type: "thing.made", Data: []byte("{\"a\":\r\n1}")}); err != nil {
				return err
			}
			return errors.New("the disk is gone")
		})
		<-w.ended
		want := "id: 1\nevent: thing.made\ndata: {\"a\":\ndata: 1}\n\nevent: problem\ndata: {"
		got := w.answer.sent()
		if w.answer.Code != 200 || !strings.HasPrefix(got, want) || !strings.Contains(got, `"code":"internal"`) ||
			strings.Contains(got, "disk") || !strings.HasSuffix(got, "}\n\n") {
			t.Errorf("status %d, %q", w.answer.Code, got)
		}
		if len(w.logged.refused) != 1 || fmt.Sprint(w.logged.answered) != "[thing.watch ]" {
			t.Errorf("refused %v, answered %q", w.logged.refused, w.logged.answered)
		}
	})
}

// deaf is a connection whose client is gone without a word.
type deaf struct{ *httptest.ResponseRecorder }

func (d deaf) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestStreamEndsWhenNobodyListens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startWatch(untilDone)
		began := time.Now()
		r := request("GET", "/api/v1/things", "", header("Accept", "text/event-stream"))
		w.server.ServeHTTP(deaf{httptest.NewRecorder()}, r)
		if took := time.Since(began); took != 50*time.Millisecond {
			t.Errorf("noticed after %v, not at the first beat", took)
		}
		w.stop()
		<-w.ended
	})
}

func TestStreamOfAStoppedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := startWatch(untilDone)
		w.stop()
		<-w.ended
		if err := w.server.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		late := httptest.NewRecorder()
		w.server.ServeHTTP(late, request("GET", "/api/v1/things", "", header("Accept", "text/event-stream")))
		if late.Code != 503 {
			t.Errorf("status %d", late.Code)
		}
	})
}
