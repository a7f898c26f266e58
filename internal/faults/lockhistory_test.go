package faults

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"concord/actors/lock/scenario"
	"concord/actors/problem"
)

const (
	lockClients      = 10
	lockOperations   = 15_000
	lockLeastRate    = 300 // operations a second: fewer prove nothing
	oldTokensMaxKept = 4   // of a client, for a scope
)

// TestLocksAreLinearizable has clients fight for a few scopes while the process is killed and paused: they acquire, wait,
// claim, renew, release, break, write under tokens new and old. The history must be one that the lock machine alone could
// have had; and the log must show one holder at a time, fences that grow, and no write of an older fence after a newer.
func TestLocksAreLinearizable(t *testing.T) {
	for round := range count("CONCORD_LINEARIZABLE_ROUNDS", 2) {
		t.Run(fmt.Sprint(round), func(t *testing.T) { lockRound(t, uint64(round)) })
	}
}

// lockHistory is what has happened, as the clients saw it.
type lockHistory struct {
	start      time.Time
	mu         sync.Mutex
	operations []porcupine.Operation
	unknown    int
	words      map[string]int
}

func lockRound(t *testing.T, seed uint64) {
	p := startProcess(t)
	first := &link{p: p}
	defer first.close()
	for key := range lockKeys {
		if _, err := newTarget(nil, &natsDoor{first.connection}, lockScope(key), lockLengths); err != nil {
			t.Fatal(err)
		}
	}
	h := &lockHistory{start: time.Now(), words: map[string]int{}}
	var left atomic.Int64
	left.Store(lockOperations)
	var clients sync.WaitGroup
	for n := range lockClients {
		clients.Go(func() {
			l := &link{p: p}
			defer l.close()
			newRival(n, seed, &natsDoor{l.connection}).run(h, &left)
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	var faults sync.WaitGroup
	faults.Go(func() { disturb(ctx, p, rand.New(rand.NewPCG(seed, 99))) })
	clients.Wait()
	took := time.Since(h.start)
	cancel()
	faults.Wait()
	rate := float64(len(h.operations)) / took.Seconds()
	t.Logf("%d operations (%d unknown), %.0f/s, %d starts: %v", len(h.operations), h.unknown, rate, p.started, h.words)
	if rate < lockLeastRate {
		t.Errorf("only %.0f operations a second", rate)
	}
	for key := range lockKeys {
		checkLog(t, &natsDoor{first.connection}, lockScope(key))
	}
	if !t.Failed() { // of a history that is wrong, this may take minutes
		h.check(t)
	}
}

func lockScope(key int) string { return "scope" + strconv.Itoa(key) }

func (h *lockHistory) check(t *testing.T) {
	t.Helper()
	result, info := porcupine.CheckOperationsVerbose(lockModel, h.operations, 2*time.Minute)
	if result == porcupine.Ok {
		return
	}
	file, err := os.CreateTemp("", "concord-locks-*.html")
	if err == nil {
		err = porcupine.Visualize(lockModel, info, file)
	}
	t.Fatalf("history is %s; drawn in %s (%v)", result, file.Name(), err)
}

func (h *lockHistory) add(client int, in lockInput, out lockOutput, call, end time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o := porcupine.Operation{ClientId: client, Input: in, Output: out,
		Call: call.Sub(h.start).Nanoseconds(), Return: end.Sub(h.start).Nanoseconds()}
	if out.unknown {
		h.unknown++
		o.ClientId, o.Return = 1000+h.unknown, math.MaxInt64
	} else {
		h.words[in.verb+" "+out.word]++
	}
	h.operations = append(h.operations, o)
}

// rival is a client that wants the locks. Two rivals are sessions of one principal.
type rival struct {
	n      int
	made   int // requests
	party  scenario.Party
	door   door
	rng    *rand.Rand
	scopes [lockKeys]rivalScope
}

// rivalScope is what a rival knows of a scope. It may be wrong by now.
type rivalScope struct {
	held   bool
	fence  uint64
	tokens map[uint64]string // by fence
	fences []uint64          // of the tokens, oldest first
	ticket string
}

func newRival(n int, seed uint64, d door) *rival {
	return &rival{n: n, party: scenario.Party{Principal: "user" + strconv.Itoa(n/2), Session: strconv.Itoa(n)}, door: d,
		rng: rand.New(rand.NewPCG(seed, uint64(n)))}
}

func (r *rival) run(h *lockHistory, left *atomic.Int64) {
	for left.Add(-1) >= 0 {
		key := r.scope()
		in := r.choose(key)
		call := time.Now()
		answer, err := r.door.do(r.call(in))
		code := problem.Code(answer.code)
		_, unknown := errors.AsType[errUnknown](err)
		switch {
		case err != nil && !unknown, unknown && in.verb == "get",
			code == problem.Overloaded, code == problem.Unavailable, code == problem.Deadline:
			left.Add(1)
			waitALittle()
			continue // it had no effect, and is not part of the history
		case unknown:
			h.add(r.n, in, lockOutput{unknown: true}, call, time.Now())
			continue
		}
		seen := seenOf(in.verb, answer)
		h.add(r.n, in, lockOutput{lockSeen: seen}, call, time.Now())
		r.learn(&r.scopes[key], in, answer, seen)
	}
}

// scope is the next scope to do something in: more often than not one whose lock the rival has, or others would wait long.
func (r *rival) scope() int {
	key := r.rng.IntN(lockKeys)
	for range r.rng.IntN(lockKeys) {
		if r.scopes[key].held {
			break
		}
		key = (key + 1) % lockKeys
	}
	return key
}

// choose is the next thing that the rival does.
func (r *rival) choose(key int) lockInput {
	s := &r.scopes[key]
	in := lockInput{key: key, by: r.party}
	pick := func(verbs ...string) { in.verb = verbs[r.rng.IntN(len(verbs))] }
	switch dice := r.rng.IntN(20); {
	case dice == 0 && len(s.fences) > 0:
		in.verb, in.fence = "write", s.fences[r.rng.IntN(len(s.fences))]
		return in
	case dice == 1:
		pick("break", "write", "get", "get")
		return in
	case s.held:
		pick("write", "write", "write", "save", "release", "renew", "get", "acquire")
		if in.verb != "get" && in.verb != "acquire" {
			in.fence = s.fence
		}
	case s.ticket != "":
		if pick("claim", "claim", "claim", "wait", "leave", "get"); in.verb == "claim" || in.verb == "leave" {
			in.ticket = s.ticket
		}
	default:
		pick("acquire", "acquire", "wait", "wait", "takeover", "write", "get")
	}
	return in
}

// verbOps are the verbs of the history as operations.
var verbOps = map[string]string{"acquire": "lock.acquire", "wait": "lock.acquire", "takeover": "lock.acquire", "claim": "lock.claim",
	"leave": "lock.leave", "renew": "lock.renew", "release": "lock.release", "break": "lock.break", "get": "lock.get",
	"write": "document.put", "save": "document.put"}

func (r *rival) call(in lockInput) call {
	r.made++
	s := &r.scopes[in.key]
	c := call{op: verbOps[in.verb], id: lockScope(in.key), by: in.by, inner: in.ticket, token: s.tokens[in.fence], body: map[string]any{}}
	switch in.verb {
	case "wait":
		c.body["wait"] = true
	case "takeover":
		c.body["takeOverOwn"] = true
	case "break":
		c.body["reason"] = "test"
	case "write", "save":
		c.inner, c.body["value"] = "d", fmt.Sprintf("%d-%d", r.n, r.made)
		if in.verb == "save" {
			c.header = map[string]string{"Lock-Release": "true"}
		}
	}
	return c
}

// learn is what an answer tells the rival.
func (r *rival) learn(s *rivalScope, in lockInput, answer reply, seen lockSeen) {
	switch seen.word {
	case "granted":
		token, _ := answer.body["token"].(string)
		if s.tokens == nil {
			s.tokens = map[uint64]string{}
		}
		if s.tokens[seen.fence] == "" {
			s.fences = append(s.fences, seen.fence)
		}
		s.tokens[seen.fence] = token
		if len(s.fences) > oldTokensMaxKept {
			delete(s.tokens, s.fences[0])
			s.fences = s.fences[1:]
		}
		s.held, s.fence, s.ticket = true, seen.fence, ""
	case "ticket":
		s.held, s.ticket = false, seen.ticket
	case "stale-token", "lock-lost":
		if in.fence == s.fence {
			s.held = false
		}
	case "ticket-gone":
		s.ticket = ""
	}
	switch {
	case in.verb == "leave" && seen.word == "ok":
		s.ticket = ""
	case (in.verb == "release" || in.verb == "save") && answer.code == "" && in.fence == s.fence:
		s.held = false
	}
}

// checkLog reads the log of a scope: there is one holder at a time, fences grow with the grants, and what is written
// under a fence is written while that is the newest.
func checkLog(t *testing.T, d door, id string) {
	t.Helper()
	var newest, holder, after, saved uint64
	for {
		r := succeed(t, d, call{op: "collection.events", id: id, query: map[string]string{"after": strconv.FormatUint(after, 10), "limit": "1000"}})
		items, _ := r.body["items"].([]any)
		if len(items) == 0 {
			break
		}
		for _, item := range items {
			e, _ := item.(map[string]any)
			fence := number(e["fence"])
			after = number(e["seq"])
			switch e["type"] {
			case "lock.acquired":
				if holder != 0 || fence <= newest {
					t.Errorf("%s#%d: fence %d is granted while %d is held; the newest was %d", id, after, fence, holder, newest)
				}
				newest, holder = fence, fence
			case "lock.released", "lock.expired", "lock.broken", "lock.revoked", "lock.taken_over":
				if holder != fence {
					t.Errorf("%s#%d: fence %d ends, but %d is held", id, after, fence, holder)
				}
				holder = 0
			case "collection.saved":
				saved++
				if fence != holder {
					t.Errorf("%s#%d: a write under fence %d while %d is held", id, after, fence, holder)
				}
			}
		}
	}
	if newest == 0 || saved < 2 {
		t.Errorf("%s: %d grants, %d writes: too quiet to prove anything", id, newest, saved)
	}
}
