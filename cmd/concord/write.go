package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"concord/actors/problem"
	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// writeFlags are the flags of every command that writes.
type writeFlags struct {
	base       uint64
	ifMatch    string
	createOnly bool
	reason     string
	dryRun     bool
	key        string
	lockToken  string
	release    bool
	onLocked   string
	conflict   conflictFlags
	opaque     bool // the body has what is not looked into: it may name bases, too
}

func (w *writeFlags) add(cmd *cobra.Command) {
	cmd.Flags().Uint64Var(&w.base, flagBase, 0, "version that the change is based on: refused if what it touches has changed since; also --"+flagBaseVersion)
	cmd.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == flagBaseVersion {
			name = flagBase
		}
		return pflag.NormalizedName(name)
	})
	w.addReason(cmd)
	w.addConditions(cmd)
	w.addLock(cmd)
}

// What --on-locked takes.
const (
	lockedFail  = "fail"
	lockedQueue = "queue"
)

func (w *writeFlags) addLock(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.lockToken, "lock-token", "", "token of the lock that the change is made under")
	f.BoolVar(&w.release, "release", false, "give that lock back, in one step with the change")
	f.StringVar(&w.onLocked, "on-locked", lockedFail, "while another has the lock: fail, or queue the change, which is made when its turn comes")
}

// lockOptions are what the flags about locks mean for a call.
func (w *writeFlags) lockOptions() (options []client.CallOption, err error) {
	switch {
	case w.onLocked != "" && w.onLocked != lockedFail && w.onLocked != lockedQueue:
		return nil, usagef("--on-locked takes fail or queue, not %q", w.onLocked)
	case w.release && w.lockToken == "":
		return nil, usagef("--release needs --lock-token")
	case w.queues() && w.lockToken != "":
		return nil, usagef("a change under a lock does not wait for it: leave out --lock-token or --on-locked")
	case w.queues() && w.dryRun:
		return nil, usagef("--dry-run leaves nothing that could wait: leave out --on-locked")
	}
	if w.lockToken != "" {
		options = append(options, client.LockToken(w.lockToken))
	}
	if w.release {
		options = append(options, client.ThenRelease())
	}
	if w.queues() {
		options = append(options, client.QueueIfLocked())
	}
	return options, nil
}

func (w *writeFlags) queues() bool { return w.onLocked == lockedQueue }

func (w *writeFlags) addReason(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.reason, "reason", "", "why; kept in the history")
}

func (w *writeFlags) addConditions(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&w.ifMatch, "if-match", "", "refuse unless this is the newest version, such as v7")
	f.BoolVar(&w.dryRun, "dry-run", false, "have it decided and answered, but store nothing")
	f.StringVar(&w.key, "idempotency-key", "", "name of the change: the same change under it is made once")
}

// options are what the flags mean for a call.
func (w *writeFlags) options() ([]client.CallOption, error) {
	options, err := w.lockOptions()
	if err != nil {
		return nil, err
	}
	if w.base != 0 {
		options = append(options, client.BaseVersion(w.base))
	}
	if w.ifMatch != "" {
		version, err := parseVersion(w.ifMatch)
		if err != nil {
			return nil, usagef("--if-match: %w", err)
		}
		options = append(options, client.IfMatch(version))
	}
	if w.createOnly {
		options = append(options, client.CreateOnly())
	}
	if w.reason != "" {
		options = append(options, client.Reason(w.reason))
	}
	if w.dryRun {
		options = append(options, client.DryRun())
	}
	if w.key != "" {
		options = append(options, client.IdempotencyKey(w.key))
	}
	more, err := w.conflictOptions()
	return append(options, more...), err
}

// parseVersion reads a version as people and entity tags write it: 7, v7, "v7".
func parseVersion(text string) (uint64, error) {
	n, err := strconv.ParseUint(strings.TrimPrefix(strings.Trim(text, `"`), "v"), 10, 64)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("%q is no version, such as 7 or v7", text)
	}
	return n, nil
}

// parked is a write that waits for its turn, for programs.
type parked struct {
	Provider  string `json:"provider"`
	ID        string `json:"id"`
	Operation string `json:"operation"`
}

// wrote tells what became of a write.
func (a *app) wrote(ctx context.Context, c *client.Client, r *client.Result, w *writeFlags) error {
	switch {
	case a.format != show.Table && r.Operation != "":
		return show.Encode(a.out, a.format, parked{r.Provider, r.ID, r.Operation})
	case a.format != show.Table:
		return show.Encode(a.out, a.format, r)
	case r.Operation != "":
		_, err := fmt.Fprintf(a.out, "%s  %s  waits for its turn: concord operation get %s %s\n", r.ID, r.Operation, r.ID, r.Operation)
		return err
	}
	what := show.Clean(outcome(r, w, a.whoMade(ctx, c, r)))
	if _, err := fmt.Fprintf(a.out, "%s  %s  %s\n", r.ID, tag(r.Version), what); err != nil {
		return err
	}
	return a.aftermath(r, w.dryRun)
}

// putInput is what a put is given.
type putInput struct {
	metadata, documents string
	document            []string
	format, kind        string
}

