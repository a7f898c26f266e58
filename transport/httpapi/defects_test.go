package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"concord/transport"
)

// The lock service that Concord follows has nine known defects. Each has a test here, named by what goes wrong there;
// what it does is what must happen instead.

// advance moves the clock, and has done what falls due.
func (s *stack) advance(d time.Duration) {
	s.Helper()
	if _, err := s.host.Advance(s.Context(), s.clock, d); err != nil {
		s.Fatal(err)
	}
}

// acquire gives somebody the lock, and returns its token.
func (s *stack) acquire(who string) func(*http.Request) {
	s.Helper()
	return header("Lock-Token", s.ask("POST", lock, "", by(who)).is(201).text("token"))
}

// outcome is what became of somebody's contest.
func (s *stack) outcome(who string) (o struct {
	State, Reason, Contest string
	RetryAfter             int
	Offered                bool
}) {
	s.Helper()
	s.ask("GET", lock+"/contest", "", by(who)).is(200).into(&o)
	return o
}

func (s *stack) state() string {
	s.Helper()
	return s.ask("GET", lock, "").is(200).text("state")
}

// typed makes a collection type of these settings of a lock, and the collection of it.
func (s *stack) typed(settings string) {
	s.Helper()
	s.ask("PUT", typePath, `{"lock": `+settings+`}`).is(201)
	s.ask("PUT", letters, `{"type": "dossier"}`).is(201)
}

func TestDefect1SecondContestOverwritesTheFirst(t *testing.T) {
	s := newStack(t)
	token := s.acquire("ann")
	first := s.ask("POST", lock+"/contest", `{"note": "from Bob"}`, by("bob")).is(202)
	s.advance(time.Second)
	second := s.ask("POST", lock+"/contest", `{"note": "from Cid", "acquire": true}`, by("cid")).is(202)
	if first.member("prompted") != "true" || second.member("prompted") != "false" || second.member("joined") != "true" ||
		first.text("contest") != second.text("contest") {
		t.Errorf("first %s, second %s", first.body, second.body)
	}
	var renewed struct {
		Contested bool
		Contest   struct {
			Contestants []struct {
				Principal, Note string
				Acquire         bool
				Since           time.Time
			}
		}
	}
	s.ask("PUT", lock, "", by("ann"), token).is(200).into(&renewed)
	got := fmt.Sprintf("%t %v", renewed.Contested, renewed.Contest.Contestants)
	want := fmt.Sprintf("true [{bob from Bob false %v} {cid from Cid true %v}]", start, start.Add(time.Second))
	if got != want {
		t.Errorf("the holder is told %s, not %s", got, want)
	}
	if s.outcome("bob").State != "open" || s.outcome("cid").State != "open" {
		t.Error("one of the contests is over")
	}
}

func TestDefect2UnansweredContestStaysForEver(t *testing.T) {
	for name, row := range map[string]struct{ settings, outcome, state string }{
		"keep":    {`{"contest": {"deadline": 60, "onTimeout": "keep"}}`, "timed_out", "held"},
		"release": {`{"contest": {"deadline": 60, "onTimeout": "release"}}`, "resolved", "free"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			s.typed(row.settings)
			token := s.acquire("ann")
			s.ask("POST", lock+"/contest", "", by("bob")).is(202)
			for range 3 { // the holder's client extends, and nobody answers
				s.advance(19 * time.Second)
				s.ask("PUT", lock, "", by("ann"), token).is(200)
			}
			if o := s.outcome("bob"); o.State != "open" {
				t.Errorf("after 57 s: %v", o)
			}
			s.advance(3 * time.Second)
			if o := s.outcome("bob"); o.State != row.outcome || s.state() != row.state {
				t.Errorf("outcome %v, lock %s", o, s.state())
			}
			if name == "release" {
				if p := s.ask("PUT", lock, "", by("ann"), token).is(410); p.text("reason") != "contest_timeout" {
					t.Errorf("the holder is told %s", p.body)
				}
			}
		})
	}
}

