package main

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"concord/actors/lock"
	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) locks() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:   "locks",
		Short: "List the collections that are not free: who has the lock, and who waits",
		Example: `  concord locks
  concord locks --limit 0 -o jsonl`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return printList(a, c.Locks(cmd.Context(), pageOf(limit)...), limit,
				[]string{"COLLECTION", "STATE", "HOLDER", "UNTIL", "FENCE", "WAITING", "PARKED"}, lockCells)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", listDefault, "locks to show; 0: all")
	return cmd
}

func lockCells(l client.LockItem) []show.Cell {
	holder, until := "-", "-"
	if l.Holder != nil {
		holder = who(l.Holder.Party)
	}
	if !l.ExpiresAt.IsZero() {
		until = stamp(l.ExpiresAt)
	}
	style := show.Plain
	if l.State == lock.Contested {
		style = show.Yellow
	}
	return []show.Cell{{Text: l.ID}, {Text: string(l.State), Style: style}, {Text: show.Clean(holder)}, {Text: until},
		{Text: strconv.FormatUint(l.Fence, 10)}, {Text: strconv.Itoa(l.Waiters)}, {Text: strconv.Itoa(l.Parked)}}
}

func (a *app) prompts() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "prompts",
		Short: "List who contests your locks, of all your sessions",
		Example: `  concord prompts
  concord prompts --watch   # goes on, until Ctrl-C`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			if watch {
				return a.watchPrompts(cmd, c)
			}
			list, err := c.PromptList(cmd.Context())
			if err != nil {
				return err
			}
			items := func(yield func(client.Prompt, error) bool) {
				for _, p := range list.Items {
					if !yield(p, nil) {
						return
					}
				}
			}
			return printList(a, items, 0, []string{"COLLECTION", "CONTEST", "BY", "NOTE", "ANSWER UNTIL"}, promptCells)
		},
	}
	cmd.Flags().BoolVar(&watch, "watch", false, "go on with those to come, and tell when one is over")
	return cmd
}

func promptCells(p client.Prompt) []show.Cell {
	by, note := "-", ""
	if n := len(p.Contest.Contestants); n > 0 {
		by, note = who(p.Contest.Contestants[0].Party), p.Contest.Contestants[0].Note
		if n > 1 {
			by += fmt.Sprintf(" and %d more", n-1)
		}
	}
	return []show.Cell{{Text: p.Provider + "/" + p.ID}, {Text: p.Contest.ID}, {Text: show.Clean(by), Style: show.Yellow},
		{Text: show.Clean(note)}, {Text: stamp(p.Contest.Deadline)}}
}

func (a *app) watchPrompts(cmd *cobra.Command, c *client.Client) error {
	for change, err := range c.Prompts(cmd.Context()) {
		if err != nil {
			return err
		}
		if a.format != show.Table {
			if err := show.Encode(a.out, show.JSONL, change); err != nil {
				return err
			}
			continue
		}
		if err := a.printPrompt(change); err != nil {
			return err
		}
	}
	return nil // Ctrl-C is the way to end it
}

func (a *app) printPrompt(change client.PromptChange) error {
	at := change.Provider + "/" + change.ID
	if change.Over {
		_, err := fmt.Fprintf(a.out, "%s  %s  over\n", at, change.Contest.ID)
		return err
	}
	for _, one := range slices.Backward(change.Contest.Contestants) { // the newest first
		_, err := fmt.Fprintf(a.out, "%s  %s  %s%s  answer until %s\n", at, change.Contest.ID, show.Clean(who(one.Party)),
			quoted(one.Note), stamp(change.Contest.Deadline))
		return err
	}
	return nil
}

func (a *app) contest() *cobra.Command {
	var f lockFlags
	var acquire, withdraw bool
	cmd := &cobra.Command{
		Use:   "contest ID",
		Short: "Ask the holder of a lock to give it up",
		Long: `Ask the holder of a lock to give it up. The holder is told at once, with your note, and can release the lock, keep it and
say why, or let the time pass.

With --acquire you want the lock: when you get it, it is held as "concord lock" does. If the holder keeps it the exit code is 5;
with --wait as well you stay in line. With --wait alone the outcome is waited for and shown; without either, the contest stays
open, and --withdraw takes it back.`,
		Example: `  concord contest demo --acquire --note "the index needs its nightly update"
  concord contest demo --wait --note "please save your work"
  concord contest demo --withdraw`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case withdraw:
				return a.order(func(c *client.Client) error { return c.LockWithdraw(cmd.Context(), args[0]) }, "%s  withdrawn", args[0])
			case acquire:
				f.contest = true
				return a.holding(cmd.Context(), args[0], &f, nil)
			}
			return a.runContest(cmd, args[0], &f)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.note, "note", "", "what the holder is told")
	flags.DurationVar(&f.deadline, "deadline", 0, "how long the holder has to answer; 0: the type's")
	flags.BoolVar(&acquire, "acquire", false, "get the lock, and hold it until Ctrl-C")
	flags.BoolVar(&f.wait, "wait", false, "wait for the outcome; with --acquire: stay in line whatever it is")
	flags.BoolVar(&withdraw, "withdraw", false, "take your contest back")
	f.holding(cmd)
	cmd.MarkFlagsMutuallyExclusive("withdraw", "acquire")
	cmd.MarkFlagsMutuallyExclusive("withdraw", "wait")
	return cmd
}

func (a *app) runContest(cmd *cobra.Command, id string, f *lockFlags) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	request := client.ContestRequest{Note: f.note, Deadline: f.deadline}
	if !f.wait {
		opened, err := c.LockContest(cmd.Context(), id, request)
		switch {
		case err != nil:
			return err
		case a.format != show.Table:
			return show.Encode(a.out, a.format, opened.Contest)
		}
		_, err = fmt.Fprintf(a.out, "%s  %s  the holder has until %s\n", id, opened.Contest.Contest, stamp(opened.Contest.Deadline))
		return err
	}
	outcome, err := c.ContestAndWait(cmd.Context(), id, request)
	if err != nil {
		return err
	}
	return a.showOutcome(id, outcome)
}

// showOutcome prints what became of a contest; it is an error if the holder keeps the lock.
func (a *app) showOutcome(id string, o *client.Outcome) error {
	var err error
	if a.format != show.Table {
		err = show.Encode(a.out, a.format, o)
	} else {
		text := fmt.Sprintf("%s  %s  %s%s", id, o.Contest, o.State, quoted(o.Reason))
		if o.RetryAfter > 0 {
			text += fmt.Sprintf("  again in %v", time.Duration(o.RetryAfter)*time.Second)
		}
		_, err = fmt.Fprintln(a.out, text)
	}
	if err == nil && (o.State == lock.Denied || o.State == lock.TimedOut) {
		return endedError{exitLocked}
	}
	return err
}
