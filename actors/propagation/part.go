package propagation

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"concord/actors/entity"
	"concord/actors/propagation/propagationpb"
)

// Prefixes of the parts.
const (
	PartChunks   = "p/" // of the plan
	PartFailures = "f/"
	PartOpen     = "w/" // collections that are come back to
)

// ChunkPart is the part that holds a chunk of the plan.
func ChunkPart(number uint32) string { return fmt.Sprintf(PartChunks+"%08d", number) }

// FailurePart is the part that tells of a failed document, and OpenPart the one of a collection that is come back to.
// Neither provider nor collection ids have a slash.
func FailurePart(collection, document string) string {
	return PartFailures + collection + "/" + document
}

// OpenPart is the part of a collection that is come back to.
func OpenPart(collection string) string { return PartOpen + collection }

// FailureOf reads the name of a part that tells of a failure.
func FailureOf(part string) (collection, document string, ok bool) {
	rest, ok := strings.CutPrefix(part, PartFailures)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// OpenOf reads the name of a part of a collection that is come back to.
func OpenOf(part string) (collection string, ok bool) { return strings.CutPrefix(part, PartOpen) }

// Opened is a collection that the job comes back to.
type Opened struct {
	Turn   uint32 // grows with each time that it was tried
	Left   uint64 // links that are not accounted for
	After  string // newest document looked at
	Retry  bool   // its failed documents alone are tried again
	Locked bool   // somebody holds the lock
	Holder string
	Row    uint64 // of the plan, if it is no retry
}

// DecodeChunk reads a chunk of the plan.
func DecodeChunk(body []byte) ([]Row, error) {
	var m propagationpb.Chunk
	if err := proto.Unmarshal(body, &m); err != nil {
		return nil, fmt.Errorf("chunk of a plan: %w", err)
	}
	rows := make([]Row, len(m.GetRows()))
	for i, r := range m.GetRows() {
		rows[i] = Row{Collection: r.GetCollection(), Links: r.GetLinks(), Documents: r.GetDocuments()}
	}
	return rows, nil
}

// DecodeFailure reads the part that tells of a failed document.
func DecodeFailure(part string, body []byte) (Failure, error) {
	var m propagationpb.Failure
	if err := proto.Unmarshal(body, &m); err != nil {
		return Failure{}, fmt.Errorf("failure %q: %w", part, err)
	}
	collection, document, _ := FailureOf(part)
	return Failure{Collection: collection, Document: document, Path: m.GetPath(), Authority: m.GetAuthority(), Links: m.GetLinks(),
		Cause: m.GetCause(), After: m.GetAfter()}, nil
}

// DecodeOpen reads the part of a collection that is come back to.
func DecodeOpen(body []byte) (Opened, error) {
	var m propagationpb.Open
	if err := proto.Unmarshal(body, &m); err != nil {
		return Opened{}, fmt.Errorf("collection that is come back to: %w", err)
	}
	return Opened{Turn: m.GetTurn(), Left: m.GetLeft(), After: m.GetAfter(), Retry: m.GetRetry(), Locked: m.GetLocked(),
		Holder: m.GetHolder(), Row: m.GetRow()}, nil
}

func chunkPart(number uint32, rows []Row) entity.Content {
	m := &propagationpb.Chunk{}
	for _, r := range rows {
		m.Rows = append(m.Rows, &propagationpb.Row{Collection: r.Collection, Links: r.Links, Documents: r.Documents})
	}
	return content(ChunkPart(number), m)
}

func failurePart(f *Failure) entity.Content {
	return content(FailurePart(f.Collection, f.Document), &propagationpb.Failure{Path: f.Path, Authority: f.Authority, Links: f.Links,
		Cause: cut(f.Cause), After: f.After})
}

func openPart(collection string, o Opened) entity.Content {
	return content(OpenPart(collection), &propagationpb.Open{Turn: o.Turn, Left: o.Left, After: o.After, Retry: o.Retry, Locked: o.Locked,
		Holder: cut(o.Holder), Row: o.Row})
}

// cut bounds a text that came with an error.
func cut(text string) string {
	if len(text) > causeMaxBytes {
		text = text[:causeMaxBytes]
	}
	return strings.ToValidUTF8(text, "")
}

func content(id string, m proto.Message) entity.Content {
	body := marshal(m)
	sum := sha256.Sum256(body)
	return entity.Content{ID: id, Hash: binary.BigEndian.Uint64(sum[:]), Size: len(body), Body: body}
}

func marshal(m proto.Message) []byte {
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		panic("propagation: a message of checked strings cannot fail to marshal: " + err.Error())
	}
	return b
}
