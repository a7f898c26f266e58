package jsonvalue

import (
	"bytes"
	"cmp"
	"slices"
)

// namesLinearMaxCount is the width up to which a new name is compared with each earlier one of its
// object; wider objects are sorted when they close.
const namesLinearMaxCount = 32

// nameRef is a member name of an open object.
type nameRef struct {
	span
	hash uint64 // of the unescaped name
}

// addName records a name of the object whose names begin at first, and refuses it if the object
// has it already and is still narrow.
func (s *scanner) addName(first int, name nameRef) *fault {
	if earlier := s.names[first:]; len(earlier) < namesLinearMaxCount {
		for i := range earlier {
			if earlier[i].hash == name.hash && s.compareNames(earlier[i], name) == 0 {
				return s.duplicate(name)
			}
		}
	}
	s.names = append(s.names, name)
	return nil
}

// closeNames forgets the names of the innermost object, which begin at first, and refuses the
// object if it is wide and has a name twice. Sorting, unlike a table of hashes, is as fast on
// names that were made to collide.
func (s *scanner) closeNames(first int) *fault {
	names := s.names[first:]
	s.names = s.names[:first]
	if len(names) <= namesLinearMaxCount {
		return nil
	}
	slices.SortFunc(names, func(a, b nameRef) int {
		if c := cmp.Compare(a.hash, b.hash); c != 0 {
			return c
		}
		if c := s.compareNames(a, b); c != 0 {
			return c
		}
		return cmp.Compare(a.start, b.start)
	})
	var second *nameRef // the one that comes first in the text
	for i := 1; i < len(names); i++ {
		if names[i-1].hash != names[i].hash || s.compareNames(names[i-1], names[i]) != 0 {
			continue
		}
		if second == nil || names[i].start < second.start {
			second = &names[i]
		}
	}
	if second != nil {
		return s.duplicate(*second)
	}
	return nil
}

func (s *scanner) compareNames(a, b nameRef) int {
	if !a.escaped && !b.escaped {
		return bytes.Compare(s.text[a.start:a.end], s.text[b.start:b.end])
	}
	return cmp.Compare(s.nameText(a), s.nameText(b))
}

func (s *scanner) nameText(name nameRef) string {
	return string(s.unescape(name.span))
}

func (s *scanner) duplicate(name nameRef) *fault {
	f := &fault{offset: name.start - 1, reason: reasonDuplicate}
	return f.under(s.nameText(name))
}
