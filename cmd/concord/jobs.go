package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) jobs() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "job",
		Short: "Watch and steer the jobs that bring linked fields up to date",
		Long: `Watch and steer the jobs that bring linked fields up to date. A job goes on by itself, also after the service was away. A collection
that somebody holds the lock of is waited for; the others go on meanwhile. Instead of its id, last is the newest job.`,
		Args: group, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.jobList(), a.jobGet(), a.jobWatch(), a.jobItems(),
		a.jobVerb("pause", "Stop a job at the border of a collection, until it is resumed", (*client.Client).PropagationPause),
		a.jobVerb("resume", "Have a paused job go on", (*client.Client).PropagationResume),
		a.jobVerb("cancel", "End a job at the border of a collection; what it has done stays", (*client.Client).PropagationCancel),
		a.jobVerb("retry", "Try the failed links of a job that has ended again", (*client.Client).PropagationRetry))
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
			return printList(a, c.Propagations(cmd.Context(), options...), limit,
				[]string{"JOB", "STATE", "CHANGE", "LINKS", "PENDING", "FAILED", "BY", "REQUESTED"}, jobCells)
		},
	}
	cmd.Flags().BoolVar(&open, "open", false, "only those that have not ended")
	cmd.Flags().IntVar(&limit, "limit", listDefault, "jobs to show; 0: all")
	return cmd
}

func jobCells(j client.Propagation) []show.Cell {
	return []show.Cell{{Text: j.ID}, stateCell(j.State), {Text: caused(j.Cause)}, {Text: number(j.Total)}, {Text: number(j.Counts.Pending)},
		{Text: number(j.Counts.Failed)}, {Text: j.Principal}, {Text: stamp(j.RequestedAt)}}
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
			return asking(a, func(c *client.Client) (*client.Propagation, error) {
				id, err := jobNamed(cmd.Context(), c, args[0])
				if err != nil {
					return nil, err
				}
				return c.PropagationGet(cmd.Context(), id)
			}, a.showJob)
		},
	}
}

func (a *app) showJob(j *client.Propagation) error {
	collections := fmt.Sprintf("%s of %s done", number(j.Done), show.Count(j.Collections, "collection"))
	if text := waitsFor(j); text != "" {
		collections += "; " + text
	}
	return a.facts("JOB", j.ID, "state", j.State, "why", j.Message, "change", caused(j.Cause), "links", counted(j),
		"documents", number(j.Documents)+" rewritten", "collections", collections, "superseded by", j.SupersededBy,
		"asked by", j.Principal, "requested", stamp(j.RequestedAt), "started", stampOf(j.StartedAt), "ended", stampOf(j.EndedAt))
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
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			id, err := jobNamed(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return printList(a, c.PropagationRows(cmd.Context(), id, chosenBy(pageOf(limit), "state", state)...), limit,
				[]string{"COLLECTION", "DOCUMENT", "STATE", "LINKS", "AUTHORITY", "PATH", "CAUSE"},
				func(i client.PropagationItem) []show.Cell {
					return []show.Cell{{Text: i.Collection}, {Text: i.Document}, {Text: i.State}, {Text: number(i.Links)}, {Text: i.Authority},
						{Text: i.Path}, {Text: i.Cause}}
				})
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "FAILED or WAITING; not given: both")
	cmd.Flags().IntVar(&limit, "limit", listDefault, "items to show; 0: all")
	return cmd
}

// lastJob stands for the newest job: no id of a job looks like it.
const lastJob = "last"

// jobNamed is the id of a job that the user has named.
func jobNamed(ctx context.Context, c *client.Client, name string) (string, error) {
	if name != lastJob {
		return name, nil
	}
	page, err := c.PropagationList(ctx, client.Limit(1))
	switch {
	case err != nil:
		return "", err
	case len(page.Items) == 0:
		return "", errNoJob
	}
	return page.Items[0].ID, nil
}

// errNoJob says that there is no newest job.
var errNoJob = errors.New("there is no job yet")

// jobVerb is a command that steers a job.
func (a *app) jobVerb(name, doc string, do func(*client.Client, context.Context, string, ...client.CallOption) (*client.Propagation, error)) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use: name + " JOB", Short: doc, Example: "  concord job " + name + ` "$JOB"`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			id, err := jobNamed(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			job, err := do(c, cmd.Context(), id)
			switch {
			case err != nil:
				return err
			case watch:
				return a.followJob(cmd.Context(), c, job.ID)
			}
			return a.printJob(job)
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
