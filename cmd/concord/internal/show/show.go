// Package show is what Concord's commands print: tables and texts for people, JSON for programs. Colour and progress bars
// are for terminals; what goes into a file or a pipe is plain.
package show

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"golang.org/x/term"
)

// Format is how answers are printed.
type Format string

// The formats.
const (
	Table Format = "table" // for people
	JSON  Format = "json"  // one JSON document
	JSONL Format = "jsonl" // one JSON document a line
	CSV   Format = "csv"   // of the few lists that say so
)

// ParseFormat reads the name of a format that every command has.
func ParseFormat(name string) (Format, error) {
	switch f := Format(name); f {
	case Table, JSON, JSONL:
		return f, nil
	case CSV:
	}
	return "", fmt.Errorf("unknown output format %q: table, json or jsonl", name)
}

// Style is how a text looks on a terminal.
type Style string

// The styles, as ANSI codes (ECMA-48 SGR).
const (
	Plain  Style = ""
	Bold   Style = "1"
	Dim    Style = "2"
	Red    Style = "31"
	Green  Style = "32"
	Yellow Style = "33"
	Cyan   Style = "36"
)

// Paint is text in a style, if there is colour.
func Paint(colour bool, s Style, text string) string {
	if !colour || s == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// Terminal says whether what is written to w appears on a terminal.
func Terminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Colour says whether w may get colour: a terminal that knows it, and a user who wants it (https://no-color.org).
func Colour(w io.Writer, env func(string) string) bool {
	return Terminal(w) && env("NO_COLOR") == "" && env("TERM") != "dumb"
}

// Clean makes control characters visible: what others have stored must not command the reader's terminal.
func Clean(text string) string {
	if !strings.ContainsFunc(text, unicode.IsControl) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if unicode.IsControl(r) {
			fmt.Fprintf(&b, `\u%04x`, r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// CleanLines is Clean of each line.
func CleanLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Clean(line)
	}
	return strings.Join(lines, "\n")
}

// Indented is JSON for people, its strings clean. What is no JSON stays as it is.
func Indented(value []byte, prefix string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, value, prefix, "  "); err != nil {
		return Clean(string(value))
	}
	return CleanLines(b.String())
}

// Compact is JSON in one line of at most so many runes.
func Compact(value []byte, maxRunes int) string {
	var b bytes.Buffer
	text := string(value)
	if err := json.Compact(&b, value); err == nil {
		text = b.String()
	}
	runes := []rune(Clean(text))
	if len(runes) > maxRunes {
		return string(runes[:maxRunes-1]) + "…"
	}
	return string(runes)
}

// Encode writes a value as one JSON document: indented for JSON, in one line for JSONL. Raw JSON keeps its numbers as
// they are.
func Encode(w io.Writer, f Format, value any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if f == JSON {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(value); err != nil {
		return fmt.Errorf("encode the output: %w", err)
	}
	_, err := w.Write(b.Bytes())
	return err
}
