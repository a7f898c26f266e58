package persistence

import (
	"bytes"
	"fmt"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"concord/persistence/recordpb"
)

// EntityOf is the entity that the record belongs to.
func EntityOf(r *recordpb.Record) EntityID {
	return EntityID{Kind: Kind(r.GetKind()), Provider: r.GetProvider(), ID: r.GetId()}
}

// HeadOf reads a stored head.
func HeadOf(h *recordpb.Head) Head {
	return Head{Seq: h.GetSeq(), Version: h.GetVersion(), Time: TimeOf(h.GetTime()), Hash: h.GetHash(), State: h.GetState()}
}

// ParseHead reads the stored form of a head.
func ParseHead(b []byte) (Head, error) {
	var h recordpb.Head
	if err := proto.Unmarshal(b, &h); err != nil {
		return Head{}, fmt.Errorf("%w: head: %w", ErrCorrupt, err)
	}
	return HeadOf(&h), nil
}

// Micros is the stored form of a time; 0 of the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// TimeOf is the time of stored microseconds; 0 is the zero time.
func TimeOf(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// Field numbers of record.proto that InlineBody walks by.
const (
	recordFieldParts = 15
	partFieldBody    = 5
)

// InlineBody finds the body of a part in a stored record without decoding the rest of it: the way of every read. An empty body
// is not written, and is empty.
func InlineBody(record []byte, index int) ([]byte, error) {
	part, found, err := nthField(record, recordFieldParts, index)
	if err == nil && !found {
		err = fmt.Errorf("%w: record without part %d", ErrCorrupt, index)
	}
	if err != nil {
		return nil, err
	}
	body, found, err := nthField(part, partFieldBody, 0)
	if err == nil && !found {
		return []byte{}, checkEmpty(part)
	}
	return bytes.Clone(body), err
}

// checkEmpty says what is wrong with a part that has no body.
func checkEmpty(part []byte) error {
	var p recordpb.Part
	if err := proto.Unmarshal(part, &p); err != nil {
		return fmt.Errorf("%w: part: %w", ErrCorrupt, err)
	}
	if p.GetRemoved() || p.GetSize() > 0 {
		return fmt.Errorf("%w: part %q without a body", ErrCorrupt, p.GetId())
	}
	return nil
}

// nthField is the n-th occurrence of a length-delimited field, as a slice of the message.
func nthField(message []byte, want protowire.Number, n int) (value []byte, found bool, err error) {
	for len(message) > 0 {
		number, kind, size := protowire.ConsumeTag(message)
		if size < 0 {
			return nil, false, fmt.Errorf("%w: record tag: %w", ErrCorrupt, protowire.ParseError(size))
		}
		message = message[size:]
		if size = protowire.ConsumeFieldValue(number, kind, message); size < 0 {
			return nil, false, fmt.Errorf("%w: record field %d: %w", ErrCorrupt, number, protowire.ParseError(size))
		}
		if number == want && kind == protowire.BytesType {
			if n == 0 {
				value, _ := protowire.ConsumeBytes(message)
				return value, true, nil
			}
			n--
		}
		message = message[size:]
	}
	return nil, false, nil
}