func TestDefect3DeniedWithdrawnAndOverwrittenLookTheSame(t *testing.T) {
	s := newStack(t)
	s.typed(`{"ttl": 60, "contest": {"deadline": 30, "cooldown": 10}}`)
	contest := func(who string) {
		t.Helper()
		s.ask("POST", lock+"/contest", "", by(who)).is(202)
	}
	token := s.acquire("ann")
	contest("bob")
	s.ask("POST", lock+"/contest/deny", `{"reason": "ten more minutes"}`, by("ann"), token).is(204)
	contest("cid")
	s.ask("DELETE", lock+"/contest", "", by("cid")).is(204)
	contest("dan")
	s.advance(30 * time.Second) // unanswered
	s.ask("PUT", lock, "", by("ann"), token).is(200)
	s.ask("POST", lock+"/contest", `{"deadline": 60}`, by("eve")).is(202)
	s.advance(60 * time.Second) // the lock's ttl is over before the contest's deadline is looked at
	token = s.acquire("ann")
	contest("fay")
	s.ask("DELETE", lock, "", by("ann"), token).is(204)
	token = s.acquire("ann")
	s.ask("POST", lock+"/contest", `{"acquire": true}`, by("gus")).is(202)
	s.ask("POST", lock+"/contest/accept", "", by("ann"), token).is(204)
	seen := map[string]string{}
	for who, want := range map[string]string{"bob": "denied", "cid": "withdrawn", "dan": "timed_out", "eve": "expired",
		"fay": "resolved", "gus": "granted"} {
		got := s.outcome(who).State
		if other, twice := seen[got]; got != want || twice {
			t.Errorf("%s: %s, as %s", who, got, other)
		}
		seen[got] = who
	}
	if bob := s.outcome("bob"); bob.Reason != "ten more minutes" {
		t.Errorf("Bob is told %v", bob)
	}
	if o := s.outcome("gus"); !o.Offered {
		t.Error("Gus was said yes to, but is not offered the lock")
	}
	s.ask("GET", lock+"/contest", "", by("somebody else")).is(404)
}

func TestDefect4AfterARelease(t *testing.T) {
	s := newStack(t)
	token := s.acquire("ann")
	ticket := s.ask("POST", lock+"/contest", `{"acquire": true}`, by("bob")).is(202).text("ticket")
	s.ask("DELETE", lock, "", by("ann"), token).is(204)
	for range 3 { // anybody may be faster; Bob has waited
		if p := s.ask("POST", lock, "", by("cid")).is(409); p.text("code") != "locked" || p.text("state") != "offered" {
			t.Errorf("Cid is told %s", p.body)
		}
		s.ask("PUT", letters, `{}`, by("cid")).is(409)
	}
	s.advance(9 * time.Second)
	s.ask("POST", lock+"/queue/"+ticket, "", by("bob")).is(201)
	if v := s.ask("GET", lock, ""); v.text("state") != "held" {
		t.Errorf("%s", v.body)
	}
}

