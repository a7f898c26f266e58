package suite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"concord/cmd/concord/internal/child"
	"concord/internal/bench"
	"concord/internal/node"
)

// EchoName is that of the echo, as package bench expects it.
const EchoName = "echo"

// EchoCommand is the hidden command that runs the echo's server.
const EchoCommand = "bench-echo"

// Settings of the echo's endpoint, those of our own API.
const (
	echoSubject      = "bench.echo"
	endpointMaxMsgs  = 64 << 10
	endpointMaxBytes = 64 << 20
	echoStartMax     = 10 * time.Second
	echoReadBytes    = payloadBytes
)

// Echo is the limit of request-reply: a micro endpoint that returns the request, with server, service connection,
// endpoint and clients as in our own run. Its server is a process of its own, as ours is: in one process with the clients
// it would have another garbage collector and another scheduler than what it is compared with.
type Echo struct {
	server    *child.Server
	readBytes int
}

var (
	_ bench.Contender = (*Echo)(nil)
	_ bench.Preloader = (*Echo)(nil)
	_ bench.Limit     = (*Echo)(nil)
)

// Name implements bench.Contender.
func (e *Echo) Name() string { return EchoName }

// Limit implements bench.Limit.
func (e *Echo) Limit() string {
	return "request and answer of the same size, nothing stored; in a process of its own, as Concord is"
}

// Start implements bench.Contender.
func (e *Echo) Start(ctx context.Context, dir string) (err error) {
	e.readBytes = echoReadBytes
	e.server, err = child.Start(ctx, child.Options{Args: []string{EchoCommand, "--data", dir}, Dir: dir})
	return err
}

// Preload implements bench.Preloader: it learns how long the answer to a read is.
func (e *Echo) Preload(_ context.Context, _ int, payload []byte) error {
	e.readBytes = len(payload)
	return nil
}

// Client implements bench.Contender.
func (e *Echo) Client(i int) (bench.Client, error) {
	nc, err := nats.Connect(e.server.NATS, nats.Name(fmt.Sprintf("echo-client-%d", i)), nats.NoReconnect())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", e.server.NATS, err)
	}
	return &echoClient{nc: nc, read: make([]byte, e.readBytes)}, nil
}

// Stop implements bench.Contender.
func (e *Echo) Stop() error { return e.server.Stop() }

type echoClient struct {
	nc   *nats.Conn
	read []byte
}

func (c *echoClient) Update(ctx context.Context, _ int, payload []byte) error {
	_, err := c.echo(ctx, payload)
	return err
}

func (c *echoClient) Read(ctx context.Context, _ int) ([]byte, error) { return c.echo(ctx, c.read) }

func (c *echoClient) echo(ctx context.Context, request []byte) ([]byte, error) {
	answer, err := c.nc.RequestWithContext(ctx, echoSubject, request)
	if err != nil {
		return nil, fmt.Errorf("echo: %w", err)
	}
	if len(answer.Data) != len(request) {
		return nil, fmt.Errorf("echo of %d bytes has %d", len(request), len(answer.Data))
	}
	return answer.Data, nil
}

func (c *echoClient) Close() error {
	c.nc.Close()
	return nil
}

// ServeEcho runs the echo's server until the context ends. It tells ready where it listens.
func ServeEcho(ctx context.Context, dir string, ready func(url string) error) error {
	options := node.EmbeddedOptions("127.0.0.1", server.RANDOM_PORT, dir)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ns, err := server.NewServer(options)
	if err != nil {
		return fmt.Errorf("make the echo's server: %w", err)
	}
	ns.Start()
	defer func() {
		ns.Shutdown()
		ns.WaitForShutdown()
	}()
	if !ns.ReadyForConnections(echoStartMax) {
		return errors.New("the echo's server takes no connections")
	}
	nc, err := nats.Connect(ns.ClientURL(), nats.Name("echo service"))
	if err != nil {
		return fmt.Errorf("connect the echo: %w", err)
	}
	defer nc.Close()
	service, err := micro.AddService(nc, micro.Config{Name: "bench-echo", Version: "1.0.0"})
	if err != nil {
		return fmt.Errorf("register the echo: %w", err)
	}
	// An answer that cannot be sent is a request that times out, which its client counts.
	answer := micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(r.Data()) })
	err = service.AddEndpoint("echo", answer, micro.WithEndpointSubject(echoSubject),
		micro.WithEndpointPendingLimits(endpointMaxMsgs, endpointMaxBytes))
	if err == nil {
		err = nc.Flush()
	}
	if err == nil {
		err = ready(ns.ClientURL())
	}
	if err != nil {
		return err
	}
	<-ctx.Done()
	return service.Stop()
}
