package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"slices"
)

// Role says how to read a row.
type Role string

// The roles.
const (
	RoleOurs  Role = "ours"
	RoleRival Role = "rival"
	RoleLimit Role = "limit" // a floor, not a rival: see Limit
)

// Load identifies the kind of load that a row is about.
type Load struct {
	Workload      string  `json:"workload"`
	Clients       int     `json:"clients"`
	Keys          int     `json:"keys"`
	Distribution  string  `json:"distribution"`
	PayloadBytes  int     `json:"payloadBytes"`
	ReadShare     float64 `json:"readShare"`
	RatePerSecond float64 `json:"ratePerSecond,omitempty"` // of an open loop
}

// String names the load for people, without its sizes.
func (l Load) String() string {
	text := l.Workload + ", " + counted(l.Clients, "client")
	if l.Distribution != Uniform().String() {
		text += ", " + l.Distribution
	}
	if l.RatePerSecond > 0 {
		text += fmt.Sprintf(", %.0f/s", l.RatePerSecond)
	}
	return text
}

// counted is a number with its noun, which is given for one.
func counted[N int | int64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func (w Workload) load() Load {
	return Load{w.Name, w.Clients, w.Keys, w.Distribution.String(), w.PayloadBytes, w.ReadShare, w.RatePerSecond}
}

// Result is what one contender did in one workload: medians over the rounds of rates and quantiles, the
// maximum of the maxima, and sums of the counts. Without rounds all figures are 0, and NotInstalled or
// Unsupported says why.
type Result struct {
	Name string `json:"name"`
	Load
	OpsPerSecond float64 `json:"opsPerSecond"`
	P50Ms        float64 `json:"p50Ms"`
	P99Ms        float64 `json:"p99Ms"`
	Errors       int64   `json:"errors"`

	P999Ms          float64 `json:"p999Ms"`
	MaxMs           float64 `json:"maxMs"`
	OpsPerSecondMin float64 `json:"opsPerSecondMin"`
	OpsPerSecondMax float64 `json:"opsPerSecondMax"`
	Conflicts       int64   `json:"conflicts"`
	Missed          int64   `json:"missed"`

	Role         Role          `json:"role"`
	LimitOf      string        `json:"limitOf,omitempty"` // what a limit bounds
	NotInstalled string        `json:"notInstalled,omitempty"`
	Unsupported  bool          `json:"unsupported,omitempty"`
	FirstError   string        `json:"firstError,omitempty"`
	Rounds       []Measurement `json:"rounds"`
}

func newResult(c Contender, w Workload, ours string) *Result {
	row := &Result{Name: c.Name(), Load: w.load(), Role: RoleRival, Rounds: []Measurement{}}
	if l, ok := c.(Limit); ok {
		row.Role, row.LimitOf = RoleLimit, l.Limit()
	}
	if c.Name() == ours {
		row.Role = RoleOurs
	}
	return row
}

// sumUp computes the figures of all rounds.
func (r *Result) sumUp() {
	if len(r.Rounds) == 0 {
		return
	}
	rates := r.column(func(m Measurement) float64 { return m.OpsPerSecond })
	r.OpsPerSecond, r.OpsPerSecondMin, r.OpsPerSecondMax = median(rates), slices.Min(rates), slices.Max(rates)
	r.P50Ms = median(r.column(func(m Measurement) float64 { return m.P50Ms }))
	r.P99Ms = median(r.column(func(m Measurement) float64 { return m.P99Ms }))
	r.P999Ms = median(r.column(func(m Measurement) float64 { return m.P999Ms }))
	r.MaxMs = slices.Max(r.column(func(m Measurement) float64 { return m.MaxMs }))
	r.Errors, r.Conflicts, r.Missed = 0, 0, 0
	for _, m := range r.Rounds {
		r.Errors += m.Errors
		r.Conflicts += m.Conflicts
		r.Missed += m.Missed
		if r.FirstError == "" {
			r.FirstError = m.FirstError
		}
	}
}

func (r *Result) column(figure func(Measurement) float64) []float64 {
	values := make([]float64, len(r.Rounds))
	for i, m := range r.Rounds {
		values[i] = figure(m)
	}
	return values
}

// median returns the middle value, or the mean of the two middle ones; values must not be empty.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// Machine is where a run took place.
type Machine struct {
	CPUs   int    `json:"cpus"`
	System string `json:"system"`
	Go     string `json:"go"`
}

// Report is the outcome of a run.
type Report struct {
	Results     []Result `json:"results"`
	Ratios      []Ratio  `json:"ratios"`
	WhereWeLose []Loss   `json:"whereWeLose"`
	Warnings    []string `json:"warnings"`
	Machine     Machine  `json:"machine"`
}

func newReport(results []Result, ours string) Report {
	return Report{
		Results:     results,
		Ratios:      Ratios(results, ours),
		WhereWeLose: Losses(results, ours),
		Warnings:    warnings(results),
		Machine:     Machine{runtime.GOMAXPROCS(0), runtime.GOOS + "/" + runtime.GOARCH, runtime.Version()},
	}
}

// WriteJSON writes the report as one JSON object, indented.
func (r Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(r); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}
