package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) jobWatch() *cobra.Command {
	return &cobra.Command{
		Use:   "watch JOB",
		Short: "Follow a job until it ends",
		Long: `Follow a job until it ends: by a bar on a terminal, by a line a second elsewhere, by each state as a line of JSON with -o jsonl. The
exit code is 0 if all is well, 6 if some links failed, 4 if the job was cancelled or a newer change has superseded it. Ctrl-C ends
the watch, not the job. It goes on when the service was away.`,
		Example: `  concord job watch last
  concord job watch "$JOB" -o jsonl`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onJob(cmd.Context(), args[0],
				func(c *client.Client, id string) error { return a.followJob(cmd.Context(), c, id) },
				func(c *client.Client, id string) error { return a.followTask(cmd.Context(), c, id) })
		},
	}
}

// stoppedError says that a job, or a task, has ended without having done all of its work.
type stoppedError struct{ what, state string }

func (e stoppedError) Error() string { return "the " + e.what + " has ended as " + e.state }

// followJob shows how far a job is until it ends, and ends as it does.
func (a *app) followJob(ctx context.Context, c *client.Client, id string) error {
	gauge := show.NewGauge(a.errs, "job", "link")
	last, err := a.readings(ctx, c, id, gauge)
	gauge.End()
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		a.sayf("the job goes on: concord job watch %s", id)
		return ctx.Err()
	case last == nil: // nothing was seen, and nothing was wrong
		return fmt.Errorf("watch %s: %w", id, client.ErrUnavailable)
	}
	if a.format != show.JSONL { // which has told it
		if err := a.printJob(last); err != nil {
			return err
		}
	}
	switch last.State {
	case client.JobCompleted:
		return nil
	case client.JobCompletedWithErrors:
		if a.format == show.Table {
			a.sayf("%s failed: concord job items %s", show.Count(last.Counts.Failed, "link"), id)
		}
		return errPartial
	}
	return stoppedError{"job", last.State}
}

// readings sets the gauge until the job ends; last is its last state.
func (a *app) readings(ctx context.Context, c *client.Client, id string, gauge *show.Gauge) (last *client.Propagation, err error) {
	for job, err := range c.WatchPropagation(ctx, id) {
		if err != nil {
			return nil, err
		}
		last = &job
		gauge.Set(readingOf(last))
		if a.format == show.JSONL {
			if err := show.Encode(a.out, show.JSONL, last); err != nil {
				return nil, err
			}
		}
	}
	return last, nil
}

// readingOf is how far a job is.
func readingOf(j *client.Propagation) show.Reading {
	r := show.Reading{State: j.State, Total: int64(j.Total), Done: int64(j.Total - j.Counts.Pending), Failed: int64(j.Counts.Failed)}
	if j.WaitingForLocks > 0 {
		r.Waiting = number(j.WaitingForLocks) + " waiting for locks"
	}
	return r
}
