package records

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

const (
	// lineMaxBytes bounds one line, and so one record, of a file of lines, its end not counted. It is the
	// bound of a request as well: what is larger could not be stored.
	lineMaxBytes = 1 << 20

	lineBufferBytes = 64 << 10

	jsonSpace = " \t\r\n" // RFC 8259, section 2
)

var errLineTooLong = fmt.Errorf("line is longer than %d bytes", lineMaxBytes)

// lines cuts a text at its line feeds. Blank lines are left out, a byte order mark at the start and the
// white space around a line, a carriage return for one, are cut off.
type lines struct {
	in     *bufio.Reader
	buf    []byte
	number int   // of the line that was read last, from 1
	start  int64 // where it begins
	offset int64 // of the next byte of in
}

func newLines(in io.Reader) *lines {
	return &lines{in: bufio.NewReaderSize(in, lineBufferBytes)}
}

// next returns the next line that is not blank; it is valid until the next call. It returns io.EOF
// after the last line, and errLineTooLong for a line that is passed over.
func (l *lines) next() ([]byte, error) {
	for {
		line, err := l.read()
		if err != nil {
			return nil, err
		}
		if line = bytes.Trim(line, jsonSpace); len(line) > 0 {
			return line, nil
		}
	}
}

func (l *lines) read() ([]byte, error) {
	l.buf, l.start = l.buf[:0], l.offset
	l.number++
	tooLong := false
	for {
		part, err := l.in.ReadSlice('\n')
		l.offset += int64(len(part))
		if content := len(l.buf) + len(bytes.TrimRight(part, "\r\n")); content > lineMaxBytes {
			tooLong, part = true, nil
		}
		l.buf = append(l.buf, part...)
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		atEnd := errors.Is(err, io.EOF)
		switch {
		case err != nil && !atEnd:
			return nil, fmt.Errorf("read line %d at byte %d: %w", l.number, l.offset, err)
		case tooLong:
			return nil, errLineTooLong
		case atEnd && l.offset == l.start:
			return nil, io.EOF
		case l.start == 0:
			return bytes.TrimPrefix(l.buf, []byte(byteOrderMark)), nil
		}
		return l.buf, nil
	}
}

// lineReader reads one record a line.
type lineReader struct {
	lines *lines
	item  func(line []byte) (id string, document []byte, err error)
	row   int
	err   error // ends the file
}

func (r *lineReader) Next() (Item, error) {
	if r.err != nil {
		return Item{}, r.err
	}
	line, err := r.lines.next()
	if err != nil && !errors.Is(err, errLineTooLong) {
		r.err = err
		return Item{}, err
	}
	r.row++
	if err != nil {
		return Item{}, r.bad(err)
	}
	id, document, err := r.item(line)
	if err != nil {
		return Item{}, r.bad(err)
	}
	return Item{Row: r.row, ID: idOf(id, r.row), Value: bytes.Clone(document)}, nil
}

func (r *lineReader) bad(err error) error {
	return &RowError{Row: r.row, Line: r.lines.number, Offset: r.lines.start, Err: err}
}
