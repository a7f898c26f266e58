package operations

import (
	"errors"
	"testing"

	"concord/actors/collection"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/transport"
)

// decoders are the ways from a body to a command, by operation.
var decoders = map[string]func(*transport.Request) (*collection.Write, error){
	"put": func(r *transport.Request) (*collection.Write, error) { w, _, err := decodePut(r); return w, err },
	"patch": func(r *transport.Request) (*collection.Write, error) {
		w, _, err := decodePatch(r)
		return w, err
	},
	"document": func(r *transport.Request) (*collection.Write, error) {
		e, err := openEnvelope(r.Body, "", append([]string{"document", "value"}, commonNames...)...)
		if err != nil {
			return nil, err
		}
		w, _, err := decodeDocumentPut(e, r)
		return w, err
	},
}

// FuzzBodies: whatever comes, a body is decoded or refused as invalid or too large; what is decoded has valid ids, and
// contents that are the bytes that came.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{`{"metadata":{"a":1},"documents":{"x":[1,2]},"baseVersion":3}`, `{"changes":[{"op":"put-document","id":"x","value":1}]}`,
		`[{"op":"move","from":"/documents/a","path":"/documents/b"}]`, `{"documents":{"a":null,"b":{"c":null}}}`, `{"value":{"a":1},"document":"x"}`} {
		for op := range decoders {
			f.Add(op, "application/json", []byte(seed), `"v1"`)
			f.Add(op, transport.MediaJSONPatch, []byte(seed), "*")
			f.Add(op, transport.MediaMergePatch, []byte(seed), "")
		}
	}
	f.Fuzz(func(t *testing.T, op, contentType string, body []byte, ifMatch string) {
		decode, ok := decoders[op]
		if !ok {
			return
		}
		w, err := decode(&transport.Request{Body: body, Header: transport.Header{ContentType: contentType, IfMatch: ifMatch}})
		if err != nil {
			p, ok := errors.AsType[*problem.Problem](err)
			if !ok || p.Code != problem.Invalid && p.Code != problem.TooLarge {
				t.Fatalf("%s %q: %v", op, body, err)
			}
			return
		}
		for _, ch := range w.Changes {
			checkChange(t, &ch)
		}
		if w.Moves != nil {
			for _, part := range w.Moves.Parts {
				if part != collection.MetadataPart && !transport.ValidDocumentID(part) {
					t.Fatalf("part %q got in", part)
				}
			}
		}
	})
}

func checkChange(t *testing.T, ch *collection.Change) {
	t.Helper()
	if ch.Part != collection.MetadataPart && !transport.ValidDocumentID(ch.Part) {
		t.Fatalf("part %q got in", ch.Part)
	}
	if ch.Op != collection.OpPut {
		return
	}
	hash, err := jsonvalue.Check(ch.Body)
	if err != nil || uint64(hash) != ch.Hash {
		t.Fatalf("content %q got in with hash %x: %v", ch.Body, ch.Hash, err)
	}
}

// FuzzCursor: a cursor that is not ours is refused, never a panic.
func FuzzCursor(f *testing.F) {
	f.Add(cursor{After: "x", Version: 3}.String())
	f.Add("eyJhIjoi")
	f.Fuzz(func(t *testing.T, text string) {
		r := &transport.Request{Params: map[string][]string{"cursor": {text}}}
		if c, given, err := cursorParam(r); err == nil && given {
			if again, _, err := cursorParam(&transport.Request{Params: map[string][]string{"cursor": {c.String()}}}); err != nil || again != c {
				t.Fatalf("%q: %+v, then %+v, %v", text, c, again, err)
			}
		}
	})
}
