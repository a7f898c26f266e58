package cmr

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/jsonvalue"
	"concord/transport"
	"concord/transport/api"
)

// FuzzElements: the elements of an array are those of its tree.
func FuzzElements(f *testing.F) {
	for _, text := range []string{`[]`, `[ ]`, `[1]`, "[ 1 ,\t\"a\"\n]", `["a,b","]","\"","\\"]`, `[[1,2],{"a":[1,"}"]},"x"]`, `["\u0041","é"]`, `[[],{}]`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := jsonvalue.Parse(text)
		if err != nil || v.Kind() != jsonvalue.Array {
			return
		}
		text = text[spaces(text):]
		text = text[:len(text)-len(string(text))+len(strings.TrimRight(string(text), whiteSpace))]
		var got []string
		for start, end := range elements(text) {
			got = append(got, string(text[start:end]))
		}
		if len(got) != v.Len() {
			t.Fatalf("%q has the elements %q", text, got)
		}
		texts := true
		for i, e := range v.Elements() {
			if equal, err := jsonvalue.EqualText([]byte(got[i]), e.Text()); err != nil || !equal {
				t.Fatalf("element %d of %q is %q: %v", i, text, got[i], err)
			}
			texts = texts && e.Kind() == jsonvalue.String
		}
		if !texts {
			return
		}
		ids, err := stringsOf(text)
		if err != nil || !slices.EqualFunc(ids, v.Elements(), func(id string, e *jsonvalue.Value) bool { return id == e.Str() }) {
			t.Fatalf("%q has the strings %q, %v", text, ids, err)
		}
	})
}

// TestConceptIDs: an id of CMR's is what its form says.
func TestConceptIDs(t *testing.T) {
	form := regexp.MustCompile(`^([A-Z]+)[0-9]+-([A-Za-z0-9_][A-Za-z0-9_-]*)$`)
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(rapid.StringMatching(`[CGc]{0,2}[0-9]{0,2}[C1]?-?[-_PpO1é ]{0,4}\n?`), rapid.String()).Draw(t, "id")
		kind, provider, ok := conceptID(id)
		parts := form.FindStringSubmatch(id)
		if ok != (parts != nil) || ok && (kind != parts[1] || provider != parts[2]) {
			t.Fatalf("%q is %q of %q, %v; not %q", id, kind, provider, ok, parts)
		}
	})
}

// TestRestOfABody: what a body has beside its ids is bounded, whatever it is.
func TestRestOfABody(t *testing.T) {
	ids := strings.Repeat(`"C1",`, 1000) + `"C1"`
	for name, row := range map[string]struct {
		rest   string
		status int
	}{
		"short":                 {`"update-type": "CLEAR_FIELD"`, 0},
		"a long value":          {`"update-type": "CLEAR_FIELD", "update-value": {"a": "` + strings.Repeat("x", 500) + `"}`, http.StatusRequestEntityTooLarge},
		"other names":           {`"update-type": "CLEAR_FIELD", "collection-ids": [` + strings.Repeat(`{},`, 200) + `{}]`, http.StatusRequestEntityTooLarge},
		"many keys":             {`"a": {` + strings.Repeat(`"": 1, `, 200) + `"": 1}`, http.StatusRequestEntityTooLarge},
		"keys that are not any": {`"` + strings.Repeat("k", 400) + `": 1, "` + strings.Repeat("l", 200) + `": 1`, http.StatusRequestEntityTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readUpdate([]byte(`{"concept-ids": [`+ids+`], "update-field": "PLATFORMS", `+row.rest+`}`), 500)
			r, refusedIt := errors.AsType[*refused](err)
			if row.status == 0 && err != nil || row.status != 0 && (!refusedIt || r.status != row.status) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestUploadOfIDs: ids that are too many for a request go by upload, each in a line of its own; under a key always the same one.
func TestUploadOfIDs(t *testing.T) {
	submit, _, _ := aliases(true)
	var ids []string
	for i := range 100_000 {
		ids = append(ids, fmt.Sprintf("C%d-PROV1", i))
	}
	body := []byte(`{"concept-ids": ["` + strings.Join(ids, `", "`) + `"], "update-type": "CLEAR_FIELD", "update-field": "PLATFORMS"}`)
	var sent []byte
	keys, chunks := []string{}, 0
	ask := fakes{
		"upload.open": func(r *transport.Request) (any, error) {
			keys, sent = append(keys, r.Header.IdempotencyKey), nil
			return map[string]string{"upload": "u"}, nil
		},
		"upload.append": func(r *transport.Request) (any, error) {
			var chunk api.AppendRequest
			if err := read(&transport.Reply{Body: r.Body}, &chunk); err != nil || chunk.Offset != uint64(len(sent)) || len(chunk.Data) > 1<<10 || r.ID != "u" {
				t.Fatalf("chunk at %d of %s after %d bytes, %v", chunk.Offset, r.ID, len(sent), err)
			}
			sent = append(sent, chunk.Data...)
			chunks++
			return "{}", nil
		},
		"upload.close": func(r *transport.Request) (any, error) {
			if string(sent) != strings.Join(ids, "\n")+"\n" || r.ID != "u" {
				t.Fatalf("%d bytes were sent to %s", len(sent), r.ID)
			}
			return "{}", nil
		},
		"bulk.submit": func(r *transport.Request) (any, error) {
			if !strings.Contains(string(r.Body), `"targets":{"upload":"u"}`) || string(r.Words.Body) != string(body) || len(r.Words.Same) == 0 {
				t.Fatalf("asked for %s", r.Body)
			}
			return `{"number": 1}`, nil
		},
	}
	for _, key := range []string{"", "k", "k", "l"} {
		r := &transport.Request{Op: submit.Operation, Provider: "PROV1", Body: body, Header: transport.Header{IdempotencyKey: key}}
		if _, err := submit.Serve(r, ask.ask); err != nil {
			t.Fatal(err)
		}
	}
	if keys[0] != "" || keys[1] == "" || keys[1] != keys[2] || keys[3] == keys[1] || chunks < 4*1000 {
		t.Errorf("keys %q, %d chunks", keys, chunks)
	}
}
