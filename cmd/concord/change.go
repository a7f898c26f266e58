package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"

	"github.com/spf13/cobra"

	"concord/transport/client"
)

// The three forms of a patch.
type patchInput struct{ jsonPatch, mergePatch, changes string }

func (a *app) patch() *cobra.Command {
	var in patchInput
	var w writeFlags
	cmd := &cobra.Command{
		Use:   "patch ID",
		Short: "Change metadata and documents: many changes, one version",
		Long: `Change metadata and documents of a collection: many changes, one version.

--merge-patch  RFC 7396, on {"metadata": ..., "documents": {...}}
--json-patch   RFC 6902, with paths such as /documents/intro/title
--changes      an array of {"op", "id", "value", "baseVersion"}; op is one of put-document, merge-document,
               patch-document, remove-document, put-metadata, merge-metadata, patch-metadata`,
		Example: `  echo '{"documents": {"intro": {"title": "Hello"}}}' | concord patch demo --merge-patch -
  echo '[{"op": "remove", "path": "/documents/intro/note"}]' | concord patch demo --json-patch - --if-match v7
  echo '{"metadata": {"year": 1958}}' | concord patch demo --merge-patch - --base 7 --policy merge --dry-run
  echo '[{"op": "remove-document", "id": "intro"}]' | concord patch demo --changes - --reason "no longer true"`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error { return a.runPatch(cmd, args[0], in, &w) },
	}
	f := cmd.Flags()
	f.StringVar(&in.mergePatch, "merge-patch", "", "file with a merge patch; - is standard input")
	f.StringVar(&in.jsonPatch, "json-patch", "", "file with a JSON Patch; - is standard input")
	f.StringVar(&in.changes, "changes", "", "file with changes; - is standard input")
	cmd.MarkFlagsOneRequired("merge-patch", "json-patch", "changes")
	cmd.MarkFlagsMutuallyExclusive("merge-patch", "json-patch", "changes")
	w.add(cmd)
	w.addConflict(cmd)
	return cmd
}

func (a *app) runPatch(cmd *cobra.Command, id string, in patchInput, w *writeFlags) error {
	text, err := a.readJSON(in.jsonPatch + in.mergePatch + in.changes)
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	p := &proposal{id: id}
	p.send = func(c *client.Client, options []client.CallOption) (*client.Result, error) {
		return c.CollectionPatch(ctx, id, p.changes, options...)
	}
	ours := w.base != 0 || w.reason != "" || w.conflict.settles() // what our own form of a patch alone has a place for
	switch {
	case in.changes != "":
		err = p.readChanges(cmd, text, w)
	case ours && in.jsonPatch != "":
		p.changes, err = jsonPatchChanges(text)
	case ours:
		p.changes, err = mergePatchChanges(text)
	case in.jsonPatch != "":
		p.send = func(c *client.Client, options []client.CallOption) (*client.Result, error) {
			return c.CollectionJSONPatch(ctx, id, text, options...)
		}
	default:
		p.send = func(c *client.Client, options []client.CallOption) (*client.Result, error) {
			return c.CollectionMergePatch(ctx, id, text, options...)
		}
	}
	if err != nil {
		return err
	}
	return a.propose(ctx, p, w)
}

// readChanges reads changes, which are sent as they stand in the file: an array, or the whole body of the request.
func (p *proposal) readChanges(cmd *cobra.Command, text json.RawMessage, w *writeFlags) error {
	array := bytes.HasPrefix(bytes.TrimSpace(text), []byte("["))
	w.opaque = true
	p.send = func(c *client.Client, options []client.CallOption) (*client.Result, error) {
		var body any = text
		if array {
			body, options = nil, append(options, client.Set("changes", text))
		}
		answer, err := c.Do(cmd.Context(), "collection.patch", p.id, body, options...)
		if err != nil {
			return nil, err
		}
		var result client.Result
		return &result, json.Unmarshal(answer, &result)
	}
	if len(w.conflict.resolve) == 0 {
		return nil
	}
	if !array {
		return usagef("--resolve wants --changes to be an array: say the rest with --base and --reason")
	}
	if err := json.Unmarshal(text, &p.changes); err != nil {
		return usagef("--changes: %w", err)
	}
	w.opaque = false
	return nil
}

func (a *app) remove() *cobra.Command {
	var documents []string
	var w writeFlags
	cmd := &cobra.Command{
		Use:     "delete ID",
		Aliases: []string{"rm"},
		Short:   "Delete a collection, or documents of one; the history stays readable",
		Example: `  concord delete demo --document intro --document notes
  concord delete demo --document intro --base 7 --resolve theirs   # unless somebody has changed it
  concord delete demo --if-match v7 --reason "moved to the archive"`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			p := &proposal{id: args[0]}
			p.send = func(c *client.Client, options []client.CallOption) (*client.Result, error) {
				if len(documents) == 0 {
					return c.CollectionDelete(cmd.Context(), args[0], options...)
				}
				return c.CollectionPatch(cmd.Context(), args[0], p.changes, options...)
			}
			for _, id := range documents {
				p.changes = append(p.changes, client.RemoveDocument(id))
			}
			if len(documents) == 0 && w.conflict.settles() {
				return usagef("--policy, --fields and --resolve are for documents: a whole collection is deleted as it was read, or not")
			}
			return a.propose(cmd.Context(), p, &w)
		},
	}
	cmd.Flags().StringArrayVar(&documents, "document", nil, "delete this document instead of the collection; may be repeated")
	w.add(cmd)
	w.addConflict(cmd)
	return cmd
}

func (a *app) revert() *cobra.Command {
	var w writeFlags
	cmd := &cobra.Command{
		Use:   "revert ID VERSION",
		Short: "Make the content of an old version the newest, as a new version",
		Example: `  concord revert demo 3 --reason "the import was wrong"
  concord revert demo v3 --base 9   # only if 9 is still the newest`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := parseVersion(args[1])
			if err != nil {
				return usageError{err}
			}
			return a.writing(cmd.Context(), &w, func(c *client.Client, options []client.CallOption) (*client.Result, error) {
				return c.CollectionRevert(cmd.Context(), args[0], to, options...)
			})
		},
	}
	w.add(cmd)
	return cmd
}

// writing does a write with what its flags say, and tells what became of it.
func (a *app) writing(ctx context.Context, w *writeFlags, do func(*client.Client, []client.CallOption) (*client.Result, error)) error {
	options, err := w.options()
	if err != nil {
		return err
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	result, err := do(c, options)
	if err != nil {
		return err
	}
	return a.wrote(ctx, c, result, w)
}

// tag is a version as people write it.
func tag(version uint64) string { return "v" + strconv.FormatUint(version, 10) }
