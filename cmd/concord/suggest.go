package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// suggestInput is what is asked about a document: one of a collection, or one in a file.
type suggestInput struct {
	request client.SuggestRequest
	file    string
	rewrite bool
}

func (a *app) linkSuggest() *cobra.Command {
	var in suggestInput
	cmd := &cobra.Command{
		Use:   "suggest COLLECTION DOCUMENT | --file FILE",
		Short: "Find authorities for the fields of a document; nothing is stored",
		Example: `  concord link suggest catalogue-000001 smb00000001
  concord link suggest --file record.json --source names --by heading
  concord link suggest --file record.json --linked > linked.json`,
		Args: arguments(func(cmd *cobra.Command, args []string) error {
			if in.file != "" {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(2)(cmd, args)
		}),
		RunE: func(cmd *cobra.Command, args []string) error { return a.runSuggest(cmd.Context(), args, in) },
	}
	f := cmd.Flags()
	f.StringVar(&in.file, "file", "", "file with the document; - is standard input")
	f.StringVar(&in.request.Format, "format", "", "of the file: marc or json (default marc)")
	f.StringVar(&in.request.Type, "type", "", "collection type whose linking rules count")
	f.StringVar(&in.request.Source, "source", "", "authorities of this source alone")
	f.StringVar(&in.request.By, "by", "", "naturalId or heading; not given: the one, then the other")
	f.BoolVar(&in.rewrite, "linked", false, "the document alone, with the fields linked for which one authority was found")
	return cmd
}

func (a *app) runSuggest(ctx context.Context, args []string, in suggestInput) error {
	var err error
	if in.file != "" {
		if in.request.Document, err = a.readJSON(in.file); err != nil {
			return err
		}
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	if in.file == "" {
		if err := askAbout(ctx, c, args[0], args[1], &in.request); err != nil {
			return err
		}
	}
	found, err := c.LinkSuggest(ctx, in.request)
	switch {
	case err != nil:
		return err
	case in.rewrite:
		return a.value(found.Document)
	case a.format == show.JSON:
		return show.Encode(a.out, a.format, found)
	}
	all := func(yield func(client.Suggestion, error) bool) {
		for _, s := range found.Items {
			if !yield(s, nil) {
				return
			}
		}
	}
	return printList(a, all, 0, []string{"FIELD", "TEXT", "FOUND", "PATH"}, suggestionCells)
}

// askAbout fills in what is asked with a document of a collection; what the user said counts.
func askAbout(ctx context.Context, c *client.Client, collection, document string, r *client.SuggestRequest) error {
	head, err := c.CollectionGet(ctx, collection, client.WithoutDocuments())
	if err != nil {
		return err
	}
	d, err := c.DocumentGet(ctx, collection, document)
	if err != nil {
		return err
	}
	r.Document, r.Format, r.Type = d.Value, cmp.Or(r.Format, head.Format), cmp.Or(r.Type, head.Type)
	return nil
}

func suggestionCells(s client.Suggestion) []show.Cell {
	found := show.Cell{Text: s.Status, Style: show.Dim}
	switch {
	case s.Authority != "":
		found = show.Cell{Text: s.Authority, Style: show.Green}
	case len(s.Also) > 0:
		found = show.Cell{Text: s.Status + ": " + joined(s.Also), Style: show.Yellow}
	}
	return []show.Cell{{Text: s.Field}, {Text: s.Text}, found, {Text: s.Path}}
}
