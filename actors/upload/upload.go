// Package upload is the kind of entity that takes input larger than one request, chunk by chunk, and keeps it until a
// job has used it or it expires. It is pure: see entity.Behavior.
package upload

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/entity"
	"concord/actors/problem"
	"concord/actors/upload/uploadpb"
	"concord/persistence"
)

// Limits of an upload.
type Limits struct {
	ChunkMaxBytes  int
	UploadMaxBytes int
	ChunksMax      int           // of one upload
	TTL            time.Duration // from its opening
}

// DefaultLimits are the limits of semantics section 1.
var DefaultLimits = Limits{ChunkMaxBytes: 512 << 10, UploadMaxBytes: 256 << 20, ChunksMax: 8192, TTL: 24 * time.Hour}

// State of an upload. Its chunks are parts.
type State struct {
	Owner   string // principal; empty: there is no such upload
	Size    uint64 // bytes
	Chunks  uint32
	Closed  bool
	Expires time.Time
	Expired bool
}

// Command is a sealed set.
type Command interface{ command() }

type (
	// Open begins the upload; a repeat by its owner changes nothing.
	Open struct{}
	// Append adds a chunk at the offset. A chunk that is there already, at the same offset, is added once.
	Append struct {
		Offset uint64
		Chunk  []byte
	}
	// Close ends it: from then on it can be used, and not appended to.
	Close struct{}
	// Expire is what the timer says.
	Expire struct{}
)

func (*Open) command()   {}
func (*Append) command() {}
func (*Close) command()  {}
func (*Expire) command() {}

// Stored names of the events; never reused.
const (
	TypeOpened   = "upload.opened"
	TypeAppended = "upload.appended"
	TypeClosed   = "upload.closed"
	TypeExpired  = "upload.expired"
)

// Event carries the state after it, and the chunk if it added one.
type Event struct {
	Type  string
	After State
	Was   time.Time // due time of the timer before
	Parts []entity.Content
}

// Behavior is the upload kind under its limits.
type Behavior struct{ Limits Limits }

var _ entity.Behavior[State, Command, Event] = Behavior{}

// Kind is the stored number of the kind.
func (Behavior) Kind() persistence.Kind { return persistence.KindUpload }

// Wants the chunk that is perhaps sent again, or all of them to remove them.
func (Behavior) Wants(s State, c Command, known entity.Facts) []entity.Want {
	switch c := c.(type) {
	case *Append:
		part := ChunkPart(c.Offset)
		if _, ok := known.Part(part, false); !ok && c.Offset < s.Size {
			return []entity.Want{{Part: part}}
		}
	case *Expire:
		if _, ok := known.All(); !ok && s.Chunks > 0 {
			return []entity.Want{{All: true}}
		}
	}
	return nil
}

// ChunkPart is the part that holds the chunk at the offset. Parts are so in the order of the chunks.
func ChunkPart(offset uint64) string { return fmt.Sprintf("%016d", offset) }

// digest tells a chunk that is sent again from another: 64 bits of its SHA-256.
func digest(chunk []byte) uint64 {
	sum := sha256.Sum256(chunk)
	return binary.BigEndian.Uint64(sum[:])
}

// info is what is kept of a chunk beside it: its digest and its size.
func info(c entity.Content) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(nil, c.Hash), uint32(c.Size))
}

// Decide judges a command.
func (b Behavior) Decide(s State, c Command, f entity.Facts, m entity.Meta) (entity.Decision[Event], error) {
	return entity.Only(b.decide(s, c, f, m))
}

func (b Behavior) decide(s State, c Command, f entity.Facts, m entity.Meta) ([]Event, error) {
	if _, expire := c.(*Expire); !expire && s.Owner != "" && (s.Owner != m.Principal || s.Expired) {
		return nil, missing() // another's upload is none
	}
	switch c := c.(type) {
	case *Open:
		if s.Owner != "" {
			return nil, nil
		}
		return []Event{{Type: TypeOpened, After: State{Owner: m.Principal, Expires: m.Time.Add(b.Limits.TTL)}}}, nil
	case *Append:
		return b.append(s, c, f)
	case *Close:
		if s.Owner == "" {
			return nil, missing()
		}
		if s.Closed {
			return nil, nil
		}
		s.Closed = true
		return []Event{{Type: TypeClosed, After: s}}, nil
	case *Expire:
		if s.Owner == "" || s.Expired {
			return nil, nil
		}
		return []Event{expired(s, f)}, nil
	default:
		panic(fmt.Sprintf("upload: unknown command %T", c))
	}
}

