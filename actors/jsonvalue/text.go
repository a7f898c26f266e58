package jsonvalue

// AppendText appends v as compact JSON and returns the longer slice. Numbers and strings keep the
// spelling that they were parsed or made with: 1.0 stays 1.0 and an escape stays an escape. Names
// are written with no more escapes than needed. Parse of the result equals v, if v is nested no
// deeper than MaxDepth.
func (v *Value) AppendText(dst []byte) []byte {
	switch v.kind {
	case Array:
		dst = append(dst, '[')
		for i, e := range v.elements {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = e.AppendText(dst)
		}
		return append(dst, ']')
	case Object:
		dst = append(dst, '{')
		for i, m := range v.members {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendQuoted(dst, m.Name)
			dst = append(dst, ':')
			dst = m.Value.AppendText(dst)
		}
		return append(dst, '}')
	case Null, Bool, Number, String:
	}
	return append(dst, v.Literal()...)
}

// Text returns v as AppendText writes it.
func (v *Value) Text() []byte { return v.AppendText(make([]byte, 0, v.Size())) }

// Size returns the length of Text, in bytes, without making it. The time is linear in the tree.
func (v *Value) Size() int { return measure(v).bytes }

// Depth returns how many arrays and objects are nested in v: 0 for a scalar, 1 for [].
func (v *Value) Depth() int { return measure(v).depth }

// extent is what the bounds of a tree are about.
type extent struct {
	bytes  int // of Text
	depth  int // levels of arrays and objects
	values int // in the tree, v too
}

func measure(v *Value) extent {
	if v.kind != Array && v.kind != Object {
		return extent{bytes: len(v.Literal()), values: 1}
	}
	all := extent{bytes: len("[]") + max(0, v.Len()-1), depth: 1, values: 1}
	add := func(child *Value) {
		x := measure(child)
		all.bytes += x.bytes
		all.depth = max(all.depth, x.depth+1)
		all.values += x.values
	}
	for _, e := range v.elements {
		add(e)
	}
	for _, m := range v.members {
		all.bytes += quotedSize(m.Name) + len(":")
		add(m.Value)
	}
	return all
}
