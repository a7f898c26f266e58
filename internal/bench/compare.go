package bench

import (
	"fmt"
	"slices"
)

// driftMaxPercent is how far the rounds of a limit may lie apart before a run is in doubt.
const driftMaxPercent = 15

// Names of the measures in ratios and losses.
const (
	measureRate = "opsPerSecond"
	measureP50  = "p50Ms"
	measureP99  = "p99Ms"
)

// Names that ratios are formed against; the contenders of package contenders bear them.
const (
	nameEcho        = "echo"
	namePebble      = "pebble"
	nameFsync       = "fsync"
	nameFsyncEcho   = nameFsync + "+" + nameEcho
	oneClientLimits = 1 // clients at which latency is held against one fsync and one echo
)

// Ratio is ours divided by another's, computed within each round, where both met the same machine:
// the median, the least and the greatest over the rounds. A rate above 1 and a latency below 1 are good.
type Ratio struct {
	Load
	Measure string  `json:"measure"`
	Against string  `json:"against"`
	Value   float64 `json:"value"`
	Min     float64 `json:"min"`
	Max     float64 `json:"max"`
}

// Ratios compares ours with every other contender: by rate in a closed loop, by p99 in an open one, and
// with one client by p50 against one fsync and one echo.
func Ratios(results []Result, ours string) []Ratio {
	ratios := []Ratio{}
	for _, group := range groups(results) {
		our, ok := find(group, ours)
		if !ok {
			continue
		}
		measure := measureRate
		if our.RatePerSecond > 0 {
			measure = measureP99
		}
		for _, other := range group {
			if other.Name != ours {
				ratios = appendRatio(ratios, our, measure, other.Name, other.column(figureOf(measure)))
			}
		}
		if our.Clients == oneClientLimits {
			ratios = appendRatio(ratios, our, measureP50, nameFsyncEcho, fsyncAndEcho(group))
		}
	}
	return ratios
}

// fsyncAndEcho returns, for each round, the p50 of one fsync and one echo together.
func fsyncAndEcho(group []Result) []float64 {
	fsync, ok := find(group, nameFsync)
	echo, too := find(group, nameEcho)
	if !ok || !too {
		return nil
	}
	sums := make([]float64, min(len(fsync.Rounds), len(echo.Rounds)))
	for i := range sums {
		sums[i] = fsync.Rounds[i].P50Ms + echo.Rounds[i].P50Ms
	}
	return sums
}

// appendRatio adds the ratio of our figures to theirs, unless a round that both have is missing.
func appendRatio(ratios []Ratio, our Result, measure, against string, theirs []float64) []Ratio {
	values := quotients(our.column(figureOf(measure)), theirs)
	if len(values) == 0 {
		return ratios
	}
	return append(ratios, Ratio{
		Load: our.Load, Measure: measure, Against: against,
		Value: median(values), Min: slices.Min(values), Max: slices.Max(values),
	})
}

// quotients divides round by round, leaving out rounds in which the other did nothing.
func quotients(ours, theirs []float64) []float64 {
	var values []float64
	for i := range min(len(ours), len(theirs)) {
		if theirs[i] > 0 {
			values = append(values, ours[i]/theirs[i])
		}
	}
	return values
}

// Loss is a figure by which another is better than we are.
type Loss struct {
	Load
	Against string  `json:"against"`
	Role    Role    `json:"role"` // a limit wins by its nature, a rival does not
	Measure string  `json:"measure"`
	Ours    float64 `json:"ours"`
	Theirs  float64 `json:"theirs"`
	Times   float64 `json:"times"` // how many times better theirs is
}

// Losses returns every figure in which a contender is better than ours: rate (closed loop), p50, p99.
// One that did nothing is better in nothing.
func Losses(results []Result, ours string) []Loss {
	losses := []Loss{}
	for _, group := range groups(results) {
		our, ok := find(group, ours)
		if !ok || our.OpsPerSecond == 0 {
			continue
		}
		for _, other := range group {
			if other.Name != ours && other.OpsPerSecond > 0 {
				losses = append(losses, lossesAgainst(our, other)...)
			}
		}
	}
	return losses
}

func lossesAgainst(our, other Result) []Loss {
	var losses []Loss
	add := func(measure string, ours, theirs, times float64) {
		if times > 1 {
			losses = append(losses, Loss{
				Load: our.Load, Against: other.Name, Role: other.Role, Measure: measure, Ours: ours, Theirs: theirs, Times: times,
			})
		}
	}
	if our.RatePerSecond == 0 {
		add(measureRate, our.OpsPerSecond, other.OpsPerSecond, other.OpsPerSecond/our.OpsPerSecond)
	}
	add(measureP50, our.P50Ms, other.P50Ms, our.P50Ms/other.P50Ms)
	add(measureP99, our.P99Ms, other.P99Ms, our.P99Ms/other.P99Ms)
	return losses
}

// warnings names limits that moved between rounds, and contenders with errors.
func warnings(results []Result) []string {
	texts := []string{}
	for _, r := range results {
		moved := 100 * (r.OpsPerSecondMax - r.OpsPerSecondMin) / r.OpsPerSecond
		if r.Role == RoleLimit && r.RatePerSecond == 0 && moved > driftMaxPercent {
			texts = append(texts, fmt.Sprintf("%v: %s moved by %.0f %% between rounds (above %d %%): quote ratios only, or repeat",
				r.Load, r.Name, moved, driftMaxPercent))
		}
		if r.Errors > 0 || r.Missed > 0 {
			texts = append(texts, fmt.Sprintf("%v: %s had %s and %s: %s",
				r.Load, r.Name, counted(r.Errors, "error"), counted(r.Missed, "missed operation"), r.FirstError))
		}
	}
	return texts
}

// groups splits results into those of the same load, in the order in which they first appear.
func groups(results []Result) [][]Result {
	position := map[Load]int{}
	var all [][]Result
	for _, r := range results {
		at, known := position[r.Load]
		if !known {
			at = len(all)
			position[r.Load] = at
			all = append(all, nil)
		}
		all[at] = append(all[at], r)
	}
	return all
}

func find(group []Result, name string) (Result, bool) {
	at := slices.IndexFunc(group, func(r Result) bool { return r.Name == name })
	if at < 0 {
		return Result{}, false
	}
	return group[at], true
}

func figureOf(measure string) func(Measurement) float64 {
	switch measure {
	case measureP50:
		return func(m Measurement) float64 { return m.P50Ms }
	case measureP99:
		return func(m Measurement) float64 { return m.P99Ms }
	default:
		return func(m Measurement) float64 { return m.OpsPerSecond }
	}
}
