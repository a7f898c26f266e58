package pebblestore

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"concord/persistence"
)

// Key layout. All numbers are big endian, so that keys sort as the numbers do; an entity is
// kind(1) provider 0x00 id 0x00, which neither ids nor names can contain.
//
//	partition(2) 'L' position(8)                        -> log record
//	partition(2) 'B' position(8) index(4)               -> body that stands beside its record
//	partition(2) 'E' entity                             -> head (recordpb.Head)
//	partition(2) 'H' entity part 0x00                   -> newest state of a part: version(8) place info
//	partition(2) 'D' entity part 0x00 ^version(8)       -> place of the part as that version left it, or removed
//	partition(2) 'V' entity ^version(8)                 -> position of the record that made the version
//	partition(2) 'S' entity seq(8)                      -> position of the event
//	partition(2) 'T' due(8) entity name                 -> armed timer
//	partition(2) 'I' day(4) entity principal 0x00 key   -> outcome: position, where it is remembered
//	partition(2) 'N' kind(1) name 0x00 provider 0x00 term 0x00 id 0x00 part 0x00 -> value of an index entry
//	partition(2) 'K' entity                             -> edge of a trimmed history (recordpb.Base)
//	partition(2) 'k' entity part 0x00                   -> part as it was at that edge: SHA-256 of the body, then as in H
//	partition(2) 't' entity due(8) name                 -> timer that was armed at that edge
//	partition(2) 'X' entity seq(8)                      -> gap in a history that begins at that event (recordpb.Gap)
//	partition(2) 'O' day(4) position(8)                 -> SHA-256 of a log record that stands there for its outcome alone
//	partition(2) 'U'                                    -> count of log records that retention has removed
//	partition(2) 'Y'                                    -> forgotten outcomes: before day(4); to day(4) and position(8)
//	partition(2) 'P' entity version(8) holder           -> pin: retention keeps the version and all above until(8), microseconds
//	0xFFFF 'F'                                          -> format
//	0xFFFF 'C' name                                     -> cursor of a reader of the log
//	0xFFFF 'G'                                          -> number of the newest group commit
//
// L and B are the log, the truth; F, C and G belong to this store; K, k and t replace the log before the edge (the body
// of a part at the edge stands in B, also if the place that H and D name is inside the record that is gone), X replaces it
// within a gap; O, U, Y and P are retention's own; all the others are derived and can be rebuilt from the log, the edges
// and the gaps.
const (
	familyLog      = 'L'
	familyBody     = 'B'
	familyHead     = 'E'
	familyPart     = 'H'
	familyPartAt   = 'D'
	familyVersion  = 'V'
	familySeq      = 'S'
	familyTimer    = 'T'
	familyOutcome  = 'I'
	familyIndex    = 'N'
	familyEdge     = 'K'
	familyEdgePart = 'k'

	familyEdgeTimer = 't'
	familyGap       = 'X'
	familyStray     = 'O'
	familyTrimmed   = 'U'
	familyForgotten = 'Y'
	familyPin       = 'P'

	familyFormat = 'F'
	familyCursor = 'C'
	familyGroup  = 'G'
)

const storePartition persistence.Partition = 0xFFFF

// derivedFamilies are the ones that a rebuild makes anew.
var derivedFamilies = []byte{
	familyHead, familyPart, familyPartAt, familyVersion, familySeq, familyTimer, familyOutcome, familyIndex,
}

func appendPrefix(k []byte, p persistence.Partition, family byte) []byte {
	return append(binary.BigEndian.AppendUint16(k, uint16(p)), family)
}

func appendEntity(k []byte, e persistence.EntityID) []byte {
	k = append(k, byte(e.Kind))
	k = append(append(k, e.Provider...), 0)
	return append(append(k, e.ID...), 0)
}

// keyspace makes the keys of one entity; it reuses one buffer, so a key is valid until the next is made.
type keyspace struct {
	partition persistence.Partition
	entity    persistence.EntityID
	buf       []byte
}

// keyUsualBytes is enough for most keys: the buffer of a reader, which makes one or two, need not grow.
const keyUsualBytes = 96

func (k *keyspace) start(family byte) []byte {
	return appendEntity(appendPrefix(k.buf[:0], k.partition, family), k.entity)
}

func (k *keyspace) keep(b []byte) []byte { k.buf = b; return b }

func (k *keyspace) log(pos persistence.Position) []byte {
	return k.keep(appendLogKey(k.buf[:0], k.partition, pos))
}

func (k *keyspace) head() []byte { return k.keep(k.start(familyHead)) }
func (k *keyspace) edge() []byte { return k.keep(k.start(familyEdge)) }

func (k *keyspace) part(family byte, id string) []byte {
	return k.keep(append(append(k.start(family), id...), 0))
}

// partAfter is the first key of the family that can belong to a part with an id above the given one.
func (k *keyspace) partAfter(family byte, id string) []byte {
	return k.keep(append(append(k.start(family), id...), 1))
}

func (k *keyspace) partAt(id string, version uint64) []byte {
	return k.keep(binary.BigEndian.AppendUint64(append(append(k.start(familyPartAt), id...), 0), ^version))
}

func (k *keyspace) version(v uint64) []byte {
	return k.keep(binary.BigEndian.AppendUint64(k.start(familyVersion), ^v))
}

func (k *keyspace) seq(s uint64) []byte {
	return k.keep(binary.BigEndian.AppendUint64(k.start(familySeq), s))
}

func (k *keyspace) edgeTimer(due time.Time, name string) []byte {
	return k.keep(append(binary.BigEndian.AppendUint64(k.start(familyEdgeTimer), uint64(due.UnixMicro())), name...))
}

