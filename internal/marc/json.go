package marc

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// The member names of MARC-in-JSON:
//
//	{"leader": "...", "fields": [
//	  {"001": "..."},
//	  {"245": {"ind1": "1", "ind2": "0", "subfields": [{"a": "..."}, {"b": "..."}]}}]}
const (
	leaderName    = "leader"
	fieldsName    = "fields"
	ind1Name      = "ind1"
	ind2Name      = "ind2"
	subfieldsName = "subfields"
)

// PathError says what in a MARC-in-JSON text is wrong, and where.
type PathError struct {
	Path   string // JSON Pointer (RFC 6901) to the value; "" is the whole text
	Offset int64  // byte of the text at, or shortly before, which the defect was seen
	Err    error
}

func (e *PathError) Error() string {
	return fmt.Sprintf("marc-in-json at %q, byte %d: %v", e.Path, e.Offset, e.Err)
}

func (e *PathError) Unwrap() error { return e.Err }

// AppendJSON appends r to dst as MARC-in-JSON, without white space, in the order of r. It returns an
// error for a record that [Record.Check] refuses.
func (r Record) AppendJSON(dst []byte) ([]byte, error) {
	if err := r.Check(); err != nil {
		return nil, fmt.Errorf("encode as marc-in-json: %w", err)
	}
	dst = append(dst, `{"leader":`...)
	dst = appendString(dst, r.Leader)
	dst = append(dst, `,"fields":[`...)
	for i, f := range r.Fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, `{"`...)
		dst = append(dst, f.Tag...)
		dst = append(dst, `":`...)
		if f.IsControl() {
			dst = appendString(dst, f.Value)
		} else {
			dst = f.appendData(dst)
		}
		dst = append(dst, '}')
	}
	return append(dst, "]}"...), nil
}

func (f Field) appendData(dst []byte) []byte {
	dst = append(dst, `{"ind1":`...)
	dst = appendCharacter(dst, f.Ind1)
	dst = append(dst, `,"ind2":`...)
	dst = appendCharacter(dst, f.Ind2)
	dst = append(dst, `,"subfields":[`...)
	for i, s := range f.Subfields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '{')
		dst = appendCharacter(dst, s.Code)
		dst = append(dst, ':')
		dst = appendString(dst, s.Value)
		dst = append(dst, '}')
	}
	return append(dst, "]}"...)
}

// appendString appends s as a JSON string. Record.Check has seen that it is UTF-8, the one thing that
// could go wrong.
func appendString(dst []byte, s string) []byte {
	dst, err := jsontext.AppendQuote(dst, s)
	if err != nil {
		panic("marc: a checked string is not UTF-8: " + err.Error())
	}
	return dst
}

func appendCharacter(dst []byte, c byte) []byte {
	if c == '"' || c == '\\' {
		return append(dst, '"', '\\', c, '"')
	}
	return append(dst, '"', c, '"')
}

// FromJSON reads text, which is one record in MARC-in-JSON and nothing else. Members may come in any
// order, the order of fields and subfields is kept. A name that is missing, unknown or there twice, or
// a value that [Record.Check] would refuse, is a [*PathError] and so is text that is not JSON. The strings
// of the record share one copy of text.
func FromJSON(text []byte) (Record, error) {
	d := decoder{in: jsontext.NewDecoder(bytes.NewBuffer(text)), whole: string(text)}
	rec, err := d.record()
	if err == nil {
		err = d.end()
	}
	if err != nil {
		return Record{}, d.located(err)
	}
	return rec, nil
}

// decoder reads MARC-in-JSON. A method's error is about the value that was read last, which is where
// the path in the PathError comes from.
type decoder struct {
	in    *jsontext.Decoder
	whole string // what in reads
}

func (d *decoder) located(err error) error {
	if syntax, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return &PathError{Path: string(syntax.JSONPointer), Offset: syntax.ByteOffset, Err: syntax.Err}
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // an empty text
	}
	return &PathError{Path: string(d.in.StackPointer()), Offset: d.in.InputOffset(), Err: err}
}

func (d *decoder) record() (rec Record, err error) {
	var hasLeader, hasFields bool
	err = d.object(func(name string) (err error) {
		switch name {
		case leaderName:
			hasLeader = true
			rec.Leader, err = d.text(checkLeader)
		case fieldsName:
			hasFields = true
			rec.Fields, err = list(d, d.field)
		default:
			err = errors.New("unknown member of a record")
		}
		return err
	})
	if err == nil && (!hasLeader || !hasFields) {
		err = errors.New("a record has a leader and fields")
	}
	return rec, err
}

