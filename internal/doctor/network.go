package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"concord/internal/config"
)

// port looks whether a server could listen there. running says that one of ours is running, which would have it.
func port(ctx context.Context, address string, running bool) Finding {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err == nil {
		err = l.Close()
	}
	return judgePort(address, err, running)
}

func judgePort(address string, err error, running bool) Finding {
	switch {
	case err == nil && strings.HasSuffix(address, ":0"):
		return ok("%s takes any free port", address)
	case err == nil:
		return ok("%s is free", address)
	case errors.Is(err, syscall.EADDRINUSE) && running:
		return ok("%s is in use, as it should be: a server is running", address)
	case errors.Is(err, syscall.EADDRINUSE):
		return fail("use another port, or stop what uses it", "%s is in use by another program", address)
	case errors.Is(err, fs.ErrPermission):
		return fail("use a port from 1024 on, or give the server CAP_NET_BIND_SERVICE", "%s is not for this user", address)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fail("use an address of this machine", "%s is elsewhere", address)
	default:
		return fail("use an address of this machine", "%v", err)
	}
}

// embedded tells what the embedded NATS server will be.
func embedded(c *config.Config) Finding {
	where := c.StreamDir()
	if c.InMemory() {
		where = "a temporary directory"
	}
	return ok("embedded, events up to %s and %s old in %s",
		config.FormatSize(c.Events.MaxBytes), config.FormatDuration(c.Events.MaxAge), where)
}

// Bounds of a conversation with an external server.
const (
	connectMax = 3 * time.Second
	askMax     = 3 * time.Second
)

// serverFacts are what an external NATS server says of itself.
type serverFacts struct {
	version    string
	payload    int64 // bytes
	streams    error // why there are none; nil: JetStream is there
	storageMax int64 // bytes that JetStream may take for us; -1: no limit
}

func external(ctx context.Context, c *config.Config) []Finding {
	where := c.Text("nats.url")
	facts, err := askServer(ctx, c.NATS.URL)
	if err != nil {
		return []Finding{fail("start it, or put nats.url right; without nats.url a server is embedded", "%s: %v", where, err).named("nats")}
	}
	return []Finding{
		judgeVersion(where, facts.version).named("nats"),
		judgeStreams(facts, c.Events.MaxBytes).named("nats streams"),
		judgePayload(facts.payload, c.API.RequestMaxBytes).named("nats payload"),
	}
}

func askServer(ctx context.Context, url string) (serverFacts, error) {
	if err := ctx.Err(); err != nil {
		return serverFacts{}, fmt.Errorf("not asked: %w", context.Cause(ctx))
	}
	wait := connectMax
	if by, limited := ctx.Deadline(); limited {
		wait = min(wait, time.Until(by))
	}
	nc, err := nats.Connect(url, nats.Name("concord doctor"), nats.Timeout(wait), nats.NoReconnect())
	if err != nil {
		return serverFacts{}, fmt.Errorf("connect: %w", err)
	}
	defer nc.Close()
	facts := serverFacts{version: nc.ConnectedServerVersion(), payload: nc.MaxPayload(), storageMax: -1}
	js, err := jetstream.New(nc)
	if err != nil {
		return serverFacts{}, fmt.Errorf("use JetStream: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, askMax)
	defer cancel()
	account, err := js.AccountInfo(ctx)
	if facts.streams = err; err == nil {
		facts.storageMax = account.Limits.MaxStore
	}
	return facts, nil
}

// Oldest server that has atomic batches.
const (
	serverMajorMin = 2
	serverMinorMin = 12
)

func judgeVersion(where, version string) Finding {
	var major, minor int
	if n, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil || n != 2 {
		return warn(fmt.Sprintf("see that it is %d.%d or newer", serverMajorMin, serverMinorMin), "%s: version %q", where, version)
	}
	if major < serverMajorMin || major == serverMajorMin && minor < serverMinorMin {
		return fail(fmt.Sprintf("use %d.%d or newer: events are published in atomic batches", serverMajorMin, serverMinorMin),
			"%s: version %s", where, version)
	}
	return ok("%s: version %s", where, version)
}

func judgeStreams(f serverFacts, eventsMax int64) Finding {
	switch {
	case errors.Is(f.streams, jetstream.ErrJetStreamNotEnabled):
		return fail("start the server with JetStream (-js)", "JetStream is off")
	case errors.Is(f.streams, jetstream.ErrJetStreamNotEnabledForAccount):
		return fail("enable JetStream for the account", "JetStream is off for this account")
	case f.streams != nil:
		return fail("see that JetStream has a leader, and that we may use $JS.API.>", "JetStream does not answer: %v", f.streams)
	case f.storageMax >= 0 && f.storageMax < eventsMax:
		return warn("raise the account's storage, or lower events.maxBytes", "JetStream may store %s, the events may take %s",
			config.FormatSize(f.storageMax), config.FormatSize(eventsMax))
	default:
		return ok("JetStream is on")
	}
}

// Payload that a server must take; headers count.
const (
	payloadMin      = 1 << 20
	headersMaxBytes = 64 << 10
)

func judgePayload(payload int64, requestMax int) Finding {
	const advice = "set max_payload of the server to 8MB, so that it is Concord who refuses what is too large"
	switch {
	case payload < payloadMin:
		return fail(advice, "a message may have %s, less than 1MiB", config.FormatSize(payload))
	case payload < int64(requestMax)+headersMaxBytes:
		return warn(advice, "a message may have %s, headers included: too little for a request of %s (limits.request)",
			config.FormatSize(payload), config.FormatSize(int64(requestMax)))
	default:
		return ok("a message may have %s", config.FormatSize(payload))
	}
}
