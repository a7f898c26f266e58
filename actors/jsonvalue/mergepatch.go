package jsonvalue

// MergePatch returns target changed by patch as RFC 7396, section 2, says: a patch that is no
// object replaces the target; in an object, null removes the member and anything else is merged
// into it. A nil target is a missing one. Nothing is written through target or patch, and the
// result, which shares with both, is nested no deeper than the deeper of them and no larger than
// both together.
func MergePatch(target, patch *Value) *Value {
	if patch.kind != Object {
		return patch
	}
	var names nameIndex
	if target != nil {
		names.members = target.members
	}
	merged := make([]Member, len(names.members), len(names.members)+len(patch.members))
	copy(merged, names.members)
	removed := false
	for _, m := range patch.members {
		i := names.find(m.Name)
		switch {
		case m.Value.kind == Null && i >= 0:
			merged[i].Value, removed = nil, true
		case m.Value.kind == Null:
			// nothing to remove
		case i >= 0:
			merged[i].Value = MergePatch(merged[i].Value, m.Value)
		default:
			merged = append(merged, Member{Name: m.Name, Value: MergePatch(nil, m.Value)})
		}
	}
	if removed {
		kept := merged[:0]
		for _, m := range merged {
			if m.Value != nil {
				kept = append(kept, m)
			}
		}
		merged = kept
	}
	return &Value{kind: Object, members: merged}
}