// field reads an object with one member: the tag and what it holds.
func (d *decoder) field() (f Field, err error) {
	members := 0
	err = d.object(func(tag string) (err error) {
		if members++; members > 1 {
			return errors.New("second tag in one field")
		}
		if err := checkTag(tag); err != nil {
			return err
		}
		if isControlTag(tag) {
			f.Value, err = d.text(checkText)
		} else {
			f, err = d.data()
		}
		f.Tag = tag
		return err
	})
	if err == nil && members == 0 {
		err = errors.New("field without a tag")
	}
	return f, err
}

func (d *decoder) data() (f Field, err error) {
	members := 0
	err = d.object(func(name string) (err error) {
		members++
		switch name {
		case ind1Name:
			f.Ind1, err = d.indicator()
		case ind2Name:
			f.Ind2, err = d.indicator()
		case subfieldsName:
			f.Subfields, err = list(d, d.subfield)
		default:
			err = errors.New("unknown member of a data field")
		}
		return err
	})
	if err == nil && members != 3 { // none is unknown, none is there twice
		err = errors.New("a data field has ind1, ind2 and subfields")
	}
	return f, err
}

// subfield reads an object with one member: the code and the value.
func (d *decoder) subfield() (s Subfield, err error) {
	members := 0
	err = d.object(func(code string) (err error) {
		if members++; members > 1 {
			return errors.New("second code in one subfield")
		}
		if len(code) != 1 {
			return fmt.Errorf("subfield code %q is not one ASCII character", code)
		}
		s.Code = code[0]
		if err := checkCode(s.Code); err != nil {
			return err
		}
		s.Value, err = d.text(checkText)
		return err
	})
	if err == nil && members == 0 {
		err = errors.New("subfield without a code")
	}
	return s, err
}

func (d *decoder) indicator() (byte, error) {
	s, err := d.text(func(s string) error {
		if len(s) != 1 {
			return fmt.Errorf("indicator %q is not one ASCII character", s)
		}
		return checkIndicator(s[0])
	})
	if err != nil {
		return 0, err
	}
	return s[0], nil
}

// text reads a string that passes check.
func (d *decoder) text(check func(string) error) (string, error) {
	s, err := d.string()
	if err != nil {
		return "", err
	}
	return s, check(s)
}

// string reads a string, without an allocation of its own where it has no escapes.
func (d *decoder) string() (string, error) {
	if d.in.PeekKind() != jsontext.KindString {
		return "", d.token(jsontext.KindString)
	}
	raw, err := d.in.ReadValue()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		end := int(d.in.InputOffset())
		return d.whole[end-len(raw)+1 : end-1], nil
	}
	s, err := jsontext.AppendUnquote(nil, raw)
	return string(s), err
}

// object reads an object; member reads the value that belongs to a name.
func (d *decoder) object(member func(name string) error) error {
	if err := d.token(jsontext.KindBeginObject); err != nil {
		return err
	}
	for d.in.PeekKind() != jsontext.KindEndObject {
		name, err := d.string()
		if err != nil {
			return err
		}
		if err := member(name); err != nil {
			return err
		}
	}
	_, err := d.in.ReadToken()
	return err
}

// list reads an array of elements; an empty one is nil.
func list[T any](d *decoder, element func() (T, error)) (all []T, err error) {
	if err := d.token(jsontext.KindBeginArray); err != nil {
		return nil, err
	}
	for d.in.PeekKind() != jsontext.KindEndArray {
		e, err := element()
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	_, err = d.in.ReadToken()
	return all, err
}

// token reads the next token, which must be of that kind.
func (d *decoder) token(want jsontext.Kind) error {
	token, err := d.in.ReadToken()
	if err == nil && token.Kind() != want {
		err = fmt.Errorf("found %s, want %s", kindName(token.Kind()), kindName(want))
	}
	return err
}

func kindName(k jsontext.Kind) string {
	if k == jsontext.KindBeginObject {
		return "object"
	}
	if k == jsontext.KindBeginArray {
		return "array"
	}
	return k.String()
}

// end sees to it that nothing but white space is left.
func (d *decoder) end() error {
	_, err := d.in.ReadToken()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil {
		err = errors.New("more text after the record")
	}
	return err
}
