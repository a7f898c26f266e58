package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// linkAutoMax is how long the linking of a collection may take, if the user says nothing of time.
const linkAutoMax = 10 * time.Minute

func (a *app) linksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "link",
		Short: "Link fields of documents to authorities, and see which are",
		Args:  group, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.linkList(), a.linkCount(), a.linkSuggest(), a.linkAuto(), a.linkAudit(), a.linkReport())
	return cmd
}

// linkWhich says which links a command is about.
type linkWhich struct{ source, authority, collection string }

func (w *linkWhich) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.source, "source", "", "to authorities of this source")
	f.StringVar(&w.authority, "authority", "", "to this authority")
	f.StringVar(&w.collection, "collection", "", "of this collection")
	cmd.MarkFlagsMutuallyExclusive("source", "authority", "collection")
	cmd.MarkFlagsOneRequired("source", "authority", "collection")
}

func (w *linkWhich) options(options ...client.CallOption) []client.CallOption {
	return chosenBy(options, "source", w.source, "authority", w.authority, "collection", w.collection)
}

func (a *app) linkList() *cobra.Command {
	var limit int
	var which linkWhich
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List linked documents: by source, by authority or by collection",
		Example: `  concord link list --authority names:n123
  concord link list --source names --limit 0 -o jsonl
  concord link list --collection catalogue-000001`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return printList(a, c.Links(cmd.Context(), which.options(pageOf(limit)...)...), limit,
				[]string{"COLLECTION", "DOCUMENT", "AUTHORITY", "FIELDS", "URI"}, linkCells)
		},
	}
	which.add(cmd)
	cmd.Flags().IntVar(&limit, "limit", listDefault, "linked documents to show; 0: all")
	return cmd
}

func linkCells(l client.Link) []show.Cell {
	uri := show.Cell{Text: l.URI}
	if l.Revision == 0 {
		uri = show.Cell{Text: "waits for its authority", Style: show.Dim}
	}
	return []show.Cell{{Text: l.Collection}, {Text: l.Document}, {Text: l.Authority}, {Text: fieldsOf(l.Fields)}, uri}
}

// fieldsOf are the linked fields of a document for people: JSON has no tags for them.
func fieldsOf(fields []string) string {
	for _, tag := range fields {
		if tag == "" {
			return show.Count(len(fields), "link")
		}
	}
	return joined(fields)
}

func (a *app) linkCount() *cobra.Command {
	var which linkWhich
	cmd := &cobra.Command{
		Use:     "count",
		Short:   "Count links: by source, by authority or by collection",
		Example: `  concord link count --source names`,
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return asking(a, func(c *client.Client) (*client.LinkCount, error) {
				return c.LinkCount(cmd.Context(), which.options()...)
			},
				func(n *client.LinkCount) error {
					_, err := fmt.Fprintf(a.out, "%s in %s of %s\n", show.Count(n.Links, "link"), show.Count(n.Documents, "document"),
						show.Count(n.Collections, "collection"))
					return err
				})
		},
	}
	which.add(cmd)
	return cmd
}

func (a *app) linkAuto() *cobra.Command {
	var r client.AutoRequest
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "auto COLLECTION...",
		Short: "Link the fields of collections where exactly one authority has the heading",
		Long: `Link the fields of collections where exactly one authority has the heading of the field, letter by letter, but for punctuation at
its end. Where there is none, or several, the field stays as it is: concord link suggest shows which.`,
		Example: `  concord link auto catalogue-000001 --dry-run
  concord link auto catalogue-000001 catalogue-000002 --source names --reason "first links"`,
		Args: arguments(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("timeout") {
				a.global.timeout = max(a.global.timeout, linkAutoMax)
			}
			return a.runLinkAuto(cmd.Context(), args, r, dryRun)
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.Source, "source", "", "to authorities of this source alone")
	f.StringVar(&r.By, "by", "", "heading, or naturalId: what $0 of the field ends in (default heading)")
	f.StringVar(&r.Reason, "reason", "", "why; kept in the history")
	f.BoolVar(&dryRun, "dry-run", false, "count what would be linked, but store nothing")
	return cmd
}

