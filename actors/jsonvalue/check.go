package jsonvalue

import "sync"

// Hash is the hash of a value, not of its spelling: equal values have equal hashes, so different
// hashes prove different values; equal hashes must be followed by Equal, for anybody can make a
// collision. It has no seed: a value has the same hash in every process, and a golden test guards
// that it keeps it.
type Hash uint64

// Check reads text once and returns the hash of its value, the same as Parse and Value.Hash give,
// or a *SyntaxError. It builds no tree: a text of usual size costs no allocation, a wide object one
// list of its names.
//
// text must be one JSON value (RFC 8259) and nothing after it but white space: valid UTF-8, no
// unpaired surrogate (RFC 7493, section 2.1), no member name twice in one object (section 2.3;
// names are compared after unescaping), nesting of at most MaxDepth. A byte order mark is refused.
// The time is linear in len(text), apart from the sorting of the names of wide objects; no input
// makes it quadratic.
//
// Measured (BenchmarkCheck, BenchmarkJSONText; one core of a Xeon, a record of 1 KiB): Check takes
// 2.6 µs and allocates nothing; jsontext's Value.IsValid, which gives no hash, takes 1.8 µs; the
// same hash over the tokens of a jsontext.Decoder takes 5.5 µs. Hence a scanner of our own.
func Check(text []byte) (Hash, error) {
	hash, _, f := scan(text)
	if f != nil {
		return 0, f.syntaxError()
	}
	return Hash(hash), nil
}

// scan reads text and returns the hash of its value and what it counted.
func scan(text []byte) (hash uint64, n counts, f *fault) {
	s := scanners.Get().(*scanner)
	s.text = text
	hash, f = s.document()
	n = s.counts
	s.release()
	return hash, n, f
}

// counts are the members of all objects and the elements of all arrays of a text.
type counts struct{ members, elements int }

// scanner walks one text and hashes what it reads. One scanner serves one call at a time.
type scanner struct {
	text    []byte
	pos     int
	names   []nameRef // of all open objects, innermost last
	scratch []byte    // the last string that had escapes, unescaped
	counts  counts    // so far
}

// scanners keeps the lists of names and the buffers of earlier calls, so that Check allocates
// nothing; its contents do not show.
var scanners = sync.Pool{New: func() any { return new(scanner) }}

// The largest list and buffer that wait for another call.
const (
	namesKeptMaxCount   = 4096
	scratchKeptMaxBytes = 64 << 10
)

func (s *scanner) release() {
	kept := scanner{}
	if cap(s.names) <= namesKeptMaxCount {
		kept.names = s.names[:0]
	}
	if cap(s.scratch) <= scratchKeptMaxBytes {
		kept.scratch = s.scratch[:0]
	}
	*s = kept
	scanners.Put(s)
}

// document scans the whole text.
func (s *scanner) document() (uint64, *fault) {
	s.skipSpace()
	hash, f := s.value(0)
	if f != nil {
		return 0, f
	}
	s.skipSpace()
	if s.pos < len(s.text) {
		return 0, &fault{offset: s.pos, reason: reasonTrailing}
	}
	return hash, nil
}

// value scans the value at pos, which stands inside depth arrays and objects.
func (s *scanner) value(depth int) (uint64, *fault) {
	switch c := s.peek(); {
	case c == '"':
		body, f := s.stringLiteral()
		if f != nil {
			return 0, f
		}
		return hashString(hashBytes(s.unescape(body))), nil
	case c == '-' || isDigit(c):
		start := s.pos
		if f := s.numberLiteral(); f != nil {
			return 0, f
		}
		return hashNumber(newDecimal(s.text[start:s.pos])), nil
	case c == '{':
		return s.object(depth + 1)
	case c == '[':
		return s.array(depth + 1)
	case c == 't':
		return hashTrue, s.word("true")
	case c == 'f':
		return hashFalse, s.word("false")
	case c == 'n':
		return hashNull, s.word("null")
	default:
		return 0, s.unexpected()
	}
}

func (s *scanner) array(depth int) (uint64, *fault) {
	if depth > MaxDepth {
		return 0, &fault{offset: s.pos, reason: reasonDepth}
	}
	s.pos++
	if s.skipSpace() == ']' {
		s.pos++
		return hashArray(hashArrayStart, 0), nil
	}
	hash := uint64(hashArrayStart)
	for n := 0; ; n++ {
		element, f := s.value(depth)
		if f != nil {
			return 0, f.under(indexToken(n))
		}
		hash = hashElement(hash, element)
		s.counts.elements++
		switch s.skipSpace() {
		case ',':
			s.pos++
			s.skipSpace()
		case ']':
			s.pos++
			return hashArray(hash, n+1), nil
		default:
			return 0, s.unexpected()
		}
	}
}

func (s *scanner) object(depth int) (uint64, *fault) {
	if depth > MaxDepth {
		return 0, &fault{offset: s.pos, reason: reasonDepth}
	}
	s.pos++
	if s.skipSpace() == '}' {
		s.pos++
		return hashObject(0, 0), nil
	}
	first := len(s.names)
	for sum := uint64(0); ; {
		member, f := s.member(first, depth)
		if f != nil {
			return 0, f
		}
		sum += member
		switch s.skipSpace() {
		case ',':
			s.pos++
			s.skipSpace()
		case '}':
			s.pos++
			count := len(s.names) - first
			if f := s.closeNames(first); f != nil {
				return 0, f
			}
			return hashObject(sum, count), nil
		default:
			return 0, s.unexpected()
		}
	}
}

// member scans `"name": value` in the object whose names begin at first.
func (s *scanner) member(first, depth int) (uint64, *fault) {
	if s.peek() != '"' {
		return 0, s.unexpected()
	}
	body, f := s.stringLiteral()
	if f != nil {
		return 0, f
	}
	name := nameRef{span: body, hash: hashBytes(s.unescape(body))}
	if f := s.addName(first, name); f != nil {
		return 0, f
	}
	if s.skipSpace() != ':' {
		return 0, s.unexpected()
	}
	s.pos++
	s.skipSpace()
	value, f := s.value(depth)
	if f != nil {
		return 0, f.under(s.nameText(name))
	}
	s.counts.members++
	return hashMember(name.hash, value), nil
}

// word scans one of the three literal names.
func (s *scanner) word(word string) *fault {
	for i := range len(word) {
		if s.peek() != word[i] {
			return s.unexpected()
		}
		s.pos++
	}
	return nil
}

// peek returns the byte at pos, and 0, which no rule of the grammar expects, at the end.
func (s *scanner) peek() byte {
	if s.pos < len(s.text) {
		return s.text[s.pos]
	}
	return 0
}

// skipSpace skips white space (RFC 8259, section 2) and returns the byte after it, like peek.
func (s *scanner) skipSpace() byte {
	for s.pos < len(s.text) {
		switch c := s.text[s.pos]; c {
		case ' ', '\t', '\n', '\r':
			s.pos++
		default:
			return c
		}
	}
	return 0
}

// unexpected is the fault at pos.
func (s *scanner) unexpected() *fault {
	if s.pos >= len(s.text) {
		return &fault{offset: len(s.text), reason: reasonEnd}
	}
	return &fault{offset: s.pos, reason: reasonCharacter}
}
