package faults

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"concord/actors"
	"concord/persistence/pebblestore"
)

// killCycles is how often the process is killed: 20 in `make check`, 300 in `make torture`.
func killCycles() int { return count("CONCORD_KILL_CYCLES", 20) }

const (
	killWriters      = 8
	collectionsEach  = 4
	recentMaxAnswers = 50
)

// writer owns some collections and writes them one after another, so that it knows what each must be: an update whose
// outcome is unknown is sent again with its key until there is an answer, and must then have had its effect once.
type writer struct {
	t     testing.TB
	n     int
	link  *link
	rng   *rand.Rand
	owned []*owned
	acks  []acked
}

// owned is a collection as its writer knows it.
type owned struct {
	id      string
	version uint64
	value   string
}

// acked is a write with its answer, to be sent again later.
type acked struct {
	subject, body, key string
	answer             []byte
}

// write makes one update and sees it through.
func (w *writer) write(ctx context.Context) {
	c := w.owned[w.rng.IntN(len(w.owned))]
	value := fmt.Sprintf("%s-%d", c.id, c.version+1)
	subject, body := "document.put.p."+c.id, fmt.Sprintf(`{"document":"d","value":{"n":%q}}`, value)
	if c.version == 0 {
		subject, body = "collection.put.p."+c.id, fmt.Sprintf(`{"documents":{"d":{"n":%q}}}`, value)
	}
	a := acked{subject: subject, body: body, key: fmt.Sprintf("%d-%s", w.rng.Uint64(), value)}
	answer, err := w.link.request(ctx, a.subject, a.body, a.key)
	for tries := 0; err != nil || answer.status == 429 || answer.status == 503; tries++ {
		if _, unknown := errors.AsType[errUnknown](err); err != nil && !unknown {
			w.t.Error(err)
			return
		}
		if tries > 500 {
			w.t.Errorf("no answer to %s: %v %s", a.subject, err, answer.body)
			return
		}
		waitALittle()
		answer, err = w.link.request(context.Background(), a.subject, a.body, a.key)
	}
	if answer.status != 0 {
		w.t.Errorf("%s %s: %s", a.subject, a.body, answer.body)
		return
	}
	if r := answer.result(w.t); r.Version != c.version+1 || !r.Changed {
		w.t.Errorf("%s: version %d, want %d: an update was lost or had its effect twice", c.id, r.Version, c.version+1)
	}
	c.version, c.value = c.version+1, value
	a.answer = answer.body
	w.acks = append(w.acks, a)
	if len(w.acks) > recentMaxAnswers {
		w.acks = w.acks[1:]
	}
}

// waitALittle is the pause between two tries while the process is away.
func waitALittle() { <-time.After(10 * time.Millisecond) }

// check reads everything back.
func (w *writer) check() {
	for _, c := range w.owned {
		if c.version == 0 {
			continue
		}
		a, err := w.link.request(context.Background(), "document.get.p."+c.id, `{"document":"d"}`, "")
		if err != nil || a.status != 0 {
			w.t.Errorf("%s: %v %s", c.id, err, a.body)
			continue
		}
		if r := a.result(w.t); r.Version != c.version || r.Value.N != c.value {
			w.t.Errorf("%s: version %d %q, want %d %q: an acknowledged write is lost", c.id, r.Version, r.Value.N, c.version, c.value)
		}
	}
	for range min(3, len(w.acks)) {
		a := w.acks[w.rng.IntN(len(w.acks))]
		again, err := w.link.request(context.Background(), a.subject, a.body, a.key)
		if err != nil || !bytes.Equal(again.body, a.answer) {
			w.t.Errorf("%s with the key of before: %v %s, want %s", a.subject, err, again.body, a.answer)
		}
	}
}

// TestKill kills the process again and again under load. Nothing acknowledged is lost, nothing has its effect twice,
// keys are remembered, every event leaves, and the hash chains hold.
func TestKill(t *testing.T) {
	p := startProcess(t)
	writers := make([]*writer, killWriters)
	for n := range writers {
		writers[n] = &writer{t: t, n: n, link: &link{p: p}, rng: rand.New(rand.NewPCG(uint64(n), 7))}
		for c := range collectionsEach {
			writers[n].owned = append(writers[n].owned, &owned{id: fmt.Sprintf("w%dc%d", n, c)})
		}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range killCycles() {
		ctx, cancel := context.WithCancel(context.Background())
		var load sync.WaitGroup
		for _, w := range writers {
			load.Go(func() {
				for ctx.Err() == nil && !t.Failed() {
					w.write(context.Background())
				}
			})
		}
		<-time.After(time.Duration(50+rng.IntN(250)) * time.Millisecond) // the moment of the fault
		p.kill()
		cancel()
		p.start()
		load.Wait()
		for _, w := range writers {
			w.check()
		}
		if t.Failed() {
			return
		}
	}
	total := uint64(0)
	for _, w := range writers {
		for _, c := range w.owned {
			total += c.version
		}
	}
	t.Logf("%d kills, %d acknowledged writes", killCycles(), total)
	if want := uint64(killCycles() * 20); total < want {
		t.Errorf("only %d writes: too quiet a test to prove anything", total)
	}
	checkOutbox(t, p, writers)
	p.stop()
	checkStore(t, p)
	for _, w := range writers {
		w.link.close()
	}
}

// checkOutbox waits until the stream has every event of every collection, and that in order and without a gap.
func checkOutbox(t *testing.T, p *process, writers []*writer) {
	nc, err := nats.Connect(p.address())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]uint64{}
	for _, w := range writers {
		for _, c := range w.owned {
			if c.version > 0 {
				want[c.id] = c.version
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	consumer, err := js.OrderedConsumer(ctx, "CONCORD_EVENTS", jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		t.Fatal(err)
	}
	defer messages.Stop()
	reached, repeats := map[string]uint64{}, 0
	for missing := len(want); missing > 0; {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			t.Fatalf("events of %d collections are missing: %v", missing, err)
		}
		id, seqText, _ := strings.Cut(strings.TrimPrefix(msg.Headers().Get(jetstream.MsgIDHeader), "collection/p/"), "#")
		seq, err := strconv.ParseUint(seqText, 10, 64)
		if err != nil {
			t.Fatalf("message id %q", msg.Headers().Get(jetstream.MsgIDHeader))
		}
		switch {
		case seq <= reached[id]:
			repeats++
		case seq != reached[id]+1:
			t.Fatalf("%s: event %d follows %d", id, seq, reached[id])
		default:
			reached[id] = seq
			if seq == want[id] {
				missing--
			}
		}
	}
	t.Logf("every event has left; %d repeats", repeats)
}

// checkStore verifies the closed store: hashes, chains, derived records.
func checkStore(t *testing.T, p *process) {
	t.Helper()
	withStore(t, p, func(store *pebblestore.Store) { verify(t, store) })
}

// withStore opens the store of a process that has ended.
func withStore(t *testing.T, p *process, look func(*pebblestore.Store)) {
	t.Helper()
	store, err := pebblestore.Open(p.storeDir(), pebblestore.Options{Fatal: func(err error) { t.Errorf("store: %v", err) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	}()
	look(store)
}

// verify reads the whole store against its hashes, its chains and its log.
func verify(t *testing.T, store *pebblestore.Store) {
	t.Helper()
	report, err := store.Verify(context.Background(), pebblestore.VerifyOptions{Fold: actors.Fold(actors.DefaultLimits)})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.List {
		t.Errorf("store: %v", f)
	}
	t.Logf("verified %d records of %d entities, %d derived records", report.Records, report.Entities, report.Derived)
}
