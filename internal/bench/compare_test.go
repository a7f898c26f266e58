package bench

import (
	"bytes"
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
)

// row is a result of updates whose rounds had these rates; its p50 and p99 are 1 and 10 times basis ms.
func row(name string, role Role, clients int, basisMs float64, rates ...float64) Result {
	r := Result{Name: name, Role: role, Load: Load{Workload: "updates", Clients: clients, Keys: 10, Distribution: "uniform", PayloadBytes: 1024}}
	for _, rate := range rates {
		r.Rounds = append(r.Rounds, Measurement{OpsPerSecond: rate, P50Ms: basisMs, P99Ms: 10 * basisMs})
	}
	r.sumUp()
	return r
}

// exampleResults are those of a machine that slowed down to a half in the middle round.
func exampleResults() []Result {
	missing := row("etcd", RoleRival, 64, 0)
	missing.NotInstalled = ErrNotInstalled{"etcd", "etcd-server"}.Error()
	unable := row("fsync", RoleLimit, 64, 0)
	unable.Unsupported = true
	return []Result{
		row("concord", RoleOurs, 64, 2, 30_000, 15_000, 33_000),
		row("echo", RoleLimit, 64, 1, 60_000, 30_000, 60_000),
		row("postgres-rowlock", RoleRival, 64, 12, 5_000, 2_500, 5_000),
		row("redis", RoleRival, 64, 1.5, 33_000, 14_000, 30_000),
		missing,
		unable,
		row("concord", RoleOurs, 1, 0.45, 2000),
		row("echo", RoleLimit, 1, 0.05, 20_000),
		row("fsync", RoleLimit, 1, 0.25, 4000),
	}
}

func TestResultsAreMediansOverRounds(t *testing.T) {
	r := Result{Rounds: []Measurement{
		{OpsPerSecond: 300, P50Ms: 1, P99Ms: 9, P999Ms: 20, MaxMs: 50, Errors: 1, Conflicts: 5},
		{OpsPerSecond: 100, P50Ms: 3, P99Ms: 7, P999Ms: 30, MaxMs: 40, Missed: 2},
		{OpsPerSecond: 200, P50Ms: 2, P99Ms: 8, P999Ms: 10, MaxMs: 90, Errors: 1, FirstError: "reset"},
	}}
	r.sumUp()
	want := Result{
		OpsPerSecond: 200, OpsPerSecondMin: 100, OpsPerSecondMax: 300, P50Ms: 2, P99Ms: 8, P999Ms: 20, MaxMs: 90,
		Errors: 2, Conflicts: 5, Missed: 2, FirstError: "reset",
	}
	r.Rounds = nil
	if got, wanted := toJSON(t, r), toJSON(t, want); got != wanted {
		t.Errorf("got  %s\nwant %s", got, wanted)
	}
	if got := median([]float64{4, 1, 3, 2}); got != 2.5 {
		t.Errorf("median of four is %v, want 2.5", got)
	}
}

func TestRatiosAreFormedWithinARound(t *testing.T) {
	ratios := Ratios(exampleResults(), "concord")
	for _, want := range []Ratio{
		{Load: Load{Clients: 64}, Measure: measureRate, Against: "echo", Value: 0.5, Min: 0.5, Max: 0.55},
		{Load: Load{Clients: 64}, Measure: measureRate, Against: "postgres-rowlock", Value: 6, Min: 6, Max: 6.6},
		{Load: Load{Clients: 64}, Measure: measureRate, Against: "redis", Value: 15.0 / 14, Min: 30.0 / 33, Max: 1.1},
		{Load: Load{Clients: 1}, Measure: measureP50, Against: "fsync+echo", Value: 1.5, Min: 1.5, Max: 1.5},
	} {
		at := slices.IndexFunc(ratios, func(r Ratio) bool {
			return r.Against == want.Against && r.Clients == want.Clients && r.Measure == want.Measure
		})
		if at < 0 {
			t.Errorf("no ratio against %s with %d clients", want.Against, want.Clients)
			continue
		}
		got := ratios[at]
		if !near(got.Value, want.Value) || !near(got.Min, want.Min) || !near(got.Max, want.Max) {
			t.Errorf("against %s: %v (%v to %v), want %v (%v to %v)", want.Against,
				got.Value, got.Min, got.Max, want.Value, want.Min, want.Max)
		}
	}
	for _, r := range ratios {
		if r.Against == "etcd" || (r.Against == "fsync" && r.Clients == 64) || r.Against == "concord" {
			t.Errorf("a ratio against %s, which was not measured", r.Against)
		}
	}
	if len(Ratios(exampleResults(), "")) != 0 {
		t.Error("ratios without a contender of ours")
	}
}

