package main

import (
	"fmt"

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
		Long: `Show the events of a collection in order, none missing, none twice: those above --after, and then those to come,
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
	what := changed(client.HistoryItem{Type: e.Type, Changed: e.Data.Changed})
	_, err := fmt.Fprintf(a.out, "%s  #%d  %s  %s by %s  %s\n", stamp(e.Time), e.Seq, show.Paint(colour, show.Yellow, tag(e.Version)),
		e.Type, show.Clean(e.Principal), show.Clean(what))
	return err
}
