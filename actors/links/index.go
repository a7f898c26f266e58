package links

import (
	"encoding/binary"
	"fmt"
)

// Indexes of linked documents: entries of collections, one for each document and term.
const (
	IndexBySource    = "links.source"    // term: the source
	IndexByAuthority = "links.authority" // term: the authority
	IndexWaiting     = "links.waiting"   // term: an authority that is not there yet
)

// Indexes of authorities, entries of theirs without a part; deleted ones are in the first alone.
const (
	IndexAuthoritiesOf = "authority.source"  // term: the source
	IndexByNaturalID   = "authority.natural" // term: the natural id
	IndexByHeading     = "authority.heading" // term: Heading.Key
)

// IndexJobs are propagations by the time of their request, and IndexOpenJobs those that have not ended.
const (
	IndexJobs     = "propagation.time" // term: see JobTerm
	IndexOpenJobs = "propagation.open" // term: the entity that has caused it, as persistence.EntityID.String
)

// IndexValue is what an entry of a linked document says.
type IndexValue struct {
	Links    uint64 // linked fields of the document under the term
	Revision uint64 // of the source's base URL, or of the authority, that they show
	Version  uint64 // that began the life of the collection which the entry belongs to: below the collection's own, it is no entry any more
}

// Encode is the stored form.
func (v IndexValue) Encode() []byte {
	b := binary.AppendUvarint(nil, v.Links)
	return binary.AppendUvarint(binary.AppendUvarint(b, v.Revision), v.Version)
}

// DecodeIndexValue reads the stored form.
func DecodeIndexValue(b []byte) (v IndexValue, err error) {
	for _, into := range []*uint64{&v.Links, &v.Revision, &v.Version} {
		n, size := binary.Uvarint(b)
		if size <= 0 {
			return v, fmt.Errorf("entry of linked documents: %d bytes", len(b))
		}
		*into, b = n, b[size:]
	}
	return v, nil
}
