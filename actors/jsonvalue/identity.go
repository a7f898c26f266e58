package jsonvalue

import (
	"encoding/binary"
	"slices"
	"strings"
)

// AppendIdentity appends a text that equal values share, and no others, so that values can be looked up in a map, whose hashes
// nobody can foresee: a list in which all hashes of ours are one would make any other look-up quadratic. It begins with
// the kind; no value's is the front of another's. It is for one process: its form may change.
func AppendIdentity(dst []byte, v *Value) []byte {
	dst = append(dst, byte(v.Kind()))
	switch v.Kind() {
	case Array:
		dst = binary.AppendUvarint(dst, uint64(v.Len()))
		for _, e := range v.Elements() {
			dst = AppendIdentity(dst, e)
		}
		return dst
	case Object:
		members := v.Members()
		byName := func(a, b Member) int { return strings.Compare(a.Name, b.Name) }
		if !slices.IsSortedFunc(members, byName) {
			members = slices.Clone(members)
			slices.SortFunc(members, byName)
		}
		dst = binary.AppendUvarint(dst, uint64(len(members)))
		for _, m := range members {
			dst = AppendIdentity(appendSized(dst, m.Name), m.Value)
		}
		return dst
	case Number:
		return appendSized(dst, CanonicalNumber(v.Literal()))
	case String:
		return appendSized(dst, v.Str())
	case Null, Bool:
	}
	return appendSized(dst, v.Literal())
}

// appendSized writes the length in front.
func appendSized(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}
