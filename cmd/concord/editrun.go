package main

import (
	"context"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// editRunInput is what every run is told.
type editRunInput struct {
	instructions         string
	exclude              []string
	onConflict, onLocked string
	reason               string
	dryRun, wait         bool
	shown                int
}

func (a *app) editPreview() *cobra.Command {
	var in editRunInput
	cmd := &cobra.Command{
		Use:   "preview EDIT",
		Short: "Show what instructions would do to the records, and write nothing",
		Long: `Show what instructions would do to the records, and write nothing: the counts, and for the first records each change. concord edit
apply then does that, and no more: records that the preview has left out are left out. The exit code is 6 if some would fail.`,
		Example: `  concord edit preview last --instructions @change.json
  concord edit preview last --instructions '{"type": "CLEAR_FIELD", "path": "/metadata/Draft"}' --exclude smd00000003 --show 2`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.wait = true
			return a.runEdit(cmd, args[0], &in, func(c *client.Client) (*client.EditSession, error) {
				text, err := a.readInstructions(in.instructions)
				if err != nil {
					return nil, err
				}
				return c.EditPreview(cmd.Context(), args[0], client.EditPreview{Instructions: text, Exclude: in.exclude})
			})
		},
	}
	in.addInstructions(cmd)
	in.addShown(cmd)
	must(cmd.MarkFlagRequired("instructions"))
	return cmd
}

func (a *app) editApply() *cobra.Command {
	var in editRunInput
	var rate uint64
	cmd := &cobra.Command{
		Use:   "apply EDIT",
		Short: "Apply what the newest preview has shown, or other instructions, as a step",
		Example: `  concord edit apply last --wait
  concord edit apply last --exclude smd00000003,smd00000009 --wait
  concord edit apply last --instructions @change.json --rate 100`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runEdit(cmd, args[0], &in, func(c *client.Client) (*client.EditSession, error) {
				r := client.EditApply{Exclude: in.exclude, OnLocked: in.onLocked, ItemsPerSecond: rate, Reason: in.reason}
				if in.instructions != "" {
					var err error
					if r.Instructions, err = a.readInstructions(in.instructions); err != nil {
						return nil, err
					}
				}
				return c.EditApply(cmd.Context(), args[0], r)
			})
		},
	}
	in.addInstructions(cmd)
	in.addWait(cmd)
	cmd.Flags().Uint64Var(&rate, "rate", 0, "records a second at most; 0: as many as it can")
	return cmd
}

func (a *app) editRollback() *cobra.Command {
	var in editRunInput
	var to string
	cmd := &cobra.Command{
		Use:   "rollback EDIT",
		Short: "Take steps back: to the start, to the step before, or to a step",
		Long: `Take steps back: to the start (--to initial), to the step before (--to previous), or to the end of a step (--to 2). A step that is being
applied is stopped first. A record that somebody else has written since is left as it is and named (--on-conflict skip, the default), put back
all the same, so that the other change is lost (force; nothing stays then of what an earlier rollback has left, either), or has the steps taken
out of it and keeps the other change (merge). The exit code is 6 if some records were left. concord edit redo takes it back.`,
		Example: `  concord edit rollback last --to previous --wait
  concord edit rollback last --to initial --on-conflict merge --dry-run
  concord edit rollback last --to 1 --wait -o json`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			target, err := toJSON(to)
			if err != nil {
				return err
			}
			return a.runEdit(cmd, args[0], &in, func(c *client.Client) (*client.EditSession, error) {
				return c.EditRollback(cmd.Context(), args[0],
					client.EditRollback{To: target, OnConflict: in.onConflict, OnLocked: in.onLocked, Reason: in.reason}, in.options()...)
			})
		},
	}
	cmd.Flags().StringVar(&to, "to", "", "initial, previous, or the number of a step that is in effect")
	must(cmd.MarkFlagRequired("to"))
	fixed(cmd, "to", "initial", "previous")
	in.addUndo(cmd)
	return cmd
}

func (a *app) editRedo() *cobra.Command {
	var in editRunInput
	var of uint32
	cmd := &cobra.Command{
		Use:   "redo EDIT",
		Short: "Take a rollback back: its steps are in effect again",
		Long: `Take a rollback back: the newest that was not redone; or, if the newest redo has left some records, those. With --of N, the number of a run
as concord edit get shows it, either can be chosen: so an older rollback can be redone while some records of a newer one are left.`,
		Example: `  concord edit redo last --wait
  concord edit redo last --of 4 --wait`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.runEdit(cmd, args[0], &in, func(c *client.Client) (*client.EditSession, error) {
				return c.EditRedo(cmd.Context(), args[0],
					client.EditRedo{Of: of, OnConflict: in.onConflict, OnLocked: in.onLocked, Reason: in.reason}, in.options()...)
			})
		},
	}
	cmd.Flags().Uint32Var(&of, "of", 0, "number of the run that is taken back; 0: what the newest redo has left, else the newest rollback")
	in.addUndo(cmd)
	return cmd
}

