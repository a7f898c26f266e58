package jsonvalue

import "bytes"

// Equal says if a and b are the same value: numbers as exact decimals, whatever their exponents,
// strings after unescaping, objects without regard to order. nil, a missing value, equals only nil.
// The time is linear in the smaller tree.
func Equal(a, b *Value) bool {
	if a == b {
		return true
	}
	if a == nil || b == nil || a.kind != b.kind || a.Len() != b.Len() {
		return false
	}
	switch a.kind {
	case Bool:
		return a.literal == b.literal
	case Number:
		return a.literal == b.literal || CompareNumbers(a.literal, b.literal) == 0
	case String:
		return a.literal == b.literal || (a.escaped || b.escaped) && a.Str() == b.Str()
	case Array:
		for i, e := range a.elements {
			if !Equal(e, b.elements[i]) {
				return false
			}
		}
	case Object:
		return equalMembers(a.members, b.members)
	case Null:
	}
	return true
}

// equalMembers compares members of two objects of one length. As names are unique in an object, it
// is enough that each member of a is in b.
func equalMembers(a, b []Member) bool {
	names := nameIndex{members: b}
	for i, m := range a {
		if b[i].Name == m.Name {
			if !Equal(m.Value, b[i].Value) {
				return false
			}
			continue
		}
		j := names.find(m.Name)
		if j < 0 || !Equal(m.Value, b[j].Value) {
			return false
		}
	}
	return true
}

// nameIndexMinCount is the width from which an object is worth a map for repeated look-ups.
const nameIndexMinCount = 16

// nameIndex finds members by name, many times in one object: looking through all of them each time
// would be quadratic.
type nameIndex struct {
	members []Member
	places  map[string]int // made by the first look-up in a wide object
}

// find returns the place of the member, or -1.
func (x *nameIndex) find(name string) int {
	if len(x.members) < nameIndexMinCount {
		return memberIndex(x.members, name)
	}
	if x.places == nil {
		x.places = make(map[string]int, len(x.members))
		for i, m := range x.members {
			x.places[m.Name] = i
		}
	}
	if i, ok := x.places[name]; ok {
		return i
	}
	return -1
}

// EqualText says if two texts mean the same value. The error is the *SyntaxError of Check, for a
// first. Trees are built only for different texts with equal hashes.
func EqualText(a, b []byte) (bool, error) {
	hashA, err := Check(a)
	if err != nil {
		return false, err
	}
	if bytes.Equal(a, b) {
		return true, nil
	}
	hashB, err := Check(b)
	if err != nil || hashA != hashB {
		return false, err
	}
	valueA, err := Parse(a)
	if err != nil {
		return false, err
	}
	valueB, err := Parse(b)
	if err != nil {
		return false, err
	}
	return Equal(valueA, valueB), nil
}
