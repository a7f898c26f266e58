package records

import (
	"errors"
	"fmt"
	"io"

	"concord/internal/marc"
)

// isoReader reads records of ISO 2709 and turns them into MARC-in-JSON.
type isoReader struct {
	in  *marc.Reader
	row int
}

func newISOReader(in io.Reader) *isoReader { return &isoReader{in: marc.NewReader(in)} }

func (r *isoReader) Next() (Item, error) {
	rec, err := r.in.Next()
	if bad, ok := errors.AsType[*marc.RecordError](err); ok {
		r.row = bad.Record
		return Item{}, &RowError{Row: bad.Record, Offset: bad.Offset, Err: bad.Err}
	}
	if err != nil {
		return Item{}, err
	}
	r.row++
	document, err := rec.AppendJSON(nil)
	if err != nil {
		return Item{}, fmt.Errorf("row %d: %w", r.row, err) // never: what the reader returns has been checked
	}
	return Item{Row: r.row, ID: idOf(rec.ControlNumber(), r.row), Value: document}, nil
}
