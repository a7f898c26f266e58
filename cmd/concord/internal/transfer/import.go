// Package transfer moves records between files and collections: many at a time, in memory that does not grow with the
// file, with an account of every row, and so that a run can be repeated.
package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"concord/internal/records"
	"concord/transport"
	"concord/transport/client"
)

// Bounds of an import.
const (
	batchMaxBytes       = 768 << 10 // contents of one request: the service's own bound of a page
	changeOverheadBytes = 64        // what stands around a document in a request, at most
	versionMaxRows      = 10_000    // what one version may change
	ClientsMax          = 256       // requests that a transfer has under way at once
	collectionsMax      = 999_999   // of one file: their numbers have six digits
	laneMaxBatches      = 1         // that wait for one client
)

// numberPlaceholder stands for the number of the collection in a pattern of ids.
const numberPlaceholder = "{n}"

// Codes of rows that never came to the service.
const (
	codeDuplicate  = "duplicate"
	codeUnreadable = "unreadable"
)

// Import writes the records of one file into collections. All fields but Client and Into have useful zero values.
type Import struct {
	Client *client.Client
	// Into is the pattern of collection ids: "{n}" in it is the number of the collection, in six digits; without it
	// "-{n}" is added. With PerCollection 0 it is the id of the one collection.
	Into          string
	PerCollection int    // records of one collection, by their rows; 0: all
	Clients       int    // batches that are under way at once; 0: 1
	Format        string // of new collections: "json" or "marc"; empty: "json"
	Type          string // of new collections
	Reason        string // for the history

	Failed func(Failure)          // is told of each row that is not imported, by one goroutine at a time; may be nil
	Moved  func(rows, failed int) // is told of progress; may be nil
}

// Failure is the account of one row that was not moved.
type Failure struct {
	Row        int    `json:"row,omitempty"`    // number of the record in the file, from 1
	Line       int    `json:"line,omitempty"`   // of a file of lines
	Offset     int64  `json:"offset,omitempty"` // byte of the file where it begins
	ID         string `json:"id,omitempty"`
	Collection string `json:"collection,omitempty"`
	Code       string `json:"code"`           // of the service's refusal, or "duplicate" or "unreadable"
	Path       string `json:"path,omitempty"` // JSON Pointer to what is wrong, if the service names it
	Message    string `json:"message"`
}

func (f Failure) String() string {
	var where []string
	if f.Row > 0 {
		where = append(where, fmt.Sprintf("row %d", f.Row))
	}
	if f.Collection != "" {
		where = append(where, f.Collection)
	}
	if f.ID != "" {
		where = append(where, fmt.Sprintf("document %q", f.ID))
	}
	return strings.Join(where, ", ") + ": " + f.Message
}

// Totals are the sums of a transfer: Rows = Moved + Failed.
type Totals struct {
	Rows        int `json:"rows"`
	Moved       int `json:"moved"`
	Failed      int `json:"failed"`
	Collections int `json:"collections"`
	Requests    int `json:"requests,omitempty"` // answered by the service
}

// Run imports all records. A row that cannot be imported is told to Failed and costs no other; an error ends the run, and
// the same run again does what is left: each batch has an idempotency key made of its rows and contents, and contents
// that are there already make no version.
func (im *Import) Run(ctx context.Context, from records.Reader) (Totals, error) {
	if err := im.Check(); err != nil {
		return Totals{}, err
	}
	r := &importRun{Import: im}
	workers, ctx := errgroup.WithContext(ctx)
	lanes := make([]chan batch, max(1, im.Clients))
	for i := range lanes {
		lanes[i] = make(chan batch, laneMaxBatches)
		workers.Go(func() error { return r.work(ctx, lanes[i]) })
	}
	err := r.read(ctx, from, lanes)
	for _, lane := range lanes {
		close(lane)
	}
	// An error of a worker is the reason why the reader was stopped.
	if workErr := workers.Wait(); workErr != nil {
		err = workErr
	}
	return r.totals, err
}

