package fanout

import (
	"context"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rs/zerolog"

	"concord/internal/planted"
	"concord/persistence"
	"concord/persistence/recordpb"
	"concord/transport"
)

// feed is what leaves on the stream of a tail.
type feed struct {
	cursor      string // name of the tail's own; that of the safe one has safeSuffix
	description string
	subjects    string // below the prefix
	prompts     bool   // those whom an event concerns are told at once
	// leaves is a quick look at a record: of one that it refuses, nothing leaves. Many such can be passed in one go.
	leaves func(*recordpb.Record) bool
	render func(*Tail, persistence.EntityID, *recordpb.Record) ([]outgoing, error)
	// cut drops what the stream has. It may be asked of messages that the stream may have alone.
	cut func(*Tail, context.Context, []outgoing) ([]outgoing, error)
}

// safeSuffix ends the name of the cursor that is older than what JetStream may lose.
const safeSuffix = ".safe"

// eventsFeed is all events of published kinds, one message each.
func eventsFeed(published func(persistence.Kind) bool) feed {
	return feed{
		cursor: "fanout", description: "What happened to the entities of Concord, in order for each", subjects: ".event.>", prompts: true,
		leaves: func(*recordpb.Record) bool { return true },
		render: func(t *Tail, e persistence.EntityID, rec *recordpb.Record) ([]outgoing, error) {
			dropped := planted.DropOutbox && rec.GetSeq()%5 == 0
			if !published(e.Kind) || !transport.Leaves(rec) || dropped {
				return nil, nil
			}
			event := transport.EventOf(rec)
			return []outgoing{{t.subject(event), event.ID, e, event.Seq, event.Fence, event.Render()}}, nil
		},
		cut: (*Tail).cutEvents,
	}
}

// Message is one that leaves.
type Message struct {
	ID      string
	Subject string // below the prefix of all subjects
	Data    []byte
}

// Links says what leaves on the stream of link updates.
type Links struct {
	// Leaves is a quick look: false for a record that has none, as nearly all.
	Leaves func(*recordpb.Record) bool
	// Render makes the messages of a record. It depends on the record alone: a repetition has the same ids.
	Render func(persistence.EntityID, *recordpb.Record) ([]Message, error)
}

func (l Links) feed() feed {
	return feed{
		cursor: "fanout.links", description: "What became of links of documents to authorities, in order for each collection", subjects: ".links.>",
		leaves: l.Leaves,
		render: func(t *Tail, e persistence.EntityID, rec *recordpb.Record) ([]outgoing, error) {
			if planted.DropLinks && rec.GetSeq()%5 == 0 {
				return nil, nil
			}
			messages, err := l.Render(e, rec)
			out := make([]outgoing, len(messages))
			for i, m := range messages {
				out[i] = outgoing{subject: t.config.Prefix + "." + m.Subject, id: m.ID, entity: e, seq: rec.GetSeq(), data: m.Data}
			}
			return out, err
		},
		cut: (*Tail).cutKnown,
	}
}

// NewLinks makes the tail that publishes link updates. It is a tail of its own, with its own stream and cursor: neither
// stream waits for the other, and one that is wiped is filled again by itself.
func NewLinks(c Config, store Store, nc *nats.Conn, l Links, o Observer, log zerolog.Logger) (*Tail, error) {
	return newTail(c, store, nc, l.feed(), o, log)
}

// knownMaxIDs bounds the ids that are read back from a stream: what is older may be published twice.
const knownMaxIDs = 100_000

// cutEvents drops the events that the stream has: of an entity with a subject of its own by its newest message, of others by
// their ids.
func (t *Tail) cutEvents(ctx context.Context, events []outgoing) ([]outgoing, error) {
	shares := func(e outgoing) bool { return transport.SharesSubject(e.entity.Kind) }
	if !slices.ContainsFunc(events, shares) {
		return t.cutEntities(ctx, events)
	}
	rest, err := t.cutKnown(ctx, events)
	if err != nil {
		return nil, err
	}
	own, err := t.cutEntities(ctx, slices.DeleteFunc(slices.Clone(rest), shares))
	if err != nil {
		return nil, err
	}
	has := make(map[string]bool, len(own))
	for _, e := range own {
		has[e.id] = true
	}
	return slices.DeleteFunc(rest, func(e outgoing) bool { return !shares(e) && !has[e.id] }), nil
}

// cutKnown drops the messages that came into the stream after the cursor did: subjects of several entities are shared, so
// that the newest message of a subject tells nothing.
func (t *Tail) cutKnown(ctx context.Context, events []outgoing) ([]outgoing, error) {
	if t.known == nil {
		known, err := t.idsAfter(ctx, t.cursor.sequence)
		if err != nil {
			return nil, err
		}
		t.known = known
	}
	rest := make([]outgoing, 0, len(events))
	for _, e := range events {
		if !t.known[e.id] {
			rest = append(rest, e)
		}
	}
	t.observer.Repeated(len(events) - len(rest))
	return rest, nil
}

// idsAfter are the ids of the messages above the sequence, the newest knownMaxIDs of them.
func (t *Tail) idsAfter(ctx context.Context, sequence uint64) (map[string]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, ackTimeout)
	defer cancel()
	ids := make(map[string]bool)
	info, err := t.stream.Info(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask for the state of stream %s: %w", t.config.Stream, err)
	}
	last := info.State.LastSeq
	if info.State.Msgs == 0 || last <= sequence {
		return ids, nil
	}
	from := max(sequence, info.State.FirstSeq-1, last-min(last, knownMaxIDs)) + 1
	consumer, err := t.js.OrderedConsumer(ctx, t.config.Stream, jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from, HeadersOnly: true})
	if err != nil {
		return nil, fmt.Errorf("read stream %s from %d: %w", t.config.Stream, from, err)
	}
	messages, err := consumer.Messages()
	if err != nil {
		return nil, fmt.Errorf("read stream %s from %d: %w", t.config.Stream, from, err)
	}
	defer messages.Stop()
	for {
		msg, err := messages.Next(jetstream.NextContext(ctx))
		if err != nil {
			return nil, fmt.Errorf("read stream %s from %d to %d: %w", t.config.Stream, from, last, err)
		}
		meta, err := msg.Metadata()
		if err != nil {
			return nil, fmt.Errorf("read stream %s: %w", t.config.Stream, err)
		}
		ids[msg.Headers().Get(jetstream.MsgIDHeader)] = true
		if meta.Sequence.Stream >= last || meta.NumPending == 0 {
			return ids, nil
		}
	}
}
