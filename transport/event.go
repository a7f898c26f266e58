package transport

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// Event is what leaves of an event of an entity: what has happened and what it touched, never contents. Consumers drop
// repeats by (entity, seq).
type Event struct {
	ID        string    `json:"id" doc:"<kind>/<provider>/<id>#<seq>, also the message id"`
	Type      string    `json:"type" doc:"What happened, such as collection.saved"`
	Kind      string    `json:"kind"`
	Provider  string    `json:"provider"`
	Entity    string    `json:"entity"`
	Seq       uint64    `json:"seq" doc:"1, 2, 3... for each entity"`
	Version   uint64    `json:"version" doc:"Version of the content after the event"`
	Time      time.Time `json:"time"`
	Principal string    `json:"principal"`
	RequestID string    `json:"requestId,omitempty"`
	Fence     uint64    `json:"fence,omitempty"`
	Data      EventData `json:"data"`
}

// Changed names what an event wrote, never its content.
type Changed struct {
	Metadata  bool     `json:"metadata,omitempty" doc:"The metadata was written"`
	Documents []string `json:"documents,omitempty" doc:"Documents that were written"`
	Removed   []string `json:"removed,omitempty" doc:"Documents that were removed"`
	More      int      `json:"more,omitempty" doc:"How many documents more than are named"`
}

// EventData is what an event tells beside its place.
type EventData struct {
	Changed
	// Merge tells how a write came out that was built on an older version, as JSON; nil if none was.
	Merge json.RawMessage `json:"merge,omitempty"`
	// Lock is all that an event of the lock, of a contest, of the queue, of a parked update, of a propagation, of a bulk task,
	// of a bulk edit session, of a source or of an authority tells, as JSON.
	Lock json.RawMessage `json:"-"`
}

// MarshalJSON writes what the event tells.
func (d EventData) MarshalJSON() ([]byte, error) {
	if len(d.Lock) > 0 {
		return d.Lock, nil
	}
	return json.Marshal(changedData{d.Changed, d.Merge})
}

// changedData is the form of an event that changes content.
type changedData struct {
	Changed
	Merge json.RawMessage `json:"merge,omitempty"`
}

// UnmarshalJSON reads it back. Lock has all of it, whatever the event.
func (d *EventData) UnmarshalJSON(text []byte) error {
	var changed changedData
	if err := json.Unmarshal(text, &changed); err != nil {
		return err
	}
	d.Changed, d.Merge, d.Lock = changed.Changed, changed.Merge, append(json.RawMessage(nil), text...)
	return nil
}

// EventNamedMax is how many documents an event names, and namedMaxBytes how long their names are together: an event must
// fit into a message.
const (
	EventNamedMax = 1000
	namedMaxBytes = 32 << 10
)

// metadataPart is the id of the part that is the metadata.
const metadataPart = ""

// Bytes is how long the names are together.
func (c Changed) Bytes() (n int) {
	for _, names := range [][]string{c.Documents, c.Removed} {
		for _, name := range names {
			n += len(name)
		}
	}
	return n
}

// ChangedBy names the parts that the record wrote, at most so many documents.
func ChangedBy(rec *recordpb.Record, most int) (c Changed) {
	bytes := 0
	for _, p := range rec.GetParts() {
		switch {
		case p.GetId() == metadataPart:
			c.Metadata = true
		case len(c.Documents)+len(c.Removed) == most || bytes+len(p.GetId()) > namedMaxBytes:
			c.More++
		case p.GetRemoved():
			bytes += len(p.GetId())
			c.Removed = append(c.Removed, p.GetId())
		default:
			bytes += len(p.GetId())
			c.Documents = append(c.Documents, p.GetId())
		}
	}
	return c
}

