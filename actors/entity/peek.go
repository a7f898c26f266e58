package entity

import "google.golang.org/protobuf/encoding/protowire"

// Peek is what begins with the value of a member of a message, without decoding the message; nil if it is not there. It is
// for what every write or every event is asked.
func Peek(message []byte, number protowire.Number, kind protowire.Type) []byte {
	for b := message; len(b) > 0; {
		at, is, n := protowire.ConsumeTag(b)
		if n < 0 {
			return nil
		}
		b = b[n:]
		if at == number && is == kind {
			return b
		}
		if n = protowire.ConsumeFieldValue(at, is, b); n < 0 {
			return nil
		}
		b = b[n:]
	}
	return nil
}

// PeekMessage is a member that is itself a message, as bytes; nil if it is not there.
func PeekMessage(message []byte, number protowire.Number) []byte {
	raw := Peek(message, number, protowire.BytesType)
	if raw == nil {
		return nil
	}
	b, n := protowire.ConsumeBytes(raw)
	if n < 0 {
		return nil
	}
	return b
}
