package quickjs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"concord/actors/jsonvalue"
	"concord/actors/script"
)

// request is a line to a worker. Documents travel as base64, so that their bytes arrive as they are.
type request struct {
	ID      uint64         `json:"id"` // above 0
	Check   bool           `json:"check,omitzero"`
	Source  string         `json:"source"`
	Parts   []part         `json:"parts,omitempty"`
	Context script.Context `json:"context"`
	Limits  limits         `json:"limits"`
}

// part is a script.Part. A side that is missing is left out, which an empty one is not.
type part struct {
	Path     string `json:"path"`
	Document string `json:"document"`
	Base     []byte `json:"base,omitzero"`
	Client   []byte `json:"client,omitzero"`
	Server   []byte `json:"server,omitzero"`
}

// limits are what a worker keeps to by itself.
type limits struct {
	MemoryMaxBytes  int64 `json:"memoryMaxBytes"`
	StackMaxFrames  int   `json:"stackMaxFrames"`
	RunNanos        int64 `json:"runNanos"` // of processor time, for the whole job
	ResultMaxBytes  int   `json:"resultMaxBytes"`
	ResultsMaxBytes int   `json:"resultsMaxBytes"`
}

// answer is a line from a worker. The first one, which says that it is ready, has the id 0.
type answer struct {
	ID      uint64   `json:"id"`
	Results []result `json:"results,omitempty"`
	Failure *failure `json:"failure,omitzero"`
}

// result is one part's; without a text the part is to be removed.
type result struct {
	Text []byte `json:"text,omitzero"`
}

type failure struct {
	Reason script.Reason `json:"reason"`
	Path   string        `json:"path,omitzero"`
	Detail string        `json:"detail,omitzero"`
}

// Bounds of the protocol.
const (
	detailMaxBytes = 200
	// What a line has beside its documents and source: names, limits, and the escapes of paths and ids.
	lineExtraBytes   = 1 << 20
	resultExtraBytes = 16 // the name of its member, and padding
	// The longest line that a worker takes. The pool sends none that is nearly as long.
	requestMaxBytes = 64 << 20
)

// errAnswer is a line that no sound worker writes.
var errAnswer = errors.New("not an answer to the job")

func encode(v any) ([]byte, error) {
	line, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("encode a line: %w", err)
	}
	return append(line, '\n'), nil
}

// decodeRequest is strict: a worker that is asked something it does not know ends.
func decodeRequest(line []byte) (*request, error) {
	q := new(request)
	if err := json.Unmarshal(line, q, json.RejectUnknownMembers(true)); err != nil {
		return nil, fmt.Errorf("decode a request: %w", err)
	}
	l := &q.Limits
	if q.ID == 0 || min(l.MemoryMaxBytes, int64(l.StackMaxFrames), l.RunNanos, int64(l.ResultMaxBytes), int64(l.ResultsMaxBytes)) <= 0 {
		return nil, errors.New("decode a request: without an id, or without a limit")
	}
	return q, nil
}

// decodeAnswer holds a line against what was asked: nothing of it is believed that a client would not be believed.
func decodeAnswer(line []byte, q *request) (script.Outcome, error) {
	var a answer
	if err := json.Unmarshal(line, &a, json.RejectUnknownMembers(true)); err != nil {
		return script.Outcome{}, errAnswer
	}
	if a.ID != q.ID {
		return script.Outcome{}, errAnswer
	}
	if a.Failure != nil {
		f, err := a.Failure.outcome(q)
		if err == nil && len(a.Results) > 0 {
			err = errAnswer
		}
		return script.Outcome{Failure: f}, err
	}
	if q.Check && len(a.Results) == 0 {
		return script.Outcome{}, nil
	}
	if q.Check || len(a.Results) != len(q.Parts) {
		return script.Outcome{}, errAnswer
	}
	out := script.Outcome{Results: make([][]byte, len(a.Results))}
	for i := range a.Results {
		text := a.Results[i].Text
		if text != nil {
			if _, err := jsonvalue.Check(text); err != nil || len(text) > q.Limits.ResultMaxBytes {
				return script.Outcome{}, errAnswer
			}
		}
		out.Results[i] = text
	}
	return out, nil
}

// outcome is the failure, if a worker can have found it.
func (f *failure) outcome(q *request) (*script.Failure, error) {
	switch f.Reason {
	case script.Syntax, script.Threw, script.Timeout, script.Memory, script.Garbage:
	default:
		return nil, errAnswer
	}
	if f.Path != "" && !q.has(f.Path) {
		return nil, errAnswer
	}
	return &script.Failure{Reason: f.Reason, Path: f.Path, Detail: oneLine(f.Detail)}, nil
}

// has says if a part of the request has the path.
func (q *request) has(path string) bool {
	for i := range q.Parts {
		if q.Parts[i].Path == path {
			return true
		}
	}
	return false
}

// oneLine makes a text fit for a detail: printable, on one line, bounded.
func oneLine(s string) string {
	var b bytes.Buffer
	for _, r := range s {
		if !unicode.IsPrint(r) {
			r = ' '
		}
		if b.Len()+utf8.RuneLen(r) > detailMaxBytes {
			break
		}
		b.WriteRune(r)
	}
	return b.String()
}

// readLine returns the next line without its end. It is io.EOF where there is none, and an error of its own for a line that
// is longer than maxBytes or has no end.
func readLine(r *bufio.Reader, maxBytes int) ([]byte, error) {
	var line []byte
	for {
		piece, err := r.ReadSlice('\n')
		if len(line)+len(piece) > maxBytes {
			return nil, fmt.Errorf("a line of more than %d bytes", maxBytes)
		}
		line = append(line, piece...)
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case errors.Is(err, bufio.ErrBufferFull):
		case errors.Is(err, io.EOF) && len(line) > 0:
			return nil, io.ErrUnexpectedEOF
		default:
			return nil, err
		}
	}
}
