package merge

import "concord/actors/jsonvalue"

// elementsByKey turns the elements of base, client and server into members that have the tokens of the elements' keys for
// names. A missing array has none. It returns false if an element is no object, or has no key, or one that is neither a
// string nor a number, or if a token stands for two elements of a side, or for two keys: "1" and 1.
func elementsByKey(t triple, key string) (sides [3][]jsonvalue.Member, ok bool) {
	var kinds [jsonvalue.Object + 1]bool // of the keys
	for i, array := range []*jsonvalue.Value{t.base, t.client, t.server} {
		if array == nil {
			continue
		}
		members := make([]jsonvalue.Member, 0, array.Len())
		for _, e := range array.Elements() {
			k, ok := e.Get(key)
			if !ok {
				return sides, false
			}
			token, ok := keyToken(k)
			if !ok {
				return sides, false
			}
			kinds[k.Kind()] = true
			members = append(members, jsonvalue.Member{Name: token, Value: e})
		}
		sides[i] = members
	}
	if kinds[jsonvalue.String] && kinds[jsonvalue.Number] && ambiguous(sides, key) {
		return sides, false
	}
	return sides, unique(sides)
}

// keyToken is how a path names the element with the key.
func keyToken(key *jsonvalue.Value) (string, bool) {
	switch key.Kind() {
	case jsonvalue.String:
		return key.Str(), true
	case jsonvalue.Number:
		return jsonvalue.CanonicalNumber(key.Literal()), true
	case jsonvalue.Null, jsonvalue.Bool, jsonvalue.Array, jsonvalue.Object:
	}
	return "", false
}

// ambiguous says if a token stands for a string and for a number.
func ambiguous(sides [3][]jsonvalue.Member, key string) bool {
	kinds := map[string]jsonvalue.Kind{}
	for _, members := range sides {
		for _, m := range members {
			k, _ := m.Value.Get(key)
			if kind, known := kinds[m.Name]; known && kind != k.Kind() {
				return true
			}
			kinds[m.Name] = k.Kind()
		}
	}
	return false
}

// unique says if no side has a token twice. Mostly the sides have the same tokens in nearly the same order; so one map of
// the server's tells of those of the others, too.
func unique(sides [3][]jsonvalue.Member) bool {
	server := sides[2]
	places := make(map[string]int, len(server))
	for i, m := range server {
		places[m.Name] = i
	}
	if len(places) < len(server) {
		return false
	}
	for _, members := range sides[:2] {
		onServer := finder{members: server, places: places}
		seen := make([]bool, len(server))
		others := map[string]struct{}{} // that the server does not have
		for _, m := range members {
			i, _ := onServer.find(m.Name)
			if i != missing {
				if seen[i] {
					return false
				}
				seen[i] = true
				continue
			}
			if _, double := others[m.Name]; double {
				return false
			}
			others[m.Name] = struct{}{}
		}
	}
	return true
}
