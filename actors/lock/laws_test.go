package lock

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"concord/actors/lock/scenario"
	"concord/actors/problem"
)

// story is a sim with hands that do anything at random.
type story struct {
	*sim
	tickets, contests, operations []string
}

func (m *story) party(t *rapid.T) scenario.Party {
	return scenario.Party{Principal: rapid.SampledFrom([]string{"ann", "bob", "cat"}).Draw(t, "principal"),
		Session: rapid.SampledFrom([]string{"1", "2"}).Draw(t, "session")}
}

func (m *story) one(t *rapid.T, kind string, list []string) string {
	if len(list) == 0 || rapid.IntRange(0, 9).Draw(t, "made up") == 0 {
		return rapid.SampledFrom([]string{"", "t1", "o1", "x", "AAAAAAAAAAAAAAAAAAAAAA"}).Draw(t, kind)
	}
	// mostly one of the newest
	return list[len(list)-1-rapid.IntRange(0, min(len(list)-1, 3)).Draw(t, kind)]
}

var storySettings = func() []Settings {
	short, sharp, strict, loose := DefaultSettings, DefaultSettings, DefaultSettings, DefaultSettings
	short.TTL, short.WaiterTTL, short.OfferWindow, short.ContestDeadline, short.MaxWaiters = 5*time.Second, 3*time.Second, 2*time.Second, 4*time.Second, 2
	sharp.OnTimeout, sharp.ContestDeadline, sharp.ContestsPerMinute = ReleaseOnTimeout, 10*time.Second, 3
	strict.Mode, strict.Cooldown, strict.LockedStatus = Explicit, 0, 423
	loose.Mode, loose.OperationExpiry = Optimistic, 20*time.Second
	return []Settings{DefaultSettings, short, sharp, strict, loose}
}()

// step does something at random, and looks whether the refusal is one of the contract.
func (m *story) step(t *rapid.T) {
	verbs := []string{"acquire", "acquire", "acquire", "renew", "release", "beacon", "break", "contest", "contest", "contest",
		"withdraw", "deny", "accept", "claim", "claim", "keepalive", "leave", "get", "outcome", "operation", "cancel", "write",
		"write", "hold", "resume", "resume", "advance", "advance", "restart"}
	s := scenario.Step{Who: m.party(t), Verb: rapid.SampledFrom(verbs).Draw(t, "verb"), Args: map[string]string{
		"token": m.one(t, "token", m.tokens), "ticket": m.one(t, "ticket", m.tickets), "operation": m.one(t, "operation", m.operations),
		"contest": rapid.SampledFrom(append([]string{"", "", "c1"}, m.contests...)).Draw(t, "contest"),
		"reason":  rapid.SampledFrom([]string{"", "busy"}).Draw(t, "reason"),
		"ttl":     rapid.SampledFrom([]string{"", "1", "10", "120"}).Draw(t, "ttl"), "deadline": rapid.SampledFrom([]string{"", "3"}).Draw(t, "deadline"),
		"session": rapid.SampledFrom([]string{"", "", "1"}).Draw(t, "to"),
	}}
	for _, flag := range []string{"wait", "takeOverOwn", "acquire", "release", "queue", "job", "reacquire"} {
		s.Args[flag] = fmt.Sprint(rapid.Bool().Draw(t, flag))
	}
	if (s.Verb == "acquire" || s.Verb == "write") && rapid.Bool().Draw(t, "no token") {
		delete(s.Args, "token")
	}
	if s.Verb == "write" && s.Args["token"] == "" {
		s.Args["release"] = "false"
	}
	switch s.Verb {
	case "advance":
		length := rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Hour})
		m.must(t, m.Advance(length.Draw(t, "length")))
		return
	case "restart":
		m.must(t, m.Restart())
		return
	}
	before := m.live
	o, err := m.Do(s)
	m.must(t, err)
	if o.Ticket != "" {
		m.tickets = append(m.tickets, o.Ticket)
	}
	if o.Contest != "" && !slices.Contains(m.contests, o.Contest) {
		m.contests = append(m.contests, o.Contest)
	}
	if o.Operation != "" {
		m.operations = append(m.operations, o.Operation)
	}
	if o.Status == 0 && s.Verb != "hold" && s.Verb != "resume" {
		t.Fatalf("%s: %q is not a refusal of the contract", s.Verb, o.Word)
	}
	if o.Status >= 400 && !reflect.DeepEqual(Durable(before), Durable(m.live)) {
		t.Fatalf("%s was refused and changed what is durable", s.Verb)
	}
}

func (m *story) must(t *rapid.T, err error) {
	if err != nil {
		t.Fatal(err)
	}
}

// sane holds what is true of every state between two commands.
func (m *story) sane(t *rapid.T) {
	in := m.live.look()
	if in.holder != nil && (in.offer != nil || in.holder.fence != m.live.Fence || !in.holder.ttl.at().After(m.now)) {
		t.Fatalf("a holder that cannot be: %+v", in.holder)
	}
	if in.contest != nil && (in.holder == nil || len(in.contest.contestants) == 0) {
		t.Fatal("a contest about nothing")
	}
	if in.offer != nil && in.waiter(in.offer.ticket, false) < 0 {
		t.Fatal("an offer to nobody")
	}
	if in.holder == nil && in.offer == nil && len(in.queue) > 0 && !m.auto {
		t.Fatal("a free scope, and nobody is offered it")
	}
	seen := map[Party]bool{}
	for _, w := range in.queue {
		p := Party{Principal: w.party.Principal, Session: w.party.Session}
		if !w.operation && seen[p] {
			t.Fatal("two tickets of one session")
		}
		seen[p] = seen[p] || !w.operation
	}
	if len(in.ended) > endedMaxLocks || len(in.outcomes) > outcomesMax || len(in.operations) > operationsMaxEnded {
		t.Fatal("a list without bounds")
	}
	again, err := DecodeState(EncodeState(m.live))
	if err != nil || !reflect.DeepEqual(again, Durable(m.live)) {
		t.Fatalf("the state does not survive its encoding: %v", err)
	}
}

