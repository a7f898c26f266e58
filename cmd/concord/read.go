package main

import (
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// getInput is what a get is asked for.
type getInput struct {
	version, at, documents string
	document, fields       []string
}

func (a *app) get() *cobra.Command {
	var in getInput
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Read a collection or documents of one: the newest version, another one, or the state at a time",
		Example: `  concord get demo
  concord get demo --version 3
  concord get demo --at 2026-01-31T12:00:00Z --documents none
  concord get demo --document intro              # the document alone
  concord get demo --fields /metadata/title,/documents/*/date -o json
  concord get demo -o jsonl                      # a line for each document`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.runGet(cmd, args[0], in) },
	}
	f := cmd.Flags()
	f.StringVar(&in.version, "version", "", "a version instead of the newest")
	f.StringVar(&in.at, "at", "", "the state at a time (RFC 3339) instead of the newest")
	f.StringArrayVar(&in.document, "document", nil, "only this document; may be repeated")
	f.StringVar(&in.documents, "documents", "all", "all or none")
	f.StringSliceVar(&in.fields, "fields", nil, "only these paths below /metadata or /documents/ID; * is one level")
	cmd.MarkFlagsMutuallyExclusive("version", "at")
	return cmd
}

func (in *getInput) options() ([]client.CallOption, error) {
	var options []client.CallOption
	if in.version != "" {
		version, err := parseVersion(in.version)
		if err != nil {
			return nil, usagef("--version: %w", err)
		}
		options = append(options, client.Version(version))
	}
	if in.at != "" {
		at, err := time.Parse(time.RFC3339Nano, in.at)
		if err != nil {
			return nil, usagef("--at %q is no RFC 3339 time, such as 2026-01-31T12:00:00Z", in.at)
		}
		options = append(options, client.At(at))
	}
	switch in.documents {
	case "all":
	case "none":
		options = append(options, client.WithoutDocuments())
	default:
		return nil, usagef("--documents is all or none, not %q", in.documents)
	}
	if len(in.document) > 0 {
		options = append(options, client.OnlyDocuments(in.document...))
	}
	if len(in.fields) > 0 {
		options = append(options, client.Fields(in.fields...))
	}
	return options, nil
}

