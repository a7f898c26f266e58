package records

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Format names how records stand in a file. The zero value is no format.
type Format string

const (
	// JSONL has one JSON object a line: the document itself, or an object with the document as one member
	// ([Options]).
	JSONL Format = "jsonl"
	// MARCJSON has one MARC-in-JSON record a line, or one object {"id": ..., "record": ...} with it.
	MARCJSON Format = "marc-json"
	// ISO2709 is a stream of MARC 21 records in ISO 2709, in UTF-8.
	ISO2709 Format = "iso2709"
)

// Formats lists every Format, for a usage text.
func Formats() []Format { return []Format{JSONL, MARCJSON, ISO2709} }

// ParseFormat returns the Format with that name.
func ParseFormat(name string) (Format, error) {
	for _, f := range Formats() {
		if string(f) == name {
			return f, nil
		}
	}
	return "", unknownFormat(Format(name))
}

func unknownFormat(f Format) error {
	return fmt.Errorf("unknown format %q: want one of %q", string(f), Formats())
}

const (
	byteOrderMark = "\ufeff"
	leaderBytes   = 24 // of MARC 21
)

// Detect guesses the format of a file from its first bytes, of which a few kilobytes are plenty, and
// from its name where they do not tell. It returns "" when neither does.
func Detect(first []byte, filename string) Format {
	text := bytes.TrimLeft(bytes.TrimPrefix(first, []byte(byteOrderMark)), jsonSpace)
	switch {
	case isISO2709(text):
		return ISO2709
	case len(text) > 0 && text[0] == '{':
		if isMARCJSON(text) {
			return MARCJSON
		}
		return JSONL
	}
	switch strings.ToLower(filepath.Ext(filename)) {
	case ".mrc", ".marc", ".iso", ".iso2709":
		return ISO2709
	case ".jsonl", ".ndjson":
		return JSONL
	}
	return ""
}

// isISO2709 looks for a leader of MARC 21: a length, and the numbers that are the same in each.
func isISO2709(text []byte) bool {
	if len(text) < leaderBytes || string(text[10:12]) != "22" || string(text[20:22]) != "45" {
		return false
	}
	return len(bytes.Trim(text[:5], "0123456789")) == 0
}

// isMARCJSON looks for a leader in the first line, which may be cut short. A document may well have a
// leader of another kind, so its length counts.
func isMARCJSON(text []byte) bool {
	in := jsontext.NewDecoder(bytes.NewReader(text))
	for {
		token, err := in.ReadToken()
		if err != nil || in.StackDepth() == 0 {
			return false
		}
		if token.Kind() != jsontext.KindString || len(token.String()) != leaderBytes {
			continue
		}
		if at := in.StackPointer(); at == "/leader" || at == "/"+recordMember+"/leader" {
			return true
		}
	}
}
