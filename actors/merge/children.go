package merge

import (
	"slices"

	"concord/actors/jsonvalue"
)

// child is a member of an object, or an element of a keyed array, that client or server has.
type child struct {
	name                 string // or the token of its key
	merged               *jsonvalue.Value
	base, client, server int // its place on that side; missing if it has none
}

const missing = -1

// shared says if both sides have it.
func (c *child) shared() bool { return c.client != missing && c.server != missing }

// merge merges children by their names and pushes them: the server's in its order, then those that only the client has, in
// its order. The outcome has no value yet.
func (m *merger) merge(base, client, server []jsonvalue.Member, p *place) (got outcome, clashes []*clash) {
	inBase, inClient := finder{members: base}, finder{members: client}
	got = outcome{asClient: true, asServer: true}
	shared := 0
	first := len(m.children)
	m.children = slices.Grow(m.children, len(server))
	push := func(c child, t triple) {
		below := m.node(t, p.at(c.name))
		c.merged = below.value
		got.asClient = got.asClient && below.asClient
		got.asServer = got.asServer && below.asServer
		if below.clash != nil {
			below.clash.token = c.name
			clashes = append(clashes, below.clash)
		}
		m.children = append(m.children, c)
	}
	for i := range server {
		c := child{name: server[i].Name, server: i}
		t := triple{server: server[i].Value}
		c.client, t.client = inClient.find(c.name)
		c.base, t.base = inBase.find(c.name)
		if c.client != missing {
			shared++
		}
		push(c, t)
	}
	if shared == len(client) {
		return got, clashes
	}
	inServer := make([]bool, len(client))
	for _, c := range m.children[first:] {
		if c.client != missing {
			inServer[c.client] = true
		}
	}
	for i := range client {
		if inServer[i] {
			continue
		}
		c := child{name: client[i].Name, client: i, server: missing}
		t := triple{client: client[i].Value}
		c.base, t.base = inBase.find(c.name)
		push(c, t)
	}
	return got, clashes
}

// under makes one node of the clashes below it.
func under(clashes []*clash) *clash {
	if len(clashes) == 0 {
		return nil
	}
	return &clash{below: clashes}
}

// objects merges member by member. The order is the server's; what only the client has stands after its nearest predecessor
// on the client's side that is there, and after what the server has put there.
func (m *merger) objects(t triple, p *place) outcome {
	first := len(m.children)
	var base []jsonvalue.Member
	if t.base != nil {
		base = t.base.Members()
	}
	got, clashes := m.merge(base, t.client.Members(), t.server.Members(), p)
	got.clash = under(clashes)
	children := m.children[first:]
	switch {
	case got.asServer:
		got.value = t.server
	case got.asClient:
		got.value = t.client
	default:
		members := make([]jsonvalue.Member, 0, len(children))
		for _, i := range arrange(children, t.server.Len(), t.client.Len(), ServerSide) {
			members = append(members, jsonvalue.Member{Name: children[i].name, Value: children[i].merged})
		}
		got.value = jsonvalue.ObjectOf(members)
	}
	m.children = m.children[:first]
	return got
}

// finder finds members by name, many times. It first looks behind the last one found, since mostly the orders are alike.
type finder struct {
	members []jsonvalue.Member
	next    int
	places  map[string]int // made where a wide object has another order
}

// finderMinCount is the width from which an object is worth a map.
const finderMinCount = 16

func (f *finder) find(name string) (int, *jsonvalue.Value) {
	if f.next < len(f.members) && f.members[f.next].Name == name {
		f.next++
		return f.next - 1, f.members[f.next-1].Value
	}
	i := f.search(name)
	if i == missing {
		return missing, nil
	}
	f.next = i + 1
	return i, f.members[i].Value
}

func (f *finder) search(name string) int {
	if len(f.members) < finderMinCount {
		return slices.IndexFunc(f.members, func(m jsonvalue.Member) bool { return m.Name == name })
	}
	if f.places == nil {
		f.places = make(map[string]int, len(f.members))
		for i, m := range f.members {
			f.places[m.Name] = i
		}
	}
	if i, ok := f.places[name]; ok {
		return i
	}
	return missing
}
