package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) bulkWatch() *cobra.Command {
	return &cobra.Command{
		Use:   "watch TASK",
		Short: "Follow a task until it ends",
		Long: `Follow a task until it ends: by a bar on a terminal, by a line a second elsewhere, by each state as a line of JSON with -o jsonl.
The exit code is 0 if all is well, 6 if some items failed, 4 if the task was cancelled. Ctrl-C ends the watch, not the task. It goes
on when the service was away.`,
		Example: `  concord bulk watch last
  concord bulk watch "week 3" -o jsonl`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			id, err := taskNamed(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return a.followTask(cmd.Context(), c, id)
		},
	}
}

// followTask shows how far a task is until it ends, and ends as it does.
func (a *app) followTask(ctx context.Context, c *client.Client, id string) error {
	last, err := a.taskEnd(ctx, c, id, a.format == show.JSONL)
	if err != nil {
		return err
	}
	if a.format != show.JSONL { // which has told it
		if err := a.printTask(last); err != nil {
			return err
		}
	}
	if last.Counts.Failed > 0 && a.format == show.Table {
		a.sayf("%s failed: concord bulk items %s --state FAILED", show.Count(last.Counts.Failed, "item"), last.Task)
	}
	return taskOutcome(last)
}

// taskOutcome is how a command ends that was about a task which has ended.
func taskOutcome(t *client.BulkTask) error {
	switch {
	case t.State != client.BulkComplete:
		return stoppedError{"task", t.State}
	case t.Counts.Failed > 0:
		return errPartial
	}
	return nil
}

// taskEnd shows how far a task is until it ends, and returns what it is then. With lines each state is printed.
func (a *app) taskEnd(ctx context.Context, c *client.Client, id string, lines bool) (last *client.BulkTask, err error) {
	gauge := show.NewGauge(a.errs, "bulk", "item")
	defer func() {
		gauge.End()
		if err != nil && ctx.Err() != nil {
			a.sayf("the task goes on: concord bulk watch %s", id)
		}
	}()
	for task, err := range c.WatchBulk(ctx, id) {
		if err != nil {
			return nil, err
		}
		last = &task
		gauge.Set(taskReading(last))
		if lines {
			if err := show.Encode(a.out, show.JSONL, last); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case last != nil && client.BulkEnded(last):
		return last, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("watch %s: %w", id, client.ErrUnavailable) // nothing was seen, and nothing was wrong
}

// taskReading is how far a task is.
func taskReading(t *client.BulkTask) show.Reading {
	r := show.Reading{State: t.State, Total: int64(t.Total), Done: int64(t.Total - t.Counts.Pending), Failed: int64(t.Counts.Failed)}
	if t.WaitingForLocks > 0 {
		r.Waiting = number(t.WaitingForLocks) + " waiting for locks"
	}
	return r
}
