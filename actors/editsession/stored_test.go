package editsession

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"reflect"
	"testing"
	"time"

	"concord/actors/entity"
	"concord/actors/undo"
)

var update = flag.Bool("update", false, "write the golden file of a new version; those of released ones are never edited")

// What released versions have stored.
var (
	goldenState = State{Status: Closed, Name: "spring", Owner: "ann", Type: "modern", By: []string{"/metadata/a", "/metadata/b"}, From: FromUpload,
		Keep: KeepPrevious, Reason: "because", Rows: Rows{Chunks: 2, PerChunk: 1000, Bytes: 30, Counts: Counts{Matched: 1, NotFound: 2, Duplicate: 3, Ambiguous: 4}},
		List: 5, Staged: Rows{Chunks: 1, PerChunk: 10, Bytes: 3, Counts: Counts{Matched: 10}}, StagedAt: noon,
		Runs: []Run{{Number: 1, Kind: Preview, Task: "t1", Step: 1, Begun: noon}, {Number: 2, Kind: Apply, Task: "t2", Step: 1, Begun: noon},
			{Number: 3, Kind: Apply, Task: "t3", Step: 2, Begun: noon}, {Number: 4, Kind: Rollback, To: 1, Mark: 2, OnConflict: undo.Merge, Begun: noon},
			{Number: 6, Kind: Redo, Task: "t6", Of: 4, DryRun: true, OnConflict: undo.Force, Begun: noon}},
		Numbered: 6, Steps: 2, Path: []uint32{1}, Opened: noon, Used: noon.Add(time.Second), Closed: noon.Add(time.Minute),
		Expires: noon.Add(time.Hour), Retention: time.Hour}
	goldenRows = []Row{{Line: 2, Collection: "c1", State: Matched}, {Line: 3, Identifier: "x", State: NotFound, Why: "no collection has it"},
		{Line: 4, Collection: "c1", State: Duplicate, Why: "line 2 has it already"}, {Line: 5, Identifier: `["a"]`, State: Ambiguous}}
)

// TestStoredForm: what released versions have stored is read as it was meant.
func TestStoredForm(t *testing.T) {
	b := Behavior{}
	for name, row := range map[string]struct {
		is   []byte
		read func([]byte) (any, error)
		want any
	}{
		"state": {b.EncodeState(goldenState), func(s []byte) (any, error) { return b.DecodeState(s) }, goldenState},
		"chunk": {chunkPart(5, 0, goldenRows).Body, func(s []byte) (any, error) { return DecodeChunk(s) }, goldenRows},
		"listed": {goldenState.listed(), func(s []byte) (any, error) { return DecodeListed(s) },
			Listed{Status: Closed, Name: "spring", Owner: "ann", Opened: noon, Expires: noon.Add(time.Hour)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := row.read(golden(t, "testdata/"+name+"-v1.golden", row.is))
			if err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("read as %+v, %v", got, err)
			}
			if got, err := row.read(row.is); err != nil || !reflect.DeepEqual(got, row.want) {
				t.Errorf("read back as %+v, %v", got, err)
			}
		})
	}
}

func golden(t *testing.T, path string, is []byte) []byte {
	t.Helper()
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *update {
		text = []byte(hex.EncodeToString(is) + "\n")
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	stored, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// TestWhatLeaves: an event tells where the session stands, and the run that has begun; never rows, and nothing of what is staged.
func TestWhatLeaves(t *testing.T) {
	b := Behavior{}
	s := after(t, opened(), run(Apply, "t1"), rollback("t2", 0, 0))
	for kind, want := range map[string]string{
		TypeBegun: `{"state":"OPEN","owner":"ann","counts":{"matched":1,"notFound":0,"duplicate":0,"ambiguous":0},"path":[],` +
			`"run":{"run":2,"kind":"rollback","to":0,"task":"t2"}}`,
		TypeClosed: `{"state":"OPEN","owner":"ann","counts":{"matched":1,"notFound":0,"duplicate":0,"ambiguous":0},"path":[]}`,
		TypeStaged: ``,
	} {
		if got := string(b.EncodeEvent(Event{Type: kind, After: s}).Data); got != want {
			t.Errorf("%s tells %s", kind, got)
		}
	}
	if got := b.EncodeEvent(Event{Type: TypeExpired, After: State{Status: Expired}}).Data; got != nil {
		t.Errorf("of a draft: %s", got)
	}
}

// FuzzStoredForms: whatever is stored is refused, or read as something that can be stored again, and that can be asked.
func FuzzStoredForms(f *testing.F) {
	f.Add(Behavior{}.EncodeState(goldenState))
	f.Add(chunkPart(0, 0, goldenRows).Body)
	f.Add(goldenState.listed())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := (Behavior{}).DecodeState(b); err == nil {
			Behavior{}.Project(State{}, Event{Type: TypeStaged, After: s}, entity.Stamp{})
			works := Works(func(*Run) Work { return Work{There: true, Total: 1, Updated: 1} })
			_, _, _ = s.Stands(works), s.RollbackAvailable(works), s.RedoAvailable(works)
			_, _ = s.Plan(Target{Step: 1}, undo.Skip)
			if s.Retention%time.Microsecond == 0 { // else it was too long, which no session's is
				again, err := (Behavior{}).DecodeState(Behavior{}.EncodeState(s))
				if err != nil || !reflect.DeepEqual(again, s) {
					t.Fatalf("%+v is stored as %+v, %v", s, again, err)
				}
			}
		}
		if rows, err := DecodeChunk(b); err == nil {
			if again, err := DecodeChunk(chunkPart(0, 0, rows).Body); err != nil || !reflect.DeepEqual(again, rows) {
				t.Fatalf("%+v is stored as %+v, %v", rows, again, err)
			}
		}
		_, _ = DecodeListed(b)
	})
}
