package bulk

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"os"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/problem"
	"concord/actors/undo"
)

var update = flag.Bool("update", false, "write the golden file of a new version; those of released ones are never edited")

// What released versions have stored.
var (
	goldenState = State{Status: PartiallyCancelled, Number: 12, Name: "spring", DryRun: true, OnLocked: OnLockedFail, PerSecond: 50,
		RetryOf: "u", Principal: "ann", Kind: "person", Reason: "because", Type: "modern", Alias: "cmr", Staged: noon,
		Accepted: noon.Add(time.Second), Started: noon.Add(2 * time.Second), Ended: noon.Add(3 * time.Second),
		Expires: noon.Add(time.Hour), Retention: time.Hour - 3*time.Second,
		Counts: Counts{Pending: 1, Updated: 2, Unchanged: 3, Skipped: 4, Failed: 5, Cancelled: 6}, Warned: 7, Waiting: 8, Total: 21,
		Chunks: 9, PerChunk: 10, Cursor: 11}
	goldenRows = []Row{{Collection: "c1", Version: 4, Value: []byte(`{"a":1}`)},
		{Key: `{"/metadata/ShortName":"x"}`, Code: "not-found", Why: "no collection has the key"}}
	goldenRequest = Request{Type: "modern", Instructions: []byte(`[{"type":"CLEAR_FIELD"}]`), Fields: []byte(`{"F":{}}`),
		Targets: []byte(`{"all":true}`)}
	goldenOutcomes = []Outcome{
		{State: fields.Updated, Warnings: []problem.FieldError{{Path: "/metadata/x", Message: "is deprecated"}}, VersionBefore: 3,
			VersionAfter: 4},
		{State: fields.Unchanged, VersionBefore: 3, VersionAfter: 3, Diff: []byte(`[]`), DiffBytes: 2},
		{State: fields.Skipped}, {State: fields.Failed, Code: "schema-invalid", Message: "it does not fit"},
		{State: ItemPending, Message: "bob"}}
	goldenUndoing = State{Status: Complete, Number: 13, Name: "13", OnLocked: OnLockedWait, Principal: "ann", Kind: "person", Staged: noon,
		Accepted: noon, Counts: Counts{Updated: 1}, Total: 1, Chunks: 1, PerChunk: 1000, Cursor: 1, UndoOf: "t", OnConflict: undo.Merge,
		UndoneBy: "u", Session: "s", Run: 7, Pinned: noon.Add(168 * time.Hour), KeptBytes: 4711}
	goldenWithdrawn = State{Status: Draft, Staged: noon, Expires: noon.Add(time.Hour), Counts: Counts{Pending: 2}, Total: 2, Chunks: 1, PerChunk: 2,
		Withdrawn: true}
	goldenSpans   = []Row{{Collection: "c1", Undo: []undo.Span{{Before: 1, After: 2}, {Before: 5, After: 6}}}}
	goldenKept    = Outcome{State: fields.Updated, VersionBefore: 3, VersionAfter: 4, Kept: 4711}
	goldenWaiting = Waiting{Row: 5, Turn: 2, Holder: "bob"}
)

