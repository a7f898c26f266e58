package cmr

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"net/http"

	"concord/actors/bulk"
	"concord/actors/jsonvalue"
)

// body is the body of an update as it came, with the ids still as text: of a long body they are nearly all, and a tree of them
// would take many times their bytes.
type body struct {
	rest *jsonvalue.Value // all but the ids; of what is no object nothing but its kind
	ids  []byte           // the text of keyConceptIDs; nil: there is none
}

// readBody reads a body whose ids may be long. The rest is bounded.
func readBody(text []byte, restMaxBytes int) (*body, error) {
	if members(text) > restMaxBytes/memberMinBytes {
		return nil, restTooLong(restMaxBytes)
	}
	if _, err := jsonvalue.Check(text); err != nil {
		return nil, unread(err)
	}
	if start := text[spaces(text):]; start[0] != '{' {
		return &body{rest: outline(start)}, nil
	}
	all, err := jsonvalue.Members(text)
	if err != nil {
		return nil, unread(err)
	}
	b, length := &body{}, 0
	for _, m := range all {
		if m.Name == keyConceptIDs {
			b.ids = m.Text
			continue
		}
		if length += len(m.Name) + len(m.Text); length > restMaxBytes {
			return nil, restTooLong(restMaxBytes)
		}
	}
	rest := make([]jsonvalue.Member, 0, len(all))
	for _, m := range all {
		value := jsonvalue.NewNull() // of ids it is not looked at
		if m.Name != keyConceptIDs {
			if value, err = jsonvalue.Parse(m.Text); err != nil {
				return nil, unread(err)
			}
		}
		rest = append(rest, jsonvalue.Member{Name: m.Name, Value: value})
	}
	b.rest = jsonvalue.ObjectOf(rest)
	return b, nil
}

func restTooLong(restMaxBytes int) error {
	return refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("The request has more than %d bytes beside %s.", restMaxBytes, keyConceptIDs))
}

// memberMinBytes is the least that a member is: `"":1`.
const memberMinBytes = 4

// members is how many members the objects of a text have, whose names are held while it is checked: of a long text that would be
// many times its bytes. Ids have none.
func members(text []byte) (n int) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case ':':
			n++
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		}
	}
	return n
}

// unread says that the body is no JSON.
func unread(err error) error {
	if s, ok := errors.AsType[*jsonvalue.SyntaxError](err); ok {
		return refuse(http.StatusBadRequest, fmt.Sprintf("Invalid JSON: %s at byte %d", s.Reason, s.Offset))
	}
	return refuse(http.StatusBadRequest, "Invalid JSON: "+err.Error())
}

// outline is a value whose text was checked, as far as it is one by itself: of an array or an object it is an empty one.
func outline(text []byte) *jsonvalue.Value {
	switch text[0] {
	case '[':
		return jsonvalue.NewArray()
	case '{':
		return jsonvalue.NewObject()
	}
	v, err := jsonvalue.Parse(text)
	if err != nil {
		panic("cmr: a text that was checked always parses: " + err.Error())
	}
	return v
}

// elements are where the elements of an array that was checked begin and end in its text.
func elements(text []byte) iter.Seq2[int, int] {
	return func(yield func(int, int) bool) {
		start, depth := 1, 0
		for i := 1; i < len(text); i++ {
			switch text[i] {
			case '"':
				for i++; text[i] != '"'; i++ {
					if text[i] == '\\' {
						i++
					}
				}
				continue
			case '[', '{':
				depth++
				continue
			case ',':
			case ']', '}':
				depth--
			default:
				continue
			}
			if depth > 0 || depth == 0 && text[i] != ',' {
				continue
			}
			first, end := start+spaces(text[start:i]), start+len(bytes.TrimRight(text[start:i], whiteSpace))
			if first < end && !yield(first, end) {
				return
			}
			start = i + 1
		}
	}
}

const whiteSpace = " \t\r\n"

// spaces is how much white space the text begins with.
func spaces(text []byte) int { return len(text) - len(bytes.TrimLeft(text, whiteSpace)) }

// stringsOf are the elements of an array that was found to have nothing but strings.
func stringsOf(text []byte) ([]string, error) {
	count := 0
	for range elements(text) {
		count++
	}
	if count > bulk.ItemsMax {
		return nil, refuse(http.StatusRequestEntityTooLarge, fmt.Sprintf("The request has %d collections: the limit is %d.", count, bulk.ItemsMax))
	}
	all := make([]string, 0, count)
	whole := string(text) // the strings are slices of it
	for start, end := range elements(text) {
		literal := text[start:end]
		if bytes.IndexByte(literal, '\\') < 0 {
			all = append(all, whole[start+1:end-1])
			continue
		}
		v, err := jsonvalue.Parse(literal)
		if err != nil {
			return nil, unread(err)
		}
		all = append(all, v.Str())
	}
	return all, nil
}
