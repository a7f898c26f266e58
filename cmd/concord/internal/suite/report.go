package suite

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"

	"concord/internal/bench"
)

// Report is the outcome of a suite.
type Report struct {
	Suite    string        `json:"suite"`
	Measures []Measure     `json:"measures"`
	Machine  bench.Machine `json:"machine"`
}

// Measure is one figure of a suite: the median of its rounds.
type Measure struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Min    float64 `json:"min"`
	Max    float64 `json:"max"`
	Target float64 `json:"target,omitempty"` // the value should not be above it
	// AtLeast is a target that the value should not be below.
	AtLeast float64 `json:"atLeast,omitempty"`
	Note    string  `json:"note,omitempty"`
}

func newReport(suite string, measures ...Measure) Report {
	return Report{Suite: suite, Measures: measures,
		Machine: bench.Machine{CPUs: runtime.NumCPU(), System: runtime.GOOS + "/" + runtime.GOARCH, Go: runtime.Version()}}
}

// measured sums up the values of the rounds.
func measured(name, unit string, values []float64, target float64, note string) Measure {
	return Measure{Name: name, Unit: unit, Value: median(values), Min: slices.Min(values), Max: slices.Max(values), Target: target, Note: note}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// WriteJSON writes the report as one JSON object, indented.
func (r Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// WriteTable writes the report for people.
func (r Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	// Errors of the writer below stay until Flush.
	_, _ = fmt.Fprintln(t, "MEASURE\tVALUE\tMIN\tMAX\tTARGET\tNOTE")
	for _, m := range r.Measures {
		target := "-"
		switch {
		case m.Target > 0:
			target = "<= " + number(m.Target)
		case m.AtLeast > 0:
			target = ">= " + number(m.AtLeast)
		}
		_, _ = fmt.Fprintf(t, "%s\t%s %s\t%s\t%s\t%s\t%s\n", m.Name, number(m.Value), m.Unit, number(m.Min), number(m.Max), target, m.Note)
	}
	return t.Flush()
}

// number is a figure with three digits that say something.
func number(v float64) string {
	switch {
	case v >= 100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	default:
		return fmt.Sprintf("%.2f", v)
	}
}
