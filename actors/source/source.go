// Package source is the kind of entity that an authority source file is: a body of authorities with a name, prefixes of
// their natural ids, and the base URL that the URIs of linked fields begin with. It is pure: see entity.Behavior.
//
// A change of the base URL raises its revision and gives birth, in the same batch, to the propagation that brings linked
// fields up to date.
//
// Names, codes and base URLs are unique in the provider, which guards them by reservations (package provider). A source
// says which names it has (Names), and remembers which of them are settled; whoever changes it reserves what is new before,
// and confirms and releases afterwards (Settle). What a crash leaves in between stands in the index IndexUnsettled.
//
// A deletion takes two steps. From Close on no authority can come to belong to the source: an authority that is written
// reads whether it is open. So what is looked for after that, and is not there, does not come while Delete is on its way.
package source

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/precondition"
	"concord/actors/problem"
	"concord/persistence"
)

// IndexUnsettled has the sources with names to confirm or to give back, and those that a deletion was begun of.
const IndexUnsettled = "source.unsettled"

// Sequence is where local ids begin.
type Sequence struct{ Start uint64 }

// State of a source. The zero value is one that never was.
type State struct {
	links.Source // as linked fields see it
	Live, Open   bool
	Name         string
	Codes        []string
	Type, Origin string
	Selectable   bool
	Sequence     *Sequence
	Numbered     string // code under which numbers were given; empty: none were
	Next         uint64 // number that is given next, if any was
	Created      time.Time
	Updated      time.Time
	Job          string   // propagation of the newest change of the base URL
	Held         []string // names that the provider has confirmed and not got back, in order
	Version      uint64
}

// Name is a name that a source has in a scope of the provider, and where a request gives it.
type Name struct{ Scope, Name, Path string }

// Key is the name in its scope. A scope holds no slash.
func (n Name) Key() string { return n.Scope + "/" + n.Name }

// Scopes of names.
const (
	ScopeName = "source-name"
	ScopeCode = "source-code"
	ScopeURL  = "source-url"
)

// Names are those that the source has, in order of their keys. The code that local ids were given under stays its own for
// good, so that nobody else gives them again.
func (s *State) Names() []Name {
	var names []Name
	if s.Live {
		names = append(names, Name{ScopeName, s.Name, "/name"})
		for i, code := range s.Codes {
			names = append(names, Name{ScopeCode, code, "/codes/" + strconv.Itoa(i)})
		}
		if s.BaseURL != "" {
			names = append(names, Name{ScopeURL, comparableURL(s.BaseURL), "/baseUrl"})
		}
	}
	if s.Numbered != "" && !slices.Contains(s.Codes, s.Numbered) {
		names = append(names, Name{ScopeCode, s.Numbered, "/codes"})
	}
	slices.SortFunc(names, func(a, b Name) int {
		if a.Key() < b.Key() {
			return -1
		}
		return 1
	})
	return names
}

// keys are the keys of the names.
func (s *State) keys() []string {
	var keys []string
	for _, n := range s.Names() {
		keys = append(keys, n.Key())
	}
	return keys
}

// Settled says that the provider knows the source's names as they are, and no deletion is under way.
func (s *State) Settled() bool { return s.Open == s.Live && slices.Equal(s.keys(), s.Held) }

// Command is a sealed set.
type Command interface{ command() }

type (
	// Put changes the members that are given; as a Whole it creates the source, or replaces all of it. Job makes the id of a
	// propagation. Try asks what it would take (see Attempt); it is for dry runs. With Undoes it takes the base URL of that
	// revision back, and is refused if there is a newer one.
	Put struct {
		precondition.Set
		Fields
		Whole  bool
		Job    string
		Try    bool
		Undoes uint64
	}
	// Close is the first step of a deletion.
	Close struct{}
	// Reopen takes Close back.
	Reopen struct{}
	// Delete leaves a tombstone of a source that is closed. Try asks whether it could be; it is for dry runs.
	Delete struct {
		precondition.Set
		Try bool
	}
	// Settle says that the provider knows the names with the keys, and no others.
	Settle struct{ Keys []string }
	// Next takes the next local id.
	Next struct{}
	// Audit has linked fields held against the source as it is; Job makes the id of the propagation.
	Audit struct{ Job string }
)

