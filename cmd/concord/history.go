package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) history() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "history ID",
		Aliases: []string{"log"},
		Short:   "List the versions of a collection, the newest first: who changed what, when and why",
		Example: `  concord history demo
  concord history demo --limit 0 -o jsonl   # all of them`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return printList(a, c.History(cmd.Context(), args[0], pageOf(limit)...), limit,
				[]string{"VERSION", "TIME", "BY", "CHANGED", "REASON"}, versionCells)
		},
	}
	cmd.Flags().IntVar(&limit, "limit", listDefault, "versions to show; 0: all")
	return cmd
}

func versionCells(v client.HistoryItem) []show.Cell {
	reason := v.Reason
	if v.RevertedTo != 0 {
		reason = strings.TrimSuffix("revert to "+tag(v.RevertedTo)+": "+reason, ": ")
	}
	if v.Merge != nil {
		reason = strings.TrimSuffix(mergedHow(v.Merge)+": "+reason, ": ")
	}
	return []show.Cell{{Text: tag(v.Version), Style: show.Yellow}, {Text: stamp(v.Time)}, {Text: v.Principal},
		{Text: changed(v)}, {Text: reason, Style: show.Dim}}
}

// mergedHow says in a few words how a version came out that was built on an older one.
func mergedHow(m *client.HistoryMerge) string {
	how := "merged with"
	if m.Resolution == "client" {
		how = "over"
	}
	text := fmt.Sprintf("built on %s, %s %s (%s)", tag(m.BaseVersion), how, tag(m.OverVersion), m.Policy)
	if len(m.Decided) == 0 {
		return text
	}
	text += " decided " + strings.Join(m.Decided[:min(len(m.Decided), namedMax)], ", ")
	if more := max(m.Total, len(m.Decided)) - namedMax; more > 0 {
		text += fmt.Sprintf(" and %s more", show.Thousands(int64(more)))
	}
	return text
}

// namedMax is how many documents a line of the history names.
const namedMax = 3

// changed says in a few words what a version wrote.
func changed(v client.HistoryItem) string {
	if v.Type == "collection.deleted" {
		return "deleted"
	}
	if !v.Metadata && len(v.Documents)+len(v.Removed)+v.More == 0 {
		return "created empty"
	}
	var names []string
	if v.Metadata {
		names = append(names, "metadata")
	}
	names = append(names, v.Documents...)
	for _, id := range v.Removed {
		names = append(names, "-"+id)
	}
	more := v.More
	if len(names) > namedMax {
		more += len(names) - namedMax
		names = names[:namedMax]
	}
	text := strings.Join(names, ", ")
	if more > 0 {
		text += fmt.Sprintf(" and %s more", show.Thousands(int64(more)))
	}
	return text
}

func (a *app) diff() *cobra.Command {
	var patchOnly bool
	cmd := &cobra.Command{
		Use:   "diff ID FROM [TO]",
		Short: "Compare two versions: lines for people, a JSON Patch for programs",
		Example: `  concord diff demo 3         # from version 3 to the newest
  concord diff demo 3 5
  concord diff demo 5 3 --patch > undo.json && concord patch demo --json-patch undo.json`,
		Args: arguments(cobra.RangeArgs(2, 3)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.runDiff(cmd, args, patchOnly) },
	}
	cmd.Flags().BoolVar(&patchOnly, "patch", false, "print the JSON Patch (RFC 6902) alone")
	return cmd
}

