package merge

import (
	"slices"
	"strings"

	"concord/actors/jsonvalue"
)

// dumb is the merge once more, written for clarity: paths instead of a trie, lists that are searched from the start each
// time, insertion of one element after the other. It is quadratic. The fast one must say the same in everything: values,
// spelling, order, conflicts.
type dumb struct {
	rules     []Rule
	at        jsonvalue.Pointer
	prefer    Side
	conflicts []Conflict
}

func dumbMerge(base, client, server *jsonvalue.Value, rules []Rule, at jsonvalue.Pointer, prefer Side) (*jsonvalue.Value, []Conflict) {
	d := &dumb{rules: rules, at: at, prefer: prefer}
	merged := d.merge(at, base, client, server)
	slices.SortFunc(d.conflicts, func(a, b Conflict) int { return slices.Compare(a.Path, b.Path) })
	if prefer == Neither && len(d.conflicts) > 0 {
		return nil, d.conflicts
	}
	return merged, d.conflicts
}

// merge takes the server's value where the result equals it, else the client's where it equals that.
func (d *dumb) merge(path jsonvalue.Pointer, b, c, s *jsonvalue.Value) *jsonvalue.Value {
	merged := d.byRule(path, b, c, s)
	switch {
	case jsonvalue.Equal(merged, s):
		return s
	case jsonvalue.Equal(merged, c):
		return c
	default:
		return merged
	}
}

func (d *dumb) byRule(path jsonvalue.Pointer, b, c, s *jsonvalue.Value) *jsonvalue.Value {
	r, ok := dumbRule(d.rules, d.at, path)
	clientChanged, serverChanged := !jsonvalue.Equal(b, c), !jsonvalue.Equal(b, s)
	switch {
	case !ok:
		return d.byNode(path, b, c, s, true)
	case r.Strategy == Atomic:
		return d.byNode(path, b, c, s, false)
	case r.Strategy == Server, r.Strategy == Client && !clientChanged:
		return s
	case r.Strategy == Client:
		return c
	case r.Strategy == Counter && is(jsonvalue.Number, c, s) && (b == nil || is(jsonvalue.Number, b)):
		if b == nil {
			b = jsonvalue.NewArray() // no number: it is not taken into the sum
		}
		return d.count(path, b, c, s)
	case (r.Strategy == Max || r.Strategy == Min) && is(jsonvalue.Number, c, s) && clientChanged && serverChanged:
		order := jsonvalue.CompareNumbers(c.Literal(), s.Literal())
		if r.Strategy == Max && order > 0 || r.Strategy == Min && order < 0 {
			return c
		}
		return s
	case r.Strategy == Set && is(jsonvalue.Array, c, s) && (b == nil || is(jsonvalue.Array, b)):
		return dumbSet(b, c, s)
	case r.Strategy == Keyed && is(jsonvalue.Array, c, s) && (b == nil || is(jsonvalue.Array, b)):
		return d.byKey(path, b, c, s, r.Key)
	default:
		return d.byNode(path, b, c, s, true)
	}
}

// dumbRule returns the most exact of the rules at a path. Nothing below a rule other than keyed has a rule, nor has the
// member that is the key of an element.
func dumbRule(rules []Rule, at, path jsonvalue.Pointer) (best Rule, found bool) {
	for length := len(at); length < len(path); length++ {
		above, ok := dumbMatch(rules, path[:length])
		if ok && above.Strategy != Keyed {
			return Rule{}, false
		}
		if ok && len(path) >= length+2 && path[length+1] == above.Key {
			return Rule{}, false
		}
	}
	return dumbMatch(rules, path)
}

func dumbMatch(rules []Rule, path jsonvalue.Pointer) (best Rule, found bool) {
	exactness := func(r Rule) string { // the greater, the more exact
		var b strings.Builder
		for _, token := range r.Path {
			if token == "*" {
				b.WriteByte('0')
			} else {
				b.WriteByte('1')
			}
		}
		return b.String()
	}
	for _, r := range rules {
		matches := len(r.Path) == len(path)
		for i := 0; matches && i < len(path); i++ {
			matches = r.Path[i] == "*" || r.Path[i] == path[i]
		}
		if matches && (!found || exactness(r) > exactness(best)) {
			best, found = r, true
		}
	}
	return best, found
}

func is(kind jsonvalue.Kind, values ...*jsonvalue.Value) bool {
	for _, v := range values {
		if v == nil || v.Kind() != kind {
			return false
		}
	}
	return true
}

func (d *dumb) byNode(path jsonvalue.Pointer, b, c, s *jsonvalue.Value, inside bool) *jsonvalue.Value {
	if inside && is(jsonvalue.Object, c, s) && (b == nil || is(jsonvalue.Object, b)) {
		names, values := d.children(path, list(b), list(c), list(s), false)
		var members []jsonvalue.Member
		for i, name := range names {
			members = append(members, jsonvalue.Member{Name: name, Value: values[i]})
		}
		return jsonvalue.NewObject(members...)
	}
	switch {
	case jsonvalue.Equal(c, s), jsonvalue.Equal(c, b):
		return s
	case jsonvalue.Equal(s, b):
		return c
	}
	kind := ModifyModify
	switch {
	case b == nil:
		kind = AddAdd
	case c == nil:
		kind = DeleteModify
	case s == nil:
		kind = ModifyDelete
	}
	return d.conflict(path, kind, b, c, s)
}

func (d *dumb) conflict(path jsonvalue.Pointer, kind Kind, b, c, s *jsonvalue.Value) *jsonvalue.Value {
	d.conflicts = append(d.conflicts, Conflict{slices.Clone(path), kind, b, c, s})
	if d.prefer == ClientSide {
		return c
	}
	return s
}

