package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteTable writes the report for people: a table for each load, where we lose, and the warnings.
//
// "of echo" and "of pebble" are a row's share of these limits; "ours/it" is what Ratios computes.
func (r Report) WriteTable(w io.Writer) error {
	var text strings.Builder
	for _, group := range groups(r.Results) {
		writeGroup(&text, group, r.Ratios)
	}
	writeRatios(&text, r.Ratios)
	writeLosses(&text, r.WhereWeLose)
	for _, warning := range r.Warnings {
		fmt.Fprintf(&text, "warning: %s\n", warning)
	}
	if _, err := io.WriteString(w, text.String()); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return nil
}

func writeGroup(text *strings.Builder, group []Result, ratios []Ratio) {
	first := group[0]
	loop := "closed loop"
	if first.RatePerSecond > 0 {
		loop = "open loop"
	}
	rounds := 0
	for _, row := range group {
		rounds = max(rounds, len(row.Rounds))
	}
	fmt.Fprintf(text, "%v: %s (%s), %s, %s, median of %s\n", first.Load,
		counted(first.Keys, "key"), first.Distribution, counted(first.PayloadBytes, "byte"), loop, counted(rounds, "round"))

	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', tabwriter.AlignRight)
	width := len("name")
	for _, row := range group {
		width = max(width, len(row.Name))
	}
	_, _ = fmt.Fprintf(table, "%-*s\tops/s\tmin\tmax\tof echo\tof pebble\tours/it\tp50 ms\tp99 ms\tp99.9 ms\tmax ms\terrors\tconflicts\t\n", width, "name")
	var notes []string
	for _, row := range group {
		if row.LimitOf != "" {
			notes = append(notes, fmt.Sprintf("%s is a limit, not a rival: %s", row.Name, row.LimitOf))
		}
		switch {
		case row.NotInstalled != "":
			notes = append(notes, fmt.Sprintf("%s: not measured, %s", row.Name, row.NotInstalled))
		case row.Unsupported:
			notes = append(notes, row.Name+": not measured, it has no such operation")
		case len(row.Rounds) == 0:
			notes = append(notes, row.Name+": not measured, the run ended early")
		default:
			writeRow(table, width, row, group, ratios)
		}
	}
	_ = table.Flush() // a strings.Builder takes everything
	for _, line := range notes {
		fmt.Fprintf(text, "  %s\n", line)
	}
	fmt.Fprintln(text)
}

func writeRow(table io.Writer, width int, row Result, group []Result, ratios []Ratio) {
	_, _ = fmt.Fprintf(table, "%-*s\t%.0f\t%.0f\t%.0f\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t\n",
		width, row.Name, row.OpsPerSecond, row.OpsPerSecondMin, row.OpsPerSecondMax,
		share(row, group, nameEcho), share(row, group, namePebble), oursAgainst(row, ratios),
		significant(row.P50Ms), significant(row.P99Ms), significant(row.P999Ms), significant(row.MaxMs),
		row.Errors, row.Conflicts)
}

// share is the row's rate as a share of the limit of that name.
func share(row Result, group []Result, limit string) string {
	l, ok := find(group, limit)
	if !ok || row.Name == limit {
		return "-"
	}
	values := quotients(row.column(figureOf(measureRate)), l.column(figureOf(measureRate)))
	if len(values) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", median(values))
}

// oursAgainst is the ratio of ours to the row.
func oursAgainst(row Result, ratios []Ratio) string {
	for _, ratio := range ratios {
		if ratio.Against == row.Name && ratio.Load == row.Load {
			return fmt.Sprintf("%.2fx", ratio.Value)
		}
	}
	return "-"
}

// writeRatios writes the ratios that have no row of their own.
func writeRatios(text *strings.Builder, ratios []Ratio) {
	for _, ratio := range ratios {
		if ratio.Against == nameFsyncEcho {
			fmt.Fprintf(text, "%v: p50 is %.2fx of one fsync and one echo (%.2f to %.2f)\n\n",
				ratio.Load, ratio.Value, ratio.Min, ratio.Max)
		}
	}
}

func writeLosses(text *strings.Builder, losses []Loss) {
	if len(losses) == 0 {
		return
	}
	fmt.Fprintln(text, "Where we lose")
	table := tabwriter.NewWriter(text, 0, 0, 2, ' ', 0)
	for _, loss := range losses {
		note := ""
		if loss.Role == RoleLimit {
			note = "(a limit, not a rival)"
		}
		_, _ = fmt.Fprintf(table, "  %v\t%s\t%s\t%s against our %s\t%.2fx better\t%s\n", loss.Load,
			loss.Against, loss.Measure, significant(loss.Theirs), significant(loss.Ours), loss.Times, note)
	}
	_ = table.Flush() // a strings.Builder takes everything
	fmt.Fprintln(text)
}

// significant writes a figure with about three digits.
func significant(value float64) string {
	switch {
	case value >= 100:
		return fmt.Sprintf("%.0f", value)
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	case value >= 1:
		return fmt.Sprintf("%.2f", value)
	default:
		return fmt.Sprintf("%.3f", value)
	}
}
