package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// app is one run of the program: where it reads and writes, and what the global flags say.
type app struct {
	in   io.Reader
	out  io.Writer
	errs io.Writer
	env  func(string) string

	global globalFlags
	format show.Format
}

// globalFlags are the flags of every command.
type globalFlags struct {
	server, provider, principal, session string
	tokenFile, prefix, output            string
	timeout                              time.Duration
}

// Names of the global flags in the environment.
const (
	envServer    = "CONCORD_SERVER"
	envProvider  = "CONCORD_PROVIDER"
	envPrincipal = "CONCORD_PRINCIPAL"
	envSession   = "CONCORD_SESSION"
	envTokenFile = "CONCORD_TOKEN_FILE"
	envPrefix    = "CONCORD_PREFIX"
	envOutput    = "CONCORD_OUTPUT"
	envTimeout   = "CONCORD_TIMEOUT"
)

// foreignVariables begin like settings of the server and are none.
var foreignVariables = append([]string{envLockToken, envLockFence}, clientVariables...)

// clientVariables are the global flags in the environment.
var clientVariables = []string{envServer, envProvider, envPrincipal, envSession, envTokenFile, envPrefix, envOutput, envTimeout}

// Defaults of the global flags.
const (
	defaultServer  = "nats://127.0.0.1:4222"
	defaultTimeout = 20 * time.Second
	tokenMaxBytes  = 1024
)

// run is the program with its arguments; it returns the exit code.
func run(ctx context.Context, a *app, args []string) int {
	root := a.root()
	root.SetArgs(joinResolve(args))
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return exitError // the user's own interrupt needs no words
	}
	if !told(err) {
		a.report(err)
	}
	return exitCode(err)
}

// commandGroup is a part of the help.
type commandGroup struct {
	title    string
	commands []*cobra.Command
}

func (a *app) groups() []commandGroup {
	return []commandGroup{
		{"Server:", []*cobra.Command{a.serve()}},
		{"Collections and documents:", []*cobra.Command{a.put(), a.patch(), a.get(), a.remove(), a.list(), a.watch()}},
		{"Locks:", []*cobra.Command{a.lock(), a.unlock(), a.locks(), a.contest(), a.prompts(), a.operations()}},
		{"History:", []*cobra.Command{a.history(), a.diff(), a.blame(), a.revert()}},
		{"Authorities and links:", []*cobra.Command{a.sources(), a.authorities(), a.linksCommand(), a.jobs()}},
		{"Rules for collections:", []*cobra.Command{a.types()}},
		{"Many records:", []*cobra.Command{a.importCommand(), a.export(), a.bulk(), a.edit(), a.sample()}},
		{"Operation:", []*cobra.Command{a.doctor(), a.config(), a.backup(), a.restore(), a.store(), a.bench()}},
	}
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "concord",
		Short: "Collections of records that many people and programs change at once, and lose nothing",
		Long: `Concord keeps collections: sets of documents with metadata, every version of them.
One program is the server and everything that talks to it.`,
		Example: `  concord serve --data ./data                      # the server
  concord put demo --document hello=hello.json     # in another terminal
  concord get demo
  concord history demo`,
		SilenceUsage: true, SilenceErrors: true, Version: version,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.settle(cmd) },
		Args:              group, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.errs)
	root.SetVersionTemplate("concord {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w\n  see `%s --help`", err, cmd.CommandPath())
	})
	a.globals(root)
	cobra.EnableCommandSorting = false // the groups have an order of their own
	for _, g := range a.groups() {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, c := range g.commands {
			c.GroupID = g.title
			root.AddCommand(c)
		}
	}
	root.AddCommand(a.benchEcho(), a.mergeWorker(), a.versionCommand(), exitCodesTopic(), environmentTopic(), conflictsTopic(), linksTopic())
	return root
}

// suggestMaxEdits is how far a command may be from what was typed to be suggested.
const suggestMaxEdits = 2

