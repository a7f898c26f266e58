package marc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// parser takes one ISO 2709 record apart. After an error, at is the byte of the record where the
// defect was seen.
type parser struct {
	at    int
	body  string
	base  int    // base address of data: directory entries count from here
	spans []span // one for each directory entry, in the order of the directory
	order []span // the same in the order of the data; kept to be reused
}

// span is the place of one field in the body, its terminator included.
type span struct {
	tag        string
	start, end int
	entryAt    int // where its directory entry is
}

// parse reads body, which ends with its only record terminator and is as long as its leader says.
// The record keeps body, or parts of it, alive.
func (p *parser) parse(body string) (Record, error) {
	p.body, p.at = body, 0
	leader := body[:leaderBytes]
	if err := checkLeader(leader); err != nil {
		return Record{}, err
	}
	if err := checkStructure(leader); err != nil {
		return Record{}, err
	}
	if err := p.checkCoding(leader[codingSchemeAt]); err != nil {
		return Record{}, err
	}
	if err := p.readDirectory(); err != nil {
		return Record{}, err
	}
	if err := p.checkTiling(); err != nil {
		return Record{}, err
	}
	fields, err := p.readFields()
	return Record{Leader: leader, Fields: fields}, err
}

// checkStructure refuses leaders whose directory cannot be read as that of a MARC 21 record.
func checkStructure(leader string) error {
	if got := leader[countsAt:][:len(counts)]; got != counts {
		return fmt.Errorf("leader/10-11 is %q, want %q: two indicators and subfield codes of two bytes", got, counts)
	}
	if got := leader[entryMapAt:][:len(entryMap)]; got != entryMap {
		return fmt.Errorf("leader/20-22 is %q, want %q: the entry map of MARC 21", got, entryMap)
	}
	return nil
}

// checkCoding sees to it that the text of the record is UTF-8. Blank in leader/09 is MARC-8, which is
// the same as UTF-8 as long as only ASCII is used, and no escape to another character set.
func (p *parser) checkCoding(scheme byte) error {
	switch scheme {
	case codingUTF8:
		if p.at = firstInvalidUTF8(p.body); p.at < len(p.body) {
			return fmt.Errorf("byte %#02x is not valid UTF-8", p.body[p.at])
		}
	case codingMARC8:
		isMARC8 := func(r rune) bool { return r >= utf8.RuneSelf || r == 0x1B }
		if at := strings.IndexFunc(p.body, isMARC8); at >= 0 {
			p.at = at
			return ErrMARC8
		}
	default:
		p.at = codingSchemeAt
		return fmt.Errorf("leader/09 is %q, want 'a' for UTF-8", scheme)
	}
	return nil
}

// firstInvalidUTF8 returns the place of the first byte of s that is not UTF-8, or len(s).
func firstInvalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return len(s)
	}
	for at := 0; at < len(s); {
		r, size := utf8.DecodeRuneInString(s[at:])
		if r == utf8.RuneError && size == 1 {
			return at
		}
		at += size
	}
	return len(s)
}

func (p *parser) readDirectory() error {
	p.at = baseAddressAt
	base, ok := number(p.body[baseAddressAt:][:startDigits])
	if !ok {
		return fmt.Errorf("base address in leader/12-16 is %q, want five digits", p.body[baseAddressAt:][:startDigits])
	}
	if base <= leaderBytes || base >= len(p.body) {
		return fmt.Errorf("base address in leader/12-16 is %d, outside of the record of %d bytes", base, len(p.body))
	}
	if p.at = base - 1; p.body[p.at] != fieldTerminator {
		return fmt.Errorf("directory ends with %#02x, want a field terminator", p.body[p.at])
	}
	directory := p.body[leaderBytes : base-1]
	if p.at = leaderBytes; len(directory)%directoryEntryBytes != 0 {
		return fmt.Errorf("directory has %d bytes, no multiple of %d", len(directory), directoryEntryBytes)
	}
	p.base, p.spans = base, p.spans[:0]
	for ; directory != ""; directory = directory[directoryEntryBytes:] {
		s, err := p.readEntry(directory[:directoryEntryBytes])
		if err != nil {
			return fmt.Errorf("directory entry %d (%q): %w", len(p.spans)+1, directory[:tagBytes], err)
		}
		p.spans = append(p.spans, s)
		p.at += directoryEntryBytes
	}
	return nil
}

