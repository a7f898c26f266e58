package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	"github.com/spf13/cobra"

	"concord/actors/host"
	"concord/actors/script/quickjs"
	"concord/cmd/concord/internal/child"
	"concord/cmd/concord/internal/show"
	"concord/internal/config"
	"concord/internal/node"
	"concord/persistence/pebblestore"
	"concord/transport"
	"concord/transport/fanout"
)

// stopMax is how long a stop may take, until the requests under way are answered and everything is closed: less than
// systemd waits (deploy/concord.service).
const stopMax = 25 * time.Second

// Values of the setting log.format.
const (
	logAuto    = "auto"
	logConsole = "console"
	logJSON    = "json"
)

// flagAcceptDataLoss is no setting: an operator says it once, to one start.
const flagAcceptDataLoss = "accept-data-loss"

func (a *app) serve() *cobra.Command {
	var flags *config.Flags
	var acceptDataLoss bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Run the server",
		Long: `Run the server: one process is a complete system, with its own NATS server and its own store.

It stops at SIGTERM or Ctrl-C, once the requests under way are answered; a second signal ends it at once. It ends by
itself with exit code 70 if its store fails; --respawn, or systemd, starts it again.

Settings come from --config FILE (YAML), the environment (CONCORD_...) and flags, the later before the earlier;
--set key=value gives any of them, and ` + "`concord config show`" + ` lists them all.`,
		Example: `  concord serve                                    # in ./data, on 127.0.0.1:4222 and 127.0.0.1:8080
  concord serve --data /var/lib/concord --auth file:/etc/concord/principals.json --http :8080
  concord serve --data mem: --nats 127.0.0.1:0 --ready-file ready.json   # for a test
  concord serve --config concord.yaml --set limits.document=1MiB --respawn`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := flags.Load()
			if err != nil {
				return usageError{err}
			}
			switch {
			case c.Respawn && acceptDataLoss:
				return usagef("--%s is for one start, and --respawn makes many: give the one without the other", flagAcceptDataLoss)
			case c.Respawn:
				return a.respawn(cmd.Context())
			}
			return a.runServe(cmd.Context(), c, acceptDataLoss)
		},
	}
	flags = config.AddFlags(cmd.Flags())
	flags.Foreign = clientVariables
	cmd.Flags().BoolVar(&acceptDataLoss, flagAcceptDataLoss, false, "start although the end of the log is gone, and go on without it")
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w\n  see `%s --help`", config.ExplainFlag(err), cmd.CommandPath())
	})
	return cmd
}

func (a *app) runServe(ctx context.Context, c *config.Config, acceptDataLoss bool) error {
	tune()
	log := a.logger(c)
	o, err := nodeOptions(c, log)
	if err != nil {
		return err
	}
	o.Store.AcceptDataLoss = acceptDataLoss
	if err := free(c); err != nil {
		return err
	}
	n, err := start(o, c)
	if err != nil {
		return err
	}
	at := child.Addresses{NATS: n.NATSAddress(), HTTP: n.HTTPAddress()}
	log.Info().Str("version", version).Int("pid", os.Getpid()).Str("data", c.Data).Str("nats", at.NATS).Str("http", at.HTTP).Msg("ready")
	if err = writeReady(c.ReadyFile, at); err == nil {
		a.welcome(c, at)
		<-ctx.Done()
	}
	log.Info().Msg("stopping: a second signal ends it at once")
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopMax)
	defer cancel()
	err = errors.Join(err, removeReady(c.ReadyFile), n.Stop(stopping))
	log.Info().Err(err).Msg("stopped")
	return err
}

// What the runtime is told, unless the environment (GOMAXPROCS, GOGC) has an opinion.
const (
	runningMin    = 4 // threads that may run Go code at once
	runningPerCPU = 2
	// The live heap is small beside Pebble's cache, which the collector does not see: with the runtime's 100 the collector
	// took a fifth of the processors.
	garbagePercent = 300
)

// tune sets up the runtime for a server. A write or fsync in a system call holds its P until sysmon takes it back, some
// 20 us to 10 ms later: on two processors two of them, one of Pebble's log and one of JetStream's file, stop everything
// else. Measured on two: with GOMAXPROCS=2 the fan-out halved the rate of updates, with 4 it did not.
func tune() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(max(runningMin, runningPerCPU*runtime.NumCPU()))
	}
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
}

