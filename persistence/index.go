package persistence

import (
	"iter"
	"strings"
	"unicode/utf8"

	"github.com/cespare/xxhash/v2"
)

// TermMaxBytes bounds a term of an index.
const TermMaxBytes = 512

// IndexChange enters a part of an entity, or the entity itself, under a term of an index, or takes it out. Entries stand
// in the same batch as the event that they come from, and can be made anew from the log.
//
// An entry belongs to its writer alone: one that a deletion has left behind is for the reader to tell, by the state of the
// entity (a collection that is deleted does not look at its documents).
type IndexChange struct {
	Name    string // of the index: no NUL
	Term    string // see Term
	Part    string // empty: the entity itself, or its metadata
	Value   []byte // what is asked without reading the part; nil with Removed
	Removed bool
}

// IndexKey names the entries under one term of an index.
type IndexKey struct {
	Kind     Kind
	Name     string
	Provider string
	Term     string
}

// IndexEntry is one entry of an index.
type IndexEntry struct {
	Provider, Term string
	Entity, Part   string
	Value          []byte
}

// IndexReader reads indexes partition by partition: an entry stands in the partition of its entity. What it shows may not
// be durable yet, as with EntityReader.
type IndexReader interface {
	Partitions() int
	// Index yields the entries under the term in order of entity and part, those after the given one only (its Entity and
	// Part count; the zero entry: from the beginning).
	Index(p Partition, key IndexKey, after IndexEntry) iter.Seq2[IndexEntry, error]
	// IndexTerms yields the entries of the index in order of term, entity and part, from the key's term on; with an empty
	// provider those of all providers, and from the beginning.
	IndexTerms(p Partition, key IndexKey) iter.Seq2[IndexEntry, error]
}

// Term is the form in which a text stands in an index: without NUL, and cut to TermMaxBytes with a hash of the whole at its
// end. Equal texts have equal terms; different ones do not, but for a NUL and the rare hash.
func Term(text string) string {
	text = strings.ReplaceAll(text, "\x00", "\uFFFD")
	if len(text) <= TermMaxBytes {
		return text
	}
	const hashChars = 16
	cut := TermMaxBytes - hashChars
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	hash := xxhash.Sum64String(text)
	b := append(make([]byte, 0, TermMaxBytes), text[:cut]...)
	for shift := 60; shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[hash>>shift&15])
	}
	return string(b)
}
