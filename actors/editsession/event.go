package editsession

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/editsession/editsessionpb"
	"concord/actors/entity"
	"concord/actors/undo"
	"concord/persistence"
)

// Stored names of the events; never reused.
const (
	TypeStaged  = "edit.staged"
	TypeOpened  = "edit.opened"
	TypeMatched = "edit.matched"
	TypeBegun   = "edit.begun"
	TypeAborted = "edit.aborted"
	TypeClosed  = "edit.closed"
	TypeExpired = "edit.expired"
)

// Event carries the state after it, and the parts that it wrote.
type Event struct {
	Type  string
	After State
	Parts []entity.Content
}

// Evolve is the state after the event.
func (Behavior) Evolve(_ State, e Event, _ entity.Stamp) State { return e.After }

// timerExpire ends a draft, closes a session, and removes the rows of a closed one.
const timerExpire = "expire"

// TimerFired ends a draft, closes a session, or removes the rows of a closed one.
func (Behavior) TimerFired(_ string, due time.Time) Command { return &Expire{Due: due} }

// Project keeps the parts, the timer, and the entries in the indexes: those follow from the state alone.
func (Behavior) Project(before State, e Event, _ entity.Stamp) entity.Projection {
	var p entity.Projection
	for _, c := range e.Parts {
		p.Parts = append(p.Parts, entity.PartInfo{ID: c.ID, Removed: c.Removed})
	}
	if was, is := before.Expires, e.After.Expires; !was.Equal(is) {
		p.Timers = []entity.Timer{{Name: timerExpire, Was: was, Due: is}}
	}
	was, is := before.entries(), e.After.entries()
	for _, entry := range was {
		if !slices.ContainsFunc(is, entry.same) {
			p.Index = append(p.Index, persistence.IndexChange{Name: entry.name, Term: entry.term, Removed: true})
		}
	}
	for _, entry := range is {
		if at := slices.IndexFunc(was, entry.same); at < 0 || !bytes.Equal(was[at].value, entry.value) {
			p.Index = append(p.Index, persistence.IndexChange{Name: entry.name, Term: entry.term, Value: entry.value})
		}
	}
	return p
}

// entry is one in an index.
type entry struct {
	name, term string
	value      []byte
}

func (e entry) same(o entry) bool { return e.name == o.name && e.term == o.term }

// entries are those of a session where it stands.
func (s *State) entries() (list []entry) {
	if s.Status.Shown() {
		list = append(list, entry{IndexOwners, OwnerTerm(s.Owner, s.Opened), s.listed()})
	}
	if s.Status == Opened {
		list = append(list, entry{IndexLast, OwnerTerm(s.Owner, s.Opened), s.listed()})
	}
	if s.Status == Draft || s.Status == Opened {
		list = append(list, entry{IndexOpen, OpenTerm, s.listed()})
	}
	return list
}

// Listed is the value of an entry: what a list asks of a session before it reads it.
type Listed struct {
	Status  Status
	Name    string
	Owner   string
	Opened  time.Time // zero: it is a draft
	Expires time.Time
}

func (s *State) listed() []byte {
	return marshal(&editsessionpb.Listed{Status: string(s.Status), Name: s.Name, Owner: s.Owner, Opened: persistence.Micros(s.Opened), Expires: persistence.Micros(s.Expires)})
}

// DecodeListed reads the value of an entry.
func DecodeListed(value []byte) (Listed, error) {
	var m editsessionpb.Listed
	if err := proto.Unmarshal(value, &m); err != nil {
		return Listed{}, fmt.Errorf("entry of a bulk edit session: %w", err)
	}
	return Listed{Status: Status(m.GetStatus()), Name: m.GetName(), Owner: m.GetOwner(), Opened: persistence.TimeOf(m.GetOpened()),
		Expires: persistence.TimeOf(m.GetExpires())}, nil
}

// EncodeState is the stored form of the state.
func (Behavior) EncodeState(s State) []byte {
	m := &editsessionpb.State{
		Status: string(s.Status), Name: s.Name, Owner: s.Owner, Type: s.Type, By: s.By, From: s.From, Keep: s.Keep, Reason: s.Reason,
		List: s.message(), Lists: s.List, Next: s.Staged.message(), Staged: persistence.Micros(s.StagedAt), Numbered: s.Numbered, Steps: s.Steps,
		Path: s.Path, Opened: persistence.Micros(s.Opened), Used: persistence.Micros(s.Used), Closed: persistence.Micros(s.Closed), Expires: persistence.Micros(s.Expires),
		Retention: s.Retention.Microseconds(),
	}
	for i := range s.Runs {
		r := &s.Runs[i]
		m.Runs = append(m.Runs, &editsessionpb.Run{Number: r.Number, Kind: string(r.Kind), Task: r.Task, DryRun: r.DryRun, Step: r.Step,
			Mark: r.Mark, To: r.To, Of: r.Of, OnConflict: string(r.OnConflict), Begun: persistence.Micros(r.Begun)})
	}
	return marshal(m)
}

