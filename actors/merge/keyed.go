package merge

import "concord/actors/jsonvalue"

// keyed merges arrays of objects, matched by the value of the rule's key.
func (m *merger) keyed(t triple, p *place) outcome {
	if !t.all(jsonvalue.Array) {
		return m.plain(t, p)
	}
	sides, ok := elementsByKey(t, p.rule.Key)
	if !ok {
		return m.unmatched(t)
	}
	base, client, server := sides[0], sides[1], sides[2]
	first := len(m.children)
	got, clashes := m.merge(base, client, server, p)
	got.clash = under(clashes)
	children := m.children[first:]
	order := arrange(children, len(server), len(client), lead(children, len(server), len(client)))
	switch {
	case got.asServer && inOrder(order, len(server), func(i int) int { return children[i].server }):
		got.value, got.asClient = t.server, got.asClient && sameOrder(children)
	case got.asClient && inOrder(order, len(client), func(i int) int { return children[i].client }):
		got.value, got.asServer = t.client, false
	default:
		elements := make([]*jsonvalue.Value, 0, len(order))
		for _, i := range order {
			elements = append(elements, children[i].merged)
		}
		got.value, got.asClient, got.asServer = jsonvalue.NewArray(elements...), false, false
	}
	m.children = m.children[:first]
	return got
}

// unmatched merges arrays of which one cannot be matched: as a whole, and what both sides have changed is a conflict.
func (m *merger) unmatched(t triple) outcome {
	got := m.whole(t)
	if got.clash != nil {
		got.clash.kind = InvalidKey
	}
	return got
}

// inOrder says if the arranged children are all that a side has, in its order.
func inOrder(order []int, count int, placeOf func(int) int) bool {
	if len(order) != count {
		return false
	}
	for at, i := range order {
		if placeOf(i) != at {
			return false
		}
	}
	return true
}

// sameOrder says if each child stands at the same place on both sides.
func sameOrder(children []child) bool {
	for i := range children {
		if children[i].client != children[i].server {
			return false
		}
	}
	return true
}
