package fields

import (
	"encoding/binary"
	"slices"
	"strings"

	"concord/actors/jsonvalue"
)

// identity is a text that equal values share, and no others. Texts are looked up in maps, whose hashes nobody can foresee:
// a list in which all hashes are one would make any other look-up quadratic.
func identity(v *jsonvalue.Value) string { return string(appendIdentity(nil, v)) }

// appendIdentity writes kinds and lengths before what a value holds.
func appendIdentity(dst []byte, v *jsonvalue.Value) []byte {
	dst = append(dst, byte(v.Kind()))
	switch v.Kind() {
	case jsonvalue.Array:
		dst = binary.AppendUvarint(dst, uint64(v.Len()))
		for _, e := range v.Elements() {
			dst = appendIdentity(dst, e)
		}
		return dst
	case jsonvalue.Object:
		members := slices.Clone(v.Members())
		slices.SortFunc(members, func(a, b jsonvalue.Member) int { return strings.Compare(a.Name, b.Name) })
		dst = binary.AppendUvarint(dst, uint64(len(members)))
		for _, m := range members {
			dst = appendIdentity(appendSized(dst, m.Name), m.Value)
		}
		return dst
	case jsonvalue.Number:
		return appendSized(dst, jsonvalue.CanonicalNumber(v.Literal()))
	case jsonvalue.String:
		return appendSized(dst, v.Str())
	case jsonvalue.Null, jsonvalue.Bool:
	}
	return appendSized(dst, v.Literal())
}

func appendSized(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// distinct is the list without the elements that equal one before them.
func distinct(list []*jsonvalue.Value) []*jsonvalue.Value {
	if len(list) < 2 {
		return list
	}
	return distinctBy(list, (*jsonvalue.Value).Hash)
}

func distinctBy(list []*jsonvalue.Value, hashOf func(*jsonvalue.Value) jsonvalue.Hash) []*jsonvalue.Value {
	first := make(map[jsonvalue.Hash]*jsonvalue.Value, len(list))
	others := map[string]struct{}{} // that differ from the first with their hash: none, but for who makes such a list
	kept := make([]*jsonvalue.Value, 0, len(list))
	for _, e := range list {
		hash := hashOf(e)
		switch f := first[hash]; {
		case f == nil:
			first[hash] = e
		case jsonvalue.Equal(f, e):
			continue
		default:
			id := identity(e)
			if _, double := others[id]; double {
				continue
			}
			others[id] = struct{}{}
		}
		kept = append(kept, e)
	}
	return kept
}
