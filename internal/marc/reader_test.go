package marc

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// A record in the words of a cataloguer: one string a field, "001 value" or "tag, indicators, $a...".
// A "#" is a blank indicator.
func record(lines ...string) Record {
	rec := Record{Leader: "00000nam a2200000 a 4500"}
	for _, line := range lines {
		tag, rest := line[:3], line[4:]
		if isControlTag(tag) {
			rec.Fields = append(rec.Fields, Field{Tag: tag, Value: rest})
			continue
		}
		inds := strings.ReplaceAll(rest[:2], "#", " ")
		f := Field{Tag: tag, Ind1: inds[0], Ind2: inds[1]}
		for _, part := range strings.Split(rest[2:], "$")[1:] {
			f.Subfields = append(f.Subfields, Subfield{Code: part[0], Value: part[1:]})
		}
		rec.Fields = append(rec.Fields, f)
	}
	return rec
}

func iso(t testing.TB, rec Record) string {
	t.Helper()
	var out bytes.Buffer
	if err := NewWriter(&out).Write(rec); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// patch replaces the bytes of s from at on.
func patch(s string, at int, with string) string { return s[:at] + with + s[at+len(with):] }

var small = record("001 b1", "245 10$aJazz :$bcafé")

// smallISO is small as ISO 2709, written by hand from the standard.
const smallISO = "00071nam a2200049 a 4500" +
	"001000300000" + "245001800003" + "\x1e" +
	"b1\x1e" +
	"10\x1faJazz :\x1fbcaf\xc3\xa9\x1e" +
	"\x1d"

func TestWriterFollowsISO2709(t *testing.T) {
	if got := iso(t, small); got != smallISO {
		t.Errorf("got  %q\nwant %q", got, smallISO)
	}
}

func TestReaderFollowsISO2709(t *testing.T) {
	got, err := NewReader(strings.NewReader(smallISO)).Next()
	if err != nil {
		t.Fatal(err)
	}
	want := small
	want.Leader = smallISO[:24]
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if got.ControlNumber() != "b1" {
		t.Errorf("control number %q", got.ControlNumber())
	}
}

func TestReaderAccepts(t *testing.T) {
	ascii := strings.ReplaceAll(smallISO, "caf\xc3\xa9", "cafes")
	for name, in := range map[string]string{
		"nothing":                              "",
		"a file of line feeds":                 "\r\n\n",
		"one record":                           smallISO,
		"records with line ends between":       smallISO + "\r\n" + smallISO + "\n",
		"a byte order mark":                    "\ufeff" + smallISO,
		"blank leader/09 when all is ASCII":    patch(ascii, codingSchemeAt, " "),
		"any value in leader/23":               patch(smallISO, 23, " "),
		"a record without fields":              iso(t, record()),
		"a data field without subfields":       iso(t, record("245 10")),
		"an empty control field":               iso(t, record("001 ")),
		"a subfield without text":              iso(t, record("245 10$a$b")),
		"fields in another order than entries": swapped,
		"a local tag of letters":               iso(t, record("LOC ##$ashelf")),
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(iotest.OneByteReader(strings.NewReader(in)))
			for range strings.Count(in, "\x1d") {
				if _, err := r.Next(); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := r.Next(); !errors.Is(err, io.EOF) {
				t.Errorf("after the last record: %v, want EOF", err)
			}
		})
	}
}

// swapped has its data in the order 245, 001 and its directory in the order 001, 245.
const swapped = "00071nam a2200049 a 4500" +
	"001000300018" + "245001800000" + "\x1e" +
	"10\x1faJazz :\x1fbcaf\xc3\xa9\x1e" + "b1\x1e" +
	"\x1d"

