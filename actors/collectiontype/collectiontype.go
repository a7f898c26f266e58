// Package collectiontype is the kind of entity that holds what a group of collections has in common: a collection type,
// as the bytes that an operator sent. What they mean, and how a collection reads them, is the package rules. It is pure:
// see entity.Behavior.
//
// A type does not know the collections that name it. So it can be deleted, whoever does; collections whose type is gone
// have the rules of none.
package collectiontype

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/lookup"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/actors/rules/rulespb"
	"concord/persistence"
)

// Limits of a type.
type Limits struct{ MaxBytes int }

// DefaultLimits leave room for a thousand rules, the largest script and two schemas, and stay far below what one answer
// can hold. A collection reads its type for every write, so it should not be larger than it has to be.
var DefaultLimits = Limits{MaxBytes: 256 << 10}

// Preconditions of a command. The zero value has none.
type Preconditions struct {
	IfMatch     []uint64 // If-Match: the newest version is one of these
	IfExists    bool     // If-Match: *
	IfNoneMatch bool     // If-None-Match: *, create only
}

// Command is a sealed set.
type Command interface{ command() }

type (
	// Put creates the type, or replaces all of it. A text of the same JSON value changes nothing.
	Put struct {
		Preconditions
		Body []byte
	}
	// Delete leaves a tombstone; the history stays readable, and the versions go on.
	Delete struct{ Preconditions }
	// Built says that every collection of the type is found by all keys and indexes of its version. If that is not the newest
	// one any more it says nothing. It makes no version: the text stays the same.
	Built struct{ Version uint64 }
)

func (*Put) command()    {}
func (*Delete) command() {}
func (*Built) command()  {}

// Stored names of the events; never reused.
const (
	TypeSaved   = "type.saved"
	TypeDeleted = "type.deleted"
	TypeBuilt   = "type.built"
)

// Event is a sealed set.
type Event interface{ event() }

type (
	// Saved says that the type is this text from now on, and declares these keys and indexes.
	Saved struct {
		Text     []byte
		Declared []uint64
	}
	// Deleted says that there is no such type any more.
	Deleted struct{}
	// Indexed says that every collection of the type is found by these keys and indexes.
	Indexed struct{ Lookups []uint64 }
)

func (*Saved) event()   {}
func (*Deleted) event() {}
func (*Indexed) event() {}

// Behavior is the kind under its limits.
type Behavior struct{ Limits Limits }

var _ entity.Behavior[rules.State, Command, Event] = Behavior{}

// Kind is the stored number of the kind.
func (Behavior) Kind() persistence.Kind { return persistence.KindType }

// Wants nothing: the state is all there is.
func (Behavior) Wants(rules.State, Command, entity.Facts) []entity.Want { return nil }

// Decide judges a command.
func (b Behavior) Decide(s rules.State, c Command, f entity.Facts, m entity.Meta) (entity.Decision[Event], error) {
	return entity.Only(b.decide(s, c, f, m))
}

func (b Behavior) decide(s rules.State, c Command, _ entity.Facts, _ entity.Meta) ([]Event, error) {
	switch c := c.(type) {
	case *Put:
		return b.put(s, c)
	case *Delete:
		if !s.Live() {
			return nil, Missing()
		}
		if err := c.check(s); err != nil {
			return nil, err
		}
		return []Event{&Deleted{}}, nil
	case *Built:
		if !s.Live() || s.Version != c.Version || !s.Building() {
			return nil, nil
		}
		return []Event{&Indexed{s.Declared}}, nil
	default:
		panic(fmt.Sprintf("collectiontype: unknown command %T", c))
	}
}

func (b Behavior) put(s rules.State, c *Put) ([]Event, error) {
	if len(c.Body) > b.Limits.MaxBytes {
		return nil, problem.New(problem.TooLarge, "a collection type of %d bytes: the limit is %d", len(c.Body),
			b.Limits.MaxBytes).With("limit", b.Limits.MaxBytes)
	}
	t, err := rules.Parse(c.Body)
	if err != nil {
		return nil, err
	}
	if err := c.check(s); err != nil {
		return nil, err
	}
	if s.Live() {
		if same, err := jsonvalue.EqualText(s.Text, c.Body); same && err == nil {
			return nil, nil
		}
	}
	return []Event{&Saved{Text: bytes.Clone(c.Body), Declared: t.Lookups.Numbers()}}, nil
}

// check judges the preconditions.
func (p *Preconditions) check(s rules.State) error {
	switch {
	case p.IfNoneMatch && s.Live():
		return problem.New(problem.PreconditionFailed, "the collection type exists, at version %d", s.Version).
			With("currentVersion", s.Version)
	case p.IfExists && !s.Live():
		return problem.New(problem.PreconditionFailed, "there is no such collection type")
	case len(p.IfMatch) > 0 && (!s.Live() || !slices.Contains(p.IfMatch, s.Version)):
		return problem.New(problem.PreconditionFailed, "the newest version is %d", s.Version).
			With("currentVersion", s.Version)
	}
	return nil
}

