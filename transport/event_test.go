package transport

import (
	"encoding/json"
	"testing"
	"time"

	"pgregory.net/rapid"
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