func (*Put) command()    {}
func (*Close) command()  {}
func (*Reopen) command() {}
func (*Delete) command() {}
func (*Settle) command() {}
func (*Next) command()   {}
func (*Audit) command()  {}

// Stored names of the events; never reused.
const (
	TypeSaved    = "source.saved"
	TypeClosed   = "source.closed"   // a deletion has begun
	TypeReopened = "source.reopened" // it was called off
	TypeDeleted  = "source.deleted"
	TypeSettled  = "source.settled"
	TypeNumbered = "source.numbered"
	TypeAudited  = "source.audited" // linked fields are held against it; it is as it was
)

// Event is one of the types, and the state after it.
type Event struct {
	Type  string
	After State
}

// Behavior is the source kind.
type Behavior struct{}

var _ entity.Behavior[State, Command, Event] = Behavior{}

// Kind is the stored number of the kind.
func (Behavior) Kind() persistence.Kind { return persistence.KindSource }

// Wants nothing: the state is all there is.
func (Behavior) Wants(State, Command, entity.Facts) []entity.Want { return nil }

// Decide judges a command.
func (b Behavior) Decide(s State, c Command, _ entity.Facts, m entity.Meta) (d entity.Decision[Event], err error) {
	after := s
	switch c := c.(type) {
	case *Put:
		return put(s, c, m)
	case *Close:
		if !s.Live {
			return d, Missing()
		}
		after.Open = false
		return only(s.Open, TypeClosed, after), nil
	case *Reopen:
		after.Open = s.Live
		return only(s.Open != s.Live, TypeReopened, after), nil
	case *Delete:
		return remove(s, c, m)
	case *Settle:
		if !slices.Equal(c.Keys, s.keys()) {
			return d, nil // the source has changed meanwhile
		}
		after.Held = c.Keys
		return only(!slices.Equal(s.Held, c.Keys), TypeSettled, after), nil
	case *Next:
		return next(s)
	case *Audit:
		if !s.Live {
			return d, Missing()
		}
		d.Births = after.follow(links.ActionAudit, c.Job, m)
		d.Events = []Event{{Type: TypeAudited, After: after}}
		return d, nil
	default:
		panic(fmt.Sprintf("source: unknown command %T", c))
	}
}

// only is the decision that one thing has happened, or that nothing has.
func only(happened bool, name string, after State) (d entity.Decision[Event]) {
	if happened {
		d.Events = []Event{{Type: name, After: after}}
	}
	return d
}

// Missing is the refusal of a source that is not there.
func Missing() *problem.Problem {
	return problem.New(problem.NotFound, "there is no such authority source file")
}

// what a source is called in refusals.
const what = "authority source file"

// Undoable says that the base URL which the change takes back is that of the source now: nil, or a refusal that names what is.
func (c *Put) Undoable(s *State) error {
	switch {
	case c.Undoes == 0 || s.Live && s.Revision == c.Undoes:
		return nil
	case !s.Live:
		return problem.New(problem.VersionConflict, "the %s has been deleted since", what).With("currentVersion", s.Version)
	}
	return problem.New(problem.VersionConflict, "the base URL of the %s %s has changed again since: its revision was %d, and is %d now",
		what, s.ID, c.Undoes, s.Revision).With("currentVersion", s.Version).With("propagation", s.Job)
}

