package sheet

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// read is what is read of a file, as "line:field,field"; a field that may be meant as JSON ends in "?", one that is JSON but no
// string in "!". What is wrong comes last.
func read(file string, o Options) string {
	o.At = "/columns"
	var rows []string
	for row, err := range Read(iotest.OneByteReader(strings.NewReader(file)), o) {
		if err != nil {
			p, ok := errors.AsType[*problem.Problem](err)
			if !ok || len(p.Errors) != 1 {
				return fmt.Sprint("error: ", err)
			}
			return strings.Join(append(rows, p.Errors[0].Path+" "+p.Errors[0].Message), " ")
		}
		var fields []string
		for _, f := range row.Fields {
			mark := ""
			if f.Open {
				mark = "?"
			} else if f.JSON[0] != '"' {
				mark = "!"
			}
			fields = append(fields, f.Text+mark)
		}
		rows = append(rows, fmt.Sprintf("%d:%s", row.Line, strings.Join(fields, ",")))
	}
	return strings.Join(rows, " ")
}

// TestFiles: what people upload.
func TestFiles(t *testing.T) {
	short := []string{"short", "edition"}
	for name, row := range map[string]struct {
		file    string
		columns []string
		want    string // or how it begins, if it ends in "..."
	}{
		"one column":                      {"a\nb\nc\n", nil, "1:a 2:b 3:c"},
		"without an end":                  {"a\nb", nil, "1:a 2:b"},
		"with CRLF":                       {"a\r\nb\r\n", nil, "1:a 2:b"},
		"with a byte order mark":          {"\uFEFFa\nb", nil, "1:a 2:b"},
		"with blank lines":                {"\n\na\n\n  \nb\n\n\n", nil, "3:a 6:b"},
		"with quotes":                     {"\"a,b\"\n\"c\"\"d\"\n", nil, `1:a,b 2:c"d`},
		"with a line end in quotes":       {"\"a\nb\"\nc\n", nil, "1:a\nb 3:c"},
		"with CRLF in quotes":             {"\"a\r\nb\"\r\nc", nil, "1:a\nb 3:c"},
		"a mark and a quote":              {"\uFEFF\"a\",\nb", nil, "line 1 has 2 fields..."},
		"nothing":                         {"", nil, ""},
		"nothing but a mark":              {"\uFEFF", nil, ""},
		"nothing but blank lines":         {"\n \r\n\t\n", nil, ""},
		"numbers and booleans":            {"7\n007\ntrue\nnull\n1.50\n 7\n", nil, "1:7? 2:007 3:true? 4:null 5:1.50? 6: 7"},
		"named columns":                   {"edition,title,short\n7,x,a\n8,y,b\n", short, "2:a,7? 3:b,8?"},
		"a named one":                     {"\uFEFFid\r\na\r\n\r\nb\r\n", []string{"id"}, "2:a 4:b"},
		"a header in quotes":              {"\"short\",\"edition\"\n\"a,1\",2", short, "2:a,1,2?"},
		"a header alone":                  {"short,edition\n", short, ""},
		"rows of blank fields":            {"short,edition\n,\n , \na,\n", short, "4:a,"},
		"several columns, none named":     {"a,b\n", nil, "line 1 has 2 fields: where no columns are named, a file has one column, and no line of names"},
		"a column that is not there":      {"short,title\na,b\n", short, `/columns/1 the file has no column "edition"; its first line names "short", "title"`},
		"semicolons":                      {"short;edition\na;b\n", short, `/columns/0 the file has no column "short"; its first line names "short;edition": fields are separated by commas, by nothing else`},
		"tabs":                            {"short\tedition\na\tb\n", short, `/columns/0 the file has no column "short"; its first line names "short\tedition": fields are separated by commas, by nothing else`},
		"semicolons in one column":        {"a;b\n", nil, "1:a;b"},
		"a column twice":                  {"short,edition,short\n", short, `/columns/0 the file has several columns "short"`},
		"a row that is longer":            {"short,edition\na,b\na,b,c\n", short, "2:a,b line 3 has another number of fields than the first line, which has 2"},
		"a row that is shorter":           {"short,edition\na\n", short, "line 2 has another number of fields than the first line, which has 2"},
		"a quote that is not ended":       {"a\n\"b\nc\nd\n", nil, "1:a line 2 begins a quoted field that is not ended as it should be, at the latest in line..."},
		"a quote in the middle":           {"a\nb\"c\n", nil, "1:a line 2 has a quote out of place, at byte 2..."},
		"text behind a quote":             {"\"a\"b\n", nil, "line 1 has a quote out of place..."},
		"a NUL":                           {"a\nb\x00c\n", nil, "line 2 has a NUL byte: the file is binary, or in another encoding than UTF-8"},
		"UTF-16":                          {"\xff\xfea\x00\n\x00", nil, "line 1 has a NUL byte..."},
		"Latin-1":                         {"a\nM\xfcller\n", nil, "1:a line 2 is not UTF-8, which the file must be"},
		"UTF-8":                           {"Müller\n", nil, "1:Müller"},
		"a row that is too long":          {"a\n" + strings.Repeat("x", 2*RowMaxBytes), nil, "1:a line 2 is in a row of more than 65536 bytes; is a quote not ended?"},
		"a quote that goes on and on":     {"a\n\"" + strings.Repeat("x\n", RowMaxBytes), nil, "1:a line..."},
		"JSON lines of objects":           {"{\"id\":\"a\"}\n\n {\"id\":\"b\",\"x\":1}\r\n{\"id\":7}", nil, "1:a 3:b 4:7!"},
		"objects and strings":             {"{\"id\":\"a\"}\n\"b\"\n", nil, "1:a 2:b"},
		"JSON lines behind a mark":        {"\uFEFF\n{\"id\":\"a\"}", nil, "2:a"},
		"members by name":                 {"{\"edition\":1.50,\"short\":\"a\\u0041\"}\n{\"short\":true,\"edition\":\"1\"}\n", short, "1:aA,1.50! 2:true!,1"},
		"a member that is not there":      {"{\"short\":\"a\",\"edition\":1}\n{\"short\":\"b\"}\n", short, `1:a,1! line 2 has no member "edition": it has "short"`},
		"a member of no sort":             {"{\"id\":null}\n", nil, `line 1 the member "id" must be a string, a number, true or false`},
		"a member twice":                  {"{\"id\":\"a\",\"id\":\"b\"}\n", nil, "line 1 is no JSON..."},
		"an object that is cut":           {"{\"id\":\"a\"}\n{\"id\":", nil, "1:a line 2 is no JSON..."},
		"a string for two columns":        {"{\"short\":\"a\",\"edition\":1}\n\"b\"\n", short, `1:a,1! line 2 is a string, where an object with "short", "edition" is needed`},
		"a bare word among them":          {"{\"id\":\"a\"}\nb\n", nil, "1:a line 2 must be a JSON string or object"},
		"a line that is too long":         {"{\"id\":\"a\"}\n{\"x\":\"" + strings.Repeat("x", 2*RowMaxBytes) + "\"}", nil, "1:a line 2 is in a row of more than..."},
		"JSON lines that are not UTF-8":   {"{\"id\":\"a\"}\n{\"id\":\"\xff\"}\n", nil, "1:a line 2 is not UTF-8, which the file must be"},
		"a NUL in JSON lines":             {"{\"id\":\"a\"}\n\x00\n", nil, "1:a line 2 has a NUL byte..."},
		"more columns than anybody needs": {strings.Repeat("a,", fieldsMax) + "a\n", short, "line 1 has 1001 fields: the limit is 1000"},
	} {
		t.Run(name, func(t *testing.T) {
			got := read(row.file, Options{Columns: row.columns})
			begins, some := strings.CutSuffix(row.want, "...")
			if some && !strings.HasPrefix(got, begins) || !some && got != row.want {
				t.Errorf("%q is read as\n%s, want\n%s", row.file, shown(got), row.want)
			}
		})
	}
}

