package client_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

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

// holder answers contests as the test says, and tells of them.
type holder struct {
	asked  chan client.Contest
	answer chan client.Decision
	over   chan struct{} // a contest has ended before it was answered
}

func newHolder() *holder {
	return &holder{make(chan client.Contest, 8), make(chan client.Decision, 8), make(chan struct{}, 8)}
}

func (h *holder) onContest(ctx context.Context, c client.Contest) client.Decision {
	h.asked <- c
	select {
	case d := <-h.answer:
		return d
	case <-ctx.Done():
		h.over <- struct{}{}
		return client.Undecided
	}
}

func TestContests(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	h := newHolder()
	l := locked(t, s.as("ann", "1"), client.LockOptions{OnContest: h.onContest})
	bob := s.as("bob", "1")
	contest := client.LockOptions{Contest: &client.ContestRequest{Note: "the index", Deadline: 20 * time.Second}}

	// Withdrawn: the question ends by itself.
	waits, cancel := context.WithCancel(ctx)
	outcome := make(chan error, 1)
	go func() { _, err := bob.Lock(waits, "demo", contest); outcome <- err }()
	first := <-h.asked
	if got := first.Contestants[0]; got.Principal != "bob" || got.Note != "the index" || !got.Acquire {
		t.Errorf("%+v", first)
	}
	cancel()
	<-h.over
	if err := <-outcome; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if v := viewOf(t, bob); v.State != lock.Held || v.Waiters != 0 {
		t.Errorf("something is left behind: %+v", v)
	}

	// Denied.
	h.answer <- client.Keep("ten more minutes")
	_, err := bob.Lock(ctx, "demo", contest)
	denied, ok := errors.AsType[*client.ContestError](err)
	if !ok || denied.Outcome.State != lock.Denied || denied.Outcome.Reason != "ten more minutes" || denied.Outcome.RetryAfter != 30 {
		t.Fatal(err)
	}
	<-h.asked
	if _, err := bob.Lock(ctx, "demo", contest); !client.IsCode(err, problem.ContestCooldown) {
		t.Errorf("at once again: %v", err)
	}
	s.advance(30 * time.Second)

	// Not answered.
	go func() { _, err := bob.Lock(ctx, "demo", contest); outcome <- err }()
	<-h.asked
	s.advance(20 * time.Second)
	<-h.over
	if unanswered, ok := errors.AsType[*client.ContestError](<-outcome); !ok || unanswered.Outcome.State != lock.TimedOut {
		t.Error(unanswered)
	}
	if v := viewOf(t, bob); v.State != lock.Held || v.Waiters != 0 || l.Err() != nil {
		t.Errorf("%+v, %v", v, l.Err())
	}

	// Granted.
	h.answer <- client.GiveUp()
	taken, err := bob.Lock(ctx, "demo", contest)
	if err != nil || taken.Fence() <= l.Fence() {
		t.Fatal(err)
	}
	if err := ends(t, l); !errors.Is(err, client.ErrReleased) {
		t.Error(err)
	}
	if err := taken.Release(ctx); err != nil {
		t.Error(err)
	}
}

func TestAHolderMayReleaseWhenAsked(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	ann := s.as("ann", "1")
	var l *client.Lock
	ready := make(chan struct{})
	l = locked(t, ann, client.LockOptions{OnContest: func(context.Context, client.Contest) client.Decision {
		<-ready
		if _, err := l.SaveAndRelease(ctx, putX(1)); err != nil {
			t.Error(err)
		}
		return client.Undecided
	}})
	close(ready)
	taken, err := s.as("bob", "1").Lock(ctx, "demo", client.LockOptions{Contest: &client.ContestRequest{}})
	if err != nil {
		t.Fatal(err)
	}
	if got := counter(t, ann); got != "1" {
		t.Errorf("x is %s", got)
	}
	_ = taken.Release(ctx)
	ann.Close() // waits for the call above
}

// With a wait, a contest that is denied leaves the contestant in line.
func TestAContestantMayGoOnWaiting(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	h := newHolder()
	l := locked(t, s.as("ann", "1"), client.LockOptions{OnContest: h.onContest})
	h.answer <- client.Keep("no")
	got := make(chan error, 1)
	bob := s.as("bob", "1")
	go func() {
		taken, err := bob.Acquire(ctx, "demo", client.LockOptions{Contest: &client.ContestRequest{}})
		if err == nil {
			err = taken.Release(ctx)
		}
		got <- err
	}()
	<-h.asked
	eventually(t, "the denial", func() bool { o, err := bob.LockOutcome(ctx, "demo"); return err == nil && o.State == lock.Denied })
	if err := l.Release(ctx); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err != nil {
		t.Error(err)
	}
}

