package fields

import (
	"slices"
	"unicode/utf8"

	"concord/actors/jsonvalue"
)

// compileMARCAppend is MARC_FIND_AND_APPEND.
func compileMARCAppend(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	values := f.subfieldValues(v, path)
	return in.fieldsAction(func(e *edit, found *field) *jsonvalue.Value {
		known := make(map[string]bool, len(found.subfields))
		behindLetters := 0
		for i, s := range found.subfields {
			known[identity(s.whole)] = true
			if !isDigit(s.code) {
				behindLetters = i + 1
			}
		}
		var letters, digits []*jsonvalue.Value
		for _, s := range values {
			switch {
			case known[identity(s)] || !e.spend(s.Size()):
			case isDigit(s.Members()[0].Name):
				digits = append(digits, s)
			default:
				letters = append(letters, s)
			}
		}
		if len(letters)+len(digits) == 0 {
			return found.value
		}
		list := make([]*jsonvalue.Value, 0, len(found.subfields)+len(values))
		for i, s := range found.subfields {
			if i == behindLetters {
				list = append(list, letters...)
			}
			list = append(list, s.whole)
		}
		if behindLetters == len(found.subfields) {
			list = append(list, letters...)
		}
		return found.with(append(list, digits...))
	})
}

// compileMARCReplace is MARC_FIND_AND_REPLACE.
func compileMARCReplace(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	if v.Kind() != jsonvalue.String {
		f.add(path, "must be a text, and is %s", kindOf(v))
	}
	by := v.Str()
	return in.fieldsAction(func(e *edit, found *field) *jsonvalue.Value {
		if found.subfields == nil {
			return in.marc.replaced(e, found.value, by)
		}
		list := make([]*jsonvalue.Value, len(found.subfields))
		for i, s := range found.subfields {
			if list[i] = s.whole; s.hit {
				list[i] = jsonvalue.ObjectOf([]jsonvalue.Member{{Name: s.code, Value: in.marc.replaced(e, s.text, by)}})
			}
		}
		return found.with(list)
	})
}

// compileMARCRemoveField is MARC_REMOVE_FIELD.
func compileMARCRemoveField(in *Instruction, _ *jsonvalue.Value, _ string, _ *faults) action {
	return in.fieldsAction(func(*edit, *field) *jsonvalue.Value { return nil })
}

// compileMARCRemoveSubfield is MARC_REMOVE_SUBFIELD.
func compileMARCRemoveSubfield(in *Instruction, _ *jsonvalue.Value, _ string, _ *faults) action {
	return in.fieldsAction(func(_ *edit, found *field) *jsonvalue.Value {
		list := make([]*jsonvalue.Value, 0, len(found.subfields))
		for _, s := range found.subfields {
			if !s.hit {
				list = append(list, s.whole)
			}
		}
		return found.with(list)
	})
}

// subfieldValues reads subfields as they stand in MARC-in-JSON: {"a": "text"}, or a list of those. What is there twice is
// put there once.
func (f *faults) subfieldValues(v *jsonvalue.Value, path string) []*jsonvalue.Value {
	values := v.Elements()
	if v.Kind() != jsonvalue.Array {
		values = []*jsonvalue.Value{v}
	}
	if len(values) == 0 {
		f.add(path, "is an empty list: it must have one subfield or more")
	}
	for i, s := range values {
		at := path
		if v.Kind() == jsonvalue.Array {
			at = element(path, i)
		}
		if s.Kind() != jsonvalue.Object || s.Len() != 1 {
			f.add(at, `must be a subfield: an object with one member, such as {"a": "text"}`)
			continue
		}
		m := s.Members()[0]
		if utf8.RuneCountInString(m.Name) != 1 {
			f.add(at, "must have a code of one character, and has %s", quoted(m.Name))
		}
		if m.Value.Str() == "" {
			f.add(below(at, m.Name), "must be a text that is not empty")
		}
	}
	return distinct(slices.Clone(values))
}

func isDigit(code string) bool { return len(code) == 1 && '0' <= code[0] && code[0] <= '9' }
