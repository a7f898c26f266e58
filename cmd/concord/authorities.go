package main

import (
	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) authorities() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "authority",
		Short: "Keep authorities: names, subjects and titles that fields of records are linked to",
		Long: `Keep authorities: names, subjects and titles that fields of records are linked to. Linked fields follow a new natural id, a new
heading and a new source by a job, which concord job shows; they lose the link when the authority is deleted or becomes one of
another kind. See concord help links.`,
		Args: group, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.authorityImport(), a.authorityPut(), a.authorityGet(), a.authorityList(), a.authorityImpact(), a.authorityDelete())
	return cmd
}

func (a *app) authorityPut() *cobra.Command {
	var f followFlags
	var source, naturalID string
	cmd := &cobra.Command{
		Use:   "put ID FILE",
		Short: "Create an authority, or replace all of it; linked fields follow; - is standard input",
		Long: `Create an authority, or replace all of it; linked fields follow. The file is its record: MARC-in-JSON with one 1XX, or an object
with the member heading, a text.`,
		Example: `  concord authority get names:n123 --record > n123.json
  concord authority put names:n123 n123.json --source names --natural-id n123 --watch
  echo '{"heading": "Blue Note"}' | concord authority put labels:bn - --source labels --natural-id bn`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			record, err := a.readJSON(args[1])
			if err != nil {
				return err
			}
			r := client.AuthorityRequest{Source: source, NaturalID: naturalID, Record: record}
			return a.linkChange(cmd.Context(), &f, func(c *client.Client, options []client.CallOption) (*client.LinkChanged, error) {
				return c.AuthorityPut(cmd.Context(), args[0], r, options...)
			})
		},
	}
	cmd.Flags().StringVar(&source, "source", "", "id of its authority source file")
	cmd.Flags().StringVar(&naturalID, "natural-id", "", "what $0 of linked fields ends in")
	cmd.Flags().BoolVar(&f.createOnly, "create-only", false, "refuse if there is such an authority")
	must(cmd.MarkFlagRequired("source"))
	must(cmd.MarkFlagRequired("natural-id"))
	f.addBase(cmd)
	f.add(cmd)
	return cmd
}

func (a *app) authorityGet() *cobra.Command {
	var record bool
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Show an authority; one that was deleted says so",
		Example: `  concord authority get names:n123
  concord authority get names:n123 --record     # its record alone`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			authority, err := c.AuthorityGet(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case record:
				return a.value(authority.Record)
			case a.format != show.Table:
				return show.Encode(a.out, a.format, authority)
			}
			return a.showAuthority(authority)
		},
	}
	cmd.Flags().BoolVar(&record, "record", false, "the record alone, in the bytes that it has")
	return cmd
}

func (a *app) showAuthority(r *client.Authority) error {
	deleted := ""
	if r.Deleted {
		deleted = "yes"
	}
	return a.facts("AUTHORITY", r.ID, "version", tag(r.Version), "deleted", deleted, "source", r.Source, "natural id", r.NaturalID, "URI", r.URI,
		"heading", r.Heading, "heading type", r.HeadingType, "revision", number(r.Revision), "newest job", r.Propagation,
		"created", stamp(r.Created), "updated", stamp(r.Updated))
}

func (a *app) authorityList() *cobra.Command {
	var limit int
	var source, naturalID, heading string
	var deleted bool
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List authorities: of a source, by natural id, or by exact heading",
		Example: `  concord authority list --source names
  concord authority list --heading "Davis, Miles"
  concord authority list --natural-id n123 -o json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			options := chosenBy(pageOf(limit), "source", source, "naturalId", naturalID, "heading", heading)
			if deleted {
				options = append(options, client.DeletedToo())
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return printList(a, c.Authorities(cmd.Context(), options...), limit,
				[]string{"AUTHORITY", "VERSION", "SOURCE", "NATURAL ID", "TYPE", "HEADING"}, authorityCells)
		},
	}
	f := cmd.Flags()
	f.StringVar(&source, "source", "", "of this source")
	f.StringVar(&naturalID, "natural-id", "", "with this natural id")
	f.StringVar(&heading, "heading", "", "with this exact heading, but for punctuation at its end")
	f.BoolVar(&deleted, "deleted", false, "deleted ones, too")
	f.IntVar(&limit, "limit", listDefault, "authorities to show; 0: all")
	return cmd
}

func authorityCells(r client.Authority) []show.Cell {
	heading := show.Cell{Text: r.Heading}
	if r.Deleted {
		heading = show.Cell{Text: "deleted: " + r.Heading, Style: show.Dim}
	}
	return []show.Cell{{Text: r.ID}, {Text: tag(r.Version), Style: show.Yellow}, {Text: r.Source}, {Text: r.NaturalID}, {Text: r.HeadingType}, heading}
}

// chosenBy adds parameters, given as name and value, as far as there are values.
func chosenBy(options []client.CallOption, pairs ...string) []client.CallOption {
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			options = append(options, client.Set(pairs[i], pairs[i+1]))
		}
	}
	return options
}

func (a *app) authorityImpact() *cobra.Command {
	return &cobra.Command{
		Use:     "impact ID",
		Short:   "Count what a change of the authority would reach, without changing it",
		Example: `  concord authority impact names:n123`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asking(a, func(c *client.Client) (*client.Impact, error) { return c.AuthorityImpact(cmd.Context(), args[0]) }, a.reached)
		},
	}
}

func (a *app) authorityDelete() *cobra.Command {
	var f followFlags
	cmd := &cobra.Command{
		Use:     "delete ID",
		Aliases: []string{"rm"},
		Short:   "Delete an authority: linked fields keep their text and lose the link",
		Example: `  concord authority impact names:n123
  concord authority delete names:n123 --reason "the same as n124" --watch`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.linkChange(cmd.Context(), &f, func(c *client.Client, options []client.CallOption) (*client.LinkChanged, error) {
				return c.AuthorityDelete(cmd.Context(), args[0], options...)
			})
		},
	}
	f.addBase(cmd)
	f.add(cmd)
	return cmd
}
