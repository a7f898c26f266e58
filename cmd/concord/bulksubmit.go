package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/cmd/concord/internal/transfer"
	"concord/transport"
	"concord/transport/client"
)

// bulkListMax is how long the service may work out the list of a task.
const bulkListMax = 10 * time.Minute

// bulkInput is what a bulk update is told.
type bulkInput struct {
	instructions, ids, keys, items, targets string
	query                                   []string
	all, watch, dryRun                      bool
	request                                 client.BulkRequest
}

// targetFlags name the collections; a task takes one of them.
var targetFlags = []string{"ids", "keys", "query", "all", "items", "targets"}

func (a *app) bulkSubmit() *cobra.Command {
	var in bulkInput
	cmd := &cobra.Command{
		Use:   "submit",
		Short: "Apply instructions to many collections, as a task",
		Long: `Apply instructions to many collections, as a task. Which collections is worked out once, when the task is accepted; a list of any
length is sent in one upload. concord bulk --help has the instructions, and what a list looks like.`,
		Example: `  concord bulk submit --type dataset --all --instructions '{"type": "CLEAR_FIELD", "path": "/metadata/Draft"}' --dry-run --watch
  concord bulk submit --ids a,b,c --instructions change.json --watch
  concord bulk submit --type dataset --query /metadata/Version=002 --instructions change.json --name "week 3" --rate 500
  concord bulk submit --items values.jsonl --instructions '{"type": "MERGE_PATCH", "path": "/metadata", "valueFrom": ""}'`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runBulk(cmd, &in) },
	}
	in.add(cmd)
	f := cmd.Flags()
	f.BoolVar(&in.watch, "watch", false, "follow the task until it ends")
	f.BoolVar(&in.dryRun, "dry-run", false, "a task that writes nothing: its items tell what would be")
	return cmd
}

// add are the flags that say what is asked for.
func (in *bulkInput) add(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&in.instructions, "instructions", "", "file with a list of instructions, or the JSON of one or of a list; - is standard input")
	f.StringVar(&in.request.Type, "type", "", "collection type that all of them are of; instructions may name its fields")
	f.StringVar(&in.ids, "ids", "", "collections: a file with an id a line, or ids with commas between; - is standard input")
	f.StringVar(&in.keys, "keys", "", `file with an alternate key a line: {"/metadata/ShortName": "X"}`)
	f.StringArrayVar(&in.query, "query", nil, "PATH=VALUE: all collections of the type with this value in a declared index; several must all hold")
	f.BoolVar(&in.all, "all", false, "all collections of the type, or of the provider without --type")
	f.StringVar(&in.items, "items", "", `file with a line for each: {"id": ..., "value": ..., "version": ...}`)
	f.StringVar(&in.targets, "targets", "", "file with a line for each: an id or an item; or what concord bulk items has listed, also as CSV")
	f.StringVar(&in.request.Name, "name", "", "of the task, unique in the provider; not given: its number")
	f.StringVar(&in.request.OnLocked, "on-locked", "", "wait for a collection that somebody holds the lock of, or fail it (default wait)")
	f.Uint64Var(&in.request.ItemsPerSecond, "rate", 0, "items a second at most; 0: as many as it can")
	f.StringVar(&in.request.Reason, "reason", "", "why; kept in the history of each collection")
	_ = cmd.RegisterFlagCompletionFunc("on-locked", cobra.FixedCompletions([]string{"wait", "fail"}, cobra.ShellCompDirectiveNoFileComp)) // there is such a flag
	must(cmd.MarkFlagRequired("instructions"))
	cmd.MarkFlagsMutuallyExclusive(targetFlags...)
	cmd.MarkFlagsOneRequired(targetFlags...)
}

// allowLong gives a command that works out a list time enough, unless the user has said how much it may take.
func (a *app) allowLong(cmd *cobra.Command) {
	if !cmd.Flags().Changed("timeout") {
		a.global.timeout = max(a.global.timeout, bulkListMax)
	}
}

func (a *app) runBulk(cmd *cobra.Command, in *bulkInput) error {
	a.allowLong(cmd)
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	task, err := a.submit(cmd.Context(), c, in)
	switch {
	case err != nil:
		return err
	case in.watch:
		if a.format == show.Table {
			a.sayf("%s", taskAccepted(task))
		}
		return a.followTask(cmd.Context(), c, task.Task)
	case a.format != show.Table:
		return show.Encode(a.out, a.format, task)
	}
	_, err = fmt.Fprintf(a.out, "%s; concord bulk watch %s\n", show.Clean(taskAccepted(task)), task.Task)
	return err
}

func taskAccepted(t *client.BulkTask) string {
	what := "accepted"
	if t.DryRun {
		what = "accepted as a dry run"
	}
	return fmt.Sprintf("%s  %s: number %d, %s", t.Task, what, t.Number, show.Count(t.Total, "item"))
}

// submit sends what is asked for.
func (a *app) submit(ctx context.Context, c *client.Client, in *bulkInput) (task *client.BulkTask, err error) {
	if in.request.Instructions, err = a.readInstructions(in.instructions); err != nil {
		return nil, err
	}
	if in.request.Targets, err = a.bulkTargets(ctx, c, in); err != nil {
		return nil, err
	}
	var options []client.CallOption
	if in.dryRun {
		options = append(options, client.DryRun())
	}
	return c.BulkSubmit(ctx, in.request, options...)
}