// EventOf is the event of a record.
func EventOf(rec *recordpb.Record) Event {
	e := persistence.EntityOf(rec)
	var data EventData
	switch {
	case e.Kind == persistence.KindPropagation, e.Kind == persistence.KindAuthority, e.Kind == persistence.KindBulk,
		e.Kind == persistence.KindEditSession: // their parts are their own
		data.Lock = rec.GetData()
	case len(rec.GetParts()) > 0:
		data = EventData{Changed: ChangedBy(rec, EventNamedMax), Merge: rec.GetData()}
	default:
		data.Lock = rec.GetData()
	}
	return Event{
		ID: e.EventID(rec.GetSeq()), Type: rec.GetType(), Kind: e.Kind.String(), Provider: e.Provider, Entity: e.ID,
		Seq: rec.GetSeq(), Version: rec.GetVersion(), Time: persistence.TimeOf(rec.GetTime()),
		Principal: rec.GetPrincipal(), RequestID: rec.GetRequestId(), Fence: rec.GetFence(),
		Data: data,
	}
}

// Leaves says that anybody is told of the event. Of a bulk task that was not accepted nobody is, nor of the rows of a bulk edit
// session.
func Leaves(rec *recordpb.Record) bool {
	kind := persistence.Kind(rec.GetKind())
	return kind != persistence.KindBulk && kind != persistence.KindEditSession || len(rec.GetData()) > 0
}

// SharesSubject says that the events of many entities of the kind have one subject, since their ids are no tokens of one.
func SharesSubject(k persistence.Kind) bool { return k == persistence.KindAuthority }

// Token is the last token of the event's subject: the entity's id, or, where a subject is shared, what it is shared by: of
// authorities their source.
func (e Event) Token() string {
	if e.Kind != persistence.KindAuthority.String() {
		return e.Entity
	}
	var told struct {
		Source string `json:"source"`
	}
	if err := json.Unmarshal(e.Data.Lock, &told); err != nil || !ValidID(told.Source) {
		return noToken
	}
	return told.Source
}

// noToken stands for a source that an event does not name.
const noToken = "-"

// Render is the event as JSON, as json.Marshal writes it: every change is rendered, so that it is done without
// reflection as far as it goes.
func (e Event) Render() []byte {
	b := make([]byte, 0, 384+len(e.Data.Lock)+2*e.Data.Bytes())
	member := func(name, value string) {
		b = append(append(append(b, '"'), name...), `":`...)
		b = append(appendString(b, value), ',')
	}
	number := func(name string, n uint64) {
		b = append(append(append(b, '"'), name...), `":`...)
		b = append(strconv.AppendUint(b, n, 10), ',')
	}
	b = append(b, '{')
	member("id", e.ID)
	member("type", e.Type)
	member("kind", e.Kind)
	member("provider", e.Provider)
	member("entity", e.Entity)
	number("seq", e.Seq)
	number("version", e.Version)
	b = append(b, `"time":"`...)
	b = append(e.Time.AppendFormat(b, time.RFC3339Nano), `",`...)
	member("principal", e.Principal)
	if e.RequestID != "" {
		member("requestId", e.RequestID)
	}
	if e.Fence != 0 {
		number("fence", e.Fence)
	}
	b = append(b, `"data":`...)
	return append(e.Data.render(b), '}')
}

func (d EventData) render(b []byte) []byte {
	if len(d.Lock) > 0 {
		return append(b, d.Lock...)
	}
	b = append(b, '{')
	if d.Metadata {
		b = append(b, `"metadata":true,`...)
	}
	b = appendNames(b, `"documents":[`, d.Documents)
	b = appendNames(b, `"removed":[`, d.Removed)
	if d.More != 0 {
		b = append(strconv.AppendInt(append(b, `"more":`...), int64(d.More), 10), ',')
	}
	if len(d.Merge) > 0 {
		b = append(append(append(b, `"merge":`...), d.Merge...), ',')
	}
	if b[len(b)-1] == ',' {
		b = b[:len(b)-1]
	}
	return append(b, '}')
}

// appendNames writes a member that is a list of names, and a comma; nothing if there are none.
func appendNames(b []byte, member string, names []string) []byte {
	if len(names) == 0 {
		return b
	}
	b = append(b, member...)
	for _, name := range names {
		b = append(appendString(b, name), ',')
	}
	b[len(b)-1] = ']'
	return append(b, ',')
}

// appendString quotes what needs no escape by itself.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c > 0x7e || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, err := json.Marshal(s)
			if err != nil {
				panic(fmt.Sprintf("transport: a string always marshals: %v", err))
			}
			return append(b, text...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
