package fields

import (
	"slices"
	"strconv"

	"concord/actors/jsonvalue"
)

// elementKey is what names an element of a list: a string, or a number by its value. "1" is not 1.
type elementKey struct {
	kind jsonvalue.Kind
	text string
}

func (k elementKey) String() string {
	if k.kind == jsonvalue.String {
		return quoted(k.text)
	}
	return k.text
}

// keyFrom is the key that a value is; false for what is neither a string nor a number.
func keyFrom(v *jsonvalue.Value) (elementKey, bool) {
	switch v.Kind() {
	case jsonvalue.String:
		return elementKey{jsonvalue.String, v.Str()}, true
	case jsonvalue.Number:
		return elementKey{jsonvalue.Number, jsonvalue.CanonicalNumber(v.Literal())}, true
	case jsonvalue.Null, jsonvalue.Bool, jsonvalue.Array, jsonvalue.Object:
	}
	return elementKey{}, false
}

// keyOf is the key of an element; false if it has none: such elements stay as they are.
func (in *Instruction) keyOf(v *jsonvalue.Value) (elementKey, bool) {
	k, ok := v.Get(in.key)
	if !ok {
		return elementKey{}, false
	}
	return keyFrom(k)
}

// keyedValues are elements by their keys, and the keys in the order of the value.
type keyedValues struct {
	order []elementKey
	byKey map[elementKey]*jsonvalue.Value
	bytes map[elementKey]int
}

// keyedValues reads one element or a list of them. read finds the key of one, and says why there is none.
func (f *faults) keyedValues(in *Instruction, v *jsonvalue.Value, path string, read func(v *jsonvalue.Value, path string) (elementKey, bool)) *keyedValues {
	k := &keyedValues{byKey: map[elementKey]*jsonvalue.Value{}, bytes: map[elementKey]int{}}
	add := func(v *jsonvalue.Value, path string) {
		f.fits(in, v, path)
		key, ok := read(v, path)
		if !ok {
			return
		}
		if _, double := k.byKey[key]; double {
			f.add(path, "the key %s is there twice", key)
			return
		}
		f.conforms(in, withoutNulls(v), path)
		k.order, k.byKey[key], k.bytes[key] = append(k.order, key), v, v.Size()
	}
	if v.Kind() != jsonvalue.Array {
		add(v, path)
		return k
	}
	if v.Len() == 0 {
		f.add(path, "is an empty list: it must have one element or more")
	}
	for i, e := range v.Elements() {
		add(e, element(path, i))
	}
	return k
}

// objectKey finds the key of an object.
func (f *faults) objectKey(in *Instruction) func(*jsonvalue.Value, string) (elementKey, bool) {
	return func(v *jsonvalue.Value, path string) (elementKey, bool) {
		if v.Kind() != jsonvalue.Object {
			f.add(path, "must be an object with the member %s, and is %s", quoted(in.key), kindOf(v))
			return elementKey{}, false
		}
		key, ok := in.keyOf(v)
		if !ok {
			f.add(below(path, in.key), "must be the key of an element: a string or a number")
		}
		return key, ok
	}
}

// compileMergeByKey is MERGE_BY_KEY.
func compileMergeByKey(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	values := f.keyedValues(in, v, path, f.objectKey(in))
	merge := overlay
	if in.deep {
		merge = jsonvalue.MergePatch
	}
	return in.keyedAction(values, func(e *edit, list []*jsonvalue.Value) []*jsonvalue.Value {
		present := e.single(list, values)
		merged := make([]*jsonvalue.Value, len(list), len(list)+len(values.order))
		for i, x := range list {
			merged[i] = x
			key, _ := in.keyOf(x)
			if over, ok := values.byKey[key]; ok && e.spend(values.bytes[key]) {
				merged[i] = merge(x, over)
			}
		}
		if in.onMissing == missingAppends {
			merged = e.appendMissing(merged, values, present)
		}
		return merged
	})
}

// compileAppendNew is APPEND_NEW_BY_KEY.
func compileAppendNew(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	values := f.keyedValues(in, v, path, f.objectKey(in))
	appending := *in
	appending.onMissing = missingAppends
	return appending.keyedAction(values, func(e *edit, list []*jsonvalue.Value) []*jsonvalue.Value {
		present := map[elementKey]bool{}
		for _, x := range list {
			if key, ok := in.keyOf(x); ok {
				present[key] = true
			}
		}
		e.matched = true
		return e.appendMissing(slices.Clone(list), values, present)
	})
}

// compileRemoveByKey is REMOVE_BY_KEY. A key in the value stands for itself, or is in an object as in the list.
func compileRemoveByKey(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	inObject := f.objectKey(in)
	values := f.keyedValues(in, v, path, func(v *jsonvalue.Value, path string) (elementKey, bool) {
		if key, ok := keyFrom(v); ok {
			return key, true
		}
		return inObject(v, path)
	})
	a := in.keyedAction(values, func(e *edit, list []*jsonvalue.Value) []*jsonvalue.Value {
		return slices.DeleteFunc(slices.Clone(list), func(x *jsonvalue.Value) bool {
			key, ok := in.keyOf(x)
			ok = ok && values.byKey[key] != nil
			if ok {
				e.find(key)
			}
			return ok
		})
	})
	return a
}

// keyedAction lets change have the list. A list that it empties is removed.
func (in *Instruction) keyedAction(values *keyedValues, change func(e *edit, list []*jsonvalue.Value) []*jsonvalue.Value) action {
	a := action{makes: in.onMissing == missingAppends}
	a.at = func(e *edit, old *jsonvalue.Value) *jsonvalue.Value {
		list := e.listAt(old)
		if e.problem != nil || list == nil && !a.makes {
			return old
		}
		got := change(e, list)
		switch {
		case e.problem != nil || slices.Equal(got, list):
			return old
		case len(got) == 0:
			return nil
		}
		return jsonvalue.NewArray(got...)
	}
	if in.onMissing == missingFails {
		a.finish = func(e *edit) {
			for _, key := range values.order {
				if _, ok := e.found[key]; !ok {
					e.failAt(in.Path.String(), "no element has the %s %s", in.key, key)
				}
			}
		}
	}
	return a
}

// find notes that an element has the key.
func (e *edit) find(key elementKey) {
	if e.found == nil {
		e.found = map[elementKey]struct{}{}
	}
	e.found[key] = struct{}{}
	e.matched = true
}

// single notes which of the keys the list has, and ends the work if it has one of them twice: which element is meant is not
// known.
func (e *edit) single(list []*jsonvalue.Value, values *keyedValues) (present map[elementKey]bool) {
	present = map[elementKey]bool{}
	for i, x := range list {
		key, ok := e.in.keyOf(x)
		if _, asked := values.byKey[key]; !ok || !asked {
			continue
		}
		if present[key] {
			e.failAt(e.place.String()+"/"+strconv.Itoa(i), "is a second element with the %s %s", e.in.key, key)
		}
		present[key] = true
		e.find(key)
	}
	return present
}

// appendMissing puts the values whose keys are not present at the end of the list.
func (e *edit) appendMissing(list []*jsonvalue.Value, values *keyedValues, present map[elementKey]bool) []*jsonvalue.Value {
	for _, key := range values.order {
		if !present[key] && e.spend(values.bytes[key]) {
			e.matched = true
			list = append(list, withoutNulls(values.byKey[key]))
		}
	}
	return list
}
