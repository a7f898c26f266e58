package main

import (
	"context"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// editSource says which records are meant.
type editSource struct {
	ids, format string
	query       []string
	by, columns []string
}

func (a *app) editOpen() *cobra.Command {
	var in editSource
	var r client.EditRequest
	cmd := &cobra.Command{
		Use:   "open [FILE]",
		Short: "Open a session: match the records that a file, ids or a query name",
		Long: `Open a session: match the records that a file, ids or a query name. FILE is CSV or JSON lines; - is standard input. With one column and
without --column each line is an identifier; with --column the first line has the names of the columns. An identifier is the id of a
collection, or, with --by, an alternate key that the type declares. What did not match is listed by concord edit records; it takes no part.`,
		Example: `  concord edit open ids.csv
  concord edit open items.csv --type bibs --by /metadata/hrid --column hrid --name "week 3" --reason "new shelf marks"
  concord edit open --type bibs --query /metadata/status=draft`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.matching(cmd, args, &in, func(c *client.Client, from io.Reader, m client.EditMatch) (*client.EditSession, error) {
				r.IDs, r.Query, r.By, r.Columns, r.Format = m.IDs, m.Query, m.By, m.Columns, m.Format
				if from == nil {
					return c.EditOpen(cmd.Context(), r)
				}
				return c.EditOpenFrom(cmd.Context(), from, r)
			})
		},
	}
	in.add(cmd)
	f := cmd.Flags()
	f.StringVar(&r.Type, "type", "", "collection type that all of them are of; needed for --by and --query, and for fields in instructions")
	f.StringVar(&r.Name, "name", "", "of the session, for people")
	f.StringVar(&r.Keep, "keep", "", "all: every step can be taken back; previous: only the newest (default all)")
	f.StringVar(&r.Reason, "reason", "", "why; kept in the history of each collection")
	fixed(cmd, "keep", "all", "previous")
	return cmd
}

func (a *app) editMatch() *cobra.Command {
	var in editSource
	cmd := &cobra.Command{
		Use:   "match EDIT [FILE]",
		Short: "Match other records for a session that has no step yet",
		Example: `  concord edit match last ids.csv
  concord edit match last --ids a,b,c`,
		Args: arguments(cobra.RangeArgs(1, 2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.matching(cmd, args[1:], &in, func(c *client.Client, from io.Reader, m client.EditMatch) (*client.EditSession, error) {
				if from == nil {
					return c.EditMatch(cmd.Context(), args[0], m)
				}
				return c.EditMatchFrom(cmd.Context(), args[0], from, m)
			})
		},
	}
	in.add(cmd)
	return cmd
}

// add are the flags that say which records are meant.
func (in *editSource) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&in.ids, "ids", "", "identifiers with commas between, instead of a file")
	f.StringArrayVar(&in.query, "query", nil, "PATH=VALUE, instead of a file: all collections of the type with this value in a declared index")
	f.StringArrayVar(&in.by, "by", nil, "path of the alternate key that identifiers are, such as /metadata/hrid; several for a key of several paths")
	f.StringArrayVar(&in.columns, "column", nil, "name of the column with the identifiers; as many as there are of --by")
	f.StringVar(&in.format, "format", "", "csv or jsonl; not given: what the file looks like")
	cmd.MarkFlagsMutuallyExclusive("ids", "query")
	fixed(cmd, "format", "csv", "jsonl")
}

// fixed has the shell complete the values of a flag.
func fixed(cmd *cobra.Command, flag string, values ...string) {
	must(cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)))
}

// source is what the flags say; the file is open, or nil if the records are named otherwise.
func (a *app) source(files []string, in *editSource) (m client.EditMatch, from io.Reader, end func(), err error) {
	end = func() {}
	m = client.EditMatch{By: in.by, Columns: in.columns, Format: in.format}
	elsewhere := in.ids != "" || len(in.query) > 0
	switch {
	case len(files) == 0 && !elsewhere:
		err = usagef("which records? give a file (- is standard input), --ids or --query")
	case len(files) > 0 && elsewhere:
		err = usagef("a file, --ids or --query: one of them says which records are meant")
	case in.ids != "":
		m.IDs = strings.Split(in.ids, ",")
	case elsewhere:
		m.Query, err = queryOf(in.query)
	case files[0] == "-":
		from = a.in
	default:
		var f *os.File
		if f, err = os.Open(files[0]); err == nil {
			from, end = f, func() { _ = f.Close() } // nothing was written
		}
	}
	return m, from, end, err
}

// matching opens a session, or matches other records for one, and tells what was matched.
func (a *app) matching(cmd *cobra.Command, files []string, in *editSource,
	do func(*client.Client, io.Reader, client.EditMatch) (*client.EditSession, error),
) error {
	a.allowLong(cmd)
	m, from, end, err := a.source(files, in)
	if err != nil {
		return err
	}
	defer end()
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	s, err := do(c, from, m)
	if err != nil {
		return err
	}
	if err := a.printEdit(s); err != nil || a.format != show.Table {
		return err
	}
	return a.unmatched(cmd.Context(), c, s)
}

// unmatchedShown is how many rows that did not match are shown at once.
const unmatchedShown = 3

// unmatched shows the first rows that did not match.
func (a *app) unmatched(ctx context.Context, c *client.Client, s *client.EditSession) error {
	n := s.Rows - s.Counts.Matched
	if n == 0 {
		return nil
	}
	page, err := c.EditRecords(ctx, s.Session, client.InStates(unmatchedStates...), client.Limit(unmatchedShown))
	if err != nil {
		return err
	}
	for _, row := range page.Items {
		a.sayf("  line %d, %s: %s", row.Line, show.Clean(row.Identifier+row.ID), show.Clean(why(&row)))
	}
	if n > uint64(len(page.Items)) {
		a.sayf("  ... %s did not match: concord edit records %s --state %s", show.Count(n, "row"), s.Session, strings.Join(unmatchedStates, ","))
	}
	return nil
}
