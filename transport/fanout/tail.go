// Package fanout publishes what the log tells to JetStream: events, and link updates on a stream of their own. The outbox
// is the log itself: a tail follows it by position, publishes what is durable, and keeps a cursor. So an event leaves if
// and only if its change is committed, whatever happens to JetStream in between: down, it is waited for; wiped, it is
// filled again from the log.
//
// Delivery is at least once, in order for each entity. Repeats are rare (a crash between a publication and its cursor)
// and are cut off by asking the stream what it has; consumers drop the rest by (entity, seq).
package fanout

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"concord/persistence"
	"concord/transport"
)

// Config of a stream.
type Config struct {
	Stream   string // name of the stream
	Prefix   string // of its subjects: <prefix>.event.<kind>.<provider>.<id>, <prefix>.links.<provider>.<source>
	MaxAge   time.Duration
	MaxBytes int64
	// BytesSetting names the setting that MaxBytes comes from, for what an operator is told. May be empty.
	BytesSetting string
	// Boot names this start of the operating system. Events that JetStream took before another one may be lost, since
	// it syncs them late; they are published again. Empty: unknown, which is treated as another one.
	Boot string
	// Now is the domain's clock, by which the times of events go.
	Now func() time.Time
}

// Bounds of the tail.
const (
	batchMaxMessages = 1000 // as many as JetStream takes in one atomic batch (ADR-50)
	batchMaxBytes    = 1 << 20
	ackTimeout       = 5 * time.Second
	retryMin         = 50 * time.Millisecond
	retryMax         = 2 * time.Second
	checkEvery       = 5 * time.Second
	saveEvery        = 200 * time.Millisecond
	saveIdleEvery    = 5 * time.Second // if nothing left: what is read again then is passed over
	wakeAtRecords    = 4096            // of which nothing leaves: they are passed over in one go
	// After a batch, events may gather for so long for each event that it had: an atomic batch has a fixed cost in
	// JetStream, of milliseconds on one node, and a busy service shall pay it seldom.
	gatherPerEvent = 200 * time.Microsecond
	gatherMax      = 40 * time.Millisecond
	safeEvery      = 60 * time.Second // how long JetStream may take to sync what it has acknowledged
)

// Store is the log and the cursors.
type Store interface {
	persistence.LogReader
	persistence.CursorStore
}

// Observer is told what the tail does. All fields must be set.
type Observer struct {
	Published func(events int)
	Repeated  func(events int) // cut off, since the stream had them
	Restarted func(reason string)
	Pending   func(records uint64)
}

// Tail follows the log. Run it once.
type Tail struct {
	config   Config
	feed     feed
	store    Store
	nc       *nats.Conn
	js       jetstream.JetStream
	observer Observer
	log      zerolog.Logger

	mu      sync.Mutex
	durable []persistence.Position
	recent  recent // what was committed lately, so that it need not be read back
	passed  []atomic.Uint64
	oldest  atomic.Int64 // microseconds: of the batch that is being published, 0 for none
	wake    chan struct{}

	stream   jetstream.Stream
	cursor   cursor
	safe     cursor // older than safeEvery
	middle   cursor // on its way to become safe
	suspect  []persistence.Position
	saved    time.Time
	rotated  time.Time
	checked  time.Time
	inflight int  // events published since the cursor was saved
	moved    bool // the cursor has, since then
	full     bool // the last batch was
	cramped  bool // an operator was told that there is no room for the stream
	last     int  // how many events it had

	reached uint64          // sequence of the newest message that it has published
	known   map[string]bool // ids in the stream that may come again, while there are suspects; nil: not asked
}

// New makes the tail that publishes the events of the kinds. Everything that is in the log now counts as durable.
func New(c Config, store Store, nc *nats.Conn, published func(persistence.Kind) bool, o Observer, log zerolog.Logger) (
	*Tail, error,
) {
	return newTail(c, store, nc, eventsFeed(published), o, log)
}

func newTail(c Config, store Store, nc *nats.Conn, f feed, o Observer, log zerolog.Logger) (*Tail, error) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("fan-out: %w", err)
	}
	t := &Tail{config: c, feed: f, store: store, nc: nc, js: js, observer: o, log: log,
		durable: make([]persistence.Position, store.Partitions()), wake: make(chan struct{}, 1),
		passed: make([]atomic.Uint64, store.Partitions())}
	for p := range t.durable {
		t.durable[p] = store.Last(persistence.Partition(p))
	}
	return t, nil
}

