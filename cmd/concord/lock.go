package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// lockFlags are the flags of lock, and of contest as far as it ends in a lock.
type lockFlags struct {
	wait, takeOver     bool
	ttl                time.Duration
	note               string
	deadline           time.Duration
	contest            bool
	run, detach, force bool
	reason, answer     string
	keepReason         string
}

func (f *lockFlags) holding(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.DurationVar(&f.ttl, "ttl", 0, "how long the lock lasts without a renewal; 0: the type's")
	flags.StringVar(&f.answer, "answer", answerAsk, "what to do about a contest: ask, keep, release, or nothing")
	flags.StringVar(&f.keepReason, "keep-reason", "", "what contestants are told, with --answer keep")
}

func (a *app) lock() *cobra.Command {
	var f lockFlags
	cmd := &cobra.Command{
		Use:   "lock ID [-- COMMAND ARGUMENT...]",
		Short: "Hold the lock of a collection until Ctrl-C, or while a command runs",
		Long: `Hold the lock of a collection, which need not exist, until Ctrl-C: nobody else can write it meanwhile. The lock is
renewed by itself. When somebody contests it you are asked on the terminal; a line on standard input answers:

  release          give the lock up for who asked
  keep REASON      keep it, and say why
  save DOC=FILE    write the document, then give the lock up, in one step; may name several

With --run the lock is held while the command runs, which has CONCORD_LOCK_TOKEN in its environment, beside what the other
commands read there. If the lock is lost the command is ended (SIGTERM) and the exit code is 5; otherwise it is the command's.

Without --session the lock belongs to a session of its own. Whoever is told the token can write under the lock, as the same
principal: put --lock-token.`,
		Example: `  concord lock demo
  concord lock demo --wait --ttl 5m                                     # wait in line for it
  concord lock demo --run -- sh -c 'concord put demo --document a=a.json --lock-token $CONCORD_LOCK_TOKEN'
  TOKEN=$(concord lock demo --detach --ttl 10m)                         # not renewed: it lasts ten minutes
  concord lock demo --break --reason "she has left for today"           # end somebody else's`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.runLock(cmd.Context(), &f, args) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.wait, "wait", false, "wait in line while another has it")
	flags.BoolVar(&f.takeOver, "take-over", false, "take it from another session of your own")
	flags.BoolVar(&f.run, "run", false, "hold it while the command after -- runs")
	flags.BoolVar(&f.detach, "detach", false, "print the token and end: the lock lasts for its ttl, or until unlock")
	flags.BoolVar(&f.force, "break", false, "end the lock of whoever has it; whoever waits is offered it")
	flags.StringVar(&f.reason, "reason", "", "why, with --break; it is kept, and the holder is told")
	f.holding(cmd)
	cmd.MarkFlagsMutuallyExclusive("run", "detach", "break")
	cmd.MarkFlagsMutuallyExclusive("wait", "break")
	return cmd
}

func (a *app) runLock(ctx context.Context, f *lockFlags, args []string) error {
	switch {
	case f.run != (len(args) > 1):
		return usagef("--run takes a command after --, and nothing else does")
	case f.force && f.reason == "":
		return usagef("--break needs a --reason")
	case !f.force && f.reason != "":
		return usagef("--reason is for --break")
	}
	if f.force {
		return a.order(func(c *client.Client) error { return c.LockBreak(ctx, args[0], f.reason) }, "%s  broken", args[0])
	}
	return a.holding(ctx, args[0], f, args[1:])
}

// order does something that answers nothing, and says that it is done.
func (a *app) order(do func(*client.Client) error, format string, args ...any) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	if err := do(c); err != nil {
		return err
	}
	if a.format != show.Table {
		return nil
	}
	_, err = fmt.Fprintf(a.out, format+"\n", args...)
	return err
}

func (a *app) unlock() *cobra.Command {
	var token string
	cmd := &cobra.Command{
		Use:     "unlock ID",
		Short:   "Give a lock back by its token; once more changes nothing",
		Example: `  concord unlock demo --lock-token "$TOKEN"`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.order(func(c *client.Client) error { return c.LockRelease(cmd.Context(), args[0], token) }, "%s  released", args[0])
		},
	}
	cmd.Flags().StringVar(&token, "lock-token", "", "token of the lock")
	_ = cmd.MarkFlagRequired("lock-token") // there is such a flag
	return cmd
}

// sessionDigits is how long the name of such a session is: it must only differ from those of the same principal.
const sessionDigits = 13

// ownSession gives this run a session of its own, if the user names none: two terminals are two parties.
func (a *app) ownSession() {
	if a.global.session == "" {
		a.global.session = "cli-" + uuid.NewString()[:sessionDigits]
	}
}

// giveBackMax bounds the release at the end, which must not fail because the user's interrupt has ended everything else.
const giveBackMax = 5 * time.Second

// holding takes the lock and holds it: until the user has enough of it, or while the command runs.
func (a *app) holding(ctx context.Context, id string, f *lockFlags, command []string) (err error) {
	p, err := a.newAnswers(id, f)
	if err != nil {
		return err
	}
	a.ownSession()
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	o := client.LockOptions{TTL: f.ttl, Wait: f.wait, TakeOverOwn: f.takeOver, OnContest: p.onContest, OnWait: a.waits(id)}
	if f.contest {
		o.Contest = &client.ContestRequest{Note: f.note, Deadline: f.deadline}
	}
	l, err := c.Lock(ctx, id, o)
	if err != nil {
		return err
	}
	if f.detach {
		return a.detached(l)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackMax)
		defer cancel()
		err = errors.Join(err, l.Release(ctx))
	}()
	if len(command) > 0 {
		return a.runUnder(ctx, l, command)
	}
	if err := a.showHeld(id, l); err != nil {
		return err
	}
	return p.hold(ctx, l)
}

// waits tells of the place in the line.
func (a *app) waits(id string) func(client.Ticket) {
	told := 0
	return func(t client.Ticket) {
		if t.Position != told {
			a.sayf("%s: number %d in line", id, t.Position)
		}
		told = t.Position
	}
}

// heldLock is a lock as it is shown.
type heldLock struct {
	ID        string    `json:"id"`
	Token     string    `json:"token"`
	Fence     uint64    `json:"fence"`
	ExpiresAt time.Time `json:"expiresAt"`
}

func (a *app) detached(l *client.Lock) error {
	if a.format != show.Table {
		return show.Encode(a.out, a.format, heldLock{l.ID(), l.Token(), l.Fence(), l.Until().UTC()})
	}
	_, err := fmt.Fprintln(a.out, l.Token())
	return err
}

func (a *app) showHeld(id string, l *client.Lock) error {
	if a.format != show.Table {
		return show.Encode(a.out, show.JSONL, heldLock{id, l.Token(), l.Fence(), l.Until().UTC()})
	}
	_, err := fmt.Fprintf(a.out, "%s is locked for you: fence %d, token %s. Ctrl-C gives it back.\n", id, l.Fence(), l.Token())
	return err
}
