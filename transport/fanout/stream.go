package fanout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"concord/persistence"
)

// cursor is how far the tail has come: positions of the log, and where the stream stood then.
type cursor struct {
	created   time.Time
	sequence  uint64
	boot      string
	positions []persistence.Position
}

type storedCursor struct {
	Created   time.Time              `json:"created"`
	Sequence  uint64                 `json:"sequence"`
	Boot      string                 `json:"boot"`
	Positions []persistence.Position `json:"positions"`
}

const (
	cursorName     = "fanout"
	safeCursorName = "fanout.safe"
)

func (c cursor) clone() cursor {
	c.positions = append([]persistence.Position(nil), c.positions...)
	return c
}

func (t *Tail) loadCursor(name string) (c cursor, err error) {
	c.positions = make([]persistence.Position, len(t.durable))
	text, err := t.store.Cursor(name)
	if errors.Is(err, persistence.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("load cursor %s: %w", name, err)
	}
	var s storedCursor
	if err := json.Unmarshal(text, &s); err != nil {
		return c, fmt.Errorf("%w: cursor %s: %w", persistence.ErrCorrupt, name, err)
	}
	copy(c.positions, s.Positions)
	c.created, c.sequence, c.boot = s.Created, s.Sequence, s.Boot
	return c, nil
}

func (t *Tail) saveCursor(name string, c cursor) error {
	text, err := json.Marshal(storedCursor{c.created, c.sequence, c.boot, c.positions})
	if err != nil {
		return fmt.Errorf("encode cursor %s: %w", name, err)
	}
	return t.store.SetCursor(name, text)
}

// save keeps the cursor now and then, and lets an older one become the safe one.
func (t *Tail) save(now bool) error {
	if t.cursor.positions == nil || t.inflight == 0 && !now || !now && time.Since(t.saved) < saveEvery {
		return nil
	}
	t.inflight, t.saved = 0, time.Now()
	if err := t.saveCursor(cursorName, t.cursor); err != nil {
		return err
	}
	if time.Since(t.rotated) < safeEvery {
		return nil
	}
	t.rotated = time.Now()
	t.safe, t.middle = t.middle, t.cursor.clone()
	if t.safe.positions == nil {
		return nil
	}
	if err := t.saveCursor(safeCursorName, t.safe); err != nil {
		return err
	}
	t.markSafe()
	return nil
}

// markSafe tells retention how far it may go.
func (t *Tail) markSafe() {
	for p, pos := range t.safe.positions {
		t.passed[p].Store(uint64(pos))
	}
}

// attach makes sure that the stream is there, and goes back in the log if it has less than the cursor says.
func (t *Tail) attach(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	stream, err := t.ensure(ctx)
	if err != nil {
		return err
	}
	info, err := stream.Info(ctx)
	if err != nil {
		return fmt.Errorf("ask for the state of stream %s: %w", t.config.Stream, err)
	}
	if t.cursor.positions == nil {
		if err := t.load(); err != nil {
			return err
		}
	}
	if err := t.compare(ctx, stream, info); err != nil {
		return err
	}
	t.stream, t.checked = stream, time.Now()
	return nil
}

func (t *Tail) load() (err error) {
	if t.cursor, err = t.loadCursor(cursorName); err != nil {
		return err
	}
	if t.safe, err = t.loadCursor(safeCursorName); err != nil {
		return err
	}
	t.rotated = time.Now()
	t.markSafe()
	t.doubt()
	return nil
}

// doubt marks everything that is durable now as perhaps published already.
func (t *Tail) doubt() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.suspect = append([]persistence.Position(nil), t.durable...)
}

