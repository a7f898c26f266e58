package resolve

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"concord/actors/jsonvalue"
)

// The file is lines of text. What begins with # is a comment, and empty lines say nothing. A place begins with its path, then
// come the sides, which are there to be read, and last the result, which is to be written:
//
//	== /documents/blue-train/title
//	-- base
//	"Blue"
//	-- ours
//	"BLUE"
//	-- theirs
//	"Blue Train"
//	-- result
//	?
//
// The result is ours, theirs or base, the word remove, or a JSON value, on as many lines as it takes. ? leaves the place open.
// A side on which there is nothing says (nothing). A path that would not fit into a line stands as a JSON string.
const (
	placeMark  = "== "
	partMark   = "-- "
	resultName = "result"
	openWord   = "?"
	removeWord = "remove"
	nothing    = "(nothing)"
)

// FileMaxBytes bounds a file, and what Render makes.
const FileMaxBytes = 8 << 20

// ErrTooLong means that the places do not fit into a file.
var ErrTooLong = fmt.Errorf("the conflicts do not fit into a file of %d bytes", FileMaxBytes)

// Render is the file for the places, with an introduction whose lines become comments. It may be ErrTooLong.
func Render(intro []string, places []*Clash) ([]byte, error) {
	var b bytes.Buffer
	for _, line := range intro {
		b.WriteString(strings.TrimRight("# "+line, " ") + "\n")
	}
	for _, c := range places {
		fmt.Fprintf(&b, "\n%s%s\n", placeMark, quotePath(c.Path))
		for _, side := range []Side{Base, Ours, Theirs} {
			fmt.Fprintf(&b, "%s%s\n%s\n", partMark, side, indented(c.Of(side)))
		}
		fmt.Fprintf(&b, "%s%s\n%s\n", partMark, resultName, openWord)
		if b.Len() > FileMaxBytes {
			return nil, ErrTooLong
		}
	}
	return b.Bytes(), nil
}

// indented is a value on lines that no mark begins. Characters that would command a terminal stand as escapes.
func indented(v *jsonvalue.Value) string {
	if v == nil {
		return nothing
	}
	var b bytes.Buffer
	if err := json.Indent(&b, v.Text(), "", "  "); err != nil {
		panic("resolve: a value is always JSON: " + err.Error())
	}
	return escapeControls(b.String())
}

// escapeControls writes control characters, which in JSON stand inside of strings only, as escapes of the same meaning.
func escapeControls(text string) string {
	if !strings.ContainsFunc(text, isControl) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if isControl(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

func isControl(r rune) bool {
	return r != '\n' && (unicode.IsControl(r) || r == '\u2028' || r == '\u2029')
}

// quotePath is a path on one line.
func quotePath(path string) string {
	if path != "" && path == strings.TrimSpace(path) && !strings.ContainsFunc(path, func(r rune) bool { return r == '\n' || isControl(r) }) {
		return path
	}
	quoted, err := json.Marshal(path)
	if err != nil {
		panic("resolve: a string always marshals: " + err.Error())
	}
	return escapeControls(string(quoted))
}
