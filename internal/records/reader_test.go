package records

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"concord/internal/marc"
	"github.com/google/go-cmp/cmp"
)

const (
	jazz     = `{"leader":"00000nam a2200000 a 4500","fields":[{"001":" b1 "},{"245":{"ind1":"1","ind2":"0","subfields":[{"a":"Jazz"}]}}]}`
	nameless = `{"leader":"00000nam a2200000 a 4500","fields":[]}`
	jazzISO  = "00064nam a2200049 a 4500" + "001000500000" + "245000900005" + "\x1e b1 \x1e10\x1faJazz\x1e\x1d"
)

func newReader(t testing.TB, in string, format Format, o Options) Reader {
	t.Helper()
	r, err := NewReader(iotest.HalfReader(strings.NewReader(in)), format, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// transcript reads a file to its end: an item as "row id value", a bad row as its error.
func transcript(t testing.TB, r Reader) (said []string) {
	t.Helper()
	for range 10_000 {
		it, err := r.Next()
		if errors.Is(err, io.EOF) {
			return said
		}
		if bad, ok := errors.AsType[*RowError](err); ok {
			said = append(said, bad.Error())
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, fmt.Sprintf("%d %s %s", it.Row, it.ID, it.Value))
	}
	t.Fatal("the reader does not come to an end")
	return nil
}

func TestReader(t *testing.T) {
	for name, row := range map[string]struct {
		format Format
		o      Options
		in     string
		want   []string
	}{
		"jsonl: the line is the document": {JSONL, Options{}, `{"id":"a","n":1.0}` + "\n" + `{"n":2,"id":"b"}`,
			[]string{`1 a {"id":"a","n":1.0}`, `2 b {"n":2,"id":"b"}`}},
		"jsonl: another member is the id": {JSONL, Options{ID: "ShortName"}, `{"id":"a","ShortName":"MOD\u002f1"}`,
			[]string{`1 MOD/1 {"id":"a","ShortName":"MOD\u002f1"}`}},
		"jsonl: a member is the document": {JSONL, Options{Value: "record"}, `{"id":"a","record": [1, 2] ,"other":3}`,
			[]string{`1 a [1, 2]`}},
		"jsonl: numbers as ids, missing ids, null ids": {JSONL, Options{}, `{"id":1.50}` + "\n{}\n" + `{"id":null}`,
			[]string{`1 1.50 {"id":1.50}`, `2 row-2 {}`, `3 row-3 {"id":null}`}},
		"jsonl: mark, carriage returns, blank lines, white space": {JSONL, Options{},
			"\ufeff{\"id\":\"a\"}\r\n\r\n \t\n  {\"id\" : \"b\"}  \r\n",
			[]string{`1 a {"id":"a"}`, `2 b {"id" : "b"}`}},
		"jsonl: bad lines cost themselves only": {JSONL, Options{},
			"{\"id\":\"a\"}\n\n{\"id\":\n[]\n{\"id\":true}\n{} {}\n{\"a\":1,\"a\":2}\n{\"id\":\"\xff\"}\n{\"id\":\"z\"}\n",
			[]string{`1 a {"id":"a"}`,
				`row 2 (line 3, byte 12): line is not JSON at "/id", byte 6: unexpected EOF`,
				`row 3 (line 4, byte 19): line is not a JSON object`,
				`row 4 (line 5, byte 22): member "id": an id is a string or a number`,
				`row 5 (line 6, byte 34): more text after the object`,
				`row 6 (line 7, byte 40): line is not JSON at "/a", byte 7: duplicate object member name`,
				`row 7 (line 8, byte 54): line is not JSON at "/id", byte 7: invalid UTF-8`,
				`8 z {"id":"z"}`}},
		"jsonl: no document in the member": {JSONL, Options{Value: "record"}, `{"id":"a"}`,
			[]string{`row 1 (line 1, byte 0): no member "record" with the document`}},
		"jsonl: an empty file": {JSONL, Options{}, "", nil},

		"marc-json: the id is 001":              {MARCJSON, Options{}, jazz, []string{"1 b1 " + jazz}},
		"marc-json: no 001":                     {MARCJSON, Options{}, nameless, []string{"1 row-1 " + nameless}},
		"marc-json: wrapped, with an id":        {MARCJSON, Options{}, `{"id":"x","record":` + jazz + `}`, []string{"1 x " + jazz}},
		"marc-json: wrapped, 001 is the id":     {MARCJSON, Options{}, `{"record":` + jazz + `,"uses":3}`, []string{"1 b1 " + jazz}},
		"marc-json: white space inside is kept": {MARCJSON, Options{}, `{"record": ` + " " + strings.Replace(jazz, ":", " : ", 1) + `}`, []string{"1 b1 " + strings.Replace(jazz, ":", " : ", 1)}},
		"marc-json: bad records cost themselves only": {MARCJSON, Options{}, `{"id":"x"}` + "\n" + `{"id":[],"record":` + nameless + "}\n" + jazz,
			[]string{`row 1 (line 1, byte 0): marc-in-json at "/id", byte 5: unknown member of a record`,
				`row 2 (line 2, byte 11): member "id": an id is a string or a number`,
				"3 b1 " + jazz}},

		"iso2709: the id is 001": {ISO2709, Options{}, jazzISO + "\r\n" + jazzISO,
			[]string{"1 b1 " + jazzFromISO, "2 b1 " + jazzFromISO}},
		"iso2709: no 001": {ISO2709, Options{}, "00026nam a2200025 a 4500\x1e\x1d",
			[]string{`1 row-1 {"leader":"00026nam a2200025 a 4500","fields":[]}`}},
		"iso2709: bad records cost themselves only": {ISO2709, Options{}, jazzISO + "junk\x1d" + jazzISO,
			[]string{"1 b1 " + jazzFromISO,
				`row 2 (byte 64): record length in leader/00-04 is "junk\x1d", want five digits`,
				"3 b1 " + jazzFromISO}},
	} {
		t.Run(name, func(t *testing.T) {
			got := transcript(t, newReader(t, row.in, row.format, row.o))
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// jazzFromISO is jazz with the leader of jazzISO, which has lengths where jazz has zeros.
var jazzFromISO = strings.Replace(jazz, "00000nam a2200000 a 4500", jazzISO[:24], 1)

func TestReaderNamesMARC8(t *testing.T) {
	in := strings.Replace(strings.Replace(jazzISO, "m a", "m  ", 1), "Jazz", "J\xe2az", 1)
	_, err := newReader(t, in, ISO2709, Options{}).Next()
	if _, bad := errors.AsType[*RowError](err); !bad || !errors.Is(err, marc.ErrMARC8) {
		t.Errorf("got %v, want a RowError with ErrMARC8", err)
	}
}

func TestReaderBoundsALine(t *testing.T) {
	longest := `{"id":"` + strings.Repeat("x", lineMaxBytes-9) + `"}`
	if len(longest) != lineMaxBytes {
		t.Fatalf("test line has %d bytes", len(longest))
	}
	r := newReader(t, longest+"\r\n"+longest+" \n"+strings.Repeat(longest, 3)+"\n"+longest, JSONL, Options{})
	for row, tooLong := range []bool{false, true, true, false} {
		it, err := r.Next()
		if tooLong != errors.Is(err, errLineTooLong) || !tooLong && (err != nil || it.Row != row+1) {
			t.Errorf("row %d: %v, too long: want %v", row+1, err, tooLong)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("after the last line: %v", err)
	}
}

func TestReaderReportsABrokenFileForEver(t *testing.T) {
	broken := errors.New("disk on fire")
	for format, before := range map[Format]string{JSONL: jazz + "\n{", MARCJSON: jazz + "\n{", ISO2709: jazzISO + "0005"} {
		r, err := NewReader(io.MultiReader(strings.NewReader(before), iotest.ErrReader(broken)), format, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.Next(); err != nil {
			t.Errorf("%s: the first record: %v", format, err)
		}
		for range 2 {
			if _, err := r.Next(); !errors.Is(err, broken) {
				t.Errorf("%s: %v, want the error of the file", format, err)
			}
		}
	}
}

func TestItemsBelongToTheCaller(t *testing.T) {
	r := newReader(t, `{"id":"a"}`+"\n"+`{"id":"b"}`, JSONL, Options{})
	first, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil || string(first.Value) != `{"id":"a"}` {
		t.Errorf("the first value has become %s (%v)", first.Value, err)
	}
}

func TestUnknownFormat(t *testing.T) {
	_, readErr := NewReader(strings.NewReader(""), "csv", Options{})
	_, writeErr := NewWriter(io.Discard, "csv", Options{})
	_, parseErr := ParseFormat("csv")
	for _, err := range []error{readErr, writeErr, parseErr} {
		if err == nil || !strings.Contains(err.Error(), `unknown format "csv": want one of ["jsonl" "marc-json" "iso2709"]`) {
			t.Errorf("got %v", err)
		}
	}
	if f, err := ParseFormat("marc-json"); f != MARCJSON || err != nil {
		t.Errorf("got %q, %v", f, err)
	}
}

func TestDetect(t *testing.T) {
	for name, row := range map[string]struct {
		first, file string
		want        Format
	}{
		"ISO 2709 by its leader":         {jazzISO, "data", ISO2709},
		"ISO 2709 with a line end":       {"\ufeff\r\n" + jazzISO, "data.json", ISO2709},
		"a bad leader, but a name":       {"junk", "DATA.MRC", ISO2709},
		"MARC-in-JSON":                   {jazz, "data.jsonl", MARCJSON},
		"MARC-in-JSON, cut short":        {jazz[:40], "", MARCJSON},
		"MARC-in-JSON, wrapped":          {`{"id":"x","tags":["a"],"record":` + jazz + "}", "", MARCJSON},
		"JSON":                           {"\ufeff {\"id\":\"a\"}", "data.mrc", JSONL},
		"JSON with a leader of a team":   {`{"leader":"Ann"}`, "", JSONL},
		"JSON with a record in a record": {`{"a":{"record":{"leader":"00000nam a2200000 a 4500"}}}`, "", JSONL},
		"nothing in it, but a name":      {"", "empty.ndjson", JSONL},
		"nothing at all":                 {"", "", ""},
		"comma-separated":                {"id,title\n", "data.csv", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Detect([]byte(row.first), row.file); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}
