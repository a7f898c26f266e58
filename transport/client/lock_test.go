package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"concord/actors/host"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/internal/node"
	"concord/transport"
	"concord/transport/client"
)

// stillClock has the service's time stand still until the test moves it: no lock ends by itself.
func stillClock(o *node.Options) { o.Clock = host.NewTestClock(time.Time{}) }

// advance moves the service's time and waits for all that it causes.
func (s *service) advance(d time.Duration) {
	s.t.Helper()
	body := fmt.Sprintf(`{"seconds": %v}`, d.Seconds())
	answer, err := http.Post(s.node.HTTPAddress()+"/debug/clock/advance", "application/json", bytes.NewBufferString(body))
	if err != nil || answer.StatusCode != http.StatusOK {
		s.t.Fatal(answer, err)
	}
	_ = answer.Body.Close()
}

// as connects a session of a principal.
func (s *service) as(principal, session string) *client.Client {
	s.t.Helper()
	return s.connect(client.Options{Principal: principal, Session: session})
}

// locked takes the lock of demo and releases it at the end of the test.
func locked(t testing.TB, c *client.Client, o client.LockOptions) *client.Lock {
	t.Helper()
	l, err := c.Lock(within(t), "demo", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release(context.Background()) })
	return l
}

// ends waits for the end of a lock and returns why it came.
func ends(t testing.TB, l *client.Lock) error {
	t.Helper()
	select {
	case <-l.Context().Done():
		return l.Err()
	case <-within(t).Done():
		t.Fatal("the lock does not end")
		return nil
	}
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	ctx := within(t)
	for tick := time.NewTicker(5 * time.Millisecond); !holds(); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s does not come", what)
		}
	}
}

func putX(n int) []client.Change {
	return []client.Change{client.PutDocument("x", json.RawMessage(fmt.Sprint(n)))}
}

