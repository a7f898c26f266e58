package httpapi

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"concord/transport"
)

// chunkMaxBytes is how much of a stream goes into one chunk of an upload: as much as upload.append takes.
const chunkMaxBytes = 512 << 10

// content is the upload of a whole stream in one request: PUT .../uploads/{id}/content. It does what a caller over NATS
// does, chunk by chunk, through the operations of the table; the upload itself bounds the whole.
type content struct {
	op            *transport.Operation // for the documents and the gate; nobody handles it
	append, close *transport.Operation
}

// chunkBody is the body of upload.append.
type chunkBody struct {
	Offset uint64 `json:"offset"`
	Data   []byte `json:"data"`
}

// newContent is nil if the table has no uploads.
func newContent(table []*transport.Operation) *content {
	c := &content{}
	for _, op := range table {
		switch op.Name {
		case "upload.append":
			c.append = op
		case "upload.close":
			c.close = op
		}
	}
	if c.append == nil || c.close == nil {
		return nil
	}
	c.op = &transport.Operation{
		Name: "upload.content", Doc: "Send a whole upload as one stream of bytes, and close it",
		Method: http.MethodPut, Path: strings.TrimSuffix(c.append.Path, "/append") + "/content",
		HasID: true, Right: c.append.Right, Types: []string{"application/octet-stream"},
		Answer: c.close.Answer, Status: http.StatusOK,
	}
	return c
}

func (c *content) serve(x *exchange) error {
	if err := x.server.uploads.enter(); err != nil {
		return err
	}
	defer x.server.uploads.leave()
	if err := x.open(); err != nil {
		return err
	}
	if err := c.appendAll(x); err != nil {
		return err
	}
	reply, err := x.ask(x.part(c.close, nil))
	if err != nil {
		return err
	}
	x.reply(reply)
	return nil
}

// appendAll sends the body on, one chunk after another. The first error ends it; what was taken by then stays, and a
// repeat sends it again.
func (c *content) appendAll(x *exchange) error {
	chunk := make([]byte, chunkMaxBytes)
	for offset := uint64(0); ; {
		if body, ok := x.in.Body.(*timedBody); ok {
			body.extend()
		}
		n, end, err := fill(chunk, x.in.Body)
		if err != nil {
			return x.unread(err)
		}
		if n > 0 {
			body, err := json.Marshal(chunkBody{Offset: offset, Data: chunk[:n]})
			if err != nil {
				return err
			}
			if _, err := x.ask(x.part(c.append, body)); err != nil {
				return err
			}
			offset += uint64(n)
		}
		if end {
			return nil
		}
	}
}

// fill reads until the buffer is full or the stream ends. It is not io.ReadFull, for which a body that was cut short
// and one that ended look the same.
func fill(buf []byte, r io.Reader) (n int, end bool, err error) {
	for n < len(buf) {
		m, err := r.Read(buf[n:])
		n += m
		if err == io.EOF {
			return n, true, nil
		}
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

// part is the request for a step of the upload. The gate has let the caller in already.
func (x *exchange) part(op *transport.Operation, body []byte) *transport.Request {
	r := *x.request
	r.Op, r.Body, r.Params = op, body, nil
	r.Header.ContentType = transport.MediaJSON
	return &r
}