func (a *app) runDiff(cmd *cobra.Command, args []string, patchOnly bool) error {
	var versions [2]uint64
	for i, text := range args[1:] {
		var err error
		if versions[i], err = parseVersion(text); err != nil {
			return usageError{err}
		}
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	all, err := wholeDiff(cmd.Context(), c, args[0], versions[0], versions[1])
	switch {
	case err != nil:
		return err
	case patchOnly:
		return show.Encode(a.out, show.JSON, all.Patch)
	case a.format == show.JSON:
		return show.Encode(a.out, show.JSON, all)
	case a.format == show.JSONL:
		for _, change := range all.Changes {
			if err := show.Encode(a.out, show.JSONL, change); err != nil {
				return err
			}
		}
		return nil
	}
	return a.diffTable(args[0], all)
}

// wholeDiff puts the pages of a diff together.
func wholeDiff(ctx context.Context, c *client.Client, id string, from, to uint64) (*client.Diff, error) {
	all, err := c.CollectionDiff(ctx, id, from, to)
	if err != nil {
		return nil, err
	}
	patch, err := elements(nil, all.Patch)
	for next := all.Next; err == nil && next != ""; {
		var page *client.Diff
		if page, err = c.CollectionDiff(ctx, id, from, to, client.Cursor(next)); err != nil {
			return nil, err
		}
		all.Changes = append(all.Changes, page.Changes...)
		next = page.Next
		patch, err = elements(patch, page.Patch)
	}
	if err != nil {
		return nil, fmt.Errorf("diff of %s: unreadable patch: %w", id, err)
	}
	all.Next = ""
	all.Patch, err = json.Marshal(patch)
	return all, err
}

// elements appends those of a JSON array.
func elements(to []json.RawMessage, array json.RawMessage) ([]json.RawMessage, error) {
	var more []json.RawMessage
	if err := json.Unmarshal(array, &more); err != nil {
		return nil, err
	}
	return append(append(make([]json.RawMessage, 0, len(to)+len(more)), to...), more...), nil
}

// diffTable writes a difference as lines that begin with - and +.
func (a *app) diffTable(id string, d *client.Diff) error {
	colour := show.Colour(a.out, a.env)
	w := &errWriter{w: a.out}
	w.print(show.Paint(colour, show.Red, "--- "+id+" "+tag(d.From)) + "\n")
	w.print(show.Paint(colour, show.Green, "+++ "+id+" "+tag(d.To)) + "\n")
	for _, change := range d.Changes {
		w.print(show.Paint(colour, show.Cyan, "@ "+show.Clean(change.Path)) + "\n")
		for _, line := range side(change.Before, change.BeforeBytes) {
			w.print(show.Paint(colour, show.Red, "- "+line) + "\n")
		}
		for _, line := range side(change.After, change.AfterBytes) {
			w.print(show.Paint(colour, show.Green, "+ "+line) + "\n")
		}
	}
	if len(d.Changes) == 0 {
		w.print("no difference\n")
	}
	return w.err
}

// side are the lines of one side of a change: none if there was nothing, the size alone of what is too long.
func side(value json.RawMessage, bytes int) []string {
	switch {
	case value != nil:
		return strings.Split(show.Indented(value, ""), "\n")
	case bytes > 0:
		return []string{fmt.Sprintf("(%s)", size(bytes))}
	default:
		return nil
	}
}

func (a *app) blame() *cobra.Command {
	return &cobra.Command{
		Use:   "blame ID",
		Short: "Show who last wrote each member of the metadata and each document",
		Example: `  concord blame demo
  concord blame demo -o jsonl | grep ann`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return printList(a, blameLines(cmd.Context(), c, args[0]), 0,
				[]string{"PATH", "VERSION", "TIME", "BY"}, func(l blameLine) []show.Cell {
					return []show.Cell{{Text: l.Path}, {Text: tag(l.Version), Style: show.Yellow}, {Text: stamp(l.Time)}, {Text: l.Principal}}
				})
		},
	}
}

// blameLine is one line of a blame.
type blameLine struct {
	Path string `json:"path"`
	client.BlameEntry
}

// blameLines are the metadata's members, then the documents, page by page.
func blameLines(ctx context.Context, c *client.Client, id string) func(func(blameLine, error) bool) {
	return func(yield func(blameLine, error) bool) {
		options := []client.CallOption{client.Limit(pageItems)}
		for first := true; ; first = false {
			page, err := c.CollectionBlame(ctx, id, options...)
			if err != nil {
				yield(blameLine{}, err)
				return
			}
			if page.Whole != nil && !yield(blameLine{"/metadata", *page.Whole}, nil) {
				return
			}
			if first && !yieldBlame("/metadata/", page.Metadata, yield) {
				return
			}
			if !yieldBlame("/documents/", page.Documents, yield) || page.Next == "" {
				return
			}
			options = []client.CallOption{client.Limit(pageItems), client.Cursor(page.Next)}
		}
	}
}

func yieldBlame(prefix string, entries map[string]client.BlameEntry, yield func(blameLine, error) bool) bool {
	escape := strings.NewReplacer("~", "~0", "/", "~1") // RFC 6901
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		if !yield(blameLine{prefix + escape.Replace(name), entries[name]}, nil) {
			return false
		}
	}
	return true
}

func (a *app) list() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the collections of the provider",
		Example: `  concord list
  concord list --limit 0 -o jsonl`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return printList(a, c.Collections(cmd.Context(), pageOf(limit)...), limit,
				[]string{"COLLECTION", "VERSION", "DOCUMENTS", "FORMAT", "UPDATED"}, func(i client.CollectionItem) []show.Cell {
					return []show.Cell{{Text: i.ID}, {Text: tag(i.Version), Style: show.Yellow},
						{Text: strconv.FormatUint(i.DocumentCount, 10)}, {Text: i.Format}, {Text: stamp(i.Updated)}}
				})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", listDefault, "collections to show; 0: all")
	return cmd
}