func (k *keyspace) gap(first uint64) []byte {
	return k.keep(binary.BigEndian.AppendUint64(k.start(familyGap), first))
}

func (k *keyspace) pin(version uint64, holder string) []byte {
	return k.keep(append(binary.BigEndian.AppendUint64(k.start(familyPin), version), holder...))
}

func (k *keyspace) timer(due time.Time, name string) []byte {
	b := binary.BigEndian.AppendUint64(appendPrefix(k.buf[:0], k.partition, familyTimer), uint64(due.UnixMicro()))
	return k.keep(append(appendEntity(b, k.entity), name...))
}

func (k *keyspace) outcome(day uint32, principal, key string) []byte {
	b := binary.BigEndian.AppendUint32(appendPrefix(k.buf[:0], k.partition, familyOutcome), day)
	b = append(append(appendEntity(b, k.entity), principal...), 0)
	return k.keep(append(b, key...))
}

// bounds are the first key of the family of the entity, and the first one behind it.
func (k *keyspace) bounds(family byte) (lower, upper []byte) {
	lower = bytes.Clone(k.start(family))
	return lower, keyAfter(lower)
}

func logKey(p persistence.Partition, pos persistence.Position) []byte {
	return appendLogKey(make([]byte, 0, logKeyBytes), p, pos)
}

const logKeyBytes = 2 + 1 + 8

func appendLogKey(k []byte, p persistence.Partition, pos persistence.Position) []byte {
	return binary.BigEndian.AppendUint64(appendPrefix(k, p, familyLog), uint64(pos))
}

func bodyKey(p persistence.Partition, pos persistence.Position, index int) []byte {
	k := binary.BigEndian.AppendUint64(appendPrefix(nil, p, familyBody), uint64(pos))
	return binary.BigEndian.AppendUint32(k, uint32(index))
}

func strayKey(p persistence.Partition, day uint32, pos persistence.Position) []byte {
	k := binary.BigEndian.AppendUint32(appendPrefix(nil, p, familyStray), day)
	return binary.BigEndian.AppendUint64(k, uint64(pos))
}

func storeKey(family byte, name string) []byte {
	return append(appendPrefix(nil, storePartition, family), name...)
}

// keyAfter is the first key that does not begin with the prefix.
func keyAfter(prefix []byte) []byte {
	k := bytes.Clone(prefix)
	for i := len(k) - 1; i >= 0; i-- {
		if k[i]++; k[i] != 0 {
			return k[:i+1]
		}
	}
	return nil
}

// parseEntity reads the entity at the front of k and returns what follows it.
func parseEntity(k []byte) (persistence.EntityID, []byte, error) {
	if len(k) < 1 {
		return persistence.EntityID{}, nil, fmt.Errorf("%w: key without entity", persistence.ErrCorrupt)
	}
	provider, rest, ok := bytes.Cut(k[1:], []byte{0})
	id, rest, ok2 := bytes.Cut(rest, []byte{0})
	if !ok || !ok2 {
		return persistence.EntityID{}, nil, fmt.Errorf("%w: key with half an entity", persistence.ErrCorrupt)
	}
	return persistence.EntityID{Kind: persistence.Kind(k[0]), Provider: string(provider), ID: string(id)}, rest, nil
}

// place is how a D record is stored: removed(1) or position(8) beside(1) index(uvarint).
func appendPlace(b []byte, at persistence.Place) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(at.Position))
	beside := byte(0)
	if at.Beside {
		beside = 1
	}
	return binary.AppendUvarint(append(b, beside), uint64(at.Index))
}

func parsePlace(b []byte) (persistence.Place, []byte, error) {
	if len(b) < 10 {
		return persistence.Place{}, nil, fmt.Errorf("%w: place of %d bytes", persistence.ErrCorrupt, len(b))
	}
	index, n := binary.Uvarint(b[9:])
	if n <= 0 {
		return persistence.Place{}, nil, fmt.Errorf("%w: place without index", persistence.ErrCorrupt)
	}
	return persistence.Place{
		Position: persistence.Position(binary.BigEndian.Uint64(b)), Beside: b[8] == 1, Index: int(index),
	}, b[9+n:], nil
}

// partState is how an H or k record is stored: version(8) place removed(1) info.
func appendPartState(b []byte, p persistence.Part) []byte {
	b = appendPlace(binary.BigEndian.AppendUint64(b, p.Version), p.Place)
	removed := byte(0)
	if p.Removed {
		removed = 1
	}
	return append(append(b, removed), p.Info...)
}

func parsePartState(id string, b []byte) (persistence.Part, error) {
	if len(b) < 8 {
		return persistence.Part{}, fmt.Errorf("%w: part state of %d bytes", persistence.ErrCorrupt, len(b))
	}
	place, rest, err := parsePlace(b[8:])
	if err != nil {
		return persistence.Part{}, err
	}
	if len(rest) < 1 {
		return persistence.Part{}, fmt.Errorf("%w: part state without its end", persistence.ErrCorrupt)
	}
	return persistence.Part{
		ID: strings.Clone(id), Version: binary.BigEndian.Uint64(b), Place: place,
		Removed: rest[0] == 1, Info: bytes.Clone(rest[1:]),
	}, nil
}

// removedAt marks, in a D record, that the version removed the part.
const removedAt = 0xFF

const outcomeDay = 24 * time.Hour

func dayOf(t time.Time) uint32 { return uint32(t.Unix() / int64(outcomeDay/time.Second)) }
