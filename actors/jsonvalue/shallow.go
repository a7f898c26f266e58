package jsonvalue

// RawMember is a member of an object, or an element of an array, with its value still as text: a slice of the text
// that was read.
type RawMember struct {
	Name string // empty for an element
	Text []byte
	Hash Hash
	Kind Kind
}

// Members reads an object as strictly as Check and returns its members in the order of the text, without building a
// tree: the way to open an envelope whose contents are kept as they came.
func Members(text []byte) ([]RawMember, error) {
	return shallow(text, '{', (*scanner).rawMembers)
}

// Elements reads an array in the same way.
func Elements(text []byte) ([]RawMember, error) {
	return shallow(text, '[', (*scanner).rawElements)
}

func shallow(text []byte, open byte, read func(*scanner) ([]RawMember, *fault)) ([]RawMember, error) {
	s := scanners.Get().(*scanner)
	defer s.release()
	s.text = text
	if s.skipSpace() != open {
		if _, err := Check(text); err != nil {
			return nil, err
		}
		return nil, (&fault{offset: s.pos, reason: "expected " + shapes[open]}).syntaxError()
	}
	s.pos++
	members, f := read(s)
	if f == nil && s.pos < len(text) {
		if s.skipSpace(); s.pos < len(text) {
			f = &fault{offset: s.pos, reason: reasonTrailing}
		}
	}
	if f != nil {
		return nil, f.syntaxError()
	}
	return members, nil
}

var shapes = map[byte]string{'{': "an object", '[': "an array"}

// rawMembers reads the members behind the opening brace, and the closing one.
func (s *scanner) rawMembers() (members []RawMember, f *fault) {
	if s.skipSpace() == '}' {
		s.pos++
		return nil, nil
	}
	for {
		m, f := s.rawMember(0) // the names of inner objects are forgotten when those close
		if f != nil {
			return nil, f
		}
		members = append(members, m)
		switch s.skipSpace() {
		case ',':
			s.pos++
			s.skipSpace()
		case '}':
			s.pos++
			return members, s.closeNames(0)
		default:
			return nil, s.unexpected()
		}
	}
}

func (s *scanner) rawMember(first int) (RawMember, *fault) {
	if s.peek() != '"' {
		return RawMember{}, s.unexpected()
	}
	body, f := s.stringLiteral()
	if f != nil {
		return RawMember{}, f
	}
	name := nameRef{span: body, hash: hashBytes(s.unescape(body))}
	if f := s.addName(first, name); f != nil {
		return RawMember{}, f
	}
	if s.skipSpace() != ':' {
		return RawMember{}, s.unexpected()
	}
	s.pos++
	s.skipSpace()
	m, f := s.raw()
	m.Name = s.nameText(name)
	if f != nil {
		return m, f.under(m.Name)
	}
	return m, nil
}

// rawElements reads the elements behind the opening bracket, and the closing one.
func (s *scanner) rawElements() (elements []RawMember, f *fault) {
	if s.skipSpace() == ']' {
		s.pos++
		return nil, nil
	}
	for {
		e, f := s.raw()
		if f != nil {
			return nil, f.under(indexToken(len(elements)))
		}
		elements = append(elements, e)
		switch s.skipSpace() {
		case ',':
			s.pos++
			s.skipSpace()
		case ']':
			s.pos++
			return elements, nil
		default:
			return nil, s.unexpected()
		}
	}
}

// raw reads the value at pos.
func (s *scanner) raw() (RawMember, *fault) {
	start := s.pos
	kind := kindOf(s.peek())
	hash, f := s.value(1)
	if f != nil {
		return RawMember{}, f
	}
	return RawMember{Text: s.text[start:s.pos], Hash: Hash(hash), Kind: kind}, nil
}

// kindOf is the kind of the value that begins with the byte.
func kindOf(first byte) Kind {
	switch first {
	case '{':
		return Object
	case '[':
		return Array
	case '"':
		return String
	case 'n':
		return Null
	case 't', 'f':
		return Bool
	default:
		return Number
	}
}