// TestFormatsThatAreNamed: the format of the request counts, whatever the file looks like.
func TestFormatsThatAreNamed(t *testing.T) {
	if got := read("\"a\"\n\"b\\u0041\"\n", Options{Format: Lines}); got != "1:a 2:bA" {
		t.Errorf("strings as JSON lines: %s", got)
	}
	if got := read("{a\n", Options{Format: CSV}); got != "1:{a" {
		t.Errorf("a brace in CSV: %s", got)
	}
}

// TestTheReadersError: what is wrong with the reader is told as it is, and what was read before it is there.
func TestTheReadersError(t *testing.T) {
	broken := errors.New("the disk is gone")
	for _, o := range []Options{{Format: CSV}, {Format: Lines}} {
		rows := 0
		var last error
		for _, err := range Read(iotest.DataErrReader(&failing{[]byte("\"a\"\n\"b\"\n"), broken}), o) {
			if last = err; err == nil {
				rows++
			}
		}
		if rows != 2 || !errors.Is(last, broken) {
			t.Errorf("%s: %d rows, then %v", o.Format, rows, last)
		}
	}
}

type failing struct {
	text []byte
	err  error
}

func (f *failing) Read(b []byte) (int, error) {
	n := copy(b, f.text)
	if f.text = f.text[n:]; len(f.text) == 0 {
		return n, f.err
	}
	return n, nil
}

