package transport

import (
	"encoding/json"
	"fmt"
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
	// Lock is all that an event of the lock, of a contest, of the queue or of a parked update tells, as JSON; such an
	// event changes no content.
	Lock json.RawMessage `json:"-"`
}

// MarshalJSON writes what the event tells.
func (d EventData) MarshalJSON() ([]byte, error) {
	if len(d.Lock) > 0 {
		return d.Lock, nil
	}
	return json.Marshal(d.Changed)
}

// UnmarshalJSON reads it back. Lock has all of it, whatever the event.
func (d *EventData) UnmarshalJSON(text []byte) error {
	d.Lock = append(json.RawMessage(nil), text...)
	return json.Unmarshal(text, &d.Changed)
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
	return Event{
		ID: e.EventID(rec.GetSeq()), Type: rec.GetType(), Kind: e.Kind.String(), Provider: e.Provider, Entity: e.ID,
		Seq: rec.GetSeq(), Version: rec.GetVersion(), Time: persistence.TimeOf(rec.GetTime()),
		Principal: rec.GetPrincipal(), RequestID: rec.GetRequestId(), Fence: rec.GetFence(),
		Data: EventData{ChangedBy(rec, EventNamedMax), rec.GetData()},
	}
}

// Render is the event as JSON.
func (e Event) Render() []byte {
	text, err := json.Marshal(e)
	if err != nil {
		panic(fmt.Sprintf("transport: event %s: %v", e.ID, err))
	}
	return text
}
