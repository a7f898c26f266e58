package transfer

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"

	"concord/actors/jsonvalue"
	"concord/transport/client"
)

// targetLineMaxBytes bounds one line of a list of targets: a value may have 64 KiB, a key a few.
const targetLineMaxBytes = 1 << 20

// Targets reads a list of collections for a bulk update: a line for each, which is an id, an id as a JSON string, or an object
// {"id" or "key", "value", "version"}; or CSV with a header that names a column id, or key. Items of a task, as they are listed
// for programs, are such lines: what they say beside it is passed over. With keys a line is the key itself, {path: value}.
// Empty lines count for nothing. The error of a line that is none of these names it; it is the last that is yielded.
func Targets(from io.Reader, keys bool) iter.Seq2[client.BulkTarget, error] {
	return func(yield func(client.BulkTarget, error) bool) {
		in := bufio.NewReaderSize(from, targetHeaderMaxBytes)
		if begin, _ := in.Peek(len(byteOrderMark)); string(begin) == byteOrderMark {
			_, _ = in.Discard(len(byteOrderMark)) // they are there
		}
		if first, err := in.Peek(1); err == nil && !keys && isLetter(first[0]) {
			if line, _ := in.Peek(targetHeaderMaxBytes); isHeader(line) {
				tableTargets(in, yield)
				return
			}
		}
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, targetLineMaxBytes)
		number := 0
		for lines.Scan() {
			number++
			text := bytes.TrimSpace(lines.Bytes())
			if len(text) == 0 {
				continue
			}
			target, err := targetOf(text, keys)
			if err != nil {
				yield(client.BulkTarget{}, fmt.Errorf("line %d: %w", number, err))
				return
			}
			if !yield(target, nil) {
				return
			}
		}
		switch err := lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(client.BulkTarget{}, fmt.Errorf("line %d: more than %d bytes", number+1, targetLineMaxBytes))
		case err != nil:
			yield(client.BulkTarget{}, err)
		}
	}
}

// targetOf reads one line that is not empty. What it returns does not share with the text.
func targetOf(text []byte, keys bool) (t client.BulkTarget, err error) {
	switch {
	case keys:
		t.Key, err = keyOf(text)
		return t, err
	case text[0] == '"':
		if err := json.Unmarshal(text, &t.ID); err != nil || t.ID == "" {
			return t, errors.New("is no id as a JSON string")
		}
		return t, nil
	case text[0] == '{':
		return targetObject(text)
	}
	return client.BulkTarget{ID: string(text)}, nil
}

func keyOf(text []byte) (json.RawMessage, error) {
	if _, err := jsonvalue.Members(text); err != nil {
		return nil, fmt.Errorf(`is no key, such as {"/metadata/ShortName": "X"}: %w`, err)
	}
	return slices.Clone(text), nil
}

// itemMembers are those of an item of a task that say what came of it, and not what it is.
var itemMembers = []string{"row", "state", "code", "message", "warnings", "versionBefore", "versionAfter", "diff", "diffBytes"}

func targetObject(text []byte) (t client.BulkTarget, err error) {
	members, err := jsonvalue.Members(text)
	if err != nil {
		return t, err
	}
	for _, m := range members {
		switch m.Name {
		case "id":
			err = json.Unmarshal(m.Text, &t.ID)
		case "key":
			t.Key, err = keyOf(m.Text)
		case "value":
			t.Value = slices.Clone(m.Text)
		case "version":
			err = json.Unmarshal(m.Text, &t.Version)
		default:
			if !slices.Contains(itemMembers, m.Name) {
				return t, fmt.Errorf("%q is not known: an item has id or key, value and version", m.Name)
			}
		}
		if err != nil {
			return t, fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	if t.ID != "" { // an item that was named by its key has both once the key was looked up
		t.Key = nil
	}
	if t.ID == "" && t.Key == nil {
		return t, errors.New("has neither id nor key")
	}
	return t, nil
}

// byteOrderMark is how some editors begin a text.
const byteOrderMark = "\uFEFF"

// targetHeaderMaxBytes is how long the header of a table may be.
const targetHeaderMaxBytes = 1024

func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }

// isHeader says that a list begins as a table does. A list of ids has no commas.
func isHeader(begin []byte) bool {
	line, _, _ := strings.Cut(string(begin), "\n")
	columns := strings.Split(strings.TrimSpace(line), ",")
	return len(columns) > 1 && (slices.Contains(columns, "id") || slices.Contains(columns, "key"))
}

// tableTargets reads CSV with a header.
func tableTargets(from io.Reader, yield func(client.BulkTarget, error) bool) {
	table := csv.NewReader(from)
	table.ReuseRecord = true
	header, err := table.Read()
	if err != nil {
		yield(client.BulkTarget{}, err)
		return
	}
	column := func(name string) func([]string) string {
		i := slices.Index(header, name)
		return func(row []string) string {
			if i < 0 {
				return ""
			}
			return strings.Clone(row[i])
		}
	}
	id, key, version := column("id"), column("key"), column("version")
	for {
		row, err := table.Read()
		if errors.Is(err, io.EOF) {
			return
		}
		t := client.BulkTarget{}
		if err == nil {
			line, _ := table.FieldPos(0)
			if t, err = rowTarget(id(row), key(row), version(row)); err != nil {
				err = fmt.Errorf("line %d: %w", line, err)
			}
		}
		if !yield(t, err) || err != nil {
			return
		}
	}
}

func rowTarget(id, key, version string) (t client.BulkTarget, err error) {
	t.ID = id
	if id == "" {
		if t.Key, err = keyOf([]byte(key)); err != nil {
			return t, err
		}
	}
	if version != "" {
		if t.Version, err = strconv.ParseUint(version, 10, 64); err != nil {
			return t, fmt.Errorf("version %q is no number", version)
		}
	}
	return t, nil
}