func TestDefect5AnyTokenIsGoodWhileNobodyHoldsTheLock(t *testing.T) {
	s := newStack(t)
	s.ask("PUT", letters, `{}`).is(201)
	refused := func(token func(*http.Request), reason string) {
		t.Helper()
		if p := s.ask("PUT", letters, `{"metadata": {"by": "ann"}}`, by("ann"), token).is(409); p.text("code") != "stale-token" || p.text("reason") != reason {
			t.Errorf("refused with %s", p.body)
		}
	}
	refused(header("Lock-Token", "any"), "unknown")
	old := s.acquire("ann")
	s.advance(time.Minute)
	refused(old, "expired")
	// Nobody was there in between: she has it back, under a new fence.
	back := s.ask("PUT", lock, "", by("ann"), old).is(200)
	if back.member("reacquired") != "true" || back.member("fence") != "2" {
		t.Errorf("reacquired %s", back.body)
	}
	s.ask("PUT", letters, `{"metadata": {"by": "ann"}}`, by("ann"), old).is(200)
	// Somebody else locks, writes and releases, and she comes back.
	s.advance(time.Minute)
	bob := s.acquire("bob")
	s.ask("PUT", letters, `{"metadata": {"by": "bob"}}`, by("bob"), bob, header("Lock-Release", "true")).is(200)
	refused(old, "expired")
	if p := s.ask("PUT", lock, "", by("ann"), old).is(410); p.text("code") != "lock-lost" {
		t.Errorf("%s", p.body)
	}
	// The same without a lock in between: what she knows is no longer what is there.
	token := s.acquire("ann")
	s.advance(time.Minute)
	s.ask("PUT", letters, `{"metadata": {"by": "cid"}}`, by("cid")).is(200)
	s.ask("PUT", lock, "", by("ann"), token).is(410)
}

func TestDefect6IdentityIsAParameter(t *testing.T) {
	s := newStack(t, func(s *stack) {
		rights := map[string][]transport.Right{"p": {transport.RightRead, transport.RightUpdate}, "main": {transport.RightRead, transport.RightUpdate}}
		s.gate.Auth = principals(t, map[string]map[string][]transport.Right{"ann": rights, "bob": rights})
	})
	as := func(who string) func(*http.Request) { return header("Authorization", "Bearer "+who) }
	for _, target := range []string{lock, theirLock} {
		s.ask("POST", target+"?ownerId=ann", "", as("bob")).is(400)
		s.ask("POST", target+"/contest?contestantId=ann", "", as("bob")).is(400)
		s.ask("PUT", target+"?token=x&ownerId=ann", "", as("bob")).is(400)
		s.ask("DELETE", target+"?token=x", "", as("bob")).is(400)
	}
	a := s.ask("POST", lock, "", as("ann"), by("bob"), header("Concord-Session", "1")).is(201)
	var view struct{ Holder struct{ Principal string } }
	s.ask("GET", lock, "", as("bob")).is(200).into(&view)
	if view.Holder.Principal != "ann" {
		t.Errorf("the holder is %s, whose word was not asked for", view.Holder.Principal)
	}
	// A session is inside its principal, and a token is of no use to another.
	stolen := header("Lock-Token", a.text("token"))
	s.ask("PUT", letters, `{}`, as("bob"), header("Concord-Session", "1"), stolen).is(409)
	s.ask("DELETE", lock, "", as("bob"), header("Concord-Session", "1"), stolen).is(409)
	s.ask("POST", lock, "", as("bob"), header("Concord-Session", "1")).is(409)
	s.ask("PUT", letters, `{}`, as("ann"), header("Concord-Session", "1"), stolen).is(201)
}

func TestDefect7ExpiredLocksAreReportedAsHeld(t *testing.T) {
	for name, pass := range map[string]func(*stack){
		"its timer has fired":         func(s *stack) { s.advance(time.Minute) },
		"its timer has not yet fired": func(s *stack) { s.clock.Set(start.Add(time.Minute)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStack(t)
			s.acquire("ann")
			s.advance(59 * time.Second)
			if s.state() != "held" {
				t.Fatal("it ended too early")
			}
			pass(s)
			if v := s.ask("GET", lock, ""); v.text("state") != "free" || v.member("holder") != "" {
				t.Errorf("reported as %s", v.body)
			}
			s.ask("GET", "/api/v1/locks/neverpile:collection:p:letters", "").is(404)
			if list := s.ask("GET", provider+"/locks", "").is(200); list.member("items") != "[]" {
				t.Errorf("listed as %s", list.body)
			}
			s.ask("PUT", letters, `{}`, by("bob")).is(201)
		})
	}
}

