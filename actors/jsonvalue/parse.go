package jsonvalue

import (
	"slices"
	"strings"
)

// Parse reads text, which must pass Check, into a tree. It refuses what Check refuses, with the
// same *SyntaxError, and before it has allocated anything for the tree. text is copied.
func Parse(text []byte) (*Value, error) {
	_, n, f := scan(text)
	if f != nil {
		return nil, f.syntaxError()
	}
	p := parser{
		text:     string(text),
		values:   make([]Value, 0, 1+n.members+n.elements),
		members:  make([]Member, 0, n.members),
		elements: make([]*Value, 0, n.elements),
	}
	p.skipSpace()
	return p.value(), nil
}

// parser builds the tree of a text that was checked, so that nothing can go wrong: it only finds
// where things end.
type parser struct {
	text string
	pos  int
	// values, members and elements have room for all of the text, so that what points into them
	// stays good.
	values   []Value
	members  []Member
	elements []*Value
	// openMembers and openElements are those of what is not closed yet, innermost last.
	openMembers  []Member
	openElements []*Value
}

func (p *parser) value() *Value {
	p.values = append(p.values, Value{})
	v := &p.values[len(p.values)-1]
	switch p.text[p.pos] {
	case '{':
		v.kind, v.members = Object, p.object()
	case '[':
		v.kind, v.elements = Array, p.array()
	case '"':
		v.kind, v.literal = String, p.stringLiteral()
		v.escaped = strings.IndexByte(v.literal, '\\') >= 0
	case 't':
		v.kind, v.literal = Bool, "true"
		p.pos += len("true")
	case 'f':
		v.kind, v.literal = Bool, "false"
		p.pos += len("false")
	case 'n':
		p.pos += len("null")
	default:
		v.kind, v.literal = Number, p.numberLiteral()
	}
	return v
}

func (p *parser) object() []Member {
	first := len(p.openMembers)
	for p.open(); p.text[p.pos] != '}'; p.next() {
		name := p.name()
		p.skipSpace()
		p.pos++ // colon
		p.skipSpace()
		p.openMembers = append(p.openMembers, Member{Name: name, Value: p.value()})
	}
	p.pos++
	start := len(p.members)
	p.members = append(p.members, p.openMembers[first:]...)
	p.openMembers = p.openMembers[:first]
	return slices.Clip(p.members[start:])
}

func (p *parser) array() []*Value {
	first := len(p.openElements)
	for p.open(); p.text[p.pos] != ']'; p.next() {
		p.openElements = append(p.openElements, p.value())
	}
	p.pos++
	start := len(p.elements)
	p.elements = append(p.elements, p.openElements[first:]...)
	p.openElements = p.openElements[:first]
	return slices.Clip(p.elements[start:])
}

// open skips the bracket and what white space follows.
func (p *parser) open() {
	p.pos++
	p.skipSpace()
}

// next skips the comma, if one follows, and white space.
func (p *parser) next() {
	p.skipSpace()
	if p.text[p.pos] == ',' {
		p.pos++
		p.skipSpace()
	}
}

func (p *parser) name() string {
	literal := p.stringLiteral()
	body := literal[1 : len(literal)-1]
	if strings.IndexByte(body, '\\') < 0 {
		return body
	}
	return string(appendUnescaped(make([]byte, 0, len(body)), body))
}

func (p *parser) stringLiteral() string {
	start := p.pos
	for p.pos++; p.text[p.pos] != '"'; p.pos++ {
		if p.text[p.pos] == '\\' {
			p.pos++
		}
	}
	p.pos++
	return p.text[start:p.pos]
}

func (p *parser) numberLiteral() string {
	start := p.pos
	for p.pos < len(p.text) {
		switch c := p.text[p.pos]; {
		case isDigit(c), c == '-', c == '+', c == '.', c|0x20 == 'e':
			p.pos++
		default:
			return p.text[start:p.pos]
		}
	}
	return p.text[start:]
}

func (p *parser) skipSpace() {
	for p.pos < len(p.text) {
		switch p.text[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}
