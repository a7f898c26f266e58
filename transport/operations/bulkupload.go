package operations

import (
	"bytes"
	"iter"

	"concord/actors/bulk"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport"
)

// bulkLineRestMaxBytes is what a line may have beside its value.
const bulkLineRestMaxBytes = 16 << 10

// bom is how some editors begin a text.
var bom = []byte("\uFEFF")

// openUpload opens the upload that the targets stand in. It is read as often as each is called, chunk by chunk.
func (s *Service) openUpload(r *transport.Request, t *bulkTargets) (err error) {
	t.lines, err = s.uploadLines(r, t.upload, bulk.ValueMaxBytes+bulkLineRestMaxBytes)
	return err
}

// uploaded reads an item a line: a bare id, a JSON string, or a JSON object. Blank lines are passed over, but count.
func (t *bulkTargets) uploaded() iter.Seq2[bulkTarget, error] {
	return func(yield func(bulkTarget, error) bool) {
		for line, err := range t.lines {
			if err != nil {
				yield(bulkTarget{}, err)
				return
			}
			target, blank := targetOf(line, t)
			if !blank && !yield(target, nil) {
				return
			}
		}
	}
}

// targetOf reads one line.
func targetOf(line importLine, t *bulkTargets) (b bulkTarget, blank bool) {
	b.place = uint32(line.number)
	path := t.at(b.place)
	text := line.text
	if line.number == 1 {
		text = bytes.TrimSpace(bytes.TrimPrefix(text, bom))
	}
	switch {
	case line.err != nil:
		b.fault = problem.At(path, "%s", problem.Of(line.err).Detail)
	case len(text) == 0:
		return b, true
	case text[0] == '{':
		b.object(text, path)
	case text[0] == '"':
		if _, err := jsonvalue.Check(text); err != nil {
			b.fault = syntax(path, err)
			return b, false
		}
		b.id, b.fault = idOf(&jsonvalue.RawMember{Text: text, Kind: jsonvalue.String}, path)
	default:
		b.id = string(text)
		b.fault = checkID(b.id, path)
	}
	return b, false
}
