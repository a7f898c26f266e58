package records

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"concord/internal/marc"
	"github.com/go-json-experiment/json/jsontext"
)

// jsonDocument finds id and document in a line of JSONL. The document is a part of line. The whole line
// is checked: exact duplicates of names and invalid UTF-8 are refused.
func jsonDocument(line []byte, o Options) (id string, document []byte, err error) {
	idText, document, err := members(line, o.idMember(), o.Value)
	if err != nil {
		return "", nil, err
	}
	if o.Value == "" {
		document = line
	} else if document == nil {
		return "", nil, fmt.Errorf("no member %q with the document", o.Value)
	}
	if id, err = idText.read(); err != nil {
		return "", nil, fmt.Errorf("member %q: %w", o.idMember(), err)
	}
	return id, document, nil
}

// marcDocument finds id and record in a line of MARC-in-JSON. A record is wrapped when there is a
// member "record" beside it; then the id is the member "id", or else, as for a bare record, its 001.
func marcDocument(line []byte) (id string, document []byte, err error) {
	idText, document, err := members(line, defaultIDMember, recordMember)
	if err != nil {
		return "", nil, err
	}
	if document == nil {
		document, idText = line, nil
	}
	rec, err := marc.FromJSON(document)
	if err != nil {
		return "", nil, err
	}
	if id, err = idText.read(); err != nil {
		return "", nil, fmt.Errorf("member %q: %w", defaultIDMember, err)
	}
	if id == "" {
		id = rec.ControlNumber()
	}
	return id, document, nil
}

// idValue is the JSON value of an id, nil where there is none.
type idValue jsontext.Value

// read returns the text of a string, the digits of a number as they stand, and "" for null or nothing.
func (v idValue) read() (string, error) {
	if v == nil {
		return "", nil
	}
	kind := jsontext.Value(v).Kind()
	if kind == jsontext.KindNull {
		return "", nil
	}
	if kind == jsontext.KindNumber {
		return string(v), nil
	}
	if kind != jsontext.KindString {
		return "", errors.New("an id is a string or a number")
	}
	id, err := jsontext.AppendUnquote(nil, v)
	return string(id), err
}

// members reads a line that is one JSON object and returns the values of two of its members, nil where
// there is none. They are parts of line.
func members(line []byte, idName, valueName string) (id idValue, value jsontext.Value, err error) {
	in := jsontext.NewDecoder(bytes.NewBuffer(line))
	first, err := in.ReadToken()
	if err != nil {
		return nil, nil, syntaxError(err)
	}
	if first.Kind() != jsontext.KindBeginObject {
		return nil, nil, errors.New("line is not a JSON object")
	}
	for in.PeekKind() != jsontext.KindEndObject {
		name, err := in.ReadToken()
		if err != nil {
			return nil, nil, syntaxError(err)
		}
		isID, isValue := name.String() == idName, name.String() == valueName
		v, err := in.ReadValue()
		if err != nil {
			return nil, nil, syntaxError(err)
		}
		if isID {
			id = idValue(v)
		}
		if isValue && valueName != "" {
			value = v
		}
	}
	if _, err := in.ReadToken(); err != nil {
		return nil, nil, syntaxError(err)
	}
	if _, err := in.ReadToken(); err == nil {
		return nil, nil, errors.New("more text after the object")
	} else if !errors.Is(err, io.EOF) {
		return nil, nil, syntaxError(err)
	}
	return id, value, nil
}

// syntaxError says what jsontext found in a line, in the words of marc.PathError.
func syntaxError(err error) error {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return fmt.Errorf("line is not JSON at %q, byte %d: %w", syntax.JSONPointer, syntax.ByteOffset, syntax.Err)
	}
	return fmt.Errorf("line is not JSON: %w", err)
}