func (b Behavior) append(s State, c *Append, f entity.Facts) ([]Event, error) {
	size := uint64(len(c.Chunk))
	part := entity.Content{ID: ChunkPart(c.Offset), Hash: digest(c.Chunk), Size: len(c.Chunk), Body: c.Chunk}
	sent, _ := f.Part(part.ID, false)
	switch {
	case s.Owner == "":
		return nil, missing()
	case len(c.Chunk) > b.Limits.ChunkMaxBytes:
		return nil, problem.New(problem.TooLarge, "a chunk of %d bytes: the limit is %d", size, b.Limits.ChunkMaxBytes)
	case sent.Exists && bytes.Equal(sent.Info, info(part)):
		return nil, nil // sent again
	case sent.Exists:
		return nil, problem.New(problem.WrongState, "another chunk was sent for the offset %d", c.Offset).With("size", s.Size)
	case s.Closed:
		return nil, problem.New(problem.WrongState, "the upload is closed")
	case c.Offset != s.Size:
		return nil, problem.At("/offset", "%d bytes are here: the next chunk begins there", s.Size).With("size", s.Size)
	case s.Size+size > uint64(b.Limits.UploadMaxBytes):
		return nil, problem.New(problem.TooLarge, "an upload holds at most %d bytes", b.Limits.UploadMaxBytes)
	case int(s.Chunks) == b.Limits.ChunksMax:
		return nil, problem.New(problem.TooLarge, "an upload has at most %d chunks: send larger ones", b.Limits.ChunksMax)
	case size == 0:
		return nil, nil
	}
	s.Size, s.Chunks = s.Size+size, s.Chunks+1
	return []Event{{Type: TypeAppended, After: s, Parts: []entity.Content{part}}}, nil
}

// expired removes all chunks.
func expired(s State, f entity.Facts) Event {
	e := Event{Type: TypeExpired, Was: s.Expires, After: s}
	e.After.Expired = true
	all, _ := f.All()
	for _, id := range slices.Sorted(maps.Keys(all)) {
		e.Parts = append(e.Parts, entity.Content{ID: id, Removed: true})
	}
	return e
}

func missing() error { return problem.New(problem.NotFound, "there is no such upload") }

// Evolve is the state after the event.
func (Behavior) Evolve(_ State, e Event, _ entity.Stamp) State { return e.After }

// Result is the answer to every command on an upload.
type Result struct {
	Upload  string    `json:"upload" doc:"Id of the upload"`
	Size    uint64    `json:"size" doc:"Bytes so far: the offset of the next chunk"`
	Closed  bool      `json:"closed" doc:"True once it takes no more chunks"`
	Expires time.Time `json:"expires" doc:"When it is removed, used or not"`
}

// Answer tells how far the upload is.
func (Behavior) Answer(_, s State, _ Command, x entity.Case) entity.Answer {
	body, err := json.Marshal(Result{Upload: x.At.Entity.ID, Size: s.Size, Closed: s.Closed, Expires: s.Expires})
	if err != nil {
		panic("upload: a result always marshals: " + err.Error())
	}
	return entity.Answer{Status: http.StatusOK, Body: body}
}

// Project keeps the chunks, and the timer that ends the upload.
func (Behavior) Project(_ State, e Event, _ entity.Stamp) entity.Projection {
	var p entity.Projection
	for _, c := range e.Parts {
		p.Parts = append(p.Parts, entity.PartInfo{ID: c.ID, Removed: c.Removed, Info: info(c)})
	}
	switch e.Type {
	case TypeOpened:
		p.Timers = []entity.Timer{{Name: "expire", Due: e.After.Expires}}
	case TypeExpired:
		p.Timers = []entity.Timer{{Name: "expire", Was: e.Was}}
	}
	return p
}

// TimerFired ends the upload.
func (Behavior) TimerFired(string, time.Time) Command { return &Expire{} }

// EncodeState is the stored form of the state.
func (Behavior) EncodeState(s State) []byte {
	m := &uploadpb.State{Owner: s.Owner, Size: s.Size, Chunks: s.Chunks, Closed: s.Closed, Expired: s.Expired}
	if !s.Expires.IsZero() {
		m.Expires = s.Expires.UnixMicro()
	}
	b, err := proto.Marshal(m)
	if err != nil {
		panic("upload: a message of checked strings cannot fail to marshal: " + err.Error())
	}
	return b
}

// DecodeState reads a stored state.
func (Behavior) DecodeState(b []byte) (State, error) {
	var m uploadpb.State
	if err := proto.Unmarshal(b, &m); err != nil {
		return State{}, fmt.Errorf("upload state: %w", err)
	}
	return State{Owner: m.GetOwner(), Size: m.GetSize(), Chunks: m.GetChunks(), Closed: m.GetClosed(),
		Expires: persistence.TimeOf(m.GetExpires()), Expired: m.GetExpired()}, nil
}

// EncodeEvent is the stored form of an event: the state after it.
func (b Behavior) EncodeEvent(e Event) entity.Encoded {
	return entity.Encoded{Type: e.Type, Payload: b.EncodeState(e.After), Parts: e.Parts}
}

// DecodeEvent reads a stored event.
func (b Behavior) DecodeEvent(enc entity.Encoded) (Event, error) {
	s, err := b.DecodeState(enc.Payload)
	e := Event{Type: enc.Type, After: s, Parts: enc.Parts}
	if enc.Type == TypeExpired {
		e.Was = s.Expires
	}
	return e, err
}
