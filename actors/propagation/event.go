package propagation

import (
	"encoding/json"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/entity"
	"concord/actors/links"
	"concord/actors/links/linkspb"
	"concord/actors/propagation/propagationpb"
	"concord/persistence"
)

// Stored names of the events; never reused.
const (
	TypeRequested  = "propagation.requested"
	TypeChunked    = "propagation.chunked"
	TypePlanned    = "propagation.planned"
	TypeStarted    = "propagation.started"
	TypeProgressed = "propagation.progressed"
	TypePaused     = "propagation.paused"
	TypeResumed    = "propagation.resumed"
	TypeCancelled  = "propagation.cancelled"
	TypeSuperseded = "propagation.superseded"
	TypeRetried    = "propagation.retried"
	TypeFailed     = "propagation.failed"
	TypeCompleted  = "propagation.completed"
)

// Event carries the state after it, without the cause but in the first one, and the parts that it wrote.
type Event struct {
	Type  string
	After State
	Parts []entity.Content
}

// Evolve is the state after the event.
func (Behavior) Evolve(s State, e Event, _ entity.Stamp) State {
	after := e.After
	if e.Type != TypeRequested {
		after.Cause = s.Cause
	}
	return after
}

// Project keeps the parts, and enters the job in the indexes: by time, and while it is open.
func (Behavior) Project(before State, e Event, at entity.Stamp) entity.Projection {
	var p entity.Projection
	for _, c := range e.Parts {
		p.Parts = append(p.Parts, entity.PartInfo{ID: c.ID, Removed: c.Removed})
	}
	after := Behavior{}.Evolve(before, e, at)
	time := []byte(links.JobTerm(after.Requested))
	if before.Status == "" {
		p.Index = append(p.Index, persistence.IndexChange{Name: links.IndexJobs, Term: string(time)})
	}
	if before.Status.Open() != after.Status.Open() {
		p.Index = append(p.Index, persistence.IndexChange{Name: links.IndexOpenJobs,
			Term: persistence.Term(CauseOf(at.Entity.Provider, &after.Cause).String()), Value: time, Removed: !after.Status.Open()})
		if !after.Status.Open() {
			p.Index[len(p.Index)-1].Value = nil
		}
	}
	return p
}

// CauseOf is the entity that has changed.
func CauseOf(provider string, c *links.Change) persistence.EntityID {
	if c.Authority != nil {
		return persistence.EntityID{Kind: persistence.KindAuthority, Provider: provider, ID: c.Authority.ID}
	}
	return persistence.EntityID{Kind: persistence.KindSource, Provider: provider, ID: c.Source.ID}
}

// TimerFired is never called: a job has no timers.
func (Behavior) TimerFired(string, time.Time) Command { return nil }

// EncodeState is the stored form of the state.
func (Behavior) EncodeState(s State) []byte { return marshal(message(s, s.Cause.Message())) }

// message is the stored form of a state with the cause, or without it.
func message(s State, cause *linkspb.Change) *propagationpb.State {
	return &propagationpb.State{
		Status: string(s.Status), Cause: cause, Principal: s.Principal, Reason: s.Reason,
		Requested: persistence.Micros(s.Requested), Started: persistence.Micros(s.Started), Ended: persistence.Micros(s.Ended),
		Counts: &propagationpb.Counts{Updated: s.Counts.Updated, Unchanged: s.Counts.Unchanged, Failed: s.Counts.Failed,
			Skipped: s.Counts.Skipped, Superseded: s.Counts.Superseded, Pending: s.Counts.Pending},
		Documents: s.Documents, Collections: s.Collections, Done: s.Done, Waiting: s.Waiting, Retrying: s.Retrying,
		PlannedLinks: s.PlannedLinks, Chunks: s.Chunks, Whole: s.Whole, Row: s.Cursor.Row, After: s.Cursor.After, Left: s.Left,
		Round: s.Round, Failures: s.Failures, Rest: s.Rest, SupersededBy: s.SupersededBy, Message: s.Message,
	}
}

// DecodeState reads a stored state.
func (Behavior) DecodeState(b []byte) (State, error) {
	var m propagationpb.State
	if err := proto.Unmarshal(b, &m); err != nil {
		return State{}, fmt.Errorf("propagation state: %w", err)
	}
	c := m.GetCounts()
	s := State{
		Status: Status(m.GetStatus()), Principal: m.GetPrincipal(), Reason: m.GetReason(),
		Requested: persistence.TimeOf(m.GetRequested()), Started: persistence.TimeOf(m.GetStarted()), Ended: persistence.TimeOf(m.GetEnded()),
		Counts: Counts{Updated: c.GetUpdated(), Unchanged: c.GetUnchanged(), Failed: c.GetFailed(), Skipped: c.GetSkipped(),
			Superseded: c.GetSuperseded(), Pending: c.GetPending()},
		Documents: m.GetDocuments(), Collections: m.GetCollections(), Done: m.GetDone(), Waiting: m.GetWaiting(),
		Retrying: m.GetRetrying(), PlannedLinks: m.GetPlannedLinks(), Chunks: m.GetChunks(), Whole: m.GetWhole(),
		Cursor: Cursor{Row: m.GetRow(), After: m.GetAfter()}, Left: m.GetLeft(), Round: m.GetRound(), Failures: m.GetFailures(),
		Rest: m.GetRest(), SupersededBy: m.GetSupersededBy(), Message: m.GetMessage(),
	}
	if m.GetCause() != nil {
		s.Cause = links.ChangeOf(m.GetCause())
	}
	return s, nil
}

// EncodeEvent is the stored form of an event; what leaves of it is where the job stands.
func (Behavior) EncodeEvent(e Event) entity.Encoded {
	m := message(e.After, nil)
	told := Told{State: e.After.Status, Counts: e.After.Counts, Total: e.After.Counts.Total(), Documents: e.After.Documents,
		Collections: e.After.Collections, Done: e.After.Done, WaitingForLocks: e.After.waits(), SupersededBy: e.After.SupersededBy,
		Message: e.After.Message}
	if e.Type == TypeRequested {
		m.Cause = e.After.Cause.Message()
		cause := causeOf(&e.After.Cause)
		told.Cause = &cause
	}
	data, err := json.Marshal(told)
	if err != nil {
		panic("propagation: what leaves of an event always marshals: " + err.Error())
	}
	return entity.Encoded{Type: e.Type, Payload: marshal(m), Parts: e.Parts, Data: data}
}

// DecodeEvent reads a stored event.
func (b Behavior) DecodeEvent(enc entity.Encoded) (Event, error) {
	after, err := b.DecodeState(enc.Payload)
	return Event{Type: enc.Type, After: after, Parts: enc.Parts}, err
}
