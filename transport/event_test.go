package transport

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// TestRenderedEvents: an event is written by hand as json.Marshal would write it.
func TestRenderedEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[a-zA-Z0-9_.@/#-]{0,12}`))
		e := Event{ID: text.Draw(t, "id"), Type: text.Draw(t, "type"), Kind: text.Draw(t, "kind"), Provider: text.Draw(t, "provider"),
			Entity: text.Draw(t, "entity"), Seq: rapid.Uint64().Draw(t, "seq"), Version: rapid.Uint64().Draw(t, "version"),
			Time:      time.UnixMicro(rapid.Int64Range(0, 1<<51).Draw(t, "micros")).UTC(),
			Principal: text.Draw(t, "principal"), RequestID: text.Draw(t, "request"), Fence: rapid.Uint64().Draw(t, "fence")}
		switch rapid.IntRange(0, 2).Draw(t, "data") {
		case 1:
			e.Data.Changed = Changed{Documents: rapid.SliceOf(text).Draw(t, "documents"), Metadata: rapid.Bool().Draw(t, "metadata"),
				Removed: rapid.SliceOf(text).Draw(t, "removed"), More: rapid.IntRange(0, 2).Draw(t, "more")}
		case 2:
			e.Data.Lock = json.RawMessage(`{"party":{"principal":"ann"}}`)
		}
		want, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Render(); string(got) != string(want) {
			t.Fatalf("%s\nwant %s", got, want)
		}
	})
}

// TestBulkEvents: of a draft nobody is told; of a task what its kind tells, and not what its parts are.
func TestBulkEvents(t *testing.T) {
	parts := []*recordpb.Part{{Id: "p/00000000"}}
	if Leaves(&recordpb.Record{Kind: uint32(persistence.KindBulk), Type: "bulk.staged", Parts: parts}) {
		t.Error("the event of a draft leaves")
	}
	if !Leaves(&recordpb.Record{Kind: uint32(persistence.KindCollection), Type: "collection.saved", Parts: parts}) {
		t.Error("the event of a collection does not leave")
	}
	rec := &recordpb.Record{Kind: uint32(persistence.KindBulk), Type: "bulk.accepted", Parts: parts, Data: []byte(`{"state":"ACCEPTED"}`)}
	if data := string(EventOf(rec).Data.render(nil)); !Leaves(rec) || data != `{"state":"ACCEPTED"}` {
		t.Errorf("an acceptance tells %s", data)
	}
}
