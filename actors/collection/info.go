package collection

import (
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"concord/actors/collection/collectionpb"
	"concord/actors/entity"
)

func infoOf(f entity.Fact) *collectionpb.PartInfo {
	var info collectionpb.PartInfo
	// The store has checked the bytes; an unreadable one differs from any hash, which is safe.
	_ = proto.Unmarshal(f.Info, &info)
	return &info
}

// hashOf is the hash in a part's info, without decoding the rest: every write asks for it.
func hashOf(f entity.Fact) uint64 {
	hash, _ := protowire.ConsumeFixed64(find(f.Info, infoFieldHash, protowire.Fixed64Type))
	return hash
}

// field is a member of a message that is a message, as bytes; nil if it is not there.
func field(message []byte, number protowire.Number) []byte {
	raw := find(message, number, protowire.BytesType)
	if raw == nil {
		return nil
	}
	b, n := protowire.ConsumeBytes(raw)
	if n < 0 {
		return nil
	}
	return b
}

// find is what begins with the value of a member; nil if it is not there.
func find(b []byte, number protowire.Number, kind protowire.Type) []byte {
	for len(b) > 0 {
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

// sizeOf is the size in a part's info, in the same way.
func sizeOf(f entity.Fact) int {
	size, n := protowire.ConsumeVarint(find(f.Info, infoFieldSize, protowire.VarintType))
	if n < 0 {
		return 0
	}
	return int(size)
}

// Numbers of PartInfo.hash and PartInfo.size.
const (
	infoFieldHash = 1
	infoFieldSize = 2
)
