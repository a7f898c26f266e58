// Package suite measures Concord: against other systems, as one of the contenders of package bench, and against itself,
// small against large. Every server runs as a process of its own, so that it shares neither garbage collector nor
// scheduler with those who measure it.
package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"

	"concord/cmd/concord/internal/child"
	"concord/internal/bench"
	"concord/transport"
	"concord/transport/client"
)

// Name is that of our own contender.
const Name = "concord"

// benchDocument is the document that the workloads write.
const benchDocument = "d"

// DefaultProvider is where a bench works, so that it meets no collection of anybody.
const DefaultProvider = "bench"

// Concord is our own contender: `concord serve` as a process of its own, on its own embedded NATS server; a client is a
// connection, an update one document.put of one collection, a read one document.get.
//
// Settings: the defaults; an update has no idempotency key unless Keys is set, as those of the rivals have none.
type Concord struct {
	URL      string   // of a server that runs already; empty: a server of its own
	Memory   bool     // of its own server: keep everything in memory
	Keys     bool     // every update has an idempotency key, as our client gives it
	Provider string   // empty: DefaultProvider
	Args     []string // further flags of its own server
	Env      []string // further variables of its own server

	server *child.Server
}

var (
	_ bench.Contender = (*Concord)(nil)
	_ bench.Preloader = (*Concord)(nil)
	_ bench.Versioned = (*connection)(nil)
)

// Name implements bench.Contender.
func (c *Concord) Name() string { return Name }

// Start implements bench.Contender.
func (c *Concord) Start(ctx context.Context, dir string) (err error) {
	if c.URL != "" {
		return nil
	}
	data := "mem:"
	if !c.Memory {
		data = filepath.Join(dir, "data")
	}
	args := append([]string{"serve", "--data", data, "--nats", "127.0.0.1:0", "--http", "127.0.0.1:0", "--log-level", "warn",
		"--set", "store.reserve=0"}, c.Args...)
	c.server, err = child.Start(ctx, child.Options{Args: args, Dir: dir, Env: c.Env})
	return err
}

// Stop implements bench.Contender.
func (c *Concord) Stop() error {
	if c.server == nil {
		return nil
	}
	server := c.server
	c.server = nil
	return server.Stop()
}

// address is where the server listens.
func (c *Concord) address() string {
	if c.server != nil {
		return c.server.NATS
	}
	return c.URL
}

func (c *Concord) provider() string {
	if c.Provider != "" {
		return c.Provider
	}
	return DefaultProvider
}

// Client implements bench.Contender.
func (c *Concord) Client(i int) (bench.Client, error) { return c.connect(i) }

func (c *Concord) connect(i int) (*connection, error) {
	nc, err := nats.Connect(c.address(), nats.Name(fmt.Sprintf("bench-client-%d", i)), nats.NoReconnect())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", c.address(), err)
	}
	subject := func(operation string) string {
		return client.DefaultPrefix + "." + operation + "." + c.provider() + "."
	}
	return &connection{nc: nc, keys: c.Keys, put: subject("document.put"), get: subject("document.get"),
		create: subject("collection.put"), show: subject("collection.get")}, nil
}

// connection is one client. It speaks NATS directly: retries would hide what a server does, and our own client's work
// is not what is measured.
type connection struct {
	nc                     *nats.Conn
	keys                   bool
	put, get, create, show string // subjects, without the collection
	body                   []byte
}

// collection is the id of the collection for a key.
func collection(key int) string { return "c" + strconv.Itoa(key) }

// Update implements bench.Client.
func (c *connection) Update(ctx context.Context, key int, payload []byte) error {
	return c.write(ctx, collection(key), benchDocument, payload, nil)
}

// write puts one document.
func (c *connection) write(ctx context.Context, id, document string, payload []byte, header nats.Header) error {
	c.body = append(append(append(c.body[:0], `{"document":"`...), document...), `","value":`...)
	c.body = append(append(c.body, payload...), '}')
	msg := &nats.Msg{Subject: c.put + id, Data: c.body, Header: header}
	if c.keys {
		msg.Header = nats.Header{transport.HeaderIdempotencyKey: []string{uuid.Must(uuid.NewV7()).String()}}
	}
	_, err := c.ask(ctx, msg)
	return err
}

var readBody = []byte(`{"document":"` + benchDocument + `"}`)

// Read implements bench.Client.
func (c *connection) Read(ctx context.Context, key int) ([]byte, error) {
	return c.ask(ctx, &nats.Msg{Subject: c.get + collection(key), Data: readBody})
}

// Version implements bench.Versioned.
func (c *connection) Version(ctx context.Context, key int) (int64, error) {
	text, err := c.ask(ctx, &nats.Msg{Subject: c.show + collection(key), Data: []byte(`{"documents":"none"}`)})
	if err != nil {
		return 0, err
	}
	return versionIn(text)
}

// ask sends a request and returns the body of a success.
func (c *connection) ask(ctx context.Context, msg *nats.Msg) ([]byte, error) {
	answer, err := c.nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", msg.Subject, err)
	}
	if len(answer.Header) > 0 {
		return nil, fmt.Errorf("%s: %s", msg.Subject, answer.Data)
	}
	return answer.Data, nil
}

// Close implements bench.Client.
func (c *connection) Close() error {
	c.nc.Close()
	return nil
}

// restart stops the server and starts it again on its data.
func (c *Concord) restart(ctx context.Context, dir string) error {
	if err := c.Stop(); err != nil {
		return err
	}
	return c.Start(ctx, dir)
}

// own runs fn with a server of its own in a fresh directory, which is removed afterwards.
func own(ctx context.Context, parent string, c *Concord, fn func(dir string) error) (err error) {
	dir, err := os.MkdirTemp(parent, "concord-bench-")
	if err != nil {
		return fmt.Errorf("directory of the run: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := c.Start(ctx, dir); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Stop()) }()
	return fn(dir)
}
