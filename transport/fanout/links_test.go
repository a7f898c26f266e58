package fanout

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// memory is a log and its cursors.
type memory struct {
	mu      sync.Mutex
	log     [2][]persistence.LogRecord
	cursors map[string][]byte
	reads   atomic.Int64 // records that were read back
}

func (m *memory) Partitions() int { return len(m.log) }

func (m *memory) Log(p persistence.Partition, from persistence.Position) iter.Seq2[persistence.LogRecord, error] {
	m.mu.Lock()
	defer m.mu.Unlock()
	records := m.log[p][min(int(from)-1, len(m.log[p])):]
	return func(yield func(persistence.LogRecord, error) bool) {
		for _, r := range records {
			m.reads.Add(1)
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (m *memory) Last(p persistence.Partition) persistence.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	return persistence.Position(len(m.log[p]))
}

func (m *memory) Cursor(name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c, ok := m.cursors[name]; ok {
		return c, nil
	}
	return nil, persistence.ErrNotFound
}

func (m *memory) SetCursor(name string, value []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cursors[name] = value
	return nil
}

func (m *memory) SyncCursor(name string, value []byte) error { return m.SetCursor(name, value) }

// kept is the cursors as they are; back gives them back.
func (m *memory) kept() map[string][]byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	kept := make(map[string][]byte)
	for name, c := range m.cursors {
		kept[name] = c
	}
	return kept
}

func (m *memory) back(cursors map[string][]byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cursors = cursors
}

// world is a JetStream, a log, and the tails of both streams.
type world struct {
	t        *testing.T
	ns       *server.Server
	nc       *nats.Conn
	js       jetstream.JetStream
	memory   *memory
	maxBytes int64
	repeated atomic.Int64 // link updates that the stream was found to have
	sent     atomic.Int64 // link updates that it has taken
	events   *Tail
	links    *Tail
	stop     func()
	written  []string // ids of the messages that are due
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, &server.Options{})
}

// newWorldOf makes a world around a server with further options.
func newWorldOf(t *testing.T, o *server.Options) *world {
	t.Helper()
	w := &world{t: t, memory: &memory{cursors: make(map[string][]byte)}, maxBytes: 1 << 30, stop: func() {}}
	o.Host, o.Port, o.JetStream, o.StoreDir = "127.0.0.1", server.RANDOM_PORT, true, t.TempDir()
	o.NoSigs, o.NoLog, o.MaxPayload = true, true, 8<<20
	ns, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	ns.Start()
	if !ns.ReadyForConnections(10 * time.Second) {
		t.Fatal("NATS does not start")
	}
	w.ns = ns
	if w.nc, err = nats.Connect(ns.ClientURL()); err != nil {
		t.Fatal(err)
	}
	if w.js, err = jetstream.New(w.nc); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.stop()
		w.nc.Close()
		ns.Shutdown()
		ns.WaitForShutdown()
	})
	return w
}

// start runs the tails, as a process that starts.
func (w *world) start() {
	w.t.Helper()
	config := Config{Stream: "EVENTS", Prefix: "c.v1", MaxAge: time.Hour, MaxBytes: 1 << 30, Boot: "b", Now: time.Now}
	observer := Observer{Published: func(int) {}, Repeated: func(int) {}, Restarted: func(string) {}, Pending: func(uint64) {}}
	log := zerolog.New(zerolog.NewTestWriter(w.t)).Level(zerolog.InfoLevel)
	var err error
	if w.events, err = New(config, w.memory, w.nc, func(persistence.Kind) bool { return true }, observer, log); err != nil {
		w.t.Fatal(err)
	}
	config.Stream, config.MaxBytes = "LINKS", w.maxBytes
	observer.Repeated, observer.Published = func(n int) { w.repeated.Add(int64(n)) }, func(n int) { w.sent.Add(int64(n)) }
	if w.links, err = NewLinks(config, w.memory, w.nc, Links{Leaves: isLinked, Render: render}, observer, log); err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, tail := range []*Tail{w.events, w.links} {
		running.Go(func() {
			if err := tail.Run(ctx); err != nil {
				w.t.Error(err)
			}
		})
	}
	w.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
}

// isLinked and render stand for what a collection says of its events: the payload is how many messages there are.
func isLinked(rec *recordpb.Record) bool { return len(rec.GetPayload()) > 0 }

var errUnreadable = errors.New("unreadable")

