package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/client"
)

// script is a service that answers each attempt as the next line says, and the last line for ever.
type script struct {
	mu       sync.Mutex
	lines    []line
	attempts []*nats.Msg
	times    []time.Time
}

// line is one answer: a refusal, silence, or a success.
type line struct {
	refuse *problem.Problem
	silent bool
	body   string // "": {"version":1}
}

func busy(after time.Duration) line {
	p := problem.New(problem.Overloaded, "busy")
	p.RetryAfter = after
	return line{refuse: p}
}

func refuse(code problem.Code) line { return line{refuse: problem.New(code, "no")} }

func (s *script) answer(msg *nats.Msg) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.lines[min(len(s.attempts), len(s.lines)-1)]
	s.attempts, s.times = append(s.attempts, msg), append(s.times, time.Now())
	reply := &nats.Msg{Subject: msg.Reply, Data: []byte(`{"version":1}`)}
	switch {
	case now.silent:
		return
	case now.body != "":
		reply.Data = []byte(now.body)
	case now.refuse != nil:
		reply.Header = nats.Header{transport.HeaderServiceCode: {strconv.Itoa(now.refuse.Code.Status())}}
		reply.Data = transport.RenderProblem(now.refuse, "r1")
	}
	_ = msg.RespondMsg(reply)
}

// header is the header's value in each attempt.
func (s *script) header(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	values := make([]string, len(s.attempts))
	for i, msg := range s.attempts {
		values[i] = msg.Header.Get(name)
	}
	return values
}

func natsServer(t testing.TB) *server.Server {
	s, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server does not start")
	}
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	return s
}

