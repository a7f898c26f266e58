package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"concord/actors"
	"concord/cmd/concord/internal/show"
	"concord/internal/config"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

func (a *app) store() *cobra.Command {
	cmd := &cobra.Command{
		Use: "store", Short: "Verify, rebuild or dump the store of a server that does not run", Args: group,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.storeVerify(), a.storeRebuild(), a.storeDump())
	return cmd
}

func (a *app) storeVerify() *cobra.Command {
	var flags *config.Flags
	var online bool
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Read the whole store against its hashes, its hash chains and its own log",
		Long: `Read the whole store: each record and the chain of hashes of each entity, each content, every block of every file, and
whether all that is derived from the log is as the log says. What is not sound is listed, and the exit code is 1.`,
		Example: `  concord store verify --data /var/lib/concord
  concord store verify --online      # by the running server`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			verify := a.verifyHere
			if online {
				verify = a.verifyThere
			}
			report, err := verify(cmd, flags)
			if err != nil {
				return err
			}
			return a.verified(report)
		},
	}
	flags = settings(cmd, "data", "config", "set")
	cmd.Flags().BoolVar(&online, "online", false, "let the running server do it")
	return cmd
}

// verifyHere reads the store of the data directory.
func (a *app) verifyHere(cmd *cobra.Command, flags *config.Flags) (r pebblestore.Report, err error) {
	s, err := a.openStore(flags, pebblestore.Options{ReadOnly: true})
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	return s.Verify(cmd.Context(), pebblestore.VerifyOptions{Fold: actors.Fold(actors.DefaultLimits)})
}

// verifyThere has the running server read its store.
func (a *app) verifyThere(cmd *cobra.Command, _ *config.Flags) (r pebblestore.Report, err error) {
	c, err := a.connect()
	if err != nil {
		return r, err
	}
	defer c.Close()
	ctx, cancel := patient(cmd)
	defer cancel()
	answer, err := c.AdminVerify(ctx)
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(answer, &r); err != nil {
		return r, fmt.Errorf("unreadable report: %w", err)
	}
	return r, nil
}

// verified tells what a verification has found.
func (a *app) verified(r pebblestore.Report) error {
	if a.format != show.Table {
		if err := show.Encode(a.out, a.format, r); err != nil {
			return err
		}
	} else {
		w := &errWriter{w: a.out}
		for _, f := range r.List {
			w.print(show.Clean(f.String()) + "\n")
		}
		w.print(fmt.Sprintf("%s of %s, %s beside them, %s, %s: ", show.Count(r.Records, "record"), show.Count(r.Entities, "entity"),
			show.Count(r.Bodies, "content"), show.Count(r.Derived, "derived record"), show.Count(r.Tables, "file")))
		if r.Findings == 0 {
			w.print("sound\n")
		} else {
			w.print(show.Count(r.Findings, "finding") + "\n")
		}
		if w.err != nil {
			return w.err
		}
	}
	if r.Findings > 0 {
		return fmt.Errorf("the store is not sound: %s; `concord store rebuild` puts derived records right, a backup the rest",
			show.Count(r.Findings, "finding"))
	}
	return nil
}

func (a *app) storeRebuild() *cobra.Command {
	var flags *config.Flags
	var dryRun bool
	cmd := &cobra.Command{
		Use:   "rebuild",
		Short: "Make all that is derived from the log anew, and put right what differs",
		Example: `  concord store rebuild --data /var/lib/concord --dry-run
  concord store rebuild --data /var/lib/concord`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			s, err := a.openStore(flags, pebblestore.Options{ReadOnly: dryRun})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			make := s.Rebuild
			if dryRun {
				make = s.CompareDerived
			}
			found, err := make(cmd.Context(), actors.Fold(actors.DefaultLimits), "")
			if err != nil {
				return err
			}
			return a.rebuilt(found, dryRun)
		},
	}
	flags = settings(cmd, "data", "config", "set")
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "only show what differs")
	return cmd
}

func (a *app) rebuilt(d pebblestore.Differences, dryRun bool) error {
	if a.format != show.Table {
		return show.Encode(a.out, a.format, d)
	}
	grid := show.NewGrid(show.Colour(a.out, a.env), "PARTITION", "FAMILY", "ENTITY", "KEY", "WHAT")
	for _, f := range d.First {
		grid.Row(fmt.Sprint(f.Partition), f.Family, f.Entity, f.Key, f.What)
	}
	if grid.Len() > 0 {
		if err := grid.Write(a.out); err != nil {
			return err
		}
	}
	what := "put right"
	if dryRun {
		what = "differ"
	}
	_, err := fmt.Fprintf(a.out, "%s, %s %s\n", show.Count(d.Compared, "derived record"), show.Thousands(int64(d.Count)), what)
	return err
}

func (a *app) storeDump() *cobra.Command {
	var flags *config.Flags
	var o pebblestore.DumpOptions
	var entity string
	cmd := &cobra.Command{
		Use:   "dump",
		Short: "Write the records of the store as lines of JSON",
		Example: `  concord store dump --data ./data --entity demo --bodies
  concord store dump --families log | grep '"principal":"ann"'`,
		Args: arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) (err error) {
			if entity != "" {
				o.Entity = persistence.EntityID{Kind: persistence.KindCollection, Provider: a.global.provider, ID: entity}
			}
			s, err := a.openStore(flags, pebblestore.Options{ReadOnly: true})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, s.Close()) }()
			out := a.buffered()
			return errors.Join(s.Dump(out, o), out.Flush())
		},
	}
	flags = settings(cmd, "data", "config", "set")
	cmd.Flags().StringVar(&entity, "entity", "", "only this collection of the provider")
	cmd.Flags().StringSliceVar(&o.Families, "families", nil, "only these families of records")
	cmd.Flags().BoolVar(&o.Bodies, "bodies", false, "with the contents, and not only their sizes")
	return cmd
}