// Missing is the refusal of a type that is not there.
func Missing() *problem.Problem {
	return problem.New(problem.NotFound, "there is no such collection type")
}

// Evolve is the state after the event. What was built of another version stays so, if it is still declared: a collection
// follows each of its keys and indexes as long as they are.
func (Behavior) Evolve(s rules.State, e Event, at entity.Stamp) rules.State {
	switch e := e.(type) {
	case *Saved:
		after := rules.State{Text: e.Text, Version: at.Version, Declared: e.Declared}
		for _, n := range e.Declared {
			if s.IsBuilt(n) {
				after.Built = append(after.Built, n)
			}
		}
		return after
	case *Deleted:
		return rules.State{Version: at.Version, Deleted: true}
	case *Indexed:
		s.Built = e.Lookups
		return s
	default:
		panic(fmt.Sprintf("collectiontype: unknown event %T", e))
	}
}

// Result is the answer to every command.
type Result struct {
	Provider string `json:"provider" doc:"Tenant"`
	ID       string `json:"id" doc:"Id of the collection type"`
	Version  uint64 `json:"version" doc:"Newest version"`
	ETag     string `json:"etag" doc:"Entity tag for If-Match, the quotes included"`
	Seq      uint64 `json:"seq" doc:"Number of the newest event"`
	Changed  bool   `json:"changed" doc:"False if the request changed nothing: then there is no new version"`
}

// Answer tells the caller where the type stands. A creation is 201 (RFC 9110 section 9.3.4), everything else 200.
func (Behavior) Answer(before, after rules.State, _ Command, x entity.Case) entity.Answer {
	at, changed := x.At, x.Changed
	status := http.StatusOK
	if changed && after.Live() && !before.Live() {
		status = http.StatusCreated
	}
	body, err := json.Marshal(Result{Provider: at.Entity.Provider, ID: at.Entity.ID, Version: at.Version,
		ETag: `"v` + strconv.FormatUint(at.Version, 10) + `"`, Seq: at.Seq, Changed: changed})
	if err != nil {
		panic("collectiontype: a result always marshals: " + err.Error())
	}
	return entity.Answer{Status: status, Version: at.Version, Body: body}
}

// Project enters a type in an index as long as there is something of it to be built. The text is in the event, and in the
// state.
func (b Behavior) Project(before rules.State, e Event, at entity.Stamp) entity.Projection {
	after := b.Evolve(before, e, at)
	if before.Building() == after.Building() {
		return entity.Projection{}
	}
	return entity.Projection{Index: []persistence.IndexChange{
		{Name: lookup.IndexBuilding, Term: lookup.BuildingTerm, Removed: before.Building()}}}
}

// TimerFired is never called: a type has no timers.
func (Behavior) TimerFired(string, time.Time) Command { return nil }

// EncodeState is the stored form of the state.
func (Behavior) EncodeState(s rules.State) []byte { return rules.EncodeState(s) }

// DecodeState reads a stored state.
func (Behavior) DecodeState(b []byte) (rules.State, error) { return rules.DecodeState(b) }

// EncodeEvent is the stored form of an event. Those of the text make a version.
func (Behavior) EncodeEvent(e Event) entity.Encoded {
	switch e := e.(type) {
	case *Saved:
		return entity.Encoded{Type: TypeSaved, Payload: marshal(&rulespb.Saved{Text: e.Text, Declared: e.Declared}), Content: true}
	case *Deleted:
		return entity.Encoded{Type: TypeDeleted, Content: true}
	case *Indexed:
		return entity.Encoded{Type: TypeBuilt, Payload: marshal(&rulespb.Built{Lookups: e.Lookups})}
	default:
		panic(fmt.Sprintf("collectiontype: unknown event %T", e))
	}
}

// DecodeEvent reads a stored event.
func (Behavior) DecodeEvent(enc entity.Encoded) (Event, error) {
	switch enc.Type {
	case TypeDeleted:
		return &Deleted{}, nil
	case TypeSaved:
		var m rulespb.Saved
		if err := proto.Unmarshal(enc.Payload, &m); err != nil {
			return nil, fmt.Errorf("%s: %w", enc.Type, err)
		}
		return &Saved{Text: m.GetText(), Declared: m.GetDeclared()}, nil
	case TypeBuilt:
		var m rulespb.Built
		if err := proto.Unmarshal(enc.Payload, &m); err != nil {
			return nil, fmt.Errorf("%s: %w", enc.Type, err)
		}
		return &Indexed{m.GetLookups()}, nil
	default:
		return nil, fmt.Errorf("collectiontype: unknown event %q", enc.Type)
	}
}

func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic("collectiontype: a message without strings cannot fail to marshal: " + err.Error())
	}
	return b
}
