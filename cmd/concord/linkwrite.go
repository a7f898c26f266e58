package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// followFlags are those of a change that linked fields follow.
type followFlags struct {
	writeFlags
	watch bool
}

func (f *followFlags) add(cmd *cobra.Command) {
	f.addReason(cmd)
	f.addConditions(cmd)
	f.addWatch(cmd)
}

func (f *followFlags) addBase(cmd *cobra.Command) {
	cmd.Flags().Uint64Var(&f.base, flagBase, 0, "version that the change is based on: refused if there is a newer one")
}

func (f *followFlags) addWatch(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.watch, "watch", false, "follow the job that brings linked fields up to date, until it ends")
}

// linkChange makes a change that linked fields follow, and tells what became of it.
func (a *app) linkChange(ctx context.Context, f *followFlags, do func(*client.Client, []client.CallOption) (*client.LinkChanged, error)) error {
	options, err := f.options()
	if err != nil {
		return err
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	changed, err := do(c, options)
	if err != nil {
		return err
	}
	return a.linkChanged(ctx, c, changed, f)
}

// linkChanged tells what became of such a change, and follows its job if that is asked for.
func (a *app) linkChanged(ctx context.Context, c *client.Client, changed *client.LinkChanged, f *followFlags) error {
	if f.watch && changed.Propagation != "" && !f.dryRun {
		if a.format == show.Table {
			a.sayf("%s", linkOutcome(changed, f))
		}
		return a.followJob(ctx, c, changed.Propagation)
	}
	if a.format != show.Table {
		return show.Encode(a.out, a.format, changed)
	}
	_, err := fmt.Fprintln(a.out, linkOutcome(changed, f))
	return err
}

// sent calls such an operation with a body that may be the user's own.
func sent(ctx context.Context, c *client.Client, operation, id string, body any, options []client.CallOption) (*client.LinkChanged, error) {
	text, err := c.Do(ctx, operation, id, body, options...)
	if err != nil {
		return nil, err
	}
	changed := new(client.LinkChanged)
	if err := json.Unmarshal(text, changed); err != nil {
		return nil, fmt.Errorf("%s %s: unreadable answer: %w", operation, id, err)
	}
	return changed, nil
}

// linkOutcome says what became of such a change.
func linkOutcome(r *client.LinkChanged, f *followFlags) string {
	what := "written"
	switch {
	case f.dryRun && r.Changed:
		what = "would be written"
	case !r.Changed:
		what = "unchanged"
	}
	text := fmt.Sprintf("%s  %s  %s", show.Clean(r.ID), tag(r.Version), what)
	if r.Propagation != "" && !f.watch {
		text += "; linked fields follow: concord job watch " + r.Propagation
	}
	return text
}

// facts prints what there is to say of one thing: names and values. A name without a value is left out.
func (a *app) facts(kind, id string, pairs ...string) error {
	grid := show.NewGrid(show.Colour(a.out, a.env), kind, id)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			grid.Row(pairs[i], pairs[i+1])
		}
	}
	return grid.Write(a.out)
}

// reached prints what a change would reach.
func (a *app) reached(i *client.Impact) error {
	if a.format != show.Table {
		return show.Encode(a.out, a.format, i)
	}
	_, err := fmt.Fprintf(a.out, "%s with %s in %s of %s", show.Count(i.Authorities, "authority"), show.Count(i.Links, "link"),
		show.Count(i.Documents, "document"), show.Count(i.Collections, "collection"))
	if err == nil && i.Locked > 0 {
		_, err = fmt.Fprintf(a.out, "; %s of them locked now: they would be waited for", show.Thousands(int64(i.Locked)))
	}
	if err == nil {
		_, err = fmt.Fprintln(a.out)
	}
	return err
}

// asking calls an operation and prints its answer: for programs as it is, for people as table says.
func asking[T any](a *app, ask func(*client.Client) (*T, error), table func(*T) error) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	answer, err := ask(c)
	return shown(a, answer, err, table)
}

// shown prints an answer, unless there is none.
func shown[T any](a *app, answer *T, err error, table func(*T) error) error {
	switch {
	case err != nil:
		return err
	case a.format != show.Table:
		return show.Encode(a.out, a.format, answer)
	}
	return table(answer)
}

// stampOf is a time for people; empty if there is none.
func stampOf(t *time.Time) string {
	if t == nil {
		return ""
	}
	return stamp(*t)
}

// joined is a list for people.
func joined(list []string) string { return strings.Join(list, ", ") }

// number is a count for people.
func number[N ~int | ~uint64](n N) string { return show.Thousands(int64(n)) }
