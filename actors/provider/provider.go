// Package provider is the kind of entity that owns what must be unique across the entities of a tenant: names, numbers,
// and the idempotency keys of operations whose id the service makes. No other entity guards uniqueness. It is pure: see
// entity.Behavior.
//
// A name is taken in two steps, because its owner is another entity, in another atomic batch: it is reserved for a
// while, then confirmed once the owner exists. A reservation that is never confirmed lapses by timer.
package provider

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/provider/providerpb"
	"concord/persistence"
)

// ReservationTTL is how long a name stays reserved without being confirmed.
const ReservationTTL = 5 * time.Minute

// State holds the newest number of each counter. There are a handful; names are not in here.
type State struct {
	Counters map[string]uint64
}

// Command is a sealed set.
type Command interface{ command() }

type (
	// Issue remembers, under the caller's idempotency key, the id that the service made for the caller.
	Issue struct{ ID string }
	// Next takes the next number of a counter.
	Next struct{ Counter string }
	// Reserve takes a name of a scope for an owner; the owner's own reservation is renewed.
	Reserve struct{ Scope, Name, Owner string }
	// Confirm makes a reservation permanent.
	Confirm struct{ Scope, Name, Owner string }
	// Release gives a name back.
	Release struct{ Scope, Name, Owner string }
	// Lapse is what the timer of a reservation says.
	Lapse struct {
		Part string
		Due  time.Time
	}
)

func (*Issue) command()   {}
func (*Next) command()    {}
func (*Reserve) command() {}
func (*Confirm) command() {}
func (*Release) command() {}
func (*Lapse) command()   {}

// Stored names of the events; never reused.
const (
	TypeIssued    = "provider.issued"
	TypeNumbered  = "provider.numbered"
	TypeReserved  = "provider.name-reserved"
	TypeConfirmed = "provider.name-confirmed"
	TypeReleased  = "provider.name-released"
)

// Event is one of the types with its fields.
type Event struct {
	Type               string
	Scope, Name, Owner string
	Due, Was           time.Time
	Number             uint64
	ID                 string
}

// Behavior is the provider kind.
type Behavior struct{}

var _ entity.Behavior[State, Command, Event] = Behavior{}

// Kind is the stored number of the kind.
func (Behavior) Kind() persistence.Kind { return persistence.KindProvider }

// partOf is the part under which a name is kept. A scope holds no slash.
func partOf(scope, name string) string { return scope + "/" + name }

// Wants names the one name that the command is about.
func (Behavior) Wants(_ State, c Command, known entity.Facts) []entity.Want {
	part := ""
	switch c := c.(type) {
	case *Reserve:
		part = partOf(c.Scope, c.Name)
	case *Confirm:
		part = partOf(c.Scope, c.Name)
	case *Release:
		part = partOf(c.Scope, c.Name)
	case *Lapse:
		part = c.Part
	case *Issue, *Next:
		return nil
	}
	if _, ok := known.Part(part, false); ok {
		return nil
	}
	return []entity.Want{{Part: part}}
}

// held is what is known of a name.
func held(f entity.Facts, part string) (owner string, due time.Time, taken bool) {
	fact, _ := f.Part(part, false)
	var n providerpb.Name
	if !fact.Exists || proto.Unmarshal(fact.Info, &n) != nil {
		return "", time.Time{}, false
	}
	return n.GetOwner(), persistence.TimeOf(n.GetDue()), true
}

// Decide judges a command.
func (b Behavior) Decide(s State, c Command, f entity.Facts, m entity.Meta) (entity.Decision[Event], error) {
	return entity.Only(b.decide(s, c, f, m))
}

func (Behavior) decide(s State, c Command, f entity.Facts, m entity.Meta) ([]Event, error) {
	switch c := c.(type) {
	case *Issue:
		return []Event{{Type: TypeIssued, ID: c.ID}}, nil
	case *Next:
		return []Event{{Type: TypeNumbered, Name: c.Counter, Number: s.Counters[c.Counter] + 1}}, nil
	case *Reserve:
		owner, due, taken := held(f, partOf(c.Scope, c.Name))
		if taken && owner != c.Owner {
			return nil, problem.New(problem.NameTaken, "%s %q belongs to another", c.Scope, c.Name)
		}
		if taken && due.IsZero() {
			return nil, nil
		}
		return []Event{{Type: TypeReserved, Scope: c.Scope, Name: c.Name, Owner: c.Owner,
			Was: due, Due: m.Time.Add(ReservationTTL)}}, nil
	case *Confirm:
		owner, due, taken := held(f, partOf(c.Scope, c.Name))
		if !taken || owner != c.Owner {
			return nil, problem.New(problem.WrongState, "%s %q is not reserved for %s", c.Scope, c.Name, c.Owner)
		}
		if due.IsZero() {
			return nil, nil
		}
		return []Event{{Type: TypeConfirmed, Scope: c.Scope, Name: c.Name, Owner: c.Owner, Was: due}}, nil
	case *Release:
		owner, due, taken := held(f, partOf(c.Scope, c.Name))
		if !taken || owner != c.Owner {
			return nil, nil
		}
		return []Event{{Type: TypeReleased, Scope: c.Scope, Name: c.Name, Owner: c.Owner, Was: due}}, nil
	case *Lapse:
		owner, due, taken := held(f, c.Part)
		if !taken || !due.Equal(c.Due) {
			return nil, nil
		}
		scope, name, _ := strings.Cut(c.Part, "/")
		return []Event{{Type: TypeReleased, Scope: scope, Name: name, Owner: owner, Was: due}}, nil
	default:
		panic(fmt.Sprintf("provider: unknown command %T", c))
	}
}

