package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) watch() *cobra.Command {
	var after uint64
	var count int
	cmd := &cobra.Command{
		Use:   "watch ID",
		Short: "Show what happens to a collection, as it happens",
		Long: `Show the events of a collection and of its lock in order, none missing, none twice: those above --after, and then those to come,
until Ctrl-C. It goes on when the server was away.`,
		Example: `  concord watch demo
  concord watch demo --after 12 -o jsonl   # everything since event 12
  concord watch demo --count 1             # wait for one event`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			seen := 0
			for event, err := range c.Watch(cmd.Context(), args[0], after) {
				if err != nil {
					return err
				}
				if err := a.printEvent(event); err != nil {
					return err
				}
				if seen++; seen == count {
					return nil
				}
			}
			return nil // Ctrl-C is the way to end it
		},
	}
	cmd.Flags().Uint64Var(&after, "after", 0, "number of the last event that you know; 0: from the first on")
	cmd.Flags().IntVar(&count, "count", 0, "end after so many events; 0: go on")
	return cmd
}

func (a *app) printEvent(e client.Event) error {
	if a.format != show.Table {
		return show.Encode(a.out, show.JSONL, e) // a stream: one line each in either format
	}
	colour := show.Colour(a.out, a.env)
	_, err := fmt.Fprintf(a.out, "%s  #%d  %s  %s by %s  %s\n", stamp(e.Time), e.Seq, show.Paint(colour, show.Yellow, tag(e.Version)),
		e.Type, show.Clean(cmp.Or(e.Principal, "the service")), show.Clean(happened(e)))
	return err
}

// happened says in words what an event tells.
func happened(e client.Event) string {
	if strings.HasPrefix(e.Type, "collection.") {
		return changed(client.HistoryItem{Type: e.Type, Changed: e.Data.Changed})
	}
	var l client.LockEvent
	if json.Unmarshal(e.Data.Lock, &l) != nil {
		return string(e.Data.Lock)
	}
	var parts []string
	add := func(is bool, format string, args ...any) {
		if is {
			parts = append(parts, fmt.Sprintf(format, args...))
		}
	}
	until := func(t *time.Time, what string) {
		if t != nil {
			add(true, "%s %s", what, stamp(*t))
		}
	}
	add(l.Contest != "", "contest %s", l.Contest)
	add(l.Ticket != "", "ticket %s", l.Ticket)
	add(l.Operation != "", "update %s", l.Operation)
	add(e.Fence > 0, "fence %d", e.Fence)
	if l.Party != nil {
		add(true, "%s", who(*l.Party))
	}
	add(l.Acquire, "wants the lock")
	add(l.How != "", "%s", strings.ReplaceAll(l.How, "_", " "))
	add(l.Version > 0, "made %s", tag(l.Version))
	add(l.Code != "", "%s", l.Code)
	add(l.Note != "", "%q", l.Note)
	add(l.Reason != "", "%q", l.Reason)
	if l.Holder != nil && (l.Contest != "" || strings.HasPrefix(e.Type, "lock.") && l.Holder.Principal != e.Principal) {
		add(true, "holder %s", who(*l.Holder))
	}
	until(l.ExpiresAt, "until")
	until(l.Deadline, "answer until")
	until(l.RetryAfter, "again from")
	return strings.Join(parts, ", ")
}