// TestStoredForm: what released versions have stored is read as it was meant.
func TestStoredForm(t *testing.T) {
	b := Behavior{}
	for name, row := range map[string]struct {
		is   []byte
		read func([]byte) (any, error)
		want any
	}{
		"state-v2":    {b.EncodeState(goldenUndoing), func(s []byte) (any, error) { return b.DecodeState(s) }, goldenUndoing},
		"state-v3":    {b.EncodeState(goldenWithdrawn), func(s []byte) (any, error) { return b.DecodeState(s) }, goldenWithdrawn},
		"chunk-v2":    {chunkPart(0, goldenSpans).Body, func(s []byte) (any, error) { return DecodeChunk(s) }, goldenSpans},
		"outcome-v2":  {latePart(0, &goldenKept).Body, func(s []byte) (any, error) { return DecodeOutcome(s) }, goldenKept},
		"state-v1":    {b.EncodeState(goldenState), func(s []byte) (any, error) { return b.DecodeState(s) }, goldenState},
		"chunk-v1":    {chunkPart(0, goldenRows).Body, func(s []byte) (any, error) { return DecodeChunk(s) }, goldenRows},
		"request-v1":  {requestPart(&goldenRequest).Body, func(s []byte) (any, error) { return DecodeRequest(s) }, goldenRequest},
		"outcomes-v1": {outcomesPart(0, goldenOutcomes).Body, func(s []byte) (any, error) { return DecodeOutcomes(s) }, goldenOutcomes},
		"outcome-v1":  {latePart(0, &goldenOutcomes[0]).Body, func(s []byte) (any, error) { return DecodeOutcome(s) }, goldenOutcomes[0]},
		"waiting-v1":  {waitingPart(goldenWaiting).Body, func(s []byte) (any, error) { return DecodeWaiting(5, s) }, goldenWaiting},
		"listed-v1": {goldenState.listed(), func(s []byte) (any, error) { return DecodeListed(s) }, Listed{Status: PartiallyCancelled, Number: 12,
			Name: "spring", Principal: "ann", DryRun: true, Accepted: noon.Add(time.Second)}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := row.read(golden(t, "testdata/"+name+".golden", row.is))
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

// TestPartsAreReadBack: what is kept of an item is what came, within its bounds.
func TestPartsAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringN(0, 20, -1)
		outcome := rapid.Custom(func(t *rapid.T) Outcome {
			o := Outcome{State: rapid.SampledFrom(itemStates).Draw(t, "state"), Code: text.Draw(t, "code"), Message: text.Draw(t, "message"),
				VersionBefore: rapid.Uint64().Draw(t, "before"), VersionAfter: rapid.Uint64().Draw(t, "after"), Kept: rapid.Uint64().Draw(t, "kept")}
			for range rapid.IntRange(0, 3).Draw(t, "warnings") {
				o.Warnings = append(o.Warnings, problem.FieldError{Path: text.Draw(t, "path"), Message: text.Draw(t, "warning")})
			}
			if rapid.Bool().Draw(t, "diff") {
				o.Diff, o.DiffBytes = []byte(`[]`), rapid.Uint64Min(2).Draw(t, "diffBytes")
			}
			return o
		})
		want := rapid.SliceOfN(outcome, 1, 4).Draw(t, "outcomes")
		kept := make([]Outcome, len(want))
		for i := range want {
			kept[i] = bounded(want[i])
		}
		if got, err := DecodeOutcomes(outcomesPart(9, kept).Body); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v is read as %+v, %v", want, got, err)
		}
		if got, err := DecodeOutcome(latePart(9, &kept[0]).Body); err != nil || !reflect.DeepEqual(got, want[0]) {
			t.Fatalf("%+v is read as %+v, %v", want[0], got, err)
		}
	})
}

// FuzzStoredForms: whatever is stored is refused, or read as something that can be stored again.
func FuzzStoredForms(f *testing.F) {
	f.Add(Behavior{}.EncodeState(goldenState))
	f.Add(Behavior{}.EncodeState(goldenUndoing))
	f.Add(chunkPart(0, goldenRows).Body)
	f.Add(chunkPart(0, goldenSpans).Body)
	f.Add(latePart(0, &goldenKept).Body)
	f.Add(requestPart(&goldenRequest).Body)
	f.Add(outcomesPart(0, goldenOutcomes).Body)
	f.Add(latePart(0, &goldenOutcomes[0]).Body)
	f.Add(waitingPart(goldenWaiting).Body)
	f.Add(goldenState.listed())
	f.Fuzz(func(t *testing.T, b []byte) {
		if s, err := (Behavior{}).DecodeState(b); err == nil {
			_, _ = s.Show("p", "t", 1, noon), Behavior{}.Project(State{}, Event{Type: TypeProgressed, After: s}, entity.Stamp{})
			if s.Retention%time.Microsecond == 0 { // else it was too long, which no task's is
				same(t, s, entity.Content{Body: Behavior{}.EncodeState(s)}, Behavior{}.DecodeState)
			}
		}
		if rows, err := DecodeChunk(b); err == nil {
			for i := range rows {
				rows[i].Why = cut(rows[i].Why)
			}
			same(t, rows, chunkPart(0, rows), DecodeChunk)
		}
		if request, err := DecodeRequest(b); err == nil {
			same(t, request, requestPart(&request), DecodeRequest)
		}
		if outcomes, err := DecodeOutcomes(b); err == nil {
			same(t, outcomes, outcomesPart(0, outcomes), DecodeOutcomes)
		}
		if outcome, err := DecodeOutcome(b); err == nil {
			same(t, outcome, latePart(0, &outcome), DecodeOutcome)
		}
		if w, err := DecodeWaiting(3, b); err == nil {
			same(t, w, waitingPart(w), func(b []byte) (Waiting, error) { return DecodeWaiting(3, b) })
		}
		_, _ = DecodeListed(b)
	})
}

func same[T any](t *testing.T, is T, stored entity.Content, decode func([]byte) (T, error)) {
	t.Helper()
	if again, err := decode(stored.Body); err != nil || !reflect.DeepEqual(again, is) {
		t.Fatalf("%+v is stored as %+v, %v", is, again, err)
	}
}

// TestTheFirstTryIsStored: a row that waits without a holder, for an older task alone, is a part with a body, as every other.
func TestTheFirstTryIsStored(t *testing.T) {
	first := waitingPart(Waiting{Row: 5})
	if got, err := DecodeWaiting(5, first.Body); err != nil || got != (Waiting{Row: 5}) || len(first.Body) == 0 {
		t.Errorf("%q is %+v, %v", first.Body, got, err)
	}
	if got, err := DecodeWaiting(5, nil); err == nil {
		t.Errorf("nothing is %+v", got)
	}
}