func TestReaderRefusesAndGoesOn(t *testing.T) {
	for name, row := range map[string]struct {
		in     string
		says   string
		offset int64
	}{
		"length with a letter":            {patch(smallISO, 0, "0007x"), "five digits", 0},
		"length with a sign":              {patch(smallISO, 0, "+0071"), "five digits", 0},
		"length of nothing":               {patch(smallISO, 0, "00000"), "at least 26", 0},
		"length too small":                {patch(smallISO, 0, "00070"), "no record terminator at the end", 69},
		"length over the next record":     {patch(smallISO, 0, "00142"), "terminator at byte 70", 70},
		"terminator overwritten":          {patch(smallISO, 70, "?"), "no record terminator", 70},
		"terminator in the text":          {patch(smallISO, 60, "\x1d"), "terminator at byte 60", 60},
		"leader with a control character": {patch(smallISO, 6, "\x01"), "leader/06", 0},
		"leader/09 of another scheme":     {patch(smallISO, 9, "z"), "leader/09", 9},
		"one indicator":                   {patch(smallISO, 10, "1"), "leader/10-11", 0},
		"other entry map":                 {patch(smallISO, 20, "550"), "leader/20-22", 0},
		"base address with a letter":      {patch(smallISO, 12, "0004x"), "base address", 12},
		"base address in the leader":      {patch(smallISO, 12, "00024"), "outside of the record", 12},
		"base address behind the record":  {patch(smallISO, 12, "00071"), "outside of the record", 12},
		"base address beside terminator":  {patch(smallISO, 12, "00048"), "directory ends with", 47},
		"directory no multiple of 12":     {patch(smallISO, 12, "00052"), "no multiple of 12", 24},
		"tag with a blank":                {patch(smallISO, 24, "0 1"), `tag "0 1"`, 24},
		"field length with a letter":      {patch(smallISO, 27, "00x3"), "field length", 24},
		"field length of nothing":         {patch(smallISO, 27, "0000"), "field length", 24},
		"field start with a letter":       {patch(smallISO, 31, "0000x"), "start of field", 24},
		"field outside of the data":       {patch(smallISO, 39, "0019"), "outside of the data", 36},
		"fields that overlap":             {patch(smallISO, 43, "00002"), "inside of the field before", 36},
		"bytes of no field at the start":  {patch(smallISO, 24, "001000200001"), "belong to no field", 24},
		"bytes of no field at the end":    {patch(smallISO, 39, "0017"), "belong to no field", 69},
		"field without a terminator":      {patch(smallISO, 69, "?"), "without a field terminator", 69},
		"field with two terminators":      {patch(smallISO, 58, "\x1e"), "before its end", 58},
		"delimiter in a control field":    {patch(smallISO, 50, "\x1f"), "control field", 50},
		"indicator that is no character":  {patch(smallISO, 53, "\x07"), "indicator", 53},
		"text before the first subfield":  {patch(smallISO, 54, "x"), "before the first subfield", 54},
		"blank as a subfield code":        {patch(smallISO, 55, " "), "subfield code", 54},
		"subfield without a code":         {patch(smallISO, 55, "\x1f"), "without a code", 54},
		"invalid UTF-8":                   {patch(smallISO, 68, "("), "not valid UTF-8", 67},
		"no indicators":                   {"00040nam a2200037 a 4500245000200000\x1e1\x1e\x1d", "no two indicators", 37},
	} {
		t.Run(name, func(t *testing.T) {
			// A good record before it and one behind it: neither may be lost, and offsets count from the start.
			r := NewReader(strings.NewReader(smallISO + row.in + smallISO))
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
			_, err := r.Next()
			bad, ok := errors.AsType[*RecordError](err)
			if !ok {
				t.Fatalf("got %v, want a RecordError", err)
			}
			if bad.Record != 2 || bad.Offset != int64(len(smallISO))+row.offset || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want record 2, offset %d, %q", err, int64(len(smallISO))+row.offset, row.says)
			}
			if rest := readRest(t, r); len(rest) != 1 {
				t.Errorf("%d good records after the bad one, want 1", len(rest))
			}
		})
	}
}

// readRest reads to the end and returns the good records.
func readRest(t rapid.TB, r *Reader) (good []Record) {
	t.Helper()
	for range 1000 {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return good
		}
		if _, bad := errors.AsType[*RecordError](err); bad {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		good = append(good, rec)
	}
	t.Fatal("the reader does not come to an end")
	return nil
}

func TestReaderRefusesMARC8(t *testing.T) {
	for name, in := range map[string]string{
		"a diacritic before its letter":    patch(patch(smallISO, codingSchemeAt, " "), 67, "\xe2e"),
		"text that looks like UTF-8":       patch(smallISO, codingSchemeAt, " "),
		"an escape to Greek, all in ASCII": patch(patch(smallISO, codingSchemeAt, " "), 66, "\x1bga"),
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(strings.NewReader(in + smallISO))
			_, err := r.Next()
			if !errors.Is(err, ErrMARC8) || !strings.Contains(err.Error(), "yaz-marcdump -f marc-8") {
				t.Errorf("got %v, want ErrMARC8 with the way to convert", err)
			}
			if _, err := r.Next(); err != nil {
				t.Errorf("the record behind it: %v", err)
			}
		})
	}
}