func (a *app) runGet(cmd *cobra.Command, id string, in getInput) error {
	options, err := in.options()
	if err != nil {
		return err
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx := cmd.Context()
	if len(in.document) == 1 && len(in.fields) == 0 && a.format == show.Table {
		return a.getDocument(cmd, c, id, in)
	}
	first, err := c.CollectionGet(ctx, id, options...)
	if err != nil {
		return err
	}
	rest := func(yield func(client.Item, error) bool) {
		for _, item := range client.ItemsOf(first) {
			if !yield(item, nil) {
				return
			}
		}
		if first.Next == "" {
			return
		}
		for item, err := range c.Documents(ctx, id, append(options, client.Cursor(first.Next))...) {
			if !yield(item, err) {
				return
			}
		}
	}
	switch a.format {
	case show.JSON:
		return a.collectionJSON(first, rest)
	case show.JSONL:
		return a.collectionLines(rest)
	default:
		return a.collectionTable(first, rest)
	}
}

// getDocument prints one document as it is, so that it can go into a file.
func (a *app) getDocument(cmd *cobra.Command, c *client.Client, id string, in getInput) error {
	document := in.document[0]
	in.document, in.documents = nil, "all"
	options, err := in.options()
	if err != nil {
		return err
	}
	d, err := c.DocumentGet(cmd.Context(), id, document, options...)
	if err != nil {
		return err
	}
	return a.value(d.Value)
}

// value prints a JSON value in the bytes that it has; a person sees it indented.
func (a *app) value(value json.RawMessage) error {
	text := string(value)
	if show.Terminal(a.out) {
		text = show.Indented(value, "")
	}
	_, err := fmt.Fprintln(a.out, text)
	return err
}

// collectionJSON writes the collection with all its documents, page by page.
func (a *app) collectionJSON(c *client.Collection, documents iter.Seq2[client.Item, error]) error {
	head := *c
	head.Documents, head.DocumentVersions, head.Next = nil, nil, ""
	text, err := json.Marshal(head)
	if err != nil {
		return err
	}
	if len(c.Metadata) == 0 {
		text = []byte(strings.Replace(string(text), `,"metadata":null`, "", 1))
	}
	w := &errWriter{w: a.out}
	indented := show.Indented(text, "")
	w.print(strings.TrimSuffix(indented, "\n}"))
	if c.Documents == nil {
		w.print("\n}\n")
		return w.err
	}
	versions := make(map[string]uint64)
	separator := ""
	w.print(",\n  \"documents\": {")
	for item, err := range documents {
		if err != nil {
			return err
		}
		name, _ := json.Marshal(item.ID) // a string always marshals
		w.print(separator + "\n    " + string(name) + ": " + show.Indented(item.Value, "    "))
		separator = ","
		versions[item.ID] = item.Version
	}
	text, err = json.MarshalIndent(versions, "  ", "  ")
	if err != nil {
		return err
	}
	w.print("\n  },\n  \"documentVersions\": " + string(text) + "\n}\n")
	return w.err
}

// errWriter keeps the first error of many writes.
type errWriter struct {
	w   io.Writer
	err error
}

func (w *errWriter) print(text string) {
	if w.err == nil {
		_, w.err = io.WriteString(w.w, text)
	}
}

// documentLine is a document in a line of JSON.
type documentLine struct {
	ID      string          `json:"id"`
	Version uint64          `json:"version"`
	Value   json.RawMessage `json:"value"`
}

func (a *app) collectionLines(documents iter.Seq2[client.Item, error]) error {
	for item, err := range documents {
		if err != nil {
			return err
		}
		if err := show.Encode(a.out, show.JSONL, documentLine(item)); err != nil {
			return err
		}
	}
	return nil
}

// Bounds of the table of a collection, for people.
const (
	previewRunes     = 80
	tableMaxDocument = 1000
)

func (a *app) collectionTable(c *client.Collection, documents iter.Seq2[client.Item, error]) error {
	colour := show.Colour(a.out, a.env)
	w := &errWriter{w: a.out}
	w.print(fmt.Sprintf("%s  %s  %s", show.Paint(colour, show.Bold, c.ID), tag(c.Version), c.Format))
	if c.Type != "" {
		w.print("  type " + c.Type)
	}
	w.print(fmt.Sprintf("  %s  updated %s\n", show.Count(c.DocumentCount, "document"), stamp(c.Updated)))
	if len(c.Metadata) > 0 && string(c.Metadata) != "{}" {
		w.print("\n" + show.Indented(c.Metadata, "") + "\n")
	}
	grid := show.NewGrid(colour, "DOCUMENT", "VERSION", "SIZE", "CONTENT")
	cut := false
	for item, err := range documents {
		if err != nil {
			return err
		}
		if cut = grid.Len() == tableMaxDocument; cut {
			break
		}
		grid.Row(item.ID, tag(item.Version), size(len(item.Value)), show.Compact(item.Value, previewRunes))
	}
	if grid.Len() > 0 {
		w.print("\n")
		if err := grid.Write(a.out); err != nil {
			return err
		}
	}
	if cut {
		w.print(fmt.Sprintf("... and more: -o jsonl shows all %d\n", c.DocumentCount))
	}
	return w.err
}

// stamp is a time for people.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// size is a number of bytes for people.
func size(bytes int) string {
	switch {
	case bytes < 1<<10:
		return fmt.Sprintf("%d B", bytes)
	case bytes < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(bytes)/(1<<10))
	default:
		return fmt.Sprintf("%.1f MiB", float64(bytes)/(1<<20))
	}
}