func TestInLine(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	l := locked(t, s.as("ann", "1"), client.LockOptions{})
	type turn struct {
		who   string
		fence uint64
	}
	var wg sync.WaitGroup
	turns := make(chan turn, 3)
	for i, who := range []string{"bob", "cid", "dora"} {
		c, placed := s.as(who, "1"), make(chan int, 8)
		wg.Go(func() {
			l, err := c.Acquire(ctx, "demo", client.LockOptions{OnWait: func(t client.Ticket) { placed <- t.Position }})
			if err != nil {
				t.Errorf("%s: %v", who, err)
				return
			}
			turns <- turn{who, l.Fence()}
			if err := l.Release(ctx); err != nil {
				t.Error(err)
			}
		})
		if position := <-placed; position != i+1 {
			t.Errorf("%s is number %d", who, position)
		}
	}
	// One more gives up, and leaves no gap.
	impatient, cancel := context.WithCancel(ctx)
	given := make(chan error, 1)
	go func() {
		_, err := s.as("eve", "1").Acquire(impatient, "demo", client.LockOptions{OnWait: func(client.Ticket) { cancel() }})
		given <- err
	}()
	if err := <-given; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if v := viewOf(t, s.as("eve", "1")); v.Waiters != 3 {
		t.Errorf("%d wait", v.Waiters)
	}
	if err := l.Release(ctx); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	close(turns)
	var got []string
	fence := l.Fence()
	for one := range turns {
		if one.fence <= fence {
			t.Errorf("fence %d after %d", one.fence, fence)
		}
		got, fence = append(got, one.who), one.fence
	}
	if diff := cmp.Diff([]string{"bob", "cid", "dora"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestUpdateWhenFree(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	ann, bob := s.as("ann", "1"), s.as("bob", "1")
	if _, err := ann.CollectionPut(ctx, "demo", client.PutRequest{Documents: map[string]json.RawMessage{"x": json.RawMessage(`0`)}}); err != nil {
		t.Fatal(err)
	}
	wait := func(p *client.Pending, err error) (*client.Result, error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return p.Wait(ctx)
	}
	if result, err := wait(bob.UpdateWhenFree(ctx, "demo", putX(1))); err != nil || result.Version != 2 {
		t.Errorf("at once: %+v, %v", result, err)
	}
	l := locked(t, ann, client.LockOptions{})
	first, err := bob.UpdateWhenFree(ctx, "demo", putX(2), client.Reason("nightly"))
	if err != nil || first.Operation == "" {
		t.Fatal(first, err)
	}
	second, err := bob.UpdateWhenFree(ctx, "demo", putX(3))
	if err != nil {
		t.Fatal(err)
	}
	third, err := bob.UpdateWhenFree(ctx, "demo", []client.Change{client.PutDocument("y", json.RawMessage(`1`))})
	if err != nil {
		t.Fatal(err)
	}
	if err := third.Cancel(ctx); err != nil {
		t.Error(err)
	}
	if _, err := third.Wait(ctx); !errors.Is(err, client.ErrCancelled) {
		t.Errorf("called off: %v", err)
	}
	outcomes := make(chan string, 2)
	for _, p := range []*client.Pending{first, second} {
		go func() {
			result, err := p.Wait(ctx)
			outcomes <- fmt.Sprint(result != nil && result.Version == 3, client.IsCode(err, problem.VersionConflict))
		}()
	}
	if err := l.Release(ctx); err != nil {
		t.Fatal(err)
	}
	// The second builds on what the first has changed since: it says so by the base that it was parked with.
	if a, b := <-outcomes, <-outcomes; a == b || a != "true false" && b != "true false" || a != "false true" && b != "false true" {
		t.Errorf("%s; %s", a, b)
	}
	result, err := bob.DocumentPut(ctx, "demo", "x", json.RawMessage(`4`), client.QueueIfLocked())
	if err != nil || result.Operation != "" || result.Version != 4 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestPrompts(t *testing.T) {
	ctx, cancel := context.WithCancel(within(t))
	s := startService(t, stillClock)
	ann, bob := s.as("ann", "1"), s.as("bob", "1")
	l := locked(t, ann, client.LockOptions{})
	seen := make(chan client.PromptChange, 8)
	var wg sync.WaitGroup
	wg.Go(func() {
		for change, err := range s.as("ann", "elsewhere").Prompts(ctx) {
			if err != nil {
				t.Error(err)
			}
			seen <- change
		}
	})
	if _, err := bob.LockContest(ctx, "demo", client.ContestRequest{Note: "please"}); err != nil {
		t.Fatal(err)
	}
	if p := <-seen; p.Over || p.ID != "demo" || p.Session != "1" || p.Contest.Contestants[0].Note != "please" {
		t.Errorf("%+v", p)
	}
	if err := ann.LockDeny(ctx, "demo", l.Token(), "no"); err != nil {
		t.Fatal(err)
	}
	if p := <-seen; !p.Over {
		t.Errorf("%+v", p)
	}
	cancel()
	wg.Wait()
}

// Of a bearer token only the service knows whose it is.
func TestAHolderWithATokenIsPrompted(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock, func(o *node.Options) { o.Auth, o.AuthOff = whoSays{}, false })
	h := newHolder()
	ann := s.connect(client.Options{Token: "ann", Session: "1"})
	l := locked(t, ann, client.LockOptions{OnContest: h.onContest})
	h.answer <- client.Keep("no")
	bob := s.connect(client.Options{Token: "bob"})
	_, err := bob.Lock(ctx, "demo", client.LockOptions{Contest: &client.ContestRequest{}})
	if _, ok := errors.AsType[*client.ContestError](err); !ok || l.Err() != nil {
		t.Error(err, l.Err())
	}
}

// whoSays takes the token for the name.
type whoSays struct{ transport.AuthOff }

func (whoSays) Authenticate(h *transport.Header) (transport.Caller, error) {
	return transport.Caller{Principal: h.Authorization[len("Bearer "):], Kind: "person", All: true}, nil
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
