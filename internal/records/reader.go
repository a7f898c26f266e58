// Package records reads and writes the files that `concord import` takes and `concord export` makes:
// one record after the other, in memory that does not grow with the file, and with an account of each
// bad row, so that one mistake does not cost an import of a million records.
//
// It knows the forms of files, not the rules of the domain: whether an id is allowed, or a document too
// large, the collection says.
package records

import (
	"fmt"
	"io"
	"strconv"
)

// Item is one record of a file.
type Item struct {
	// Row is the number of the record in the file, from 1, bad records included and blank lines not.
	Row int
	// ID is the id of the document. A record without one gets "row-" and its Row.
	ID string
	// Value is the document as JSON, in the bytes of the file where the file is JSON. It belongs to the
	// caller.
	Value []byte
}

// Options say where in a line of JSON the id and the document are.
type Options struct {
	// ID is the member of a JSONL line that holds the id, a string or a number; "" means "id".
	ID string
	// Value is the member of a JSONL line that holds the document; "" means that the whole line is the
	// document. Other members of the line are then not read.
	Value string
}

const (
	defaultIDMember = "id"
	recordMember    = "record" // of a wrapped MARC-in-JSON record
)

func (o Options) idMember() string {
	if o.ID == "" {
		return defaultIDMember
	}
	return o.ID
}

// Reader reads the records of one file in order.
//
// Next returns io.EOF after the last record. A [*RowError] means that one record is bad: Next may be
// called again and goes on with the record after it. Every other error ends the file, and Next returns
// it again.
type Reader interface {
	Next() (Item, error)
}

// RowError says which record of a file is bad, where it is, and why.
type RowError struct {
	Row    int   // number of the record in the file, from 1
	Line   int   // number of the line, from 1; 0 in a file without lines
	Offset int64 // byte of the file where the record begins; without lines, where the defect was seen
	Err    error
}

func (e *RowError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("row %d (line %d, byte %d): %v", e.Row, e.Line, e.Offset, e.Err)
	}
	return fmt.Sprintf("row %d (byte %d): %v", e.Row, e.Offset, e.Err)
}

func (e *RowError) Unwrap() error { return e.Err }

// NewReader returns a Reader of in, which need not be buffered. Options matter to JSONL only.
func NewReader(in io.Reader, format Format, o Options) (Reader, error) {
	switch format {
	case JSONL:
		return &lineReader{lines: newLines(in), item: func(line []byte) (string, []byte, error) { return jsonDocument(line, o) }}, nil
	case MARCJSON:
		return &lineReader{lines: newLines(in), item: marcDocument}, nil
	case ISO2709:
		return newISOReader(in), nil
	default:
		return nil, unknownFormat(format)
	}
}

// idOf returns id, or the one that we make for a record that has none.
func idOf(id string, row int) string {
	if id == "" {
		return "row-" + strconv.Itoa(row)
	}
	return id
}
