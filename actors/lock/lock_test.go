package lock

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"concord/actors/problem"
)

func TestToken(t *testing.T) {
	ann := Party{Principal: "ann", Session: "1"}
	base := Token(simKey, "scope", ann, 1)
	if len(base) != 22 || !Equal(base, Token(simKey, "scope", Party{"ann", "1", "service"}, 1)) {
		t.Errorf("token %q", base)
	}
	others := []string{
		Token([]byte("other"), "scope", ann, 1), Token(simKey, "scop", Party{"eann", "1", ""}, 1), Token(simKey, "scope", ann, 2),
		Token(simKey, "scope", Party{"ann1", "", ""}, 1), Token(simKey, "scope", Party{"an", "n1", ""}, 1), "", base[:21], base + "A",
	}
	for i, other := range others {
		if Equal(base, other) {
			t.Errorf("%d: equal to %q", i, other)
		}
	}
}

func TestSettings(t *testing.T) {
	if err := DefaultSettings.Validate(); err != nil {
		t.Error(err)
	}
	for path, wrong := range map[string]func(*Settings){
		"/lock/mode":              func(s *Settings) { s.Mode = "strict" },
		"/lock/contest/onTimeout": func(s *Settings) { s.OnTimeout = "drop" },
		"/lock/ttl":               func(s *Settings) { s.TTL = 2 * time.Hour },
		"/lock/minTtl":            func(s *Settings) { s.MinTTL = 0 },
		"/lock/maxTtl":            func(s *Settings) { s.MaxTTL = time.Second },
		"/lock/maxWaiters":        func(s *Settings) { s.MaxWaiters = -1 },
		"/lock/waiterTtl":         func(s *Settings) { s.WaiterTTL = 0 },
		"/lock/offerWindow":       func(s *Settings) { s.OfferWindow = -1 },
		"/lock/contest/deadline":  func(s *Settings) { s.ContestDeadline = 0 },
		"/lock/contest/cooldown":  func(s *Settings) { s.Cooldown = -1 },
		"/lock/contest/perMinute": func(s *Settings) { s.ContestsPerMinute = 0 },
		"/lock/operationExpiry":   func(s *Settings) { s.OperationExpiry = 0 },
		"/lock/lockedStatus":      func(s *Settings) { s.LockedStatus = 404 },
	} {
		s := DefaultSettings
		wrong(&s)
		p := problem.Of(s.Validate())
		if p.Code != problem.Invalid || len(p.Errors) != 1 || p.Errors[0].Path != path {
			t.Errorf("%s: %v", path, p)
		}
	}
}

