package jsonvalue

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Pointer is a JSON Pointer (RFC 6901): the unescaped reference tokens from the root down. The
// empty pointer, nil or not, is the whole document.
type Pointer []string

// ParsePointer reads the string form of RFC 6901, section 3. A pointer that is neither empty nor
// begins with a slash, has a ~ before anything but 0 or 1, or is not valid UTF-8 is a *SyntaxError.
func ParsePointer(s string) (Pointer, error) {
	p, reason := parsePointer(s)
	if reason != "" {
		return nil, &SyntaxError{Offset: -1, Reason: reason}
	}
	return p, nil
}

// parsePointer returns the pointer, or the reason why s is none.
func parsePointer(s string) (p Pointer, reason string) {
	switch {
	case s == "":
		return Pointer{}, ""
	case s[0] != '/':
		return nil, "pointer does not begin with a slash"
	case !utf8.ValidString(s):
		return nil, reasonUTF8
	}
	p = make(Pointer, 0, strings.Count(s, "/"))
	for token := range strings.SplitSeq(s[1:], "/") {
		for i := range len(token) {
			if token[i] == '~' && (i+1 == len(token) || token[i+1] != '0' && token[i+1] != '1') {
				return nil, "pointer has a ~ that is neither ~0 nor ~1"
			}
		}
		p = append(p, unescapeToken(token))
	}
	return p, ""
}

// unescapeToken undoes ~1 before ~0, so that ~01 becomes ~1 (RFC 6901, section 4).
func unescapeToken(token string) string {
	if !strings.Contains(token, "~") {
		return token
	}
	return strings.ReplaceAll(strings.ReplaceAll(token, "~1", "/"), "~0", "~")
}

// String returns the string form; ParsePointer gives p back.
func (p Pointer) String() string {
	var b []byte
	for _, token := range p {
		b = appendToken(b, token)
	}
	return string(b)
}

// appendToken appends a slash and the escaped token.
func appendToken(dst []byte, token string) []byte {
	dst = append(dst, '/')
	for i := range len(token) {
		switch c := token[i]; c {
		case '~':
			dst = append(dst, "~0"...)
		case '/':
			dst = append(dst, "~1"...)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// properPrefixOf says if q lies strictly inside what p names.
func (p Pointer) properPrefixOf(q Pointer) bool {
	if len(p) >= len(q) {
		return false
	}
	for i := range p {
		if p[i] != q[i] {
			return false
		}
	}
	return true
}

// At returns the value that p names inside v (RFC 6901, section 4), and false if there is none. An
// array index has no sign and no leading zero; - names no element.
// A nil v has nothing in it.
func (v *Value) At(p Pointer) (*Value, bool) {
	if v == nil {
		return nil, false
	}
	for _, token := range p {
		child, ok := v.child(token)
		if !ok {
			return nil, false
		}
		v = child
	}
	return v, true
}

// child returns the member or element of v that token names.
func (v *Value) child(token string) (*Value, bool) {
	switch v.Kind() {
	case Object:
		return v.Get(token)
	case Array:
		if i, ok := parseIndex(token); ok && i < len(v.elements) {
			return v.elements[i], true
		}
	case Null, Bool, Number, String:
	}
	return nil, false
}

// indexMaxDigits is the length of the longest index that can name an element; longer ones would
// not fit in an int.
const indexMaxDigits = 18

// parseIndex reads an array index: 0, or digits that do not begin with 0 (RFC 6901, section 4).
func parseIndex(token string) (int, bool) {
	if token == "" || len(token) > indexMaxDigits || token[0] == '0' && token != "0" {
		return 0, false
	}
	index := 0
	for i := range len(token) {
		if !isDigit(token[i]) {
			return 0, false
		}
		index = index*10 + int(token[i]-'0')
	}
	return index, true
}

func indexToken(index int) string { return strconv.Itoa(index) }
