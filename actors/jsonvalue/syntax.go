package jsonvalue

import (
	"fmt"
	"slices"
	"strconv"
)

// MaxDepth is how many arrays and objects may be nested in a text. RFC 8259, section 9, lets an
// implementation set such a limit.
const MaxDepth = 64

// errorPathMaxBytes bounds the pointer in an error, whose tokens come from hostile text.
const errorPathMaxBytes = 1024

// SyntaxError says why a text was refused.
type SyntaxError struct {
	// Path is the JSON Pointer of the offending value: of the innermost one that is known, and of
	// one of its ancestors where the whole pointer would be longer than 1024 bytes.
	Path string
	// Offset is the place in the text, in bytes; -1 where only the path is known.
	Offset int
	// Reason is one of a few fixed texts, such as "duplicate member name".
	Reason string
}

func (e *SyntaxError) Error() string {
	if e.Offset < 0 {
		return fmt.Sprintf("%s at %q", e.Reason, e.Path)
	}
	return fmt.Sprintf("%s at %q, byte %d", e.Reason, e.Path, e.Offset)
}

// The reasons of Check and Parse.
const (
	reasonEnd       = "unexpected end of text"
	reasonCharacter = "unexpected character"
	reasonTrailing  = "trailing data"
	reasonDuplicate = "duplicate member name"
	reasonUTF8      = "invalid UTF-8"
	reasonSurrogate = "unpaired surrogate"
	reasonEscape    = "invalid escape"
	reasonControl   = "unescaped control character"
)

var reasonDepth = "nested deeper than " + strconv.Itoa(MaxDepth) + " levels"

// fault is a SyntaxError in the making: each level adds its token while the scan unwinds, so that
// a text without a mistake pays nothing for the path.
type fault struct {
	offset int
	reason string
	trail  []string // innermost first
}

func (f *fault) under(token string) *fault {
	f.trail = append(f.trail, token)
	return f
}

func (f *fault) syntaxError() *SyntaxError {
	slices.Reverse(f.trail)
	return &SyntaxError{Path: boundedPath(f.trail), Offset: f.offset, Reason: f.reason}
}

// boundedPath is the string of p, or of the longest of its ancestors that fits in an error.
func boundedPath(p Pointer) string {
	var path []byte
	for _, token := range p {
		end := len(path)
		if path = appendToken(path, token); len(path) > errorPathMaxBytes {
			return string(path[:end])
		}
	}
	return string(path)
}
