package fields

import (
	"errors"

	"concord/actors/jsonvalue"
)

// compileJSONPatch is JSON_PATCH.
func compileJSONPatch(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	text := v.Text()
	patch, err := jsonvalue.ParsePatch(text)
	if s, ok := errors.AsType[*jsonvalue.SyntaxError](err); ok {
		f.add(path+s.Path, "%s", s.Reason)
		return action{}
	}
	if len(patch) == 0 || len(patch) > patchMaxOperations {
		f.add(path, "has %d operations; a patch has 1 to %d", len(patch), patchMaxOperations)
	}
	depth := jsonvalue.MaxDepth - len(in.rest)
	return action{at: func(e *edit, old *jsonvalue.Value) *jsonvalue.Value {
		e.matched = true
		if !e.spend(len(text)) {
			return old
		}
		size := old.Size()
		got, err := patch.Apply(old, jsonvalue.Limits{
			MaxOperations: patchMaxOperations,
			MaxDepth:      depth,
			MaxBytes:      writtenMaxBytes,
			MaxSteps:      patchPlaceSteps + 4*len(text) + int(int64(patchMaxSteps)*int64(size)/int64(e.size())),
		})
		if refused, ok := errors.AsType[*jsonvalue.PatchError](err); ok {
			e.failAt(e.place.String()+refused.Path, "operation %d (%s): %s", refused.Index, refused.Op, refused.Reason)
			return old
		}
		e.spend(max(0, got.Size()-size)) // copies
		return got
	}}
}

// compileMergePatch is MERGE_PATCH.
func compileMergePatch(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	f.fits(in, v, path)
	if v.Kind() == jsonvalue.Object && v.Len() == 0 {
		f.add(path, "is a patch that changes nothing")
	}
	bytes, adds := v.Size(), adding(v)
	return action{makes: adds, at: func(e *edit, old *jsonvalue.Value) *jsonvalue.Value {
		if !adds && old.Kind() == jsonvalue.Null {
			return old // nothing to remove
		}
		if e.matched = true; !e.spend(bytes) {
			return old
		}
		return jsonvalue.MergePatch(old, v)
	}}
}

// adding says if a merge patch has anything but nulls.
func adding(v *jsonvalue.Value) bool {
	if v.Kind() != jsonvalue.Object {
		return v.Kind() != jsonvalue.Null
	}
	for _, m := range v.Members() {
		if adding(m.Value) {
			return true
		}
	}
	return false
}
