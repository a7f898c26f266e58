// Package marc reads and writes MARC 21 records in two forms that say the same: ISO 2709, the
// exchange format of libraries, and MARC-in-JSON, the form in which Concord keeps a document.
//
// Both readers return only records that [Record.Check] accepts, so that what came in by one form goes
// out by the other, unless it is longer than ISO 2709 can say. Only UTF-8 is read and written ("MARC 21 leader/09" = 'a'); MARC-8 is
// refused with [ErrMARC8], never guessed. Nothing here knows what a tag means, but for 001.
package marc

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Record is one MARC record. The order of Fields, and of the subfields in each, is the order of the
// record and is kept by every reader and writer of this package.
type Record struct {
	Leader string // 24 bytes; a writer of ISO 2709 computes the structural ones anew
	Fields []Field
}

// Field is a control field (tag 00X: Value) or a data field (any other tag: the rest). Which of the
// two it is follows from the tag alone, as MARC 21 has it.
type Field struct {
	Tag       string // three ASCII digits or letters
	Value     string // of a control field
	Ind1      byte   // of a data field, as the other two: a printable ASCII character, often a blank
	Ind2      byte
	Subfields []Subfield // nil, never empty, when a data field has none
}

// Subfield is one element of a data field.
type Subfield struct {
	Code  byte // a printable ASCII character other than the blank
	Value string
}

const (
	leaderBytes = 24
	tagBytes    = 3

	// The delimiters of ISO 2709 follow each other, which checkText makes use of.
	recordTerminator  = 0x1D
	fieldTerminator   = 0x1E
	subfieldDelimiter = 0x1F

	controlNumberTag = "001"
)

// IsControl tells whether f is a control field, "00X" in MARC 21.
func (f Field) IsControl() bool { return isControlTag(f.Tag) }

func isControlTag(tag string) bool { return strings.HasPrefix(tag, "00") }

// ControlNumber returns the value of the first 001 field without surrounding blanks, or "".
func (r Record) ControlNumber() string {
	for _, f := range r.Fields {
		if f.Tag == controlNumberTag {
			return strings.Trim(f.Value, " ")
		}
	}
	return ""
}

// Check returns an error naming the first part of r that no MARC 21 record can have, and nil for a
// record that every writer of this package can write, the lengths of ISO 2709 apart.
func (r Record) Check() error {
	if err := checkLeader(r.Leader); err != nil {
		return err
	}
	for i, f := range r.Fields {
		if err := f.check(); err != nil {
			return fmt.Errorf("field %d (%q): %w", i+1, f.Tag, err)
		}
	}
	return nil
}

func (f Field) check() error {
	if err := checkTag(f.Tag); err != nil {
		return err
	}
	if f.IsControl() {
		if f.Ind1 != 0 || f.Ind2 != 0 || len(f.Subfields) > 0 {
			return errors.New("a control field has neither indicators nor subfields")
		}
		return checkText(f.Value)
	}
	if f.Value != "" {
		return errors.New("a data field has subfields, not a value of its own")
	}
	for _, ind := range []byte{f.Ind1, f.Ind2} {
		if err := checkIndicator(ind); err != nil {
			return err
		}
	}
	for i, s := range f.Subfields {
		if err := s.check(); err != nil {
			return fmt.Errorf("subfield %d: %w", i+1, err)
		}
	}
	return nil
}

func (s Subfield) check() error {
	if err := checkCode(s.Code); err != nil {
		return err
	}
	return checkText(s.Value)
}

func checkLeader(leader string) error {
	if len(leader) != leaderBytes {
		return fmt.Errorf("leader has %d bytes, want %d", len(leader), leaderBytes)
	}
	for i := range leaderBytes {
		if !printable(leader[i]) {
			return fmt.Errorf("leader/%02d is %#02x, want a printable ASCII character", i, leader[i])
		}
	}
	return nil
}

func checkTag(tag string) error {
	if len(tag) == tagBytes && alphanumeric(tag[0]) && alphanumeric(tag[1]) && alphanumeric(tag[2]) {
		return nil
	}
	return fmt.Errorf("tag %q is not three ASCII digits or letters", tag)
}

// checkIndicator is wider than MARC 21, which knows digits, lower-case letters and the blank: old
// systems wrote the fill character and worse, and a record is not to be lost for it.
func checkIndicator(ind byte) error {
	if !printable(ind) {
		return fmt.Errorf("indicator is %#02x, want a printable ASCII character", ind)
	}
	return nil
}

func checkCode(code byte) error {
	if !printable(code) || code == ' ' {
		return fmt.Errorf("subfield code is %#02x, want a printable ASCII character other than the blank", code)
	}
	return nil
}

// checkText refuses the three delimiters because ISO 2709 cannot carry them inside a value.
func checkText(value string) error {
	for i := range len(value) {
		if b := value[i]; recordTerminator <= b && b <= subfieldDelimiter {
			return fmt.Errorf("value has the delimiter %#02x at byte %d", b, i)
		}
	}
	if !utf8.ValidString(value) {
		return errors.New("value is not valid UTF-8")
	}
	return nil
}

func printable(b byte) bool { return ' ' <= b && b <= '~' }

func alphanumeric(b byte) bool { return isDigit(b) || 'A' <= b && b <= 'Z' || 'a' <= b && b <= 'z' }

func isDigit(b byte) bool { return '0' <= b && b <= '9' }