// TestDefect8CheckAndSaveAreTwoSteps has locks broken and taken while their holders write. If the check and the write
// were two steps, some write would stand in the log after the end of the lock that it was made under.
func TestDefect8CheckAndSaveAreTwoSteps(t *testing.T) {
	const writers, rounds = 4, 60
	s := newStack(t)
	s.ask("PUT", letters, `{}`).is(201)
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			who := "w" + strconv.Itoa(w)
			for i := range rounds {
				a := s.ask("POST", lock, "", by(who))
				if a.status != 201 {
					s.ask("POST", lock+"/break", `{"reason": "my turn"}`, by(who)).is(204)
					continue
				}
				token := header("Lock-Token", a.text("token"))
				for n := range 3 {
					body := fmt.Sprintf(`{"metadata": {"who": %q, "n": %d}}`, who, i*10+n)
					if a := s.ask("PUT", letters, body, by(who), token); a.status != 200 && a.text("code") != "stale-token" {
						t.Errorf("status %d: %s", a.status, a.body)
					}
				}
			}
		})
	}
	running.Wait()
	held, under := uint64(0), 0
	for _, e := range s.events() {
		switch e.Type {
		case "lock.acquired":
			held = e.Fence
		case "lock.broken", "lock.released":
			held = 0
		case "collection.saved":
			if e.Fence != held {
				t.Errorf("event %d was written under fence %d, while %d was held", e.Seq, e.Fence, held)
			}
			under++
		}
	}
	if under == 0 { // how many depends on the machine
		t.Error("nothing was written")
	}
}

// events are all events of the collection.
func (s *stack) events() (all []transport.Event) {
	s.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []transport.Event
			Next  string
		}
		s.ask("GET", letters+"/events?limit=1000"+cursor, "").is(200).into(&page)
		if all = append(all, page.Items...); page.Next == "" {
			return all
		}
		cursor = "&cursor=" + page.Next
	}
}

func TestDefect9ConflictsAreNotTold(t *testing.T) {
	s := newStack(t)
	s.ask("PUT", letters, `{}`).is(201)
	s.ask("PUT", letters, `{"metadata": {"n": 1}}`).is(200)
	const stale = `{"metadata": {"n": 2}, "baseVersion": 1}`
	conflict := s.ask("PUT", letters, stale, by("bob")).is(409)
	if conflict.text("code") != "version-conflict" || conflict.member("currentVersion") != "2" || conflict.header.Get("Retry-After") != "" {
		t.Errorf("a version conflict is told as %s", conflict.body)
	}
	s.ask("POST", lock, `{"ttl": 30}`, by("ann"), header("Concord-Session", "tab")).is(201)
	s.advance(10 * time.Second)
	locked := s.ask("PUT", letters, stale, by("bob")).is(409)
	var told struct {
		Code, State string
		Holder      struct{ Principal, Session, Kind string }
		Since       time.Time
		ExpiresAt   time.Time
		Fence       int
		RetryAfter  float64
		Ways        []string
	}
	locked.into(&told)
	text, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"Code":"locked","State":"held","Holder":{"Principal":"ann","Session":"tab","Kind":"person"},` +
		`"Since":"2026-01-01T00:00:00Z","ExpiresAt":"2026-01-01T00:00:30Z","Fence":1,"RetryAfter":20,"Ways":["contest","wait","park"]}`
	if string(text) != want || locked.header.Get("Retry-After") != "20" {
		t.Errorf("a lock is told as %s, Retry-After %q", locked.body, locked.header.Get("Retry-After"))
	}
	// A type may have the status that WebDAV's clients know; the code stays.
	s.ask("PUT", typePath, `{"lock": {"lockedStatus": 423}}`).is(201)
	typed := "/api/v1/locks/collection:p:typed"
	s.ask("PUT", provider+"/collections/typed", `{"type": "dossier"}`).is(201)
	s.ask("POST", typed, "", by("ann")).is(201)
	if p := s.ask("PUT", provider+"/collections/typed", `{}`, by("bob")).is(423); p.text("code") != "locked" {
		t.Errorf("%s", p.body)
	}
}
