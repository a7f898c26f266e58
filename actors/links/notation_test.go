package links

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// Records stand in the tests as librarians write them: one field a line, "700 1_ $a Lovano, Joe, $d 1952- $9 n1", control
// fields as "001 text". Subfields are separated by " $".

// record is the MARC-in-JSON of such lines.
func record(lines ...string) []byte {
	type member = map[string]any
	var fields []string
	for _, line := range lines {
		tag, rest, _ := strings.Cut(line, " ")
		if isControl(tag) {
			fields = append(fields, text(member{tag: rest}))
			continue
		}
		parts := strings.Split(" "+rest, " $")
		ind := strings.ReplaceAll(strings.TrimSpace(parts[0])+"__", "_", " ")
		var subs []string
		for _, p := range parts[1:] {
			code, value, _ := strings.Cut(p, " ")
			subs = append(subs, text(member{code: value}))
		}
		fields = append(fields, fmt.Sprintf(`{%q:{"ind1":%q,"ind2":%q,"subfields":[%s]}}`, tag, ind[:1], ind[1:2], strings.Join(subs, ",")))
	}
	return []byte(`{"leader":"00962njm a2200253 a 4500","fields":[` + strings.Join(fields, ",") + `]}`)
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// shown are the lines of a record.
func shown(t testing.TB, body []byte) (lines []string) {
	t.Helper()
	var r struct {
		Fields []map[string]json.RawMessage `json:"fields"`
	}
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	for _, f := range r.Fields {
		for tag, value := range f {
			if isControl(tag) {
				var text string
				_ = json.Unmarshal(value, &text)
				lines = append(lines, tag+" "+text)
				continue
			}
			var data struct {
				Ind1, Ind2 string
				Subfields  []map[string]string
			}
			if err := json.Unmarshal(value, &data); err != nil {
				t.Fatalf("%s: %v", value, err)
			}
			line := tag
			if ind := strings.ReplaceAll(data.Ind1+data.Ind2, " ", "_"); ind != "__" {
				line += " " + ind
			}
			for _, s := range data.Subfields {
				for code, text := range s {
					line += " $" + code + " " + text
				}
			}
			lines = append(lines, line)
		}
	}
	return lines
}

// heading reads "100 $a Lovano, Joe".
func heading(t testing.TB, line string) *Heading {
	t.Helper()
	if line == "" {
		return nil
	}
	if tag, rest, _ := strings.Cut(line, " "); tag == "json" {
		return &Heading{Label: rest}
	}
	h, p := HeadingOf(record(line), "")
	if p != nil {
		t.Fatal(p)
	}
	return &h
}

func read(t testing.TB, body []byte, f Format) *Document {
	t.Helper()
	d, p := Read(body, f, DefaultRules, "")
	if p != nil {
		t.Fatalf("%s: %v", body, p)
	}
	return d
}
