package marc

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// readerBufferBytes holds a whole record and the leader of the next one, so that a bad record can be
// judged, and skipped, before any of it is consumed.
const readerBufferBytes = 128 << 10

const byteOrderMark = "\ufeff"

// Reader reads the records of a stream of ISO 2709, one at a time and in bounded memory. Line feeds
// and carriage returns between records, which many programs write, and a UTF-8 byte order mark at the
// start are skipped.
//
// It is not safe for concurrent use.
type Reader struct {
	in     *bufio.Reader
	offset int64 // of the next byte of in
	record int   // number of the record that is read, from 1
	parser parser
	err    error // ends the stream
}

// NewReader returns a Reader of the records in in. It reads ahead of the record that it returns.
func NewReader(in io.Reader) *Reader {
	return &Reader{in: bufio.NewReaderSize(in, readerBufferBytes)}
}

// Next returns the next record, or [io.EOF] after the last one. The strings of a record share one
// allocation of the record's size.
//
// A [*RecordError] means that this record is bad and the stream is not: Next may be called again and
// goes on with the record after it. That one begins where the leader of the bad record says, if that
// is plausible, and else after the next record terminator; so one bad record may be reported as more
// than one, and takes a good neighbour with it only where no terminator stands between them. Every
// other error ends the stream and is returned again by every later call.
func (r *Reader) Next() (Record, error) {
	if r.err != nil {
		return Record{}, r.err
	}
	rec, err := r.next()
	if _, bad := errors.AsType[*RecordError](err); err != nil && !bad {
		r.err = err
	}
	return rec, err
}

func (r *Reader) next() (Record, error) {
	r.record++
	if err := r.skipBetween(); err != nil {
		return Record{}, err
	}
	start := r.offset

	head, err := r.peek(leaderBytes)
	if err != nil {
		return Record{}, err
	}
	length, err := recordLength(head)
	if err != nil {
		r.skipToTerminator()
		return Record{}, r.bad(start, err)
	}
	raw, err := r.peek(length)
	if err != nil {
		return Record{}, err
	}
	if end := bytes.IndexByte(raw, recordTerminator); len(raw) < length || end != length-1 {
		return Record{}, r.misfit(raw, length, end)
	}
	rec, err := r.parser.parse(string(raw))
	r.discard(length)
	if err != nil {
		return Record{}, r.bad(start+int64(r.parser.at), err)
	}
	return rec, nil
}

// recordLength reads leader/00-04.
func recordLength(head []byte) (int, error) {
	if len(head) < leaderBytes {
		return 0, fmt.Errorf("%d bytes at the end of the input are too short for a leader: %w", len(head), io.ErrUnexpectedEOF)
	}
	length, ok := number(string(head[:startDigits]))
	switch {
	case !ok:
		return 0, fmt.Errorf("record length in leader/00-04 is %q, want five digits", head[:startDigits])
	case length < recordMinBytes:
		return 0, fmt.Errorf("record length in leader/00-04 is %d, want at least %d", length, recordMinBytes)
	}
	return length, nil
}

// misfit reports a record that does not end with its only record terminator where its leader says,
// and moves to where the next one is likely to begin.
func (r *Reader) misfit(raw []byte, length, end int) error {
	start := r.offset
	switch {
	case end >= 0:
		// A terminator before the end: the length is wrong, or the terminator is. Whichever it is, the
		// bytes behind it may be a good record, and they get their chance.
		r.discard(end + 1)
		return r.bad(start+int64(end), fmt.Errorf("record terminator at byte %d of the record, leader/00-04 says %d bytes", end, length))
	case len(raw) < length:
		r.discard(len(raw))
		return r.bad(start, fmt.Errorf("input ends after %d bytes of the record, leader/00-04 says %d: %w", len(raw), length, io.ErrUnexpectedEOF))
	}
	bad := r.bad(start+int64(length-1), fmt.Errorf("no record terminator at the end of the record, leader/00-04 says %d bytes", length))
	follows, err := r.peek(length + leaderBytes)
	if err != nil {
		return err
	}
	if follows = follows[length:]; len(follows) == 0 || plausibleLeader(follows) {
		r.discard(length)
		return bad
	}
	r.skipToTerminator()
	return bad
}

// plausibleLeader tells whether head can be the start of a MARC 21 record.
func plausibleLeader(head []byte) bool {
	_, err := recordLength(head)
	return err == nil && checkStructure(string(head)) == nil
}

// skipBetween moves to the first byte of the next record. It returns io.EOF at the end of the stream.
func (r *Reader) skipBetween() error {
	if r.offset == 0 {
		mark, err := r.peek(len(byteOrderMark))
		if err != nil {
			return err
		}
		if string(mark) == byteOrderMark {
			r.discard(len(byteOrderMark))
		}
	}
	for {
		next, err := r.peek(1)
		switch {
		case err != nil:
			return err
		case len(next) == 0:
			return io.EOF
		case next[0] != '\n' && next[0] != '\r':
			return nil
		}
		r.discard(1)
	}
}

// skipToTerminator moves behind the next record terminator, or to the end of the stream. An error of
// the stream is kept for the next call, since this one has a bad record to report.
func (r *Reader) skipToTerminator() {
	for {
		skipped, err := r.in.ReadSlice(recordTerminator)
		r.offset += int64(len(skipped))
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err == nil || errors.Is(err, io.EOF):
			return
		}
		r.err = r.broken(err)
		return
	}
}

// peek returns the next n bytes, or as many as there are. They are valid until the next read.
func (r *Reader) peek(n int) ([]byte, error) {
	b, err := r.in.Peek(n)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, r.broken(err)
	}
	return b, nil
}

// discard consumes n bytes that were peeked, which cannot fail.
func (r *Reader) discard(n int) {
	n, _ = r.in.Discard(n)
	r.offset += int64(n)
}

func (r *Reader) bad(offset int64, err error) error {
	return &RecordError{Record: r.record, Offset: offset, Err: err}
}

func (r *Reader) broken(err error) error {
	return fmt.Errorf("read marc record %d at byte %d: %w", r.record, r.offset, err)
}
