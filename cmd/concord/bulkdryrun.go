package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// dryRunShown is how many collections a dry run shows if nobody says.
const dryRunShown = 5

func (a *app) bulkDryRun() *cobra.Command {
	var in bulkInput
	var shown int
	cmd := &cobra.Command{
		Use:   "dry-run",
		Short: "Show what instructions would change in many collections, and write nothing",
		Long: `Show what instructions would change in many collections, and write nothing: the counts, and for the first collections each change.
It is a task, which can be looked at later like any other. The exit code is 6 if some items would fail.`,
		Example: `  concord bulk dry-run --type dataset --all --instructions '{"type": "CLEAR_FIELD", "path": "/metadata/Draft"}'
  concord bulk dry-run --ids a,b,c --instructions change.json --show 3`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.allowLong(cmd)
			in.dryRun = true
			return a.runDryRun(cmd.Context(), &in, shown)
		},
	}
	in.add(cmd)
	cmd.Flags().IntVar(&shown, "show", dryRunShown, "collections whose changes, and those whose failures, are shown; 0: none")
	return cmd
}

// dryRun is how a dry run has ended, for programs.
type dryRun struct {
	Task    *client.BulkTask  `json:"task"`
	Updated []client.BulkItem `json:"updated"`
	Failed  []client.BulkItem `json:"failed"`
	Skipped []client.BulkItem `json:"skipped,omitempty"` // of a roll-back: what others have written since
}

func (a *app) runDryRun(ctx context.Context, in *bulkInput, shown int) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	accepted, err := a.submit(ctx, c, in)
	if err != nil {
		return err
	}
	return a.followDryRun(ctx, c, accepted.Task, shown)
}

// followDryRun waits for the end of a dry run, and shows what it has told.
func (a *app) followDryRun(ctx context.Context, c *client.Client, id string, shown int) (err error) {
	var r dryRun
	if r.Task, err = a.taskEnd(ctx, c, id, false); err != nil {
		return err
	}
	if r.Updated, err = firstItems(ctx, c, r.Task.Task, client.ItemUpdated, shown); err != nil {
		return err
	}
	if r.Failed, err = firstItems(ctx, c, r.Task.Task, client.ItemFailed, shown); err != nil {
		return err
	}
	if r.Task.UndoOf != "" {
		if r.Skipped, err = firstItems(ctx, c, r.Task.Task, client.ItemSkipped, shown); err != nil {
			return err
		}
	}
	if a.format != show.Table {
		err = show.Encode(a.out, a.format, r)
	} else {
		err = a.showDryRun(&r)
	}
	return cmp.Or(err, taskOutcome(r.Task))
}

// firstItems are the first items in a state.
func firstItems(ctx context.Context, c *client.Client, task, state string, most int) ([]client.BulkItem, error) {
	if most <= 0 {
		return []client.BulkItem{}, nil
	}
	page, err := c.BulkItems(ctx, task, client.InStates(state), client.Limit(min(most, pageItems)))
	if err != nil {
		return nil, err
	}
	return page.Items, nil
}

func (a *app) showDryRun(r *dryRun) error {
	colour := show.Colour(a.out, a.env)
	w := &errWriter{w: a.out}
	w.print(show.Clean(taskLine(r.Task)) + "\n")
	for _, item := range r.Updated {
		w.print(fmt.Sprintf("\n%s  %s\n", show.Paint(colour, show.Bold, show.Clean(item.ID)), tag(item.VersionBefore)))
		w.print(changesIn(&item, colour))
	}
	for _, item := range r.Skipped {
		w.print(reasonOf(&item, show.Paint(colour, show.Yellow, "would be left"), colour))
	}
	for _, item := range r.Failed {
		w.print(reasonOf(&item, show.Paint(colour, show.Red, "would fail"), colour))
	}
	all, shown := r.Task.Counts.Updated+r.Task.Counts.Failed, uint64(len(r.Updated)+len(r.Failed)+len(r.Skipped))
	if r.Task.UndoOf != "" {
		all += r.Task.Counts.Skipped
	}
	if all > shown {
		w.print(fmt.Sprintf("\n... and %s more: concord bulk items %s\n", number(all-shown), r.Task.Task))
	}
	return w.err
}

// reasonOf is a line about an item that would not be updated.
func reasonOf(item *client.BulkItem, what string, colour bool) string {
	return fmt.Sprintf("\n%s  %s  %s: %s\n", show.Paint(colour, show.Bold, show.Clean(cmp.Or(item.ID, string(item.Key)))), what, item.Code,
		show.Clean(item.Message))
}

// changesIn are the changes of an item, a line each.
func changesIn(item *client.BulkItem, colour bool) (text string) {
	var changes []struct {
		Op    string          `json:"op"`
		Path  string          `json:"path"`
		From  string          `json:"from"`
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(item.Diff, &changes); err != nil {
		return fmt.Sprintf("  changes of %s\n", size(int(item.DiffBytes)))
	}
	styles := map[string]show.Style{"add": show.Green, "remove": show.Red, "replace": show.Yellow}
	for _, change := range changes {
		text += "  " + show.Paint(colour, styles[change.Op], fmt.Sprintf("%-7s", change.Op)) + "  "
		if change.From != "" {
			text += show.Clean(change.From) + " -> "
		}
		text += show.Clean(change.Path)
		if change.Value != nil {
			text += "  " + show.Compact(change.Value, previewRunes)
		}
		text += "\n"
	}
	return text
}
