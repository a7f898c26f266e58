package faults

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"concord/internal/realdata"
)

// jazzCorrections correct a subject heading, name the part that people have, take local fields away, and add a note.
const jazzCorrections = `[
	{"type": "MARC_FIND_AND_REPLACE", "path": "/documents/*", "find": {"tag": "650", "subfield": "a", "text": "Jazz"}, "value": "Jazz music"},
	{"type": "MARC_FIND_AND_APPEND", "path": "/documents/*", "find": {"tag": "700"}, "value": {"4": "prf"}},
	{"type": "MARC_REMOVE_FIELD", "path": "/documents/*", "find": {"tag": "949"}},
	{"type": "JSON_PATCH", "path": "/documents/*", "value": [{"op": "add", "path": "/fields/-", "value": {"500": {"ind1": " ", "ind2": " ", "subfields": [{"a": "Corrected."}]}}}]}]`

// marcAsIs is a record as plain values.
type marcAsIs struct {
	Leader string           `json:"leader"`
	Fields []map[string]any `json:"fields"`
}

// dumbCorrections are jazzCorrections, done on plain values. kept says which of the fields that come out came in, and as which: those are
// the same bytes; -1: it is new, or not the same.
func dumbCorrections(m *marcAsIs) (kept []int) {
	var fields []map[string]any
	for at, field := range m.Fields {
		if field["949"] != nil {
			continue
		}
		same := at
		if data, _ := field["650"].(map[string]any); data != nil {
			for _, sub := range data["subfields"].([]any) {
				one := sub.(map[string]any)
				if text, _ := one["a"].(string); strings.Contains(text, "Jazz") {
					one["a"], same = strings.ReplaceAll(text, "Jazz", "Jazz music"), -1
				}
			}
		}
		if data, _ := field["700"].(map[string]any); data != nil && !reflect.DeepEqual(last(data), map[string]any{"4": "prf"}) {
			data["subfields"], same = append(data["subfields"].([]any), map[string]any{"4": "prf"}), -1
		}
		fields, kept = append(fields, field), append(kept, same)
	}
	note := map[string]any{"500": map[string]any{"ind1": " ", "ind2": " ", "subfields": []any{map[string]any{"a": "Corrected."}}}}
	m.Fields = append(fields, note)
	return append(kept, -1)
}

// last is the last subfield of a field.
func last(data map[string]any) any {
	subs := data["subfields"].([]any)
	return subs[len(subs)-1]
}

// TestBulkOnRealRecords corrects real records, kills the process meanwhile, and compares with the same done by hand: what was not to be
// touched is the same bytes.
func TestBulkOnRealRecords(t *testing.T) {
	t.Parallel()
	lines := realdata.Lines(t, "jazz-bibs.jsonl")
	p := startProcess(t)
	c := newCatalogue(t, p)
	collections := c.importBibs(lines)
	before := map[string]kept{}
	for _, id := range collections {
		before[id] = c.read(id)
	}
	s := newShelves(t, p.httpAddress)
	b := s.submit(`{"name":"corrections","targets":{"all":true},"instructions":` + jazzCorrections + `}`)
	waitALittle() // the moment of the fault
	p.kill()
	p.start()
	b = s.end(b.Task)
	if b.State != "COMPLETE" || b.Counts["updated"] != uint64(len(collections)) {
		t.Fatalf("%+v: %+v", b, s.items(b))
	}
	changed, untouched := 0, 0
	for _, id := range collections {
		now := c.read(id)
		if now.version != before[id].version+1 || len(now.documents) != len(before[id].documents) {
			t.Errorf("%s: version %d, with %d records; it was version %d with %d", id, now.version, len(now.documents), before[id].version, len(before[id].documents))
		}
		for name, was := range before[id].documents {
			fields, same := compareCorrected(t, name, was, now.documents[name])
			changed, untouched = changed+fields-same, untouched+same
		}
	}
	t.Logf("%d fields are other ones, %d the same bytes", changed, untouched)
	if changed < 2*len(lines) || untouched < 10*len(lines) {
		t.Error("too little has changed, or stayed, to prove anything")
	}
	s.stop(p)
	checkStore(t, p)
}

// compareCorrected holds a record against the dumb corrections of what it was; how many fields it has, and how many are the same bytes.
func compareCorrected(t *testing.T, name string, was, is []byte) (fields, same int) {
	t.Helper()
	var want, got marcAsIs
	if err := json.Unmarshal(was, &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(is, &got); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	from := dumbCorrections(&want)
	if len(got.Fields) != len(want.Fields) || got.Leader != want.Leader {
		t.Fatalf("%s has %d fields, want %d", name, len(got.Fields), len(want.Fields))
	}
	for at := range from {
		if !reflect.DeepEqual(want.Fields[at], got.Fields[at]) {
			t.Errorf("%s has %s, want %s", name, mustMarshal(got.Fields[at]), mustMarshal(want.Fields[at]))
		}
	}
	old, err := cutMARC(was)
	if err != nil {
		t.Fatal(err)
	}
	now, err := cutMARC(is)
	if err != nil {
		t.Fatal(err)
	}
	if now.between[0] != old.between[0] {
		t.Errorf("%s begins with %s, and began with %s", name, now.between[0], old.between[0])
	}
	for at, source := range from {
		if source < 0 {
			continue
		}
		if same++; now.fields[at].raw != old.fields[source].raw {
			t.Errorf("%s: a field that was not to be touched is %s, and was %s", name, now.fields[at].raw, old.fields[source].raw)
		}
	}
	return len(from), same
}
