package entity

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/problem"
	"concord/internal/planted"
	"concord/persistence"
	"concord/persistence/recordpb"
)

// inlineMaxBytes is how much content an event carries inside its record. More stands beside it, part by part, so that
// reading one document of a large event does not read them all.
const inlineMaxBytes = 32 << 10

// OutcomeMemory is how long the outcome of a command with an idempotency key is remembered.
const OutcomeMemory = 24 * time.Hour

func (s *Shell[S, C, E]) record(encoded Encoded, at Stamp, previous []byte, m Meta) *recordpb.Record {
	if planted.BreakChain && at.Seq%5 == 0 {
		previous = nil
	}
	return &recordpb.Record{
		Kind: uint32(s.id.Kind), Provider: s.id.Provider, Id: s.id.ID,
		Seq: at.Seq, Version: at.Version, Time: at.Time.UnixMicro(), Principal: m.Principal, Session: m.Session,
		RequestId: cmp.Or(encoded.RequestID, m.RequestID), Reason: cmp.Or(encoded.Reason, m.Reason), Fence: encoded.Fence,
		PreviousHash: previous, Type: encoded.Type, Payload: encoded.Payload, Data: encoded.Data, Notify: encoded.Notify,
	}
}

// store gives the record its stored bytes, with the contents inside it or beside it.
func (s *Shell[S, C, E]) store(rec *recordpb.Record, encoded Encoded) persistence.Stored {
	total := 0
	for i := range encoded.Parts {
		total += len(encoded.Parts[i].Body)
	}
	var stored persistence.Stored
	if total > inlineMaxBytes {
		stored.Bodies = make([][]byte, len(encoded.Parts))
	}
	for i := range encoded.Parts {
		c := &encoded.Parts[i]
		p := &recordpb.Part{Id: c.ID, Removed: c.Removed, Hash: c.Hash, Size: uint32(c.Size)}
		switch {
		case c.Removed:
		case stored.Bodies != nil:
			digest := sha256.Sum256(c.Body)
			p.Digest, stored.Bodies[i] = digest[:], c.Body
		default:
			p.Body = c.Body
		}
		rec.Parts = append(rec.Parts, p)
	}
	stored.Bytes, stored.Record = marshal(rec), rec
	return stored
}

// remembered looks for an earlier outcome of the command's key.
func (s *Shell[S, C, E]) remembered(m Meta) (Answer, bool, error) {
	if m.Key == "" || planted.ForgetDedup {
		return Answer{}, false, nil
	}
	known := s.pending.outcome(m.Principal, m.Key)
	if known == nil {
		var err error
		known, err = s.world.Store.Outcome(s.id, m.Principal, m.Key, m.Time.Add(-OutcomeMemory))
		if errors.Is(err, persistence.ErrNotFound) {
			return Answer{}, false, nil
		}
		if err != nil {
			return Answer{}, false, s.refusal(m, fmt.Errorf("look for the outcome of a key: %w", err))
		}
	}
	if !bytes.Equal(known.GetDigest(), m.KeyDigest) {
		return Answer{}, false, problem.New(problem.KeyReused,
			"the idempotency key was used with another operation, target, precondition, policy or body")
	}
	body, version := splitOutcome(known.GetBody())
	return Answer{Status: int(known.GetStatus()), Version: version, Body: body}, true, nil
}

// remember is the record of an outcome without an event.
func (s *Shell[S, C, E]) remember(m Meta, answer Answer) persistence.Stored {
	rec := &recordpb.Record{
		Kind: uint32(s.id.Kind), Provider: s.id.Provider, Id: s.id.ID, Time: m.Time.UnixMicro(),
		Principal: m.Principal, RequestId: m.RequestID, Outcome: outcome(m, answer),
	}
	s.pending.remember(m.Principal, rec.Outcome)
	return persistence.Stored{Bytes: marshal(rec), Record: rec, Beside: persistence.Projection{Outcome: outcomeKey(rec)}}
}

func marshal(rec *recordpb.Record) []byte {
	b, err := proto.Marshal(rec)
	if err != nil {
		// Only invalid UTF-8 in a string can get here, and every door checks for that.
		panic(fmt.Sprintf("entity: record of %s/%s cannot be marshalled: %v", rec.GetProvider(), rec.GetId(), err))
	}
	return b
}
