package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"concord/actors/collection"
	"concord/cmd/concord/internal/show"
	"concord/cmd/concord/internal/transfer"
	"concord/internal/records"
	"concord/internal/sample"
	"concord/transport/client"
)

// exportInput is what an export is told.
type exportInput struct {
	collections                                         []string
	startingWith, format, idMember, valueMember, errors string
}

func (a *app) export() *cobra.Command {
	var in exportInput
	cmd := &cobra.Command{
		Use:   "export [FILE|-]",
		Short: "Write the documents of collections into a file",
		Long: `Write all documents of collections into a file, or to standard output: collections and documents in order of their
ids, each collection as one version. A file appears when it is complete. A document that the format cannot hold is
told and left out; then the exit code is 6.`,
		Example: `  concord export all.jsonl
  concord export bibs.mrc --starting-with catalogue- --format iso2709
  concord export --collections demo,people --value-member value   # lines of {"id", "value"}`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "-"
			if len(args) == 1 {
				path = args[0]
			}
			return a.runExport(cmd.Context(), path, in)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&in.collections, "collections", nil, "ids of the collections; all of the provider if not given")
	f.StringVar(&in.startingWith, "starting-with", "", "only collections whose id begins like this")
	f.StringVar(&in.format, "format", "", "jsonl, marc-json or iso2709; by the format of the first collection if not given")
	f.StringVar(&in.idMember, "id-member", "", `with --value-member: member of a jsonl line with the id (default "id")`)
	f.StringVar(&in.valueMember, "value-member", "", "member of a jsonl line with the document; the document is the whole line if not given")
	f.StringVar(&in.errors, "errors", "", "file for the documents that were left out, JSON lines")
	cmd.MarkFlagsMutuallyExclusive("collections", "starting-with")
	return cmd
}

func (a *app) runExport(ctx context.Context, path string, in exportInput) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	format, err := exportFormat(ctx, c, in)
	if err != nil {
		return err
	}
	failures, err := a.openFailures(in.errors)
	if err != nil {
		return err
	}
	progress := show.NewProgress(a.errs, "export", "record", 0)
	var totals transfer.Totals
	err = a.toFile(path, func(out io.Writer) error {
		writer, err := records.NewWriter(out, format, records.Options{ID: in.idMember, Value: in.valueMember})
		if err != nil {
			return err
		}
		ex := &transfer.Export{Client: c, Failed: failures.add, Moved: progress.Done}
		totals, err = ex.Run(ctx, chosen(ctx, c, in), writer)
		return err
	})
	progress.End()
	if closeErr := failures.close(); err == nil {
		err = closeErr
	}
	if path == "-" && a.format != show.Table {
		a.format = show.Table // standard output has the records
	}
	return a.transferred("exported", totals, failures, err)
}

// chosen are the ids of the collections that the flags name.
func chosen(ctx context.Context, c *client.Client, in exportInput) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		for _, id := range in.collections {
			if !yield(id, nil) {
				return
			}
		}
		if len(in.collections) > 0 {
			return
		}
		for item, err := range c.Collections(ctx, client.Limit(pageItems)) {
			if err == nil && !strings.HasPrefix(item.ID, in.startingWith) {
				continue
			}
			if !yield(item.ID, err) {
				return
			}
		}
	}
}

// exportFormat is the format as it was given, or the one that fits the first collection.
func exportFormat(ctx context.Context, c *client.Client, in exportInput) (records.Format, error) {
	if in.format != "" {
		format, err := records.ParseFormat(in.format)
		if err != nil {
			return "", usageError{err}
		}
		return format, nil
	}
	for id, err := range chosen(ctx, c, in) {
		if err != nil {
			return "", err
		}
		first, err := c.CollectionGet(ctx, id, client.WithoutDocuments())
		if err != nil {
			return "", err
		}
		if first.Format == collection.FormatMARC {
			return records.MARCJSON, nil
		}
		break
	}
	return records.JSONL, nil
}

// toFile has fn write to standard output, or to a file that appears, whole and on disk, only if fn succeeds.
func (a *app) toFile(path string, fn func(io.Writer) error) (err error) {
	if path == "-" {
		return fn(a.out)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".concord-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if err := errors.Join(fn(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Chmod(f.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (a *app) sample() *cobra.Command {
	var count int
	var seed uint64
	var format, to string
	cmd := &cobra.Command{
		Use:   "sample KIND",
		Short: "Make up records for a demonstration: bibs, their authorities, or datasets",
		Long: `Make up records for a demonstration. Nothing in them is real, but their shape is. The same seed gives the same bytes.

  bibs      bibliographic records (MARC)     names        authority records of names (MARC)
  datasets  descriptions of data sets        subjects     authority records of subjects (MARC)
                                             authorities  both, as many as so many bibs use
  dataset-type  the collection type of datasets: fields, keys, indexes and a schema

Every heading of the bibs has its authority among the authorities of the same count and seed.`,
		Example: `  concord sample bibs --count 1000 | concord import - --into catalogue
  concord sample authorities --count 1000 | concord authority import -   # into the sources names and subjects
  concord sample dataset-type | concord type put dataset -
  concord sample datasets --count 200 | concord import - --as collections --type dataset
  concord sample names --count 500 --format iso2709 --to names.mrc`,
		Args: arguments(cobra.ExactArgs(1)), ValidArgs: kindNames(),
		RunE: func(_ *cobra.Command, args []string) error {
			kind, err := sample.ParseKind(args[0])
			if err != nil {
				return usageError{err}
			}
			if format == "" {
				format = string(records.MARCJSON)
				if kind == sample.Datasets || kind == sample.DatasetType || kind == sample.Authorities {
					format = string(records.JSONL)
				}
			}
			parsed, err := records.ParseFormat(format)
			if err != nil {
				return usageError{err}
			}
			return a.toFile(to, func(out io.Writer) error { return sample.Write(out, kind, parsed, count, seed) })
		},
	}
	f := cmd.Flags()
	f.IntVar(&count, "count", 100, "how many")
	f.Uint64Var(&seed, "seed", 1, "where all of it comes from")
	f.StringVar(&format, "format", "", "jsonl, marc-json or iso2709 (default marc-json; jsonl for datasets and authorities)")
	f.StringVar(&to, "to", "-", "file to write; - is standard output")
	return cmd
}

func kindNames() []string {
	var names []string
	for _, kind := range sample.Kinds() {
		names = append(names, fmt.Sprint(kind))
	}
	return names
}
