package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"concord/actors/collection"
	"concord/cmd/concord/internal/show"
	"concord/cmd/concord/internal/transfer"
	"concord/internal/records"
)

// Defaults and bounds of an import.
const (
	importPerCollection = 50
	importClients       = 8
	detectBytes         = 4096
	failuresShown       = 10 // on the terminal, without a file for them
)

// importInput is what an import is told.
type importInput struct {
	into, as, kind, format, idMember, valueMember string
	errors, reason                                string
	perCollection, clients                        int
}

// What --as takes.
const (
	asDocuments   = "documents"
	asCollections = "collections"
)

func (a *app) importCommand() *cobra.Command {
	var in importInput
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Write the records of a file into collections",
		Long: `Write the records of a file into collections: so many records a collection, so many collections at a time. With --as collections
each record is a collection of its own, its id is that of the record, and its metadata are the record.

A row that cannot be imported is told, with its number, and costs no other row; then the exit code is 6. The same
import again does what is left and changes nothing else, so that one that broke off is simply repeated.

Formats: jsonl (a JSON object a line), marc-json (MARC-in-JSON, a record a line), iso2709 (MARC 21). The id of a
document is --id-member of a line, or field 001; the document is the whole line, or its --value-member.`,
		Example: `  concord import bibs.mrc --into catalogue
  concord import bibs.jsonl --into catalogue-{n}-2026 --per-collection 100 --errors failed.jsonl
  concord import people.jsonl --into people --per-collection 0 --id-member uuid   # all in one collection
  concord sample bibs --count 1000 | concord import - --into demo
  concord sample datasets --count 1000 | concord import - --as collections --type dataset`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.runImport(cmd.Context(), args[0], in) },
	}
	f := cmd.Flags()
	f.StringVar(&in.into, "into", "", "pattern of collection ids; {n} is the number of the collection, else -{n} is added")
	f.StringVar(&in.as, "as", asDocuments, "documents, or collections: each record is the metadata of one")
	f.StringVar(&in.kind, "type", "", "collection type of new collections")
	f.StringVar(&in.format, "format", "", "jsonl, marc-json or iso2709; found out if not given")
	f.IntVar(&in.perCollection, "per-collection", importPerCollection, "records of one collection; 0: all in one")
	f.IntVar(&in.clients, "clients", importClients, "requests that are under way at once")
	f.StringVar(&in.errors, "errors", "", "file for the rows that failed, JSON lines")
	f.StringVar(&in.idMember, "id-member", "", `member of a jsonl line with the id of the document (default "id")`)
	f.StringVar(&in.valueMember, "value-member", "", "member of a jsonl line with the document; the whole line if not given")
	f.StringVar(&in.reason, "reason", "", "why; kept in the history")
	_ = cmd.RegisterFlagCompletionFunc("as", cobra.FixedCompletions([]string{asDocuments, asCollections}, cobra.ShellCompDirectiveNoFileComp)) // there is such a flag
	return cmd
}

// must is for mistakes in this program.
func must(err error) {
	if err != nil {
		panic("concord: " + err.Error())
	}
}

// check says what is wrong with what an import is told.
func (in *importInput) check(im *transfer.Import) error {
	switch {
	case in.as != asDocuments && in.as != asCollections:
		return usagef("--as takes documents or collections, not %q", in.as)
	case in.as == asCollections && in.into != "":
		return usagef("--into is for documents: with --as collections each record has its own id")
	case in.as == asCollections && (in.clients < 1 || in.clients > transfer.ClientsMax):
		return usagef("--clients takes 1 to %d", transfer.ClientsMax)
	case in.as == asCollections:
		return nil
	case in.into == "":
		return usagef("--into is needed: the collections that the records come into")
	}
	if err := im.Check(); err != nil {
		return usageError{err}
	}
	return nil
}

