package faults

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"concord/actors/lock/scenario"
)

// killed is a house whose process is killed to start it again.
type killed struct {
	p     *process
	d     door
	marks int
}

func startKilled(t testing.TB, variables ...string) (h *killed, close func()) {
	t.Helper()
	l := &link{}
	h = &killed{p: startProcess(t, append(variables, clockVariable+"=1")...), d: &natsDoor{l.connection}}
	l.p = h.p
	return h, l.close
}

func (h *killed) doors() []door { return []door{newHTTPDoor(h.p.httpAddress), h.d} }

func (h *killed) advance(d time.Duration) error { return advanceClock(h.p.httpAddress(), d) }

// restart kills the process. The clock begins where the newest record was made: one is made now.
func (h *killed) restart() error {
	h.marks++
	r, err := h.d.do(call{op: "collection.put", id: "mark", body: map[string]any{"metadata": map[string]any{"n": h.marks}}})
	if err != nil || r.code != "" {
		return fmt.Errorf("mark the time: %w %s", err, r.text)
	}
	h.p.kill()
	h.p.start()
	return nil
}

// sameAfter is a target that looks at everything before a restart and after it.
type sameAfter struct{ *target }

func (s sameAfter) Restart() error {
	before, err := s.look()
	if err != nil {
		return err
	}
	if err := s.target.Restart(); err != nil {
		return err
	}
	after, err := s.look()
	if err != nil {
		return err
	}
	if diff := cmp.Diff(before.seen, after.seen); diff != "" {
		return fmt.Errorf("the restart changed what is seen (-before +after):\n%s", diff)
	}
	if after.expiresIn < before.expiresIn {
		return fmt.Errorf("a lease of %d seconds has %d after the restart", before.expiresIn, after.expiresIn)
	}
	return nil
}

// sight is all that can be seen of a lock from outside, but how long things will last yet: lengths run again in full.
type sight struct {
	seen      map[string]any
	expiresIn int
}

// lasting are the members of answers that tell of lengths.
var lasting = []string{"expiresAt", "expiresIn", "deadline", "claimBy", "renewAfter", "requestId"}

func (s sameAfter) look() (all sight, err error) {
	all.seen = map[string]any{}
	ask := func(c call) {
		if c.op != "lock.list" && c.op != "prompt.list" {
			c.id = s.id
		}
		r, failed := s.door.do(c)
		if failed != nil {
			err = failed
			return
		}
		if c.op == "lock.get" {
			all.expiresIn = int(number(r.body["expiresIn"]))
		}
		if r.code == "locked" {
			delete(r.body, "retryAfter")
		}
		all.seen[fmt.Sprint(c.op, " ", c.by, " ", c.inner, c.token)] = without(r.body)
	}
	ask(call{op: "lock.get"})
	parties := map[scenario.Party]bool{{Principal: "stranger"}: true}
	for _, g := range s.given {
		parties[g.who] = true
		switch g.kind {
		case "token":
			ask(s.wouldWrite(g.who, g.value))
		case "ticket":
			ask(call{op: "lock.keepalive", inner: g.value, by: g.who})
		case "operation":
			ask(call{op: "operation.get", inner: g.value, by: g.who})
		}
	}
	for party := range parties {
		ask(call{op: "lock.outcome", by: party})
		ask(s.wouldWrite(party, ""))
		ask(call{op: "prompt.list", by: party})
	}
	ask(call{op: "lock.list", by: scenario.Party{Principal: "stranger"}})
	ask(call{op: "collection.events", query: map[string]string{"limit": "1000"}})
	return all, err
}

// wouldWrite asks what would become of a write.
func (s sameAfter) wouldWrite(by scenario.Party, token string) call {
	return call{op: "document.put", inner: "probe", by: by, token: token, query: map[string]string{"dryRun": "true"},
		body: map[string]any{"value": s.wrote}}
}

// without is the value without the members that tell of lengths, at any depth.
func without(v any) any {
	switch v := v.(type) {
	case map[string]any:
		rest := maps.Clone(v)
		for name, value := range rest {
			if rest[name] = without(value); slices.Contains(lasting, name) {
				delete(rest, name)
			}
		}
		return rest
	case []any:
		rest := make([]any, len(v))
		for i := range v {
			rest[i] = without(v[i])
		}
		return rest
	default:
		return v
	}
}

// statesFile has a story for each state of the lock machine.
const statesFile = "testdata/states.txt"

// TestKillInEveryState kills the process in each state of a lock. What was seen of it before is seen after; what was
// granted is granted still, and what comes next is as if nothing had been.
func TestKillInEveryState(t *testing.T) {
	text, err := os.ReadFile(statesFile)
	if err != nil {
		t.Fatal(err)
	}
	all, err := scenario.Parse(statesFile, string(text))
	if err != nil {
		t.Fatal(err)
	}
	h, closeLink := startKilled(t)
	defer closeLink()
	for i, sc := range all {
		t.Run(sc.Name, func(t *testing.T) {
			d := h.doors()[i%2]
			target, err := newTarget(h, d, "state"+strconv.Itoa(i), sc.Settings)
			if err == nil {
				err = heardBy(d, sc).Run(sameAfter{target})
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	t.Logf("%d kills", h.p.started-1)
	h.p.stop()
	checkStore(t, h.p)
}
