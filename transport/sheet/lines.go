package sheet

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"concord/actors/jsonvalue"
)

// idMember is the member of a line that counts where no columns are named.
const idMember = "id"

// readLines reads rows of JSON lines.
func readLines(s *source, o *Options, yield func(Row, error) bool) error {
	columns := o.Columns
	if len(columns) == 0 {
		columns = []string{idMember}
	}
	for number := 1; ; number++ {
		text, err := s.line()
		last := errors.Is(err, io.EOF)
		if err != nil && !last {
			return err
		}
		if text := strings.TrimSpace(string(text)); text != "" {
			fields, err := lineOf(number, text, columns)
			if err != nil {
				return err
			}
			if !yield(Row{Line: uint64(number), Fields: fields}, nil) {
				return errEnough
			}
		}
		if last {
			return nil
		}
	}
}

// lineOf reads one line.
func lineOf(number int, text string, columns []string) ([]Field, error) {
	if !utf8.ValidString(text) {
		return nil, at(number, "is not UTF-8, which the file must be")
	}
	switch text[0] {
	case '"':
		if _, err := jsonvalue.Check([]byte(text)); err != nil {
			return nil, at(number, "is no JSON: %v", err)
		}
		if len(columns) > 1 {
			return nil, at(number, "is a string, where an object with %s is needed", list(columns))
		}
		f, err := fieldOf(number, &jsonvalue.RawMember{Text: []byte(text), Kind: jsonvalue.String})
		return []Field{f}, err
	case '{':
		return objectOf(number, text, columns)
	}
	return nil, at(number, "must be a JSON string or object")
}

func objectOf(number int, text string, columns []string) ([]Field, error) {
	members, err := jsonvalue.Members([]byte(text))
	if err != nil {
		return nil, at(number, "is no JSON: %v", err)
	}
	fields := make([]Field, len(columns))
	for i, column := range columns {
		m := slices.IndexFunc(members, func(m jsonvalue.RawMember) bool { return m.Name == column })
		if m < 0 {
			var names []string
			for _, m := range members {
				names = append(names, m.Name)
			}
			return nil, at(number, "has no member %q: it has %s", shown(column), list(names))
		}
		if fields[i], err = fieldOf(number, &members[m]); err != nil {
			return nil, err
		}
	}
	return fields, nil
}

// fieldOf is a member that says what it is.
func fieldOf(number int, m *jsonvalue.RawMember) (Field, error) {
	f := Field{Text: string(m.Text), JSON: slices.Clone(m.Text)}
	switch m.Kind {
	case jsonvalue.String:
		if err := json.Unmarshal(m.Text, &f.Text); err != nil {
			return f, at(number, "is no JSON: %v", err)
		}
	case jsonvalue.Number, jsonvalue.Bool:
	default:
		return f, at(number, "the member %q must be a string, a number, true or false", shown(m.Name))
	}
	return f, nil
}
