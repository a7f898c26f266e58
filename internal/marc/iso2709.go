package marc

import (
	"errors"
	"fmt"
)

// The structure of a MARC 21 record in ISO 2709: a leader of 24 bytes, a directory with one entry of
// 12 bytes for each field and a field terminator, the fields, each with its terminator, and a record
// terminator. The widths of the numbers are the bounds of the format.
const (
	recordMaxBytes = 99_999 // leader/00-04 has five digits
	fieldMaxBytes  = 9_999  // the length in a directory entry has four digits, terminator included
	recordMinBytes = leaderBytes + 2

	directoryEntryBytes = 12
	lengthDigits        = 4 // of a directory entry: tag, then length, then start
	startDigits         = 5
	indicatorBytes      = 2

	codingSchemeAt = 9  // leader/09, character coding scheme
	countsAt       = 10 // leader/10-11, indicator count and subfield code length
	baseAddressAt  = 12 // leader/12-16, base address of data
	entryMapAt     = 20 // leader/20-22, entry map; position 23 is undefined

	codingMARC8 = ' '
	codingUTF8  = 'a'
	counts      = "22"
	entryMap    = "450"
)

var (
	// ErrMARC8 is wrapped in the error for a record whose leader/09 is blank, which makes it MARC-8, and
	// which holds bytes that are not the same in UTF-8. The conversion is left to a program that is
	// known to do it well.
	ErrMARC8 = errors.New("record is in MARC-8, not in UTF-8 (leader/09 is blank); convert the file with " +
		"`yaz-marcdump -f marc-8 -t utf-8 -o marc -l 9=97 in.mrc > out.mrc`, " +
		"or, if its text is UTF-8 already, mark it with `yaz-marcdump -o marc -l 9=97 in.mrc > out.mrc`")

	// ErrTooLarge is wrapped in the error for a record, or a field, that is longer than ISO 2709 can say.
	ErrTooLarge = errors.New("too large for ISO 2709")
)

// RecordError says which record of a stream of ISO 2709 is bad, and where.
type RecordError struct {
	Record int   // number of the record in the stream, from 1
	Offset int64 // byte of the stream where the defect was seen
	Err    error
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("marc record %d at byte %d: %v", e.Record, e.Offset, e.Err)
}

func (e *RecordError) Unwrap() error { return e.Err }