func (p *parser) readEntry(entry string) (span, error) {
	tag := entry[:tagBytes]
	if err := checkTag(tag); err != nil {
		return span{}, err
	}
	length, ok := number(entry[tagBytes:][:lengthDigits])
	if !ok || length == 0 {
		return span{}, fmt.Errorf("field length is %q, want four digits, not all 0", entry[tagBytes:][:lengthDigits])
	}
	start, ok := number(entry[tagBytes+lengthDigits:])
	if !ok {
		return span{}, fmt.Errorf("start of field is %q, want five digits", entry[tagBytes+lengthDigits:])
	}
	start += p.base
	if end := len(p.body) - 1; start+length > end {
		return span{}, fmt.Errorf("field at bytes %d to %d is outside of the data, which ends at %d", start, start+length, end)
	}
	return span{tag: tag, start: start, end: start + length, entryAt: p.at}, nil
}

// checkTiling sees to it that every byte of the data belongs to one field. A gap would be lost without
// a word; an overlap would let a record of 100 KB grow to hundreds of megabytes. The order of the
// fields in the data is free (ISO 2709), the order of the directory is that of the record.
func (p *parser) checkTiling() error {
	p.order = append(p.order[:0], p.spans...)
	slices.SortStableFunc(p.order, func(a, b span) int { return a.start - b.start })
	next := p.base
	for _, s := range p.order {
		p.at = s.entryAt
		if s.start < next {
			return fmt.Errorf("field %q begins at byte %d, inside of the field before it, which ends at %d", s.tag, s.start, next)
		}
		if s.start > next {
			return fmt.Errorf("field %q begins at byte %d, and the bytes from %d on belong to no field", s.tag, s.start, next)
		}
		next = s.end
	}
	if end := len(p.body) - 1; next != end {
		p.at = next
		return fmt.Errorf("bytes %d to %d belong to no field", next, end)
	}
	return nil
}

func (p *parser) readFields() ([]Field, error) {
	if len(p.spans) == 0 {
		return nil, nil
	}
	fields := make([]Field, len(p.spans))
	subfields := make([]Subfield, 0, strings.Count(p.body, string(rune(subfieldDelimiter))))
	for i, s := range p.spans {
		end := s.start + strings.IndexByte(p.body[s.start:s.end], fieldTerminator)
		if p.at = s.end - 1; end < s.start {
			return nil, fmt.Errorf("field %d (%q) ends without a field terminator", i+1, s.tag)
		}
		if end < p.at {
			p.at = end
			return nil, fmt.Errorf("field %d (%q) has a field terminator before its end", i+1, s.tag)
		}
		p.at = s.start
		field, err := p.readField(s.tag, p.body[s.start:s.end-1], &subfields)
		if err != nil {
			return nil, fmt.Errorf("field %d (%q): %w", i+1, s.tag, err)
		}
		fields[i] = field
	}
	return fields, nil
}

// readField reads the text of one field, which begins at p.at. The subfields of all fields of a record
// come out of one allocation; none can be appended into the room of the next.
func (p *parser) readField(tag, text string, subfields *[]Subfield) (Field, error) {
	if isControlTag(tag) {
		if i := strings.IndexByte(text, subfieldDelimiter); i >= 0 {
			p.at += i
			return Field{}, errors.New("subfield delimiter in a control field")
		}
		return Field{Tag: tag, Value: text}, nil
	}
	if len(text) < indicatorBytes {
		return Field{}, fmt.Errorf("data field of %d bytes has no two indicators", len(text))
	}
	f := Field{Tag: tag, Ind1: text[0], Ind2: text[1]}
	for _, ind := range []byte{f.Ind1, f.Ind2} {
		if err := checkIndicator(ind); err != nil {
			return Field{}, err
		}
		p.at++
	}
	first := len(*subfields)
	for text = text[indicatorBytes:]; text != ""; {
		s, rest, err := readSubfield(text)
		if err != nil {
			return Field{}, err
		}
		*subfields = append(*subfields, s)
		p.at += len(text) - len(rest)
		text = rest
	}
	if last := len(*subfields); last > first {
		f.Subfields = (*subfields)[first:last:last]
	}
	return f, nil
}

// readSubfield cuts the first subfield off text, which is not empty.
func readSubfield(text string) (s Subfield, rest string, err error) {
	if text[0] != subfieldDelimiter {
		return Subfield{}, "", fmt.Errorf("%#02x before the first subfield, want a subfield delimiter", text[0])
	}
	text = text[1:]
	end := strings.IndexByte(text, subfieldDelimiter)
	if end < 0 {
		end = len(text)
	}
	if end == 0 {
		return Subfield{}, "", errors.New("subfield without a code")
	}
	if err := checkCode(text[0]); err != nil {
		return Subfield{}, "", err
	}
	return Subfield{Code: text[0], Value: text[1:end]}, text[end:], nil
}

// number reads decimal digits, and nothing else: no sign, no blanks.
func number(digits string) (n int, ok bool) {
	for i := range len(digits) {
		if !isDigit(digits[i]) {
			return 0, false
		}
		n = n*10 + int(digits[i]-'0')
	}
	return n, true
}
