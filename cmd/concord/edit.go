package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) edit() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "edit",
		Short: "Edit many collections in steps that can be looked at before, and taken back after",
		Long:  editTopic,
		Args:  group, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.editOpen(), a.editMatch(), a.editRecords(), a.editPreview(), a.editApply(), a.editRollback(), a.editRedo(),
		a.editResults(), a.editGet(), a.editList(), a.editWatch(),
		a.editVerb("pause", "Stop what is under way at the border of a record, until it is resumed", (*client.Client).EditPause),
		a.editVerb("resume", "Have what is paused go on", (*client.Client).EditResume),
		a.editVerb("cancel", "End what is under way at the border of a record; what it has done stays", (*client.Client).EditCancel),
		a.editVerb("close", "Close a session: nothing of it can be taken back any more, and nothing is kept for that", (*client.Client).EditClose))
	return cmd
}

func (a *app) editGet() *cobra.Command {
	return &cobra.Command{
		Use:     "get EDIT",
		Short:   "Show a session: where it stands, what was done, what can be taken back and what is kept for that",
		Example: `  concord edit get last`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asking(a, func(c *client.Client) (*client.EditSession, error) { return c.EditGet(cmd.Context(), args[0]) }, a.showEdit)
		},
	}
}

func (a *app) showEdit(s *client.EditSession) error {
	if err := a.facts("EDIT", s.Session, "name", s.Name, "state", s.State, "how it stands", s.Message, "owner", s.Owner, "type", s.Type,
		"named by", joined(s.By), "records", editMatched(s), "in effect", editPath(s), "rollback", available(s.RollbackAvailable),
		"redo", available(s.RedoAvailable), "keeps", s.Keep, "kept for rollbacks", editStorage(s), "reason", s.Reason,
		"opened", stamp(s.OpenedAt), "closed", stampOf(s.ClosedAt), "kept until", stampOf(s.ExpiresAt)); err != nil || len(s.Runs) == 0 {
		return err
	}
	grid := show.NewGrid(show.Colour(a.out, a.env), "RUN", "WHAT", "STATE", "RECORDS", "UPDATED", "UNCHANGED", "SKIPPED", "FAILED", "BEGUN")
	for i := range s.Runs {
		run := &s.Runs[i]
		c := &run.Counts
		grid.Cells(show.Cell{Text: number(int(run.Run))}, show.Cell{Text: runNamed(run)}, runState(run), show.Cell{Text: number(run.Total)},
			show.Cell{Text: number(c.Updated)}, show.Cell{Text: number(c.Unchanged)}, show.Cell{Text: number(c.Skipped)},
			show.Cell{Text: number(c.Failed)}, show.Cell{Text: stamp(run.BegunAt)})
	}
	if _, err := fmt.Fprintln(a.out); err != nil {
		return err
	}
	return grid.Write(a.out)
}

// runNamed says in a few words what a run is.
func runNamed(run *client.EditRun) (text string) {
	switch run.Kind {
	case client.RunPreview:
		return fmt.Sprintf("preview of step %d", run.Step)
	case client.RunApply:
		return fmt.Sprintf("step %d", run.Step)
	case client.RunRedo:
		text = fmt.Sprintf("redo of run %d", run.Of)
	default:
		text = "rollback to the start"
		if run.To != nil && *run.To > 0 {
			text = fmt.Sprintf("rollback to step %d", *run.To)
		}
	}
	if run.OnConflict != "" && run.OnConflict != "skip" {
		text += ", " + run.OnConflict
	}
	if run.DryRun {
		text += " (dry run)"
	}
	return text
}

func runState(run *client.EditRun) show.Cell {
	return taskState(&client.BulkTask{State: run.State, Counts: run.Counts})
}

// editMatched says what the rows of a session have led to. What there is none of is left out.
func editMatched(s *client.EditSession) string {
	return show.Count(s.Rows, "row") + parts(part{s.Counts.Matched, "matched"}, part{s.Counts.NotFound, "not found"},
		part{s.Counts.Duplicate, "duplicate"}, part{s.Counts.Ambiguous, "ambiguous"})
}

// editPath says which steps are in effect.
func editPath(s *client.EditSession) string {
	if len(s.Path) == 0 {
		return "no step"
	}
	numbers := make([]string, len(s.Path))
	for i, step := range s.Path {
		numbers[i] = strconv.FormatUint(uint64(step), 10)
	}
	if len(numbers) == 1 {
		return "step " + numbers[0]
	}
	return "steps " + joined(numbers)
}

func available(is bool) string {
	if is {
		return "available"
	}
	return "nothing to be taken back"
}

