package sheet

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// readerBytes is how far the readers read ahead.
const readerBytes = 4 << 10

// source is the file: it takes off a byte order mark, refuses what is no text, and bounds what is read for one row.
type source struct {
	in    *bufio.Reader
	begun bool
	lines int   // ends that were read
	row   int   // bytes that were read since the row began, or before it
	wrong error // that ended the reading
}

func newSource(from io.Reader) *source { return &source{in: bufio.NewReaderSize(from, readerBytes)} }

var bom = []byte("\uFEFF")

// skipBOM passes over a byte order mark.
func (s *source) skipBOM() {
	if s.begun {
		return
	}
	s.begun = true
	if head, _ := s.in.Peek(len(bom)); bytes.Equal(head, bom) {
		_, _ = s.in.Discard(len(bom)) // they were peeked at
	}
}

// format looks at how the file begins.
func (s *source) format() string {
	s.skipBOM()
	head, _ := s.in.Peek(readerBytes) // an error comes again when it is read
	if head = bytes.TrimLeft(head, " \t\r\n"); len(head) > 0 && head[0] == '{' {
		return Lines
	}
	return CSV
}

// begin says that a row is read, and another begins.
func (s *source) begin() { s.row = 0 }

// why is the error that ended the reading, which readers on top may have hidden.
func (s *source) why(err error) error {
	if s.wrong != nil {
		return s.wrong
	}
	return err
}

// Read is for the CSV reader.
func (s *source) Read(b []byte) (int, error) {
	s.skipBOM()
	n, err := s.in.Read(b)
	if wrong := s.judge(b[:n]); wrong != nil {
		return 0, wrong
	}
	return n, err
}

// judge refuses bytes that no row has.
func (s *source) judge(b []byte) error {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		s.wrong = at(s.lines+1+bytes.Count(b[:i], []byte("\n")), "has a NUL byte: the file is binary, or in another encoding than UTF-8")
		return s.wrong
	}
	s.lines += bytes.Count(b, []byte("\n"))
	if s.row += len(b); s.row > RowMaxBytes+2*readerBytes {
		s.wrong = at(s.lines+1, "is in a row of more than %d bytes; is a quote not ended?", RowMaxBytes)
		return s.wrong
	}
	return nil
}

// line is the next line, without its end; io.EOF comes with the last one.
func (s *source) line() ([]byte, error) {
	s.skipBOM()
	var text []byte
	for {
		piece, err := s.in.ReadSlice('\n')
		text = append(text, piece...)
		if wrong := s.judge(piece); wrong != nil {
			return nil, wrong
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			s.begin()
			return bytes.TrimSuffix(text, []byte("\n")), err
		}
	}
}
