// Package persistence is the contract of everything that Concord keeps: the log of events, what is derived from it,
// and the committer that makes both durable before anybody is answered.
//
// The log is the truth. Every other record is a function of it and can be rebuilt; the functions are the kinds' own
// (see actors/entity), so that a commit and a rebuild cannot differ.
package persistence

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

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

	KindSource      Kind = 5 // authority source file
	KindAuthority   Kind = 6
	KindPropagation Kind = 7 // job that brings linked fields up to date
	KindBulk        Kind = 8 // bulk task
	KindEditSession Kind = 9 // bulk edit session
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
	case KindSource:
		return "source"
	case KindAuthority:
		return "authority"
	case KindPropagation:
		return "propagation"
	case KindBulk:
		return "bulk"
	case KindEditSession:
		return "edit"
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

// jobHome is how the ids of jobs that live with their cause write the hash of their home: what chooses the partition.
var jobHome = base32.HexEncoding.WithPadding(base32.NoPadding)

// jobHomeChars is how long a hash is in such an id.
const jobHomeChars = 13

// JobID is the id of a job that lives in the partition of its cause, so that both are in one atomic batch: the hash of its
// home, and what makes it unique, of the characters of ids.
func JobID(cause EntityID, unique string) string {
	hash := binary.BigEndian.AppendUint64(nil, homeHash(cause.Provider, cause.ID))
	return strings.ToLower(jobHome.EncodeToString(hash)) + "-" + unique
}

// hash is what chooses the partition: of the entity's own id, or, of a job, the one that its id names.
func (e EntityID) hash() uint64 {
	if e.Kind == KindPropagation && len(e.ID) > jobHomeChars && e.ID[jobHomeChars] == '-' {
		if b, err := jobHome.DecodeString(strings.ToUpper(e.ID[:jobHomeChars])); err == nil {
			return binary.BigEndian.Uint64(b)
		}
	}
	return homeHash(e.Provider, e.ID)
}

func homeHash(provider, home string) uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(provider)
	_, _ = d.Write([]byte{0})
	_, _ = d.WriteString(home)
	return d.Sum64()
}

// EventID names an event, and is the message id of its publication.
func (e EntityID) EventID(seq uint64) string { return e.String() + "#" + strconv.FormatUint(seq, 10) }

// Partition is a part of the log: an atomic batch never crosses one, and a cluster moves whole ones.
type Partition uint16

// PartitionOf is where the entity lives, for the count of partitions that was fixed when the store was made.
func PartitionOf(e EntityID, partitions int) Partition {
	return Partition(e.hash() % uint64(partitions))
}

// Position is the place of a record in its partition's log: 1, 2, 3..., given at commit.
type Position uint64