func editStorage(s *client.EditSession) string {
	text := size(int(s.Storage.List)) + " for its list"
	if s.Storage.Versions > 0 {
		text = fmt.Sprintf("%s of %s, and %s", show.Count(s.Storage.Versions, "old version"), size(int(s.Storage.Bytes)), text)
	}
	return text
}

func (a *app) editList() *cobra.Command {
	var open bool
	var owner string
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List your own sessions, the newest first",
		Example: `  concord edit list
  concord edit list --open -o jsonl
  concord edit list --owner bob    # needs the right admin`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			options := chosenBy(pageOf(limit), "owner", owner)
			if open {
				options = append(options, client.StillOpen())
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return printList(a, c.Edits(cmd.Context(), options...), limit,
				[]string{"EDIT", "NAME", "STATE", "MATCHED", "IN EFFECT", "ROLLBACK", "OWNER", "OPENED"}, editCells)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&open, "open", false, "only those that are not closed")
	f.StringVar(&owner, "owner", "", "those of another one; needs the right admin")
	f.IntVar(&limit, "limit", listDefault, "sessions to show; 0: all")
	return cmd
}

func editCells(s client.EditSession) []show.Cell {
	back := ""
	if s.RollbackAvailable {
		back = "yes"
	}
	return []show.Cell{{Text: s.Session}, {Text: s.Name}, editState(&s), {Text: number(s.Counts.Matched)}, {Text: editPath(&s)}, {Text: back},
		{Text: s.Owner}, {Text: stamp(s.OpenedAt)}}
}

// editState paints a state: what has ended well, what not, what goes on.
func editState(s *client.EditSession) show.Cell {
	style := show.Cyan
	switch s.State {
	case client.EditCompleted, client.EditRolledBack, client.EditReview:
		style = show.Green
	case client.EditFailed, client.EditCompletedWithErrors:
		style = show.Red
	case client.EditCancelled, client.EditRolledBackWithConflicts:
		style = show.Yellow
	}
	return show.Cell{Text: s.State, Style: style}
}

// editVerb is a command that needs nothing but the session.
func (a *app) editVerb(name, doc string, do func(*client.Client, context.Context, string, ...client.CallOption) (*client.EditSession, error)) *cobra.Command {
	return &cobra.Command{
		Use: name + " EDIT", Short: doc, Example: "  concord edit " + name + " last",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asking(a, func(c *client.Client) (*client.EditSession, error) { return do(c, cmd.Context(), args[0]) }, a.printEdit)
		},
	}
}

// printEdit prints a session in one line.
func (a *app) printEdit(s *client.EditSession) error {
	if a.format != show.Table {
		return show.Encode(a.out, a.format, s)
	}
	_, err := fmt.Fprintln(a.out, show.Clean(editLine(s)))
	return err
}

func editLine(s *client.EditSession) string {
	run, text := client.NewestRun(s), ""
	switch {
	case run == nil || s.State == client.EditClosed:
		text = editMatched(s)
	case run.Task == "":
		text = runNamed(run) + ", nothing to be done"
	default:
		text = runNamed(run) + ", " + runCounted(run)
	}
	return fmt.Sprintf("%s  %s  %s", s.Session, s.State, text)
}

// runCounted says what has become of the records in a run.
func runCounted(run *client.EditRun) string {
	text := show.Count(run.Total, "record") + outcomes(&run.Counts)
	if run.WaitingForLocks > 0 && run.EndedAt == nil {
		text += "; " + number(run.WaitingForLocks) + " locked and waited for"
	}
	return text
}

// part is so many of something.
type part struct {
	n    uint64
	what string
}

// parts lists what there is some of, after a colon; "" if there is nothing.
func parts(all ...part) string {
	var texts []string
	for _, p := range all {
		if p.n > 0 {
			texts = append(texts, number(p.n)+" "+p.what)
		}
	}
	if len(texts) == 0 {
		return ""
	}
	return ": " + joined(texts)
}

// outcomes lists what has become of items.
func outcomes(c *client.BulkCounts) string {
	return parts(part{c.Updated, "updated"}, part{c.Unchanged, "unchanged"}, part{c.Skipped, "skipped"}, part{c.Failed, "failed"},
		part{c.Cancelled, "cancelled"}, part{c.Pending, "pending"})
}

// toJSON is what --to of a roll-back says.
func toJSON(to string) ([]byte, error) {
	switch to = strings.ToLower(to); to {
	case "initial", "previous":
		return []byte(strconv.Quote(to)), nil
	}
	step, err := strconv.ParseUint(to, 10, 32)
	if err != nil || step == 0 {
		return nil, usagef("--to takes initial, previous or the number of a step, not %q", cmp.Or(to, "nothing"))
	}
	return strconv.AppendUint(nil, step, 10), nil
}
