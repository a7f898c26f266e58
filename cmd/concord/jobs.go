package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) jobs() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "job",
		Short: "Watch and steer jobs: those that bring linked fields up to date, and bulk updates",
		Long: `Watch and steer jobs: those that bring linked fields up to date, and bulk updates, of which concord bulk knows more. A job goes on
by itself, also after the service was away. A collection that somebody holds the lock of is waited for; the others go on meanwhile.
Instead of its id, last is the newest job.`,
		Args: group, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.jobList(), a.jobGet(), a.jobWatch(), a.jobItems(),
		a.jobVerb("pause", "Stop a job at the border of a collection, until it is resumed", (*client.Client).PropagationPause, (*client.Client).BulkPause),
		a.jobVerb("resume", "Have a paused job go on", (*client.Client).PropagationResume, (*client.Client).BulkResume),
		a.jobVerb("cancel", "End a job at the border of a collection; what it has done stays", (*client.Client).PropagationCancel, (*client.Client).BulkCancel),
		a.jobVerb("retry", "Try the failed links of a job that has ended again, or the failed items of a bulk update", (*client.Client).PropagationRetry,
			func(c *client.Client, ctx context.Context, id string, options ...client.CallOption) (*client.BulkTask, error) {
				return c.BulkRetry(ctx, id, client.BulkRetry{}, options...)
			}),
		a.jobRollback())
	return cmd
}

func (a *app) jobList() *cobra.Command {
	var limit int
	var open bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List jobs, the newest first",
		Example: `  concord job list
  concord job list --open -o jsonl`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			options := pageOf(limit)
			if open {
				options = append(options, client.StillOpen())
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return printList(a, newestFirst(c.Propagations(cmd.Context(), options...), c.Bulks(cmd.Context(), options...)), limit,
				[]string{"JOB", "STATE", "CHANGE", "TOTAL", "PENDING", "FAILED", "BY", "REQUESTED"}, jobCells)
		},
	}
	cmd.Flags().BoolVar(&open, "open", false, "only those that have not ended")
	cmd.Flags().IntVar(&limit, "limit", listDefault, "jobs to show; 0: all")
	return cmd
}

// stateCell paints a state: what has ended well, what not, what goes on.
func stateCell(state string) show.Cell {
	style := show.Cyan
	switch state {
	case client.JobCompleted:
		style = show.Green
	case client.JobCompletedWithErrors, client.JobFailed:
		style = show.Red
	case client.JobCancelled, client.JobSuperseded:
		style = show.Yellow
	}
	return show.Cell{Text: state, Style: style}
}

// caused says in a few words what has changed.
func caused(c client.PropagationCause) string {
	of := cmp.Or(c.Authority, c.Source)
	change := func(what, was, is string) string {
		return fmt.Sprintf("%s of %s: %s -> %s", what, of, cmp.Or(was, "none"), cmp.Or(is, "none"))
	}
	switch c.Action {
	case "UPDATE_BASE_URL":
		return change("base URL", c.BaseURLOld, c.BaseURLNew)
	case "UPDATE_SOURCE":
		return change("source", c.SourceOld, c.SourceNew)
	case "UPDATE_NATURAL_ID":
		return change("natural id", c.NaturalIDOld, c.NaturalIDNew)
	case "UPDATE_HEADING":
		if c.TagOld != c.TagNew {
			return change("heading", c.HeadingOld+" ("+c.TagOld+")", c.HeadingNew+" ("+c.TagNew+")")
		}
		return change("heading", c.HeadingOld, c.HeadingNew)
	}
	return strings.ToLower(strings.ReplaceAll(c.Action, "_", " ")) + " of " + of
}

func (a *app) jobGet() *cobra.Command {
	return &cobra.Command{
		Use:     "get JOB",
		Short:   "Show how far a job is",
		Example: `  concord job get last`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onJob(cmd.Context(), args[0],
				func(c *client.Client, id string) error {
					job, err := c.PropagationGet(cmd.Context(), id)
					return shown(a, job, err, a.showJob)
				},
				func(c *client.Client, id string) error {
					task, err := c.BulkGet(cmd.Context(), id)
					return shown(a, task, err, a.showTask)
				})
		},
	}
}

