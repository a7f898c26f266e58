package lock

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"concord/actors/problem"
)

// TestOperationHasItsTurn: until the kind has run it, the scope is busy.
func TestOperationHasItsTurn(t *testing.T) {
	m := newSim(DefaultSettings)
	ann, bob, cat := Party{Principal: "ann"}, Party{Principal: "bob"}, Party{Principal: "cat"}
	r, err := m.decide(Acquire{}, ann)
	if err != nil {
		t.Fatal(err)
	}
	events, parked, err := Park(m.live, Parked{Base: 1}, m.ask(bob))
	if err != nil {
		t.Fatal(err)
	}
	m.apply(events)
	if _, ok := Next(m.live); ok {
		t.Error("it has its turn while the lock is held")
	}
	if _, err := m.decide(Release{Token: r.Token}, ann); err != nil {
		t.Fatal(err)
	}
	if op, ok := Next(m.live); !ok || op.ID() != parked.Operation.Operation || op.Base != 1 || op.Party != bob {
		t.Errorf("next is %+v, %v", op, ok)
	}
	for name, w := range map[string]Write{"a write": {}, "a job": {Job: true}} {
		if _, err := Admit(m.live, w, m.ask(cat)); problem.Of(err).Code != problem.Locked {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := m.decide(Acquire{}, cat); problem.Of(err).Code != problem.Locked {
		t.Errorf("acquire: %v", err)
	}
	if _, err := m.decide(Contest{}, cat); problem.Of(err).Code != problem.NotContestable {
		t.Errorf("contest: %v", err)
	}
	if r, err := m.decide(Contest{Acquire: true}, cat); err != nil || r.Contest.Position != 2 {
		t.Errorf("contest: %+v, %v", r, err)
	}
	if r, err := m.decide(Get{}, cat); err != nil || r.View.State != Auto || r.View.Holder.Party != bob {
		t.Errorf("get: %+v, %v", r.View, err)
	}
	if _, err := m.decide(CancelOperation{parked.Operation.Operation}, bob); err != nil {
		t.Fatal(err)
	}
	if last := m.names[len(m.names)-1]; last != TypeOfferMade {
		t.Errorf("the cancellation ends with %s", last)
	}
	if r, err := m.decide(Get{}, cat); err != nil || r.View.State != Offered || r.View.Holder.Party != cat || m.wrong != nil {
		t.Errorf("get: %+v, %v, %v", r.View, err, m.wrong)
	}
}

// TestDueComesFirst: what is due at the time of a request is done before it, though no timer has fired.
func TestDueComesFirst(t *testing.T) {
	ann, bob := Party{Principal: "ann"}, Party{Principal: "bob"}
	for name, c := range map[string]struct {
		do   func(m *sim) ([]Event, error)
		want []string
	}{
		"a write": {func(m *sim) ([]Event, error) {
			adm, err := Admit(m.live, Write{}, m.ask(bob))
			if err == nil && adm.State.Held() {
				t.Error("the write was admitted under a lock")
			}
			return adm.Due, err
		}, []string{TypeExpired}},
		"a grant": {func(m *sim) ([]Event, error) {
			return only(Decide(m.live, Acquire{}, m.ask(bob)))
		}, []string{TypeExpired, TypeAcquired}},
		"a parked update": {func(m *sim) ([]Event, error) {
			return only(Park(m.live, Parked{}, m.ask(bob)))
		}, []string{TypeExpired, TypeOpParked}},
		"a refusal": {func(m *sim) ([]Event, error) {
			events, err := only(Decide(m.live, Claim{"t1"}, m.ask(bob)))
			if problem.Of(err).Code != problem.TicketGone {
				t.Error(err)
			}
			return events, nil
		}, nil},
		"a read": {func(m *sim) ([]Event, error) { return only(Decide(m.live, Get{}, m.ask(bob))) }, nil},
	} {
		m := newSim(DefaultSettings)
		if _, err := m.decide(Acquire{}, ann); err != nil {
			t.Fatal(err)
		}
		m.now = m.now.Add(time.Minute)
		events, err := c.do(m)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var got []string
		for _, e := range events {
			got = append(got, Name(e))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func only(events []Event, _ Result, err error) ([]Event, error) { return events, err }

// TestWithdrawalSaysWhy: listeners tell a contestant that left from one that died, and see the end of the prompt.
func TestWithdrawalSaysWhy(t *testing.T) {
	m := newSim(DefaultSettings)
	ann, bob, cat := Party{Principal: "ann"}, Party{Principal: "bob"}, Party{Principal: "cat"}
	for _, c := range []struct {
		by Party
		c  Command
	}{{ann, Acquire{}}, {bob, Contest{Acquire: true}}, {cat, Contest{}}} {
		if _, err := m.decide(c.c, c.by); err != nil {
			t.Fatal(err)
		}
	}
	id := m.live.look().contest.id
	events, err := only(Decide(m.live, Withdraw{}, m.ask(cat)))
	if err != nil || !reflect.DeepEqual(events, []Event{&ContestWithdrawn{Contest: id, Party: cat}}) {
		t.Errorf("%+v, %v", events, err)
	}
	m.apply(events)
	m.now = m.now.Add(30 * time.Second)
	events, err = only(Decide(m.live, Tick{}, m.ask(Party{})))
	want := []Event{&WaiterGone{id - 1, bob, WhyDead}, &ContestWithdrawn{Contest: id, Party: bob, Gone: true, Closed: true}}
	if err != nil || !reflect.DeepEqual(events, want) {
		t.Errorf("%+v, %v", events, err)
	}
}