func TestReaderAtTheEndOfTheInput(t *testing.T) {
	for at := 1; at < len(smallISO); at++ {
		r := NewReader(strings.NewReader(smallISO + smallISO[:at]))
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("record cut at byte %d: %v, want unexpected EOF", at, err)
		}
		if _, err := r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("after the record cut at byte %d: %v, want EOF", at, err)
		}
	}
}

func TestReaderReportsABrokenInputForEver(t *testing.T) {
	broken := errors.New("disk on fire")
	for name, before := range map[string]string{
		"between records":          smallISO,
		"inside of a record":       smallISO + smallISO[:40],
		"while skipping a bad one": smallISO + "no record",
	} {
		t.Run(name, func(t *testing.T) {
			r := NewReader(io.MultiReader(strings.NewReader(before), iotest.ErrReader(broken)))
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				_, err := r.Next()
				if _, bad := errors.AsType[*RecordError](err); bad {
					continue // the record before the break was bad as well
				}
				if !errors.Is(err, broken) {
					t.Errorf("got %v, want the error of the input", err)
				}
			}
		})
	}
}

func TestReaderSkipsJunkOfAnySize(t *testing.T) {
	junk := strings.Repeat("no record ", readerBufferBytes/4)
	r := NewReader(strings.NewReader(junk + "\x1d" + smallISO))
	if _, err := r.Next(); err == nil {
		t.Error("junk was read as a record")
	}
	if rest := readRest(t, r); len(rest) != 1 {
		t.Errorf("%d records behind the junk, want 1", len(rest))
	}
}

func TestReaderReadsTheLargestRecord(t *testing.T) {
	var rec Record
	for size := recordMaxBytes - 25 - 1; size > 0; {
		n := min(size, fieldMaxBytes+directoryEntryBytes) - directoryEntryBytes
		rec.Fields = append(rec.Fields, Field{Tag: "001", Value: strings.Repeat("x", n-1)})
		size -= n + directoryEntryBytes
	}
	rec.Leader = small.Leader
	in := iso(t, rec)
	if len(in) != recordMaxBytes {
		t.Fatalf("test record has %d bytes", len(in))
	}
	if got := readRest(t, NewReader(strings.NewReader(in+in))); len(got) != 2 {
		t.Errorf("%d records, want 2", len(got))
	}
}

func TestWriterRefuses(t *testing.T) {
	long := strings.Repeat("x", fieldMaxBytes)
	many := small
	for range 12 {
		many.Fields = append(many.Fields, Field{Tag: "500", Ind1: ' ', Ind2: ' ', Subfields: []Subfield{{'a', long[:9000]}}})
	}
	for name, row := range map[string]struct {
		rec  Record
		says string
	}{
		"short leader":                {Record{Leader: "short"}, "leader has 5 bytes"},
		"field of 10,000 bytes":       {record("001 " + long), "too large"},
		"record of over 99,999 bytes": {many, "too large"},
		"tag of two letters":          {Record{Leader: small.Leader, Fields: []Field{{Tag: "24"}}}, "tag"},
		"indicator missing":           {Record{Leader: small.Leader, Fields: []Field{{Tag: "245"}}}, "indicator"},
		"delimiter in a value":        {record("001 a\x1eb"), "delimiter 0x1e at byte 1"},
		"invalid UTF-8":               {record("245 10$a\xff"), "not valid UTF-8"},
		"value in a data field":       {Record{Leader: small.Leader, Fields: []Field{{Tag: "245", Value: "x"}}}, "data field"},
		"subfields in a control field": {Record{Leader: small.Leader, Fields: []Field{{Tag: "001",
			Subfields: []Subfield{{'a', "x"}}}}}, "control field"},
	} {
		t.Run(name, func(t *testing.T) {
			var out bytes.Buffer
			w := NewWriter(&out)
			err := w.Write(row.rec)
			if bad, ok := errors.AsType[*RecordError](err); !ok || bad.Record != 1 || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v, want record 1 and %q", err, row.says)
			}
			if out.Len() > 0 {
				t.Errorf("wrote %q", out.String())
			}
			if err := w.Write(small); err != nil || out.String() != smallISO {
				t.Errorf("the record after it: %v, %q", err, out.String())
			}
		})
	}
}
