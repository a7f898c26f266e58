package main

import (
	"bytes"
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
	return cmd
}

func (a *app) runPatch(cmd *cobra.Command, id string, in patchInput, w *writeFlags) error {
	if in.changes == "" && (w.base != 0 || w.reason != "") {
		return usagef("--base and --reason need --changes: the standard patches have no place for them; use --if-match")
	}
	text, err := a.readJSON(in.jsonPatch + in.mergePatch + in.changes)
	if err != nil {
		return err
	}
	options, err := w.options()
	if err != nil {
		return err
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	defer c.Close()
	var result *client.Result
	switch ctx := cmd.Context(); {
	case in.jsonPatch != "":
		result, err = c.CollectionJSONPatch(ctx, id, text, options...)
	case in.mergePatch != "":
		result, err = c.CollectionMergePatch(ctx, id, text, options...)
	default:
		result, err = patchChanges(cmd, c, id, text, options)
	}
	if err != nil {
		return err
	}
	return a.wrote(result, w)
}

// patchChanges sends changes as they stand in the file: an array, or the whole body of the request.
func patchChanges(cmd *cobra.Command, c *client.Client, id string, text json.RawMessage, options []client.CallOption) (*client.Result, error) {
	var body any = text
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("[")) {
		body, options = nil, append(options, client.Set("changes", text))
	}
	answer, err := c.Do(cmd.Context(), "collection.patch", id, body, options...)
	if err != nil {
		return nil, err
	}
	var result client.Result
	return &result, json.Unmarshal(answer, &result)
}

func (a *app) remove() *cobra.Command {
	var documents []string
	var w writeFlags
	cmd := &cobra.Command{
		Use:     "delete ID",
		Aliases: []string{"rm"},
		Short:   "Delete a collection, or documents of one; the history stays readable",
		Example: `  concord delete demo --document intro --document notes
  concord delete demo --if-match v7 --reason "moved to the archive"`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.writing(&w, func(c *client.Client, options []client.CallOption) (*client.Result, error) {
				if len(documents) == 0 {
					return c.CollectionDelete(cmd.Context(), args[0], options...)
				}
				changes := make([]client.Change, len(documents))
				for i, id := range documents {
					changes[i] = client.RemoveDocument(id)
				}
				return c.CollectionPatch(cmd.Context(), args[0], changes, options...)
			})
		},
	}
	cmd.Flags().StringArrayVar(&documents, "document", nil, "delete this document instead of the collection; may be repeated")
	w.add(cmd)
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
			return a.writing(&w, func(c *client.Client, options []client.CallOption) (*client.Result, error) {
				return c.CollectionRevert(cmd.Context(), args[0], to, options...)
			})
		},
	}
	w.add(cmd)
	return cmd
}

// writing does a write with what its flags say, and tells what became of it.
func (a *app) writing(w *writeFlags, do func(*client.Client, []client.CallOption) (*client.Result, error)) error {
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
	return a.wrote(result, w)
}

// tag is a version as people write it.
func tag(version uint64) string { return "v" + strconv.FormatUint(version, 10) }
