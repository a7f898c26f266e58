package jsonvalue

import "slices"

// refusal is a PatchError in the making.
type refusal struct {
	at     Pointer
	reason string
	cause  error
}

// editor applies operations to one document. It copies an array or object the first time that it
// writes to it and writes to its own copy from then on, so that many operations on one wide object
// copy it once.
type editor struct {
	limits Limits
	root   *Value
	// owned are the copies. Each is reached in one way only, from root through other copies.
	owned map[*Value]struct{}
	// bytes is the Size of root.
	bytes int
	// startBytes was the Size of the document.
	startBytes int
	steps      int
}

func newEditor(v *Value, limits Limits) *editor {
	x := measure(v)
	return &editor{
		limits:     limits,
		root:       v,
		owned:      map[*Value]struct{}{},
		bytes:      x.bytes,
		startBytes: x.bytes,
		steps:      x.values,
	}
}

// step applies the operation at index and checks the bounds after it.
func (e *editor) step(index int, op Operation, last bool) *refusal {
	if index >= e.limits.MaxOperations {
		return &refusal{at: op.Path, reason: "too many operations", cause: ErrLimit}
	}
	if r := e.apply(op); r != nil {
		return r
	}
	maxBytes := e.limits.MaxBytes
	if !last {
		maxBytes *= 2
	}
	switch {
	case e.bytes > max(maxBytes, e.startBytes):
		return &refusal{at: op.Path, reason: "document grows too large", cause: ErrLimit}
	case e.steps > e.limits.MaxSteps:
		return &refusal{at: op.Path, reason: "patch takes too much work", cause: ErrLimit}
	default:
		return nil
	}
}

func (e *editor) apply(op Operation) *refusal {
	if op.takesValue() && op.Value == nil {
		return &refusal{at: op.Path, reason: "no value", cause: ErrOperation}
	}
	switch op.Op {
	case OpAdd:
		return e.add(op.Path, op.Value)
	case OpRemove:
		_, r := e.remove(op.Path)
		return r
	case OpReplace:
		return e.replace(op.Path, op.Value)
	case OpMove:
		return e.move(op.From, op.Path)
	case OpCopy:
		return e.copy(op.From, op.Path)
	case OpTest:
		return e.test(op.Path, op.Value)
	default:
		return &refusal{at: op.Path, reason: "unknown operation", cause: ErrOperation}
	}
}

// add is RFC 6902, section 4.1.
func (e *editor) add(path Pointer, value *Value) *refusal {
	size, r := e.measure(path, value)
	if r != nil {
		return r
	}
	if len(path) == 0 {
		e.root, e.bytes = value, size
		return nil
	}
	parent, r := e.parent(path)
	if r != nil {
		return r
	}
	token := path[len(path)-1]
	switch parent.kind {
	case Object:
		if slot := e.slot(parent, token); slot != nil {
			e.put(slot, value, size)
			return nil
		}
		e.bytes += size + quotedSize(token) + len(":") + comma(parent.Len())
		parent.members = append(parent.members, Member{Name: token, Value: value})
		return nil
	case Array:
		i, ok := parseIndex(token)
		if token == "-" {
			i, ok = len(parent.elements), true
		}
		if !ok || i > len(parent.elements) {
			return missing(parent, path)
		}
		e.steps += len(parent.elements) - i
		e.bytes += size + comma(parent.Len())
		parent.elements = slices.Insert(parent.elements, i, value)
		return nil
	case Null, Bool, Number, String:
	}
	return missing(parent, path)
}

// remove is RFC 6902, section 4.2. It returns what it removed.
func (e *editor) remove(path Pointer) (*Value, *refusal) {
	if len(path) == 0 {
		reason := "the whole document cannot be removed"
		return nil, &refusal{at: path, reason: reason, cause: ErrOperation}
	}
	parent, r := e.parent(path)
	if r != nil {
		return nil, r
	}
	token := path[len(path)-1]
	slot := e.slot(parent, token)
	if slot == nil {
		return nil, missing(parent, path)
	}
	value := *slot
	x := measure(value)
	e.steps += x.values + parent.Len()
	e.bytes -= x.bytes + comma(parent.Len()-1)
	if parent.kind == Object {
		e.bytes -= quotedSize(token) + len(":")
		i := memberIndex(parent.members, token)
		parent.members = slices.Delete(parent.members, i, i+1)
	} else {
		i, _ := parseIndex(token)
		parent.elements = slices.Delete(parent.elements, i, i+1)
	}
	return value, nil
}

