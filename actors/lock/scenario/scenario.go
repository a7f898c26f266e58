// Package scenario is a small language for stories about locks, and a runner for them. The same stories are told to the
// pure machine (actors/lock) and to a running service: whoever can do a Step is a Target.
//
// A file holds scenarios, one step a line:
//
//	== a contest is denied
//	settings ttl=60 contest.cooldown=30
//	ann#1 acquire ttl=60 -> granted fence=1
//	+30s
//	bob#1 contest note="need it" acquire -> contest prompted=true position=1
//	ann#1 deny reason="busy" -> ok
//	restart
//	bob#1 outcome -> denied reason="busy" retryAfter=30
//	ann#1 events -> lock.acquired waiter.added contest.opened contest.denied
//
// Everything a story expects can be seen through the public API. Behind the arrow stands a word, then fields. The word
// is the problem's code if the step is refused; else it is what the step came to (see Step). A field's value is
// compared as text; `*` is any, `-` is none. `status` is the HTTP status. Lengths are whole seconds: expiresIn rounded
// down, retryAfter up. holder is principal#session.
//
// Tokens, tickets, contests and operations are named by who got them: token=ann#1 is the newest that session got,
// token=ann#1/1 its first. A bare `token`, `ticket`, `operation` is the caller's own newest. token=forged was never given, token=none
// is none. A collection that nobody has locked or contested, at version 1, stands at the beginning of each story; its
// events before that are not told. Everybody may do everything: who breaks locks has the right to.
package scenario

import (
	"embed"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
)

// Party is who does a step: principal#session.
type Party struct{ Principal, Session string }

func (p Party) String() string {
	if p.Session == "" {
		return p.Principal
	}
	return p.Principal + "#" + p.Session
}

// Scenario is a story.
type Scenario struct {
	File     string
	Line     int
	Name     string
	Settings map[string]string // members of the type's `lock`, those of `contest` with a dot: contest.deadline=60
	Steps    []Step
}

// Step is a line of a story: time that passes, a restart of the service, or something that somebody does.
//
// Verbs, their arguments, and the words of their success:
//
//	acquire    ttl wait takeOverOwn token        granted, ticket
//	renew      token ttl reacquire               renewed
//	release    token                             ok
//	beacon     token                             ok (release by the token alone, without credentials)
//	break      reason                            ok
//	contest    note acquire deadline             contest, granted, ticket
//	withdraw                                     ok
//	deny       token reason contest              ok
//	accept     token session contest             ok
//	claim      ticket                            granted
//	keepalive  ticket                            alive
//	leave      ticket                            ok
//	get                                          free, held, contested, offered, auto
//	outcome                                      open, granted, denied, timed_out, withdrawn, resolved, expired
//	write      token release queue doc base policy job   saved, parked
//	operation  operation                         waiting, done, failed, cancelled, expired
//	cancel     operation                         ok
//	hold                                         ok (an update is being merged from now on: AUTO)
//	resume                                       ok
//	events                                       the types of the stored events since the last such step
//
// A write writes document doc (default: the principal) with new content; base is its baseVersion, queue is onLocked,
// release is Lock-Release. A parked write without base builds on the version at that time.
type Step struct {
	Line    int
	Text    string
	Advance time.Duration
	Restart bool
	Who     Party
	Verb    string
	Args    map[string]string // flags are "true"
	Want    Want
}

// Want is what a step is to come to.
type Want struct {
	Word   string
	Fields []Field
	Events []string // of the verb events
}

// Field is one expectation.
type Field struct{ Name, Value string }

// verbs are all verbs with their arguments.
var verbs = map[string][]string{
	"acquire": {"ttl", "wait", "takeOverOwn", "token"}, "renew": {"token", "ttl", "reacquire"},
	"release": {"token"}, "beacon": {"token"}, "break": {"reason"}, "contest": {"note", "acquire", "deadline"}, "withdraw": {},
	"deny": {"token", "reason", "contest"}, "accept": {"token", "session", "contest"}, "claim": {"ticket"}, "keepalive": {"ticket"}, "leave": {"ticket"},
	"get": {}, "outcome": {}, "write": {"token", "release", "queue", "doc", "base", "policy", "job"}, "operation": {"operation"},
	"cancel": {"operation"}, "hold": {}, "resume": {}, "events": {},
}