// TestLaws does anything in any order. At most one holds the lock; fences grow, also over restarts; what is durable
// does not depend on what is volatile; Evolve does not write through; a refusal changes nothing; no token is stored;
// and when nobody does anything any more, everything ends.
func TestLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &story{sim: newSim(rapid.SampledFrom(storySettings).Draw(t, "settings"))}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			m.step(t)
			m.sane(t)
		}
		m.auto = false
		m.tick()
		m.must(t, m.Advance(25*time.Hour))
		if in := m.live.look(); in.holder != nil || in.offer != nil || in.contest != nil || len(in.queue) > 0 {
			t.Fatalf("something has no end: %+v", in)
		}
		if _, ok := Due(m.live); ok {
			t.Fatal("something is due for ever")
		}
		state := EncodeState(m.live)
		for _, token := range m.tokens {
			if bytes.Contains(state, []byte(token)) || bytes.Contains(m.stored, []byte(token)) {
				t.Fatal("a token is stored")
			}
		}
	})
}

// TestRepeats holds the law of repetition: a command that has just been accepted yields no stored event when it comes
// again, whatever it answers.
func TestRepeats(t *testing.T) {
	repeats := map[string]Command{
		"acquire": Acquire{}, "wait": Acquire{Wait: true}, "contest": Contest{Acquire: true}, "withdraw": Withdraw{},
		"break": Break{Reason: "stale"}, "take over": Acquire{TakeOverOwn: true}, "tick": Tick{},
	}
	rapid.Check(t, func(t *rapid.T) {
		m := &story{sim: newSim(rapid.SampledFrom(storySettings).Draw(t, "settings"))}
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			m.step(t)
		}
		name := rapid.SampledFrom([]string{"acquire", "wait", "contest", "withdraw", "break", "take over", "tick"}).Draw(t, "command")
		who := m.party(t)
		by := Party{Principal: who.Principal, Session: who.Session}
		if _, err := m.decide(repeats[name], by); err != nil {
			return
		}
		seq := m.seq
		_, err := m.decide(repeats[name], by)
		if m.seq != seq || m.wrong != nil {
			t.Fatalf("%s again: %v, %v", name, err, m.wrong)
		}
	})
}

// FuzzState feeds any bytes to the state's decoder: it refuses, or makes a state that encodes to one form and that the
// machine can live with.
func FuzzState(f *testing.F) {
	f.Add(EncodeState(fullState()))
	m := newSim(DefaultSettings)
	for _, s := range storyOfAll(f) {
		if _, err := m.Do(s); err != nil {
			f.Fatal(err)
		}
		f.Add(EncodeState(m.live))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := DecodeState(b)
		if err != nil {
			return
		}
		again, err := DecodeState(EncodeState(s))
		if err != nil || !reflect.DeepEqual(s, again) {
			t.Fatalf("%+v, %+v, %v", s, again, err)
		}
		m := newSim(DefaultSettings)
		for _, c := range []Command{Tick{}, Get{}, Acquire{Wait: true}, Contest{Acquire: true}, Accept{Token: "x"}, Tick{}, Outcome{}} {
			for _, e := range first(Decide(Recover(s, simStart), c, m.ask(Party{Principal: "ann"}))) {
				s = Evolve(s, e, Stamp{Seq: 1, Version: 1, Time: simStart})
			}
		}
	})
}

func first(events []Event, _ Result, _ error) []Event { return events }

// FuzzEvent feeds any bytes to the decoder of events.
func FuzzEvent(f *testing.F) {
	for _, e := range allEvents() {
		name, payload := EncodeEvent(e)
		f.Add(name, payload)
	}
	f.Fuzz(func(t *testing.T, name string, b []byte) {
		e, err := DecodeEvent(name, b)
		if err != nil {
			return
		}
		name2, payload := EncodeEvent(e)
		again, err := DecodeEvent(name2, payload)
		if name2 != name || err != nil || !reflect.DeepEqual(e, again) {
			t.Fatalf("%+v, %+v, %v", e, again, err)
		}
		Evolve(State{}, e, Stamp{Seq: 1, Version: 1, Time: simStart})
	})
}

// storyOfAll puts something into every part of a state.
func storyOfAll(tb testing.TB) []scenario.Step {
	all, err := scenario.Parse("seed", `== all
ann#1 acquire -> granted
bob#1 contest acquire -> contest
ann#1 deny -> ok
cat#1 contest note=please -> contest
bob#1 write queue -> parked
ann#1 break reason=x -> ok
bob#1 claim ticket=none -> ticket-gone
dan#1 acquire wait -> ticket`)
	if err != nil {
		tb.Fatal(err)
	}
	return all[0].Steps
}

// TestRefusalsAreProblems: whatever a command is, its refusal is one of the contract.
func TestRefusalsAreProblems(t *testing.T) {
	for _, c := range []Command{Renew{}, Release{}, Deny{}, Accept{}, Break{}, Claim{}, KeepAlive{}, Leave{}, Withdraw{}, Outcome{},
		CancelOperation{}, GetOperation{}, Contest{}} {
		_, _, err := Decide(State{}, c, newSim(DefaultSettings).ask(Party{Principal: "ann"}))
		if _, ok := errors.AsType[*problem.Problem](err); !ok {
			t.Errorf("%T: %v", c, err)
		}
	}
}