// replace is RFC 6902, section 4.3.
func (e *editor) replace(path Pointer, value *Value) *refusal {
	if len(path) == 0 {
		return e.add(path, value)
	}
	size, r := e.measure(path, value)
	if r != nil {
		return r
	}
	parent, r := e.parent(path)
	if r != nil {
		return r
	}
	slot := e.slot(parent, path[len(path)-1])
	if slot == nil {
		return missing(parent, path)
	}
	e.put(slot, value, size)
	return nil
}

// move is RFC 6902, section 4.4.
func (e *editor) move(from, path Pointer) *refusal {
	if slices.Equal(from, path) {
		_, r := e.find(from)
		return r
	}
	if from.properPrefixOf(path) {
		return &refusal{at: path, reason: "a value cannot be moved into itself", cause: ErrOperation}
	}
	value, r := e.remove(from)
	if r != nil {
		return r
	}
	return e.add(path, value)
}

// copy is RFC 6902, section 4.5.
func (e *editor) copy(from, path Pointer) *refusal {
	value, r := e.find(from)
	if r != nil {
		return r
	}
	if value.Len() > 0 { // it will be reached in two ways
		e.owned = map[*Value]struct{}{}
	}
	return e.add(path, value)
}

// test is RFC 6902, section 4.6.
func (e *editor) test(path Pointer, want *Value) *refusal {
	value, r := e.find(path)
	if r != nil {
		return r
	}
	if !Equal(value, want) {
		return &refusal{at: path, reason: "value differs", cause: ErrTest}
	}
	return nil
}

// find returns the value at path.
func (e *editor) find(path Pointer) (*Value, *refusal) {
	node := e.root
	for i, token := range path {
		slot := e.slot(node, token)
		if slot == nil {
			return nil, missing(node, path[:i+1])
		}
		node = *slot
	}
	return node, nil
}

// parent returns what holds the value at path, ready to be written to.
func (e *editor) parent(path Pointer) (*Value, *refusal) {
	e.root = e.own(e.root)
	node := e.root
	for i, token := range path[:len(path)-1] {
		slot := e.slot(node, token)
		if slot == nil {
			return nil, missing(node, path[:i+1])
		}
		*slot = e.own(*slot)
		node = *slot
	}
	return node, nil
}

// own returns the editor's copy of v, which is v if it is one. Scalars are never written to.
func (e *editor) own(v *Value) *Value {
	if v.kind != Array && v.kind != Object {
		return v
	}
	if _, ok := e.owned[v]; ok {
		return v
	}
	w := &Value{kind: v.kind, members: slices.Clone(v.members), elements: slices.Clone(v.elements)}
	e.owned[w] = struct{}{}
	e.steps += v.Len()
	return w
}

// slot returns where v holds the member or element that token names, or nil.
func (e *editor) slot(v *Value, token string) **Value {
	switch v.kind {
	case Object:
		i := memberIndex(v.members, token)
		if i < 0 {
			e.steps += len(v.members)
			return nil
		}
		e.steps += i + 1
		return &v.members[i].Value
	case Array:
		if i, ok := parseIndex(token); ok && i < len(v.elements) {
			return &v.elements[i]
		}
	case Null, Bool, Number, String:
	}
	return nil
}

// put writes value, of the given size, over what the slot holds.
func (e *editor) put(slot **Value, value *Value, size int) {
	old := measure(*slot)
	e.steps += old.values
	e.bytes += size - old.bytes
	*slot = value
}

// measure returns the size of value and refuses it if it would be too deep at path.
func (e *editor) measure(path Pointer, value *Value) (int, *refusal) {
	x := measure(value)
	e.steps += x.values
	if len(path)+x.depth > e.limits.MaxDepth {
		return 0, &refusal{at: path, reason: "document grows too deep", cause: ErrLimit}
	}
	return x.bytes, nil
}

// missing says why parent has nothing, or no place, at path.
func missing(parent *Value, path Pointer) *refusal {
	reason := "not inside an object or array, but a " + parent.kind.String()
	switch parent.kind {
	case Object:
		reason = "no such member"
	case Array:
		reason = "no such element"
	case Null, Bool, Number, String:
	}
	return &refusal{at: path, reason: reason, cause: ErrTarget}
}

// comma is the size of what separates a child from others.
func comma(others int) int { return min(others, 1) }
