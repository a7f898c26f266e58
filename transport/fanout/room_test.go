package fanout

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"concord/persistence"
)

// TestNoRoomForTheStream: where JetStream has less room than the stream may take, an operator is told once what is lacking,
// and which setting to lower.
func TestNoRoomForTheStream(t *testing.T) {
	const room = 1 << 20
	w := newWorldOf(t, &server.Options{JetStreamMaxStore: room})
	var said bytes.Buffer
	config := Config{Stream: "EVENTS", Prefix: "c.v1", MaxAge: time.Hour, MaxBytes: 2 * room, BytesSetting: "events.maxBytes", Boot: "b", Now: time.Now}
	tail, err := New(config, w.memory, w.nc, func(persistence.Kind) bool { return true },
		Observer{Published: func(int) {}, Repeated: func(int) {}, Restarted: func(string) {}, Pending: func(uint64) {}}, zerolog.New(&said))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		_, err := tail.step(context.Background())
		if !errors.Is(err, errNoRoom) {
			t.Fatalf("a stream of %d bytes in %d: %v", config.MaxBytes, room, err)
		}
		tail.waits(err, time.Second)
	}
	if text := said.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, `"level":"error"`) ||
		!strings.Contains(text, `"needsBytes":2097152`) || !strings.Contains(text, "or lower events.maxBytes, and start again") {
		t.Errorf("the log says %s", text)
	}
	tail.config.MaxBytes = room / 2
	if _, err := tail.step(context.Background()); err != nil {
		t.Errorf("a stream that has room: %v", err)
	}
	if tail.cramped {
		t.Error("nobody would be told the next time")
	}
}

// TestOtherRefusalsOfAStream: they may pass, and are logged each time.
func TestOtherRefusalsOfAStream(t *testing.T) {
	var said bytes.Buffer
	tail := &Tail{log: zerolog.New(&said)}
	for range 2 {
		tail.waits(refused(jetstream.ErrJetStreamNotEnabled), time.Second)
	}
	if strings.Count(said.String(), `"level":"warn"`) != 2 {
		t.Errorf("the log says %s", said.String())
	}
}
