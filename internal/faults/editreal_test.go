package faults

import (
	"encoding/json"
	"strings"
	"testing"

	"concord/internal/realdata"
)

// editRealMost is how many real records have a collection each, unless the sessions are about more: more would take long to make and to read.
const editRealMost = 2000

// realRecords are real records by the ids of their collections, and the ids in order.
func realRecords(t *testing.T) (records map[string]string, ids []string) {
	t.Helper()
	lines := realdata.Lines(t, "jazz-bibs.jsonl")
	taken := lines[:min(len(lines), max(editRealMost, count("CONCORD_EDIT_RECORDS", 0)))]
	records = make(map[string]string, len(taken))
	for _, line := range taken {
		var one struct {
			ID     string
			Record json.RawMessage
		}
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatal(err)
		}
		id := "bib-" + one.ID
		records[id], ids = string(one.Record), append(ids, id)
	}
	t.Logf("%d of %d real records", len(ids), len(lines))
	return records, ids
}

// Steps over real records: a subject heading is corrected, and a note added.
const (
	correctHeading = `{"type":"MARC_FIND_AND_REPLACE","path":"/documents/bib","find":{"tag":"650","subfield":"a","text":"Jazz"},"value":"Jazz music"}`
	addNote        = `{"type":"JSON_PATCH","path":"/documents/bib","value":[{"op":"add","path":"/fields/-","value":{"500":{"ind1":" ","ind2":" ","subfields":[{"a":"Corrected."}]}}}]}`
)

// TestEditOnRealRecords uploads the ids of real records, corrects a subject heading in all that have it, adds a note to all, and goes back to
// the step before, to the start, and forth again, while the process is killed. A dumb copy of the texts says what each record must be
// then, byte for byte.
func TestEditOnRealRecords(t *testing.T) {
	t.Parallel()
	records, ids := realRecords(t)
	p := startProcess(t)
	s := newShelves(t, p.httpAddress)
	s.create(ids, func(id string) string { return `{"format":"marc","documents":{"bib":` + records[id] + `}}` })
	k := s.openDesk(ann, `{"upload":"`+s.uploadOf(ann, []byte("TITLE,ITEM\n\"a, b\","+strings.Join(ids, "\n\"a, b\",")))+`","columns":["ITEM"]}`)
	if c := k.look().Counts; c.Matched != uint64(len(ids)) {
		t.Fatalf("%d records: %+v", len(ids), c)
	}
	ends := []map[string]string{s.contents(ids), {}, {}}
	have := uint64(0)
	for _, id := range ids {
		ends[1][id] = dumbHeadings(t, ends[0][id])
		ends[2][id] = dumbNote(ends[1][id])
		if ends[1][id] != ends[0][id] {
			have++
		}
	}
	all := uint64(len(ids))
	if have < all/20 || have > all*19/20 {
		t.Fatalf("%d of %d records have the heading: others should prove something", have, all)
	}
	for _, one := range []struct {
		verb, body string
		end        int
		updated    uint64
		skipped    uint64 // there is nothing to be corrected
	}{
		{"apply", `{"instructions":[` + correctHeading + `]}`, 1, have, all - have},
		{"apply", `{"instructions":[` + addNote + `]}`, 2, all, 0},
		{"rollback", `{"to":"previous"}`, 1, all, 0},
		{"rollback", `{"to":"initial"}`, 0, have, 0},
		{"redo", ``, 1, have, 0},
		{"redo", ``, 2, all, 0},
		{"rollback", `{"to":"initial"}`, 0, all, 0},
	} {
		if r := k.do(one.verb, one.body, k.key()); r.code != "" {
			t.Fatalf("%s %s: %s", one.verb, one.body, r.text)
		}
		if one.end == 0 {
			waitALittle() // the moment of the fault
			p.kill()
			p.start()
		}
		d := k.rests()
		if c := d.Runs[len(d.Runs)-1].Counts; c["updated"] != one.updated || c["skipped"] != one.skipped || c["failed"] > 0 {
			t.Errorf("%s %s: %v, want %d updated and %d skipped", one.verb, one.body, c, one.updated, one.skipped)
		}
		same(t, one.verb+" "+one.body, s.contents(ids), ends[one.end])
	}
	t.Logf("%d of %d records have the heading", have, all)
	s.stop(p)
	checkStore(t, p)
}

// dumbHeadings corrects the heading in the text of a record, or of a collection with one. A field is written in the records on one line,
// without spaces between.
func dumbHeadings(t *testing.T, record string) string {
	t.Helper()
	pieces := strings.Split(record, `{"650":{`)
	for i := 1; i < len(pieces); i++ {
		field, rest, ok := strings.Cut(pieces[i], "]}}")
		if !ok {
			t.Fatalf("a field without an end: %s", clip(pieces[i]))
		}
		subfields := strings.Split(field, `{"a":"`)
		for j := 1; j < len(subfields); j++ {
			value, behind, _ := strings.Cut(subfields[j], `"}`)
			subfields[j] = strings.ReplaceAll(value, "Jazz", "Jazz music") + `"}` + behind
		}
		pieces[i] = strings.Join(subfields, `{"a":"`) + "]}}" + rest
	}
	return strings.Join(pieces, `{"650":{`)
}

// dumbNote puts a note behind the last field.
func dumbNote(record string) string {
	at := strings.LastIndex(record, "]")
	return record[:at] + `,{"500":{"ind1":" ","ind2":" ","subfields":[{"a":"Corrected."}]}}` + record[at:]
}