func (a *app) showJob(j *client.Propagation) error {
	collections := fmt.Sprintf("%s of %s done", number(j.Done), show.Count(j.Collections, "collection"))
	if text := waitsFor(j); text != "" {
		collections += "; " + text
	}
	reversible := ""
	if j.RollbackAvailable {
		reversible = "yes"
	}
	return a.facts("JOB", j.ID, "state", j.State, "why", j.Message, "change", caused(j.Cause), "links", counted(j),
		"documents", number(j.Documents)+" rewritten", "collections", collections, "superseded by", j.SupersededBy,
		"can be rolled back", reversible, "asked by", j.Principal, "requested", stamp(j.RequestedAt), "started", stampOf(j.StartedAt), "ended", stampOf(j.EndedAt))
}

// counted says what has become of the links of a job. What there is none of is left out.
func counted(j *client.Propagation) string {
	var parts []string
	for _, part := range []struct {
		n    uint64
		what string
	}{
		{j.Counts.Updated, "updated"}, {j.Counts.Unchanged, "unchanged"}, {j.Counts.Failed, "failed"}, {j.Counts.Skipped, "skipped"},
		{j.Counts.Superseded, "superseded"}, {j.Counts.Pending, "pending"},
	} {
		if part.n > 0 {
			parts = append(parts, number(part.n)+" "+part.what)
		}
	}
	text := show.Count(j.Total, "link")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text
}

// waitsFor says for how many locks a job waits; "" for none.
func waitsFor(j *client.Propagation) string {
	switch j.WaitingForLocks {
	case 0:
		return ""
	case 1:
		return "1 collection is locked and waited for"
	}
	return number(j.WaitingForLocks) + " collections are locked and waited for"
}

func (a *app) jobItems() *cobra.Command {
	var limit int
	var state string
	cmd := &cobra.Command{
		Use:   "items JOB",
		Short: "List what has failed in a job, and what it waits for",
		Example: `  concord job items last
  concord job items "$JOB" --state FAILED --limit 0 -o jsonl`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onJob(cmd.Context(), args[0], func(c *client.Client, id string) error {
				return printList(a, c.PropagationRows(cmd.Context(), id, chosenBy(pageOf(limit), "state", state)...), limit,
					[]string{"COLLECTION", "DOCUMENT", "STATE", "LINKS", "AUTHORITY", "PATH", "CAUSE"},
					func(i client.PropagationItem) []show.Cell {
						return []show.Cell{{Text: i.Collection}, {Text: i.Document}, {Text: i.State}, {Text: number(i.Links)}, {Text: i.Authority},
							{Text: i.Path}, {Text: i.Cause}}
					})
			}, func(c *client.Client, id string) error {
				return printList(a, c.BulkRows(cmd.Context(), id, chosenBy(pageOf(limit), "state", state)...), limit, itemColumns, itemCells)
			})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "FAILED or WAITING; not given: both")
	cmd.Flags().IntVar(&limit, "limit", listDefault, "items to show; 0: all")
	return cmd
}

// jobVerb is a command that steers a job.
func (a *app) jobVerb(name, doc string, link func(*client.Client, context.Context, string, ...client.CallOption) (*client.Propagation, error),
	task func(*client.Client, context.Context, string, ...client.CallOption) (*client.BulkTask, error),
) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use: name + " JOB", Short: doc, Example: "  concord job " + name + ` "$JOB"`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return a.onJob(ctx, args[0], func(c *client.Client, id string) error {
				job, err := link(c, ctx, id)
				switch {
				case err != nil:
					return err
				case watch:
					return a.followJob(ctx, c, job.ID)
				}
				return a.printJob(job)
			}, func(c *client.Client, id string) error {
				steered, err := task(c, ctx, id)
				return a.steered(ctx, c, steered, err, name, watch)
			})
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "follow the job from then on, until it ends")
	return cmd
}

// printJob prints a job in one line.
func (a *app) printJob(j *client.Propagation) error {
	if a.format != show.Table {
		return show.Encode(a.out, a.format, j)
	}
	text := fmt.Sprintf("%s  %s  %s in %s", j.ID, j.State, counted(j), show.Count(j.Collections, "collection"))
	if waits := waitsFor(j); waits != "" {
		text += "; " + waits
	}
	if j.SupersededBy != "" {
		text += "; superseded by " + j.SupersededBy
	}
	if j.Message != "" {
		text += "; " + j.Message
	}
	_, err := fmt.Fprintln(a.out, show.Clean(text))
	return err
}
