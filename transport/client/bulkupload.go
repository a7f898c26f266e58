package client

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"

	"concord/transport"
)

// bulkListMaxBytes is how long a list of targets may be in a request: a longer one is uploaded.
const bulkListMaxBytes = 512 << 10

// targetOverheadBytes is what stands around a target in a request, at most, beside what it says.
const targetOverheadBytes = 64

// BulkUpload uploads targets, a line for each, in constant memory, and returns what a request names them by.
func (c *Client) BulkUpload(ctx context.Context, targets iter.Seq2[BulkTarget, error], options ...CallOption) (BulkTargets, error) {
	lines, to := io.Pipe()
	written := make(chan error, 1)
	go func() {
		err := writeTargets(to, targets)
		_ = to.CloseWithError(err) // it has none of its own
		written <- err
	}()
	id, err := c.Upload(ctx, lines, options...)
	_ = lines.Close() // so that the writer ends, too
	if writeErr := <-written; err == nil {
		err = writeErr
	}
	if err != nil {
		return BulkTargets{}, fmt.Errorf("upload targets: %w", err)
	}
	return BulkTargets{Upload: id}, nil
}

func writeTargets(to io.Writer, targets iter.Seq2[BulkTarget, error]) error {
	out := bufio.NewWriter(to)
	for target, err := range targets {
		if err != nil {
			return err
		}
		text, err := BulkTargetText(target)
		if err != nil {
			return err
		}
		if _, err := out.Write(append(text, '\n')); err != nil {
			return err
		}
	}
	return out.Flush()
}

// BulkTargetText is a target as one line of an upload has it: its id alone, or an object, with key and value in the bytes that
// they have.
func BulkTargetText(t BulkTarget) ([]byte, error) {
	if t.Key == nil && t.Value == nil && t.Version == 0 && transport.ValidID(t.ID) {
		return []byte(t.ID), nil
	}
	var o object
	err := setAll(&o, member{"id", t.ID}, member{"key", t.Key}, member{"value", t.Value})
	if err == nil && t.Version != 0 {
		err = o.set("version", t.Version)
	}
	return o.text(), err
}

// listed are the targets that a request names one by one.
func listed(t *BulkTargets) iter.Seq[BulkTarget] {
	return func(yield func(BulkTarget) bool) {
		for _, id := range t.IDs {
			if !yield(BulkTarget{ID: id}) {
				return
			}
		}
		for _, key := range t.Keys {
			if !yield(BulkTarget{Key: key}) {
				return
			}
		}
		for _, item := range t.Items {
			if !yield(item) {
				return
			}
		}
	}
}

// sound are targets that nothing is wrong with.
func sound(targets iter.Seq[BulkTarget]) iter.Seq2[BulkTarget, error] {
	return func(yield func(BulkTarget, error) bool) {
		for target := range targets {
			if !yield(target, nil) {
				return
			}
		}
	}
}

// tooLong says that the list does not fit into a request with what else is in it.
func tooLong(t *BulkTargets) bool {
	bytes := 0
	for item := range listed(t) {
		bytes += len(item.ID) + len(item.Key) + len(item.Value) + targetOverheadBytes
		if bytes > bulkListMaxBytes {
			return true
		}
	}
	return false
}

// kinds is how many ways of naming its targets a request has: only one that has one can be uploaded.
func kinds(t *BulkTargets) (n int) {
	for _, given := range []bool{t.IDs != nil, t.Keys != nil, t.Query != nil, t.All, t.Items != nil, t.Upload != ""} {
		if given {
			n++
		}
	}
	return n
}
