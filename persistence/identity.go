// Package persistence is the contract of everything that Concord keeps: the log of events, what is derived from it,
// and the committer that makes both durable before anybody is answered.
//
// The log is the truth. Every other record is a function of it and can be rebuilt; the functions are the kinds' own
// (see actors/entity), so that a commit and a rebuild cannot differ.
package persistence

import (
	"fmt"
	"strconv"

	"github.com/cespare/xxhash/v2"
)

// Kind is the stored number of an entity kind. Numbers and names are part of the stored format: never reuse one.
type Kind uint8

// The entity kinds.
const (
	KindCollection Kind = 1
	KindProvider   Kind = 2
	KindUpload     Kind = 3
	KindType       Kind = 4
)

// String is the name of the kind in event ids, subjects and metrics.
func (k Kind) String() string {
	switch k {
	case KindCollection:
		return "collection"
	case KindUpload:
		return "upload"
	case KindProvider:
		return "provider"
	case KindType:
		return "type"
	default:
		return fmt.Sprintf("kind-%d", uint8(k))
	}
}

// EntityID is the identity of an entity: the unit of order, of atomicity and of activation.
type EntityID struct {
	Kind     Kind
	Provider string
	ID       string
}

// String is "<kind>/<provider>/<id>", the first part of an event id.
func (e EntityID) String() string { return e.Kind.String() + "/" + e.Provider + "/" + e.ID }

// Home is the id whose hash chooses the partition. Each kind so far is its own home.
func (e EntityID) Home() string { return e.ID }

// EventID names an event, and is the message id of its publication.
func (e EntityID) EventID(seq uint64) string { return e.String() + "#" + strconv.FormatUint(seq, 10) }

// Partition is a part of the log: an atomic batch never crosses one, and a cluster moves whole ones.
type Partition uint16

// PartitionOf is where the entity lives, for the count of partitions that was fixed when the store was made.
func PartitionOf(e EntityID, partitions int) Partition {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(e.Provider)
	_, _ = d.Write([]byte{0})
	_, _ = d.WriteString(e.Home())
	return Partition(d.Sum64() % uint64(partitions))
}

// Position is the place of a record in its partition's log: 1, 2, 3..., given at commit.
type Position uint64
