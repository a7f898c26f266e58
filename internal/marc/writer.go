package marc

import (
	"fmt"
	"io"
)

// Writer writes records to a stream of ISO 2709, in UTF-8.
//
// It is not safe for concurrent use.
type Writer struct {
	out    io.Writer
	buf    []byte
	record int   // number of records begun
	offset int64 // bytes written
}

// NewWriter returns a Writer to out. It does not buffer: each record is one call of out.Write.
func NewWriter(out io.Writer) *Writer { return &Writer{out: out} }

// Write writes rec. The structural parts of the leader are computed, whatever rec has there: the
// length, the base address, the fixed numbers of MARC 21, and 'a' (UTF-8) in leader/09.
//
// It returns a [*RecordError], having written nothing, for a record that [Record.Check] refuses or
// that is longer than ISO 2709 can say ([ErrTooLarge]); Write may then be called again. After any other
// error the stream may end inside of a record.
func (w *Writer) Write(rec Record) error {
	w.record++
	b, err := appendISO2709(w.buf[:0], rec)
	if err != nil {
		return &RecordError{Record: w.record, Offset: w.offset, Err: err}
	}
	w.buf = b
	n, err := w.out.Write(b)
	w.offset += int64(n)
	if err != nil {
		return fmt.Errorf("write marc record %d at byte %d: %w", w.record, w.offset, err)
	}
	return nil
}

func appendISO2709(dst []byte, rec Record) ([]byte, error) {
	if err := rec.Check(); err != nil {
		return nil, err
	}
	base := leaderBytes + directoryEntryBytes*len(rec.Fields) + 1
	length := base + 1
	for i, f := range rec.Fields {
		n := f.isoBytes()
		if n > fieldMaxBytes {
			return nil, fmt.Errorf("field %d (%q) has %d bytes, at most %d fit: %w", i+1, f.Tag, n, fieldMaxBytes, ErrTooLarge)
		}
		length += n
	}
	if length > recordMaxBytes {
		return nil, fmt.Errorf("record has %d bytes, at most %d fit: %w", length, recordMaxBytes, ErrTooLarge)
	}
	dst = appendLeader(dst, rec.Leader, length, base)
	start := 0
	for _, f := range rec.Fields {
		n := f.isoBytes()
		dst = append(dst, f.Tag...)
		dst = appendDigits(dst, n, lengthDigits)
		dst = appendDigits(dst, start, startDigits)
		start += n
	}
	dst = append(dst, fieldTerminator)
	for _, f := range rec.Fields {
		dst = f.appendISO2709(dst)
	}
	return append(dst, recordTerminator), nil
}

func appendLeader(dst []byte, leader string, length, base int) []byte {
	dst = appendDigits(dst, length, startDigits)
	dst = append(dst, leader[startDigits:codingSchemeAt]...)
	dst = append(dst, codingUTF8)
	dst = append(dst, counts...)
	dst = appendDigits(dst, base, startDigits)
	dst = append(dst, leader[baseAddressAt+startDigits:entryMapAt]...)
	return append(dst, entryMap+"0"...)
}

// isoBytes is the length of f in ISO 2709, its terminator included.
func (f Field) isoBytes() int {
	if f.IsControl() {
		return len(f.Value) + 1
	}
	n := indicatorBytes + 1
	for _, s := range f.Subfields {
		n += 2 + len(s.Value) // delimiter and code
	}
	return n
}

func (f Field) appendISO2709(dst []byte) []byte {
	if f.IsControl() {
		return append(append(dst, f.Value...), fieldTerminator)
	}
	dst = append(dst, f.Ind1, f.Ind2)
	for _, s := range f.Subfields {
		dst = append(dst, subfieldDelimiter, s.Code)
		dst = append(dst, s.Value...)
	}
	return append(dst, fieldTerminator)
}

// appendDigits appends n, which fits, in exactly width decimal digits.
func appendDigits(dst []byte, n, width int) []byte {
	for range width {
		dst = append(dst, '0')
	}
	for i := len(dst) - 1; n > 0; i-- {
		dst[i] = byte('0' + n%10)
		n /= 10
	}
	return dst
}
