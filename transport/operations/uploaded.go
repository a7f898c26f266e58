package operations

import (
	"errors"
	"fmt"
	"io"
	"iter"

	"concord/actors/problem"
	"concord/actors/upload"
	"concord/persistence"
	"concord/transport"
)

// uploaded is a closed upload. It can be read as often as it is needed, chunk by chunk.
type uploaded struct {
	service *Service
	id      persistence.EntityID
	chunks  []persistence.Part // not their bodies; their number is bounded
}

// closedUpload finds an upload of the caller's.
func (s *Service) closedUpload(r *transport.Request, id string) (*uploaded, error) {
	u := &uploaded{service: s, id: uploadID(r.Provider, id)}
	head, err := s.Store.Head(u.id)
	if err != nil && !isMissing(err) {
		return nil, fmt.Errorf("read %v: %w", u.id, err)
	}
	state, err := upload.Behavior{}.DecodeState(head.State)
	switch {
	case err != nil:
		return nil, errors.Join(persistence.ErrCorrupt, err)
	case state.Owner != r.Caller.Principal || state.Expired:
		return nil, problem.New(problem.NotFound, "there is no such upload")
	case !state.Closed:
		return nil, problem.New(problem.WrongState, "the upload is not closed: more of it may come")
	}
	for part, err := range s.Store.Parts(u.id, "") {
		if err != nil {
			return nil, fmt.Errorf("chunks of %v: %w", u.id, err)
		}
		u.chunks = append(u.chunks, part)
	}
	return u, nil
}

// bodies are the chunks, in order.
func (u *uploaded) bodies() iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		for i := range u.chunks {
			body, err := u.body(i)
			if !yield(body, err) || err != nil {
				return
			}
		}
	}
}

func (u *uploaded) body(i int) ([]byte, error) {
	body, err := u.service.Store.Body(u.id, u.chunks[i].Place)
	if err != nil {
		return nil, fmt.Errorf("chunk %s of %v: %w", u.chunks[i].ID, u.id, err)
	}
	return body, nil
}

// reader reads all of it.
func (u *uploaded) reader() io.Reader { return &uploadReader{uploaded: u} }

// uploadReader reads an upload; one chunk is in memory.
type uploadReader struct {
	*uploaded
	next int
	rest []byte
}

func (u *uploadReader) Read(b []byte) (int, error) {
	for len(u.rest) == 0 {
		if u.next == len(u.chunks) {
			return 0, io.EOF
		}
		var err error
		if u.rest, err = u.body(u.next); err != nil {
			return 0, err
		}
		u.next++
	}
	n := copy(b, u.rest)
	u.rest = u.rest[n:]
	return n, nil
}