func TestOpenLoopsAreComparedByLatency(t *testing.T) {
	ours, theirs := row("concord", RoleOurs, 8, 2, 1000), row("redis", RoleRival, 8, 1, 1000)
	ours.RatePerSecond, theirs.RatePerSecond = 1000, 1000
	ratios := Ratios([]Result{ours, theirs}, "concord")
	if len(ratios) != 1 || ratios[0].Measure != measureP99 || ratios[0].Value != 2 {
		t.Errorf("ratios are %+v, want twice the p99", ratios)
	}
	for _, l := range Losses([]Result{ours, theirs}, "concord") {
		if l.Measure == measureRate {
			t.Errorf("a rate that was given is a loss: %+v", l)
		}
	}
}

func TestWhereWeLoseNamesEveryBetterFigure(t *testing.T) {
	results := exampleResults()
	var got []string
	for _, l := range Losses(results, "concord") {
		if !(l.Times > 1) {
			t.Errorf("a loss by %v times: %+v", l.Times, l)
		}
		got = append(got, strings.Join([]string{l.Against, l.Measure, string(l.Role)}, " "))
	}
	want := []string{
		"echo opsPerSecond limit", "echo p50Ms limit", "echo p99Ms limit", // 64 clients
		"redis p50Ms rival", "redis p99Ms rival", // its median rate is the same as ours
		"echo opsPerSecond limit", "echo p50Ms limit", "echo p99Ms limit", // 1 client
		"fsync opsPerSecond limit", "fsync p50Ms limit", "fsync p99Ms limit",
	}
	if !slices.Equal(got, want) {
		t.Errorf("losses are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestCounted(t *testing.T) {
	for want, got := range map[string]string{"0 keys": counted(0, "key"), "1 client": counted(1, "client"), "64 clients": counted(64, "client")} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var out bytes.Buffer
	if err := newReport(exampleResults(), "concord").WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	text := out.String()
	for _, want := range []string{
		"updates, 64 clients: 10 keys (uniform), 1024 bytes, closed loop, median of 3 rounds",
		"etcd: not measured, etcd is not installed (Debian package etcd-server)",
		"fsync: not measured, it has no such operation",
		"updates, 1 client: p50 is 1.50x of one fsync and one echo",
		"Where we lose",
		"warning: updates, 64 clients: echo moved by 50 % between rounds",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the table lacks %q", want)
		}
	}
	for name, want := range map[string][]string{ // ops/s min max, of echo, of pebble, ours/it
		"concord":          {"30000", "15000", "33000", "0.50", "-", "-"},
		"echo":             {"60000", "30000", "60000", "-", "-", "0.50x"},
		"postgres-rowlock": {"5000", "2500", "5000", "0.08", "-", "6.00x"},
	} {
		found := false
		for line := range strings.Lines(text) {
			cells := strings.Fields(line)
			found = found || len(cells) > len(want) && cells[0] == name && slices.Equal(cells[1:1+len(want)], want)
		}
		if !found {
			t.Errorf("no row of %s has %v", name, want)
		}
	}
	if t.Failed() {
		t.Log("\n" + text)
	}
}

func TestJSONHasTheMembersOfTheContract(t *testing.T) {
	var out bytes.Buffer
	if err := newReport(exampleResults(), "concord").WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var parsed struct {
		Results []map[string]any `json:"results"`
	}
	if err := json.Unmarshal(out.Bytes(), &parsed); err != nil {
		t.Fatal(err)
	}
	if len(parsed.Results) != len(exampleResults()) {
		t.Fatalf("%d results", len(parsed.Results))
	}
	for _, r := range parsed.Results {
		for _, member := range []string{"name", "workload", "clients", "opsPerSecond", "p50Ms", "p99Ms", "errors"} {
			if _, ok := r[member]; !ok {
				t.Errorf("%v has no %s", r["name"], member)
			}
		}
	}
}

func toJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func near(got, want float64) bool { return math.Abs(got-want) <= 1e-9*math.Abs(want) }