// compare looks whether the stream still has what the cursor counts on.
func (t *Tail) compare(ctx context.Context, stream jetstream.Stream, info *jetstream.StreamInfo) error {
	switch c := &t.cursor; {
	case !c.created.Equal(info.Created):
		if !c.created.IsZero() {
			t.observer.Restarted("new stream")
			t.log.Warn().Msg("the event stream is a new one: publishing again from the log")
			// What it has already came out of order: the end of the log, before we saw that it is new.
			if err := stream.Purge(ctx); err != nil {
				return fmt.Errorf("empty the new stream %s: %w", t.config.Stream, err)
			}
		}
		*c = cursor{created: info.Created, sequence: info.State.LastSeq, boot: t.config.Boot,
			positions: make([]persistence.Position, len(t.durable))}
		t.safe, t.middle = cursor{}, cursor{}
		t.doubt()
	case info.State.LastSeq < c.sequence, c.boot != t.config.Boot || c.boot == "":
		t.observer.Restarted("stream behind cursor")
		t.log.Warn().Uint64("streamSequence", info.State.LastSeq).Uint64("cursorSequence", c.sequence).
			Msg("the event stream may have lost its end: publishing that again from the log")
		back := t.safe.clone()
		if back.positions == nil || !back.created.Equal(info.Created) {
			back.positions = make([]persistence.Position, len(t.durable))
		}
		back.created, back.sequence, back.boot = info.Created, info.State.LastSeq, t.config.Boot
		if back.boot == "" {
			back.boot = "unknown"
			t.config.Boot = back.boot // once for this start
		}
		*c = back
		t.doubt()
	}
	return nil
}

// ensure makes the stream, or brings one that is there under today's settings: an operator may have changed its bounds,
// and without atomic publishing no batch would be taken.
func (t *Tail) ensure(ctx context.Context) (jetstream.Stream, error) {
	stream, err := t.js.Stream(ctx, t.config.Stream)
	switch {
	case err == nil:
		return t.adjust(ctx, stream)
	case !errors.Is(err, jetstream.ErrStreamNotFound):
		return nil, fmt.Errorf("look for stream %s: %w", t.config.Stream, err)
	}
	c := jetstream.StreamConfig{
		Name: t.config.Stream, Description: "What happened to the entities of Concord, in order for each",
		Subjects: t.subjects(), Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld,
	}
	t.bound(&c)
	if stream, err = t.js.CreateStream(ctx, c); err != nil {
		return nil, fmt.Errorf("make stream %s: %w", t.config.Stream, err)
	}
	return stream, nil
}

func (t *Tail) subjects() []string { return []string{t.config.Prefix + ".event.>"} }

// bound sets what may change during the life of the stream.
func (t *Tail) bound(c *jetstream.StreamConfig) {
	c.MaxAge, c.MaxBytes, c.AllowAtomicPublish = t.config.MaxAge, t.config.MaxBytes, true
	c.Duplicates = min(duplicatesMax, t.config.MaxAge)
}

// duplicatesMax is how long the stream knows the ids of its messages: long enough for a batch of unknown outcome that is
// still on its way. What is older is found by asking the stream; the ids cost it memory, a hundred bytes each.
const duplicatesMax = 15 * time.Second

func (t *Tail) adjust(ctx context.Context, stream jetstream.Stream) (jetstream.Stream, error) {
	has := stream.CachedInfo().Config
	if !slices.Equal(has.Subjects, t.subjects()) {
		return nil, fmt.Errorf("stream %s is not ours: its subjects are %q", t.config.Stream, has.Subjects)
	}
	want := has
	t.bound(&want)
	if want.MaxAge == has.MaxAge && want.MaxBytes == has.MaxBytes && want.Duplicates == has.Duplicates && has.AllowAtomicPublish {
		return stream, nil
	}
	stream, err := t.js.UpdateStream(ctx, want)
	if err != nil {
		return nil, fmt.Errorf("change the bounds of stream %s: %w", t.config.Stream, err)
	}
	t.log.Info().Dur("maxAge", want.MaxAge).Int64("maxBytes", want.MaxBytes).Msg("the bounds of the event stream were changed")
	return stream, nil
}

// lastSeq is the seq of the newest message of the event's entity in the stream, 0 if there is none.
func (t *Tail) lastSeq(ctx context.Context, e outgoing) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	msg, err := t.stream.GetLastMsgForSubject(ctx, e.subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("ask stream %s for the last event of %v: %w", t.config.Stream, e.entity, err)
	}
	id := msg.Header.Get(jetstream.MsgIDHeader)
	seq, err := strconv.ParseUint(id[strings.LastIndexByte(id, '#')+1:], 10, 64)
	if err != nil {
		return 0, nil // not a message of ours: it says nothing
	}
	return seq, nil
}

