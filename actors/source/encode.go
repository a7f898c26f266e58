package source

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/proto"

	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/source/sourcepb"
	"concord/persistence"
)

// Result is the answer to every change.
type Result struct {
	Provider    string `json:"provider"`
	ID          string `json:"id"`
	Version     uint64 `json:"version"`
	ETag        string `json:"etag"`
	Seq         uint64 `json:"seq"`
	Changed     bool   `json:"changed"`
	Propagation string `json:"propagation,omitempty"`
}

// Given is the answer to Next.
type Given struct {
	ID string `json:"id"`
}

// Attempt is the answer to a command that only tries: names that are not held yet. Its status is 0, so that it is told from
// the remembered answer to the same request.
type Attempt struct {
	Take []Name `json:"take"`
}

// Answer tells where the source stands. With a propagation it is 202, a creation is 201 (RFC 9110 section 9.3.4), all else
// 200.
func (Behavior) Answer(before, after State, c Command, x entity.Case) entity.Answer {
	at := x.At
	r := Result{Provider: at.Entity.Provider, ID: at.Entity.ID, Version: at.Version, ETag: `"v` + strconv.FormatUint(at.Version, 10) + `"`,
		Seq: at.Seq, Changed: x.Changed}
	status := http.StatusOK
	switch c := c.(type) {
	case *Put:
		if c.Try {
			return answer(0, 0, Attempt{Take: untaken(&before, &after)})
		}
		if after.Live && !before.Live {
			status = http.StatusCreated
		}
		if after.Job != before.Job && after.Job != "" && !x.DryRun {
			status, r.Propagation = http.StatusAccepted, after.Job
		}
	case *Delete:
		if c.Try {
			return answer(0, 0, Attempt{})
		}
	case *Next:
		return answer(status, at.Version, Given{ID: after.Numbered + strconv.FormatUint(after.Next-1, 10)})
	case *Audit:
		status, r.Propagation = http.StatusAccepted, after.Job
	case *Close, *Reopen, *Settle:
	}
	return answer(status, at.Version, r)
}

// untaken are the names after a change that are not its own yet.
func untaken(before, after *State) []Name {
	own := make(map[string]bool, len(before.Held))
	for _, key := range before.Held {
		own[key] = true
	}
	var take []Name
	for _, n := range after.Names() {
		if !own[n.Key()] {
			take = append(take, n)
		}
	}
	return take
}

func answer(status int, version uint64, body any) entity.Answer {
	text, err := json.Marshal(body)
	if err != nil {
		panic("source: an answer always marshals: " + err.Error())
	}
	return entity.Answer{Status: status, Version: version, Body: text}
}

// message is the stored form of a source, as an event has it.
func (s *State) message() *sourcepb.State {
	m := &sourcepb.State{Source: s.Message(), Open: s.Open, Live: s.Live, Name: s.Name, Codes: s.Codes, Type: s.Type,
		Selectable: s.Selectable, Origin: s.Origin, Numbered: s.Numbered, Next: s.Next, Job: s.Job, Held: s.Held,
		Created: persistence.Micros(s.Created), Updated: persistence.Micros(s.Updated)}
	if s.Sequence != nil {
		m.Sequence = &sourcepb.Sequence{Start: s.Sequence.Start}
	}
	return m
}

// EncodeState is the stored form of the state.
func (Behavior) EncodeState(s State) []byte {
	m := s.message()
	m.Version = s.Version
	return marshal(m)
}

// DecodeState reads a stored state.
func (Behavior) DecodeState(b []byte) (State, error) {
	var m sourcepb.State
	if err := proto.Unmarshal(b, &m); err != nil {
		return State{}, fmt.Errorf("source state: %w", err)
	}
	s := State{Source: links.SourceOf(m.GetSource()), Open: m.GetOpen(), Live: m.GetLive(), Name: m.GetName(), Codes: m.GetCodes(),
		Type: m.GetType(), Selectable: m.GetSelectable(), Origin: m.GetOrigin(), Numbered: m.GetNumbered(), Next: m.GetNext(),
		Created: persistence.TimeOf(m.GetCreated()), Updated: persistence.TimeOf(m.GetUpdated()), Job: m.GetJob(), Held: m.GetHeld(),
		Version: m.GetVersion()}
	if m.GetSequence() != nil {
		s.Sequence = &Sequence{Start: m.GetSequence().GetStart()}
	}
	return s, nil
}

// published is what leaves of an event.
type published struct {
	URLRevision uint64 `json:"urlRevision"`
}

// EncodeEvent is the stored form of an event. What an operator has changed makes a version.
func (Behavior) EncodeEvent(e Event) entity.Encoded {
	data, err := json.Marshal(published{e.After.Revision})
	if err != nil {
		panic("source: a number always marshals: " + err.Error())
	}
	return entity.Encoded{Type: e.Type, Payload: marshal(e.After.message()), Content: e.Type == TypeSaved || e.Type == TypeDeleted, Data: data}
}

// DecodeEvent reads a stored event.
func (b Behavior) DecodeEvent(enc entity.Encoded) (Event, error) {
	after, err := b.DecodeState(enc.Payload)
	return Event{Type: enc.Type, After: after}, err
}

func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic("source: a message of checked strings cannot fail to marshal: " + err.Error())
	}
	return b
}
