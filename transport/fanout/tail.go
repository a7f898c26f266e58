// Package fanout publishes the events of the log to JetStream. The outbox is the log itself: the tail follows it by
// position, publishes what is durable, and keeps a cursor. So an event leaves if and only if its change is committed,
// whatever happens to JetStream in between: down, it is waited for; wiped, it is filled again from the log.
//
// Delivery is at least once, in order for each entity. Repeats are rare (a crash between a publication and its cursor)
// and are cut off by asking the stream where it stands; consumers drop the rest by (entity, seq).
package fanout

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"concord/internal/planted"
	"concord/persistence"
	"concord/transport"
)

// Config of the event stream.
type Config struct {
	Stream   string // name of the stream
	Prefix   string // of its subjects: <prefix>.event.<kind>.<provider>.<id>
	MaxAge   time.Duration
	MaxBytes int64
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
	config    Config
	store     Store
	nc        *nats.Conn
	js        jetstream.JetStream
	published func(persistence.Kind) bool
	observer  Observer
	log       zerolog.Logger

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
	full     bool // the last batch was
	last     int  // how many events it had
}

// New makes a tail. Everything that is in the log now counts as durable.
func New(c Config, store Store, nc *nats.Conn, published func(persistence.Kind) bool, o Observer, log zerolog.Logger) (
	*Tail, error,
) {
	js, err := jetstream.New(nc)
	if err != nil {
		return nil, fmt.Errorf("fan-out: %w", err)
	}
	t := &Tail{config: c, store: store, nc: nc, js: js, published: published, observer: o, log: log,
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
	t.prompt(group)
	t.mu.Lock()
	for _, e := range group {
		p := persistence.PartitionOf(e.Entity, len(t.durable))
		for i := range e.Records {
			t.durable[p] = e.Records[i].Position
			t.recent.add(p, &e.Records[i])
		}
	}
	t.mu.Unlock()
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
			t.log.Warn().Err(err).Dur("retryIn", retry).Msg("fan-out waits for JetStream")
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
		t.cursor.positions[p] = pos
	}
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
		t.gatherFresh(b, fresh)
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

// take adds a record to the batch: its event, if it has one that leaves.
func (t *Tail) take(b *batch, p persistence.Partition, rec persistence.LogRecord) {
	b.reached[p] = rec.Position
	b.suspect = b.suspect || rec.Position <= t.suspect[p]
	at := persistence.TimeOf(rec.Record.GetTime())
	dropped := planted.DropOutbox && rec.Record.GetSeq()%17 == 0
	if rec.Record.GetSeq() == 0 || !t.published(rec.Entity.Kind) || at.Before(b.oldestKept) || dropped {
		return
	}
	event := transport.EventOf(rec.Record)
	data := event.Render()
	b.events = append(b.events, outgoing{t.subject(rec.Entity), event.ID, rec.Entity, event.Seq, event.Fence, data})
	b.bytes += len(data)
	if b.oldest.IsZero() || at.Before(b.oldest) {
		b.oldest = at
	}
}

func (t *Tail) subject(e persistence.EntityID) string {
	return t.config.Prefix + ".event." + e.Kind.String() + "." + e.Provider + "." + e.ID
}

func (t *Tail) pending() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	var n uint64
	for p, d := range t.durable {
		n += uint64(d - min(d, t.cursor.positions[p]))
	}
	return n
}

// publish sends the batch; what the stream has already is cut off first, if that may be.
func (t *Tail) publish(ctx context.Context, b *batch) error {
	events := b.events
	if b.suspect {
		var err error
		if events, err = t.cut(ctx, events); err != nil {
			return err
		}
	}
	seq, err := t.send(ctx, events)
	if errors.Is(err, errRepeated) {
		if events, err = t.cut(ctx, events); err != nil {
			return err
		}
		seq, err = t.send(ctx, events)
	}
	if errors.Is(err, errRepeated) {
		events, seq, err = t.sendSingly(ctx, events)
	}
	if err != nil {
		return err
	}
	if seq != 0 && seq < t.cursor.sequence+uint64(len(events)) {
		return errWiped
	}
	if seq != 0 {
		t.cursor.sequence = seq
	}
	t.inflight += len(events)
	t.oldest.Store(0)
	t.observer.Published(len(events))
	return nil
}

// errWiped means that the stream began anew under us.
var errWiped = errors.New("the stream's sequence went back: it was wiped")

// cut drops the events that the stream has: those up to the seq of the last message of their entity.
func (t *Tail) cut(ctx context.Context, events []outgoing) ([]outgoing, error) {
	has := make(map[persistence.EntityID]uint64)
	for _, e := range events {
		if _, asked := has[e.entity]; asked {
			continue
		}
		last, err := t.lastSeq(ctx, e)
		if err != nil {
			return nil, err
		}
		has[e.entity] = last
	}
	rest := make([]outgoing, 0, len(events))
	for _, e := range events {
		if e.seq > has[e.entity] {
			rest = append(rest, e)
		}
	}
	t.observer.Repeated(len(events) - len(rest))
	return rest, nil
}
