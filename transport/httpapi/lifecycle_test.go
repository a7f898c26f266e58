package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"concord/transport"
	"concord/transport/httpapi"
)

type handle = func(ctx context.Context, r *transport.Request, done func(*transport.Reply, error))

// service is a server of one operation, thing.get, which the test plays.
func service(logged *log, h handle, edits ...func(*transport.Operation)) *httpapi.Server {
	op := &transport.Operation{Name: "thing.get", Method: "GET", Path: "/api/v1/things", Global: true,
		Right: transport.RightRead, Status: 200, Doc: "Get things", Handle: h}
	for _, edit := range edits {
		edit(op)
	}
	return httpapi.New(httpapi.Config{}, &transport.Gate{Auth: transport.AuthOff{}, Now: time.Now,
		Limits: transport.DefaultLimits}, []*transport.Operation{op}, func() string { return "r-1" }, logged.observer())
}

func blocks(op *transport.Operation) { op.Blocks = true }

// get asks thing.get; nil: the server cut the connection.
func get(ctx context.Context, s *httpapi.Server) (w *httptest.ResponseRecorder) {
	w = httptest.NewRecorder()
	defer func() {
		switch err, _ := recover().(error); {
		case errors.Is(err, http.ErrAbortHandler):
			w = nil
		case err != nil:
			panic(err)
		}
	}()
	s.ServeHTTP(w, request("GET", "/api/v1/things", "").WithContext(ctx))
	return w
}

func answerOK(_ context.Context, _ *transport.Request, done func(*transport.Reply, error)) {
	done(&transport.Reply{Status: 200, Body: []byte(`{}`)}, nil)
}

func TestPanicIsOurFault(t *testing.T) {
	logged := &log{}
	s := service(logged, func(context.Context, *transport.Request, func(*transport.Reply, error)) { panic("oops") })
	w := get(t.Context(), s)
	var p transport.ProblemBody
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 500 || p.Code != "internal" || strings.Contains(w.Body.String(), "oops") {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	if len(logged.panics) != 1 || logged.panics[0] != "oops" || fmt.Sprint(logged.answered) != "[thing.get internal]" {
		t.Errorf("panics %v, answered %v", logged.panics, logged.answered)
	}
}

func TestFailureStaysInTheLog(t *testing.T) {
	logged := &log{}
	cause := errors.New("disk /dev/sda1 is gone")
	s := service(logged, func(_ context.Context, _ *transport.Request, done func(*transport.Reply, error)) { done(nil, cause) })
	w := get(t.Context(), s)
	if w.Code != 500 || strings.Contains(w.Body.String(), "sda1") {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
	if len(logged.causes) != 1 || !errors.Is(logged.causes[0], cause) {
		t.Errorf("causes %v", logged.causes)
	}
}

func TestAnswerFromAnotherGoroutine(t *testing.T) {
	s := service(&log{}, func(ctx context.Context, r *transport.Request, done func(*transport.Reply, error)) {
		go answerOK(ctx, r, done)
	})
	if w := get(t.Context(), s); w.Code != 200 || w.Body.String() != "{}" {
		t.Errorf("status %d, %s", w.Code, w.Body)
	}
}

func TestNobodyWaitsForEver(t *testing.T) {
	never := func(context.Context, *transport.Request, func(*transport.Reply, error)) {}
	t.Run("the client goes away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			logged := &log{}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if w := get(ctx, service(logged, never)); w != nil || fmt.Sprint(logged.dropped) != "[client gone]" {
				t.Errorf("answer %v, dropped %v", w, logged.dropped)
			}
		})
	})
	t.Run("the operation takes too long", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			if w := get(t.Context(), service(&log{}, never)); w.Code != 503 || time.Since(began) != time.Minute {
				t.Errorf("status %d after %v", w.Code, time.Since(began))
			}
		})
	})
	t.Run("the server stops", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := service(&log{}, never)
			answered := make(chan int)
			go func() { answered <- get(context.Background(), s).Code }()
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			err := s.Shutdown(ctx)
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 requests") {
				t.Errorf("shutdown: %v", err)
			}
			if code := <-answered; code != 503 {
				t.Errorf("status %d", code)
			}
		})
	})
}

func TestShutdownWaitsForAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := service(&log{}, func(ctx context.Context, r *transport.Request, done func(*transport.Reply, error)) {
			<-release
			answerOK(ctx, r, done)
		})
		answered, stopped := make(chan int, 1), make(chan error, 1)
		go func() { answered <- get(context.Background(), s).Code }()
		synctest.Wait()
		go func() { stopped <- s.Shutdown(t.Context()) }()
		synctest.Wait()
		select {
		case err := <-stopped:
			t.Fatalf("stopped before the answer: %v", err)
		default:
		}
		if w := get(t.Context(), s); w.Code != 503 {
			t.Errorf("a late request has status %d", w.Code)
		}
		close(release)
		if code, err := <-answered, <-stopped; code != 200 || err != nil {
			t.Errorf("status %d, shutdown: %v", code, err)
		}
		if err := s.Shutdown(t.Context()); err != nil {
			t.Errorf("a second shutdown: %v", err)
		}
	})
}

func TestTooManyRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := service(&log{}, func(ctx context.Context, r *transport.Request, done func(*transport.Reply, error)) {
			go func() {
				<-release
				answerOK(ctx, r, done)
			}()
		})
		var inside sync.WaitGroup
		for range httpapi.RequestsMax {
			inside.Go(func() {
				if w := get(t.Context(), s); w.Code != 200 {
					t.Errorf("status %d", w.Code)
				}
			})
		}
		synctest.Wait()
		if w := get(t.Context(), s); w.Code != 429 || w.Header().Get("Retry-After") != "1" {
			t.Errorf("status %d, Retry-After %q", w.Code, w.Header().Get("Retry-After"))
		}
		close(release)
		inside.Wait()
	})
}

func TestReadersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release, reading := make(chan struct{}), 0
		var mu sync.Mutex
		s := service(&log{}, func(ctx context.Context, r *transport.Request, done func(*transport.Reply, error)) {
			mu.Lock()
			reading++
			mu.Unlock()
			<-release
			answerOK(ctx, r, done)
		}, blocks)
		var inside sync.WaitGroup
		for range httpapi.ReadersMax + 7 {
			inside.Go(func() { get(t.Context(), s) })
		}
		synctest.Wait()
		if reading != httpapi.ReadersMax {
			t.Errorf("%d read at once", reading)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if w := get(ctx, s); w != nil {
			t.Errorf("status %d although the client has gone", w.Code)
		}
		close(release)
		inside.Wait()
		if reading != httpapi.ReadersMax+7 {
			t.Errorf("%d have read in the end", reading)
		}
	})
}

func TestServe(t *testing.T) {
	s := newStack(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(l) }()
	url := "http://" + l.Addr().String()
	response, err := http.Get(url + "/api/v1")
	if err != nil || response.StatusCode != 200 {
		t.Fatal(response, err)
	}
	_ = response.Body.Close()

	// A body that is too large is refused before it is sent, not when the client has lost its patience.
	body := strings.NewReader(strings.Repeat("x", 2<<20))
	size := body.Len()
	big, err := http.NewRequest("PUT", url+letters, body)
	if err != nil {
		t.Fatal(err)
	}
	big.Header.Set("Content-Type", "application/json")
	big.Header.Set("Expect", "100-continue")
	patient := http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	defer patient.CloseIdleConnections()
	response, err = patient.Do(big)
	if err != nil || response.StatusCode != 413 || body.Len() != size {
		t.Fatalf("%v, %v, %d bytes were sent", response, err, size-body.Len())
	}
	_ = response.Body.Close()

	if err := s.server.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}