func (in *editRunInput) addInstructions(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&in.instructions, "instructions", "", "@file with a list of instructions, or the JSON of one or of a list; - is standard input")
	f.StringSliceVar(&in.exclude, "exclude", nil, "records that are left out: ids of collections, with commas between")
}

func (in *editRunInput) addShown(cmd *cobra.Command) {
	cmd.Flags().IntVar(&in.shown, "show", dryRunShown, "records whose changes, and those that are left, are shown; 0: none")
}

func (in *editRunInput) addWait(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&in.onLocked, "on-locked", "", "wait for a record that somebody holds the lock of, or fail it (default wait)")
	f.StringVar(&in.reason, "reason", "", "why; kept in the history of each collection; not given: that of the session")
	f.BoolVar(&in.wait, "wait", false, "follow it to its end, and show how it went")
	in.addShown(cmd)
	fixed(cmd, "on-locked", "wait", "fail")
}

func (in *editRunInput) addUndo(cmd *cobra.Command) {
	addConflict(cmd, &in.onConflict)
	cmd.Flags().BoolVar(&in.dryRun, "dry-run", false, "write nothing; show what would be")
	in.addWait(cmd)
}

// addConflict is the flag of every roll-back.
func addConflict(cmd *cobra.Command, into *string) {
	cmd.Flags().StringVar(into, "on-conflict", "", "what becomes of what somebody else has written since: skip, force or merge (default skip)")
	fixed(cmd, "on-conflict", "skip", "force", "merge")
}

func (in *editRunInput) options() []client.CallOption {
	if !in.dryRun {
		return nil
	}
	return []client.CallOption{client.DryRun()}
}

// runEdit begins a run, and shows how it goes if it is asked to.
func (a *app) runEdit(cmd *cobra.Command, name string, in *editRunInput, begin func(*client.Client) (*client.EditSession, error)) error {
	a.allowLong(cmd)
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := begin(c)
	switch {
	case err != nil:
		return err
	case !in.wait && !in.dryRun:
		if err := a.printEdit(s); err == nil && a.format == show.Table && !client.EditIdle(s) {
			a.sayf("it goes on by itself: concord edit watch %s", name)
		}
		return err
	}
	return a.followEdit(cmd.Context(), c, s.Session, name, in.shown)
}

func (a *app) editWatch() *cobra.Command {
	var shown int
	cmd := &cobra.Command{
		Use:   "watch EDIT",
		Short: "Follow what is under way in a session to its end",
		Long: `Follow what is under way in a session to its end: by a bar on a terminal, by a line a second elsewhere, by each state as a line of JSON
with -o jsonl. The exit code is 0 if all is well, 6 if some records failed or were left by a rollback, 4 if it was cancelled. Ctrl-C ends the
watch, not the work. It goes on when the service was away.`,
		Example: `  concord edit watch last
  concord edit watch last -o jsonl`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return a.followEdit(cmd.Context(), c, args[0], args[0], shown)
		},
	}
	cmd.Flags().IntVar(&shown, "show", dryRunShown, "records whose changes, and those that are left, are shown; 0: none")
	return cmd
}

// followEdit shows how far a session's run is until it ends, what came of it then, and ends as it does.
func (a *app) followEdit(ctx context.Context, c *client.Client, id, name string, shown int) error {
	last, err := a.editEnd(ctx, c, id, name)
	if err != nil {
		return err
	}
	if a.format == show.JSONL { // which has told it
		return editOutcome(last)
	}
	if err := a.showRun(ctx, c, last, name, shown); err != nil {
		return err
	}
	return editOutcome(last)
}

// editOutcome is how a command ends that was about the newest run of a session.
func editOutcome(s *client.EditSession) error {
	run := client.NewestRun(s)
	switch {
	case run == nil:
		return nil
	case run.State != client.BulkComplete:
		return stoppedError{run.Kind, run.State}
	case run.Counts.Failed > 0 || takesBack(run) && run.Counts.Skipped > 0:
		return errPartial
	}
	return nil
}

// takesBack says that a run undoes something: what it skips is then a conflict.
func takesBack(run *client.EditRun) bool {
	return run.Kind == client.RunRollback || run.Kind == client.RunRedo
}
