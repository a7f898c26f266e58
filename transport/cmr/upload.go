package cmr

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// listBytes is how long the ids are in a request of ours.
func (u *update) listBytes() (n int) {
	for _, id := range u.ids {
		n += len(id) + len(`"",`)
	}
	return n
}

// chunks tells the ids as the lines of an upload, in chunks. They were checked: a line is an id as it is.
func (u *update) chunks(maxBytes int, see func([]byte) error) error {
	chunk := make([]byte, 0, maxBytes)
	for _, id := range u.ids {
		if len(chunk)+len(id)+1 > maxBytes {
			if err := see(chunk); err != nil {
				return err
			}
			chunk = chunk[:0]
		}
		chunk = append(append(chunk, id...), '\n')
	}
	return see(chunk)
}

// upload sends the ids of an update that are too many for one request as an upload. Who sends the same request again under its
// key finds the upload of then; if that has expired, another one is as good: the request is told by its ids.
func (t *tasks) upload(r *transport.Request, u *update, ask transport.Ask) (api.BulkTargets, error) {
	sum := sha256.New()
	if err := u.chunks(t.ChunkMaxBytes, func(chunk []byte) error { _, err := sum.Write(chunk); return err }); err != nil {
		return api.BulkTargets{}, err
	}
	ids := hex.EncodeToString(sum.Sum(nil))
	var err error
	if r.Words.Same, err = u.task(api.BulkTargets{Upload: ids}); err != nil {
		return api.BulkTargets{}, err
	}
	key := r.Header.IdempotencyKey
	if key != "" {
		sum := sha256.Sum256([]byte(ids + " " + key))
		key = "cmr.upload:" + hex.EncodeToString(sum[:])
	}
	id, err := t.begin(r, key, ask)
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Code == problem.NotFound && key != "" {
		id, err = t.begin(r, "", ask)
	}
	if err != nil {
		return api.BulkTargets{}, err
	}
	offset := uint64(0)
	err = u.chunks(t.ChunkMaxBytes, func(chunk []byte) error {
		q := about(r, t.append, id)
		var err error
		if q.Body, err = json.Marshal(api.AppendRequest{Offset: offset, Data: chunk}); err != nil {
			return fmt.Errorf("write a chunk of ids: %w", err)
		}
		offset += uint64(len(chunk))
		_, err = ask(q)
		return err
	})
	if err == nil {
		_, err = ask(about(r, t.end, id))
	}
	return api.BulkTargets{Upload: id}, err
}

// begin opens an upload.
func (t *tasks) begin(r *transport.Request, key string, ask transport.Ask) (string, error) {
	q := about(r, t.open, "")
	q.Header.IdempotencyKey = key
	reply, err := ask(q)
	if err != nil {
		return "", err
	}
	var opened struct {
		Upload string `json:"upload"`
	}
	err = read(reply, &opened)
	return opened.Upload, err
}