// Check says what is wrong with the fields, if something is.
func (im *Import) Check() error {
	switch {
	case im.PerCollection < 0 || im.PerCollection > versionMaxRows:
		return fmt.Errorf("a collection takes 1 to %d records, or 0 for all in one", versionMaxRows)
	case im.Clients < 0 || im.Clients > ClientsMax:
		return fmt.Errorf("1 to %d clients", ClientsMax)
	case !transport.ValidID(im.collection(1)):
		return fmt.Errorf("%q makes no collection id: letters, digits, \"_\" and \"-\", the first a letter or digit", im.Into)
	}
	return nil
}

// collection is the id of the n-th collection, from 1.
func (im *Import) collection(n int) string {
	if im.PerCollection == 0 {
		return im.Into
	}
	pattern := im.Into
	if !strings.Contains(pattern, numberPlaceholder) {
		pattern += "-" + numberPlaceholder
	}
	return strings.Replace(pattern, numberPlaceholder, fmt.Sprintf("%06d", n), 1)
}

// number is the collection that a row belongs to. It goes by the row, so that a row which was repaired comes to where it
// would have been.
func (im *Import) number(row int) int {
	if im.PerCollection == 0 {
		return 1
	}
	return (row-1)/im.PerCollection + 1
}

// batch is some rows of one collection, to be written in one version.
type batch struct {
	number int // of the collection
	rows   []records.Item
	bytes  int
}

func bytesOf(row records.Item) int { return len(row.ID) + len(row.Value) + changeOverheadBytes }

// importRun is one Run.
type importRun struct {
	*Import
	mu     sync.Mutex
	totals Totals
}

// read cuts the file into batches. The batches of one collection go to one lane, in order.
func (r *importRun) read(ctx context.Context, from records.Reader, lanes []chan batch) error {
	c := &cutter{run: r, ctx: ctx, lanes: lanes, seen: make(map[string]int)}
	for {
		item, err := from.Next()
		if errors.Is(err, io.EOF) {
			return c.send()
		}
		if bad, ok := errors.AsType[*records.RowError](err); ok {
			r.fail(Failure{Row: bad.Row, Line: bad.Line, Offset: bad.Offset, Code: codeUnreadable, Message: bad.Err.Error()})
			continue
		}
		if err != nil {
			return fmt.Errorf("read the records: %w", err)
		}
		if err := c.add(item); err != nil {
			return err
		}
	}
}

// cutter gathers rows until a batch is full.
type cutter struct {
	run   *importRun
	ctx   context.Context
	lanes []chan batch
	batch batch
	seen  map[string]int // row by id, in the present collection
}

// add puts a row into the batch, and sends off the batch before it if the row does not belong there.
func (c *cutter) add(item records.Item) error {
	number := c.run.number(item.Row)
	if number > collectionsMax {
		return fmt.Errorf("row %d: more than %d collections", item.Row, collectionsMax)
	}
	if number != c.batch.number || c.batch.bytes+bytesOf(item) > batchMaxBytes || len(c.batch.rows) == versionMaxRows {
		if err := c.send(); err != nil {
			return err
		}
	}
	if number != c.batch.number {
		c.batch.number = number
		clear(c.seen)
	}
	if first, twice := c.seen[item.ID]; twice {
		c.run.fail(Failure{Row: item.Row, ID: item.ID, Collection: c.run.collection(number), Code: codeDuplicate,
			Message: fmt.Sprintf("row %d has the same id", first)})
		return nil
	}
	c.seen[item.ID] = item.Row
	c.batch.rows, c.batch.bytes = append(c.batch.rows, item), c.batch.bytes+bytesOf(item)
	return nil
}

// send hands the batch to the lane of its collection.
func (c *cutter) send() error {
	if len(c.batch.rows) == 0 {
		return nil
	}
	select {
	case c.lanes[c.batch.number%len(c.lanes)] <- c.batch:
		c.batch = batch{number: c.batch.number}
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

func (r *importRun) fail(f Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.totals.Rows++
	r.totals.Failed++
	if r.Failed != nil {
		r.Failed(f)
	}
	if r.Moved != nil {
		r.Moved(0, 1)
	}
}

func (r *importRun) moved(rows int, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.totals.Rows += rows
	r.totals.Moved += rows
	r.totals.Requests++
	if first {
		r.totals.Collections++
	}
	if r.Moved != nil {
		r.Moved(rows, 0)
	}
}
