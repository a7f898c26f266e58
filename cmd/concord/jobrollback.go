package main

import (
	"github.com/spf13/cobra"

	"concord/transport/client"
)

func (a *app) jobRollback() *cobra.Command {
	var f followFlags
	cmd := &cobra.Command{
		Use:   "rollback JOB",
		Short: "Take back the change that linked fields have followed, or what a bulk update has done",
		Long: `Take back the change that linked fields have followed: the source gets the base URL that it had before, or the authority its record,
source and natural id. That is a change like any other, with a job of its own, which linked fields follow. It is refused if the source
or the authority has changed again since, and if fields have lost their links by the change: nothing says any more whom they were linked
to. A roll-back is taken back in the same way. Of a bulk update it is concord bulk rollback, which has more flags.`,
		Example: `  concord job rollback last --dry-run
  concord job rollback "$JOB" --reason "the new addresses do not answer yet" --watch`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.allowLong(cmd)
			return a.onJob(cmd.Context(), args[0], func(c *client.Client, id string) error {
				var options []client.CallOption
				if f.dryRun {
					options = append(options, client.DryRun())
				}
				changed, err := c.PropagationRollback(cmd.Context(), id, client.PropagationRollback{Reason: f.reason}, options...)
				if err != nil {
					return err
				}
				return a.linkChanged(cmd.Context(), c, changed, &f)
			}, func(c *client.Client, id string) error {
				in := rollbackInput{request: client.BulkRollback{Reason: f.reason}, dryRun: f.dryRun, watch: f.watch, shown: dryRunShown}
				return a.rollBackTask(cmd.Context(), c, id, &in)
			})
		},
	}
	f.addReason(cmd)
	f.addWatch(cmd)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "show what would be taken back, and write nothing")
	return cmd
}
