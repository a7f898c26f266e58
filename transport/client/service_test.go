package client_test

import (
	"context"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"concord/actors/host"
	"concord/internal/node"
	"concord/transport"
	"concord/transport/client"
	"concord/transport/fanout"
	"concord/transport/operations"
)

// service is a node that can be stopped and started again at the same address with the same data.
type service struct {
	t       testing.TB
	options node.Options
	node    *node.Node
}

func startService(t testing.TB, change ...func(*node.Options)) *service {
	s := &service{t: t, options: node.Options{
		Data: t.TempDir(), NATSHost: "127.0.0.1", HTTPHost: "127.0.0.1", Auth: transport.AuthOff{}, AuthOff: true,
		Prefix: client.DefaultPrefix, Version: "0.1.0", Limits: operations.DefaultLimits, Transport: transport.DefaultLimits,
		Bounds: host.DefaultBounds, Events: fanout.Config{Stream: "CONCORD_EVENTS", MaxAge: time.Hour, MaxBytes: 64 << 20},
		Fatal: func(err error) { t.Errorf("the node cannot go on: %v", err) },
		Log:   zerolog.Nop(),
	}}
	for _, c := range change {
		c(&s.options)
	}
	s.start()
	t.Cleanup(s.stop)
	return s
}

func (s *service) start() {
	s.t.Helper()
	n, err := node.Start(s.options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.node = n
	if s.options.NATSURL == "" && s.options.NATSPort == 0 {
		u, err := url.Parse(n.NATSAddress())
		if err != nil {
			s.t.Fatal(err)
		}
		s.options.NATSPort, _ = strconv.Atoi(u.Port())
	}
}

func (s *service) stop() {
	s.t.Helper()
	if s.node == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopMax)
	defer cancel()
	if err := s.node.Stop(ctx); err != nil {
		s.t.Errorf("stop: %v", err)
	}
	s.node = nil
}

func (s *service) restart() {
	s.t.Helper()
	s.stop()
	s.start()
}

func (s *service) connect(o client.Options) *client.Client {
	s.t.Helper()
	c, err := client.Connect(s.node.NATSAddress(), o)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

const stopMax = 20 * time.Second

// within is a context for everything that a test waits for.
func within(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}
