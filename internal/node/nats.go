package node

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"
)

// Bounds of the embedded server.
const (
	natsMaxPayload   = 8 << 20 // so that it is we who refuse a request that is too large, with 413
	natsStartMax     = 10 * time.Second
	natsSyncInterval = 10 * time.Second
	natsDeadline     = 10 * time.Second
)

// EmbeddedOptions are the settings of the embedded NATS server: loopback unless the caller says otherwise, JetStream in
// a directory of its own, no other listener. The event stream can be filled again from the log, so that JetStream need
// not sync each message: what it took in the time before a crash of the machine is published again.
func EmbeddedOptions(host string, port int, storeDir string) *server.Options {
	return &server.Options{
		ServerName: "concord-solo", Host: host, Port: port,
		JetStream: true, StoreDir: storeDir, SyncInterval: natsSyncInterval,
		MaxPayload: natsMaxPayload, MaxPending: 256 << 20, WriteDeadline: natsDeadline,
		NoSigs: true, NoLog: true,
	}
}

// startNATS starts the embedded server. An empty directory keeps JetStream in a temporary one, which is removed again.
func startNATS(o Options, log zerolog.Logger) (ns *server.Server, cleanup func() error, err error) {
	cleanup = func() error { return nil }
	dir := filepath.Join(o.Data, "nats", "solo") // a directory for this mode alone: a cluster would empty it
	if o.Memory {
		if dir, err = os.MkdirTemp("", "concord-nats-"); err == nil {
			cleanup = func() error { return os.RemoveAll(dir) }
		}
	} else {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return nil, cleanup, fmt.Errorf("make a directory for JetStream: %w", err)
	}
	port := o.NATSPort
	if port == 0 {
		port = server.RANDOM_PORT
	}
	ns, err = server.NewServer(EmbeddedOptions(o.NATSHost, port, dir))
	if err != nil {
		return nil, cleanup, errors.Join(fmt.Errorf("embedded NATS server: %w", err), cleanup())
	}
	ns.SetLoggerV2(natsLogger{log}, false, false, false)
	ns.Start()
	if !ns.ReadyForConnections(natsStartMax) {
		ns.Shutdown()
		return nil, cleanup, errors.Join(fmt.Errorf("embedded NATS server cannot listen on %s:%d", o.NATSHost, o.NATSPort), cleanup())
	}
	return ns, cleanup, nil
}

// natsLogger passes on what an operator should know.
type natsLogger struct{ log zerolog.Logger }

func (l natsLogger) Noticef(format string, v ...any) { l.log.Debug().Msgf(format, v...) }
func (l natsLogger) Warnf(format string, v ...any)   { l.log.Warn().Msgf(format, v...) }
func (l natsLogger) Errorf(format string, v ...any)  { l.log.Error().Msgf(format, v...) }
func (l natsLogger) Fatalf(format string, v ...any)  { l.log.Error().Msgf(format, v...) }
func (l natsLogger) Debugf(string, ...any)           {}
func (l natsLogger) Tracef(string, ...any)           {}

// connect opens the service's own connection: for ever if the server goes away, since it may come back.
func connect(o Options, ns *server.Server, log zerolog.Logger) (*nats.Conn, error) {
	options := []nats.Option{
		nats.Name("concord service"), nats.MaxReconnects(-1), nats.ReconnectWait(200 * time.Millisecond),
		nats.RetryOnFailedConnect(ns == nil),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			e := log.Warn().Err(err)
			if sub != nil {
				e = e.Str("subject", sub.Subject)
			}
			e.Msg("NATS connection")
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn().Err(err).Msg("NATS connection lost")
			}
		}),
	}
	url := o.NATSURL
	if ns != nil {
		url = ns.ClientURL()
	}
	nc, err := nats.Connect(url, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS at %s: %w", url, err)
	}
	return nc, nil
}

// bootID names this start of the operating system, "" if it does not say.
func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return string(text[:min(len(text), 36)])
}
