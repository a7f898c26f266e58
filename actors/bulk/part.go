package bulk

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"concord/actors/bulk/bulkpb"
	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/links"
	"concord/actors/problem"
	"concord/actors/undo"
)

// Parts of a task, in the order in which they are listed.
const (
	PartPosted   = "b/" // of the posted body, as it came: the number of the piece
	PartOutcomes = "o/" // of consecutive rows: the number of the first
	PartChunks   = "p/" // of the list: the number of the chunk
	PartRequest  = "q"
	PartLate     = "r/" // outcome of a row that waited: it stands for the one in PartOutcomes
	PartWaiting  = "w/" // row that waits
)

// PostedPart holds a piece of the posted body.
func PostedPart(number uint32) string { return fmt.Sprintf(PartPosted+"%08d", number) }

// OutcomesPart holds the outcomes of rows from one on, as one Progress has told of them.
func OutcomesPart(row uint64) string { return fmt.Sprintf(PartOutcomes+"%08d", row) }

// ChunkPart holds a chunk of the list.
func ChunkPart(number uint32) string { return fmt.Sprintf(PartChunks+"%08d", number) }

// LatePart holds the outcome of a row that waited.
func LatePart(row uint64) string { return fmt.Sprintf(PartLate+"%08d", row) }

// WaitingPart is a row that waits.
func WaitingPart(row uint64) string { return fmt.Sprintf(PartWaiting+"%08d", row) }

// Indexes of tasks. The value of an entry is Listed, as it stands now; in IndexNumbers there is none.
const (
	IndexTasks     = "bulk.time"   // term: see TaskTerm; all that are shown
	IndexOpenTasks = "bulk.open"   // term: see OpenTerm; tasks that have not ended, drafts, those whose name is not settled yet, and expired ones whose name is not free yet
	IndexNumbers   = "bulk.number" // term: see NumberTerm; all that are shown
)

// TaskTerm is the term of IndexTasks: the newest come first; of those of one moment the one with the highest number. It begins
// with links.JobTerm of the time of acceptance.
func TaskTerm(accepted time.Time, number uint64) string {
	return fmt.Sprintf("%s/%020d", links.JobTerm(accepted), math.MaxUint64-number)
}

// OpenTerm is the term of IndexOpenTasks: in order of acceptance within the provider. Drafts have the number 0.
func OpenTerm(number uint64) string { return NumberTerm(number) }

// NumberTerm is the term of IndexNumbers.
func NumberTerm(number uint64) string { return fmt.Sprintf("%020d", number) }

// ScopeNames is the scope of the names of tasks at the provider's own actor, and CounterTasks the counter of their numbers.
const (
	ScopeNames   = "bulk"
	CounterTasks = "bulk"
)

// itemStates are the stored numbers of the states of items.
var itemStates = []ItemState{ItemPending, fields.Updated, fields.Unchanged, fields.Skipped, fields.Failed}

// DecodeChunk reads a chunk of the list.
func DecodeChunk(body []byte) ([]Row, error) {
	var m bulkpb.Chunk
	if err := proto.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("chunk of a list: %w", err)
	}
	rows := make([]Row, len(m.GetRows()))
	for i, r := range m.GetRows() {
		rows[i] = Row{Collection: r.GetCollection(), Key: r.GetKey(), Version: r.GetVersion(), Value: r.GetValue(), Code: r.GetCode(),
			Why: r.GetWhy()}
		for _, s := range r.GetUndo() {
			rows[i].Undo = append(rows[i].Undo, undo.Span{Before: s.GetBefore(), After: s.GetAfter()})
		}
	}
	return rows, nil
}

// DecodeRequest reads what a task was asked for with.
func DecodeRequest(body []byte) (Request, error) {
	var m bulkpb.Request
	if err := proto.Unmarshal(body, &m); err != nil {
		return Request{}, fmt.Errorf("request of a bulk task: %w", err)
	}
	return Request{Type: m.GetType(), Instructions: m.GetInstructions(), Fields: m.GetFields(), Targets: m.GetTargets()}, nil
}

