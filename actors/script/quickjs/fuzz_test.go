package quickjs

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"concord/actors/jsonvalue"
	"concord/actors/script"
)

// asked is what the answers of the fuzzer are held against.
var asked = &request{ID: 7, Parts: []part{{Path: "/metadata"}, {Path: "/documents/a"}}, Limits: limits{ResultMaxBytes: 100}}

// FuzzAnswer: whatever a worker writes, what is taken of it is a sound outcome.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		`{"id":7,"results":[{"text":"e30="},{}]}`,
		`{"id":7,"failure":{"reason":"threw","path":"/metadata","detail":"TypeError\nat line 3"}}`,
		`{"id":7,"results":[{"text":""},{}]}`,
		`{"id":7,"results":null,"failure":null}`,
		`{"ID":7}`, `{"id":7,"id":7}`, `[]`, ``, "\xff",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	f.Fuzz(func(t *testing.T, line []byte, check bool) {
		q := *asked
		q.Check = check
		o, err := decodeAnswer(line, &q)
		if err != nil {
			if !errors.Is(err, errAnswer) || o.Failure != nil || o.Results != nil {
				t.Fatalf("refused with %v and %+v", err, o)
			}
			return
		}
		if o.Failure != nil {
			fault := o.Failure
			known := fault.Reason == script.Syntax || fault.Reason == script.Threw || fault.Reason == script.Timeout ||
				fault.Reason == script.Memory || fault.Reason == script.Garbage
			if !known || o.Results != nil || fault.Path != "" && !q.has(fault.Path) {
				t.Fatalf("taken: %+v", fault)
			}
			if len(fault.Detail) > detailMaxBytes || !utf8.ValidString(fault.Detail) || strings.ContainsAny(fault.Detail, "\n\r\x00") {
				t.Fatalf("a detail of many lines: %q", fault.Detail)
			}
			return
		}
		if check != (o.Results == nil) || !check && len(o.Results) != len(q.Parts) {
			t.Fatalf("%d results of %d parts", len(o.Results), len(q.Parts))
		}
		for _, text := range o.Results {
			if text == nil {
				continue
			}
			if _, err := jsonvalue.Check(text); err != nil || len(text) > q.Limits.ResultMaxBytes {
				t.Fatalf("a result that is none: %q, %v", text, err)
			}
		}
	})
}

// FuzzRequest: a request that a worker takes has an id and limits, and is written and read again as the same.
func FuzzRequest(f *testing.F) {
	line, err := encode(&request{ID: 1, Source: "function merge() {}", Limits: mostLimits,
		Parts: []part{{Path: "/metadata", Base: []byte{}, Client: []byte(`{}`)}}, Context: script.Context{Provider: "main"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add([]byte(`{"id":1}`))
	f.Add([]byte(`{"id":1,"limits":{"memoryMaxBytes":-1}}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		q, err := decodeRequest(line)
		if err != nil {
			return
		}
		if q.ID == 0 || q.Limits.MemoryMaxBytes <= 0 || q.Limits.RunNanos <= 0 {
			t.Fatalf("taken without a limit: %+v", q)
		}
		again, err := encode(q)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(again, []byte("\n")) != 1 {
			t.Fatalf("not one line: %q", again)
		}
		same, err := decodeRequest(again)
		if err != nil || len(same.Parts) != len(q.Parts) {
			t.Fatalf("%q: %v", again, err)
		}
		for i := range q.Parts {
			if !reflect.DeepEqual(q.Parts[i], same.Parts[i]) {
				t.Fatalf("part %d: %+v, then %+v", i, q.Parts[i], same.Parts[i])
			}
		}
	})
}

// FuzzReadLine: lines come out as they went in, none is longer than the bound, and what has no end is no line.
func FuzzReadLine(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc"), 2)
	f.Add(bytes.Repeat([]byte("x"), 100), 50)
	f.Fuzz(func(t *testing.T, text []byte, maxBytes int) {
		r := bufio.NewReaderSize(bytes.NewReader(text), 16)
		rest := text
		for {
			line, err := readLine(r, maxBytes)
			if err != nil {
				if errors.Is(err, io.EOF) && len(rest) > 0 {
					t.Fatalf("%q was left unread", rest)
				}
				return
			}
			if len(line)+1 > maxBytes || !bytes.HasPrefix(rest, append(bytes.Clone(line), '\n')) {
				t.Fatalf("%q of %q", line, rest)
			}
			rest = rest[len(line)+1:]
		}
	})
}

// FuzzExactNumbers: no text that is JSON makes the scan lose its way, and quoting numbers makes every text fit.
func FuzzExactNumbers(f *testing.F) {
	f.Add([]byte(`{"a\\":[1,-2.5e3,"\"9007199254740993"]}`))
	f.Add([]byte(`1e400`))
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := jsonvalue.Parse(text)
		if err != nil {
			return
		}
		if got, want := exactNumbers(text), exactTree(v); got != want {
			t.Fatalf("%s: %v by text, %v by tree", text, got, want)
		}
	})
}

// exactTree is exactNumbers, the slow way.
func exactTree(v *jsonvalue.Value) bool {
	if v.Kind() == jsonvalue.Number {
		return exactNumber([]byte(v.Literal()))
	}
	for _, e := range v.Elements() {
		if !exactTree(e) {
			return false
		}
	}
	for _, m := range v.Members() {
		if !exactTree(m.Value) {
			return false
		}
	}
	return true
}
