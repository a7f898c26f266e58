package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"concord/actors"
	"concord/cmd/concord/internal/show"
	"concord/internal/config"
	"concord/internal/doctor"
	"concord/internal/node"
	"concord/persistence/pebblestore"
)

// settings gives a command the settings of the server: all their flags, or only the named ones.
func settings(cmd *cobra.Command, only ...string) *config.Flags {
	fs := pflag.NewFlagSet("settings", pflag.ContinueOnError)
	flags := config.AddFlags(fs)
	flags.Foreign = foreignVariables
	fs.VisitAll(func(f *pflag.Flag) {
		for _, name := range only {
			if f.Name == name {
				cmd.Flags().AddFlag(f)
			}
		}
		if len(only) == 0 {
			cmd.Flags().AddFlag(f)
		}
	})
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w\n  see `%s --help`", config.ExplainFlag(err), cmd.CommandPath())
	})
	return flags
}

// load makes the configuration; what is wrong with it is a mistake of the caller.
func load(flags *config.Flags) (*config.Config, error) {
	c, err := flags.Load()
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// printed is the output format for packages that know tables and JSON.
func (a *app) printed() string {
	if a.format == show.Table {
		return string(show.Table)
	}
	return string(show.JSON)
}

func (a *app) config() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Look at the settings of the server", Args: group,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	var flags *config.Flags
	list := &cobra.Command{
		Use:   "show",
		Short: "Show every setting with its value, and where that came from",
		Example: `  concord config show
  concord config show --config concord.yaml --set limits.document=1MiB -o json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			c, err := load(flags)
			if err != nil {
				return err
			}
			return c.Show(a.out, a.printed())
		},
	}
	flags = settings(list)
	cmd.AddCommand(list)
	return cmd
}

func (a *app) doctor() *cobra.Command {
	var flags *config.Flags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look at this machine: what would make a server slow, unsafe or unable to start",
		Example: `  concord doctor --data /var/lib/concord
  concord doctor --config concord.yaml -o json`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := load(flags)
			if err != nil {
				return err
			}
			tune() // as a server would: one of the findings is about it
			findings := doctor.Run(cmd.Context(), c)
			if err := doctor.Write(a.out, findings, a.printed()); err != nil {
				return err
			}
			if doctor.Worst(findings) == doctor.Fail {
				return errors.New("a server would not run well here")
			}
			return nil
		},
	}
	flags = settings(cmd)
	return cmd
}

// patientMax bounds what reads or copies a whole store.
const patientMax = 6 * time.Hour

// patient is the context of a request that takes as long as the store is large, unless the user has said how long.
func patient(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	if cmd.Flags().Changed("timeout") {
		return context.WithCancel(cmd.Context())
	}
	return context.WithTimeout(cmd.Context(), patientMax)
}

func (a *app) backup() *cobra.Command {
	var flags *config.Flags
	var to string
	cmd := &cobra.Command{
		Use:   "backup [NAME]",
		Short: "Copy the store: of a running server by a name, of one that is stopped into a directory",
		Long: `Copy the store. A running server writes the copy below its own backup directory, while it serves. With --to the copy
is made by this command, from the data directory of a server that does not run. Take copies to another disk.`,
		Example: `  concord backup monday
  concord backup --data /var/lib/concord --to /mnt/copies/monday`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case to != "" && len(args) == 0:
				return a.backupTo(flags, to)
			case to != "" || len(args) == 0:
				return usagef("a backup has a NAME, if a server runs, or goes --to DIR, if none does")
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			defer c.Close()
			ctx, cancel := patient(cmd)
			defer cancel()
			answer, err := c.AdminBackup(ctx, args[0])
			if err != nil {
				return err
			}
			var made node.BackupResult
			if err := json.Unmarshal(answer, &made); err != nil {
				return fmt.Errorf("unreadable answer: %w", err)
			}
			return a.backedUp(made)
		},
	}
	flags = settings(cmd, "data", "config", "set")
	cmd.Flags().StringVar(&to, "to", "", "new directory for the copy")
	return cmd
}

func (a *app) backupTo(flags *config.Flags, to string) (err error) {
	s, err := a.openStore(flags, pebblestore.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	newest, err := s.Backup(to)
	if err != nil {
		return err
	}
	return a.backedUp(node.BackupResult{Directory: to, Group: newest})
}

func (a *app) backedUp(r node.BackupResult) error {
	return a.done(r, "copied the store to %s, up to group %d", r.Directory, r.Group)
}

// done tells that something is done, in words or as JSON.
func (a *app) done(as any, format string, args ...any) error {
	if a.format != show.Table {
		return show.Encode(a.out, a.format, as)
	}
	_, err := fmt.Fprintf(a.out, format+"\n", args...)
	return err
}

func (a *app) restore() *cobra.Command {
	var flags *config.Flags
	cmd := &cobra.Command{
		Use:   "restore DIR",
		Short: "Make a data directory of a backup, and verify it",
		Long: `Make a data directory of a backup. The store in it must not exist yet: nothing is overwritten. The copy is verified; one
that is not sound is removed again, and the exit code is 1.`,
		Example: `  concord restore /mnt/copies/monday --data /var/lib/concord-new`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := load(flags)
			if err != nil {
				return err
			}
			if c.InMemory() {
				return usagef("--data mem: cannot take a backup")
			}
			if err := os.MkdirAll(c.Data, 0o700); err != nil {
				return err
			}
			report, err := pebblestore.Restore(cmd.Context(), args[0], c.StoreDir(), pebblestore.Options{Warn: a.warn},
				pebblestore.VerifyOptions{Fold: actors.Fold(actors.DefaultLimits)})
			if err != nil {
				return err
			}
			return a.done(report, "restored %s of %s into %s; it is sound", show.Count(report.Records, "record"),
				show.Count(report.Entities, "entity"), c.Data)
		},
	}
	flags = settings(cmd, "data", "config", "set")
	return cmd
}

// warn is for what the store has to say.
func (a *app) warn(text string) { a.sayf("concord: %s", show.Clean(text)) }

// openStore opens the store of the data directory; no server may use it.
func (a *app) openStore(flags *config.Flags, o pebblestore.Options) (*pebblestore.Store, error) {
	c, err := load(flags)
	if err != nil {
		return nil, err
	}
	if c.InMemory() {
		return nil, usagef("data = mem: has no store to open")
	}
	if _, err := os.Stat(c.StoreDir()); err != nil {
		return nil, fmt.Errorf("there is no store below the data directory %s: %w", c.Data, err)
	}
	o.Warn, o.CacheBytes = a.warn, c.Store.CacheBytes
	o.Fatal = func(err error) {
		a.report(err)
		if !o.ReadOnly { // who only reads goes on: damage is what a verification looks for
			os.Exit(exitStorage)
		}
	}
	s, err := pebblestore.Open(c.StoreDir(), o)
	if errors.Is(err, pebblestore.ErrInUse) {
		return nil, fmt.Errorf("a server uses the data directory %s; stop it first: %w", c.Data, err)
	}
	return s, err
}

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Show the version of this program", Args: arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			as := map[string]string{"version": version, "go": runtime.Version(), "system": runtime.GOOS + "/" + runtime.GOARCH}
			return a.done(as, "concord %s (%s, %s)", as["version"], as["go"], as["system"])
		},
	}
}

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{
		Use: "exit-codes", Short: "What the exit codes mean",
		Long: strings.TrimSpace(`
0  done
1  an error
2  the command, or what it was given, is wrong
3  there is no such thing
4  a conflict: somebody else came first and nothing settles it, or the state does not allow it
5  locked by another, the holder keeps the lock, or the lock is lost
6  some rows of many failed
7  denied: not known, or not allowed
8  not available: nobody answers, too much is going on, or the time was too short

A server ends with 0 after a stop, with 70 if its store fails, and with 1 or 2 if it cannot start.`),
	}
}

func environmentTopic() *cobra.Command {
	return &cobra.Command{
		Use: "environment", Short: "What comes from the environment",
		Long: strings.TrimSpace(`
The global flags: ` + strings.Join(clientVariables, ", ") + `.
For a command under "concord lock --run": ` + envLockToken + `, ` + envLockFence + `, and the global flags that it was run with.
The settings of the server: CONCORD_ and the key in capitals, such as CONCORD_EVENTS_MAX_AGE for events.maxAge;
CONCORD_CONFIG is the file with settings. A flag counts before the environment.
NO_COLOR: if set, nothing is coloured. GOMAXPROCS: threads of the server that run at once.`),
	}
}

// bufferSize is what commands gather that write much.
const bufferSize = 64 << 10

func (a *app) buffered() *bufio.Writer { return bufio.NewWriterSize(a.out, bufferSize) }
