package pebblestore

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/persistence"
	"concord/persistence/recordpb"
)

// decode fills a line from a record of the family.
func (d *dumper) decode(line *DumpLine, f family, key, value []byte) error {
	entity, rest := entityOfKey(key)
	if f.entity > 0 && entity == "" {
		return fmt.Errorf("%w: key without its entity", persistence.ErrCorrupt)
	}
	line.Entity = entity
	least := map[byte][2]int{ // bytes of the key behind its prefix (or entity), bytes of the value
		familyLog: {8, 0}, familyBody: {12, 0}, familyPart: {1, 0}, familyPartAt: {9, 1}, familyVersion: {8, 8},
		familySeq: {8, 8}, familyOutcome: {1, 8}, familyEdgePart: {1, hashSize}, familyEdgeTimer: {8, 0},
		familyGap: {8, 0}, familyIndex: {1 + indexKeyFields, 0},
		familyStray: {12, hashSize}, familyTrimmed: {0, 8}, familyForgotten: {0, forgottenSize}, familyPin: {8, 8},
		familyGroup: {0, 8},
	}[f.letter]
	if f.entity == 0 {
		rest = key[3:]
	}
	if len(rest) < least[0] || len(value) < least[1] {
		return fmt.Errorf("%w: key of %d bytes, value of %d", persistence.ErrCorrupt, len(key), len(value))
	}
	switch f.letter {
	case familyLog, familyBody, familyIndex, familyStray, familyTrimmed, familyForgotten, familyFormat, familyCursor, familyGroup:
		return d.decodePlain(line, f.letter, rest, value)
	case familyHead, familyEdge:
		return line.decodeHead(f.letter, value)
	case familyGap:
		return line.decodeGap(rest, value)
	case familyPart, familyPartAt, familyEdgePart:
		return line.decodePart(f.letter, rest, value)
	default:
		return line.decodeIndex(f.letter, key, rest, value)
	}
}

// decodePlain reads the families whose keys name no entity.
func (d *dumper) decodePlain(line *DumpLine, letter byte, rest, value []byte) error {
	switch letter {
	case familyLog:
		line.Position = persistence.Position(binary.BigEndian.Uint64(rest))
		return d.decodeRecord(line, value)
	case familyBody:
		index, size := int(binary.BigEndian.Uint32(rest[8:])), len(value)
		line.Position, line.Index, line.Size = persistence.Position(binary.BigEndian.Uint64(rest)), &index, &size
		line.Body = d.body(value)
	case familyIndex:
		e, err := parseIndexEntry(append([]byte{0, 0, 0}, rest...), value)
		if err != nil {
			return err
		}
		line.Entity = persistence.EntityID{Kind: persistence.Kind(rest[0]), Provider: e.Provider, ID: e.Entity}.String()
		line.Name, _, _ = strings.Cut(string(rest[1:]), "\x00")
		line.Term, line.Part, line.Value = e.Term, &e.Part, e.Value
	case familyStray:
		line.Day = dayText(binary.BigEndian.Uint32(rest))
		line.Position = persistence.Position(binary.BigEndian.Uint64(rest[4:]))
	case familyTrimmed, familyGroup:
		n := binary.BigEndian.Uint64(value)
		line.Count = &n
	case familyForgotten:
		line.Day = dayText(binary.BigEndian.Uint32(value))
		line.Position = persistence.Position(binary.BigEndian.Uint64(value[8:]))
	default:
		line.Name = string(rest)
		if size := len(value); letter == familyCursor && strings.HasPrefix(line.Name, persistence.SecretPrefix) {
			line.Size = &size
		} else {
			line.Value = bytes.Clone(value)
		}
	}
	return nil
}

func (line *DumpLine) decodeHead(letter byte, value []byte) error {
	var head recordpb.Head
	if letter == familyEdge {
		var base recordpb.Base
		if err := proto.Unmarshal(value, &base); err != nil {
			return err
		}
		line.Version = base.GetVersion()
		proto.Merge(&head, base.GetHead())
	} else if err := proto.Unmarshal(value, &head); err != nil {
		return err
	}
	line.Head = dumpHead(&head)
	return nil
}

