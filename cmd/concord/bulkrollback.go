package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// rollbackInput is what a roll-back of a task is asked for.
type rollbackInput struct {
	request       client.BulkRollback
	dryRun, watch bool
	shown         int
}

func (a *app) bulkRollback() *cobra.Command {
	var in rollbackInput
	cmd := &cobra.Command{
		Use:   "rollback TASK",
		Short: "Take back what a task has updated, as a task of its own",
		Long: `Take back what a task has updated, as a task of its own: each collection gets the content that it had before, byte for byte, as a new
version. A task that still runs is cancelled first. A collection that somebody else has written since is left as it is and reported;
--on-conflict force takes back what others wrote, too, and merge takes back what the task has changed as far as nothing disagrees.
What a roll-back has left is taken up by the next one. A roll-back is taken back in the same way: that is the redo.`,
		Example: `  concord bulk rollback last --dry-run
  concord bulk rollback plastic --reason "the wrong keyword" --watch
  concord bulk rollback plastic --on-conflict force --watch   # what the first one has left`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.allowLong(cmd)
			return a.rollBack(cmd.Context(), args[0], &in)
		},
	}
	f, none := cmd.Flags(), cobra.ShellCompDirectiveNoFileComp
	f.StringVar(&in.request.Name, "name", "", "of the new task, unique in the provider; not given: its number")
	f.StringVar(&in.request.OnConflict, "on-conflict", "", "what becomes of a collection that others have written since: skip, force or merge (default skip)")
	f.StringVar(&in.request.OnLocked, "on-locked", "", "wait for a collection that somebody holds the lock of, or fail it (default wait)")
	f.StringVar(&in.request.Reason, "reason", "", "why; kept in the history")
	f.BoolVar(&in.dryRun, "dry-run", false, "show what would be taken back, and write nothing")
	f.IntVar(&in.shown, "show", dryRunShown, "with --dry-run: collections whose changes are shown; 0: none")
	f.BoolVar(&in.watch, "watch", false, "follow the new task until it ends")
	_ = cmd.RegisterFlagCompletionFunc("on-conflict", cobra.FixedCompletions([]string{"skip", "force", "merge"}, none)) // there is such a flag
	_ = cmd.RegisterFlagCompletionFunc("on-locked", cobra.FixedCompletions([]string{"wait", "fail"}, none))             // and such a one
	return cmd
}

func (a *app) rollBack(ctx context.Context, name string, in *rollbackInput) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	id, err := taskNamed(ctx, c, name)
	if err != nil {
		return err
	}
	return a.rollBackTask(ctx, c, id, in)
}

func (a *app) rollBackTask(ctx context.Context, c *client.Client, id string, in *rollbackInput) error {
	var options []client.CallOption
	if in.dryRun {
		options = append(options, client.DryRun())
	}
	task, err := c.BulkRollback(ctx, id, in.request, options...)
	switch {
	case err != nil:
		return err
	case in.dryRun:
		return a.followDryRun(ctx, c, task.Task, in.shown)
	case in.watch && a.format == show.Table:
		a.sayf("%s", taskAccepted(task))
	case !in.watch && a.format == show.Table:
		_, err = fmt.Fprintf(a.out, "%s; concord bulk watch %s\n", show.Clean(taskAccepted(task)), task.Task)
		return err
	case !in.watch:
		return show.Encode(a.out, a.format, task)
	}
	return a.followTask(ctx, c, task.Task)
}