// Evolve is the state after the event.
func (Behavior) Evolve(s State, e Event, _ entity.Stamp) State {
	if e.Type != TypeNumbered {
		return s
	}
	counters := make(map[string]uint64, len(s.Counters)+1)
	for name, last := range s.Counters {
		counters[name] = last
	}
	counters[e.Name] = e.Number
	return State{Counters: counters}
}

// Result answers every command: what was made, if the command makes something.
type Result struct {
	ID     string `json:"id,omitempty"`
	Number uint64 `json:"number,omitempty"`
}

// Answer tells the caller the id or number that is now its own.
func (Behavior) Answer(_, s State, c Command, _ entity.Case) entity.Answer {
	var r Result
	switch c := c.(type) {
	case *Issue:
		r.ID = c.ID
	case *Next:
		r.Number = s.Counters[c.Counter]
	default:
	}
	body, err := json.Marshal(r)
	if err != nil {
		panic("provider: a result always marshals: " + err.Error())
	}
	return entity.Answer{Status: http.StatusOK, Body: body}
}

// contents are the name that the event writes or gives back.
func contents(e Event) []entity.Content {
	switch e.Type {
	case TypeReserved, TypeConfirmed:
		return []entity.Content{{ID: partOf(e.Scope, e.Name), Body: []byte{}}}
	case TypeReleased:
		return []entity.Content{{ID: partOf(e.Scope, e.Name), Removed: true}}
	default:
		return nil
	}
}

// Project keeps the owner of a name beside it, and a timer while it is reserved.
func (Behavior) Project(_ State, e Event, _ entity.Stamp) entity.Projection {
	var p entity.Projection
	for _, c := range contents(e) {
		name := &providerpb.Name{Owner: e.Owner}
		if !e.Due.IsZero() {
			name.Due = e.Due.UnixMicro()
		}
		p.Parts = append(p.Parts, entity.PartInfo{ID: c.ID, Removed: c.Removed, Info: marshal(name)})
		if !e.Was.IsZero() || !e.Due.IsZero() {
			p.Timers = append(p.Timers, entity.Timer{Name: c.ID, Was: e.Was, Due: e.Due})
		}
	}
	return p
}

// TimerFired lets a reservation lapse.
func (Behavior) TimerFired(name string, due time.Time) Command { return &Lapse{Part: name, Due: due} }

// EncodeState is the stored form of the state.
func (Behavior) EncodeState(s State) []byte {
	m := &providerpb.State{}
	for name, last := range s.Counters {
		m.Counters = append(m.Counters, &providerpb.Counter{Name: name, Last: last})
	}
	slices.SortFunc(m.Counters, func(a, b *providerpb.Counter) int { return strings.Compare(a.GetName(), b.GetName()) })
	return marshal(m)
}

// DecodeState reads a stored state.
func (Behavior) DecodeState(b []byte) (State, error) {
	var m providerpb.State
	if err := proto.Unmarshal(b, &m); err != nil {
		return State{}, fmt.Errorf("provider state: %w", err)
	}
	s := State{Counters: make(map[string]uint64, len(m.GetCounters()))}
	for _, c := range m.GetCounters() {
		s.Counters[c.GetName()] = c.GetLast()
	}
	return s, nil
}

// EncodeEvent is the stored form of an event.
func (Behavior) EncodeEvent(e Event) entity.Encoded {
	m := &providerpb.Event{Scope: e.Scope, Name: e.Name, Owner: e.Owner, Number: e.Number, Id: e.ID}
	if !e.Due.IsZero() {
		m.Due = e.Due.UnixMicro()
	}
	if !e.Was.IsZero() {
		m.Was = e.Was.UnixMicro()
	}
	return entity.Encoded{Type: e.Type, Payload: marshal(m), Parts: contents(e)}
}

// DecodeEvent reads a stored event.
func (Behavior) DecodeEvent(enc entity.Encoded) (Event, error) {
	var m providerpb.Event
	if err := proto.Unmarshal(enc.Payload, &m); err != nil {
		return Event{}, fmt.Errorf("%s: %w", enc.Type, err)
	}
	return Event{Type: enc.Type, Scope: m.GetScope(), Name: m.GetName(), Owner: m.GetOwner(), Number: m.GetNumber(),
		ID: m.GetId(), Due: persistence.TimeOf(m.GetDue()), Was: persistence.TimeOf(m.GetWas())}, nil
}

func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic("provider: a message of checked strings cannot fail to marshal: " + err.Error())
	}
	return b
}
