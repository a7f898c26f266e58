package authority

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"concord/actors/authority/authoritypb"
	"concord/actors/entity"
	"concord/actors/links"
	"concord/persistence"
)

// Result is the answer to every command of a caller.
type Result struct {
	Provider    string `json:"provider"`
	ID          string `json:"id"`
	Version     uint64 `json:"version"`
	ETag        string `json:"etag"`
	Seq         uint64 `json:"seq"`
	Changed     bool   `json:"changed"`
	Propagation string `json:"propagation,omitempty"`
}

// Outcome is the answer to one of many, in place of a body. Its status is that of a Result.
type Outcome byte

// The outcomes.
const (
	OutcomeUnchanged Outcome = iota
	OutcomeCreated
	OutcomeChanged
	OutcomeAsked // it would change what linked fields see: nothing was done, since the sender has to know if there are any
)

// Is says that an answer is the outcome.
func (o Outcome) Is(a entity.Answer) bool { return len(a.Body) == 1 && a.Body[0] == byte(o) }

// outcomes are the bodies of the outcomes.
var outcomes = [...][]byte{{byte(OutcomeUnchanged)}, {byte(OutcomeCreated)}, {byte(OutcomeChanged)}, {byte(OutcomeAsked)}}

func outcomeOf(before *State, x *entity.Case) Outcome {
	switch {
	case x.Told != nil:
		return OutcomeAsked
	case !x.Changed:
		return OutcomeUnchanged
	case !before.Live():
		return OutcomeCreated
	default:
		return OutcomeChanged
	}
}

// Answer tells where the authority stands. With a propagation it is 202, a creation is 201 (RFC 9110 section 9.3.4), all
// else 200.
func (Behavior) Answer(before, after State, c Command, x entity.Case) entity.Answer {
	at := x.At
	status, job := http.StatusOK, ""
	if after.Live() && !before.Live() {
		status = http.StatusCreated
	}
	if x.Changed && after.Job != before.Job && !x.DryRun {
		status, job = http.StatusAccepted, after.Job
	}
	if put, ok := c.(*Put); ok && put.Terse {
		return entity.Answer{Status: status, Version: at.Version, Body: outcomes[outcomeOf(&before, &x)]}
	}
	r := Result{Provider: at.Entity.Provider, ID: at.Entity.ID, Version: at.Version, ETag: `"v` + strconv.FormatUint(at.Version, 10) + `"`,
		Seq: at.Seq, Changed: x.Changed, Propagation: job}
	body, err := json.Marshal(r)
	if err != nil {
		panic("authority: a result always marshals: " + err.Error())
	}
	return entity.Answer{Status: status, Version: at.Version, Body: body}
}

// message is the stored form of an authority, as an event has it.
func (s *State) message() *authoritypb.State {
	return &authoritypb.State{Authority: s.Message(), Created: persistence.Micros(s.Created), Updated: persistence.Micros(s.Updated),
		Purge: persistence.Micros(s.Purge), Job: s.Job, RecordHash: s.Hash}
}

// EncodeState is the stored form of the state.
func (Behavior) EncodeState(s State) []byte {
	m := s.message()
	m.Version = s.Version
	return marshal(m)
}

// DecodeState reads a stored state.
func (Behavior) DecodeState(b []byte) (State, error) {
	var m authoritypb.State
	if err := proto.Unmarshal(b, &m); err != nil {
		return State{}, fmt.Errorf("authority state: %w", err)
	}
	return stateOf(&m), nil
}

func stateOf(m *authoritypb.State) State {
	return State{Authority: links.AuthorityOf(m.GetAuthority()), Created: persistence.TimeOf(m.GetCreated()),
		Updated: persistence.TimeOf(m.GetUpdated()), Purge: persistence.TimeOf(m.GetPurge()), Job: m.GetJob(), Hash: m.GetRecordHash(),
		Version: m.GetVersion()}
}

// Published is what leaves of an event.
type Published struct {
	Source    string `json:"source"`
	NaturalID string `json:"naturalId,omitempty"`
	Revision  uint64 `json:"revision"`
	Action    string `json:"action,omitempty"`
}

// EncodeEvent is the stored form of an event. What a caller has changed makes a version.
func (Behavior) EncodeEvent(e Event) entity.Encoded {
	data, err := json.Marshal(Published{Source: e.Source, NaturalID: e.After.NaturalID, Revision: e.After.Revision, Action: e.Action})
	if err != nil {
		panic("authority: texts and numbers always marshal: " + err.Error())
	}
	enc := entity.Encoded{Type: e.Type, Payload: marshal(&authoritypb.Event{After: e.After.message(), Action: e.Action, Source: e.Source, Unfollowed: e.Unfollowed}),
		Content: e.Type == TypeSaved || e.Type == TypeDeleted, Data: data}
	switch e.Type {
	case TypeSaved:
		enc.Parts = []entity.Content{{ID: RecordPart, Hash: e.After.Hash, Size: e.Size, Body: e.Record}}
	case TypePurged:
		enc.Parts = []entity.Content{{ID: RecordPart, Removed: true}}
	}
	return enc
}

// DecodeEvent reads a stored event.
func (Behavior) DecodeEvent(enc entity.Encoded) (Event, error) {
	var m authoritypb.Event
	if err := proto.Unmarshal(enc.Payload, &m); err != nil {
		return Event{}, fmt.Errorf("%s: %w", enc.Type, err)
	}
	e := Event{Type: enc.Type, After: stateOf(m.GetAfter()), Action: m.GetAction(), Source: m.GetSource(), Unfollowed: m.GetUnfollowed()}
	if len(enc.Parts) > 0 {
		e.Record, e.Size = enc.Parts[0].Body, enc.Parts[0].Size
	}
	return e, nil
}

// fieldUnfollowed is the number of Event.unfollowed.
const fieldUnfollowed = 4

// Unfollowed says, from the payload of an event, whether linked fields may have to follow it without a job. It decodes
// nothing: an import brings a million of them.
func Unfollowed(payload []byte) bool {
	set, _ := protowire.ConsumeVarint(entity.Peek(payload, fieldUnfollowed, protowire.VarintType))
	return set == 1
}

func marshal(m proto.Message) []byte {
	b, err := proto.Marshal(m)
	if err != nil {
		panic("authority: a message of checked strings cannot fail to marshal: " + err.Error())
	}
	return b
}
