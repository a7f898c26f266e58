package fields

import (
	"strings"

	"concord/actors/jsonvalue"
)

// compileReplaceText is REPLACE_TEXT.
func compileReplaceText(in *Instruction, v *jsonvalue.Value, path string, f *faults) action {
	if v.Kind() != jsonvalue.String {
		f.add(path, "must be a string, and is %s", kindOf(v))
	}
	return in.textAction(v.Str())
}

// compileRemoveText is REMOVE_TEXT.
func compileRemoveText(in *Instruction, _ *jsonvalue.Value, _ string, _ *faults) action {
	return in.textAction("")
}

// textAction puts a text in the place of another one, in a string or in those of a list. Other values have no text.
func (in *Instruction) textAction(by string) action {
	return action{at: func(e *edit, old *jsonvalue.Value) *jsonvalue.Value {
		if old.Kind() != jsonvalue.Array {
			return e.replaceText(old, in.needle, by)
		}
		list, changed := make([]*jsonvalue.Value, old.Len()), false
		for i, x := range old.Elements() {
			list[i] = e.replaceText(x, in.needle, by)
			changed = changed || list[i] != x
		}
		if !changed {
			return old
		}
		return jsonvalue.NewArray(list...)
	}}
}

// replaceText counts first: a text of half a megabyte could become one of many gigabytes.
func (e *edit) replaceText(v *jsonvalue.Value, find, by string) *jsonvalue.Value {
	if v.Kind() != jsonvalue.String {
		return v
	}
	text := v.Str()
	n := strings.Count(text, find)
	if n == 0 {
		return v
	}
	e.matched = true
	if !e.spend(len(text) + n*(len(by)-len(find))) {
		return v
	}
	return jsonvalue.NewString(strings.ReplaceAll(text, find, by))
}