func (a *app) runImport(ctx context.Context, path string, in importInput) error {
	im := &transfer.Import{Into: in.into, PerCollection: in.perCollection, Clients: in.clients, Type: in.kind, Reason: in.reason}
	if err := in.check(im); err != nil {
		return err
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
	reader, err := records.NewReader(source, format, records.Options{ID: in.idMember, Value: in.valueMember})
	if err != nil {
		return err
	}
	failures, err := a.openFailures(in.errors)
	if err != nil {
		return err
	}
	progress := show.NewProgress(a.errs, "import", "record", source.size)
	source.read = progress.Read
	im.Format, im.Failed, im.Moved = collectionFormat(format), failures.add, progress.Done
	totals, err := a.importFrom(ctx, im, reader, in.as == asCollections)
	progress.End()
	if closeErr := failures.close(); err == nil {
		err = closeErr
	}
	return a.transferred("imported", totals, failures, err)
}

// collectionFormat is the format of collections for records of a file.
func collectionFormat(f records.Format) string {
	if f == records.JSONL {
		return collection.FormatJSON
	}
	return collection.FormatMARC
}

func (a *app) importFrom(ctx context.Context, im *transfer.Import, from records.Reader, each bool) (transfer.Totals, error) {
	c, err := a.connect()
	if err != nil {
		return transfer.Totals{}, err
	}
	defer c.Close()
	if each {
		one := &transfer.Collections{Client: c, Type: im.Type, Reason: im.Reason, Clients: im.Clients, Failed: im.Failed, Moved: im.Moved}
		return one.Run(ctx, from)
	}
	im.Client = c
	return im.Run(ctx, from)
}

// transferred tells how an import or export ended.
func (a *app) transferred(what string, t transfer.Totals, f *failures, err error) error {
	if err != nil && t.Rows == 0 {
		return err
	}
	if a.format != show.Table {
		if encodeErr := show.Encode(a.out, a.format, t); err == nil {
			err = encodeErr
		}
	} else {
		text := fmt.Sprintf("%s %s in %s, %s", what, show.Count(t.Moved, "record"), show.Count(t.Collections, "collection"),
			time.Since(f.begin).Round(time.Millisecond))
		if t.Failed > 0 {
			text += fmt.Sprintf("; %s failed", show.Thousands(int64(t.Failed)))
			if f.path != "" {
				text += ", see " + f.path
			}
		}
		a.sayf("%s", text)
	}
	switch {
	case err != nil && t.Moved > 0 && what == "imported":
		return fmt.Errorf("the import broke off (the same command again does what is left): %w", err)
	case err == nil && t.Failed > 0:
		return errPartial
	}
	return err
}

// source is a file of records that is read.
type source struct {
	name string
	in   *bufio.Reader
	size int64 // 0: not known
	read func(bytes int64)
	file *os.File
}

func (a *app) openSource(path string) (*source, error) {
	if path == "-" {
		return &source{in: bufio.NewReaderSize(a.in, detectBytes)}, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &source{name: path, in: bufio.NewReaderSize(f, detectBytes), file: f}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		s.size = info.Size()
	}
	return s, nil
}

// detect is the format as it was given, or as the file looks.
func (s *source) detect(given string) (records.Format, error) {
	if given != "" {
		format, err := records.ParseFormat(given)
		if err != nil {
			return "", usageError{err}
		}
		return format, nil
	}
	first, err := s.in.Peek(detectBytes)
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read %s: %w", s.name, err)
	}
	if format := records.Detect(first, s.name); format != "" {
		return format, nil
	}
	if len(bytes.TrimSpace(first)) == 0 {
		return records.JSONL, nil // nothing to import
	}
	return "", usagef("the format of %s is not clear: --format is one of %q", filepath.Base(s.name), records.Formats())
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.in.Read(p)
	s.read(int64(n))
	return n, err
}

func (s *source) close() {
	if s.file != nil {
		_ = s.file.Close() // nothing was written
	}
}

// failures keeps account of the rows that failed: in a file, or the first few on standard error.
type failures struct {
	app   *app
	path  string
	file  *os.File
	out   *bufio.Writer
	count int
	err   error
	begin time.Time
}

func (a *app) openFailures(path string) (*failures, error) {
	f := &failures{app: a, path: path, begin: time.Now()}
	if path == "" {
		return f, nil
	}
	var err error
	if f.file, err = os.Create(path); err != nil {
		return nil, err
	}
	f.out = bufio.NewWriter(f.file)
	return f, nil
}

func (f *failures) add(failed transfer.Failure) {
	f.count++
	switch {
	case f.out != nil:
		if f.err == nil {
			f.err = show.Encode(f.out, show.JSONL, failed)
		}
	case f.count <= failuresShown:
		f.app.sayf("%s", show.Clean(failed.String()))
	case f.count == failuresShown+1:
		f.app.sayf("... and more: --errors FILE takes them all")
	}
}

func (f *failures) close() error {
	if f.out == nil {
		return nil
	}
	return errors.Join(f.err, f.out.Flush(), f.file.Close())
}
