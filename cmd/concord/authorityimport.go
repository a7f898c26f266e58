package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/cmd/concord/internal/transfer"
	"concord/internal/records"
)

// Defaults and bounds of an import of authorities.
const (
	authorityImportClients = 2                // what the service works on at once
	authorityRequestMax    = 10 * time.Minute // that the service may work on one request
	refusalsShownMax       = 1000             // in a table
)

// authorityImportInput is what such an import is told.
type authorityImportInput struct {
	source, format, errors, reason string
	clients                        int
	upload, dryRun                 bool
}

func (a *app) authorityImport() *cobra.Command {
	var in authorityImportInput
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Create or replace the authorities of a file; linked fields follow",
		Long: `Create or replace the authorities of a file; linked fields follow. An authority that is refused is told, with its row, and costs
no other; then the exit code is 6. The same import again does what is left and changes nothing else.

Formats: lines of JSON, iso2709 (MARC 21). A line is a MARC-in-JSON record, or an object with the record and what is to be said
of it: {"id": ..., "source": ..., "naturalId": ..., "record": ...}; other members are passed over. Without a natural id it is
field 001, without an id it is <source>:<naturalId>, without a source it is --source.`,
		Example: `  concord authority import names.jsonl --source names
  concord authority import names.mrc --source names --errors refused.jsonl
  concord sample names --count 500 | concord authority import - --source names
  concord authority import names.jsonl --upload     # in one upload, which the service works through by itself`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.runAuthorityImport(cmd.Context(), args[0], in) },
	}
	f := cmd.Flags()
	f.StringVar(&in.source, "source", "", "authority source file of those that name none")
	f.StringVar(&in.format, "format", "", "jsonl, marc-json or iso2709; found out if not given")
	f.IntVar(&in.clients, "clients", authorityImportClients, "requests that are under way at once")
	f.BoolVar(&in.upload, "upload", false, "send all of it in one upload")
	f.StringVar(&in.errors, "errors", "", "file for the authorities that were refused, JSON lines")
	f.StringVar(&in.reason, "reason", "", "why; kept in the history")
	f.BoolVar(&in.dryRun, "dry-run", false, "have it decided and answered, but store nothing")
	return cmd
}

func (a *app) runAuthorityImport(ctx context.Context, path string, in authorityImportInput) error {
	if in.clients < 1 || in.clients > transfer.ClientsMax {
		return usagef("--clients takes 1 to %d", transfer.ClientsMax)
	}
	source, err := a.openSource(path)
	if err != nil {
		return err
	}
	defer source.close()
	format, err := source.detect(in.format)
	if err != nil {
		return err
	}
	if format == records.MARCJSON {
		format = records.JSONL // whole lines: what stands beside the record counts
	}
	reader, err := records.NewReader(source, format, records.Options{})
	if err != nil {
		return err
	}
	refused, err := a.openRefusals(in.errors)
	if err != nil {
		return err
	}
	progress := show.NewProgress(a.errs, "import", "authority", source.size)
	source.read = progress.Read
	im := &transfer.Authorities{Source: in.source, Reason: in.reason, Clients: in.clients, DryRun: in.dryRun, Failed: refused.add, Moved: progress.Done,
		Uploaded: func() { progress.Note("uploaded, the service works through it") }}
	totals, err := a.importAuthorities(ctx, im, reader, in.upload)
	progress.End()
	if closeErr := refused.close(); err == nil {
		err = closeErr
	}
	return a.importedAuthorities(totals, refused, in.dryRun, err)
}

func (a *app) importAuthorities(ctx context.Context, im *transfer.Authorities, from records.Reader, upload bool) (transfer.AuthorityTotals, error) {
	a.global.timeout = max(a.global.timeout, authorityRequestMax)
	c, err := a.connect()
	if err != nil {
		return transfer.AuthorityTotals{}, err
	}
	defer c.Close()
	im.Client = c
	if upload {
		return im.Upload(ctx, from)
	}
	return im.Run(ctx, from)
}

// importedAuthorities tells how an import ended.
func (a *app) importedAuthorities(t transfer.AuthorityTotals, r *refusals, dryRun bool, err error) error {
	if err != nil && t.Total == 0 {
		return err
	}
	if printErr := r.print(t); err == nil {
		err = printErr
	}
	what := "imported"
	if dryRun {
		what = "would import"
	}
	text := fmt.Sprintf("%s %s in %s: %s new, %s changed, %s as they were", what, show.Count(t.Moved(), "authority"),
		time.Since(r.begin).Round(time.Millisecond), number(t.Created), number(t.Changed), number(t.Unchanged))
	if t.Failed > 0 {
		text += "; " + number(t.Failed) + " refused"
		if r.path != "" {
			text += ", see " + r.path
		}
	}
	if t.Propagations > 0 {
		text += "; linked fields follow: concord job list"
	}
	if a.format != show.JSON {
		a.sayf("%s", text)
	}
	switch {
	case err != nil && t.Moved() > 0:
		return fmt.Errorf("the import broke off (the same command again does what is left): %w", err)
	case err == nil && t.Failed > 0:
		return errPartial
	}
	return err
}

// refusals are the authorities that were refused: in a file, or on standard output.
type refusals struct {
	app   *app
	path  string
	file  *os.File
	out   *bufio.Writer
	list  []transfer.Failure // to be printed; bounded
	count int
	err   error
	begin time.Time
}

func (a *app) openRefusals(path string) (*refusals, error) {
	r := &refusals{app: a, path: path, begin: time.Now()}
	if path == "" {
		return r, nil
	}
	var err error
	if r.file, err = os.Create(path); err != nil {
		return nil, err
	}
	r.out = bufio.NewWriter(r.file)
	return r, nil
}

func (r *refusals) add(f transfer.Failure) {
	r.count++
	switch {
	case r.err != nil:
	case r.out != nil:
		r.err = show.Encode(r.out, show.JSONL, f)
	case r.app.format == show.JSONL:
		r.err = show.Encode(r.app.out, show.JSONL, f)
	case len(r.list) < refusalsShownMax:
		r.list = append(r.list, f)
	}
}

func (r *refusals) close() error {
	if r.out == nil {
		return r.err
	}
	return errors.Join(r.err, r.out.Flush(), r.file.Close())
}

// print prints them with the sums: as a table, or as one JSON document; as lines they have been printed.
func (r *refusals) print(t transfer.AuthorityTotals) error {
	a := r.app
	slices.SortStableFunc(r.list, func(f, g transfer.Failure) int { return cmp.Compare(f.Row, g.Row) }) // they come as requests are answered
	if a.format == show.JSON {
		return show.Encode(a.out, show.JSON, struct {
			transfer.AuthorityTotals
			Errors []transfer.Failure `json:"errors,omitempty"`
		}{t, r.list})
	}
	if a.format == show.JSONL || len(r.list) == 0 {
		return nil
	}
	grid := show.NewGrid(show.Colour(a.out, a.env), "ROW", "AUTHORITY", "CODE", "PATH", "MESSAGE")
	for _, f := range r.list {
		grid.Row(cmp.Or(number(f.Row), "-"), cmp.Or(f.ID, "-"), f.Code, cmp.Or(f.Path, "-"), f.Message)
	}
	err := grid.Write(a.out)
	if more := r.count - len(r.list); err == nil && more > 0 {
		_, err = fmt.Fprintf(a.out, "... and %s more: --errors FILE takes them all\n", number(more))
	}
	return err
}