// Committed is the committer's observer: what the group wrote may leave now. Those whom it concerns are told at once: a
// prompt does not wait for its turn in the stream.
func (t *Tail) Committed(group []*persistence.Entry) {
	if t.feed.prompts {
		t.prompt(group)
	}
	something := false
	t.mu.Lock()
	for _, e := range group {
		p := persistence.PartitionOf(e.Entity, len(t.durable))
		for i := range e.Records {
			leaves := t.feed.leaves(e.Records[i].Record)
			something = something || leaves
			t.durable[p] = e.Records[i].Position
			t.recent.add(p, &e.Records[i], leaves)
		}
	}
	something = something || len(t.recent.queue) >= wakeAtRecords
	t.mu.Unlock()
	if !something {
		return
	}
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// Passed is how far the partition certainly stands in the stream, also after a crash of the machine: retention leaves what
// is above.
func (t *Tail) Passed(p persistence.Partition) persistence.Position {
	return persistence.Position(t.passed[p].Load())
}

// Waiting is how long the oldest event that is being published has waited since its commit; 0 if none does.
func (t *Tail) Waiting() time.Duration {
	if oldest := t.oldest.Load(); oldest != 0 {
		return time.Since(time.UnixMicro(oldest))
	}
	return 0
}

// Run publishes until the context ends, then what is left, for a short while.
func (t *Tail) Run(ctx context.Context) error {
	retry := retryMin
	for {
		progress, err := t.step(ctx)
		switch {
		case ctx.Err() != nil:
			return t.finish()
		case err != nil:
			t.stream = nil // look at it again
			t.doubt()      // what was sent may have been taken
			t.observer.Pending(t.pending())
			t.waits(err, retry)
			if !pause(ctx, retry) {
				return t.finish()
			}
			retry = min(2*retry, retryMax)
		case progress:
			retry = retryMin
			if !t.full {
				pause(ctx, min(time.Duration(t.last)*gatherPerEvent, gatherMax))
			}
		default:
			t.idle(ctx)
		}
	}
}

// idle waits for a commit, or until it is time to look after the stream.
func (t *Tail) idle(ctx context.Context) {
	wait := checkEvery
	if t.inflight > 0 {
		wait = saveEvery
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-t.wake:
	case <-timer.C:
	}
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// finishMax bounds how long a stop waits for the last events.
const finishMax = 2 * time.Second

func (t *Tail) finish() error {
	ctx, cancel := context.WithTimeout(context.Background(), finishMax)
	defer cancel()
	for {
		progress, err := t.step(ctx)
		if err != nil || !progress {
			break // what did not leave now leaves after the next start
		}
	}
	return t.save(true)
}

// step publishes one batch. progress is false when there was nothing to publish.
func (t *Tail) step(ctx context.Context) (progress bool, err error) {
	if t.stream == nil || time.Since(t.checked) > checkEvery {
		if err := t.attach(ctx); err != nil {
			return false, err
		}
	}
	b, err := t.gather()
	if err != nil {
		return false, err
	}
	t.full, t.last = b.full(), len(b.events)
	if len(b.events) > 0 {
		t.oldest.Store(b.oldest.UnixMicro())
		if err := t.publish(ctx, b); err != nil {
			return false, err
		}
	}
	for p, pos := range b.reached {
		t.cursor.positions[p], t.moved = pos, true
	}
	t.trust()
	t.observer.Pending(t.pending())
	if err := t.save(false); err != nil {
		return false, err
	}
	return len(b.reached) > 0, nil
}

// outgoing is one event on its way.
type outgoing struct {
	subject string
	id      string // of the event and of its message
	entity  persistence.EntityID
	seq     uint64
	fence   uint64
	data    []byte
}

// batch is what is published at once, and how far the log is read then.
type batch struct {
	events  []outgoing
	bytes   int
	oldest  time.Time
	reached map[persistence.Partition]persistence.Position
	suspect bool // the stream may have some of it

	oldestKept time.Time // the stream would drop what is older
}

// gather reads the next events of all partitions.
func (t *Tail) gather() (*batch, error) {
	b := &batch{reached: make(map[persistence.Partition]persistence.Position), oldestKept: t.config.Now().Add(-t.config.MaxAge)}
	t.mu.Lock()
	durable := append([]persistence.Position(nil), t.durable...)
	fresh := t.recent.take(t.cursor.positions, batchMaxMessages)
	t.mu.Unlock()
	if len(fresh) > 0 {
		rest := t.gatherFresh(b, fresh)
		t.mu.Lock()
		t.recent.giveBack(rest)
		t.mu.Unlock()
		return b, nil
	}
	for i := range durable {
		if t.cursor.positions[i] >= durable[i] {
			continue
		}
		if err := t.gatherFrom(b, persistence.Partition(i), durable[i]); err != nil {
			return nil, err
		}
		if b.full() {
			break
		}
	}
	return b, nil
}

func (b *batch) full() bool { return len(b.events) >= batchMaxMessages || b.bytes >= batchMaxBytes }

func (t *Tail) gatherFrom(b *batch, p persistence.Partition, durable persistence.Position) error {
	for rec, err := range t.store.Log(p, t.cursor.positions[p]+1) {
		if err != nil {
			return fmt.Errorf("read the log of partition %d: %w", p, err)
		}
		if rec.Position > durable || b.full() {
			break
		}
		t.take(b, p, rec)
	}
	if !b.full() {
		b.reached[p] = durable // also where retention has removed the end
	}
	return nil
}

// take adds a record to the batch: what leaves of it, if anything does.
func (t *Tail) take(b *batch, p persistence.Partition, rec persistence.LogRecord) {
	b.reached[p] = rec.Position
	b.suspect = b.suspect || rec.Position <= t.suspect[p]
	at := persistence.TimeOf(rec.Record.GetTime())
	if rec.Record.GetSeq() == 0 || at.Before(b.oldestKept) || !t.feed.leaves(rec.Record) {
		return
	}
	events, err := t.feed.render(t, rec.Entity, rec.Record)
	if err != nil { // one bad record does not stop the others
		t.log.Error().Err(err).Stringer("entity", rec.Entity).Uint64("seq", rec.Record.GetSeq()).Msg("an event was not published")
		return
	}
	for i := range events {
		b.bytes += len(events[i].data)
	}
	b.events = append(b.events, events...)
	if len(events) > 0 && (b.oldest.IsZero() || at.Before(b.oldest)) {
		b.oldest = at
	}
}

func (t *Tail) subject(e transport.Event) string {
	return t.config.Prefix + ".event." + e.Kind + "." + e.Provider + "." + e.Token()
}

func (t *Tail) pending() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var n uint64
	for p, d := range t.durable {
		if t.cursor.positions == nil {
			n += uint64(d) // where it stands is not known yet
			continue
		}
		n += uint64(d - min(d, t.cursor.positions[p]))
	}
	return n
}
