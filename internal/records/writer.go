package records

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"concord/internal/marc"
	"github.com/go-json-experiment/json/jsontext"
)

// Writer writes records to one file in order.
//
// Write returns a [*RowError], having written nothing of the item, for one that the format cannot hold;
// it may then be called again. After any other error the file may end inside of a record. Nothing is
// certain to have reached the file before Flush has returned nil.
type Writer interface {
	Write(Item) error
	Flush() error
}

// NewWriter returns a Writer to out. A Reader of the same format and Options reads back the ids and the
// values, with these exceptions: JSONL without Options.Value keeps an id only as far as the document
// has it as a member; ISO 2709 keeps only that of field 001, and computes parts of the leader.
//
// A MARCJSON line is wrapped ({"id", "record"}) when the id is not that of field 001. JSON values are
// written in the bytes that they have, but for line ends outside of strings, which become blanks.
func NewWriter(out io.Writer, format Format, o Options) (Writer, error) {
	buf := bufio.NewWriterSize(out, lineBufferBytes)
	switch format {
	case JSONL:
		return &lineWriter{out: buf, line: func(dst []byte, it Item) ([]byte, error) { return appendJSONLine(dst, it, o) }}, nil
	case MARCJSON:
		return &lineWriter{out: buf, line: appendMARCLine}, nil
	case ISO2709:
		return &isoWriter{buf: buf, out: marc.NewWriter(buf)}, nil
	default:
		return nil, unknownFormat(format)
	}
}

// lineWriter writes one record a line.
type lineWriter struct {
	out    *bufio.Writer
	line   func(dst []byte, it Item) ([]byte, error)
	buf    []byte
	row    int
	lineNo int   // lines written
	offset int64 // bytes written
}

func (w *lineWriter) Write(it Item) error {
	w.row++
	line, err := w.line(w.buf[:0], it)
	if err == nil && len(line) > lineMaxBytes {
		err = errLineTooLong // a file that we could not read back
	}
	if err != nil {
		return &RowError{Row: w.row, Line: w.lineNo + 1, Offset: w.offset, Err: fmt.Errorf("write document %q: %w", it.ID, err)}
	}
	line = append(line, '\n')
	w.buf = line
	n, err := w.out.Write(line)
	w.lineNo++
	w.offset += int64(n)
	if err != nil {
		return fmt.Errorf("write row %d at byte %d: %w", w.row, w.offset, err)
	}
	return nil
}

func (w *lineWriter) Flush() error { return w.out.Flush() }

func appendJSONLine(dst []byte, it Item, o Options) ([]byte, error) {
	document := jsontext.Value(it.Value)
	switch {
	case !document.IsValid():
		return nil, errors.New("document is not JSON")
	case o.Value == "" && document.Kind() != jsontext.KindBeginObject:
		return nil, errors.New("document is not a JSON object, which a line must be")
	case o.Value == "":
		return appendInline(dst, it.Value), nil
	}
	return appendWrapped(dst, it, o.idMember(), o.Value)
}

func appendMARCLine(dst []byte, it Item) ([]byte, error) {
	rec, err := marc.FromJSON(it.Value)
	if err != nil {
		return nil, err
	}
	if it.ID == rec.ControlNumber() {
		return appendInline(dst, it.Value), nil
	}
	return appendWrapped(dst, it, defaultIDMember, recordMember)
}

// appendWrapped appends {idName: id, valueName: value}.
func appendWrapped(dst []byte, it Item, idName, valueName string) ([]byte, error) {
	if idName == valueName {
		return nil, fmt.Errorf("id and document cannot both be the member %q", idName)
	}
	for _, part := range []struct{ before, text string }{{"{", idName}, {":", it.ID}, {",", valueName}} {
		var err error
		if dst, err = jsontext.AppendQuote(append(dst, part.before...), part.text); err != nil {
			return nil, fmt.Errorf("%q: %w", part.text, err)
		}
	}
	dst = appendInline(append(dst, ':'), it.Value)
	return append(dst, '}'), nil
}

// appendInline appends a valid JSON value in one line. A line end in it can only be white space between
// tokens, as JSON strings have it escaped.
func appendInline(dst, value []byte) []byte {
	for _, b := range value {
		if b == '\n' || b == '\r' {
			b = ' '
		}
		dst = append(dst, b)
	}
	return dst
}

// isoWriter writes records of ISO 2709.
type isoWriter struct {
	buf *bufio.Writer
	out *marc.Writer
	row int
}

func (w *isoWriter) Write(it Item) error {
	w.row++
	rec, err := marc.FromJSON(it.Value)
	if err != nil {
		return &RowError{Row: w.row, Err: fmt.Errorf("write document %q: %w", it.ID, err)}
	}
	err = w.out.Write(rec)
	if bad, ok := errors.AsType[*marc.RecordError](err); ok {
		return &RowError{Row: w.row, Offset: bad.Offset, Err: fmt.Errorf("write document %q: %w", it.ID, bad.Err)}
	}
	return err
}

func (w *isoWriter) Flush() error { return w.buf.Flush() }