func dumpHead(h *recordpb.Head) *DumpHead {
	return &DumpHead{Seq: h.GetSeq(), Version: h.GetVersion(), Time: persistence.TimeOf(h.GetTime()),
		Hash: hex.EncodeToString(h.GetHash()), State: h.GetState()}
}

// decodeGap shows where the gap begins, and the head behind it.
func (line *DumpLine) decodeGap(rest, value []byte) error {
	g, err := parseGap(value)
	line.Seq, line.Head = binary.BigEndian.Uint64(rest), dumpHead(g.GetHead())
	return err
}

func (line *DumpLine) decodePart(letter byte, rest, value []byte) (err error) {
	var p persistence.Part
	switch letter {
	case familyPartAt:
		p, err = parsePartAt(string(rest[:len(rest)-9]), rest, value)
	case familyEdgePart:
		p, err = parsePartState(string(rest[:len(rest)-1]), value[hashSize:])
	default:
		p, err = parsePartState(string(rest[:len(rest)-1]), value)
	}
	line.Part, line.Version, line.Removed, line.Info = &p.ID, p.Version, p.Removed, p.Info
	line.Position, line.Index, line.Beside = p.Place.Position, &p.Place.Index, p.Place.Beside
	return err
}

// decodeIndex reads the families that point at records, and timers and pins.
func (line *DumpLine) decodeIndex(letter byte, key, rest, value []byte) error {
	switch letter {
	case familyVersion:
		line.Version = ^binary.BigEndian.Uint64(rest)
		line.Position = persistence.Position(binary.BigEndian.Uint64(value))
	case familySeq:
		line.Seq = binary.BigEndian.Uint64(rest)
		line.Position = persistence.Position(binary.BigEndian.Uint64(value))
	case familyTimer:
		t, err := parseTimer(key)
		line.Due, line.Name = &t.Due, t.Name
		return err
	case familyEdgeTimer:
		t, err := parseEdgeTimer(key, value)
		line.Due, line.Name = &t.Due, t.Name
		return err
	case familyOutcome:
		line.Day = dayText(binary.BigEndian.Uint32(key[3:]))
		line.Principal, line.Key, _ = strings.Cut(string(rest), "\x00")
		line.Position = persistence.Position(binary.BigEndian.Uint64(value))
	case familyPin:
		p, err := parsePin(rest, value)
		line.Version, line.Name, line.Due = p.Version, p.Holder, &p.Until
		return err
	}
	return nil
}

func (d *dumper) decodeRecord(line *DumpLine, value []byte) error {
	var rec recordpb.Record
	if err := proto.Unmarshal(value, &rec); err != nil {
		return err
	}
	line.Entity, line.Seq, line.Version = persistence.EntityOf(&rec).String(), rec.GetSeq(), rec.GetVersion()
	r := &DumpRecord{
		Type: rec.GetType(), Time: persistence.TimeOf(rec.GetTime()), Principal: rec.GetPrincipal(),
		Session: rec.GetSession(), RequestID: rec.GetRequestId(), Reason: rec.GetReason(), Fence: rec.GetFence(),
		PreviousHash: hex.EncodeToString(rec.GetPreviousHash()), Hash: hex.EncodeToString(hashOf(value)),
		Payload: rec.GetPayload(),
	}
	for _, p := range rec.GetParts() {
		part := DumpPart{ID: p.GetId(), Removed: p.GetRemoved(), Size: p.GetSize(), Digest: hex.EncodeToString(p.GetDigest())}
		if len(p.GetBody()) > 0 {
			part.Body = d.body(p.GetBody())
		}
		r.Parts = append(r.Parts, part)
	}
	if o := rec.GetOutcome(); o != nil {
		r.Outcome = &DumpOutcome{o.GetKey(), hex.EncodeToString(o.GetDigest()), o.GetStatus(), o.GetBody()}
	}
	line.Record = r
	return nil
}

// body is the content as it is, if it is JSON and asked for; else in base64.
func (d *dumper) body(b []byte) json.RawMessage {
	if !d.o.Bodies {
		return nil
	}
	if json.Valid(b) {
		return append(json.RawMessage(nil), b...)
	}
	text, err := json.Marshal(b)
	if err != nil {
		return nil // bytes always marshal
	}
	return text
}

func dayText(day uint32) string {
	return time.Unix(0, 0).UTC().Add(time.Duration(day) * outcomeDay).Format(time.DateOnly)
}
