package persistence_test

import (
	"errors"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// A body is found in a stored record without decoding the rest of it.
func TestInlineBody(t *testing.T) {
	stored, err := proto.Marshal(&recordpb.Record{Kind: 1, Provider: "lib", Id: "c", Seq: 300, Type: "collection.saved",
		Time: 5, PreviousHash: make([]byte, 32), Payload: []byte("parts of the payload"),
		Parts: []*recordpb.Part{{Id: "a", Body: []byte("first")}, {Id: "b", Removed: true}, {Id: "c", Hash: 7, Body: []byte("third")}, {Id: "empty"},
			{Id: "lost", Size: 3}},
		Outcome: &recordpb.Outcome{Key: "k", Body: []byte("answer")}})
	if err != nil {
		t.Fatal(err)
	}
	for index, want := range map[int]string{0: "first", 2: "third", 3: ""} {
		if body, err := persistence.InlineBody(stored, index); err != nil || string(body) != want {
			t.Errorf("part %d: %q, %v", index, body, err)
		}
	}
	for _, index := range []int{1, 4, 5} { // removed, without its body, and none
		if body, err := persistence.InlineBody(stored, index); !errors.Is(err, persistence.ErrCorrupt) {
			t.Errorf("part %d: %q, %v", index, body, err)
		}
	}
	for n := range stored { // a record that is cut short gives an error or a body that is whole
		if body, err := persistence.InlineBody(stored[:n], 2); err == nil && string(body) != "third" {
			t.Errorf("cut at %d: %q", n, body)
		}
	}
}

// Stored times are microseconds; none is the zero time.
func TestTimeOf(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	if got := persistence.TimeOf(at.UnixMicro()); !got.Equal(at) || got.Location() != time.UTC {
		t.Errorf("%v, not %v", got, at)
	}
	if !persistence.TimeOf(0).IsZero() {
		t.Error("0 is not the zero time")
	}
}
