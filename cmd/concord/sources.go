package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) sources() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "source",
		Short: "Keep authority source files: whose authorities they are, and what the URIs of linked fields begin with",
		Long: `Keep authority source files: whose authorities they are, and what the URIs of linked fields begin with. $0 of a linked field is
the base URL of the source and the natural id of the authority; a new base URL reaches every linked field of every document by a
job, which concord job shows. See concord help links.`,
		Args: group, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.sourcePut(), a.sourceGet(), a.sourceList(), a.sourceSetURL(), a.sourceImpact(), a.sourceDelete(), a.sourceNextID())
	return cmd
}

// sourceInput is a source as flags give it.
type sourceInput struct {
	name, kind, baseURL, origin string
	codes                       []string
	selectable                  bool
	start                       uint64
}

func (a *app) sourcePut() *cobra.Command {
	var in sourceInput
	var f followFlags
	cmd := &cobra.Command{
		Use:   "put ID [FILE]",
		Short: "Create an authority source file, or replace all of it: as the flags say, or a JSON file; - is standard input",
		Example: `  concord source put names --name "Names" --code n,no,nr --base-url http://id.loc.gov/authorities/names/
  concord source put local --name "Our own" --code own --start 100 --origin LOCAL   # gives ids: own100, own101
  echo '{"name": "Subjects", "codes": ["sh"]}' | concord source put subjects -`,
		Args: arguments(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := a.sourceBody(cmd, in, args[1:])
			if err != nil {
				return err
			}
			return a.linkChange(cmd.Context(), &f, func(c *client.Client, options []client.CallOption) (*client.LinkChanged, error) {
				return sent(cmd.Context(), c, "source.put", args[0], body, options)
			})
		},
	}
	fs := cmd.Flags()
	fs.StringVar(&in.name, "name", "", "what people call it; unique in the provider")
	fs.StringSliceVar(&in.codes, "code", nil, "prefixes of natural ids, letters only; each is one source's alone")
	fs.StringVar(&in.kind, "type", "", "such as Names or Subjects")
	fs.StringVar(&in.baseURL, "base-url", "", "what $0 of linked fields begins with; none: $0 is the bare natural id")
	fs.BoolVar(&in.selectable, "selectable", true, "offer it to curators")
	fs.StringVar(&in.origin, "origin", "", "where it comes from, such as LOCAL")
	fs.Uint64Var(&in.start, "start", 0, "give local ids, beginning with this number: see next-id")
	fs.BoolVar(&f.createOnly, "create-only", false, "refuse if there is such a source")
	f.addBase(cmd)
	f.add(cmd)
	return cmd
}

// sourceFlags make a source; with a file there is nothing for them to say.
var sourceFlags = []string{"name", "code", "type", "base-url", "selectable", "origin", "start"}

// sourceBody is the request of a put: what a file says is judged by the service, which names the place of what is wrong.
func (a *app) sourceBody(cmd *cobra.Command, in sourceInput, file []string) (any, error) {
	if len(file) > 0 {
		for _, name := range sourceFlags {
			if cmd.Flags().Changed(name) {
				return nil, usagef("--%s and a file both say what the source is: give one of them", name)
			}
		}
		return a.readJSON(file[0])
	}
	r := client.SourceRequest{Name: in.name, Codes: in.codes, Type: in.kind, BaseURL: in.baseURL, Origin: in.origin, Selectable: &in.selectable}
	if cmd.Flags().Changed("start") {
		r.Sequence = &client.Sequence{Start: in.start}
	}
	if r.Codes == nil {
		r.Codes = []string{}
	}
	return r, nil
}

func (a *app) sourceGet() *cobra.Command {
	return &cobra.Command{
		Use:     "get ID",
		Short:   "Show an authority source file",
		Example: `  concord source get names`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asking(a, func(c *client.Client) (*client.Source, error) { return c.SourceGet(cmd.Context(), args[0]) },
				a.showSource)
		},
	}
}

func (a *app) showSource(s *client.Source) error {
	selectable, sequence := "no", ""
	if s.Selectable {
		selectable = "yes"
	}
	if s.Sequence != nil {
		sequence = fmt.Sprintf("%d, the next is %d", s.Sequence.Start, s.Sequence.Next)
	}
	return a.facts("SOURCE", s.ID, "version", tag(s.Version), "name", s.Name, "codes", joined(s.Codes), "type", s.Type, "base URL", s.BaseURL,
		"revision of it", number(s.URLRevision), "newest job", s.Propagation, "selectable", selectable, "origin", s.Origin,
		"local ids from", sequence, "created", stamp(s.Created), "updated", stamp(s.Updated))
}

func (a *app) sourceList() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the authority source files of the provider",
		Example: `  concord source list
  concord source list -o jsonl`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return printList(a, c.Sources(cmd.Context(), pageOf(limit)...), limit,
				[]string{"SOURCE", "VERSION", "NAME", "CODES", "BASE URL", "UPDATED"},
				func(s client.Source) []show.Cell {
					return []show.Cell{{Text: s.ID}, {Text: tag(s.Version), Style: show.Yellow}, {Text: s.Name}, {Text: joined(s.Codes)},
						{Text: s.BaseURL}, {Text: stamp(s.Updated)}}
				})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", listDefault, "sources to show; 0: all")
	return cmd
}

func (a *app) sourceSetURL() *cobra.Command {
	var f followFlags
	cmd := &cobra.Command{
		Use:   "set-url ID URL",
		Short: "Change the base URL of a source: every linked field of every document follows; an empty one takes it away",
		Example: `  concord source impact names                                  # what it would reach
  concord source set-url names https://authorities.example.org/names/ --watch
  concord source set-url names ""                              # $0 is the bare natural id then`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.linkChange(cmd.Context(), &f, func(c *client.Client, options []client.CallOption) (*client.LinkChanged, error) {
				return c.SourceSetURL(cmd.Context(), args[0], args[1], options...)
			})
		},
	}
	f.addBase(cmd)
	f.add(cmd)
	return cmd
}

func (a *app) sourceImpact() *cobra.Command {
	return &cobra.Command{
		Use:     "impact ID",
		Short:   "Count what a change of the base URL would reach, without changing it",
		Example: `  concord source impact names`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asking(a, func(c *client.Client) (*client.Impact, error) { return c.SourceImpact(cmd.Context(), args[0]) }, a.reached)
		},
	}
}

func (a *app) sourceDelete() *cobra.Command {
	var f followFlags
	cmd := &cobra.Command{
		Use:     "delete ID",
		Aliases: []string{"rm"},
		Short:   "Delete an authority source file; refused while an authority belongs to it or a field is linked to one",
		Example: `  concord source delete trial --reason "made by mistake"`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.linkChange(cmd.Context(), &f, func(c *client.Client, options []client.CallOption) (*client.LinkChanged, error) {
				return c.SourceDelete(cmd.Context(), args[0], options...)
			})
		},
	}
	f.addReason(cmd)
	f.addConditions(cmd)
	return cmd
}

func (a *app) sourceNextID() *cobra.Command {
	return &cobra.Command{
		Use:     "next-id ID",
		Short:   "Take the next local id of a source: nobody else gets it",
		Example: `  concord source next-id local`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return asking(a, func(c *client.Client) (*client.NextID, error) { return c.SourceNextID(cmd.Context(), args[0]) },
				func(n *client.NextID) error { _, err := fmt.Fprintln(a.out, n.ID); return err })
		},
	}
}
