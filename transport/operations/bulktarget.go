package operations

import (
	"encoding/json"
	"strings"

	"concord/actors/bulk"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/undo"
	"concord/transport"
)

var targetNames = []string{"id", "key", "value", "version"}

// bulkTarget is one item as it was asked for.
type bulkTarget struct {
	place   uint32 // where it was named: an index, or the number of a line
	id      string
	key     []byte // JSON; nil: it was named by its id alone
	value   []byte
	version uint64
	undo    []undo.Span // versions to be taken back

	code, why string // of one that has failed before it begins
	fault     error  // what is wrong with it
}

// object reads an item.
func (b *bulkTarget) object(text []byte, path string) {
	e, err := openEnvelope(text, path, targetNames...)
	if err != nil {
		b.fault = err
		return
	}
	id, byID := e.members["id"]
	key, byKey := e.members["key"]
	switch {
	case byID == byKey:
		b.fault = problem.At(path, "must have an id, or a key, and not both")
	case byID:
		b.id, b.fault = idOf(&id, e.at("id"))
	default:
		b.key, b.fault = keyOf(&key, e.at("key"))
	}
	if b.fault == nil {
		b.fault = b.rest(e)
	}
}

// rest reads value and version.
func (b *bulkTarget) rest(e *envelope) error {
	if m, ok := e.members["value"]; ok {
		switch {
		case m.Kind == jsonvalue.Null:
			return problem.At(e.at("value"), "is null, which is no value")
		case len(m.Text) > bulk.ValueMaxBytes:
			return problem.At(e.at("value"), "%d bytes: the limit is %d", len(m.Text), bulk.ValueMaxBytes)
		}
		b.value = m.Text
	}
	version, err := e.number("version")
	switch {
	case err != nil:
		return err
	case version != nil && *version == 0:
		return problem.At(e.at("version"), "versions begin at 1")
	case version != nil:
		b.version = *version
	}
	return nil
}

// idOf is the id of a collection that a JSON string is.
func idOf(m *jsonvalue.RawMember, path string) (string, error) {
	if m.Kind != jsonvalue.String {
		return "", problem.At(path, "must be a string: the id of a collection")
	}
	var id string
	if err := json.Unmarshal(m.Text, &id); err != nil {
		return "", problem.At(path, "must be a string: the id of a collection")
	}
	return id, checkID(id, path)
}

func checkID(id, path string) error {
	switch {
	case transport.ValidID(id):
		return nil
	case strings.TrimSpace(id) == "":
		return problem.At(path, "is blank")
	default:
		return problem.At(path, "%q is no id of a collection: 1 to 128 letters, digits, \"_\" or \"-\", the first a letter or digit", clipped(id))
	}
}

// clippedMaxBytes bounds what a problem repeats of an id.
const clippedMaxBytes = 200

func clipped(text string) string {
	if len(text) > clippedMaxBytes {
		return strings.ToValidUTF8(text[:clippedMaxBytes], "") + "…"
	}
	return text
}

// keyOf is an alternate key; which keys there are is for the lookup to say.
func keyOf(m *jsonvalue.RawMember, path string) ([]byte, error) {
	switch {
	case m.Kind != jsonvalue.Object:
		return nil, problem.At(path, "must be an object {path: value, ...} with the paths of a key that the type declares")
	case len(m.Text) > bulk.KeyMaxBytes:
		return nil, problem.At(path, "%d bytes: the limit is %d", len(m.Text), bulk.KeyMaxBytes)
	}
	members, err := jsonvalue.Members(m.Text)
	switch {
	case err != nil:
		return nil, syntax(path, err)
	case len(members) == 0:
		return nil, problem.At(path, "is empty: it names nothing")
	}
	return m.Text, nil
}
