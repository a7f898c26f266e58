package client_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"concord/actors/lock"
	"concord/actors/problem"
	"concord/internal/node"
	"concord/transport"
	"concord/transport/client"
)

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
	if err := ann.LockDeny(ctx, "demo", l.Token(), client.DenyRequest{Reason: "no"}); err != nil {
		t.Fatal(err)
	}
	if p := <-seen; !p.Over {
		t.Errorf("%+v", p)
	}
	cancel()
	wg.Wait()
}

// An answer that is on its way while one contest ends and another opens does not hit the other.
func TestALateAnswerHitsNoOtherContest(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	bob, cid := s.as("bob", "1"), s.as("cid", "1")
	l := locked(t, s.as("ann", "1"), client.LockOptions{})
	first, err := bob.LockContest(ctx, "demo", client.ContestRequest{Acquire: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := bob.LockWithdraw(ctx, "demo"); err != nil {
		t.Fatal(err)
	}
	second, err := cid.LockContest(ctx, "demo", client.ContestRequest{Acquire: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Deny(ctx, first.Contest.Contest, "no"); !client.IsCode(err, problem.NoContest) {
		t.Errorf("denied: %v", err)
	}
	if err := l.GiveUp(ctx, first.Contest.Contest); !client.IsCode(err, problem.NoContest) || l.Err() != nil {
		t.Errorf("given up: %v, %v", err, l.Err())
	}
	if o, err := cid.LockOutcome(ctx, "demo"); err != nil || o.State != lock.Open {
		t.Errorf("%+v, %v", o, err)
	}
	if err := l.GiveUp(ctx, second.Contest.Contest); err != nil {
		t.Error(err)
	}
	if o, err := cid.LockOutcome(ctx, "demo"); err != nil || o.State != lock.Granted {
		t.Errorf("%+v, %v", o, err)
	}
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

func TestContestAndWait(t *testing.T) {
	ctx := within(t)
	s := startService(t, stillClock)
	h := newHolder()
	bob := s.as("bob", "1")
	if _, err := bob.ContestAndWait(ctx, "demo", client.ContestRequest{}); !client.IsCode(err, problem.NotContestable) || client.ReasonOf(err) != "not_locked" {
		t.Errorf("nobody has the lock: %v", err)
	}
	locked(t, s.as("ann", "1"), client.LockOptions{OnContest: h.onContest})
	withdrawn, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() {
		_, err := bob.ContestAndWait(withdrawn, "demo", client.ContestRequest{Note: "a rebuild"})
		ended <- err
	}()
	if c := <-h.asked; c.Contestants[0].Note != "a rebuild" || c.Contestants[0].Acquire {
		t.Errorf("%+v", c)
	}
	cancel()
	<-h.over
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	h.answer <- client.GiveUp()
	if o, err := bob.ContestAndWait(ctx, "demo", client.ContestRequest{}); err != nil || o.State != lock.Granted {
		t.Errorf("%+v, %v", o, err)
	}
	if v := viewOf(t, bob); v.State != lock.Free {
		t.Errorf("%+v", v)
	}
}
