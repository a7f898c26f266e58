package contenders

import (
	"errors"
	"fmt"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// loopbackServer returns the options of a server that listens on a free loopback port and for nothing
// but clients.
func loopbackServer() *server.Options {
	return &server.Options{Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true}
}

// runServer starts an embedded server and returns once it takes connections.
func runServer(options *server.Options) (*server.Server, error) {
	s, err := server.NewServer(options)
	if err != nil {
		return nil, fmt.Errorf("make nats server: %w", err)
	}
	s.Start()
	if !s.ReadyForConnections(startMax) {
		endServer(s)
		return nil, fmt.Errorf("nats server takes no connections after %v", startMax)
	}
	return s, nil
}

// endServer ends the server, if there is one, and waits until nothing of it runs.
func endServer(s *server.Server) {
	if s == nil {
		return
	}
	s.Shutdown()
	s.WaitForShutdown()
}

// dial opens a TCP connection to an embedded server. It is not opened again once it is lost: a run that
// loses one shows errors.
func dial(s *server.Server, name string) (*nats.Conn, error) {
	if s == nil {
		return nil, errors.New("nats server is not started")
	}
	nc, err := nats.Connect(s.ClientURL(), nats.Name(name), nats.NoReconnect())
	if err != nil {
		return nil, fmt.Errorf("connect %s: %w", name, err)
	}
	return nc, nil
}