// group is the argument check of a command that only has commands below it.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	text := fmt.Sprintf("there is no command %q of %q", args[0], cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = suggestMaxEdits
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		text += fmt.Sprintf(": did you mean %s?", strings.Join(near, " or "))
	}
	return usagef("%s\n  see `%s --help`", text, cmd.CommandPath())
}

// arguments makes a check of the arguments a usage error.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usagef("%w\n  usage: %s", err, cmd.UseLine())
		}
		return nil
	}
}

func (a *app) globals(root *cobra.Command) {
	f, g := root.PersistentFlags(), &a.global
	text := func(into *string, name, short, env, standard, doc string) {
		if given := a.env(env); given != "" {
			standard = given
		}
		f.StringVarP(into, name, short, standard, doc+" ("+env+")")
	}
	text(&g.server, "server", "", envServer, defaultServer, "NATS server that Concord answers on")
	text(&g.provider, "provider", "", envProvider, client.DefaultProvider, "provider (tenant)")
	text(&g.principal, "principal", "", envPrincipal, a.userName(), "who you are; believed with --auth off only")
	text(&g.session, "session", "", envSession, "", "your session: locks belong to one")
	text(&g.tokenFile, "token-file", "", envTokenFile, "", "file with your bearer token")
	text(&g.prefix, "prefix", "", envPrefix, client.DefaultPrefix, "how the subjects of the service begin")
	text(&g.output, "output", "o", envOutput, string(show.Table), "table, json or jsonl")
	f.DurationVar(&g.timeout, "timeout", defaultTimeout, "how long one request may take, retries included ("+envTimeout+")")
}

// userName is what the system calls the user, "" if it does not say.
func (a *app) userName() string {
	if name := a.env("USER"); name != "" {
		return name
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return ""
}

// formatCSV is the name of the format, and of the annotation of a command that has it.
const formatCSV = string(show.CSV)

// settle judges the global flags before the command runs.
func (a *app) settle(cmd *cobra.Command) (err error) {
	if _, lists := cmd.Annotations[formatCSV]; lists && a.global.output == formatCSV {
		a.format = show.CSV
	} else if a.format, err = show.ParseFormat(a.global.output); err != nil {
		a.format = show.Table
		return usageError{err}
	}
	if given := a.env(envTimeout); given != "" && !cmd.Flags().Changed("timeout") {
		if a.global.timeout, err = time.ParseDuration(given); err != nil {
			return usagef("%s = %q is no duration, such as 30s", envTimeout, given)
		}
	}
	if a.global.timeout <= 0 {
		return usagef("--timeout must be above 0")
	}
	// Cobra looks at these after this function, and then they would be no mistakes of the command line.
	if err := errors.Join(cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()); err != nil {
		return usagef("%w\n  see `%s --help`", err, cmd.CommandPath())
	}
	return nil
}

// connect opens a connection as the global flags say. Close it.
func (a *app) connect() (*client.Client, error) {
	g := &a.global
	o := client.Options{Provider: g.provider, Principal: g.principal, Session: g.session, Prefix: g.prefix, Timeout: g.timeout}
	if g.tokenFile != "" {
		token, err := readBounded(g.tokenFile, tokenMaxBytes)
		if err != nil {
			return nil, fmt.Errorf("read the token: %w", err)
		}
		o.Token, o.Principal = strings.TrimSpace(string(token)), ""
	}
	return client.Connect(g.server, o)
}

// readBounded reads a file of at most so many bytes.
func readBounded(path string, maxBytes int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // nothing was written
	return readAtMost(f, path, maxBytes)
}

func readAtMost(from io.Reader, name string, maxBytes int64) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxBytes+1))
	if err == nil && int64(len(text)) > maxBytes {
		err = fmt.Errorf("%s: more than %d bytes", name, maxBytes)
	}
	return text, err
}

// inputMaxBytes bounds a file that goes into one request: more the server would refuse anyway.
const inputMaxBytes = 8 << 20

// input reads a file that a flag names; "-" is standard input.
func (a *app) input(path string) ([]byte, error) {
	if path == "-" {
		return readAtMost(a.in, "standard input", inputMaxBytes)
	}
	return readBounded(path, inputMaxBytes)
}
