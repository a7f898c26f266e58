package operations

import (
	"bytes"
	"encoding/json"
	"iter"

	"concord/actors/authority"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport"
)

// importLineRestBytes is what a line may have beside the record.
const importLineRestBytes = 16 << 10

// importLine is an item as text: its number, and what was wrong with it.
type importLine struct {
	number int
	text   []byte
	err    error
}

// importItems are the items of a request.
func importItems(e *envelope) (iter.Seq2[importLine, error], error) {
	m := e.members["items"]
	if m.Kind != jsonvalue.Array {
		return nil, problem.At(e.at("items"), "must be an array of authorities")
	}
	items, err := jsonvalue.Elements(m.Text)
	if err != nil {
		return nil, syntax(e.at("items"), err)
	}
	if len(items) > importBodyMaxItems {
		return nil, problem.New(problem.TooLarge, "%d items: the limit is %d; more go by upload", len(items), importBodyMaxItems).
			With("limit", importBodyMaxItems)
	}
	return func(yield func(importLine, error) bool) {
		for i, item := range items {
			if !yield(importLine{number: i + 1, text: item.Text}, nil) {
				return
			}
		}
	}, nil
}

// uploadLines are the lines of an upload of the caller's; empty ones are passed over. One that is too long is read past.
func (s *Service) uploadLines(r *transport.Request, id string, lineMaxBytes int) (iter.Seq2[importLine, error], error) {
	u, err := s.closedUpload(r, id)
	if err != nil {
		return nil, err
	}
	return func(yield func(importLine, error) bool) {
		l := lineSplitter{most: lineMaxBytes, yield: yield}
		for body, err := range u.bodies() {
			if err != nil {
				yield(importLine{}, err)
				return
			}
			if !l.chunk(body) {
				return
			}
		}
		l.end()
	}, nil
}

// lineSplitter cuts chunks into lines.
type lineSplitter struct {
	most   int // bytes of a line
	number int // of the last line
	rest   []byte
	long   bool // what is left of a line that is too long is passed over
	yield  func(importLine, error) bool
}

// chunk takes the next bytes; false: nobody wants more.
func (l *lineSplitter) chunk(b []byte) bool {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			l.keep(b)
			return true
		}
		line := b[:i]
		if len(l.rest) > 0 || l.long {
			l.keep(line)
			line, l.rest = l.rest, nil
		}
		if !l.line(line) {
			return false
		}
		b = b[i+1:]
	}
}

// keep remembers the beginning of a line.
func (l *lineSplitter) keep(b []byte) {
	if l.long = l.long || len(l.rest)+len(b) > l.most; l.long {
		l.rest = nil
		return
	}
	l.rest = append(l.rest, b...)
}

func (l *lineSplitter) line(text []byte) bool {
	l.number++
	line := importLine{number: l.number, text: bytes.TrimSpace(text)}
	if l.long || len(text) > l.most {
		l.long = false
		line.text, line.err = nil, problem.New(problem.TooLarge, "a line of more than %d bytes", l.most)
	}
	if len(line.text) == 0 && line.err == nil {
		return true
	}
	return l.yield(line, nil)
}

// end takes the last line, if no line end follows it.
func (l *lineSplitter) end() {
	if len(l.rest) > 0 || l.long {
		line := l.rest
		l.rest = nil
		l.line(line)
	}
}

// importReader makes batches of lines.
type importReader struct {
	importer *importer
	next     func() (importLine, error, bool)
	kept     *importItem // begins the next batch
}

// batch reads the next batch; nil: there is none. An id that comes again begins a new one.
func (r *importReader) batch() (*importBatch, error) {
	b := &importBatch{items: make([]importItem, 0, importBatchMaxItems)}
	ids := make(map[string]struct{}, importBatchMaxItems)
	size := 0
	if r.kept != nil {
		b.items = append(b.items, *r.kept)
		ids[r.kept.id] = struct{}{}
		r.kept = nil
	}
	for len(b.items) < importBatchMaxItems && size < importBatchMaxBytes {
		line, err, more := r.next()
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		size += len(line.text)
		item := r.importer.read(line)
		if _, again := ids[item.id]; again && item.err == nil {
			r.kept = &item
			break
		}
		if item.err == nil {
			ids[item.id] = struct{}{}
		}
		b.items = append(b.items, item)
	}
	if len(b.items) == 0 {
		return nil, nil
	}
	return b, nil
}

// read reads one item. Whatever is wrong with it is its own error.
func (im *importer) read(line importLine) (item importItem) {
	item.line = line.number
	if item.err = line.err; item.err != nil {
		return item
	}
	members, err := jsonvalue.Members(line.text)
	if err != nil {
		item.err = syntax("", err)
		return item
	}
	source, naturalID := im.source, ""
	var record *jsonvalue.RawMember
	for i := range members {
		m := &members[i]
		switch m.Name {
		case "id":
			item.id, err = textOf(m)
		case "source":
			source, err = textOf(m)
		case "naturalId":
			naturalID, err = textOf(m)
		case "record":
			record = m
		default:
			if im.strict {
				err = unknownMember("", m.Name, importNames)
			}
		}
		if err != nil {
			item.err = err
			return item
		}
	}
	item.err = im.complete(&item, source, naturalID, record)
	return item
}

// importNames are the members of an item.
var importNames = []string{"id", "source", "naturalId", "record"}

// complete makes the command of an item, with what it leaves to us.
func (im *importer) complete(item *importItem, source, naturalID string, record *jsonvalue.RawMember) error {
	switch {
	case record == nil:
		return problem.At("/record", "is missing")
	case source == "":
		return problem.At("/source", "is missing: the import names none, either")
	case !transport.ValidID(source):
		return problem.At("/source", "a source id is letters, digits, \"_\" or \"-\"")
	}
	if naturalID == "" {
		if naturalID = authority.NaturalIDOf(record.Text); naturalID == "" {
			return problem.At("/naturalId", "is missing, and the record has no 001")
		}
	}
	at := "/id"
	if item.id == "" {
		at, item.id = "/naturalId", source+":"+naturalID
	}
	if !transport.ValidDocumentID(item.id) {
		item.id = ""
		return problem.At(at, "an authority id, which is made of source and naturalId if it is left out, is %s", transport.DocumentIDRule)
	}
	command, p := authority.NewPut(source, naturalID, record.Text, uint64(record.Hash), "")
	if p != nil {
		return p
	}
	command.Terse = true
	item.command = command
	return nil
}

// textOf is the string that a member is.
func textOf(m *jsonvalue.RawMember) (string, error) {
	if m.Kind != jsonvalue.String {
		return "", problem.At(jsonvalue.Pointer{m.Name}.String(), "must be a string")
	}
	if len(m.Text) > sourceTextMaxBytes {
		return "", problem.At(jsonvalue.Pointer{m.Name}.String(), "%d bytes: the limit is %d", len(m.Text), sourceTextMaxBytes)
	}
	if bytes.IndexByte(m.Text, '\\') < 0 {
		return string(m.Text[1 : len(m.Text)-1]), nil
	}
	var text string
	if err := json.Unmarshal(m.Text, &text); err != nil {
		return "", problem.At(jsonvalue.Pointer{m.Name}.String(), "must be a string")
	}
	return text, nil
}