// DecodeOutcomes reads the outcomes of consecutive rows. One that is pending has a LatePart since, or waits (WaitingPart), or
// was cancelled while it waited (State.Rest): its part is left as it was.
func DecodeOutcomes(body []byte) ([]Outcome, error) {
	var m bulkpb.Outcomes
	if err := proto.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("outcomes of items: %w", err)
	}
	outcomes := make([]Outcome, len(m.GetItems()))
	for i, o := range m.GetItems() {
		var err error
		if outcomes[i], err = outcomeOf(o); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// DecodeOutcome reads the outcome of a row that waited.
func DecodeOutcome(body []byte) (Outcome, error) {
	var m bulkpb.Outcome
	if err := proto.Unmarshal(body, &m); err != nil {
		return Outcome{}, fmt.Errorf("outcome of an item: %w", err)
	}
	return outcomeOf(&m)
}

func outcomeOf(m *bulkpb.Outcome) (Outcome, error) {
	if m.GetState() >= uint32(len(itemStates)) {
		return Outcome{}, fmt.Errorf("outcome of an item: there is no state %d", m.GetState())
	}
	o := Outcome{State: itemStates[m.GetState()], Code: m.GetCode(), Message: m.GetMessage(), VersionBefore: m.GetBefore(),
		VersionAfter: m.GetAfter(), Diff: m.GetDiff(), DiffBytes: m.GetDiffBytes(), Kept: m.GetKept()}
	for _, w := range m.GetWarnings() {
		o.Warnings = append(o.Warnings, problem.FieldError{Path: w.GetPath(), Message: w.GetMessage()})
	}
	return o, nil
}

// DecodeWaiting reads the part of a row that waits.
func DecodeWaiting(row uint64, body []byte) (Waiting, error) {
	var m bulkpb.Waiting
	if err := proto.Unmarshal(body, &m); err != nil {
		return Waiting{}, fmt.Errorf("row %d, which waits: %w", row, err)
	}
	if m.GetTries() == 0 {
		return Waiting{}, fmt.Errorf("row %d, which waits: it was never tried", row)
	}
	return Waiting{Row: row, Turn: m.GetTries() - 1, Holder: m.GetHolder()}, nil
}

func chunkPart(number uint32, rows []Row) entity.Content {
	m := &bulkpb.Chunk{Rows: make([]*bulkpb.Row, len(rows))}
	for i := range rows {
		r := &rows[i]
		m.Rows[i] = &bulkpb.Row{Collection: r.Collection, Key: r.Key, Version: r.Version, Value: r.Value, Code: r.Code, Why: cut(r.Why)}
		for _, s := range r.Undo {
			m.Rows[i].Undo = append(m.Rows[i].Undo, &bulkpb.Span{Before: s.Before, After: s.After})
		}
	}
	return content(ChunkPart(number), m)
}

func requestPart(r *Request) entity.Content {
	return content(PartRequest, &bulkpb.Request{Type: r.Type, Instructions: r.Instructions, Fields: r.Fields, Targets: r.Targets})
}

func outcomesPart(row uint64, outcomes []Outcome) entity.Content {
	m := &bulkpb.Outcomes{Items: make([]*bulkpb.Outcome, len(outcomes))}
	for i := range outcomes {
		m.Items[i] = outcomes[i].message()
	}
	return content(OutcomesPart(row), m)
}

func latePart(row uint64, o *Outcome) entity.Content { return content(LatePart(row), o.message()) }

func waitingPart(w Waiting) entity.Content {
	return content(WaitingPart(w.Row), &bulkpb.Waiting{Tries: w.Turn + 1, Holder: w.Holder})
}

// message is the stored form of an outcome.
func (o *Outcome) message() *bulkpb.Outcome {
	m := &bulkpb.Outcome{Code: o.Code, Message: o.Message, Before: o.VersionBefore, After: o.VersionAfter, Diff: o.Diff,
		DiffBytes: o.DiffBytes, Kept: o.Kept}
	for i, state := range itemStates {
		if state == o.State {
			m.State = uint32(i)
		}
	}
	for _, w := range o.Warnings {
		m.Warnings = append(m.Warnings, &bulkpb.Warning{Path: w.Path, Message: w.Message})
	}
	return m
}

// cut bounds a text that came with an item, between two characters.
func cut(text string) string {
	if end := messageMaxBytes; len(text) > end {
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		text = text[:end]
	}
	return strings.ToValidUTF8(text, "")
}

func content(id string, m proto.Message) entity.Content {
	return raw(id, marshal(m))
}

func raw(id string, body []byte) entity.Content {
	sum := sha256.Sum256(body)
	return entity.Content{ID: id, Hash: binary.BigEndian.Uint64(sum[:]), Size: len(body), Body: body}
}

func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic("bulk: a message of checked strings cannot fail to marshal: " + err.Error())
	}
	return b
}
