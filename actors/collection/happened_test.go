package collection

import (
	"encoding/hex"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/lock"
	"concord/persistence/recordpb"
)

// parkedWrites has one of each kind of change that can wait for its turn.
func parkedWrites(t *testing.T) []content {
	t.Helper()
	five := uint64(5)
	merge, err := jsonvalue.Parse([]byte(`{"a": null}`))
	if err != nil {
		t.Fatal(err)
	}
	patch, err := jsonvalue.ParsePatch([]byte(`[{"op": "add", "path": "/b", "value": 1.50}]`))
	if err != nil {
		t.Fatal(err)
	}
	moves, err := jsonvalue.ParsePatch([]byte(`[{"op": "move", "from": "/documents/x", "path": "/documents/y"}]`))
	if err != nil {
		t.Fatal(err)
	}
	across, err := ParseCrossPatch(moves)
	if err != nil {
		t.Fatal(err)
	}
	return []content{
		&Write{Create: true, Format: "json", Type: "record", ReplaceDocuments: true, Policy: "merge", Single: true,
			Preconditions: Preconditions{IfMatch: []uint64{3, 4}, Base: &five},
			Changes: []Change{
				{Op: OpPut, Part: "x", Path: "/documents/x", Body: []byte(`{"n": 1.0}`), Hash: 77, Base: &five},
				{Op: OpRemove, Part: "y", Path: "/documents/y", IfMatch: []uint64{2}},
				{Op: OpRemoveIfThere, Part: "z", Path: "/documents/z", IfExists: true},
				{Op: OpMerge, Part: "m", Path: "/documents/m", Merge: merge, IfNoneMatch: true},
				{Op: OpPatch, Part: "", Path: "/metadata", Patch: patch},
			}},
		&Write{Moves: across},
		&Delete{Preconditions: Preconditions{IfExists: true}},
		&Revert{To: 3},
	}
}

// parkedEvent is the event of a parked update, without what is published of it.
func parkedEvent(c content) *Happened {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return &Happened{Event: &lock.OperationParked{Operation: 9, Party: lock.Party{Principal: "ann", Session: "1", Kind: "person"}, Base: 4, Bytes: 100, Expires: at},
		Write: encodeWrite(c, entity.Meta{RequestID: "r-1", Reason: "tidy"})}
}

// TestGoldenParked: what version 1 stored of a parked update is read as it was, and stored in the same bytes. The file is
// never edited: a later version has a file of its own.
func TestGoldenParked(t *testing.T) {
	golden, err := os.ReadFile("testdata/parked-v1.golden")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(golden))
	all := parkedWrites(t)
	if len(lines) != len(all) {
		t.Fatalf("%d lines for %d updates", len(lines), len(all))
	}
	for i, c := range all {
		want := parkedEvent(c)
		enc := Behavior{}.EncodeEvent(want)
		if got := hex.EncodeToString(enc.Payload); got != lines[i] {
			t.Errorf("%T is stored as\n%s, not as\n%s", c, got, lines[i])
		}
		stored, err := hex.DecodeString(lines[i])
		if err != nil {
			t.Fatal(err)
		}
		e, err := Behavior{}.DecodeEvent(entity.Encoded{Type: lock.TypeOpParked, Payload: stored})
		if err != nil || !reflect.DeepEqual(e, want) {
			t.Errorf("%T is read as %+v, %v", c, e, err)
			continue
		}
		again, origin, err := decodeWrite(e.(*Happened).Write)
		if err != nil || reflect.TypeOf(again) != reflect.TypeOf(c) || origin != (Origin{"r-1", "tidy"}) {
			t.Fatalf("%T is read back as %+v of %+v, %v", c, again, origin, err)
		}
		if got := encodeWrite(again, entity.Meta{RequestID: "r-1", Reason: "tidy"}); string(got) != string(want.Write) {
			t.Errorf("%T does not survive: %x, not %x", c, got, want.Write)
		}
	}
}

// TestLockEventOf: the short way to the event of a record finds what the whole way finds.
func TestLockEventOf(t *testing.T) {
	for _, c := range parkedWrites(t) {
		want := parkedEvent(c)
		rec := &recordpb.Record{Type: lock.TypeOpParked, Payload: Behavior{}.EncodeEvent(want).Payload}
		if e, err := LockEventOf(rec); err != nil || !reflect.DeepEqual(e, want.Event) {
			t.Errorf("%T: %+v, %v", c, e, err)
		}
		for cut := range rec.GetPayload() {
			short := &recordpb.Record{Type: rec.GetType(), Payload: rec.GetPayload()[:cut]}
			_, shortErr := LockEventOf(short)
			_, wholeErr := decodeHappened(entity.Encoded{Type: short.GetType(), Payload: short.GetPayload()})
			if (shortErr == nil) != (wholeErr == nil) {
				t.Fatalf("%T, cut at %d: %v, and in whole %v", c, cut, shortErr, wholeErr)
			}
		}
	}
	if e, err := LockEventOf(&recordpb.Record{Type: TypeSaved, Payload: []byte{0xff}}); e != nil || err != nil {
		t.Errorf("an event of the content: %v, %v", e, err)
	}
}
