// Package lookup is how collections are found by what their metadata say: the keys and indexes that a collection type
// declares, the terms that metadata have under them, and the entries that these make in the store. It is pure.
//
//	{"keys": [["/metadata/ShortName", "/metadata/Version"]], "indexes": ["/metadata/Platforms/*/ShortName"]}
//
// A key is one path or several without *; a collection has the key if there is a scalar at each of them: a string, a number,
// a boolean or null. An index is one path, in which * stands for exactly one level, each element or each member: every scalar
// that it leads to is a term. Values are told apart by kind and value: "1" is not 1, and 1 is 1.0.
//
// What a collection is found by is part of its state (Terms). Its entries are a function of that state (Changes), so that
// they can be made anew from it, and a deletion takes them out.
package lookup

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"

	"concord/actors/jsonvalue"
)

// Lookup is a key or an index.
type Lookup struct {
	// Number tells it from all others, in a type and from one version of the type to the next: it is made of what is declared.
	Number uint64
	Key    bool
	Paths  []Path // of an index one; of a key in order of their texts: another order is the same key
}

// Path leads from the metadata to values.
type Path struct {
	Text  string            // as it was declared, from the collection on
	below jsonvalue.Pointer // the metadata
}

// Set are the keys and indexes of a type. It is shared: nobody writes to it. The nil one has none.
type Set struct {
	Lookups     []*Lookup // the keys first, as they were declared
	Fingerprint uint64    // of what is declared, in whatever order; 0: nothing is
}

// NewSet makes the set of a type.
func NewSet(keys, indexes []*Lookup) *Set {
	if len(keys)+len(indexes) == 0 {
		return nil
	}
	s := &Set{Lookups: slices.Concat(keys, indexes)}
	numbers := s.Numbers()
	slices.Sort(numbers)
	h := sha256.New()
	for _, n := range numbers {
		_, _ = h.Write(binary.BigEndian.AppendUint64(nil, n)) // never fails
	}
	s.Fingerprint = binary.BigEndian.Uint64(h.Sum(nil)) | 1 // not 0
	return s
}

// Numbers are those of its lookups.
func (s *Set) Numbers() []uint64 {
	if s == nil {
		return nil
	}
	numbers := make([]uint64, len(s.Lookups))
	for i, l := range s.Lookups {
		numbers[i] = l.Number
	}
	return numbers
}

// Print is the fingerprint, 0 of the nil one.
func (s *Set) Print() uint64 {
	if s == nil {
		return 0
	}
	return s.Fingerprint
}

func newLookup(key bool, paths []Path) *Lookup {
	l := &Lookup{Key: key, Paths: slices.SortedFunc(slices.Values(paths), func(a, b Path) int { return cmp.Compare(a.Text, b.Text) })}
	h := sha256.New()
	what := "index"
	if key {
		what = "key"
	}
	_, _ = h.Write([]byte(what)) // never fails
	for _, p := range l.Paths {
		text := p.below.String()
		_, _ = h.Write(append(binary.AppendUvarint(nil, uint64(len(text))), text...))
	}
	l.Number = binary.BigEndian.Uint64(h.Sum(nil))
	return l
}

// String is how people are told of it.
func (l *Lookup) String() string {
	texts := make([]string, len(l.Paths))
	for i, p := range l.Paths {
		texts[i] = p.Text
	}
	if l.Key {
		return "the key " + strings.Join(texts, " with ")
	}
	return "the index " + texts[0]
}