// count adds up. A base that is an array stands for a missing one.
func (d *dumb) count(path jsonvalue.Pointer, b, c, s *jsonvalue.Value) *jsonvalue.Value {
	switch {
	case jsonvalue.Equal(b, c):
		return s
	case jsonvalue.Equal(b, s):
		return c
	}
	minus := []*jsonvalue.Value{b}
	kind := ModifyModify
	if b.Kind() == jsonvalue.Array {
		minus, kind, b = nil, AddAdd, nil
	}
	if sum, ok := jsonvalue.Sum([]*jsonvalue.Value{s, c}, minus, sumMaxDigits); ok {
		return sum
	}
	return d.conflict(path, kind, b, c, s)
}

func dumbSet(b, c, s *jsonvalue.Value) *jsonvalue.Value {
	switch {
	case jsonvalue.Equal(c, s), jsonvalue.Equal(c, b):
		return s
	case jsonvalue.Equal(s, b):
		return c
	}
	has := func(elements []*jsonvalue.Value, v *jsonvalue.Value) bool {
		return slices.ContainsFunc(elements, func(e *jsonvalue.Value) bool { return jsonvalue.Equal(e, v) })
	}
	var before, merged []*jsonvalue.Value
	if b != nil {
		before = b.Elements()
	}
	for _, e := range s.Elements() {
		if !has(before, e) || has(c.Elements(), e) {
			merged = append(merged, e)
		}
	}
	for _, e := range c.Elements() {
		if !has(before, e) && !has(s.Elements(), e) && !has(merged, e) {
			merged = append(merged, e)
		}
	}
	return jsonvalue.NewArray(merged...)
}

func (d *dumb) byKey(path jsonvalue.Pointer, b, c, s *jsonvalue.Value, key string) *jsonvalue.Value {
	var sides [3][]jsonvalue.Member
	var keys []*jsonvalue.Value
	valid := true
	for i, v := range []*jsonvalue.Value{b, c, s} {
		if v == nil {
			continue
		}
		for _, e := range v.Elements() {
			k, ok := e.Get(key)
			if !ok || !is(jsonvalue.String, k) && !is(jsonvalue.Number, k) {
				valid = false
				continue
			}
			token := dumbToken(k)
			for _, m := range sides[i] {
				valid = valid && m.Name != token
			}
			for _, other := range keys {
				valid = valid && (dumbToken(other) != token || jsonvalue.Equal(other, k))
			}
			sides[i] = append(sides[i], jsonvalue.Member{Name: token, Value: e})
			keys = append(keys, k)
		}
	}
	if !valid {
		before := len(d.conflicts)
		merged := d.byNode(path, b, c, s, false)
		for i := before; i < len(d.conflicts); i++ {
			d.conflicts[i].Kind = InvalidKey
		}
		return merged
	}
	_, values := d.children(path, sides[0], sides[1], sides[2], true)
	return jsonvalue.NewArray(values...)
}

func dumbToken(key *jsonvalue.Value) string {
	if key.Kind() == jsonvalue.String {
		return key.Str()
	}
	return jsonvalue.CanonicalNumber(key.Literal())
}

func list(v *jsonvalue.Value) []jsonvalue.Member {
	if v == nil {
		return nil
	}
	return v.Members()
}

func get(members []jsonvalue.Member, name string) *jsonvalue.Value {
	for _, m := range members {
		if m.Name == name {
			return m.Value
		}
	}
	return nil
}

// children merges those of the same name, and puts what is left in order.
func (d *dumb) children(path jsonvalue.Pointer, b, c, s []jsonvalue.Member, ordered bool) (names []string, values []*jsonvalue.Value) {
	merged := map[string]*jsonvalue.Value{}
	for _, side := range [][]jsonvalue.Member{c, s} {
		for _, m := range side {
			if _, done := merged[m.Name]; !done {
				below := append(slices.Clone(path), m.Name)
				merged[m.Name] = d.merge(below, get(b, m.Name), get(c, m.Name), get(s, m.Name))
			}
		}
	}
	lead, other := s, c
	if ordered && dumbMoved(b, c, s) && !dumbMoved(b, s, c) {
		lead, other = c, s
	}
	for _, m := range lead {
		if get(other, m.Name) != nil && merged[m.Name] != nil {
			names = append(names, m.Name)
		}
	}
	// The client's first: the server's then get between them and their predecessor.
	for _, side := range [][]jsonvalue.Member{c, s} {
		after := ""
		for i, m := range side {
			if merged[m.Name] == nil {
				continue
			}
			if get(c, m.Name) == nil || get(s, m.Name) == nil {
				at := 0
				if slices.ContainsFunc(side[:i], func(p jsonvalue.Member) bool { return merged[p.Name] != nil }) {
					at = slices.Index(names, after) + 1
				}
				names = slices.Insert(names, at, m.Name)
			}
			after = m.Name
		}
	}
	for _, name := range names {
		values = append(values, merged[name])
	}
	return names, values
}

// dumbMoved says if the side has what all three have in another order than the base.
func dumbMoved(base, side, other []jsonvalue.Member) bool {
	for i, m := range side {
		for _, later := range side[i+1:] {
			if get(other, m.Name) == nil || get(other, later.Name) == nil {
				continue
			}
			first := slices.IndexFunc(base, func(b jsonvalue.Member) bool { return b.Name == m.Name })
			second := slices.IndexFunc(base, func(b jsonvalue.Member) bool { return b.Name == later.Name })
			if first > second && second >= 0 {
				return true
			}
		}
	}
	return false
}
