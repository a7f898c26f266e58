package fields

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"concord/actors/jsonvalue"
)

// Part is what of a collection an instruction is about, so that its caller knows what to load.
type Part struct {
	Kind     PartKind
	Document string // its id, of OneDocument only
}

// PartKind is a kind of parts.
type PartKind uint8

// The kinds of parts.
const (
	Metadata PartKind = iota
	OneDocument
	EveryDocument
)

// The first tokens of paths.
const (
	tokenMetadata  = "metadata"
	tokenDocuments = "documents"
)

// Covers says if the part is, or has, the document with the id.
func (p Part) Covers(document string) bool {
	return p.Kind == EveryDocument || p.Kind == OneDocument && p.Document == document
}

// split divides a path into the part and the path below it. reason is "" if the path can be taken.
func split(path jsonvalue.Pointer) (part Part, rest jsonvalue.Pointer, reason string) {
	const where = "must begin with /metadata, /documents/<id> or /documents/*"
	switch {
	case len(path) > pathMaxTokens:
		return Part{}, nil, "has too many levels"
	case len(path) >= 1 && path[0] == tokenMetadata:
		return Part{}, path[1:], ""
	case len(path) < 2 || path[0] != tokenDocuments:
		return Part{}, nil, where
	case path[1] == jsonvalue.AnyToken:
		return Part{Kind: EveryDocument}, path[2:], ""
	case !isDocumentID(path[1]):
		return Part{}, nil, "names a document that cannot be: an id has 1 to 256 bytes without control characters, and is not . or .."
	}
	return Part{Kind: OneDocument, Document: path[1]}, path[2:], ""
}

func isDocumentID(id string) bool {
	return id != "" && len(id) <= documentMaxBytes && id != "." && id != ".." && utf8.ValidString(id) &&
		!strings.ContainsFunc(id, unicode.IsControl)
}

// path reads a path from the collection.
func (f *faults) path(into *jsonvalue.Pointer) func(*jsonvalue.Value, string) {
	return func(v *jsonvalue.Value, path string) {
		var text string
		before := len(f.list)
		if f.text(&text)(v, path); len(f.list) > before {
			return
		}
		p, err := jsonvalue.ParsePointer(text)
		if err != nil {
			f.add(path, "must be a JSON Pointer: %v", err)
			return
		}
		if _, _, reason := split(p); reason != "" {
			f.add(path, "%s", reason)
			return
		}
		*into = p
	}
}

// index is the place of the element of an array that a token names; false if there is none.
func index(v *jsonvalue.Value, token string) (int, bool) {
	if token == "" || len(token) > len("999999999") || token[0] == '0' && len(token) > 1 {
		return 0, false
	}
	i := 0
	for _, c := range []byte(token) {
		if c < '0' || c > '9' {
			return 0, false
		}
		i = i*10 + int(c-'0')
	}
	return i, i < v.Len()
}