func TestTextsAreBounded(t *testing.T) {
	long := strings.Repeat("x", 501)
	ann, bob := Party{Principal: "ann"}, Party{Principal: "bob"}
	for name, c := range map[string]struct {
		by Party
		c  Command
	}{
		"note":             {bob, Contest{Note: long}},
		"note, no UTF-8":   {bob, Contest{Note: "\xff"}},
		"reason of break":  {bob, Break{long}},
		"reason of denial": {ann, Deny{Reason: long}},
		"principal":        {Party{Principal: long + long + long}, Acquire{}},
		"session":          {Party{Session: "\xff"}, Acquire{}},
	} {
		m := newSim(DefaultSettings)
		if _, err := m.decide(Acquire{}, ann); err != nil {
			t.Fatal(err)
		}
		if _, err := m.decide(c.c, c.by); err == nil || problem.Of(err).Code != problem.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestListsAreBounded fills every list beyond its bound.
func TestListsAreBounded(t *testing.T) {
	s := DefaultSettings
	s.ContestsPerMinute = contestsPerMinuteMax
	m := newSim(s)
	ann := Party{Principal: "ann"}
	grant, err := m.decide(Acquire{TTL: time.Hour}, ann)
	if err != nil {
		t.Fatal(err)
	}
	some := func(i int) Party { return Party{Principal: "p" + ID("", uint64(i))} }
	for i := range contestantsMax {
		if _, err := m.decide(Contest{}, some(i)); err != nil {
			t.Fatal(i, err)
		}
	}
	if _, err := m.decide(Contest{}, some(contestantsMax)); problem.Of(err).Code != problem.QueueFull {
		t.Errorf("contestants: %v", err)
	}
	if _, err := m.decide(Deny{Token: grant.Token, Reason: "no"}, ann); err != nil {
		t.Fatal(err)
	}
	for i := range operationsMaxParked {
		events, _, err := Park(m.live, Parked{}, m.ask(some(i)))
		if err != nil {
			t.Fatal(i, err)
		}
		m.apply(events)
	}
	if _, _, err := Park(m.live, Parked{}, m.ask(ann)); problem.Of(err).Code != problem.QueueFull {
		t.Errorf("parked: %v", err)
	}
	if got := len(Operations(m.live)); got != operationsMaxParked {
		t.Errorf("%d operations", got)
	}
	if _, err := m.decide(Release{Token: grant.Token}, ann); err != nil {
		t.Fatal(err)
	}
	m.run()
	in := m.live.look()
	if len(in.outcomes) != outcomesMax || len(in.cooldowns) != cooldownsMax || len(in.operations) != operationsMaxEnded || len(in.queue) != 0 {
		t.Errorf("%d outcomes, %d cool-downs, %d operations, %d in the queue",
			len(in.outcomes), len(in.cooldowns), len(in.operations), len(in.queue))
	}
	if m.wrong != nil {
		t.Error(m.wrong)
	}
}

// TestFenceOfWrites: a write under a lock carries its fence, any other 0.
func TestFenceOfWrites(t *testing.T) {
	m := newSim(DefaultSettings)
	ann := Party{Principal: "ann"}
	if adm, err := Admit(m.live, Write{}, m.ask(ann)); err != nil || adm.Fence != 0 {
		t.Errorf("free: fence %d, %v", adm.Fence, err)
	}
	r, err := m.decide(Acquire{}, ann)
	if err != nil {
		t.Fatal(err)
	}
	if adm, err := Admit(m.live, Write{Token: r.Token}, m.ask(ann)); err != nil || adm.Fence != 1 {
		t.Errorf("held: fence %d, %v", adm.Fence, err)
	}
	if _, err := Admit(m.live, Write{Operation: "o7"}, m.ask(ann)); problem.Of(err).Code != problem.WrongState {
		t.Errorf("an operation out of turn: %v", err)
	}
	if got := Done(m.live, 7, 1, m.ask(ann)); got != nil {
		t.Errorf("the end of no operation: %v", got)
	}
}

// TestSize: a scope that nobody locks costs next to nothing.
func TestSize(t *testing.T) {
	if size := unsafe.Sizeof(State{}); size > 16 {
		t.Errorf("a state has %d bytes", size)
	}
	if b := EncodeState(State{}); b != nil {
		t.Errorf("a scope that was never locked is stored as %x", b)
	}
	if s, err := DecodeState(nil); err != nil || s != (State{}) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestVolatile(t *testing.T) {
	m := newSim(DefaultSettings)
	ann, bob := Party{Principal: "ann"}, Party{Principal: "bob"}
	r, _ := m.decide(Acquire{}, ann)
	if Volatile(m.live) {
		t.Error("a grant is stored")
	}
	m.now = m.now.Add(time.Second)
	for name, c := range map[string]Command{"renewal": Renew{Token: r.Token}, "contest": Contest{}} {
		by := map[string]Party{"renewal": ann, "contest": bob}[name]
		events, _, err := Decide(m.live, c, m.ask(by))
		if err != nil {
			t.Fatal(err)
		}
		s := m.live
		for _, e := range events {
			s = Evolve(s, e, Stamp{Seq: 9, Version: 1, Time: m.now})
		}
		if !Volatile(s) || Volatile(Durable(s)) {
			t.Errorf("%s is lost with the memory", name)
		}
	}
}

// TestDurableDue: what wakes an entity that is not in memory.
func TestDurableDue(t *testing.T) {
	m := newSim(DefaultSettings)
	ann, bob := Party{Principal: "ann"}, Party{Principal: "bob"}
	if at, ok := DurableDue(m.live); ok {
		t.Errorf("free: due at %v", at)
	}
	r, _ := m.decide(Acquire{}, ann)
	m.now = m.now.Add(30 * time.Second)
	if _, err := m.decide(Renew{Token: r.Token}, ann); err != nil {
		t.Fatal(err)
	}
	if at, _ := DurableDue(m.live); !at.Equal(simStart.Add(time.Minute)) {
		t.Errorf("renewed: durably due at %v", at)
	}
	if at, _ := Due(m.live); !at.Equal(simStart.Add(90 * time.Second)) {
		t.Errorf("renewed: due at %v", at)
	}
	events, _, err := Park(m.live, Parked{}, m.ask(bob))
	if err != nil {
		t.Fatal(err)
	}
	m.apply(events)
	m.now = m.now.Add(time.Second)
	if _, err := m.decide(Release{Token: r.Token}, ann); err != nil {
		t.Fatal(err)
	}
	if at, ok := DurableDue(m.live); !ok || at.After(m.now) {
		t.Errorf("an update has its turn: due at %v", at)
	}
	if at, _ := Due(m.live); !at.Equal(simStart.Add(30*time.Second + 24*time.Hour)) {
		t.Errorf("an update has its turn: live due at %v", at)
	}
}

// TestLateTick: whatever was missed is made up for in the order of time.
func TestLateTick(t *testing.T) {
	m := newSim(DefaultSettings)
	for _, by := range []string{"ann", "bob", "cat"} {
		if _, err := m.decide(Acquire{Wait: true, TTL: time.Second * 20}, Party{Principal: by}); err != nil {
			t.Fatal(err)
		}
	}
	m.names = nil
	m.now = m.now.Add(time.Hour)
	m.tick()
	want := []string{TypeExpired, TypeOfferMade, TypeWaiterGone}
	if !slices.Equal(m.names, want) {
		t.Errorf("got %v, want %v", m.names, want)
	}
	if at, _ := Due(m.live); !at.Equal(m.now.Add(DefaultSettings.OfferWindow)) {
		t.Errorf("the window ends at %v", at)
	}
}

// TestAnswers fixes the names that callers rely on, and that no token is among the values.
func TestAnswers(t *testing.T) {
	m := newSim(DefaultSettings)
	ann, bob := Party{"ann", "1", "person"}, Party{"bob", "2", "service"}
	step := func(c Command, by Party) Result {
		r, err := m.decide(c, by)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	grant := step(Acquire{}, ann)
	for want, r := range map[string]Result{
		`{"fence":1,"expiresAt":"2026-01-01T00:01:00Z","expiresIn":60,"renewAfter":20,"contested":false,"reacquired":false}`: grant,
		`{"contest":"c4","joined":false,"prompted":true,"deadline":"2026-01-01T00:01:00Z","ticket":"t3","position":1}`:       step(Contest{Note: "please", Acquire: true}, bob),
		`{"state":"open","contest":"c4","deadline":"2026-01-01T00:01:00Z","ticket":"t3","position":1}`:                       step(Outcome{}, bob),
		`{"ticket":"t3","position":1,"expiresIn":30,"offered":false}`:                                                        step(KeepAlive{"t3"}, bob),
		`{"state":"contested","holder":{"principal":"ann","session":"1","kind":"person","since":"2026-01-01T00:00:00Z"},` +
			`"fence":1,"expiresAt":"2026-01-01T00:01:00Z","expiresIn":60,"waiters":1,"contestants":1,"parked":0,` +
			`"contest":{"id":"c4","openedAt":"2026-01-01T00:00:00Z","deadline":"2026-01-01T00:01:00Z","contestants":[` +
			`{"principal":"bob","session":"2","kind":"service","note":"please","acquire":true,"since":"2026-01-01T00:00:00Z"}]},` +
			`"version":1}`: step(Get{}, ann),
	} {
		got, err := json.Marshal(r.Answer())
		if err != nil || string(got) != want {
			t.Errorf("got  %s\nwant %s (%v)", got, want, err)
		}
		whole, err := json.Marshal(r)
		if err != nil || strings.Contains(string(whole), grant.Token) {
			t.Errorf("a token in %s, %v", whole, err)
		}
	}
}

// BenchmarkAdmit is what a lock costs each write of content.
func BenchmarkAdmit(b *testing.B) {
	ann := Party{Principal: "ann", Session: "1"}
	for name, w := range map[string]bool{"free": false, "held": true} {
		b.Run(name, func(b *testing.B) {
			m, write := newSim(DefaultSettings), Write{}
			if w {
				r, err := m.decide(Acquire{}, ann)
				if err != nil {
					b.Fatal(err)
				}
				write.Token = r.Token
			}
			a := m.ask(ann)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Admit(m.live, write, a); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestIDs(t *testing.T) {
	for _, wrong := range []string{"", "t", "t0", "t01", "t+1", "o1", "1", "t1 ", "t18446744073709551616"} {
		if n, ok := ParseID(TicketID, wrong); ok {
			t.Errorf("%q is %d", wrong, n)
		}
	}
	if n, ok := ParseID(TicketID, "t18446744073709551615"); !ok || n != 1<<64-1 {
		t.Error(n, ok)
	}
}
