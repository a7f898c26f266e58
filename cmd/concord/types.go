package main

import (
	"github.com/spf13/cobra"

	"concord/actors/collection"
	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

func (a *app) types() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "type",
		Short: "Set rules for many collections at once: locks, conflicts, schemas, what a write must say",
		Long: `Set rules for many collections at once. A collection names its type when it is made (put --type); what the type says
holds from the next write on. What a type leaves out, and a collection without a type, is as the defaults say:

  {"lock": {"mode": "implicit", "ttl": 60, "minTtl": 5, "maxTtl": 3600, "maxWaiters": 64, "waiterTtl": 30, "offerWindow": 10,
            "contest": {"deadline": 60, "onTimeout": "keep", "cooldown": 30}, "lockedStatus": 409},
   "requireVersion": false,
   "conflict": {"allowed": [all policies], "default": null, "rules": [], "script": null},
   "schemas": {"metadata": true, "documents": true, "warn": false},
   "links": {"enabled": true, "unknownAuthority": "refuse", "rules": [22 rules of MARC]},
   "fields": {}, "keys": [], "indexes": []}

Times are in seconds. A rule is {"path": "/documents/*/plays", "strategy": "counter"}: see concord help conflicts. Schemas are
JSON Schema 2020-12. A rule of links is {"bib": "240", "authority": "100", "subfields": "fklmnt", "require": {"t": true}, "move":
{"t": "a"}, "auto": true}: a field 240 can name an authority whose heading is a 100 with $t, and these subfields follow. Bulk
updates use "fields", {"PLATFORMS": {"path": "/metadata/Platforms", "operations": [...], "maxItems": 10}}, names for paths; "keys",
[["/metadata/ShortName", "/metadata/Version"]], that name collections; "indexes", ["/metadata/Platforms/*/ShortName"], that a query
can ask for. "concord type try" shows what rules make of three sides. To change or delete a type takes the right "admin" of the
provider.`,
		Args: group, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.typePut(), a.typeGet(), a.typeList(), a.typeDelete(), a.typeTry())
	return cmd
}

func (a *app) typePut() *cobra.Command {
	var w writeFlags
	cmd := &cobra.Command{
		Use:   "put ID FILE",
		Short: "Create a collection type, or replace all of it; - is standard input",
		Example: `  echo '{"lock": {"mode": "explicit"}}' | concord type put dossier -
  concord type put dossier dossier.json --if-match v1
  echo '{"conflict": {"rules": [{"path": "/documents/*/tags", "strategy": "set"}]}}' | concord type put dossier -
  concord sample dataset-type | concord type put dataset -       # with fields, keys, indexes and a schema`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			value, err := a.readJSON(args[1])
			if err != nil {
				return err
			}
			return a.writing(cmd.Context(), &w, func(c *client.Client, options []client.CallOption) (*client.Result, error) {
				result, err := c.TypePut(cmd.Context(), args[0], value, options...)
				return resultOf(result), err
			})
		},
	}
	cmd.Flags().BoolVar(&w.createOnly, "create-only", false, "refuse if there is such a type")
	w.addConditions(cmd)
	return cmd
}

// resultOf is the result of a write to a type as that of any write; nil without one.
func resultOf(r *client.TypeResult) *client.Result {
	if r == nil {
		return nil
	}
	return &client.Result{Result: collection.Result{Provider: r.Provider, ID: r.ID, Version: r.Version, ETag: r.ETag, Seq: r.Seq,
		Changed: r.Changed}}
}

func (a *app) typeGet() *cobra.Command {
	var version string
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Read a collection type as it was sent: the newest version, or another one",
		Example: `  concord type get dossier > dossier.json
  concord type get dossier --version 1
  concord type get dossier -o json          # with its version, and who made it`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var options []client.CallOption
			if version != "" {
				n, err := parseVersion(version)
				if err != nil {
					return usagef("--version: %w", err)
				}
				options = append(options, client.Version(n))
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			kind, err := c.TypeGet(cmd.Context(), args[0], options...)
			switch {
			case err != nil:
				return err
			case a.format != show.Table:
				return show.Encode(a.out, a.format, kind)
			}
			return a.value(kind.Value)
		},
	}
	cmd.Flags().StringVar(&version, "version", "", "a version instead of the newest")
	return cmd
}

func (a *app) typeList() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the collection types of the provider",
		Example: `  concord type list
  concord type list --provider archive -o jsonl`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			return printList(a, c.Types(cmd.Context(), pageOf(limit)...), limit, []string{"TYPE", "VERSION", "UPDATED"},
				func(t client.TypeItem) []show.Cell {
					return []show.Cell{{Text: t.ID}, {Text: tag(t.Version), Style: show.Yellow}, {Text: stamp(t.Updated)}}
				})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", listDefault, "types to show; 0: all")
	return cmd
}

func (a *app) typeDelete() *cobra.Command {
	var w writeFlags
	cmd := &cobra.Command{
		Use:     "delete ID",
		Aliases: []string{"rm"},
		Short:   "Delete a collection type; collections that name it have the defaults from then on",
		Example: `  concord type delete dossier --if-match v2 --reason "nobody uses it"`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.writing(cmd.Context(), &w, func(c *client.Client, options []client.CallOption) (*client.Result, error) {
				result, err := c.TypeDelete(cmd.Context(), args[0], options...)
				return resultOf(result), err
			})
		},
	}
	w.addReason(cmd)
	w.addConditions(cmd)
	return cmd
}
