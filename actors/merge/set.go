package merge

import "concord/actors/jsonvalue"

// set merges arrays whose order and repetitions say nothing: the server's, less what the client removed, and then what it
// added, in its order.
func (m *merger) set(t triple) outcome {
	if !t.all(jsonvalue.Array) {
		return m.plain(t, nil)
	}
	if got := m.whole(t); got.clash == nil {
		return got
	}
	known := make(map[string]has, t.client.Len()+t.server.Len())
	know := func(array *jsonvalue.Value, side has) []string {
		contents := contentsOf(array)
		for _, c := range contents {
			known[c] |= side
		}
		return contents
	}
	know(t.base, hasBase)
	client, server := know(t.client, hasClient), know(t.server, hasServer)
	elements := make([]*jsonvalue.Value, 0, len(server))
	for i, e := range t.server.Elements() {
		if removed := known[server[i]]&(hasBase|hasClient) == hasBase; !removed {
			elements = append(elements, e)
		}
	}
	for i, e := range t.client.Elements() {
		if known[client[i]] == hasClient {
			known[client[i]] |= hasServer // from now on
			elements = append(elements, e)
		}
	}
	return t.settled(jsonvalue.NewArray(elements...))
}

// has says which sides have an element.
type has uint8

const (
	hasBase has = 1 << iota
	hasClient
	hasServer
)

// contentsOf returns what tells the elements from one another: what equal values share, and no others, to be looked up in
// a map, whose hashes nobody can foresee. Of a string it is the string; of all others it begins with a byte that no
// string has. A missing array has no elements.
func contentsOf(array *jsonvalue.Value) []string {
	if array == nil {
		return nil
	}
	contents := make([]string, 0, array.Len())
	var scratch []byte
	for _, e := range array.Elements() {
		content := e.Str()
		if e.Kind() != jsonvalue.String {
			scratch = jsonvalue.AppendIdentity(append(scratch[:0], notUTF8), e)
			content = string(scratch)
		}
		contents = append(contents, content)
	}
	return contents
}

const notUTF8 = 0xFF