// readInstructions reads instructions: JSON as it stands, or a file with it, with or without @. One alone is a list of one.
func (a *app) readInstructions(given string) (json.RawMessage, error) {
	text := bytes.TrimSpace([]byte(given))
	if len(text) == 0 || text[0] != '[' && text[0] != '{' {
		read, err := a.input(strings.TrimPrefix(given, "@"))
		if err != nil {
			return nil, fmt.Errorf("--instructions: %w", err)
		}
		text = bytes.TrimSpace(read)
	}
	if !json.Valid(text) {
		return nil, usagef("--instructions: is not JSON")
	}
	if text[0] == '{' {
		text = append(append([]byte{'['}, text...), ']')
	}
	return text, nil
}

// bulkTargets are the collections that the flags name; a list that is too long for a request is uploaded.
func (a *app) bulkTargets(ctx context.Context, c *client.Client, in *bulkInput) (t client.BulkTargets, err error) {
	switch {
	case in.all:
		return client.BulkTargets{All: true}, nil
	case len(in.query) > 0:
		t.Query, err = queryOf(in.query)
		return t, err
	}
	from, end, err := a.openTargets(in)
	if err != nil {
		return t, err
	}
	defer end()
	path := cmp.Or(in.ids, in.keys, in.items, in.targets)
	return gathered(ctx, c, named(path, transfer.Targets(from, in.keys != "")), in.items != "")
}

// openTargets opens the list of targets: a file, or ids that stand in the command itself.
func (a *app) openTargets(in *bulkInput) (from io.Reader, end func(), err error) {
	end = func() {}
	path := cmp.Or(in.ids, in.keys, in.items, in.targets)
	switch {
	case path == "":
		return nil, nil, usagef("the list of targets has no name: give a file, or - for standard input")
	case path == "-" && in.instructions == "-":
		return nil, nil, usagef("the instructions and the targets cannot both be standard input")
	case path == "-":
		return a.in, end, nil
	}
	f, err := os.Open(path)
	switch {
	case err == nil:
		return f, func() { _ = f.Close() }, nil // nothing was written
	case in.ids != "" && areIDs(in.ids):
		return strings.NewReader(strings.ReplaceAll(in.ids, ",", "\n")), end, nil
	}
	return nil, nil, err
}

// areIDs says that the text is ids with commas between.
func areIDs(text string) bool {
	for id := range strings.SplitSeq(text, ",") {
		if !transport.ValidID(id) {
			return false
		}
	}
	return true
}

// named adds the name of the list to its errors, which are mistakes in what the command was given.
func named(path string, targets iter.Seq2[client.BulkTarget, error]) iter.Seq2[client.BulkTarget, error] {
	return func(yield func(client.BulkTarget, error) bool) {
		for target, err := range targets {
			if err != nil {
				err = usagef("%s: %w", path, err)
			}
			if !yield(target, err) {
				return
			}
		}
	}
}

// targetsInlineMax is how many targets go into a request itself.
const targetsInlineMax = 1000

// gathered are targets as a request names them: one by one if they are few, as items if they are called so, else by an upload.
func gathered(ctx context.Context, c *client.Client, targets iter.Seq2[client.BulkTarget, error], items bool) (client.BulkTargets, error) {
	next, stop := iter.Pull2(targets)
	defer stop()
	var first []client.BulkTarget
	for len(first) < targetsInlineMax {
		target, err, more := next()
		if err != nil {
			return client.BulkTargets{}, err
		}
		switch {
		case !more && items:
			return client.BulkTargets{Items: first}, nil
		case !more:
			return few(first), nil
		}
		first = append(first, target)
	}
	return c.BulkUpload(ctx, func(yield func(client.BulkTarget, error) bool) {
		for _, target := range first {
			if !yield(target, nil) {
				return
			}
		}
		for {
			target, err, more := next()
			if !more || !yield(target, err) || err != nil {
				return
			}
		}
	})
}

// few names targets one by one, in the shortest way.
func few(all []client.BulkTarget) client.BulkTargets {
	ids, keys := make([]string, 0, len(all)), make([]json.RawMessage, 0, len(all))
	for _, t := range all {
		switch {
		case t.Value != nil || t.Version != 0:
			return client.BulkTargets{Items: all}
		case t.Key != nil:
			keys = append(keys, t.Key)
		default:
			ids = append(ids, t.ID)
		}
	}
	switch {
	case len(keys) == len(all) && len(all) > 0:
		return client.BulkTargets{Keys: keys}
	case len(keys) > 0:
		return client.BulkTargets{Items: all}
	}
	return client.BulkTargets{IDs: ids}
}

// queryOf is a query of PATH=VALUE: the value is JSON, or else a text.
func queryOf(given []string) (json.RawMessage, error) {
	query := make(map[string]json.RawMessage, len(given))
	for _, one := range given {
		path, text, ok := strings.Cut(one, "=")
		if !ok || !strings.HasPrefix(path, "/") {
			return nil, usagef("--query %q is not PATH=VALUE, such as /metadata/Version=002", one)
		}
		if _, twice := query[path]; twice {
			return nil, usagef("--query has %s twice", path)
		}
		query[path] = queried(text)
	}
	return json.Marshal(query)
}

// queried is JSON as it stands, and anything else as a text.
func queried(text string) json.RawMessage {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	quoted, _ := json.Marshal(text) // a string always marshals
	return quoted
}