// runLinkAuto links one collection after the other; documents that could not be linked make the exit code 6.
func (a *app) runLinkAuto(ctx context.Context, collections []string, r client.AutoRequest, dryRun bool) error {
	var options []client.CallOption
	if dryRun {
		options = append(options, client.DryRun())
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	failed := false
	linked := func(yield func(client.AutoLinked, error) bool) {
		for _, r.Collection = range collections {
			done, err := c.LinkAuto(ctx, r, options...)
			if err != nil {
				yield(client.AutoLinked{}, err)
				return
			}
			failed = failed || done.Failed > 0
			if !yield(*done, nil) {
				return
			}
		}
	}
	err = printList(a, linked, 0, []string{"COLLECTION", "DOCUMENTS", "CHANGED", "LINKED", "NONE", "SEVERAL", "FAILED", "VERSION"}, autoCells)
	if err == nil && failed {
		return errPartial
	}
	return err
}

func autoCells(done client.AutoLinked) []show.Cell {
	version := show.Cell{Text: "-"}
	if n := len(done.Versions); n > 0 {
		version = show.Cell{Text: tag(done.Versions[n-1]), Style: show.Yellow}
	}
	return []show.Cell{{Text: done.Collection}, {Text: number(done.Documents)}, {Text: number(done.Changed)}, {Text: number(done.Linked)},
		{Text: number(done.None)}, {Text: number(done.Several)}, {Text: number(done.Failed)}, version}
}

func (a *app) linkAudit() *cobra.Command {
	var r client.AuditRequest
	var watch bool
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Hold every linked field against what it should be, and repair it, by a job",
		Example: `  concord link audit --source names --watch
  concord link audit --authority names:n123`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			started, err := c.LinkAudit(cmd.Context(), r)
			switch {
			case err != nil:
				return err
			case watch:
				return a.followJob(cmd.Context(), c, started.Propagation)
			case a.format != show.Table:
				return show.Encode(a.out, a.format, started)
			}
			_, err = fmt.Fprintf(a.out, "%s  has begun: concord job watch %s\n", started.Propagation, started.Propagation)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&r.Source, "source", "", "links to authorities of this source")
	f.StringVar(&r.Authority, "authority", "", "links to this authority")
	f.StringVar(&r.Reason, "reason", "", "why; kept in the history")
	f.BoolVar(&watch, "watch", false, "follow the job until it ends")
	cmd.MarkFlagsMutuallyExclusive("source", "authority")
	cmd.MarkFlagsOneRequired("source", "authority")
	return cmd
}

func (a *app) linkReport() *cobra.Command {
	var limit int
	var action, from, to string
	cmd := &cobra.Command{
		Use:   "report",
		Short: "List the changes that linked fields have followed, the newest first",
		Example: `  concord link report
  concord link report --action UPDATE_HEADING --from 2026-01-01T00:00:00Z -o jsonl`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			options := chosenBy(pageOf(limit), "action", action)
			for name, text := range map[string]string{"from": from, "to": to} {
				if text == "" {
					continue
				}
				at, err := time.Parse(time.RFC3339Nano, text)
				if err != nil {
					return usagef("--%s %q is no RFC 3339 time, such as 2026-01-31T12:00:00Z", name, text)
				}
				options = append(options, client.Set(name, at.UTC().Format(time.RFC3339Nano)))
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return printList(a, c.Reports(cmd.Context(), options...), limit,
				[]string{"STARTED", "JOB", "CHANGE", "STATE", "LINKS", "UPDATED", "FAILED", "BY"}, reportCells)
		},
	}
	f := cmd.Flags()
	f.StringVar(&action, "action", "", "of this action, such as UPDATE_BASE_URL")
	f.StringVar(&from, "from", "", "begun at this time (RFC 3339) or later")
	f.StringVar(&to, "to", "", "begun before this time (RFC 3339)")
	f.IntVar(&limit, "limit", listDefault, "changes to show; 0: all")
	return cmd
}

func reportCells(r client.Report) []show.Cell {
	return []show.Cell{{Text: stamp(r.StartedAt)}, {Text: r.Propagation}, {Text: caused(r.PropagationCause)}, stateCell(r.State),
		{Text: number(r.Total)}, {Text: number(r.Counts.Updated)}, {Text: number(r.Counts.Failed)}, {Text: r.StartedBy}}
}
