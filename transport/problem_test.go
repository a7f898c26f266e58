package transport

import (
	"encoding/json"
	"strings"
	"testing"

	"concord/actors/problem"
)

// TestProblemsAreBounded: what is wrong may be the request's own text, and no refusal is longer for that.
func TestProblemsAreBounded(t *testing.T) {
	long := strings.Repeat("<", DefaultLimits.RequestMaxBytes)
	many := problem.New(problem.Invalid, "many")
	for range 10_000 {
		many.Errors = append(many.Errors, problem.FieldError{Path: long, Message: long})
	}
	short, some := problem.New(problem.Invalid, "short"), problem.New(problem.Invalid, "some")
	for range 10_000 {
		short.Errors = append(short.Errors, problem.FieldError{Path: "/a", Message: "is bad"})
	}
	some.Errors = short.Errors[:300]
	for name, row := range map[string]struct {
		p      *problem.Problem
		errors int
		total  int
	}{
		"a short one stays as it is": {problem.At("/a", "must be a string"), 1, 0},
		"a long name":                {problem.At(long, "unknown member"), 1, 0},
		"a long value":               {problem.At("/a", "%s", long), 1, 0},
		"a cut in a character":       {problem.At("/"+strings.Repeat("é", 4096), "unknown"), 1, 0},
		"many errors":                {many, 31, 10_000},
		"many short errors":          {short, 1000, 10_000},
		"some errors":                {some, 300, 0},
	} {
		t.Run(name, func(t *testing.T) {
			text := RenderProblem(row.p, "r")
			if most := DefaultLimits.RequestMaxBytes / 2; len(text) > most {
				t.Errorf("%d bytes", len(text))
			}
			var body ProblemBody
			if err := json.Unmarshal(text, &body); err != nil {
				t.Fatal(err)
			}
			if len(body.Errors) != row.errors || body.ErrorsTotal != row.total || strings.Contains(string(text), "�") {
				t.Errorf("%d errors of %d: %.200s", len(body.Errors), body.ErrorsTotal, text)
			}
			if e, want := body.Errors[0], row.p.Errors[0]; len(want.Path) < 100 && e.Path != want.Path ||
				!strings.HasPrefix(want.Message, strings.TrimSuffix(e.Message, "…")) {
				t.Errorf("%.100q: %.100q", e.Path, e.Message)
			}
		})
	}
}
