package entity

import (
	"encoding/binary"
	"fmt"

	"google.golang.org/protobuf/proto"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// beside makes the derived records of one event. Commit and rebuild both come through here.
func beside[S, C, E any](b Behavior[S, C, E], before S, e E, encoded Encoded, at Stamp, rec *recordpb.Record,
) persistence.Projection {
	own := b.Project(before, e, at)
	p := persistence.Projection{Seq: at.Seq, Version: at.Version, Content: encoded.Content, Index: own.Index, Outcome: outcomeKey(rec),
		Pins: own.Pins}
	for i := range own.Parts {
		p.Parts = append(p.Parts, persistence.PartChange{
			ID: own.Parts[i].ID, Index: i, Removed: own.Parts[i].Removed, Info: own.Parts[i].Info,
			Beside: len(rec.GetParts()[i].GetDigest()) > 0,
		})
	}
	for _, t := range own.Timers {
		p.Timers = append(p.Timers, persistence.TimerChange{Name: t.Name, Was: t.Was, Due: t.Due})
	}
	return p
}

// Rebuild makes what stands beside a stored record from the head before it: the same function as at commit. stored is
// the record's bytes, for the hash in the new head.
func Rebuild[S, C, E any](b Behavior[S, C, E], head persistence.Head, rec *recordpb.Record, hash []byte) (
	persistence.Head, persistence.Projection, error,
) {
	if rec.GetSeq() == 0 {
		return head, persistence.Projection{Outcome: outcomeKey(rec)}, nil
	}
	before, err := b.DecodeState(head.State)
	if err != nil {
		return head, persistence.Projection{}, fmt.Errorf("%w: state: %w", persistence.ErrCorrupt, err)
	}
	encoded := encodedOf(rec)
	encoded.Content = rec.GetVersion() > head.Version
	e, err := b.DecodeEvent(encoded)
	if err != nil {
		return head, persistence.Projection{}, fmt.Errorf("%w: event: %w", persistence.ErrCorrupt, err)
	}
	at := Stamp{Entity: persistence.EntityOf(rec), Seq: rec.GetSeq(), Version: rec.GetVersion(), Time: persistence.TimeOf(rec.GetTime()),
		Principal: rec.GetPrincipal()}
	p := beside(b, before, e, encoded, at, rec)
	after := persistence.Head{Seq: at.Seq, Version: at.Version, Time: at.Time, Hash: hash,
		State: b.EncodeState(b.Evolve(before, e, at))}
	p.Head = marshalHead(after, after.State)
	return after, p, nil
}

// encodedOf is a stored event as its kind reads it: its facts, without the contents.
func encodedOf(rec *recordpb.Record) Encoded {
	encoded := Encoded{Type: rec.GetType(), Payload: rec.GetPayload(), Fence: rec.GetFence()}
	for _, p := range rec.GetParts() {
		encoded.Parts = append(encoded.Parts, Content{
			ID: p.GetId(), Removed: p.GetRemoved(), Hash: p.GetHash(), Size: int(p.GetSize())})
	}
	return encoded
}

func marshalHead(h persistence.Head, state []byte) []byte {
	b, err := proto.Marshal(&recordpb.Head{
		Seq: h.Seq, Version: h.Version, Time: h.Time.UnixMicro(), Hash: h.Hash, State: state})
	if err != nil {
		panic("entity: a head has no strings, so it can always be marshalled: " + err.Error())
	}
	return b
}

func outcomeKey(rec *recordpb.Record) *persistence.OutcomeKey {
	o := rec.GetOutcome()
	if o == nil {
		return nil
	}
	return &persistence.OutcomeKey{Principal: rec.GetPrincipal(), Key: o.GetKey(), Time: persistence.TimeOf(rec.GetTime()),
		Digest: o.GetDigest()}
}

// outcome is an answer as it is remembered: its version, then its body.
func outcome(m Meta, a Answer) *recordpb.Outcome {
	body := binary.AppendUvarint(make([]byte, 0, len(a.Body)+binary.MaxVarintLen64), a.Version)
	return &recordpb.Outcome{Key: m.Key, Digest: m.KeyDigest, Status: uint32(a.Status), Body: append(body, a.Body...)}
}

func splitOutcome(b []byte) (body []byte, version uint64) {
	version, n := binary.Uvarint(b)
	return b[max(n, 0):], version
}
