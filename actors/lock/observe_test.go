package lock

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"concord/actors/lock/scenario"
	"concord/actors/problem"
)

func commandOf(s scenario.Step) (Command, error) {
	length := func(name string) time.Duration {
		n, err := strconv.Atoi(s.Args[name])
		if err != nil {
			return 0
		}
		return time.Duration(n) * time.Second
	}
	flag := func(name string) bool { return s.Args[name] == "true" }
	switch a := s.Args; s.Verb {
	case "acquire":
		return Acquire{TTL: length("ttl"), Wait: flag("wait"), TakeOverOwn: flag("takeOverOwn"), Token: a["token"]}, nil
	case "renew":
		return Renew{Token: a["token"], TTL: length("ttl"), Reacquire: a["reacquire"] != "false"}, nil
	case "release":
		return Release{Token: a["token"]}, nil
	case "beacon":
		return Release{Token: a["token"], Beacon: true}, nil
	case "break":
		return Break{a["reason"]}, nil
	case "contest":
		return Contest{a["note"], flag("acquire"), length("deadline")}, nil
	case "withdraw":
		return Withdraw{}, nil
	case "deny":
		return Deny{a["token"], a["reason"], a["contest"]}, nil
	case "accept":
		return Accept{Token: a["token"], Session: a["session"], Contest: a["contest"]}, nil
	case "claim":
		return Claim{a["ticket"]}, nil
	case "keepalive":
		return KeepAlive{a["ticket"]}, nil
	case "leave":
		return Leave{a["ticket"]}, nil
	case "get":
		return Get{}, nil
	case "outcome":
		return Outcome{}, nil
	case "operation":
		return GetOperation{a["operation"]}, nil
	case "cancel":
		return CancelOperation{a["operation"]}, nil
	default:
		return nil, fmt.Errorf("unknown verb %q", s.Verb)
	}
}

func refused(err error) scenario.Observed {
	p := problem.Of(err)
	o := scenario.Observed{Word: string(p.Code), Status: p.Status(), Fields: map[string]string{}}
	if p.RetryAfter > 0 {
		o.Fields["retryAfter"] = strconv.Itoa(secondsUp(p.RetryAfter))
	}
	for _, member := range p.Members {
		switch v := member.Value.(type) {
		case *HolderView:
			o.Fields["holder"] = scenario.Party{Principal: v.Principal, Session: v.Session}.String()
		case []string:
			o.Fields[member.Name] = strings.Join(v, ",")
		default:
			o.Fields[member.Name] = fmt.Sprint(v)
		}
	}
	return o
}

func observed(verb string, r Result) scenario.Observed {
	o := scenario.Observed{Word: "ok", Status: r.Status, Token: r.Token, Fields: map[string]string{}}
	set := func(name string, value any) { o.Fields[name] = fmt.Sprint(value) }
	some := func(name string, value int) {
		if value != 0 {
			set(name, value)
		}
	}
	switch {
	case r.Grant != nil:
		o.Word = map[bool]string{true: "renewed", false: "granted"}[verb == "renew"]
		set("fence", r.Grant.Fence)
		set("expiresIn", r.Grant.ExpiresIn)
		set("renewAfter", r.Grant.RenewAfter)
		set("contested", r.Grant.Contested)
		set("reacquired", r.Grant.Reacquired)
	case r.Ticket != nil:
		o.Word, o.Ticket = map[bool]string{true: "alive", false: "ticket"}[verb == "keepalive"], r.Ticket.Ticket
		set("position", r.Ticket.Position)
		set("offered", r.Ticket.Offered)
		set("expiresIn", r.Ticket.ExpiresIn)
	case r.Contest != nil:
		o.Word, o.Ticket = map[bool]string{true: "contest", false: "ticket"}[r.Contest.Contest != ""], r.Contest.Ticket
		o.Contest = r.Contest.Contest
		set("joined", r.Contest.Joined)
		set("prompted", r.Contest.Prompted)
		some("position", r.Contest.Position)
	case r.View != nil:
		o.Word = string(r.View.State)
		set("fence", r.View.Fence)
		set("waiters", r.View.Waiters)
		set("contestants", r.View.Contestants)
		set("version", r.View.Version)
		some("expiresIn", r.View.ExpiresIn)
		if h := r.View.Holder; h != nil {
			set("holder", scenario.Party{Principal: h.Principal, Session: h.Session})
		}
	case r.Outcome != nil:
		o.Word = string(r.Outcome.State)
		if r.Outcome.Reason != "" {
			set("reason", r.Outcome.Reason)
		}
		some("retryAfter", r.Outcome.RetryAfter)
		some("position", r.Outcome.Position)
		set("offered", r.Outcome.Offered)
	case r.Operation != nil:
		o.Word = string(r.Operation.State)
		some("version", int(r.Operation.Version))
		some("position", r.Operation.Position)
		if r.Operation.Code != "" {
			set("code", r.Operation.Code)
		}
	}
	return o
}

// settingsOf reads the settings line of a scenario.
func settingsOf(args map[string]string) (Settings, error) {
	s := DefaultSettings
	for name, value := range args {
		n, err := strconv.Atoi(value)
		length := time.Duration(n) * time.Second
		switch name {
		case "mode":
			s.Mode, err = Mode(value), nil
		case "contest.onTimeout":
			s.OnTimeout, err = Policy(value), nil
		case "ttl":
			s.TTL = length
		case "minTtl":
			s.MinTTL = length
		case "maxTtl":
			s.MaxTTL = length
		case "maxWaiters":
			s.MaxWaiters = n
		case "waiterTtl":
			s.WaiterTTL = length
		case "offerWindow":
			s.OfferWindow = length
		case "contest.deadline":
			s.ContestDeadline = length
		case "contest.cooldown":
			s.Cooldown = length
		case "lockedStatus":
			s.LockedStatus = n
		default:
			err = fmt.Errorf("unknown setting %q", name)
		}
		if err != nil {
			return s, err
		}
	}
	return s, s.Validate()
}
