package node

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"concord/persistence/pebblestore"
)

// rig is a node with a client.
type rig struct {
	t testing.TB
	n *Node
	c *nats.Conn
}

func startRig(t testing.TB, o Options) *rig {
	t.Helper()
	n, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	c, err := nats.Connect(n.NATSAddress())
	if err != nil {
		t.Fatal(err)
	}
	return &rig{t, n, c}
}

func (r *rig) stop() {
	r.t.Helper()
	r.c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := r.n.Stop(ctx); err != nil {
		r.t.Error(err)
	}
}

func (r *rig) put(id string, n int) {
	r.t.Helper()
	msg, err := r.c.Request("concord.v1.collection.put.p."+id, fmt.Appendf(nil, `{"metadata":{"n":%d}}`, n), 5*time.Second)
	if err != nil || msg.Header != nil {
		r.t.Fatalf("%v %v", err, msg)
	}
}

// events reads the stream from its beginning until it has seen as many events of each collection as are wanted, and
// checks their order.
func (r *rig) events(collections, each int) {
	r.t.Helper()
	js, err := jetstream.New(r.c)
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var consumer jetstream.Consumer
	for consumer == nil {
		if consumer, err = js.OrderedConsumer(ctx, "CONCORD_EVENTS", jetstream.OrderedConsumerConfig{}); err != nil && ctx.Err() != nil {
			r.t.Fatal(err)
		}
	}
	messages, err := consumer.Messages()
	if err != nil {
		r.t.Fatal(err)
	}
	defer messages.Stop()
	seen := map[string]int{}
	for complete := 0; complete < collections; {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			r.t.Fatalf("%v; seen %v", err, seen)
		}
		var seq int
		id, after, _ := strings.Cut(msg.Headers().Get(jetstream.MsgIDHeader), "#")
		if _, err := fmt.Sscan(after, &seq); err != nil {
			r.t.Fatal(err)
		}
		if seq > seen[id]+1 {
			r.t.Fatalf("%s: event %d follows %d", id, seq, seen[id])
		}
		if seq == seen[id]+1 {
			if seen[id] = seq; seq == each {
				complete++
			}
		}
	}
}

// TestOutboxWiped: the stream is deleted while the service runs. Everything that the log holds is published again.
func TestOutboxWiped(t *testing.T) {
	r := startRig(t, testOptions(t))
	defer r.stop()
	for n := range 5 {
		for c := range 10 {
			r.put(fmt.Sprint("c", c), n)
		}
	}
	r.events(10, 5)
	js, err := jetstream.New(r.c)
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(context.Background(), "CONCORD_EVENTS"); err != nil {
		t.Fatal(err)
	}
	for c := range 10 {
		r.put(fmt.Sprint("c", c), 9)
	}
	r.events(10, 6)
}

// TestOutboxLostDirectory: JetStream's files are gone at the next start. The log fills the stream again.
func TestOutboxLostDirectory(t *testing.T) {
	o := testOptions(t)
	r := startRig(t, o)
	for n := range 3 {
		for c := range 10 {
			r.put(fmt.Sprint("c", c), n)
		}
	}
	r.events(10, 3)
	r.stop()
	if err := os.RemoveAll(o.Data + "/nats"); err != nil {
		t.Fatal(err)
	}
	r = startRig(t, o)
	defer r.stop()
	r.put("c0", 7)
	for c := 1; c < 10; c++ {
		r.put(fmt.Sprint("c", c), 8)
	}
	r.events(10, 4)
}

// TestWritesGoOnWithoutStream: a stream that takes nothing stops no write.
// Here its limits have no room for a single event.
func TestWritesGoOnWithoutStream(t *testing.T) {
	o := testOptions(t)
	o.Events.MaxBytes = 64 // less than an event: JetStream refuses each
	r := startRig(t, o)
	defer r.stop()
	for n := range 20 {
		r.put("c", n)
	}
}

// TestOutboxBoundsChange: a stream that is there is brought under today's settings.
func TestOutboxBoundsChange(t *testing.T) {
	o := testOptions(t)
	r := startRig(t, o)
	r.put("c", 1)
	r.events(1, 1)
	r.stop()
	o.Events.MaxAge, o.Events.MaxBytes = 3*time.Hour, 1<<30
	r = startRig(t, o)
	defer r.stop()
	r.put("c", 2)
	r.events(1, 2)
	js, err := jetstream.New(r.c)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "CONCORD_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if c := stream.CachedInfo().Config; c.MaxAge != 3*time.Hour || c.MaxBytes != 1<<30 || !c.AllowAtomicPublish {
		t.Errorf("the stream has %v, %d bytes, atomic %v", c.MaxAge, c.MaxBytes, c.AllowAtomicPublish)
	}
}

// TestOutboxKnownIDs: the stream was emptied, and its cursor lost, but it still knows the ids of what it had. A batch
// with such an id would be refused again and again.
func TestOutboxKnownIDs(t *testing.T) {
	o := testOptions(t)
	r := startRig(t, o)
	for c := range 10 {
		r.put(fmt.Sprint("c", c), 1)
	}
	r.events(10, 1)
	js, err := jetstream.New(r.c)
	if err != nil {
		t.Fatal(err)
	}
	stream, err := js.Stream(t.Context(), "CONCORD_EVENTS")
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.stop()
	loseCursors(t, o)
	r = startRig(t, o)
	defer r.stop()
	r.put("other", 1)
	r.events(1, 1)
}

// loseCursors makes the tail begin at the oldest record.
func loseCursors(t *testing.T, o Options) {
	t.Helper()
	store, err := pebblestore.Open(filepath.Join(o.Data, "store"), o.Store)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"fanout", "fanout.safe"} {
		if err := store.SetCursor(name, []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestEventsOfTypesLeave: those who keep a copy of the rules learn when they change.
func TestEventsOfTypesLeave(t *testing.T) {
	r := startRig(t, testOptions(t))
	defer r.stop()
	events, err := r.c.SubscribeSync("concord.v1.event.type.p.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, verb := range []string{"put", "delete"} {
		body := map[string]string{"put": `{"requireVersion":true}`}[verb]
		if msg, err := r.c.Request("concord.v1.type."+verb+".p.dossier", []byte(body), 5*time.Second); err != nil || msg.Header != nil {
			t.Fatalf("%s: %v %v", verb, err, msg)
		}
	}
	for _, want := range []string{`"type":"type.saved","kind":"type","provider":"p","entity":"dossier","seq":1,"version":1`,
		`"type":"type.deleted","kind":"type","provider":"p","entity":"dossier","seq":2,"version":2`} {
		msg, err := events.NextMsg(10 * time.Second)
		if err != nil || !strings.Contains(string(msg.Data), want) || strings.Contains(string(msg.Data), "requireVersion") {
			t.Fatalf("%v %v, want %s", err, msg, want)
		}
	}
}
