package resolve

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"concord/actors/jsonvalue"
)

// Answer is what a file says of a place.
type Answer struct {
	Path string
	Line int  // of its path, from 1 on
	Open bool // it is left open
	// Side is a side to be taken; if it is "" the value is taken, nil for none.
	Side  Side
	Value *jsonvalue.Value
}

// LineError is a line that cannot be understood.
type LineError struct {
	Line   int // from 1 on
	Reason string
}

func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// Parse reads a file. The error is a *LineError, or says that the file is too long. Each path is in the answers once.
func Parse(text []byte) ([]Answer, error) {
	if len(text) > FileMaxBytes {
		return nil, fmt.Errorf("the file has %d bytes; the limit is %d", len(text), FileMaxBytes)
	}
	r := reader{seen: make(map[string]bool)}
	number := 0
	for line := range strings.Lines(string(text)) {
		number++
		if err := r.line(number, strings.TrimRight(line, "\r\n")); err != nil {
			return nil, err
		}
	}
	if err := r.endPlace(); err != nil {
		return nil, err
	}
	return r.answers, nil
}

// reader reads line after line.
type reader struct {
	answers []Answer
	seen    map[string]bool

	inPlace, inPart, inResult bool
	result                    strings.Builder
	resultLine                int
}

func (r *reader) line(number int, line string) error {
	switch {
	case !utf8.ValidString(line):
		return &LineError{number, "is not UTF-8"}
	case strings.HasPrefix(line, "#"):
		return nil
	case strings.HasPrefix(line, strings.TrimSpace(placeMark)):
		if err := r.endPlace(); err != nil {
			return err
		}
		return r.place(number, strings.TrimSpace(line[2:]))
	case strings.HasPrefix(line, strings.TrimSpace(partMark)):
		return r.part(number, strings.TrimSpace(line[2:]))
	case strings.TrimSpace(line) == "" && !r.inResult:
		return nil
	case r.inResult:
		r.result.WriteString(line + "\n")
		return nil
	case r.inPart:
		return nil // a side, there to be read
	default:
		return &LineError{number, `stands outside of a place: those begin with "` + placeMark + `" and a path`}
	}
}

func (r *reader) place(number int, path string) error {
	if strings.HasPrefix(path, `"`) {
		if err := json.Unmarshal([]byte(path), &path); err != nil {
			return &LineError{number, "the path is no JSON string"}
		}
	}
	if _, err := jsonvalue.ParsePointer(path); err != nil {
		return &LineError{number, "there is no path after the mark: " + err.Error()}
	}
	if r.seen[path] {
		return &LineError{number, "the path is in the file twice"}
	}
	r.seen[path] = true
	r.answers = append(r.answers, Answer{Path: path, Line: number, Open: true})
	r.inPlace, r.inPart, r.inResult, r.resultLine = true, false, false, 0
	r.result.Reset()
	return nil
}

func (r *reader) part(number int, name string) error {
	_, side := ParseSide(name)
	switch {
	case !r.inPlace:
		return &LineError{number, "stands in no place"}
	case r.resultLine > 0:
		return &LineError{number, "the result is the last of a place"}
	case name == resultName:
		r.inResult, r.resultLine = true, number
	case !side:
		return &LineError{number, fmt.Sprintf("%q is neither base, ours, theirs nor result", name)}
	}
	r.inPart = true
	return nil
}

// endPlace reads the result of the place that ends here.
func (r *reader) endPlace() error {
	if !r.inPlace {
		return nil
	}
	a := &r.answers[len(r.answers)-1]
	text := strings.TrimSpace(r.result.String())
	side, named := ParseSide(text)
	switch {
	case text == "" || text == openWord:
		return nil
	case named:
		a.Side = side
	case text == removeWord:
	default:
		v, err := jsonvalue.Parse([]byte(text))
		if err != nil {
			return &LineError{r.resultLine, "the result is neither ours, theirs, base, remove nor JSON: " + reasonOf(err)}
		}
		a.Value = v
	}
	a.Open = false
	return nil
}

func reasonOf(err error) string {
	if s, ok := errors.AsType[*jsonvalue.SyntaxError](err); ok {
		return s.Reason
	}
	return err.Error()
}

// Take settles clashes as the answers say. A place that the file leaves out, or open, stays open. The error names the line
// of the answer that cannot be taken; the draft has then taken those before it.
func (d *Draft) Take(answers []Answer) error {
	open := make(map[string]*Clash)
	for _, c := range d.Open() {
		open[c.Path] = c
	}
	for i := range answers {
		a := &answers[i]
		c, known := open[a.Path]
		if !known {
			return &LineError{a.Line, "there is no such conflict"}
		}
		if a.Open {
			continue
		}
		value := a.Value
		if a.Side != "" {
			value = c.Of(a.Side)
		}
		if err := d.Settle(c, value); err != nil {
			return &LineError{a.Line, err.Error()}
		}
	}
	return nil
}
