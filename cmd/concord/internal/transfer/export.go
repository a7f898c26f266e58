package transfer

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"concord/internal/records"
	"concord/transport/client"
)

// Export writes all documents of some collections to one file.
type Export struct {
	Client *client.Client
	Failed func(Failure)          // is told of each document that the file's format cannot hold; may be nil
	Moved  func(rows, failed int) // is told of progress; may be nil
}

// Run writes the documents of each collection in order of their ids, all of one version of it. A document that the format
// cannot hold is told to Failed and costs no other. Nothing is certain to be written before the writer's Flush.
func (ex *Export) Run(ctx context.Context, collections iter.Seq2[string, error], to records.Writer) (Totals, error) {
	var totals Totals
	for id, err := range collections {
		if err != nil {
			return totals, err
		}
		totals.Collections++
		if err := ex.collection(ctx, id, to, &totals); err != nil {
			return totals, fmt.Errorf("export %s: %w", id, err)
		}
	}
	return totals, to.Flush()
}

func (ex *Export) collection(ctx context.Context, id string, to records.Writer, totals *Totals) error {
	for document, err := range ex.Client.Documents(ctx, id) {
		if err != nil {
			return err
		}
		totals.Rows++
		err := to.Write(records.Item{Row: totals.Rows, ID: document.ID, Value: document.Value})
		bad, refused := errors.AsType[*records.RowError](err)
		switch {
		case err == nil:
			totals.Moved++
			ex.moved(1, 0)
		case refused:
			totals.Failed++
			ex.moved(0, 1)
			if ex.Failed != nil {
				ex.Failed(Failure{ID: document.ID, Collection: id, Code: codeUnreadable, Message: bad.Err.Error()})
			}
		default:
			return err
		}
	}
	return nil
}

func (ex *Export) moved(rows, failed int) {
	if ex.Moved != nil {
		ex.Moved(rows, failed)
	}
}