func (a *app) put() *cobra.Command {
	var in putInput
	var w writeFlags
	cmd := &cobra.Command{
		Use:   "put ID",
		Short: "Create a collection, or write metadata and documents of one",
		Long: `Create a collection, or write metadata and documents of one: all of it in one new version.

--documents replaces all documents, --metadata all of the metadata. --document writes only the documents that it
names and leaves the others alone. What is the same already makes no new version.`,
		Example: `  concord put demo --metadata about.json --document intro=intro.json
  echo '{"text": "hello"}' | concord put demo --document hello=-
  concord put demo --documents all.json --base 7 --reason "second edition"
  concord put demo --document intro=intro.json --base 7 --policy merge
  concord put demo --document intro=intro.json --base 7 --resolve         # settle conflicts in your editor
  concord put demo --create-only`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.runPut(cmd.Context(), args[0], &in, &w) },
	}
	f := cmd.Flags()
	f.StringVar(&in.metadata, "metadata", "", "file with the metadata, a JSON object; - is standard input")
	f.StringVar(&in.documents, "documents", "", "file with all documents, a JSON object of documents by their ids; - is standard input")
	f.StringArrayVar(&in.document, "document", nil, "id=FILE of one document, JSON; - is standard input; may be repeated")
	f.StringVar(&in.format, "format", "", "of a new collection: json or marc")
	f.StringVar(&in.kind, "type", "", "collection type of a new collection")
	f.BoolVar(&w.createOnly, "create-only", false, "refuse if there is such a collection")
	w.add(cmd)
	w.addConflict(cmd)
	return cmd
}

func (a *app) runPut(ctx context.Context, id string, in *putInput, w *writeFlags) error {
	request, err := a.readPut(in)
	if err != nil {
		return err
	}
	p := &proposal{id: id, replace: in.documents != "", changes: changesOf(request)}
	p.send = func(c *client.Client, options []client.CallOption) (*client.Result, error) {
		if in.documents == "" && len(in.document) > 0 && !w.createOnly {
			return write(ctx, c, id, request, options, w)
		}
		return c.CollectionPut(ctx, id, request, options...)
	}
	return a.propose(ctx, p, w)
}

func (a *app) readPut(in *putInput) (client.PutRequest, error) {
	r := client.PutRequest{Format: in.format, Type: in.kind}
	var err error
	if in.metadata != "" {
		if r.Metadata, err = a.readJSON(in.metadata); err != nil {
			return r, err
		}
	}
	if in.documents != "" {
		text, err := a.readJSON(in.documents)
		if err != nil {
			return r, err
		}
		if err := json.Unmarshal(text, &r.Documents); err != nil || r.Documents == nil {
			return r, usagef("%s: must be a JSON object of documents by their ids", in.documents)
		}
	}
	for _, given := range in.document {
		if r.Documents == nil {
			r.Documents = make(map[string]json.RawMessage)
		}
		if err := a.readDocument("--document", given, r.Documents); err != nil {
			return r, err
		}
	}
	return r, nil
}

// readDocument reads what id=FILE names; by says where the user wrote it.
func (a *app) readDocument(by, given string, into map[string]json.RawMessage) (err error) {
	id, path, ok := strings.Cut(given, "=")
	if !ok || id == "" || path == "" {
		return usagef("%s takes id=FILE, not %q", by, given)
	}
	into[id], err = a.readJSON(path)
	return err
}

// readJSON reads a file with one JSON value. Its bytes are kept; a name that stands twice in an object is a mistake.
func (a *app) readJSON(path string) (json.RawMessage, error) {
	text, err := a.input(path)
	if err != nil {
		return nil, err
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(text))
	value, err := d.ReadValue()
	if err == nil {
		value = value.Clone()
		if _, err = d.ReadToken(); err == nil {
			err = errors.New("there is more after the value")
		}
	}
	if !errors.Is(err, io.EOF) || value == nil {
		if path == "-" {
			path = "standard input"
		}
		return nil, usagef("%s is not JSON: %w", path, err)
	}
	return json.RawMessage(value), nil
}

// createTriesMax bounds how often a write goes back and forth with one who deletes and creates at the same time.
const createTriesMax = 3

// write changes the parts that the request gives, and makes the collection if there is none: one version in either case.
// With an idempotency key a repeat finds the answer of whichever of the two was made.
func write(ctx context.Context, c *client.Client, id string, r client.PutRequest, options []client.CallOption, w *writeFlags) (*client.Result, error) {
	conditional := w.base != 0 || w.ifMatch != ""
	if w.queues() && !conditional { // what waits must be what is meant: so it is asked first whether it creates
		_, err := c.CollectionGet(ctx, id, client.WithoutDocuments())
		if client.IsCode(err, problem.NotFound) {
			return c.CollectionPut(ctx, id, r, append(options, client.CreateOnly())...)
		}
		conditional = err == nil
	}
	for try := 1; ; try++ {
		if !conditional {
			result, err := c.CollectionPut(ctx, id, r, append(options, client.CreateOnly())...)
			if !client.IsCode(err, problem.PreconditionFailed, problem.KeyReused) {
				return result, err
			}
		}
		result, err := c.CollectionPatch(ctx, id, changesOf(r), options...)
		if conditional || !client.IsCode(err, problem.NotFound) || try == createTriesMax {
			return result, err
		}
	}
}

// changesOf are the changes that write the parts of the request, always in the same order.
func changesOf(r client.PutRequest) []client.Change {
	var changes []client.Change
	if r.Metadata != nil {
		changes = append(changes, client.PutMetadata(r.Metadata))
	}
	for _, id := range slices.Sorted(maps.Keys(r.Documents)) {
		changes = append(changes, client.PutDocument(id, r.Documents[id]))
	}
	return changes
}
