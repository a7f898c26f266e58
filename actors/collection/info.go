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
	hash, _ := protowire.ConsumeFixed64(entity.Peek(f.Info, infoFieldHash, protowire.Fixed64Type))
	return hash
}

// sizeOf is the size in a part's info, in the same way.
func sizeOf(f entity.Fact) int {
	size, n := protowire.ConsumeVarint(entity.Peek(f.Info, infoFieldSize, protowire.VarintType))
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
