package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sync/errgroup"

	"concord/internal/records"
	"concord/transport/client"
)

// Collections writes each record of a file as a collection of its own: its id is that of the record, its metadata are the record.
// All fields but Client have useful zero values.
type Collections struct {
	Client  *client.Client
	Type    string // of new collections
	Reason  string // for the history
	Clients int    // requests that are under way at once; 0: 1

	Failed func(Failure)          // is told of each row that is not imported, by one goroutine at a time; may be nil
	Moved  func(rows, failed int) // is told of progress; may be nil
}

// Run imports all records. A row that cannot be imported is told to Failed and costs no other; an error ends the run, and the
// same run again does what is left: metadata that are there already make no version. Of two rows with the same id the later one counts.
func (co *Collections) Run(ctx context.Context, from records.Reader) (Totals, error) {
	if co.Clients < 0 || co.Clients > ClientsMax {
		return Totals{}, fmt.Errorf("1 to %d clients", ClientsMax)
	}
	// It accounts for rows as any import does.
	r := &importRun{Import: &Import{Failed: co.Failed, Moved: co.Moved}}
	workers, ctx := errgroup.WithContext(ctx)
	lanes := make([]chan records.Item, max(1, co.Clients))
	for i := range lanes {
		lanes[i] = make(chan records.Item, laneMaxBatches)
		workers.Go(func() error {
			for row := range lanes[i] {
				if err := co.write(ctx, r, row); err != nil {
					return err
				}
			}
			return nil
		})
	}
	err := co.read(ctx, r, from, lanes)
	for _, lane := range lanes {
		close(lane)
	}
	// An error of a worker is the reason why the reader was stopped.
	if workErr := workers.Wait(); workErr != nil {
		err = workErr
	}
	return r.totals, err
}

// read hands out the rows. All rows with one id go to one lane, in order.
func (co *Collections) read(ctx context.Context, r *importRun, from records.Reader, lanes []chan records.Item) error {
	for {
		item, err := from.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if bad, ok := errors.AsType[*records.RowError](err); ok {
			r.fail(Failure{Row: bad.Row, Line: bad.Line, Offset: bad.Offset, Code: codeUnreadable, Message: bad.Err.Error()})
			continue
		}
		if err != nil {
			return fmt.Errorf("read the records: %w", err)
		}
		select {
		case lanes[laneOf(item.ID, len(lanes))] <- item:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (co *Collections) write(ctx context.Context, r *importRun, row records.Item) error {
	var options []client.CallOption
	if co.Reason != "" {
		options = append(options, client.Reason(co.Reason))
	}
	_, err := co.Client.CollectionPut(ctx, row.ID, client.PutRequest{Type: co.Type, Metadata: row.Value}, options...)
	if err == nil {
		r.moved(1, true)
		return nil
	}
	p, refused := errors.AsType[*client.Problem](err)
	if !refused || endsRun(p.Code) {
		return err
	}
	r.fail(Failure{Row: row.Row, Collection: row.ID, Code: string(p.Code), Message: reasonOf(p)})
	return nil
}
