package persistence

import "concord/persistence/recordpb"

// Fold makes what is derived from the log: the kinds' own functions, the ones that the commit used. Both are pure.
type Fold struct {
	// Record makes the head after a record, and what stands beside the record, from the head before it; hash is the SHA-256
	// of the record's stored bytes. It is not called for records without a seq.
	Record func(before Head, rec *recordpb.Record, hash []byte) (after Head, beside Projection, err error)
	// Part makes the index entries of a living part from what is kept of it, where retention has removed the record that
	// wrote it. Entries of an entity as a whole are those of its parts and of its state alone, if its history can be trimmed.
	Part func(e EntityID, part string, info []byte) ([]IndexChange, error)
	// State takes the entries that an entity has by its state from one stored state to a later one, where retention has removed
	// the records between them; nil: the one before the first record.
	State func(e EntityID, before, after []byte) ([]IndexChange, error)
}

// Whole says that there are all.
func (f Fold) Whole() bool { return f.Record != nil && f.Part != nil && f.State != nil }
