package main

import (
	"cmp"
	"encoding/csv"
	"iter"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// States of rows, and those of rows that lead to no record.
var (
	rowStates       = []string{client.RowMatched, client.RowNotFound, client.RowDuplicate, client.RowAmbiguous}
	unmatchedStates = []string{client.RowNotFound, client.RowDuplicate, client.RowAmbiguous}
)

// why says what a row has led to.
func why(row *client.EditRecord) string {
	return cmp.Or(row.Message, strings.ToLower(strings.ReplaceAll(row.State, "_", " ")))
}

func (a *app) editRecords() *cobra.Command {
	var limit int
	var states []string
	cmd := &cobra.Command{
		Use:   "records EDIT",
		Short: "List the rows of a session in the order of their file, and what each has led to",
		Example: `  concord edit records last
  concord edit records last --state NOT_FOUND,AMBIGUOUS -o csv > mend.csv`,
		Annotations: map[string]string{formatCSV: "yes"},
		Args:        arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := statesOf(states, rowStates); err != nil {
				return err
			}
			limit := a.fileLimit(cmd, limit)
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			rows := c.EditRows(cmd.Context(), args[0], inStates(pageOf(limit), states)...)
			if a.format == show.CSV {
				return a.recordTable(rows, limit)
			}
			return printList(a, rows, limit, []string{"LINE", "IDENTIFIER", "COLLECTION", "STATE", "MESSAGE"}, recordCells)
		},
	}
	listFlags(cmd, &states, &limit, rowStates, "rows")
	return cmd
}

func (a *app) editResults() *cobra.Command {
	var limit int
	var run uint32
	var states []string
	cmd := &cobra.Command{
		Use:   "results EDIT",
		Short: "List what came of the records in a run: the newest, or --run",
		Example: `  concord edit results last --state FAILED
  concord edit results last --run 2 -o csv > step2.csv`,
		Annotations: map[string]string{formatCSV: "yes"},
		Args:        arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := statesOf(states, itemStates); err != nil {
				return err
			}
			limit := a.fileLimit(cmd, limit)
			options := inStates(pageOf(limit), states)
			if cmd.Flags().Changed("run") {
				options = append(options, client.OfRun(run))
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			items := c.EditOutcomes(cmd.Context(), args[0], options...)
			if a.format == show.CSV {
				return a.itemTable(items, limit)
			}
			return printList(a, items, limit, itemColumns, itemCells)
		},
	}
	listFlags(cmd, &states, &limit, itemStates, "records")
	cmd.Flags().Uint32Var(&run, "run", 0, "number of the run, as concord edit get has it; not given: the newest")
	return cmd
}

// listFlags are those of a list that can be a file.
func listFlags(cmd *cobra.Command, states *[]string, limit *int, known []string, what string) {
	f := cmd.Flags()
	f.StringSliceVar(states, "state", nil, "only those in this state, such as "+known[1]+"; several have commas between")
	f.IntVar(limit, "limit", listDefault, what+" to show; 0: all, as in every format but the table if it is not given")
	fixed(cmd, "state", known...)
}

// fileLimit is the limit of a list; a file has none unless one is given, since one that lacks something is a trap.
func (a *app) fileLimit(cmd *cobra.Command, limit int) int {
	if a.format != show.Table && !cmd.Flags().Changed("limit") {
		return 0
	}
	return limit
}

// statesOf puts states in the form in which they are known.
func statesOf(states, known []string) error {
	for i := range states {
		if states[i] = strings.ToUpper(states[i]); !slices.Contains(known, states[i]) {
			return usagef("--state takes %s, not %q", joined(known), states[i])
		}
	}
	return nil
}

// inStates asks for those in one of the states, of all if there is none.
func inStates(options []client.CallOption, states []string) []client.CallOption {
	if len(states) == 0 {
		return options
	}
	return append(options, client.InStates(states...))
}

func recordCells(r client.EditRecord) []show.Cell {
	style := map[string]show.Style{client.RowMatched: show.Green, client.RowNotFound: show.Red, client.RowDuplicate: show.Yellow,
		client.RowAmbiguous: show.Red}[r.State]
	return []show.Cell{{Text: numberOrNone(r.Line)}, {Text: cmp.Or(r.Identifier, r.ID)}, {Text: r.ID}, {Text: r.State, Style: style}, {Text: r.Message}}
}

// recordTable writes rows as CSV (RFC 4180).
func (a *app) recordTable(rows iter.Seq2[client.EditRecord, error], limit int) error {
	out := csv.NewWriter(a.out)
	// Errors of the writer below stay until Flush.
	_ = out.Write([]string{"line", "identifier", "id", "state", "message"})
	shown := 0
	for r, err := range rows {
		if err != nil {
			out.Flush()
			return err
		}
		if limit > 0 && shown == limit {
			break
		}
		shown++
		_ = out.Write([]string{numberOrNone(r.Line), show.Clean(cmp.Or(r.Identifier, r.ID)), r.ID, r.State, show.Clean(r.Message)})
	}
	out.Flush()
	return out.Error()
}
