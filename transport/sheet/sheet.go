// Package sheet reads the identifiers of records from a file that somebody has exported: CSV (RFC 4180) or JSON lines. It reads
// piece by piece, in bounded memory, and names the line of whatever is wrong.
//
//	CSV         fields are separated by commas and may be quoted; a quoted field may have line ends. Without columns the file has
//	            one column and no line of names; with columns its first line has the names, and each line as many fields
//	JSON lines  a line is a string, or an object whose members are the columns; without columns its member "id" counts
//
// The file is UTF-8, with or without a byte order mark; lines end in LF or CRLF. Blank lines are passed over, but count. Nothing
// is guessed: other separators, other encodings and lines of other lengths are refused.
//
// A cell is what stands in it, also one that begins with = + - or @, here and in the files that the service writes: bytes survive a
// round trip, and identifiers do begin like that. Some programs for tables take such a cell for a formula. To put a sign in front of it
// would make another identifier of it, so it is for who opens a file there to import its columns as text.
package sheet

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"concord/actors/jsonvalue"
	"concord/actors/problem"
)

// Formats.
const (
	CSV   = "csv"
	Lines = "jsonl"
)

// Bounds of a file.
const (
	RowMaxBytes = 64 << 10 // of a line, or of a row of CSV that has line ends in quotes
	ColumnsMax  = 8        // that are read of each row
	fieldsMax   = 1000     // columns of a CSV file
	namesShown  = 20       // columns that a refusal names
)

// Options say what to read.
type Options struct {
	Format  string   // CSV or Lines; "": Lines if the file begins with "{", else CSV
	Columns []string // names; none: the one column that there is
	At      string   // where the columns stand in the request, for problems
}

// Field is one value of a row.
type Field struct {
	Text string // as people read it
	JSON []byte // string, number, true or false
	Open bool   // CSV: nobody has said if it is a string, or the JSON that it looks like
}

// Row is a row that has a field for each column.
type Row struct {
	Line   uint64 // that it begins in, from 1
	Fields []Field
}

// Read yields the rows of the file. What is wrong with the file is a *problem.Problem at a line, or at a column; an error of the
// reader comes as it is. Either is the last thing that is yielded.
func Read(from io.Reader, o Options) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		s := newSource(from)
		if o.Format == "" {
			o.Format = s.format()
		}
		var err error
		if o.Format == Lines {
			err = readLines(s, &o, yield)
		} else {
			err = readCSV(s, &o, yield)
		}
		if err != nil && !errors.Is(err, errEnough) {
			yield(Row{}, s.why(err))
		}
	}
}

// errEnough says that nobody wants more.
var errEnough = errors.New("nobody wants more")

// at is what is wrong in a line.
func at(line int, format string, args ...any) error {
	return problem.At(fmt.Sprintf("line %d", line), format, args...)
}

// readCSV reads rows of CSV.
func readCSV(s *source, o *Options, yield func(Row, error) bool) error {
	r := csv.NewReader(s)
	r.ReuseRecord = true
	var columns []int
	for first := true; ; {
		fields, err := r.Read()
		s.begin()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return wrongCSV(err, r)
		}
		line, _ := r.FieldPos(0)
		if err := checkText(fields, r); err != nil {
			return err
		}
		if first {
			first = false
			if columns, err = heading(line, fields, o); err != nil {
				return err
			}
			if len(o.Columns) > 0 {
				continue
			}
		}
		if blank(fields) {
			continue
		}
		row := Row{Line: uint64(line), Fields: make([]Field, len(columns))}
		for i, column := range columns {
			row.Fields[i] = loose(fields[column])
		}
		if !yield(row, nil) {
			return errEnough
		}
	}
}

// wrongCSV says what is wrong with a row.
func wrongCSV(err error, r *csv.Reader) error {
	wrong, ok := errors.AsType[*csv.ParseError](err)
	switch {
	case !ok:
		return err
	case errors.Is(err, csv.ErrFieldCount):
		return at(wrong.StartLine, "has another number of fields than the first line, which has %d", r.FieldsPerRecord)
	case errors.Is(err, csv.ErrQuote) && wrong.StartLine < wrong.Line:
		return at(wrong.StartLine, "begins a quoted field that is not ended as it should be, at the latest in line %d", wrong.Line)
	case errors.Is(err, csv.ErrQuote), errors.Is(err, csv.ErrBareQuote):
		return at(wrong.Line, "has a quote out of place, at byte %d: a field with quotes in it stands in quotes, and its own are doubled", wrong.Column)
	default:
		return err
	}
}

// checkText refuses what is no text.
func checkText(fields []string, r *csv.Reader) error {
	if len(fields) > fieldsMax {
		line, _ := r.FieldPos(0)
		return at(line, "has %d fields: the limit is %d", len(fields), fieldsMax)
	}
	for i, field := range fields {
		if !utf8.ValidString(field) {
			line, _ := r.FieldPos(i)
			return at(line, "is not UTF-8, which the file must be")
		}
	}
	return nil
}

// heading finds the columns in the first line.
func heading(line int, names []string, o *Options) ([]int, error) {
	if len(o.Columns) == 0 {
		if len(names) > 1 {
			return nil, at(line, "has %d fields: where no columns are named, a file has one column, and no line of names", len(names))
		}
		return []int{0}, nil
	}
	columns := make([]int, len(o.Columns))
	for i, name := range o.Columns {
		place := fmt.Sprintf("%s/%d", o.At, i)
		switch columns[i] = slices.Index(names, name); {
		case columns[i] < 0:
			return nil, problem.At(place, "the file has no column %q; its first line names %s%s", shown(name), list(names), hint(names))
		case slices.Contains(names[columns[i]+1:], name):
			return nil, problem.At(place, "the file has several columns %q", shown(name))
		}
	}
	return columns, nil
}

// hint says what may be meant by a line of names that is one name.
func hint(names []string) string {
	if len(names) == 1 && strings.ContainsAny(names[0], ";\t|") {
		return ": fields are separated by commas, by nothing else"
	}
	return ""
}

func list(names []string) string {
	texts := make([]string, 0, namesShown)
	for _, name := range names[:min(len(names), namesShown)] {
		texts = append(texts, fmt.Sprintf("%q", shown(name)))
	}
	if len(names) > namesShown {
		texts = append(texts, fmt.Sprintf("and %d more", len(names)-namesShown))
	}
	return strings.Join(texts, ", ")
}

// shownMaxBytes bounds what a problem repeats of a file.
const shownMaxBytes = 100

func shown(text string) string {
	if len(text) > shownMaxBytes {
		text = text[:shownMaxBytes] + "…"
	}
	return strings.ToValidUTF8(text, "")
}

func blank(fields []string) bool {
	return !slices.ContainsFunc(fields, func(f string) bool { return strings.TrimSpace(f) != "" })
}

// loose is a field of CSV: text, that may be meant as a number, true or false.
func loose(text string) Field {
	text = strings.Clone(text) // it shares the memory of its row
	quoted, err := json.Marshal(text)
	if err != nil {
		panic("sheet: a string always marshals: " + err.Error())
	}
	f := Field{Text: text, JSON: quoted}
	if text == "true" || text == "false" || text != "" && strings.Contains("-0123456789", text[:1]) && strings.TrimSpace(text) == text {
		_, err := jsonvalue.Check([]byte(text))
		f.Open = err == nil
	}
	return f
}