func viewOf(t testing.TB, c *client.Client) *client.LockView {
	t.Helper()
	v, err := c.LockGet(within(t), "demo")
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestLockGuardsWrites(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	ann, bob := s.as("ann", "1"), s.as("bob", "1")
	l := locked(t, ann, client.LockOptions{})
	if _, err := bob.CollectionPut(ctx, "demo", client.PutRequest{}); !client.IsCode(err, problem.Locked) {
		t.Errorf("bob writes while ann has the lock: %v", err)
	}
	if _, err := bob.Lock(ctx, "demo", client.LockOptions{}); !client.IsCode(err, problem.Locked) {
		t.Errorf("bob locks what ann has locked: %v", err)
	}
	if _, err := ann.CollectionPut(ctx, "demo", client.PutRequest{}, client.Under(l)); err != nil {
		t.Error(err)
	}
	again, err := ann.Lock(ctx, "demo", client.LockOptions{})
	if err != nil || again.Token() != l.Token() || again.Fence() != l.Fence() || !again.Until().After(time.Now()) {
		t.Errorf("the same session: %v", err)
	}
	if result, err := again.SaveAndRelease(ctx, putX(1)); err != nil || result.Version != 2 {
		t.Errorf("%+v, %v", result, err)
	}
	if !errors.Is(again.Err(), client.ErrReleased) {
		t.Errorf("after the release: %v", again.Err())
	}
	if _, err := ann.DocumentPut(ctx, "demo", "x", json.RawMessage(`2`), client.Under(l)); !client.IsCode(err, problem.StaleToken) || client.ReasonOf(err) != "released" {
		t.Errorf("a write under a lock that was given back: %v", err)
	}
	taken := locked(t, bob, client.LockOptions{})
	if taken.Fence() <= l.Fence() {
		t.Errorf("fence %d after %d", taken.Fence(), l.Fence())
	}
	for range 2 { // once more is no matter
		if err := taken.Release(ctx); err != nil {
			t.Error(err)
		}
	}
	if v := viewOf(t, ann); v.State != lock.Free {
		t.Errorf("%+v", v)
	}
}

func TestSaveAndReleaseMakesACollection(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	l := locked(t, s.as("ann", "1"), client.LockOptions{})
	if _, err := l.SaveAndRelease(ctx, []client.Change{client.RemoveDocument("x")}); !client.IsCode(err, problem.NotFound) {
		t.Errorf("a removal from nothing: %v", err)
	}
	if l.Err() != nil {
		t.Errorf("a refused write has ended the lock: %v", l.Err())
	}
	if result, err := l.SaveAndRelease(ctx, putX(1)); err != nil || result.Version != 1 {
		t.Errorf("%+v, %v", result, err)
	}
	if v := viewOf(t, s.as("bob", "1")); v.State != lock.Free {
		t.Errorf("%+v", v)
	}
}

func TestHowALockIsLost(t *testing.T) {
	for reason, lose := range map[string]func(ctx context.Context, s *service, token string) error{
		"broken": func(ctx context.Context, s *service, _ string) error {
			return s.as("root", "").LockBreak(ctx, "demo", "she has gone home")
		},
		"taken_over": func(ctx context.Context, s *service, _ string) error {
			_, err := s.as("ann", "2").Lock(ctx, "demo", client.LockOptions{TakeOverOwn: true})
			return err
		},
		"contest_timeout": func(ctx context.Context, s *service, _ string) error {
			_, err := s.as("bob", "1").LockContest(ctx, "demo", client.ContestRequest{})
			s.advance(time.Minute)
			return err
		},
		"released": func(ctx context.Context, s *service, token string) error {
			return s.as("ann", "2").LockRelease(ctx, "demo", token)
		},
	} {
		t.Run(reason, func(t *testing.T) {
			ctx := within(t)
			s := startService(t, stillClock)
			c := s.as("ann", "1")
			if _, err := c.TypePut(ctx, "strict", json.RawMessage(`{"lock": {"minTtl": 1, "ttl": 3, "maxTtl": 3600, "contest": {"onTimeout": "release", "deadline": 2}}}`)); err != nil {
				t.Fatal(err)
			}
			if _, err := c.CollectionPut(ctx, "demo", client.PutRequest{Type: "strict"}); err != nil {
				t.Fatal(err)
			}
			l := locked(t, c, client.LockOptions{TTL: time.Hour})
			if reason == "released" { // a holder is not told of its own release: a renewal finds out, here every second
				if err := l.Release(ctx); err != nil {
					t.Fatal(err)
				}
				l = locked(t, c, client.LockOptions{})
			}
			if err := lose(ctx, s, l.Token()); err != nil {
				t.Fatal(err)
			}
			err := ends(t, l)
			if got := client.ReasonOf(err); !client.IsCode(err, problem.LockLost) || got != reason {
				t.Errorf("lost by %q: %v", got, err)
			}
			if errors.Is(err, client.ErrReleased) != (reason == "released") {
				t.Error(err)
			}
			if err := l.Release(ctx); err != nil {
				t.Errorf("the release of a lost lock: %v", err)
			}
		})
	}
}

func TestALockIsRenewed(t *testing.T) {
	s := startService(t, stillClock)
	l := locked(t, s.as("ann", "1"), client.LockOptions{TTL: 5 * time.Second})
	bob := s.as("bob", "1")
	for range 2 {
		was := viewOf(t, bob).ExpiresAt
		s.advance(4 * time.Second)
		eventually(t, "a renewal", func() bool { return viewOf(t, bob).ExpiresAt.After(was) })
	}
	if v := viewOf(t, bob); v.State != lock.Held || v.Fence != l.Fence() || l.Err() != nil {
		t.Errorf("%+v, %v", v, l.Err())
	}
}

// The service's time runs ahead of the holder, which learns that its lock has expired and takes it again in time.
func TestALateRenewalTakesTheLockAgain(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	c := s.as("ann", "1")
	l := locked(t, c, client.LockOptions{})
	fence, token := l.Fence(), l.Token()
	s.advance(2 * time.Minute)
	eventually(t, "a new grant", func() bool { return l.Fence() > fence })
	if l.Token() != token || l.Err() != nil {
		t.Errorf("token changed: %v; %v", l.Token() != token, l.Err())
	}
	if _, err := c.CollectionPut(ctx, "demo", client.PutRequest{}, client.Under(l)); err != nil {
		t.Error(err)
	}
}

func TestALockOutlivesRestarts(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	h := newHolder()
	c := s.connect(client.Options{Principal: "ann", Session: "1", Attempt: time.Second})
	l := locked(t, c, client.LockOptions{OnContest: h.onContest})
	waiting := make(chan struct{}, 8)
	taken := make(chan error, 1)
	bob := s.connect(client.Options{Principal: "bob", Session: "1", Attempt: time.Second})
	go func() {
		l, err := bob.Acquire(ctx, "demo", client.LockOptions{OnWait: func(client.Ticket) { waiting <- struct{}{} }})
		if err == nil {
			err = l.Release(ctx)
		}
		taken <- err
	}()
	<-waiting
	for range 2 {
		s.restart()
	}
	if _, err := c.CollectionPut(ctx, "demo", client.PutRequest{}, client.Under(l)); err != nil {
		t.Error(err)
	}
	h.answer <- client.GiveUp()
	if _, err := s.as("cid", "1").LockContest(ctx, "demo", client.ContestRequest{}); err != nil {
		t.Fatal(err)
	}
	if err := ends(t, l); !errors.Is(err, client.ErrReleased) {
		t.Error(err)
	}
	if err := <-taken; err != nil {
		t.Error(err)
	}
}

func TestCloseEndsLocks(t *testing.T) {
	s := startService(t, stillClock)
	c := s.as("ann", "1")
	l := locked(t, c, client.LockOptions{})
	c.Close()
	if err := ends(t, l); !errors.Is(err, client.ErrClosed) {
		t.Error(err)
	}
	if _, err := c.Lock(within(t), "demo", client.LockOptions{Wait: true}); !errors.Is(err, client.ErrClosed) {
		t.Error(err)
	}
}

// A service that is gone is waited for no longer than it would take a renewal.
func TestALockThatCannotBeRenewedEnds(t *testing.T) {
	s, c := perform(t, client.Options{Attempt: 50 * time.Millisecond, Timeout: 100 * time.Millisecond},
		line{body: `{"token": "secret", "fence": 1, "expiresIn": 0, "renewAfter": 0}`}, line{silent: true})
	l, err := c.Lock(within(t), "demo", client.LockOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := ends(t, l); !errors.Is(err, client.ErrUnavailable) {
		t.Error(err)
	}
	if err := l.Release(context.Background()); !errors.Is(err, client.ErrUnavailable) {
		t.Errorf("the service may still hold the lock: %v", err)
	}
	if tokens := s.header(transport.HeaderLockToken); tokens[len(tokens)-1] != "secret" {
		t.Errorf("%q", tokens)
	}
}
