package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) bulk() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bulk",
		Short: "Change many collections at once, by tasks that can be tried, watched, paused and cancelled",
		Long:  bulkTopic(),
		Args:  group, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.bulkSubmit(), a.bulkDryRun(), a.bulkWatch(), a.bulkList(), a.bulkGet(), a.bulkItems(), a.bulkRequest(),
		a.bulkVerb("pause", "Stop a task at the border of an item, until it is resumed", (*client.Client).BulkPause),
		a.bulkVerb("resume", "Have a paused task go on", (*client.Client).BulkResume),
		a.bulkVerb("cancel", "End a task at the border of an item; what it has done stays", (*client.Client).BulkCancel),
		a.bulkRetry(), a.bulkRollback())
	return cmd
}

// bulkListInput is what a list of tasks is asked for.
type bulkListInput struct {
	state, name, by, from, to string
	open                      bool
	limit                     int
}

func (a *app) bulkList() *cobra.Command {
	var in bulkListInput
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List bulk tasks, the newest first",
		Example: `  concord bulk list
  concord bulk list --open -o jsonl
  concord bulk list --state PAUSED --by ann --from 2026-01-01T00:00:00Z`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := in.options()
			if err != nil {
				return err
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return printList(a, c.Bulks(cmd.Context(), options...), in.limit,
				[]string{"TASK", "NUMBER", "NAME", "STATE", "ITEMS", "PENDING", "UPDATED", "FAILED", "BY", "ACCEPTED"}, taskCells)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&in.open, "open", false, "only those that have not ended")
	f.StringVar(&in.state, "state", "", "in this state, such as PAUSED")
	f.StringVar(&in.name, "name", "", "with this name")
	f.StringVar(&in.by, "by", "", "asked for by this principal")
	f.StringVar(&in.from, "from", "", "accepted at this time (RFC 3339) or later")
	f.StringVar(&in.to, "to", "", "accepted before this time (RFC 3339)")
	f.IntVar(&in.limit, "limit", listDefault, "tasks to show; 0: all")
	return cmd
}

func (in *bulkListInput) options() ([]client.CallOption, error) {
	options := chosenBy(pageOf(in.limit), "state", strings.ToUpper(in.state), "name", in.name, "principal", in.by)
	if in.open {
		options = append(options, client.StillOpen())
	}
	for _, bound := range []struct {
		name, text string
		option     func(time.Time) client.CallOption
	}{{"from", in.from, client.From}, {"to", in.to, client.To}} {
		if bound.text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339Nano, bound.text)
		if err != nil {
			return nil, usagef("--%s %q is no RFC 3339 time, such as 2026-01-31T12:00:00Z", bound.name, bound.text)
		}
		options = append(options, bound.option(at))
	}
	return options, nil
}

func taskCells(t client.BulkTask) []show.Cell {
	state := taskState(&t)
	if t.DryRun {
		state.Text += " (dry run)"
	}
	return []show.Cell{{Text: t.Task}, {Text: strconv.FormatUint(t.Number, 10)}, {Text: t.Name}, state, {Text: number(t.Total)},
		{Text: number(t.Counts.Pending)}, {Text: number(t.Counts.Updated)}, {Text: number(t.Counts.Failed)}, {Text: t.Principal},
		{Text: stamp(t.AcceptedAt)}}
}

// taskState paints a state: what has ended well, what not, what goes on.
func taskState(t *client.BulkTask) show.Cell {
	style := show.Cyan
	switch {
	case t.State == client.BulkCancelled || t.State == client.BulkPartiallyCancelled:
		style = show.Yellow
	case t.Counts.Failed > 0:
		style = show.Red
	case t.State == client.BulkComplete:
		style = show.Green
	}
	return show.Cell{Text: t.State, Style: style}
}

func (a *app) bulkGet() *cobra.Command {
	return &cobra.Command{
		Use:   "get TASK",
		Short: "Show how far a task is",
		Example: `  concord bulk get last
  concord bulk get 12`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asking(a, func(c *client.Client) (*client.BulkTask, error) {
				id, err := taskNamed(cmd.Context(), c, args[0])
				if err != nil {
					return nil, err
				}
				return c.BulkGet(cmd.Context(), id)
			}, a.showTask)
		},
	}
}

func (a *app) showTask(t *client.BulkTask) error {
	locks, dry, rate := t.OnLocked, "", ""
	if text := taskWaits(t); text != "" {
		locks += "; " + text
	}
	if t.DryRun {
		dry = "yes: nothing is written"
	}
	if t.ItemsPerSecond > 0 {
		rate = number(t.ItemsPerSecond) + " items/s at most"
	}
	warned := ""
	if t.Warned > 0 {
		warned = number(t.Warned) + " updated with warnings"
	}
	return a.facts("TASK", t.Task, "number", strconv.FormatUint(t.Number, 10), "name", t.Name, "state", t.State, "how it stands", t.Message,
		"dry run", dry, "items", taskCounted(t), "warnings", warned, "type", t.Type, "locked ones", locks, "pace", rate, "retry of", t.RetryOf,
		"takes back", t.UndoOf, "taken back by", t.UndoneBy, "can be rolled back", canRollBack(t), "session", t.Session,
		"asked by", t.Principal, "reason", t.Reason, "accepted", stamp(t.AcceptedAt), "started", stampOf(t.StartedAt),
		"ended", stampOf(t.EndedAt), "kept until", stampOf(t.ExpiresAt))
}

// canRollBack says until when a task can be taken back, "" if it cannot.
func canRollBack(t *client.BulkTask) string {
	if !t.RollbackAvailable {
		return ""
	}
	return "until " + stampOf(t.RollbackUntil)
}