// own are the arguments that a verb has though it does not name them: the caller's own newest.
var own = map[string]string{"renew": "token", "release": "token", "beacon": "token", "deny": "token", "accept": "token",
	"claim": "ticket", "keepalive": "ticket", "leave": "ticket", "operation": "operation", "cancel": "operation"}

//go:embed testdata/*.txt
var files embed.FS

// All are the stories of this package.
func All() ([]Scenario, error) {
	names, err := fs.Glob(files, "testdata/*.txt")
	if err != nil {
		return nil, err
	}
	var all []Scenario
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		some, err := Parse(strings.TrimPrefix(name, "testdata/"), string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// Parse reads a file of stories.
func Parse(file, text string) ([]Scenario, error) {
	var all []Scenario
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		fail := func(err error) ([]Scenario, error) {
			return nil, fmt.Errorf("%s:%d: %q: %w", file, i+1, line, err)
		}
		if name, ok := strings.CutPrefix(line, "== "); ok {
			all = append(all, Scenario{File: file, Line: i + 1, Name: strings.TrimSpace(name), Settings: map[string]string{}})
			continue
		}
		if line == "" || strings.HasPrefix(line, "# ") || line == "#" {
			continue
		}
		if len(all) == 0 {
			return fail(fmt.Errorf("a step outside of a scenario"))
		}
		sc := &all[len(all)-1]
		if settings, ok := strings.CutPrefix(line, "settings "); ok {
			args, err := arguments(settings)
			if err != nil {
				return fail(err)
			}
			for _, a := range args {
				sc.Settings[a.Name] = a.Value
			}
			continue
		}
		step, err := parseStep(line)
		if err != nil {
			return fail(err)
		}
		step.Line, step.Text = i+1, line
		sc.Steps = append(sc.Steps, step)
	}
	return all, nil
}

func parseStep(line string) (Step, error) {
	if length, ok := strings.CutPrefix(line, "+"); ok {
		d, err := time.ParseDuration(length)
		return Step{Advance: d}, err
	}
	if line == "restart" {
		return Step{Restart: true}, nil
	}
	doing, want, ok := strings.Cut(line, " -> ")
	if !ok {
		return Step{}, fmt.Errorf("what is it to come to? an arrow is missing")
	}
	who, rest, _ := strings.Cut(doing, " ")
	verb, rest, _ := strings.Cut(strings.TrimSpace(rest), " ")
	known, ok := verbs[verb]
	if !ok {
		return Step{}, fmt.Errorf("unknown verb %q", verb)
	}
	s := Step{Who: party(who), Verb: verb, Args: map[string]string{}}
	args, err := arguments(rest)
	if err != nil {
		return Step{}, err
	}
	for _, a := range args {
		if !slices.Contains(known, a.Name) {
			return Step{}, fmt.Errorf("%s has no %q", verb, a.Name)
		}
		s.Args[a.Name] = a.Value
	}
	if verb == "events" {
		s.Want.Events = strings.Fields(want)
		return s, nil
	}
	expect, err := arguments(want)
	if err != nil {
		return Step{}, err
	}
	if len(expect) == 0 {
		return Step{}, fmt.Errorf("nothing behind the arrow")
	}
	s.Want.Word, s.Want.Fields = expect[0].Name, expect[1:]
	return s, nil
}

func party(text string) Party {
	principal, session, _ := strings.Cut(text, "#")
	return Party{principal, session}
}

// arguments reads name=value, name="a value" and name (which is name=true).
func arguments(text string) ([]Field, error) {
	var all []Field
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		end := strings.IndexAny(text, " =")
		if end < 0 || text[end] == ' ' {
			name, rest, _ := strings.Cut(text, " ")
			all, text = append(all, Field{name, "true"}), rest
			continue
		}
		name, value := text[:end], text[end+1:]
		if quoted, ok := strings.CutPrefix(value, `"`); ok {
			inside, rest, ok := strings.Cut(quoted, `"`)
			if !ok {
				return nil, fmt.Errorf("a quote is not closed")
			}
			all, text = append(all, Field{name, inside}), rest
			continue
		}
		word, rest, _ := strings.Cut(value, " ")
		all, text = append(all, Field{name, word}), rest
	}
	return all, nil
}
