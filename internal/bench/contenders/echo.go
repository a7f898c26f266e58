package contenders

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"concord/internal/bench"
)

const (
	echoName             = "echo"
	echoSubject          = "bench.echo"
	echoReadDefaultBytes = 1024
)

// EchoOptions give the echo the server, connections and endpoint of another run. All may be nil.
type EchoOptions struct {
	// ServerOptions returns the options of the embedded server. Nil: loopback TCP, no JetStream.
	// They need a listener.
	ServerOptions func() *server.Options
	// ConnectService opens the connection that the endpoint answers on. Nil: loopback TCP.
	ConnectService func(*server.Server) (*nats.Conn, error)
	// ConnectClient opens the connection of a client. Nil: loopback TCP.
	ConnectClient func(s *server.Server, i int) (*nats.Conn, error)
	// Endpoint are further options of the endpoint, such as pending limits.
	Endpoint []micro.EndpointOpt
}

// Echo is the limit of request-reply: a nats.go micro endpoint that returns the request, answered by an
// embedded nats-server. Nothing is stored. A read sends and returns as many bytes as an update, so that
// both are the same measure.
//
// Settings, unless the options say otherwise: nats-server on 127.0.0.1, no JetStream, service and
// clients on loopback TCP, one connection each, one endpoint with the default pending limits.
type Echo struct {
	options   EchoOptions
	server    *server.Server
	conn      *nats.Conn
	service   micro.Service
	readBytes int
}

var (
	_ bench.Contender = (*Echo)(nil)
	_ bench.Preloader = (*Echo)(nil)
	_ bench.Limit     = (*Echo)(nil)
)

// NewEcho returns the contender, not started.
func NewEcho(o EchoOptions) *Echo {
	if o.ServerOptions == nil {
		o.ServerOptions = loopbackServer
	}
	if o.ConnectService == nil {
		o.ConnectService = func(s *server.Server) (*nats.Conn, error) { return dial(s, "echo-service") }
	}
	if o.ConnectClient == nil {
		o.ConnectClient = func(s *server.Server, i int) (*nats.Conn, error) {
			return dial(s, fmt.Sprintf("echo-client-%d", i))
		}
	}
	return &Echo{options: o, readBytes: echoReadDefaultBytes}
}

// Name implements bench.Contender.
func (e *Echo) Name() string { return echoName }

// Limit implements bench.Limit.
func (e *Echo) Limit() string { return "request and answer of the same size, nothing stored" }

// Start implements bench.Contender.
func (e *Echo) Start(_ context.Context, _ string) error {
	var err error
	if e.server, err = runServer(e.options.ServerOptions()); err != nil {
		return err
	}
	if err := e.serve(); err != nil {
		return errors.Join(err, e.Stop())
	}
	return nil
}

func (e *Echo) serve() error {
	var err error
	if e.conn, err = e.options.ConnectService(e.server); err != nil {
		return err
	}
	e.service, err = micro.AddService(e.conn, micro.Config{Name: "bench-echo", Version: "1.0.0"})
	if err != nil {
		return fmt.Errorf("add echo service: %w", err)
	}
	// An answer that cannot be sent is a request that times out, which its client counts.
	answer := micro.HandlerFunc(func(r micro.Request) { _ = r.Respond(r.Data()) })
	options := append([]micro.EndpointOpt{micro.WithEndpointSubject(echoSubject)}, e.options.Endpoint...)
	if err := e.service.AddEndpoint(echoName, answer, options...); err != nil {
		return fmt.Errorf("add echo endpoint: %w", err)
	}
	if err := e.conn.Flush(); err != nil {
		return fmt.Errorf("register echo endpoint: %w", err)
	}
	return nil
}

// Preload implements bench.Preloader: it stores nothing, but learns how long an answer to a read is.
func (e *Echo) Preload(_ context.Context, _ int, payload []byte) error {
	e.readBytes = len(payload)
	return nil
}

// Client implements bench.Contender.
func (e *Echo) Client(i int) (bench.Client, error) {
	nc, err := e.options.ConnectClient(e.server, i)
	if err != nil {
		return nil, err
	}
	return &echoClient{nc: nc, read: make([]byte, e.readBytes)}, nil
}

// Stop implements bench.Contender.
func (e *Echo) Stop() error {
	var err error
	if e.service != nil {
		err = e.service.Stop()
	}
	if e.conn != nil {
		e.conn.Close()
	}
	endServer(e.server)
	e.service, e.conn, e.server = nil, nil, nil
	if err != nil {
		return fmt.Errorf("stop echo service: %w", err)
	}
	return nil
}

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
