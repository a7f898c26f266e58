package jsonvalue

import (
	"encoding/binary"
	"unicode/utf16"
	"unicode/utf8"
)

// text is JSON text: bytes in a request, a string in a Value.
type text interface{ ~[]byte | ~string }

// span is the body of a string literal, without its quotes.
type span struct {
	start, end int
	escaped    bool // a backslash is in it
}

// unescape returns what the body means. The result is valid until the next call.
func (s *scanner) unescape(body span) []byte {
	raw := s.text[body.start:body.end]
	if !body.escaped {
		return raw
	}
	s.scratch = appendUnescaped(s.scratch[:0], raw)
	return s.scratch
}

// stringLiteral scans the string at pos (RFC 8259, section 7).
func (s *scanner) stringLiteral() (span, *fault) {
	body := span{start: s.pos + 1}
	ascii := true
	for i := body.start; ; {
		i = plainEnd(s.text, i)
		if i >= len(s.text) {
			return span{}, &fault{offset: i, reason: reasonEnd}
		}
		switch c := s.text[i]; {
		case c == '"':
			body.end, s.pos = i, i+1
			if !ascii {
				return body, s.validUTF8(body)
			}
			return body, nil
		case c == '\\':
			next, f := s.escape(i)
			if f != nil {
				return span{}, f
			}
			body.escaped, i = true, next
		case c < ' ':
			return span{}, &fault{offset: i, reason: reasonControl}
		default:
			ascii = false
			i++
		}
	}
}

// plainEnd returns the first place from i on of a byte that is not plain, that is a quote, a
// backslash, a control character or not ASCII; len(b) if all are plain. It looks at eight bytes at
// a time: each test sets the high bit of the bytes that it means, and of none before them.
func plainEnd(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		word := binary.LittleEndian.Uint64(b[i:])
		quote := word ^ ones*'"'
		slash := word ^ ones*'\\'
		special := (quote - ones) | (slash - ones) | (word - ones*' ') | word
		if special&highs != 0 {
			break
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] < utf8.RuneSelf && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// validUTF8 looks at a whole body at once: quotes, escapes and control characters are ASCII, so
// none of them hides in a valid sequence.
func (s *scanner) validUTF8(body span) *fault {
	raw := s.text[body.start:body.end]
	if utf8.Valid(raw) {
		return nil
	}
	for i := 0; ; {
		r, size := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && size == 1 {
			return &fault{offset: body.start + i, reason: reasonUTF8}
		}
		i += size
	}
}

// escape scans the escape whose backslash is at i and returns the place after it.
func (s *scanner) escape(i int) (int, *fault) {
	if i+1 >= len(s.text) {
		return 0, &fault{offset: len(s.text), reason: reasonEnd}
	}
	switch s.text[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
		unit, ok := s.unit(i)
		if !ok {
			return 0, &fault{offset: i, reason: reasonEscape}
		}
		if !utf16.IsSurrogate(unit) {
			return i + escapeUnitBytes, nil
		}
		low, ok := s.unit(i + escapeUnitBytes)
		if !ok || utf16.DecodeRune(unit, low) == utf8.RuneError {
			return 0, &fault{offset: i, reason: reasonSurrogate}
		}
		return i + 2*escapeUnitBytes, nil
	default:
		return 0, &fault{offset: i, reason: reasonEscape}
	}
}

// escapeUnitBytes is the length of \u0000.
const escapeUnitBytes = 6

// unit reads \u and four hexadecimal digits at i.
func (s *scanner) unit(i int) (rune, bool) {
	if i+escapeUnitBytes > len(s.text) || s.text[i] != '\\' || s.text[i+1] != 'u' {
		return 0, false
	}
	digits := s.text[i+2 : i+escapeUnitBytes]
	for _, c := range digits {
		if !isDigit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return 0, false
		}
	}
	return hexUnit(digits), true
}

// hexUnit is the value of four hexadecimal digits.
func hexUnit[T text](digits T) rune {
	var r rune
	for i := range 4 {
		c := digits[i]
		if isDigit(c) {
			r = r<<4 | rune(c-'0')
		} else {
			r = r<<4 | rune(c|0x20-'a'+10)
		}
	}
	return r
}

// appendUnescaped appends what the body of a valid string literal means.
func appendUnescaped[T text](dst []byte, body T) []byte {
	for i := 0; i < len(body); {
		c := body[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		if body[i+1] != 'u' {
			dst = append(dst, unescapedByte(body[i+1]))
			i += 2
			continue
		}
		r := hexUnit(body[i+2:])
		i += escapeUnitBytes
		if utf16.IsSurrogate(r) {
			r = utf16.DecodeRune(r, hexUnit(body[i+2:]))
			i += escapeUnitBytes
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst
}

// unescapedByte is the meaning of the two-character escape that ends in c.
func unescapedByte(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	default: // the character itself: quote, backslash, slash
		return c
	}
}

// appendQuoted appends s as a string literal with no more escapes than RFC 8259, section 7, asks
// for. s is valid UTF-8.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, `\b`...)
		case '\f':
			dst = append(dst, `\f`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case '\t':
			dst = append(dst, `\t`...)
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	dst = append(dst, s[start:]...)
	return append(dst, '"')
}

// quotedSize is the length of what appendQuoted appends.
func quotedSize(s string) int {
	size := len(s) + 2
	for i := range len(s) {
		switch c := s[i]; {
		case c >= ' ' && c != '"' && c != '\\':
		case c == '"', c == '\\', c == '\b', c == '\f', c == '\n', c == '\r', c == '\t':
			size++
		default:
			size += escapeUnitBytes - 1
		}
	}
	return size
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