func render(e persistence.EntityID, rec *recordpb.Record) ([]Message, error) {
	n, err := strconv.Atoi(string(rec.GetPayload()))
	if err != nil {
		return nil, errUnreadable
	}
	messages := make([]Message, n)
	for i := range messages {
		messages[i] = Message{ID: fmt.Sprintf("%s/links/%d", e.EventID(rec.GetSeq()), i+1), Subject: "links.p.names", Data: []byte("{}")}
	}
	return messages, nil
}

// commit adds an event of an entity with so many link updates.
func (w *world) commit(entity string, updates string) {
	w.t.Helper()
	id := persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: entity}
	due, _ := render(id, w.add(id, &recordpb.Record{Type: "collection.saved", Payload: []byte(updates)}))
	for _, m := range due {
		w.written = append(w.written, m.ID)
	}
}

// add adds an event of an entity to the log.
func (w *world) add(id persistence.EntityID, rec *recordpb.Record) *recordpb.Record {
	p := persistence.PartitionOf(id, w.memory.Partitions())
	w.memory.mu.Lock()
	seq := uint64(1)
	for _, r := range w.memory.log[p] {
		if r.Entity == id {
			seq++
		}
	}
	rec.Kind, rec.Provider, rec.Id, rec.Seq, rec.Version, rec.Time = uint32(id.Kind), id.Provider, id.ID, seq, seq, time.Now().UnixMicro()
	position := persistence.Position(len(w.memory.log[p]) + 1)
	w.memory.log[p] = append(w.memory.log[p], persistence.LogRecord{Position: position, Entity: id, Record: rec})
	w.memory.mu.Unlock()
	group := []*persistence.Entry{{Entity: id, Records: []persistence.Stored{{Record: rec, Bytes: []byte("record"), Position: position}}}}
	for _, tail := range []*Tail{w.events, w.links} {
		if tail != nil {
			tail.Committed(group)
		}
	}
	return rec
}

// ids reads the stream until it has so many messages.
func (w *world) ids(stream string, want int) (ids []string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var messages jetstream.MessagesContext
	for messages == nil {
		consumer, err := w.js.OrderedConsumer(ctx, stream, jetstream.OrderedConsumerConfig{})
		if err == nil {
			messages, err = consumer.Messages()
		}
		if err != nil && ctx.Err() != nil {
			w.t.Fatalf("stream %s: %v", stream, err)
		}
	}
	defer messages.Stop()
	for len(ids) < want {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			w.t.Fatalf("stream %s: %v after %d of %d messages", stream, err, len(ids), want)
		}
		ids = append(ids, msg.Headers().Get(jetstream.MsgIDHeader))
	}
	return ids
}

// complete checks that the stream of link updates has what is due once each, those of an entity in order.
func (w *world) complete() {
	w.t.Helper()
	got := w.ids("LINKS", len(w.written))
	want := slices.Clone(w.written)
	byEntity := func(ids []string) map[string][]string {
		m := make(map[string][]string)
		for _, id := range ids {
			entity, _, _ := cut(id)
			m[entity] = append(m[entity], id)
		}
		return m
	}
	has, due := byEntity(got), byEntity(want)
	for entity := range due {
		if !slices.Equal(has[entity], due[entity]) {
			w.t.Fatalf("%s: has %d messages, want %d; first that differs: %v", entity, len(has[entity]), len(due[entity]), differ(has[entity], due[entity]))
		}
	}
}

func cut(id string) (entity, rest string, ok bool) {
	for i := range len(id) {
		if id[i] == '#' {
			return id[:i], id[i:], true
		}
	}
	return id, "", false
}

func differ(a, b []string) string {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("%d: %s, want %s", i, a[i], b[i])
		}
	}
	return "one is longer"
}

// exact checks that the stream holds so many messages and no more, once both tails have nothing to do.
func (w *world) exact(stream string, want int) {
	w.t.Helper()
	w.stop() // a tail ends when it has published what is left
	s, err := w.js.Stream(context.Background(), stream)
	if err != nil {
		w.t.Fatal(err)
	}
	if n := s.CachedInfo().State.Msgs; int(n) != want {
		w.t.Fatalf("stream %s has %d messages, want %d", stream, n, want)
	}
}

// some commits events of six entities; every third has link updates.
func (w *world) some(n int) {
	for i := range n {
		updates := ""
		if i%3 == 0 {
			updates = strconv.Itoa(i%7 + 1)
		}
		w.commit(fmt.Sprint("c", i%6), updates)
	}
}

