package jsonvalue

// AnyToken stands in the paths of Project for exactly one level: each element or each member.
const AnyToken = "*"

// Project returns what is left of v when only the chosen fields are kept: each value that a path
// reaches, whole, and the arrays and objects on the way to it. A container on the way stays, with
// nothing else in it, even if the path ends there for want of a member; a scalar that a path would
// have to enter is left out. Members and elements keep their order; elements that are left out
// leave no gap. The result is nil if v itself is left out. v is not changed.
//
// The time is linear in the size of v times the number of paths, which the caller bounds.
func Project(v *Value, paths []Pointer) *Value {
	root := &choice{}
	for _, p := range paths {
		root.add(p)
	}
	return project(v, []*choice{root})
}

// choice is a node of the tree of the chosen paths.
type choice struct {
	whole bool // a path ends here
	next  map[string]*choice
}

func (c *choice) add(p Pointer) {
	for _, token := range p {
		if c.next == nil {
			c.next = map[string]*choice{}
		}
		if c.next[token] == nil {
			c.next[token] = &choice{}
		}
		c = c.next[token]
	}
	c.whole = true
}

// project keeps of v what any of the choices wants of it.
func project(v *Value, choices []*choice) *Value {
	if len(choices) == 0 {
		return nil
	}
	for _, c := range choices {
		if c.whole {
			return v
		}
	}
	switch v.kind {
	case Array:
		kept := &Value{kind: Array}
		for i, e := range v.elements {
			if e = project(e, below(choices, indexToken(i))); e != nil {
				kept.elements = append(kept.elements, e)
			}
		}
		return kept
	case Object:
		kept := &Value{kind: Object}
		for _, m := range v.members {
			if child := project(m.Value, below(choices, m.Name)); child != nil {
				kept.members = append(kept.members, Member{Name: m.Name, Value: child})
			}
		}
		return kept
	case Null, Bool, Number, String:
	}
	return nil
}

// below returns the choices one level down.
func below(choices []*choice, token string) []*choice {
	var next []*choice
	for _, c := range choices {
		if n := c.next[token]; n != nil {
			next = append(next, n)
		}
		if n := c.next[AnyToken]; n != nil && token != AnyToken {
			next = append(next, n)
		}
	}
	return next
}
