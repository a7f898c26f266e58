package faults

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"concord/internal/realdata"
)

// editRealRecords is how many real records have a collection each: more would take long to make and to read, and say the same.
const editRealRecords = 200

// Steps over real records: a subject heading is corrected, and a note added.
const (
	correctHeading = `{"type":"MARC_FIND_AND_REPLACE","path":"/documents/bib","find":{"tag":"650","subfield":"a","text":"Jazz"},"value":"Jazz music"}`
	addNote        = `{"type":"JSON_PATCH","path":"/documents/bib","value":[{"op":"add","path":"/fields/-","value":{"500":{"ind1":" ","ind2":" ","subfields":[{"a":"Corrected."}]}}}]}`
)

// TestEditOnRealRecords uploads the ids of all real records that have a subject heading, corrects it, adds a note, and goes back to the
// step before, to the start, and forth again, while the process is killed. A dumb copy of the texts says what each record must be
// then, byte for byte.
func TestEditOnRealRecords(t *testing.T) {
	t.Parallel()
	lines := realdata.Lines(t, "jazz-bibs.jsonl")
	p := startProcess(t)
	s := newShelves(t, p.httpAddress)
	records, ids, upload := map[string]string{}, []string(nil), []byte("TITLE,ITEM\n")
	for _, line := range lines[:min(len(lines), editRealRecords)] {
		var one struct {
			ID     string
			Record json.RawMessage
		}
		if err := json.Unmarshal(line, &one); err != nil {
			t.Fatal(err)
		}
		id := "bib-" + one.ID
		records[id], ids = string(one.Record), append(ids, id)
		if dumbHeadings(t, records[id]) != records[id] {
			upload = fmt.Appendf(upload, "\"a, b\",%s\n", id)
		}
	}
	s.create(ids, func(id string) string { return `{"format":"marc","documents":{"bib":` + records[id] + `}}` })
	stored := s.contents(ids)
	k := s.openDesk(ann, `{"upload":"`+s.uploadOf(ann, upload)+`","columns":["ITEM"]}`)
	mine := bytes.Count(upload, []byte("\n")) - 1
	if c := k.look().Counts; mine < editRealRecords/20 || c.Matched != uint64(mine) {
		t.Fatalf("%d records have the heading: %+v", mine, c)
	}
	ends := []map[string]string{stored, {}, {}}
	for _, id := range ids {
		corrected := dumbHeadings(t, stored[id])
		noted := corrected
		if corrected != stored[id] {
			noted = dumbNote(corrected)
		}
		ends[1][id], ends[2][id] = corrected, noted
	}
	for _, one := range []struct {
		verb, body string
		end        int
	}{
		{"apply", `{"instructions":[` + correctHeading + `]}`, 1},
		{"apply", `{"instructions":[` + addNote + `]}`, 2},
		{"rollback", `{"to":"previous"}`, 1},
		{"rollback", `{"to":"initial"}`, 0},
		{"redo", ``, 1},
		{"redo", ``, 2},
		{"rollback", `{"to":"initial"}`, 0},
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
		if c := d.Runs[len(d.Runs)-1].Counts; c["updated"] != uint64(mine) {
			t.Errorf("%s %s: %v of %d records", one.verb, one.body, c, mine)
		}
		same(t, one.verb+" "+one.body, s.contents(ids), ends[one.end])
	}
	t.Logf("%d of %d records have the heading", mine, len(ids))
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