// taskCounted says what has become of the items of a task. What there is none of is left out.
func taskCounted(t *client.BulkTask) string {
	var parts []string
	for _, part := range []struct {
		n    uint64
		what string
	}{
		{t.Counts.Updated, "updated"}, {t.Counts.Unchanged, "unchanged"}, {t.Counts.Skipped, "skipped"}, {t.Counts.Failed, "failed"},
		{t.Counts.Cancelled, "cancelled"}, {t.Counts.Pending, "pending"},
	} {
		if part.n > 0 {
			parts = append(parts, number(part.n)+" "+part.what)
		}
	}
	text := show.Count(t.Total, "item")
	if len(parts) > 0 {
		text += ": " + strings.Join(parts, ", ")
	}
	return text
}

// taskWaits says for how many locks a task waits; "" for none.
func taskWaits(t *client.BulkTask) string {
	switch {
	case t.WaitingForLocks == 0 || client.BulkEnded(t):
		return ""
	case t.WaitingForLocks == 1:
		return "1 collection is locked and waited for"
	}
	return number(t.WaitingForLocks) + " collections are locked and waited for"
}

// printTask prints a task in one line.
func (a *app) printTask(t *client.BulkTask) error {
	if a.format != show.Table {
		return show.Encode(a.out, a.format, t)
	}
	_, err := fmt.Fprintln(a.out, show.Clean(taskLine(t)))
	return err
}

func taskLine(t *client.BulkTask) string {
	state := t.State
	if t.DryRun {
		state += " (dry run)"
	}
	text := fmt.Sprintf("%s  %s  %s", t.Task, state, taskCounted(t))
	if waits := taskWaits(t); waits != "" {
		text += "; " + waits
	}
	return text
}

func (a *app) bulkRequest() *cobra.Command {
	return &cobra.Command{
		Use:     "request TASK",
		Short:   "Show what a task was asked for with: its instructions, and what its list was made from",
		Example: `  concord bulk request last`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asking(a, func(c *client.Client) (*client.BulkAsked, error) {
				id, err := taskNamed(cmd.Context(), c, args[0])
				if err != nil {
					return nil, err
				}
				return c.BulkRequest(cmd.Context(), id)
			}, func(asked *client.BulkAsked) error { return show.Encode(a.out, show.JSON, asked) })
		},
	}
}

// taskNamed is the id of a task that the user has named: by its id, its number or its name, or as the newest.
func taskNamed(ctx context.Context, c *client.Client, name string) (string, error) {
	if _, err := strconv.ParseUint(name, 10, 64); err == nil {
		return name, nil // the service knows numbers
	}
	if _, err := uuid.Parse(name); err == nil {
		return name, nil
	}
	options := []client.CallOption{client.Limit(1)}
	if name != lastJob {
		options = append(options, client.WithName(name))
	}
	page, err := c.BulkList(ctx, options...)
	switch {
	case err != nil:
		return "", err
	case len(page.Items) > 0:
		return page.Items[0].Task, nil
	case name == lastJob:
		return "", errNoTask
	}
	return "", fmt.Errorf("%w with the name %q", errNoTask, name)
}

// errNoTask says that there is no newest task, or none with a name.
var errNoTask = errors.New("there is no bulk task")

// bulkVerb is a command that steers a task.
func (a *app) bulkVerb(name, doc string, do func(*client.Client, context.Context, string, ...client.CallOption) (*client.BulkTask, error)) *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use: name + " TASK", Short: doc, Example: "  concord bulk " + name + ` last`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.steer(cmd.Context(), args[0], name, watch, func(c *client.Client, id string) (*client.BulkTask, error) {
				return do(c, cmd.Context(), id)
			})
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "follow the task from then on, until it ends")
	return cmd
}

func (a *app) bulkRetry() *cobra.Command {
	var r client.BulkRetry
	var watch bool
	cmd := &cobra.Command{
		Use:   "retry TASK",
		Short: "Begin a task with the failed items of one that has ended, with the same instructions and values",
		Example: `  concord bulk retry last --watch
  concord bulk retry 12 --reason "the schema is mended"`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.allowLong(cmd)
			return a.steer(cmd.Context(), args[0], "retry", watch, func(c *client.Client, id string) (*client.BulkTask, error) {
				return c.BulkRetry(cmd.Context(), id, r)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.Name, "name", "", "of the new task, unique in the provider; not given: its number")
	f.StringVar(&r.Reason, "reason", "", "why; kept in the history")
	f.BoolVar(&watch, "watch", false, "follow the new task until it ends")
	return cmd
}

// steer does something to a task, and follows what comes of it if it is asked to.
func (a *app) steer(ctx context.Context, name, verb string, watch bool, do func(*client.Client, string) (*client.BulkTask, error)) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	id, err := taskNamed(ctx, c, name)
	if err != nil {
		return err
	}
	task, err := do(c, id)
	return a.steered(ctx, c, task, err, verb, watch)
}

// steered tells what came of it.
func (a *app) steered(ctx context.Context, c *client.Client, task *client.BulkTask, err error, verb string, watch bool) error {
	switch {
	case err != nil:
		return err
	case !watch:
		return a.printTask(task)
	case verb == "retry" && a.format == show.Table:
		a.sayf("%s", taskAccepted(task))
	}
	err = a.followTask(ctx, c, task.Task)
	if _, stopped := errors.AsType[stoppedError](err); stopped && verb == "cancel" {
		return nil // as it was asked for
	}
	return err
}