func put(s State, c *Put, m entity.Meta) (d entity.Decision[Event], err error) {
	if err := c.Undoable(&s); err != nil {
		return d, err
	}
	if !c.Whole && !s.Live {
		return d, Missing()
	}
	if err := c.Check(what, s.Live, s.Version); err != nil {
		return d, err
	}
	if s.Live && !s.Open {
		return d, problem.New(problem.WrongState, "the %s is being deleted", what)
	}
	after, err := c.on(s, c.Whole)
	if err != nil {
		return d, err
	}
	if s.Live && s.same(&after) {
		return d, nil
	}
	after.ID, after.Live, after.Open, after.Updated = m.Entity.ID, true, true, m.Time
	switch {
	case !s.Live:
		after.Created, after.Revision, after.Job = m.Time, s.Revision+1, ""
	case after.BaseURL != s.BaseURL:
		after.Revision++
		d.Births = after.follow(links.ActionBaseURL, c.Job, m)
		d.Births[0].As.(*links.Change).Was.BaseURL = s.BaseURL
	}
	d.Events = []Event{{Type: TypeSaved, After: after}}
	return d, nil
}

// follow is the birth of the propagation that brings linked fields to the source as it is; the job of an earlier change is
// needless then.
func (s *State) follow(action, job string, m entity.Meta) []entity.Birth {
	change := &links.Change{Action: action, Source: s.Source, Supersedes: s.Job}
	s.Job = persistence.JobID(m.Entity, job)
	return []entity.Birth{{Entity: persistence.EntityID{Kind: persistence.KindPropagation, Provider: m.Entity.Provider, ID: s.Job}, As: change}}
}

func remove(s State, c *Delete, m entity.Meta) (d entity.Decision[Event], err error) {
	if !s.Live {
		return d, Missing()
	}
	if err := c.Check(what, s.Live, s.Version); err != nil {
		return d, err
	}
	if s.Open && !c.Try {
		return d, problem.New(problem.WrongState, "the %s was not closed before its deletion", what)
	}
	after := State{Source: links.Source{ID: s.ID, Revision: s.Revision}, Numbered: s.Numbered, Next: s.Next, Held: s.Held,
		Created: s.Created, Updated: m.Time}
	if s.BaseURL != "" {
		after.Revision++
	}
	d.Events = []Event{{Type: TypeDeleted, After: after}}
	return d, nil
}

func next(s State) (d entity.Decision[Event], err error) {
	switch {
	case !s.Live || !s.Open:
		return d, Missing()
	case s.Sequence == nil:
		return d, problem.New(problem.WrongState, "the %s has no sequence: set one to have local ids", what)
	case len(s.Codes) != 1:
		return d, problem.New(problem.WrongState, "the %s has %d codes: local ids need exactly one", what, len(s.Codes))
	case s.upcoming() > numberMax:
		return d, problem.New(problem.WrongState, "the sequence has ended at %d", uint64(numberMax))
	}
	s.Next = s.upcoming() + 1
	s.Numbered = s.Codes[0]
	d.Events = []Event{{Type: TypeNumbered, After: s}}
	return d, nil
}

// upcoming is the number that is given next.
func (s *State) upcoming() uint64 {
	if s.Numbered == "" {
		return s.Sequence.Start
	}
	return max(s.Next, s.Sequence.Start)
}

// Evolve is the state after the event.
func (Behavior) Evolve(_ State, e Event, at entity.Stamp) State {
	e.After.Version = at.Version
	return e.After
}

// Project enters the source among those with something left to be done, or takes it out.
func (Behavior) Project(before State, e Event, _ entity.Stamp) (p entity.Projection) {
	if was, is := before.Settled(), e.After.Settled(); was != is {
		p.Index = []persistence.IndexChange{{Name: IndexUnsettled, Removed: is}}
	}
	return p
}

// TimerFired is never called: a source has no timers.
func (Behavior) TimerFired(string, time.Time) Command { return nil }

// CutKey is the scope and the name of a key.
func CutKey(key string) (scope, name string) {
	scope, name, _ = strings.Cut(key, "/")
	return scope, name
}
