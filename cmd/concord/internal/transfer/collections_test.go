package transfer

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"concord/transport/client"
)

// TestRecordsBecomeCollections: each is the metadata of one; a bad one costs no other, and the same again makes no version.
func TestRecordsBecomeCollections(t *testing.T) {
	c := connect(t)
	if _, err := c.TypePut(t.Context(), "dataset", json.RawMessage(`{"schemas":{"metadata":{"required":["n"]}}}`)); err != nil {
		t.Fatal(err)
	}
	text := `{"id":"a","n":1}
no JSON
{"id":"b/c","n":2}
{"id":"d"}
{"id":"e","n":3}
`
	for range 2 {
		var failed []string
		im := &Collections{Client: c, Type: "dataset", Clients: 3, Failed: func(f Failure) { failed = append(failed, fmt.Sprint(f.Row, f.Collection, " ", f.Code)) }}
		totals, err := im.Run(t.Context(), lines(t, text))
		if err != nil || totals.Rows != 5 || totals.Moved != 2 || totals.Failed != 3 || totals.Collections != 2 {
			t.Errorf("%+v, %v", totals, err)
		}
		if all := strings.Join(failed, ", "); !strings.Contains(all, "2 unreadable") || !strings.Contains(all, "3b/c invalid") || !strings.Contains(all, "4d schema-invalid") {
			t.Errorf("failed: %s", all)
		}
	}
	if diff := cmp.Diff([]string{"a v1 0", "e v1 0"}, versions(t, c)); diff != "" {
		t.Error(diff)
	}
	got, err := c.CollectionGet(t.Context(), "e", client.WithoutDocuments())
	if err != nil || got.Type != "dataset" || string(got.Metadata) != `{"id":"e","n":3}` {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestTheLaterRecordCounts: rows with the same id come in their order, however many requests are under way.
func TestTheLaterRecordCounts(t *testing.T) {
	c := connect(t)
	var text strings.Builder
	for round := range 20 {
		for i := range 5 {
			fmt.Fprintf(&text, `{"id":"c%d","round":%d}`+"\n", i, round)
		}
	}
	if _, err := (&Collections{Client: c, Clients: 8}).Run(t.Context(), lines(t, text.String())); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		got, err := c.CollectionGet(t.Context(), fmt.Sprintf("c%d", i), client.WithoutDocuments())
		if want := fmt.Sprintf(`{"id":"c%d","round":19}`, i); err != nil || string(got.Metadata) != want {
			t.Errorf("%s, want %s (%v)", got.Metadata, want, err)
		}
	}
	if _, err := (&Collections{Client: c, Clients: ClientsMax + 1}).Run(t.Context(), lines(t, "")); err == nil {
		t.Error("more clients than there may be")
	}
}
