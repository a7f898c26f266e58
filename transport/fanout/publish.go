package fanout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"concord/persistence"
)

// publish sends the batch; what the stream has already is cut off first, if that may be. The cursor's sequence is moved
// when all of it is in.
func (t *Tail) publish(ctx context.Context, b *batch) error {
	events := b.events
	if b.suspect {
		var err error
		if events, err = t.feed.cut(t, ctx, events); err != nil {
			return err
		}
	}
	t.reached = max(t.reached, t.cursor.sequence)
	for len(events) > 0 {
		n := batchOf(events)
		if err := t.publishBatch(ctx, events[:n]); err != nil {
			return err
		}
		events = events[n:]
	}
	if t.known == nil { // else the stream has messages of records that are yet to come
		t.cursor.sequence = t.reached
	}
	t.oldest.Store(0)
	return nil
}

// batchOf is how many of the events leave in one atomic batch: a record may have more.
func batchOf(events []outgoing) int {
	bytes := 0
	for i := range events {
		if bytes += len(events[i].data); i == batchMaxMessages || i > 0 && bytes > 2*batchMaxBytes {
			return i
		}
	}
	return len(events)
}

func (t *Tail) publishBatch(ctx context.Context, events []outgoing) error {
	seq, err := t.send(ctx, events)
	if errors.Is(err, errRepeated) {
		t.known = nil // that was not all
		if events, err = t.feed.cut(t, ctx, events); err != nil {
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
	if seq != 0 && seq < t.reached+uint64(len(events)) {
		return errWiped
	}
	t.reached = max(t.reached, seq)
	t.inflight += len(events)
	t.observer.Published(len(events))
	return nil
}

// errWiped means that the stream began anew under us.
var errWiped = errors.New("the stream's sequence went back: it was wiped")

// cutEntities drops the events that the stream has: those up to the seq of the last message of their entity.
func (t *Tail) cutEntities(ctx context.Context, events []outgoing) ([]outgoing, error) {
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