func natsConn(t testing.TB, url string) *nats.Conn {
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// perform starts a service that follows the lines, and a client of it.
func perform(t *testing.T, o client.Options, lines ...line) (*script, *client.Client) {
	s := &script{lines: lines}
	url := natsServer(t).ClientURL()
	nc := natsConn(t, url)
	if _, err := nc.Subscribe(client.DefaultPrefix+".>", s.answer); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c, err := client.Connect(url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return s, c
}

func write(ctx context.Context, c *client.Client) error {
	_, err := c.DocumentPut(ctx, "demo", "x", json.RawMessage(`1`))
	return err
}

func read(ctx context.Context, c *client.Client) error {
	_, err := c.DocumentGet(ctx, "demo", "x")
	return err
}

func TestAttempts(t *testing.T) {
	type call = func(context.Context, *client.Client) error
	for name, row := range map[string]struct {
		lines    []line
		call     call
		attempts int
		code     problem.Code // "" is a success
	}{
		"taken at once":               {[]line{{}}, write, 1, ""},
		"overloaded, then taken":      {[]line{busy(0), busy(0), {}}, write, 3, ""},
		"unavailable, then taken":     {[]line{refuse(problem.Unavailable), {}}, write, 2, ""},
		"the attempt's deadline":      {[]line{refuse(problem.Deadline), {}}, write, 2, ""},
		"overloaded read":             {[]line{busy(0), {}}, read, 2, ""},
		"conflict is final":           {[]line{refuse(problem.VersionConflict), {}}, write, 1, problem.VersionConflict},
		"not found is final":          {[]line{refuse(problem.NotFound), {}}, read, 1, problem.NotFound},
		"an internal error is final":  {[]line{refuse(problem.Internal), {}}, write, 1, problem.Internal},
		"a reused key is final":       {[]line{refuse(problem.KeyReused), {}}, write, 1, problem.KeyReused},
		"first overloaded, then gone": {[]line{busy(0), refuse(problem.NotFound)}, write, 2, problem.NotFound},
	} {
		t.Run(name, func(t *testing.T) {
			s, c := perform(t, client.Options{}, row.lines...)
			err := row.call(within(t), c)
			if row.code == "" && err != nil || row.code != "" && !client.IsCode(err, row.code) {
				t.Errorf("%v, want %q", err, row.code)
			}
			if keys := s.header(transport.HeaderIdempotencyKey); len(keys) != row.attempts {
				t.Errorf("%d attempts, want %d", len(keys), row.attempts)
			}
		})
	}
}

func TestAllAttemptsAreTheSameRequest(t *testing.T) {
	s, c := perform(t, client.Options{Principal: "ann", Session: "s1", Token: "secret"}, busy(0), busy(0), line{})
	if err := write(within(t), c); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{transport.HeaderIdempotencyKey, transport.HeaderPrincipal, transport.HeaderSession, transport.HeaderAuthorization} {
		values := s.header(name)
		if values[0] == "" || len(slices.Compact(values)) != 1 {
			t.Errorf("%s is %q in the attempts", name, values)
		}
	}
	if first, last := s.attempts[0], s.attempts[2]; string(first.Data) != string(last.Data) || first.Subject != last.Subject {
		t.Errorf("%s %s became %s %s", first.Subject, first.Data, last.Subject, last.Data)
	}
	for _, ms := range s.header(transport.HeaderDeadline) {
		if n, err := strconv.Atoi(ms); err != nil || n < 1 || n > 5000 {
			t.Errorf("an attempt waits %q ms", ms)
		}
	}
	if err := write(within(t), c); err != nil {
		t.Fatal(err)
	}
	if keys := s.header(transport.HeaderIdempotencyKey); keys[0] == keys[len(keys)-1] {
		t.Error("two writes have one key")
	}
}

func TestReadsHaveNoKey(t *testing.T) {
	s, c := perform(t, client.Options{}, line{})
	if err := read(within(t), c); err != nil {
		t.Fatal(err)
	}
	if keys := s.header(transport.HeaderIdempotencyKey); keys[0] != "" {
		t.Errorf("a read has the key %q", keys[0])
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	const hint = 150 * time.Millisecond
	s, c := perform(t, client.Options{}, busy(hint), line{})
	if err := write(within(t), c); err != nil {
		t.Fatal(err)
	}
	if waited := s.times[1].Sub(s.times[0]); waited < hint {
		t.Errorf("came back after %v, was told %v", waited, hint)
	}
}

func TestAHintBeyondTheDeadlineEndsTheCall(t *testing.T) {
	s, c := perform(t, client.Options{Timeout: time.Minute}, busy(time.Hour))
	begin := time.Now()
	if err := write(t.Context(), c); !client.IsCode(err, problem.Overloaded) {
		t.Errorf("%v, want overloaded", err)
	}
	if took := time.Since(begin); took > time.Minute/2 || len(s.header("")) != 1 {
		t.Errorf("took %v and %d attempts to see that no time is left", took, len(s.header("")))
	}
}

func TestNobodyAnswers(t *testing.T) {
	short := client.Options{Timeout: 200 * time.Millisecond}
	t.Run("nobody listens", func(t *testing.T) {
		c, err := client.Connect(natsServer(t).ClientURL(), client.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.Hurry() // so that the attempts run out before the time, which might end in the middle of one
		if err := write(t.Context(), c); !errors.Is(err, client.ErrUnavailable) || errors.Is(err, client.ErrOutcomeUnknown) {
			t.Errorf("%v, want unavailable, and known not to be taken", err)
		}
	})
	t.Run("a write without an answer", func(t *testing.T) {
		_, c := perform(t, short, line{silent: true})
		if err := write(t.Context(), c); !errors.Is(err, client.ErrUnavailable) || !errors.Is(err, client.ErrOutcomeUnknown) {
			t.Errorf("%v, want unavailable with an unknown outcome", err)
		}
	})
	t.Run("a read without an answer", func(t *testing.T) {
		_, c := perform(t, short, line{silent: true})
		if err := read(t.Context(), c); !errors.Is(err, client.ErrUnavailable) || errors.Is(err, client.ErrOutcomeUnknown) {
			t.Errorf("%v, want unavailable", err)
		}
	})
	t.Run("no server", func(t *testing.T) {
		if _, err := client.Connect("nats://127.0.0.1:1", short); !errors.Is(err, client.ErrUnavailable) {
			t.Errorf("%v, want unavailable", err)
		}
	})
	t.Run("the caller gives up", func(t *testing.T) {
		s, c := perform(t, client.Options{}, line{silent: true})
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- read(ctx, c) }()
		for len(s.header("")) == 0 {
			time.Sleep(time.Millisecond)
		}
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) || errors.Is(err, client.ErrUnavailable) {
			t.Errorf("%v, want canceled", err)
		}
	})
	t.Run("the client is closed", func(t *testing.T) {
		_, c := perform(t, client.Options{}, line{})
		c.Close()
		c.Close()
		if err := write(t.Context(), c); !errors.Is(err, client.ErrClosed) {
			t.Errorf("%v, want closed", err)
		}
	})
}

func TestAttemptsAreBounded(t *testing.T) {
	s, c := perform(t, client.Options{Timeout: 10 * time.Minute}, busy(time.Nanosecond))
	c.Hurry()
	if err := write(t.Context(), c); !client.IsCode(err, problem.Overloaded) {
		t.Errorf("%v, want overloaded", err)
	}
	if n := len(s.header("")); n != 16 {
		t.Errorf("%d attempts, want 16", n)
	}
}

// TestALostAnswerMakesOneVersion puts a relay between the client and a node, which loses answers.
func TestALostAnswerMakesOneVersion(t *testing.T) {
	ctx := within(t)
	service := startService(t)
	nc := natsConn(t, service.node.NATSAddress())
	const lossy = "lossy.v1"
	const lost = 2 // answers of each write
	var mu sync.Mutex
	passed := make(map[string]int) // attempts by key
	_, err := nc.Subscribe(lossy+".>", func(msg *nats.Msg) {
		on := &nats.Msg{Subject: client.DefaultPrefix + msg.Subject[len(lossy):], Header: msg.Header, Data: msg.Data}
		answer, err := nc.RequestMsgWithContext(ctx, on)
		if err != nil {
			t.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if key := msg.Header.Get(transport.HeaderIdempotencyKey); key != "" {
			if passed[key]++; passed[key] <= lost {
				return // the node has taken it; the client does not learn of it
			}
		}
		answer.Subject = msg.Reply
		if err := msg.RespondMsg(answer); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c := service.connect(client.Options{Prefix: lossy, Attempt: 200 * time.Millisecond})
	if result, err := c.CollectionPut(ctx, "demo", client.PutRequest{}); err != nil || result.Version != 1 {
		t.Fatalf("%+v, %v", result, err)
	}
	if result, err := c.DocumentPut(ctx, "demo", "x", json.RawMessage(`1`), client.BaseVersion(1)); err != nil || result.Version != 2 {
		t.Fatalf("%+v, %v", result, err)
	}
	seen, err := service.connect(client.Options{}).CollectionGet(ctx, "demo")
	if err != nil || seen.Version != 2 {
		t.Errorf("version %d, %v; want 2: one of the creation, one of the write", seen.Version, err)
	}
	mu.Lock()
	defer mu.Unlock()
	for key, attempts := range passed {
		if attempts != lost+1 {
			t.Errorf("key %s came %d times, want %d", key, attempts, lost+1)
		}
	}
}
