package httpapi_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"testing"
	"testing/iotest"

	"concord/actors/upload"
	"concord/persistence"
)

// openUpload opens an upload and returns the path of its content.
func openUpload(s *stack) (path string, id persistence.EntityID) {
	var opened upload.Result
	s.ask("POST", provider+"/uploads", "").is(201).into(&opened)
	return provider + "/uploads/" + opened.Upload + "/content",
		persistence.EntityID{Kind: persistence.KindUpload, Provider: "p", ID: opened.Upload}
}

// stored is what the store has of an upload, chunk by chunk.
func stored(s *stack, id persistence.EntityID) (content []byte, chunks int) {
	for part, err := range s.store.Parts(id, "") {
		if err != nil {
			s.Fatal(err)
		}
		chunk, err := s.store.Body(id, part.Place)
		if err != nil {
			s.Fatal(err)
		}
		content, chunks = append(content, chunk...), chunks+1
	}
	return content, chunks
}

func bytesOf(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 / 5)
	}
	return b
}

func TestContentIsOneStream(t *testing.T) {
	const chunk = 512 << 10
	s := newStack(t)
	for _, size := range []int{0, 1, chunk - 1, chunk, chunk + 1, 2*chunk + 100} {
		path, id := openUpload(s)
		want := bytesOf(size)
		send := func() *answer {
			return s.ask("PUT", path, "", func(r *http.Request) {
				r.Body, r.ContentLength = io.NopCloser(iotest.HalfReader(bytes.NewReader(want))), -1
			})
		}
		var result upload.Result
		send().is(200).into(&result)
		got, chunks := stored(s, id)
		if result.Size != uint64(size) || !result.Closed || !bytes.Equal(got, want) || chunks != (size+chunk-1)/chunk {
			t.Errorf("%d bytes: %+v, %d chunks", size, result, chunks)
		}
		written := s.written()
		if send().is(200); s.written() != written { // the same again is the same
			t.Errorf("%d bytes: a repeat writes", size)
		}
	}
}

func TestContentThatIsCutShort(t *testing.T) {
	s := newStack(t)
	path, id := openUpload(s)
	body := io.MultiReader(bytes.NewReader(bytesOf(600<<10)), iotest.ErrReader(io.ErrUnexpectedEOF))
	p := s.ask("PUT", path, "", func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(body), -1 }).is(400).problem()
	if len(p.Errors) != 1 || p.Errors[0].Path != "body" {
		t.Errorf("errors %v", p.Errors)
	}
	if got, _ := stored(s, id); len(got) != 512<<10 {
		t.Errorf("%d bytes are kept", len(got))
	}
	var result upload.Result // a repeat completes it
	s.ask("PUT", path, string(bytesOf(600<<10))).is(200).into(&result)
	if got, _ := stored(s, id); !bytes.Equal(got, bytesOf(600<<10)) || !result.Closed {
		t.Errorf("%d bytes are kept, %+v", len(got), result)
	}
}

// endless is a body that the test must not have to read to its end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	if e.read += len(p); e.read > 4<<20 {
		return 0, errors.New("read on after the refusal")
	}
	return len(p), nil
}

func TestContentStopsAtTheFirstRefusal(t *testing.T) {
	s := newStack(t)
	path, id := openUpload(s)
	s.ask("PUT", path, "short").is(200) // closed now
	body := &endless{}
	s.ask("PUT", path, "", func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(body), -1 }).is(409)
	if got, _ := stored(s, id); string(got) != "short" || body.read > 1<<20 {
		t.Errorf("%d bytes are kept, %d were read", len(got), body.read)
	}
}
