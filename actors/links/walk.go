package links

import (
	"bytes"
	"errors"
	"sync"

	"github.com/go-json-experiment/json/jsontext"

	"concord/actors/problem"
)

// walk reads one JSON text part by part, and knows where each part stands. After the first thing that is wrong it has no
// more parts, and failed says what it was. One walk serves one call at a time.
type walk struct {
	in     jsontext.Decoder
	from   bytes.Buffer // what in reads: it takes the bytes as they are, and does not write to them
	path   string       // what the paths of problems begin with
	failed *problem.Problem
	subs   []subfield // of the field at hand
}

// walks keeps the decoders of earlier calls, which are large; what they hold does not show.
var walks = sync.Pool{New: func() any { return new(walk) }}

// keptMaxSubfields is the longest list of subfields that waits for another call.
const keptMaxSubfields = 4096

func newWalk(body []byte, path string) *walk {
	w := walks.Get().(*walk)
	w.from = *bytes.NewBuffer(body[:len(body):len(body)])
	w.in.Reset(&w.from)
	w.path = path
	return w
}

// done gives the walk back. What it has read must not be used any more.
func (w *walk) done() {
	w.from = bytes.Buffer{}
	w.in.Reset(&w.from)
	w.failed, w.path = nil, ""
	if cap(w.subs) > keptMaxSubfields {
		w.subs = nil
	}
	walks.Put(w)
}

// at is the byte after what was read last.
func (w *walk) at() int { return int(w.in.InputOffset()) }

// fail refuses what was read last.
func (w *walk) fail(format string, args ...any) {
	if w.failed == nil {
		w.failed = problem.At(w.path+string(w.in.StackPointer()), format, args...)
	}
}

// broken refuses a text that is no JSON.
func (w *walk) broken(err error) {
	if w.failed != nil {
		return
	}
	if s, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		w.failed = problem.At(w.path+string(s.JSONPointer), "is not JSON at byte %d: %v", s.ByteOffset, s.Err)
		return
	}
	w.failed = problem.At(w.path, "is not JSON: there is nothing") // the one error without a place
}

// kind is what comes next; KindInvalid if nothing can.
func (w *walk) kind() jsontext.Kind {
	if w.failed != nil {
		return jsontext.KindInvalid
	}
	k := w.in.PeekKind()
	if k == jsontext.KindInvalid {
		_, err := w.in.ReadToken()
		w.broken(err)
	}
	return k
}

// open enters the object or array that comes next, if it is one. Else it refuses it, for that it must be what.
func (w *walk) open(k jsontext.Kind, what string) bool {
	switch w.kind() {
	case k:
		w.token()
		return w.failed == nil
	case jsontext.KindInvalid:
	default:
		w.skip()
		w.fail("must be %s", what)
	}
	return false
}

// more says that the object or array has another part; else it leaves it.
func (w *walk) more() bool {
	switch w.kind() {
	case jsontext.KindEndObject, jsontext.KindEndArray:
		w.token()
		return false
	case jsontext.KindInvalid:
		return false
	default:
		return true
	}
}

func (w *walk) token() {
	if w.failed != nil {
		return
	}
	if _, err := w.in.ReadToken(); err != nil {
		w.broken(err)
	}
}

// raw reads a whole value as it stands in the text; it ends at at.
func (w *walk) raw() []byte {
	if w.failed != nil {
		return nil
	}
	v, err := w.in.ReadValue()
	if err != nil {
		w.broken(err)
	}
	return v
}

func (w *walk) skip() { w.raw() }

// end sees that nothing follows.
func (w *walk) end() *problem.Problem {
	if w.failed == nil && len(bytes.TrimLeft(w.in.UnreadBuffer(), " \t\r\n")) > 0 {
		w.failed = problem.At(w.path, "is not JSON: there is more after its end")
	}
	return w.failed
}

// plain is a JSON string without its quotes and escapes. It may be a part of raw.
func plain(raw []byte) []byte {
	if len(raw) < 2 {
		return nil
	}
	if bytes.IndexByte(raw, '\\') < 0 {
		return raw[1 : len(raw)-1]
	}
	text, _ := jsontext.AppendUnquote(nil, raw) // it was read as a value: it is one
	return text
}

// appendText appends a JSON string.
func appendText(b []byte, text string) []byte {
	b, _ = jsontext.AppendQuote(b, text) // what is no UTF-8 becomes U+FFFD
	return b
}

// refuse refuses a place of the text.
func (w *walk) refuse(place, format string, args ...any) {
	if w.failed == nil {
		w.failed = problem.At(w.path+place, format, args...)
	}
}