// logger writes to standard error: for people if that is a terminal, in JSON if not, or as the setting says.
func (a *app) logger(c *config.Config) zerolog.Logger {
	level, err := zerolog.ParseLevel(c.Log.Level)
	must(err) // the setting knows no other levels
	zerolog.TimeFieldFormat = time.RFC3339Nano
	if c.Log.Format == logConsole || c.Log.Format == logAuto && show.Terminal(a.errs) {
		console := zerolog.ConsoleWriter{Out: a.errs, TimeFormat: "15:04:05.000", NoColor: !show.Colour(a.errs, a.env)}
		return zerolog.New(console).Level(level).With().Timestamp().Logger()
	}
	return zerolog.New(a.errs).Level(level).With().Timestamp().Logger()
}

// nodeOptions are the settings as a node takes them.
func nodeOptions(c *config.Config, log zerolog.Logger) (node.Options, error) {
	o := node.Options{
		Data: c.Data, Memory: c.InMemory(), NATSURL: c.NATS.URL, Prefix: c.Subject.Prefix, Version: version, Debug: c.Debug,
		Limits: c.Operations, Transport: c.API, CMRMaxBytes: c.CMR.BodyMaxBytes, Bounds: c.Host, Store: c.StoreOptions(), BackupDir: c.BackupDir(),
		Retention: retention(c.Retention), Outcomes: uint64(c.Idempotency.MaxBytes),
		Events:     fanout.Config{Stream: c.Events.Stream, MaxAge: c.Events.MaxAge, MaxBytes: c.Events.MaxBytes},
		LinkEvents: fanout.Config{Stream: c.Events.Links.Stream, MaxAge: c.Events.Links.MaxAge, MaxBytes: c.Events.Links.MaxBytes},
		Jobs:       c.Propagation,
		Tasks:      c.Tasks,
		Auth:       transport.AuthOff{}, AuthOff: true, Log: log,
		Fatal: func(err error) {
			log.Error().Err(err).Int("exitCode", exitStorage).Msg("the server cannot go on")
			os.Exit(exitStorage)
		},
	}
	if c.InMemory() {
		o.Store.ReserveBytes = 0 // there is no disk to keep free
	}
	if c.Merge.Scripts {
		o.Scripts = &quickjs.Options{Bounds: c.Merge.Bounds}
	}
	if c.TestClock {
		o.Clock = host.NewTestClock(time.Time{})
	}
	var err error
	if path, ok := c.AuthFile(); ok {
		o.AuthOff = false
		if o.Auth, err = transport.LoadAuthFile(path); err != nil {
			return o, err
		}
	}
	if o.NATSHost, o.NATSPort, err = hostPort(c.NATS.Listen); err != nil {
		return o, err
	}
	o.HTTPHost, o.HTTPPort, err = hostPort(c.HTTP.Listen)
	return o, err
}

func retention(r config.Retention) pebblestore.Policy {
	switch r.Keep {
	case config.KeepVersions:
		return pebblestore.Policy{Versions: r.Versions}
	case config.KeepDays:
		return pebblestore.Policy{Days: r.Days}
	default:
		return pebblestore.Policy{KeepAll: true}
	}
}

func hostPort(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	return host, port, err
}

// free says at once which address is not to be had: the store need not be opened for it, and the embedded NATS server would
// try for a while.
func free(c *config.Config) error {
	var errs []error
	if c.NATS.URL == "" {
		errs = append(errs, freeAddress("nats", c.NATS.Listen))
	}
	return errors.Join(append(errs, freeAddress("http", c.HTTP.Listen))...)
}

// freeAddress says whether a server could listen there. The flag is that of the setting.
func freeAddress(flag, address string) error {
	l, err := net.Listen("tcp", address) //nolint:noctx // it never waits
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s.listen = %s: %w (another server? --%s HOST:0 takes a free port)", flag, address, err, flag)
	case err != nil:
		return fmt.Errorf("%s.listen = %s: %w", flag, address, err)
	}
	return l.Close()
}

// welcome tells a person where the server is and what to try. Who has the log in JSON is none.
func (a *app) welcome(c *config.Config, at child.Addresses) {
	if c.Log.Format == logJSON {
		return
	}
	data := "data in " + c.Data
	if c.InMemory() {
		data = "data in memory: it ends with this process"
	}
	text := fmt.Sprintf("Concord %s is ready, %s\n  NATS  %s\n", version, data, at.NATS)
	if at.HTTP != "" {
		text += fmt.Sprintf("  HTTP  %s\n", at.HTTP)
	}
	text += "\nTry in another terminal:\n"
	if at.NATS != defaultServer {
		text += fmt.Sprintf("  export %s=%s\n", envServer, at.NATS)
	}
	text += `  echo '{"text": "hello"}' | concord put demo --document hello=-
  concord get demo
  concord history demo
  concord watch demo

Ctrl-C stops it.
`
	_, _ = fmt.Fprint(a.out, text) // a server needs nobody who reads this
}
