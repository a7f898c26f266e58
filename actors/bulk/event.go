package bulk

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/bulk/bulkpb"
	"concord/actors/entity"
	"concord/actors/undo"
	"concord/persistence"
)

// Stored names of the events; never reused.
const (
	TypeStaged     = "bulk.staged"
	TypeAccepted   = "bulk.accepted"
	TypeStarted    = "bulk.started"
	TypeProgressed = "bulk.progressed"
	TypePaused     = "bulk.paused"
	TypeResumed    = "bulk.resumed"
	TypeCancelling = "bulk.cancelling"
	TypeCancelled  = "bulk.cancelled"
	TypeCompleted  = "bulk.completed"
	TypeExpired    = "bulk.expired"
	TypeNamed      = "bulk.named"
	TypeReleased   = "bulk.released"
	TypeUndone     = "bulk.undone"
	TypeWithdrawn  = "bulk.withdrawn"
)

// Event carries the state after it, and the parts that it wrote.
type Event struct {
	Type  string
	After State
	Parts []entity.Content
}

// Evolve is the state after the event.
func (Behavior) Evolve(_ State, e Event, _ entity.Stamp) State { return e.After }

// timerExpire ends a draft, or what is kept of a task that has ended.
const timerExpire = "expire"

// TimerFired ends a draft, or what is kept of a task that has ended.
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

// entries are those of a task where it stands.
func (s *State) entries() (list []entry) {
	listed := s.listed()
	if s.Status.Shown() {
		list = append(list, entry{IndexTasks, TaskTerm(s.Accepted, s.Number), listed}, entry{IndexNumbers, NumberTerm(s.Number), nil})
	}
	if s.Status.Open() || s.Status == Draft || s.Unnamed || s.Status == Expired && s.Name != "" {
		list = append(list, entry{IndexOpenTasks, OpenTerm(s.Number), listed})
	}
	return list
}

// Listed is the value of an entry in IndexTasks and IndexOpenTasks: what a list asks of a task before it reads it.
type Listed struct {
	Status    Status
	Number    uint64
	Name      string
	Principal string
	DryRun    bool
	Accepted  time.Time // zero: it is a draft
}

func (s *State) listed() []byte {
	return marshal(&bulkpb.Listed{Status: string(s.Status), Number: s.Number, Name: s.Name, Principal: s.Principal, DryRun: s.DryRun,
		Accepted: persistence.Micros(s.Accepted)})
}

// DecodeListed reads the value of an entry.
func DecodeListed(value []byte) (Listed, error) {
	var m bulkpb.Listed
	if err := proto.Unmarshal(value, &m); err != nil {
		return Listed{}, fmt.Errorf("entry of a bulk task: %w", err)
	}
	return Listed{Status: Status(m.GetStatus()), Number: m.GetNumber(), Name: m.GetName(), Principal: m.GetPrincipal(),
		DryRun: m.GetDryRun(), Accepted: persistence.TimeOf(m.GetAccepted())}, nil
}

// EncodeState is the stored form of the state.
func (Behavior) EncodeState(s State) []byte {
	return marshal(&bulkpb.State{
		Status: string(s.Status), Number: s.Number, Name: s.Name, DryRun: s.DryRun, OnLocked: s.OnLocked, PerSecond: s.PerSecond,
		RetryOf: s.RetryOf, Principal: s.Principal, Kind: s.Kind, Reason: s.Reason, Type: s.Type, Alias: s.Alias,
		Staged: persistence.Micros(s.Staged), Accepted: persistence.Micros(s.Accepted), Started: persistence.Micros(s.Started), Ended: persistence.Micros(s.Ended),
		Expires: persistence.Micros(s.Expires), Retention: s.Retention.Microseconds(),
		Counts: &bulkpb.Counts{Pending: s.Counts.Pending, Updated: s.Counts.Updated, Unchanged: s.Counts.Unchanged,
			Skipped: s.Counts.Skipped, Failed: s.Counts.Failed, Cancelled: s.Counts.Cancelled},
		Warned: s.Warned, Waiting: s.Waiting, Total: s.Total, Chunks: s.Chunks, PerChunk: s.PerChunk, Cursor: s.Cursor,
		Pieces: s.Pieces, UndoOf: s.UndoOf, OnConflict: string(s.OnConflict), UndoneBy: s.UndoneBy, Session: s.Session, Run: s.Run,
		Pinned: persistence.Micros(s.Pinned), KeptBytes: s.KeptBytes, Unnamed: s.Unnamed, Gone: s.Gone, Withdrawn: s.Withdrawn,
	})
}