// TestWhatIsWrittenIsRead: whatever texts a program writes as CSV, or as JSON lines, are read back, each with the line that its
// row begins in.
func TestWhatIsWrittenIsRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("ab7,\";\n\tüx{ ")), 1, 8, -1).Filter(func(s string) bool { return strings.TrimSpace(s) != "" })
		rows := rapid.SliceOfN(rapid.SliceOfN(text, 2, 2), 1, 5).Draw(t, "rows")
		lines := rapid.Bool().Draw(t, "lines")
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		w.UseCRLF = rapid.Bool().Draw(t, "CRLF")
		if !lines {
			_ = w.Write([]string{"b", "a"})
		}
		for _, row := range rows {
			if lines {
				b, _ := json.Marshal(map[string]string{"a": row[1], "b": row[0]})
				file.Write(append(b, '\n'))
			} else {
				_ = w.Write(row)
			}
		}
		w.Flush()
		at, line := 0, uint64(2)
		if lines {
			line = 1
		}
		written := file.String()
		for row, err := range Read(&file, Options{Columns: []string{"a", "b"}}) {
			if err != nil {
				t.Fatalf("%q: %v", written, err)
			}
			want := rows[at]
			if row.Fields[0].Text != want[1] || row.Fields[1].Text != want[0] || row.Line != line {
				t.Fatalf("%q: row %d in line %d is %q, %q", written, at, row.Line, row.Fields[0].Text, row.Fields[1].Text)
			}
			at++
			if line++; !lines {
				line += uint64(strings.Count(want[0]+want[1], "\n"))
			}
		}
		if at != len(rows) {
			t.Fatalf("%q: %d rows of %d", written, at, len(rows))
		}
	})
}

// FuzzRead: whatever a file has, it is read or refused at a place, and what is read is text and JSON in the order of the lines.
func FuzzRead(f *testing.F) {
	f.Add([]byte("a,b\n1,\"x\ny\"\n"), "csv", true)
	f.Add([]byte("\uFEFF{\"a\":1,\"b\":\"x\"}\n\"y\"\r\n"), "", true)
	f.Add([]byte("{\"id\":true}\n\n7"), "jsonl", false)
	f.Add([]byte("\"a\"b\n"), "", false)
	f.Fuzz(func(t *testing.T, file []byte, format string, named bool) {
		o := Options{At: "/columns", Columns: []string{"a", "b"}}
		if o.Format = format; format != CSV && format != Lines {
			o.Format = ""
		}
		if !named {
			o.Columns = nil
		}
		last, ended := uint64(0), false
		for row, err := range Read(bytes.NewReader(file), o) {
			if ended {
				t.Fatal("it goes on behind what is wrong")
			}
			if err != nil {
				p, ok := errors.AsType[*problem.Problem](err)
				if !ok || p.Code != problem.Invalid || len(p.Errors) != 1 || p.Errors[0].Path == "" || !utf8.ValidString(p.Errors[0].Message) {
					t.Fatalf("%v", err)
				}
				ended = true
				continue
			}
			if row.Line <= last || len(row.Fields) != max(len(o.Columns), 1) {
				t.Fatalf("line %d behind line %d has %d fields", row.Line, last, len(row.Fields))
			}
			last = row.Line
			for _, field := range row.Fields {
				if _, err := jsonvalue.Check(field.JSON); err != nil || !utf8.ValidString(field.Text) {
					t.Fatalf("%q as %s: %v", field.Text, field.JSON, err)
				}
				if _, err := jsonvalue.Check([]byte(field.Text)); field.Open && err != nil {
					t.Fatalf("%q may not be meant as JSON: %v", field.Text, err)
				}
			}
		}
	})
}
