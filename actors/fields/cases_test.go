package fields

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// casesMin is how many cases there are at least: a file that is not read would not be missed.
const casesMin = 150

// TestCases plays the cases of testdata. lists.txt tells the format.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	played := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for _, c := range parseCases(t, string(text)) {
				played++
				t.Run(c.name, c.run)
			}
		})
	}
	if played < casesMin {
		t.Errorf("%d cases, not %d", played, casesMin)
	}
}

// fieldsCase is one case of the files.
type fieldsCase struct {
	name         string
	aliases      map[string]Alias
	record       Record
	instructions []string
	item         *jsonvalue.Value
	refused      []string // by Parse
	failed       []string // by ApplyAll
	warned       []string
	status       Status
	metadata     *jsonvalue.Value
	documents    map[string]*jsonvalue.Value
}

func parseCases(t *testing.T, text string) []*fieldsCase {
	t.Helper()
	var cases []*fieldsCase
	var aliases map[string]Alias
	names := map[string]bool{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		word, rest, _ := strings.Cut(line, " ")
		rest = strings.TrimSpace(rest)
		switch {
		case word == "##":
			if names[rest] {
				t.Fatalf("two cases %q", rest)
			}
			names[rest] = true
			cases = append(cases, &fieldsCase{name: rest, aliases: aliases, documents: map[string]*jsonvalue.Value{}})
		case line == "" || strings.HasPrefix(line, "#"):
		case word == "fields":
			var p *problem.Problem
			if aliases, p = ParseAliases(value(t, rest), "/fields"); p != nil {
				t.Fatal(p)
			}
		default:
			cases[len(cases)-1].line(t, word, rest)
		}
	}
	return cases
}

func (c *fieldsCase) line(t *testing.T, word, rest string) {
	t.Helper()
	id, content, _ := strings.Cut(rest, " ")
	switch word {
	case "metadata":
		c.record.Metadata = value(t, rest)
	case "document":
		c.record.Documents = append(c.record.Documents, Document{id, value(t, content)})
	case "marc":
		c.record.Documents = append(c.record.Documents, Document{id, marcRecord(t, content)})
	case "do":
		c.instructions = append(c.instructions, rest)
	case "item":
		c.item = value(t, rest)
	case "refused":
		c.refused = append(c.refused, rest)
	case "failed":
		c.status, c.failed = Failed, append(c.failed, rest)
	case "warned":
		c.warned = append(c.warned, rest)
	case "UNCHANGED", "SKIPPED":
		c.status = Status(word)
	case "becomes":
		c.status, c.metadata = Updated, value(t, rest)
	case "becomes-document":
		c.status, c.documents[id] = Updated, value(t, content)
	case "becomes-marc":
		c.status, c.documents[id] = Updated, marcRecord(t, content)
	default:
		t.Fatalf("what is %q?", word)
	}
}

func (c *fieldsCase) run(t *testing.T) {
	list, p := Parse([]byte("["+strings.Join(c.instructions, ",")+"]"), c.aliases, "")
	if c.refused != nil {
		says(t, p, c.refused)
		return
	}
	if p != nil {
		t.Fatal(p)
	}
	got := ApplyAll(list, c.record, c.item)
	if got.Status != c.status {
		t.Fatalf("%s (%v), want %s; %s", got.Status, got.Problem, c.status, shown(got))
	}
	if c.failed != nil {
		says(t, got.Problem, c.failed)
	}
	for i, w := range c.warned {
		if i >= len(got.Warnings) || !strings.HasPrefix(got.Warnings[i].Path+" "+got.Warnings[i].Message, w) {
			t.Errorf("warnings %v, want %s", got.Warnings, c.warned)
		}
	}
	if len(c.warned) != len(got.Warnings) {
		t.Errorf("%d warnings, want %d", len(got.Warnings), len(c.warned))
	}
	same(t, "metadata", got.Metadata, c.metadata)
	if len(got.Documents) != len(c.documents) {
		t.Errorf("%s, want %d documents", shown(got), len(c.documents))
	}
	for _, d := range got.Documents {
		same(t, d.ID, d.Value, c.documents[d.ID])
	}
}

// says checks each place of a problem with what is said there, or the beginning of it.
func says(t *testing.T, p *problem.Problem, want []string) {
	t.Helper()
	if p == nil {
		t.Fatalf("nothing is refused, want %s", want)
	}
	for i, e := range p.Errors {
		if i >= len(want) || !strings.HasPrefix(e.Path+" "+e.Message, want[i]) {
			t.Errorf("says %q", e.Path+" "+e.Message)
		}
	}
	if len(p.Errors) != len(want) {
		t.Errorf("%d places, want %d: %v", len(p.Errors), len(want), p)
	}
}

// same compares to the byte: what an instruction leaves keeps its spelling and order.
func same(t *testing.T, what string, got, want *jsonvalue.Value) {
	t.Helper()
	switch {
	case (got == nil) != (want == nil):
		t.Errorf("%s: %v, want %v", what, textOf(got), textOf(want))
	case got != nil && textOf(got) != textOf(want):
		t.Errorf("%s:\n got %s\nwant %s", what, textOf(got), textOf(want))
	}
}

func textOf(v *jsonvalue.Value) string {
	if v == nil {
		return "nothing"
	}
	return string(v.Text())
}

func shown(o Outcome) string {
	text := fmt.Sprintf("%s metadata %s", o.Status, textOf(o.Metadata))
	for _, d := range o.Documents {
		text += fmt.Sprintf(", %s %s", d.ID, textOf(d.Value))
	}
	return text
}

func value(t rapid.TB, text string) *jsonvalue.Value {
	t.Helper()
	v, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// marcRecord reads fields as librarians write them, one after the other with | between: "650 _0 $a Jazz $9 n1 | 001 x".
func marcRecord(t rapid.TB, text string) *jsonvalue.Value {
	t.Helper()
	var list []string
	for f := range strings.SplitSeq(text, "|") {
		tag, rest, _ := strings.Cut(strings.TrimSpace(f), " ")
		if strings.HasPrefix(tag, "00") {
			list = append(list, `{"`+tag+`":`+quote(rest)+`}`)
			continue
		}
		parts := strings.Split(" "+rest, " $")
		ind := strings.ReplaceAll(strings.TrimSpace(parts[0])+"__", "_", " ")
		var subs []string
		for _, p := range parts[1:] {
			code, content, _ := strings.Cut(p, " ")
			subs = append(subs, `{"`+code+`":`+quote(content)+`}`)
		}
		list = append(list, fmt.Sprintf(`{%q:{"ind1":%q,"ind2":%q,"subfields":[%s]}}`, tag, ind[:1], ind[1:2], strings.Join(subs, ",")))
	}
	if text == "" {
		list = nil
	}
	return value(t, `{"leader":"00962njm a2200253 a 4500","fields":[`+strings.Join(list, ",")+`]}`)
}

func quote(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(b)
}
