package fields

import "concord/actors/jsonvalue"

// identity is a text that equal values share, and no others.
func identity(v *jsonvalue.Value) string { return string(jsonvalue.AppendIdentity(nil, v)) }

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
