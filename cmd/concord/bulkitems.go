package main

import (
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// itemStates are what --state takes.
var itemStates = []string{client.ItemPending, client.ItemUpdated, client.ItemUnchanged, client.ItemSkipped, client.ItemFailed, client.ItemCancelled}

func (a *app) bulkItems() *cobra.Command {
	var limit int
	var states []string
	cmd := &cobra.Command{
		Use:   "items TASK",
		Short: "List the items of a task in the order of its list, and what came of them",
		Long: `List the items of a task in the order of its list, and what came of them. As CSV, with a header, or as lines of JSON it is all
of them, and a list that --targets takes: for another task with what has failed. concord bulk retry does that by itself, and with the
values of the items, which are not in the list.`,
		Example: `  concord bulk items last
  concord bulk items last --state FAILED -o csv > failed.csv
  concord bulk submit --targets failed.csv --instructions mended.json
  concord bulk items 12 --state SKIPPED,UNCHANGED -o jsonl`,
		Annotations: map[string]string{formatCSV: "yes"},
		Args:        arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			for i := range states {
				if states[i] = strings.ToUpper(states[i]); !slices.Contains(itemStates, states[i]) {
					return usagef("--state takes %s, not %q", joined(itemStates), states[i])
				}
			}
			if a.format != show.Table && !cmd.Flags().Changed("limit") {
				limit = 0 // a file that lacks something is a trap
			}
			return a.runBulkItems(cmd.Context(), args[0], states, limit)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&states, "state", nil, "only those in this state, such as FAILED; several have commas between")
	f.IntVar(&limit, "limit", listDefault, "items to show; 0: all, as in every format but the table if it is not given")
	_ = cmd.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(itemStates, cobra.ShellCompDirectiveNoFileComp)) // there is such a flag
	return cmd
}

func (a *app) runBulkItems(ctx context.Context, name string, states []string, limit int) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	id, err := taskNamed(ctx, c, name)
	if err != nil {
		return err
	}
	options := pageOf(limit)
	if len(states) > 0 {
		options = append(options, client.InStates(states...))
	}
	rows := c.BulkRows(ctx, id, options...)
	if a.format == show.CSV {
		return a.itemTable(rows, limit)
	}
	return printList(a, rows, limit, itemColumns, itemCells)
}

// itemColumns are what itemCells fills.
var itemColumns = []string{"ROW", "COLLECTION", "STATE", "VERSION", "CODE", "MESSAGE"}

func itemCells(i client.BulkItem) []show.Cell {
	style := map[string]show.Style{client.ItemUpdated: show.Green, client.ItemFailed: show.Red, client.ItemCancelled: show.Yellow}[i.State]
	message := i.Message
	for _, w := range i.Warnings {
		message += fmt.Sprintf(" (warning: %s: %s)", w.Path, w.Message)
	}
	return []show.Cell{{Text: number(i.Row)}, {Text: cmp.Or(i.ID, show.Compact(i.Key, previewRunes))}, {Text: i.State, Style: style},
		{Text: itemVersion(i)}, {Text: i.Code}, {Text: strings.TrimSpace(message)}}
}

// itemVersion is what became of the version of a collection.
func itemVersion(i client.BulkItem) string {
	switch {
	case i.VersionBefore == 0:
		return ""
	case i.VersionAfter == 0 || i.VersionAfter == i.VersionBefore:
		return tag(i.VersionBefore)
	}
	return tag(i.VersionBefore) + " -> " + tag(i.VersionAfter)
}

// itemTableColumns are all members of an item; those that are JSON are so in the table, too.
var itemTableColumns = []string{"row", "id", "key", "state", "code", "message", "warnings", "versionBefore", "versionAfter", "diff", "diffBytes"}

// itemTable writes items as CSV (RFC 4180).
func (a *app) itemTable(items iter.Seq2[client.BulkItem, error], limit int) error {
	out := csv.NewWriter(a.out)
	// Errors of the writer below stay until Flush.
	_ = out.Write(itemTableColumns)
	shown := 0
	for i, err := range items {
		if err != nil {
			out.Flush()
			return err
		}
		if limit > 0 && shown == limit {
			break
		}
		shown++
		row, err := itemRow(&i)
		if err != nil {
			out.Flush()
			return err
		}
		_ = out.Write(row)
	}
	out.Flush()
	return out.Error()
}

// itemRow fills itemTableColumns.
func itemRow(i *client.BulkItem) ([]string, error) {
	warnings := ""
	if len(i.Warnings) > 0 {
		var b strings.Builder
		if err := show.Encode(&b, show.JSONL, i.Warnings); err != nil {
			return nil, err
		}
		warnings = show.Clean(strings.TrimSpace(b.String()))
	}
	return []string{strconv.FormatUint(i.Row, 10), i.ID, show.Clean(string(i.Key)), i.State, i.Code, show.Clean(i.Message), warnings,
		numberOrNone(i.VersionBefore), numberOrNone(i.VersionAfter), show.Clean(string(i.Diff)), numberOrNone(i.DiffBytes)}, nil
}

// numberOrNone is a number for programs; empty for none.
func numberOrNone(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}
