package editsession

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
	"google.golang.org/protobuf/proto"

	"concord/actors/editsession/editsessionpb"
	"concord/actors/entity"
	"concord/actors/links"
)

// ChunkPart is the part that holds a chunk of a list of rows.
func ChunkPart(list, number uint32) string { return fmt.Sprintf("r/%08d/%08d", list, number) }

// Indexes of sessions. The value of an entry is Listed, as it stands now.
const (
	IndexOwners = "edit.owner" // term: see OwnerTerm; all that are shown
	IndexOpen   = "edit.open"  // term: OpenTerm; drafts, and sessions that are not closed
	IndexLast   = "edit.last"  // term: see OwnerTerm; those that are not closed: the newest one is found however many are
)

// OpenTerm is the term of IndexOpen.
const OpenTerm = "open"

// OwnerTerm is the term of IndexOwners and IndexLast: the newest of an owner come first. It begins with OwnerPrefix.
func OwnerTerm(owner string, opened time.Time) string {
	return OwnerPrefix(owner) + links.JobTerm(opened)
}

// OwnerPrefix is what the terms of an owner begin with: a hash, so that owners of any length have their place. Another owner may
// have the same one, rarely: Listed.Owner tells.
func OwnerPrefix(owner string) string { return fmt.Sprintf("%016x/", xxhash.Sum64String(owner)) }

// DecodeChunk reads a chunk of rows.
func DecodeChunk(body []byte) ([]Row, error) {
	var m editsessionpb.Chunk
	if err := proto.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("chunk of rows: %w", err)
	}
	rows := make([]Row, len(m.GetRows()))
	for i, r := range m.GetRows() {
		if r.GetState() >= uint32(len(RowStates)) {
			return nil, fmt.Errorf("chunk of rows: there is no state %d", r.GetState())
		}
		rows[i] = Row{Line: r.GetLine(), Identifier: r.GetIdentifier(), Collection: r.GetCollection(), State: RowStates[r.GetState()],
			Why: r.GetWhy()}
	}
	return rows, nil
}

func chunkPart(list, number uint32, rows []Row) entity.Content {
	m := &editsessionpb.Chunk{Rows: make([]*editsessionpb.Row, len(rows))}
	for i := range rows {
		r := &rows[i]
		m.Rows[i] = &editsessionpb.Row{Line: r.Line, Identifier: r.Identifier, Collection: r.Collection,
			State: uint32(slices.Index(RowStates, r.State)), Why: r.Why}
	}
	body := marshal(m)
	sum := sha256.Sum256(body)
	return entity.Content{ID: ChunkPart(list, number), Hash: binary.BigEndian.Uint64(sum[:]), Size: len(body), Body: body}
}

func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic("editsession: a message of checked strings cannot fail to marshal: " + err.Error())
	}
	return b
}
