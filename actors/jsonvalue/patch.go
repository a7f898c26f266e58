package jsonvalue

// The operations of RFC 6902, section 4.
const (
	OpAdd     = "add"
	OpRemove  = "remove"
	OpReplace = "replace"
	OpMove    = "move"
	OpCopy    = "copy"
	OpTest    = "test"
)

// Operation is one operation of a JSON Patch. From is used by move and copy only, Value by add,
// replace and test only.
type Operation struct {
	Op    string
	Path  Pointer
	From  Pointer
	Value *Value
}

// Patch is a JSON Patch (RFC 6902): operations to be applied in their order.
type Patch []Operation

// ParsePatch reads a patch document. It refuses with a *SyntaxError, whose Path names the operation
// and the member (such as /3/value), what Check refuses, what is no array of objects, an unknown
// op, and a member that the operation needs and that is missing or of the wrong type. Members that
// the operation does not define are ignored, whatever they are (RFC 6902, section 4).
func ParsePatch(text []byte) (Patch, error) {
	v, err := Parse(text)
	if err != nil {
		return nil, err
	}
	if v.Kind() != Array {
		return nil, &SyntaxError{Offset: -1, Reason: "a patch is an array of operations"}
	}
	p := make(Patch, 0, v.Len())
	for i, element := range v.Elements() {
		op, f := parseOperation(element)
		if f != nil {
			return nil, f.under(indexToken(i)).syntaxError()
		}
		p = append(p, op)
	}
	return p, nil
}

func parseOperation(v *Value) (Operation, *fault) {
	if v.Kind() != Object {
		return Operation{}, &fault{offset: -1, reason: "an operation is an object"}
	}
	name, f := stringMember(v, "op")
	if f != nil {
		return Operation{}, f
	}
	op := Operation{Op: name}
	if !op.known() {
		return Operation{}, misplaced("op", "unknown operation")
	}
	if op.Path, f = pointerMember(v, "path"); f != nil {
		return Operation{}, f
	}
	if op.takesFrom() {
		if op.From, f = pointerMember(v, "from"); f != nil {
			return Operation{}, f
		}
	}
	if op.takesValue() {
		value, ok := v.Get("value")
		if !ok {
			return Operation{}, misplaced("value", "missing member")
		}
		op.Value = value
	}
	return op, nil
}

func stringMember(v *Value, name string) (string, *fault) {
	member, ok := v.Get(name)
	switch {
	case !ok:
		return "", misplaced(name, "missing member")
	case member.Kind() != String:
		return "", misplaced(name, "not a string")
	default:
		return member.Str(), nil
	}
}

func pointerMember(v *Value, name string) (Pointer, *fault) {
	s, f := stringMember(v, name)
	if f != nil {
		return nil, f
	}
	p, reason := parsePointer(s)
	if reason != "" {
		return nil, misplaced(name, reason)
	}
	return p, nil
}

// misplaced is a fault in the member that name names.
func misplaced(name, reason string) *fault {
	f := &fault{offset: -1, reason: reason}
	return f.under(name)
}

func (op Operation) known() bool {
	return op.Op == OpRemove || op.takesFrom() || op.takesValue()
}

func (op Operation) takesFrom() bool { return op.Op == OpMove || op.Op == OpCopy }

func (op Operation) takesValue() bool {
	return op.Op == OpAdd || op.Op == OpReplace || op.Op == OpTest
}

// AppendText appends the patch document and returns the longer slice. ParsePatch of it gives p
// back, if Apply would take the operations as well formed.
func (p Patch) AppendText(dst []byte) []byte {
	dst = append(dst, '[')
	for i, op := range p {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = op.appendText(dst)
	}
	return append(dst, ']')
}

// Text returns p as AppendText writes it.
func (p Patch) Text() []byte { return p.AppendText(nil) }

func (op Operation) appendText(dst []byte) []byte {
	dst = append(dst, `{"op":`...)
	dst = appendQuoted(dst, op.Op)
	if op.takesFrom() {
		dst = append(dst, `,"from":`...)
		dst = appendQuoted(dst, op.From.String())
	}
	dst = append(dst, `,"path":`...)
	dst = appendQuoted(dst, op.Path.String())
	if op.takesValue() && op.Value != nil {
		dst = append(dst, `,"value":`...)
		dst = op.Value.AppendText(dst)
	}
	return append(dst, '}')
}