// DecodeState reads a stored state.
func (Behavior) DecodeState(b []byte) (State, error) {
	var m bulkpb.State
	if err := proto.Unmarshal(b, &m); err != nil {
		return State{}, fmt.Errorf("bulk task state: %w", err)
	}
	c := m.GetCounts()
	return State{
		Status: Status(m.GetStatus()), Number: m.GetNumber(), Name: m.GetName(), DryRun: m.GetDryRun(), OnLocked: m.GetOnLocked(),
		PerSecond: m.GetPerSecond(), RetryOf: m.GetRetryOf(), Principal: m.GetPrincipal(), Kind: m.GetKind(), Reason: m.GetReason(),
		Type: m.GetType(), Alias: m.GetAlias(),
		Staged: persistence.TimeOf(m.GetStaged()), Accepted: persistence.TimeOf(m.GetAccepted()), Started: persistence.TimeOf(m.GetStarted()),
		Ended: persistence.TimeOf(m.GetEnded()), Expires: persistence.TimeOf(m.GetExpires()),
		Retention: time.Duration(m.GetRetention()) * time.Microsecond,
		Counts: Counts{Pending: c.GetPending(), Updated: c.GetUpdated(), Unchanged: c.GetUnchanged(), Skipped: c.GetSkipped(),
			Failed: c.GetFailed(), Cancelled: c.GetCancelled()},
		Warned: m.GetWarned(), Waiting: m.GetWaiting(), Total: m.GetTotal(), Chunks: m.GetChunks(), PerChunk: m.GetPerChunk(),
		Cursor: m.GetCursor(), Pieces: m.GetPieces(), UndoOf: m.GetUndoOf(), OnConflict: undo.OnConflict(m.GetOnConflict()),
		UndoneBy: m.GetUndoneBy(), Session: m.GetSession(), Run: m.GetRun(), Pinned: persistence.TimeOf(m.GetPinned()),
		KeptBytes: m.GetKeptBytes(), Unnamed: m.GetUnnamed(), Gone: m.GetGone(), Withdrawn: m.GetWithdrawn(),
	}, nil
}

// Told is what leaves of an event: never what an item holds.
type Told struct {
	State           Status `json:"state"`
	Number          uint64 `json:"number"`
	Name            string `json:"name"`
	DryRun          bool   `json:"dryRun,omitempty"`
	Counts          Counts `json:"counts"`
	Total           uint64 `json:"total"`
	WaitingForLocks uint64 `json:"waitingForLocks"`
	UndoOf          string `json:"undoOf,omitempty"`
	UndoneBy        string `json:"undoneBy,omitempty"`
}

// EncodeEvent is the stored form of an event. What happens to a draft leaves nothing to be told, nor what is done after the
// list is gone.
func (b Behavior) EncodeEvent(e Event) entity.Encoded {
	encoded := entity.Encoded{Type: e.Type, Payload: b.EncodeState(e.After), Parts: e.Parts}
	s := &e.After
	if s.Accepted.IsZero() || e.Type == TypeReleased || e.Type == TypeNamed || e.Type == TypeExpired && !s.Expires.IsZero() {
		return encoded
	}
	data, err := json.Marshal(Told{State: s.Status, Number: s.Number, Name: s.Name, DryRun: s.DryRun, Counts: s.Counts, Total: s.Total,
		WaitingForLocks: s.Waiting, UndoOf: s.UndoOf, UndoneBy: s.UndoneBy})
	if err != nil {
		panic("bulk: what leaves of an event always marshals: " + err.Error())
	}
	encoded.Data = data
	return encoded
}

// DecodeEvent reads a stored event.
func (b Behavior) DecodeEvent(enc entity.Encoded) (Event, error) {
	after, err := b.DecodeState(enc.Payload)
	return Event{Type: enc.Type, After: after, Parts: enc.Parts}, err
}
