package faults

import (
	"fmt"
	"time"

	"github.com/anishathalye/porcupine"

	"concord/actors/lock"
	"concord/actors/lock/scenario"
	"concord/actors/problem"
)

// The history of locks that the checker judges. A token is named by the fence that it was given with, since the checker
// has another key.
type (
	lockInput struct {
		key    int
		verb   string // see want
		by     scenario.Party
		fence  uint64 // of the token that is named; 0: none
		ticket string
	}
	lockOutput struct {
		unknown bool
		lockSeen
	}
	// lockSeen is what of an answer the model knows. Times are none of it.
	lockSeen struct {
		word            string // the problem's code, or what the request came to
		fence           uint64
		reason          string
		holder          string
		version         uint64
		ticket          string
		position, lines int
	}
	// lockState is a scope: its lock as it is stored, and the newest version and seq of its collection.
	lockState struct {
		lock         string
		version, seq uint64
	}
)

const lockKeys = 10

// lockLengths are so long that nothing is over before the test is: the model's time stands still.
var lockLengths = map[string]string{"ttl": "3600", "maxTtl": "3600", "waiterTtl": "3600", "offerWindow": "3600"}

func lockSettings() lock.Settings {
	s := lock.DefaultSettings
	s.TTL, s.MaxTTL, s.WaiterTTL, s.OfferWindow = time.Hour, time.Hour, time.Hour, time.Hour
	return s
}

var (
	lockModelNow = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	lockModelKey = []byte("of the model alone")
)

// lockModel is what a scope promises. Its step is the machine itself, so that what is judged is all around it: order,
// durability, recovery. That the machine never has two holders, and lets no old token write, is checkLog's to say.
var lockModel = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		parts := make([][]porcupine.Operation, lockKeys)
		for _, o := range history {
			k := o.Input.(lockInput).key
			parts[k] = append(parts[k], o)
		}
		return parts
	},
	Init: func() any { return lockState{version: 1, seq: 1} },
	Step: func(state, input, output any) (bool, any) {
		s, in, out := state.(lockState), input.(lockInput), output.(lockOutput)
		seen, after := s.want(in)
		return out.unknown || out.lockSeen == seen, after
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %+v", input, output) },
}

// want is what an input comes to, and the state after it.
func (s lockState) want(in lockInput) (lockSeen, lockState) {
	state, err := lock.DecodeState([]byte(s.lock))
	if err != nil {
		panic(fmt.Sprintf("the model's own state: %v", err))
	}
	owner := lock.Party{Principal: in.by.Principal, Session: in.by.Session}
	a := lock.Ask{Scope: "scope", By: owner, Now: lockModelNow, Settings: lockSettings(), Key: lockModelKey, Version: s.version, Seq: s.seq + 1}
	token := ""
	if in.fence > 0 {
		token = lock.Token(lockModelKey, a.Scope, owner, in.fence)
	}
	if in.verb == "write" || in.verb == "save" {
		return s.written(state, in.verb == "save", token, a)
	}
	events, r, err := lock.Decide(state, lockCommand(in, token), a)
	if err != nil {
		return refusedSeen(err), s
	}
	return s.seen(in.verb, r), s.with(state, events, a)
}

// written is a write of content, or one that gives the lock back.
func (s lockState) written(state lock.State, release bool, token string, a lock.Ask) (lockSeen, lockState) {
	admission, err := lock.Admit(state, lock.Write{Token: token}, a)
	if err != nil {
		return refusedSeen(err), s
	}
	s.version, s.seq = s.version+1, s.seq+1
	a.Version, a.Seq = s.version, s.seq+1
	seen := lockSeen{word: "saved", version: s.version}
	if !release {
		return seen, s
	}
	events, err := lock.ReleaseWithWrite(admission.State, token, a)
	if err != nil {
		panic(fmt.Sprintf("a token that was admitted releases: %v", err))
	}
	return seen, s.with(admission.State, events, a)
}

func (s lockState) with(state lock.State, events []lock.Event, a lock.Ask) lockState {
	for _, e := range events {
		state = lock.Evolve(state, e, lock.Stamp{Seq: a.Seq, Version: a.Version, Time: a.Now})
		if lock.Stored(e) {
			a.Seq++
		}
	}
	return lockState{string(lock.EncodeState(state)), s.version, a.Seq - 1}
}

func lockCommand(in lockInput, token string) lock.Command {
	switch in.verb {
	case "acquire":
		return lock.Acquire{}
	case "wait":
		return lock.Acquire{Wait: true}
	case "takeover":
		return lock.Acquire{TakeOverOwn: true}
	case "claim":
		return lock.Claim{Ticket: in.ticket}
	case "leave":
		return lock.Leave{Ticket: in.ticket}
	case "renew":
		return lock.Renew{Token: token, Reacquire: true}
	case "release":
		return lock.Release{Token: token}
	case "break":
		return lock.Break{Reason: "test"}
	case "get":
		return lock.Get{}
	default:
		panic("unknown verb " + in.verb)
	}
}

func refusedSeen(err error) lockSeen {
	p := problem.Of(err)
	seen := lockSeen{word: string(p.Code)}
	for _, m := range p.Members {
		switch v := m.Value.(type) {
		case *lock.HolderView:
			seen.holder = scenario.Party{Principal: v.Principal, Session: v.Session}.String()
		case string:
			seen.reason = v
		case uint64:
			seen.fence = v
		case int:
			if m.Name == "position" {
				seen.position = v
			}
		}
	}
	return seen
}

func (s lockState) seen(verb string, r lock.Result) lockSeen {
	switch {
	case r.Grant != nil && verb == "renew":
		return lockSeen{word: "renewed", fence: r.Grant.Fence}
	case r.Grant != nil:
		return lockSeen{word: "granted", fence: r.Grant.Fence}
	case r.Ticket != nil:
		return lockSeen{word: "ticket", ticket: r.Ticket.Ticket, position: r.Ticket.Position}
	case r.View != nil:
		seen := lockSeen{word: string(r.View.State), fence: r.View.Fence, version: r.View.Version, lines: r.View.Waiters}
		if h := r.View.Holder; h != nil {
			seen.holder = scenario.Party{Principal: h.Principal, Session: h.Session}.String()
		}
		return seen
	default:
		return lockSeen{word: "ok"}
	}
}

// seenOf is the same of an answer.
func seenOf(verb string, r reply) lockSeen {
	if verb == "save" {
		verb = "write"
	}
	o := observed(verb, r)
	seen := lockSeen{word: o.Word, fence: number(o.Fields["fence"]), holder: o.Fields["holder"]}
	switch {
	case r.code != "":
		seen.reason, seen.position = o.Fields["reason"], int(number(o.Fields["position"]))
		if o.Word == string(problem.Invalid) {
			return lockSeen{word: o.Word}
		}
	case verb == "get":
		seen.version, seen.lines = number(o.Fields["version"]), int(number(o.Fields["waiters"]))
	case o.Word == "ticket":
		seen = lockSeen{word: "ticket", ticket: o.Ticket, position: int(number(o.Fields["position"]))}
	case o.Word == "saved":
		seen = lockSeen{word: "saved", version: number(o.Fields["version"])}
	}
	return seen
}