func TestLinkUpdatesLeave(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.some(100)
	w.complete()
	w.ids("EVENTS", 100)
	w.exact("LINKS", len(w.written))
	if n := w.repeated.Load(); n != 0 {
		t.Errorf("%d repeated", n)
	}
}

// TestStreamsAreWiped: each stream is filled again by itself; the other one is left alone.
func TestStreamsAreWiped(t *testing.T) {
	for _, stream := range []string{"LINKS", "EVENTS"} {
		t.Run(stream, func(t *testing.T) {
			w := newWorld(t)
			w.start()
			w.some(60)
			w.complete()
			w.ids("EVENTS", 60)
			if err := w.js.DeleteStream(context.Background(), stream); err != nil {
				t.Fatal(err)
			}
			w.some(60)
			w.complete()
			w.ids("EVENTS", 120)
			w.exact("LINKS", len(w.written))
			w.exact("EVENTS", 120)
		})
	}
}

// TestLinksAfterCrash: the process ends after a publication, and before its cursor is kept. Nothing is published twice.
func TestLinksAfterCrash(t *testing.T) {
	for name, lost := range map[string]func(map[string][]byte){
		"both cursors are old":               func(map[string][]byte) {},
		"the links' cursor is not there":     func(c map[string][]byte) { delete(c, "fanout.links") },
		"the events' cursor is not there":    func(c map[string][]byte) { delete(c, "fanout") },
		"no cursor was kept":                 func(c map[string][]byte) { clear(c) },
		"the machine has crashed in between": func(c map[string][]byte) { c["fanout.links"] = []byte(`{"boot":"another"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.start()
			w.some(50)
			w.complete()
			w.ids("EVENTS", 50)
			w.stop()
			cursors := w.memory.kept()
			lost(cursors)
			w.start()
			w.some(50)
			w.complete()
			w.ids("EVENTS", 100)
			w.stop()
			w.memory.back(cursors)
			w.start()
			w.some(50)
			w.complete()
			w.ids("EVENTS", 150)
			w.exact("LINKS", len(w.written))
			w.exact("EVENTS", 150)
			// JetStream's own memory of ids, which is short, had nothing to catch.
			if sent := w.sent.Load(); w.repeated.Load() == 0 || int(sent) != len(w.written) {
				t.Errorf("%d were found to be there already; %d sent of %d", w.repeated.Load(), sent, len(w.written))
			}
		})
	}
}

// TestLinksOfOneEventInSeveralBatches: an event may have more messages than an atomic batch; the process ends between two.
func TestLinksOfOneEventInSeveralBatches(t *testing.T) {
	w := newWorld(t)
	w.commit("huge", "2500")
	if _, err := w.js.CreateStream(context.Background(), jetstream.StreamConfig{Name: "LINKS", Subjects: []string{"c.v1.links.>"}}); err != nil {
		t.Fatal(err)
	}
	for _, id := range w.written[:batchMaxMessages] { // what the first batch of an earlier process has left
		if _, err := w.js.PublishMsg(context.Background(), &nats.Msg{Subject: "c.v1.links.p.names", Header: nats.Header{jetstream.MsgIDHeader: []string{id}}}); err != nil {
			t.Fatal(err)
		}
	}
	w.start()
	w.commit("huge", "3")
	w.complete()
	w.exact("LINKS", 2503)
	// A publication whose word was late may have been doubted, too, and found.
	if n := w.repeated.Load(); n < batchMaxMessages {
		t.Errorf("%d found to be there, want the first batch at least", n)
	}
}

// TestLinksThatCannotBeRead: one bad record does not stop the others.
func TestLinksThatCannotBeRead(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.commit("c", "1")
	w.commit("c", "bad")
	w.commit("c", "2")
	w.complete()
	w.exact("LINKS", 3)
}

// TestLinksStreamTakesNothing: events leave although the other stream has no room for anything.
func TestLinksStreamTakesNothing(t *testing.T) {
	w := newWorld(t)
	w.maxBytes = 16
	w.start()
	w.some(30)
	w.ids("EVENTS", 30)
}

// TestLinksPassWhatHasNone: what has no links is passed over without being read back, and a restart does not read it again.
func TestLinksPassWhatHasNone(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.commit("c", "1")
	w.complete()
	for range 3 * wakeAtRecords {
		w.commit("c", "")
	}
	w.commit("c", "1")
	w.complete()
	w.stop()
	w.memory.reads.Store(0)
	w.start()
	w.commit("c", "1")
	w.complete()
	if n := w.memory.reads.Load(); n > 10 {
		t.Errorf("%d records were read back", n)
	}
}
