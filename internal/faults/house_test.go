package faults

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"concord/actors/host"
	"concord/internal/node"
)

// house is a service with both doors and the test clock, that can be started again.
type house interface {
	doors() []door
	// restart ends the service and starts it again on the same data, at the same time of its clock.
	restart() error
	// advance moves its clock.
	advance(d time.Duration) error
}

// inProcess is a house in this process, in memory. Its clock goes on standing where it stood when it is started again.
type inProcess struct {
	t     testing.TB
	fs    vfs.FS
	clock *host.TestClock
	log   zerolog.Logger

	mu sync.Mutex
	n  *node.Node
	nc *nats.Conn
}

func startInProcess(t testing.TB, log zerolog.Logger) *inProcess {
	t.Helper()
	h := &inProcess{t: t, fs: vfs.NewMem(), clock: host.NewTestClock(time.Time{}), log: log}
	if err := h.start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.stop(); err != nil {
			t.Error(err)
		}
	})
	return h
}

func (h *inProcess) start() (err error) {
	o := options("", h.log)
	o.Memory, o.FS, o.Clock = true, h.fs, h.clock
	o.Fatal = func(err error) { h.t.Error(err) }
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n, err = node.Start(o); err != nil {
		return fmt.Errorf("start the node: %w", err)
	}
	h.nc, err = nats.Connect(h.n.NATSAddress())
	return err
}

const stopMax = 20 * time.Second

// stop may be called again.
func (h *inProcess) stop() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.n == nil {
		return nil
	}
	h.nc.Close()
	ctx, cancel := context.WithTimeout(context.Background(), stopMax)
	defer cancel()
	err := h.n.Stop(ctx)
	h.n = nil
	return err
}

func (h *inProcess) restart() error {
	if err := h.stop(); err != nil {
		return fmt.Errorf("stop the node: %w", err)
	}
	return h.start()
}

func (h *inProcess) http() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.n.HTTPAddress()
}

func (h *inProcess) connection() (*nats.Conn, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.nc, nil
}

func (h *inProcess) doors() []door {
	return []door{newHTTPDoor(h.http), &natsDoor{h.connection}}
}

func (h *inProcess) advance(d time.Duration) error { return advanceClock(h.http(), d) }

// advanceClock moves the clock of the service at the address.
func advanceClock(address string, d time.Duration) error {
	response, err := http.Post(address+"/debug/clock/advance", "application/json",
		bytes.NewReader(mustMarshal(map[string]any{"seconds": d.Seconds()})))
	if err != nil {
		return fmt.Errorf("advance the clock: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("advance the clock: %s", response.Status)
	}
	return nil
}