// Headers of an atomic batch (NATS ADR-50).
const (
	headerBatchID       = "Nats-Batch-Id"
	headerBatchSequence = "Nats-Batch-Sequence"
	headerBatchCommit   = "Nats-Batch-Commit"
	headerLockFence     = "Lock-Fence"
)

// errRepeated means that the stream refused the whole batch, because it has one of its messages.
var errRepeated = errors.New("the batch repeats messages that the stream has")

const codeRepeated = 10201

// send publishes the events in one atomic batch and returns the stream's sequence after it; 0 for no events.
func (t *Tail) send(ctx context.Context, events []outgoing) (uint64, error) {
	if len(events) == 0 {
		return 0, nil
	}
	m := newMessage(len(events))
	for i, e := range events[:len(events)-1] {
		if err := t.nc.PublishMsg(m.of(e, i+1)); err != nil {
			return 0, fmt.Errorf("publish event %s: %w", e.id, err)
		}
	}
	return t.await(ctx, m.of(events[len(events)-1], len(events)), len(events))
}

// sendSingly publishes events one by one: the stream knows the ids of some of them although it has none of their
// messages any more, and refuses any batch with such a one. It returns those that the stream took.
func (t *Tail) sendSingly(ctx context.Context, events []outgoing) (taken []outgoing, seq uint64, err error) {
	for _, e := range events {
		at, err := t.send(ctx, []outgoing{e})
		if err != nil {
			return nil, 0, err
		}
		if at != 0 {
			taken, seq = append(taken, e), at
		}
	}
	return taken, seq, nil
}

// message is one that is filled for each event of a batch anew: nats.go has encoded it when a publication returns.
type message struct {
	msg                 nats.Msg
	size                int      // events of the batch
	id, sequence, fence []string // what the header points at
}

func newMessage(size int) *message {
	m := &message{size: size, id: make([]string, 1), sequence: make([]string, 1), fence: make([]string, 1)}
	m.msg.Header = nats.Header{jetstream.MsgIDHeader: m.id}
	if size > 1 {
		m.msg.Header[headerBatchID] = []string{nuid.Next()}
		m.msg.Header[headerBatchSequence] = m.sequence
	}
	return m
}

// of is the message of the n-th event. It is valid until the next is made.
func (m *message) of(e outgoing, n int) *nats.Msg {
	m.msg.Subject, m.msg.Data, m.id[0] = e.subject, e.data, e.id
	if m.size > 1 {
		m.sequence[0] = strconv.Itoa(n)
		if n == m.size {
			m.msg.Header[headerBatchCommit] = []string{"1"}
		}
	}
	delete(m.msg.Header, headerLockFence)
	if e.fence > 0 {
		m.fence[0] = strconv.FormatUint(e.fence, 10)
		m.msg.Header[headerLockFence] = m.fence
	}
	return &m.msg
}

// await sends the last message of a batch and reads the stream's word. No answer means that nothing is known.
func (t *Tail) await(ctx context.Context, msg *nats.Msg, events int) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	answer, err := t.nc.RequestMsgWithContext(ctx, msg)
	if err != nil {
		return 0, fmt.Errorf("publish %d events: %w", events, err)
	}
	var ack struct {
		Sequence  uint64 `json:"seq"`
		Duplicate bool   `json:"duplicate"`
		Error     *struct {
			Code        int    `json:"err_code"`
			Description string `json:"description"`
		} `json:"error"`
	}
	if err := json.Unmarshal(answer.Data, &ack); err != nil {
		return 0, fmt.Errorf("publish %d events: unreadable answer %q: %w", events, answer.Data, err)
	}
	switch {
	case ack.Error != nil && ack.Error.Code == codeRepeated, ack.Duplicate && events > 1:
		return 0, errRepeated
	case ack.Duplicate:
		return 0, nil // one event, and the stream has it
	case ack.Error != nil:
		return 0, fmt.Errorf("publish %d events: %s (%d)", events, ack.Error.Description, ack.Error.Code)
	}
	return ack.Sequence, nil
}
