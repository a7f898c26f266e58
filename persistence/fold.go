package persistence

import "concord/persistence/recordpb"

// Fold makes what is derived from the log: the kinds' own functions, the ones that the commit used. Both are pure.
type Fold struct {
	// Record makes the head after a record, and what stands beside the record, from the head before it; hash is the SHA-256
	// of the record's stored bytes. It is not called for records without a seq.
	Record func(before Head, rec *recordpb.Record, hash []byte) (after Head, beside Projection, err error)
	// Part makes the index entries of a living part from what is kept of it, where retention has removed the record that
	// wrote it. Entries of an entity as a whole are those of its parts alone, if its history can be trimmed.
	Part func(e EntityID, part string, info []byte) ([]IndexChange, error)
}

// Whole says that there are both.
func (f Fold) Whole() bool { return f.Record != nil && f.Part != nil }
