package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"concord/actors/problem"
	"concord/transport/client"
)

// work writes the batches of one lane, one after the other.
func (r *importRun) work(ctx context.Context, lane <-chan batch) error {
	there := 0 // number of the collection that is known to exist
	for b := range lane {
		exists := there == b.number
		if err := r.write(ctx, b, &exists); err != nil {
			return err
		}
		if exists {
			there = b.number
		}
	}
	return nil
}

// write writes a batch. If the service refuses it for what is in it, it is cut in two, and again, until the rows that are
// at fault stand alone.
func (r *importRun) write(ctx context.Context, b batch, exists *bool) error {
	was := *exists
	err := r.submit(ctx, b, exists)
	if err == nil {
		r.moved(len(b.rows), !was)
		return nil
	}
	p, refused := errors.AsType[*client.Problem](err)
	switch {
	case !refused || endsRun(p.Code):
		return err
	case len(b.rows) > 1 && aboutContent(p.Code):
		middle := len(b.rows) / 2
		for _, half := range []batch{{number: b.number, rows: b.rows[:middle]}, {number: b.number, rows: b.rows[middle:]}} {
			if err := r.write(ctx, half, exists); err != nil {
				return err
			}
		}
		return nil
	}
	for _, row := range b.rows {
		r.fail(Failure{Row: row.Row, ID: row.ID, Collection: r.collection(b.number), Code: string(p.Code), Message: reasonOf(p)})
	}
	return nil
}

// endsRun says that the refusal would meet every other batch as well.
func endsRun(code problem.Code) bool {
	switch code {
	case problem.Unauthenticated, problem.Forbidden, problem.Overloaded, problem.Unavailable, problem.Deadline, problem.Internal:
		return true
	}
	return false
}

// aboutContent says that some row of the batch may be at fault and others not.
func aboutContent(code problem.Code) bool {
	switch code {
	case problem.Invalid, problem.TooLarge, problem.SchemaInvalid:
		return true
	}
	return false
}

// reasonOf says what is wrong: place by place where the refusal names places.
func reasonOf(p *client.Problem) string {
	if len(p.Errors) == 0 {
		return p.Detail
	}
	texts := make([]string, len(p.Errors))
	for i, e := range p.Errors {
		texts[i] = e.Path + ": " + e.Message
	}
	return strings.Join(texts, "; ")
}

// submit makes one version of the batch: by creating the collection, or by a patch of one that is there. A repeat, also
// after a restart, is known by its key, which is made of the rows and all of the request.
func (r *importRun) submit(ctx context.Context, b batch, exists *bool) error {
	id := r.collection(b.number)
	options := []client.CallOption{}
	if r.Reason != "" {
		options = append(options, client.Reason(r.Reason))
	}
	if !*exists {
		put := client.PutRequest{Format: r.Format, Type: r.Type, Documents: make(map[string]json.RawMessage, len(b.rows))}
		for _, row := range b.rows {
			put.Documents[row.ID] = row.Value
		}
		_, err := r.Client.CollectionPut(ctx, id, put, append(options, client.CreateOnly(), client.IdempotencyKey(r.key("put", b)))...)
		switch {
		case err == nil:
			*exists = true
			return nil
		case !client.IsCode(err, problem.PreconditionFailed):
			return err
		}
		*exists = true
	}
	changes := make([]client.Change, len(b.rows))
	for i, row := range b.rows {
		changes[i] = client.PutDocument(row.ID, row.Value)
	}
	_, err := r.Client.CollectionPatch(ctx, id, changes, append(options, client.IdempotencyKey(r.key("patch", b)))...)
	return err
}

// key is the idempotency key of a batch: the same rows with the same contents have the same key in every run.
func (r *importRun) key(operation string, b batch) string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %q %q", operation, r.Format, r.Reason)
	if r.Type != "" {
		fmt.Fprintf(h, " %q", r.Type)
	}
	for _, row := range b.rows {
		fmt.Fprintf(h, " %d %q %d ", row.Row, row.ID, len(row.Value))
		h.Write(row.Value)
	}
	return "import-" + hex.EncodeToString(h.Sum(nil))
}