// DecodeState reads a stored state.
func (Behavior) DecodeState(b []byte) (State, error) {
	var m editsessionpb.State
	if err := proto.Unmarshal(b, &m); err != nil {
		return State{}, fmt.Errorf("bulk edit session state: %w", err)
	}
	s := State{
		Status: Status(m.GetStatus()), Name: m.GetName(), Owner: m.GetOwner(), Type: m.GetType(), By: m.GetBy(), From: m.GetFrom(),
		Keep: m.GetKeep(), Reason: m.GetReason(), Rows: rowsOf(m.GetList()), List: m.GetLists(), Staged: rowsOf(m.GetNext()),
		StagedAt: persistence.TimeOf(m.GetStaged()), Numbered: m.GetNumbered(), Steps: m.GetSteps(), Path: m.GetPath(),
		Opened: persistence.TimeOf(m.GetOpened()), Used: persistence.TimeOf(m.GetUsed()), Closed: persistence.TimeOf(m.GetClosed()),
		Expires: persistence.TimeOf(m.GetExpires()), Retention: time.Duration(m.GetRetention()) * time.Microsecond,
	}
	for _, r := range m.GetRuns() {
		s.Runs = append(s.Runs, Run{Number: r.GetNumber(), Kind: RunKind(r.GetKind()), Task: r.GetTask(), DryRun: r.GetDryRun(),
			Step: r.GetStep(), Mark: r.GetMark(), To: r.GetTo(), Of: r.GetOf(), OnConflict: undo.OnConflict(r.GetOnConflict()),
			Begun: persistence.TimeOf(r.GetBegun())})
	}
	return s, nil
}

func (r *Rows) message() *editsessionpb.List {
	return &editsessionpb.List{Chunks: r.Chunks, PerChunk: r.PerChunk, Bytes: r.Bytes, Matched: r.Counts.Matched, NotFound: r.Counts.NotFound,
		Duplicate: r.Counts.Duplicate, Ambiguous: r.Counts.Ambiguous}
}

func rowsOf(m *editsessionpb.List) Rows {
	return Rows{Chunks: m.GetChunks(), PerChunk: m.GetPerChunk(), Bytes: m.GetBytes(),
		Counts: Counts{Matched: m.GetMatched(), NotFound: m.GetNotFound(), Duplicate: m.GetDuplicate(), Ambiguous: m.GetAmbiguous()}}
}

// Told is what leaves of an event: never the rows.
type Told struct {
	State  Status   `json:"state"`
	Name   string   `json:"name,omitempty"`
	Owner  string   `json:"owner"`
	Counts Counts   `json:"counts"`
	Path   []uint32 `json:"path"`
	Run    *ToldRun `json:"run,omitempty"` // that has begun
}

// ToldRun is a run that has begun.
type ToldRun struct {
	Run    uint32  `json:"run"`
	Kind   RunKind `json:"kind"`
	Step   uint32  `json:"step,omitempty"`
	To     *uint32 `json:"to,omitempty"` // of a roll-back: 0 is the start
	Of     uint32  `json:"of,omitempty"`
	DryRun bool    `json:"dryRun,omitempty"`
	Task   string  `json:"task,omitempty"`
}

// EncodeEvent is the stored form of an event. What is staged leaves nothing to be told, nor does a draft.
func (b Behavior) EncodeEvent(e Event) entity.Encoded {
	encoded := entity.Encoded{Type: e.Type, Payload: b.EncodeState(e.After), Parts: e.Parts}
	s := &e.After
	if s.Opened.IsZero() || e.Type == TypeStaged {
		return encoded
	}
	told := Told{State: s.Status, Name: s.Name, Owner: s.Owner, Counts: s.Counts, Path: append([]uint32{}, s.Path...)}
	if newest, ok := s.Newest(); ok && e.Type == TypeBegun {
		told.Run = newest.told()
	}
	encoded.Data = text(told)
	return encoded
}

func (r *Run) told() *ToldRun {
	told := &ToldRun{Run: r.Number, Kind: r.Kind, Step: r.Step, Of: r.Of, DryRun: r.DryRun, Task: r.Task}
	if r.Kind == Rollback {
		told.To = &r.To
	}
	return told
}

// DecodeEvent reads a stored event.
func (b Behavior) DecodeEvent(enc entity.Encoded) (Event, error) {
	after, err := b.DecodeState(enc.Payload)
	return Event{Type: enc.Type, After: after, Parts: enc.Parts}, err
}

// Result is the answer to every command. Callers of the API are shown more: what the tasks of the runs have come to.
type Result struct {
	Session string `json:"session"`
	State   Status `json:"state"`
	Run     uint32 `json:"run,omitempty"`     // the newest one
	Task    string `json:"task,omitempty"`    // of the newest run
	Matched bool   `json:"matched,omitempty"` // the command has replaced the rows
	Seq     uint64 `json:"seq"`
}

// Answer tells where the session stands.
func (Behavior) Answer(_, after State, c Command, x entity.Case) entity.Answer {
	newest, _ := after.Newest()
	status := http.StatusOK
	if _, opens := c.(*Open); opens {
		status = http.StatusCreated
	}
	_, matches := c.(*Match)
	return entity.Answer{Status: status, Body: text(Result{Session: x.At.Entity.ID, State: after.Status, Run: newest.Number, Task: newest.Task,
		Matched: matches && x.Changed, Seq: x.At.Seq})}
}

// text is JSON of what always marshals.
func text(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic("editsession: what is told always marshals: " + err.Error())
	}
	return b
}
