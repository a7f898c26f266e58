package jsonvalue

import (
	"slices"
	"strings"
)

// Kind is the kind of a value (RFC 8259, section 3).
type Kind uint8

// The kinds. Null is the zero one: the zero Value is null.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

func (k Kind) String() string {
	return [...]string{"null", "boolean", "number", "string", "array", "object"}[k]
}

// Value is one JSON value. It is immutable once it is made, and may be shared by goroutines and by
// trees: edits return a new tree that shares what did not change. Where a comment allows a nil
// *Value, it means a missing one, which is not null; elsewhere nil panics.
//
// The values of one Parse share their memory: to keep a small part of a large tree for long, Parse
// its Text.
type Value struct {
	kind     Kind
	escaped  bool   // a string with a backslash in its literal
	literal  string // of booleans, numbers and strings
	members  []Member
	elements []*Value
}

// Member is a member of an object. Name is unescaped.
type Member struct {
	Name  string
	Value *Value
}

var (
	nullValue  = &Value{}
	falseValue = &Value{kind: Bool, literal: "false"}
	trueValue  = &Value{kind: Bool, literal: "true"}
)

// NewNull returns null.
func NewNull() *Value { return nullValue }

// NewBool returns true or false.
func NewBool(b bool) *Value {
	if b {
		return trueValue
	}
	return falseValue
}

// NewString returns the string s. Bytes of s that are not valid UTF-8 become U+FFFD.
func NewString(s string) *Value {
	s = strings.ToValidUTF8(s, "\uFFFD")
	literal := appendQuoted(make([]byte, 0, quotedSize(s)), s)
	return &Value{kind: String, escaped: len(literal) > len(s)+2, literal: string(literal)}
}

// NewNumber returns the number that literal spells (RFC 8259, section 6), with that spelling. Any
// other text is a *SyntaxError.
func NewNumber(literal string) (*Value, error) {
	s := scanner{text: []byte(literal)}
	if f := s.numberLiteral(); f != nil {
		return nil, f.syntaxError()
	}
	if s.pos < len(literal) {
		return nil, &SyntaxError{Offset: s.pos, Reason: reasonTrailing}
	}
	return &Value{kind: Number, literal: literal}, nil
}

// NewArray returns an array of the elements; nil ones are left out.
func NewArray(elements ...*Value) *Value {
	v := &Value{kind: Array, elements: make([]*Value, 0, len(elements))}
	for _, e := range elements {
		if e != nil {
			v.elements = append(v.elements, e)
		}
	}
	return v
}

// NewObject returns an object of the members, in their order. Members with a nil value are left
// out; of several with one name the first gives the place and the last the value. Bytes of a name
// that are not valid UTF-8 become U+FFFD.
func NewObject(members ...Member) *Value {
	v := &Value{kind: Object, members: make([]Member, 0, len(members))}
	places := make(map[string]int, len(members))
	for _, m := range members {
		if m.Value == nil {
			continue
		}
		m.Name = strings.ToValidUTF8(m.Name, "\uFFFD")
		if place, ok := places[m.Name]; ok {
			v.members[place].Value = m.Value
			continue
		}
		places[m.Name] = len(v.members)
		v.members = append(v.members, m)
	}
	return v
}

// ObjectOf returns an object of members that are known to be good, such as those of other objects: no name twice, no value
// nil. Unlike NewObject it checks nothing. It keeps the slice, which the caller must not write to any more.
func ObjectOf(members []Member) *Value { return &Value{kind: Object, members: members} }

// Kind returns the kind of v.
func (v *Value) Kind() Kind { return v.kind }

// Bool returns what a boolean means; false for other kinds.
func (v *Value) Bool() bool { return v.kind == Bool && v.literal == "true" }

// Str returns what a string means, unescaped; "" for other kinds.
func (v *Value) Str() string {
	if v.kind != String {
		return ""
	}
	body := v.literal[1 : len(v.literal)-1]
	if !v.escaped {
		return body
	}
	return string(appendUnescaped(make([]byte, 0, len(body)), body))
}

// Literal returns the spelling of a null, boolean, number or string (with its quotes and escapes);
// "" for arrays and objects.
func (v *Value) Literal() string {
	if v.kind == Null {
		return "null"
	}
	return v.literal
}

// Len returns the number of members or elements; 0 for other kinds.
func (v *Value) Len() int { return len(v.members) + len(v.elements) }

// Members returns the members of an object in the order of the text; none for other kinds. The
// caller must not write to the slice.
func (v *Value) Members() []Member { return slices.Clip(v.members) }

// Elements returns the elements of an array; none for other kinds. The caller must not write to
// the slice.
func (v *Value) Elements() []*Value { return slices.Clip(v.elements) }

// Get returns the member of an object that has the name, and false if v has none or is no object.
// The time is linear in the number of members.
func (v *Value) Get(name string) (*Value, bool) {
	if i := memberIndex(v.members, name); i >= 0 {
		return v.members[i].Value, true
	}
	return nil, false
}

func memberIndex(members []Member, name string) int {
	for i := range members {
		if members[i].Name == name {
			return i
		}
	}
	return -1
}

// With returns v with the member name set to child: in its place if v has the name, at the end if
// not. What is not an object, or nil, counts as the empty object; a nil child is Without. v is not
// changed.
func With(v *Value, name string, child *Value) *Value {
	if child == nil {
		return Without(v, name)
	}
	w := &Value{kind: Object}
	if v != nil {
		w.members = append(make([]Member, 0, len(v.members)+1), v.members...)
	}
	name = strings.ToValidUTF8(name, "\uFFFD")
	if i := memberIndex(w.members, name); i >= 0 {
		w.members[i].Value = child
	} else {
		w.members = append(w.members, Member{Name: name, Value: child})
	}
	return w
}

// Without returns v without the member name, and v itself if it is an object that has no such
// member. What is not an object, or nil, counts as the empty object. v is not changed.
func Without(v *Value, name string) *Value {
	if v == nil || v.kind != Object {
		return &Value{kind: Object}
	}
	i := memberIndex(v.members, name)
	if i < 0 {
		return v
	}
	return &Value{kind: Object, members: slices.Concat(v.members[:i], v.members[i+1:])}
}

// Hash returns the hash of v, equal to what Check returns for Text.
func (v *Value) Hash() Hash { return Hash(v.hash()) }

func (v *Value) hash() uint64 { return v.combine((*Value).hash) }

// combine computes the hash of v from those of its children.
func (v *Value) combine(hashOf func(*Value) uint64) uint64 {
	switch v.kind {
	case Bool:
		if v.Bool() {
			return hashTrue
		}
		return hashFalse
	case Number:
		return hashNumber(newDecimal(v.literal))
	case String:
		return hashString(hashText(v.Str()))
	case Array:
		hash := uint64(hashArrayStart)
		for _, e := range v.elements {
			hash = hashElement(hash, hashOf(e))
		}
		return hashArray(hash, len(v.elements))
	case Object:
		sum := uint64(0)
		for _, m := range v.members {
			sum += hashMember(hashText(m.Name), hashOf(m.Value))
		}
		return hashObject(sum, len(v.members))
	case Null:
	}
	return hashNull
}
