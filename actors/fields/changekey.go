package fields

import (
	"strconv"

	"concord/actors/jsonvalue"
)

// The members of a change of a key.
const (
	memberFrom = "from"
	memberTo   = "to"
)

// compileChangeKey is CHANGE_KEY. All changes are made at once, so that two elements can swap their keys.
func compileChangeKey(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	changes := f.keyedValues(in, v, path, f.keyChange)
	return in.keyedAction(changes, func(e *edit, list []*jsonvalue.Value) []*jsonvalue.Value {
		e.single(list, changes)
		changed, taken, own := make([]*jsonvalue.Value, len(list)), map[elementKey]bool{}, map[int]bool{}
		for i, x := range list {
			changed[i] = x
			key, ok := in.keyOf(x)
			if change, asked := changes.byKey[key]; ok && asked && e.spend(changes.bytes[key]) {
				to, _ := change.Get(memberTo)
				changed[i], own[i] = jsonvalue.With(x, in.key, to), true
			} else if ok {
				taken[key] = true
			}
		}
		for i, x := range changed {
			if key, _ := in.keyOf(x); own[i] {
				if taken[key] {
					e.failAt(e.place.String()+"/"+strconv.Itoa(i), "cannot get the %s %s: another element has it", in.key, key)
				}
				taken[key] = true
			}
		}
		return changed
	})
}

// keyChange reads {from, to}; its key is from.
func (f *faults) keyChange(v *jsonvalue.Value, path string) (from elementKey, ok bool) {
	var to elementKey
	before := len(f.list)
	key := func(into *elementKey) func(*jsonvalue.Value, string) {
		return func(v *jsonvalue.Value, path string) {
			if *into, ok = keyFrom(v); !ok {
				f.add(path, "must be the key of an element: a string or a number")
			}
		}
	}
	if !f.object(v, path, member{memberFrom, key(&from)}, member{memberTo, key(&to)}) {
		return from, false
	}
	for _, name := range []string{memberFrom, memberTo} {
		if _, given := v.Get(name); !given {
			f.add(below(path, name), "is missing")
		}
	}
	return from, len(f.list) == before
}
