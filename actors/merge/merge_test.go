package merge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"concord/actors/jsonvalue"
)

// TestCases plays the cases of testdata. nodes.txt tells the format.
func TestCases(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			for _, c := range parseCases(t, string(text)) {
				t.Run(c.name, c.run)
			}
		})
	}
}

// mergeCase is one case of the files.
type mergeCase struct {
	name                 string
	rules                []Rule
	at                   jsonvalue.Pointer
	base, client, server *jsonvalue.Value
	conflicts            []string
	want                 map[Side]string // the merged texts
}

func parseCases(t *testing.T, text string) []*mergeCase {
	t.Helper()
	var cases []*mergeCase
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
			cases = append(cases, &mergeCase{name: rest, at: jsonvalue.Pointer{"metadata"}, want: map[Side]string{}})
		case line == "" || strings.HasPrefix(line, "#"):
		default:
			cases[len(cases)-1].line(t, word, rest)
		}
	}
	return cases
}

func (c *mergeCase) line(t *testing.T, word, rest string) {
	t.Helper()
	switch word {
	case "rule":
		c.rules = append(c.rules, parseRule(t, rest))
	case "at":
		c.at = pointer(t, rest)
	case "base":
		c.base = value(t, rest)
	case "client":
		c.client = value(t, rest)
	case "server":
		c.server = value(t, rest)
	case "merged":
		c.want[Neither] = rest
	case "conflict":
		c.conflicts = append(c.conflicts, rest)
	case "prefer-client":
		c.want[ClientSide] = rest
	case "prefer-server":
		c.want[ServerSide] = rest
	default:
		t.Fatalf("case %q: unknown line %q", c.name, word)
	}
}

func (c *mergeCase) run(t *testing.T) {
	if (c.want[Neither] == "") != (len(c.conflicts) > 0) {
		t.Fatal("a case has a merged value or conflicts")
	}
	rules, err := Compile(c.rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, prefer := range []Side{Neither, ClientSide, ServerSide} {
		merged, conflicts := Merge(c.base, c.client, c.server, rules, c.at, prefer)
		if got, want := shown(conflicts), strings.Join(c.conflicts, "\n"); got != want {
			t.Fatalf("conflicts\n%s\nwant\n%s", got, want)
		}
		want, said := c.want[prefer]
		if len(c.conflicts) == 0 {
			want, said = c.want[Neither], true
		}
		if prefer == Neither && len(c.conflicts) > 0 {
			want, said = "missing", true
		}
		if got := text(merged); said && got != want {
			t.Fatalf("preferring %d: merged\n%s\nwant\n%s", prefer, got, want)
		}
		for _, conflict := range conflicts {
			checkSides(t, conflict, c)
		}
	}
}

// checkSides: the values of a conflict are those at its path, where no array is on the way.
func checkSides(t *testing.T, conflict Conflict, c *mergeCase) {
	t.Helper()
	inside := conflict.Path[len(c.at):]
	for _, side := range []struct{ whole, got *jsonvalue.Value }{
		{c.base, conflict.Base}, {c.client, conflict.Client}, {c.server, conflict.Server},
	} {
		if want, ok := side.whole.At(inside); ok && want != side.got {
			t.Fatalf("conflict at %s has %s, want %s", conflict.Path, text(side.got), text(want))
		}
	}
}

func shown(conflicts []Conflict) string {
	var lines []string
	for _, c := range conflicts {
		lines = append(lines, c.Path.String()+" "+string(c.Kind))
	}
	return strings.Join(lines, "\n")
}

func parseRule(t testing.TB, text string) Rule {
	t.Helper()
	words := strings.Fields(text)
	r := Rule{Path: pointer(t, words[0]), Strategy: Strategy(words[1])}
	if len(words) > 2 {
		r.Key = words[2]
	}
	return r
}

func pointer(t testing.TB, text string) jsonvalue.Pointer {
	t.Helper()
	p, err := jsonvalue.ParsePointer(text)
	if err != nil {
		t.Fatalf("pointer %q: %v", text, err)
	}
	return p
}

func value(t testing.TB, text string) *jsonvalue.Value {
	t.Helper()
	v, err := jsonvalue.Parse([]byte(text))
	if err != nil {
		t.Fatalf("value %.200q: %v", text, err)
	}
	return v
}

func text(v *jsonvalue.Value) string {
	if v == nil {
		return "missing"
	}
	return string(v.Text())
}
