package transfer

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"

	"concord/internal/marc"
	"concord/internal/records"
	"concord/transport/client"
)

// Bounds of an import of authorities.
const (
	authorityBatchMaxBytes = 900 << 10 // of one request
	authorityBatchMaxItems = 1000      // an answer names no more refusals than that
	authorityOverheadBytes = 64        // what stands around a record in a request, at most, beside its names
)

// Authorities writes the authorities of one file: many in a request, some requests at a time. All fields but Client have useful
// zero values.
type Authorities struct {
	Client  *client.Client
	Source  string // of authorities that name none
	Reason  string // for the history
	Clients int    // requests that are under way at once; 0: 1
	DryRun  bool   // have it decided, but store nothing

	Failed   func(Failure)          // is told of each authority that is refused, by one goroutine at a time; may be nil
	Moved    func(rows, failed int) // is told of progress; may be nil
	Uploaded func()                 // is told when all of an upload is with the service; may be nil
}

// AuthorityTotals are the sums of an import: Total = Created + Changed + Unchanged + Failed.
type AuthorityTotals struct {
	Total        int `json:"total"`
	Created      int `json:"created"`
	Changed      int `json:"changed"`
	Unchanged    int `json:"unchanged"`
	Failed       int `json:"failed"`
	Propagations int `json:"propagations"`
	Requests     int `json:"requests"` // answered by the service
}

// Moved is how many authorities are as the file says.
func (t AuthorityTotals) Moved() int { return t.Created + t.Changed + t.Unchanged }

func (t *AuthorityTotals) add(done *client.Imported) {
	t.Total += done.Total
	t.Created += done.Created
	t.Changed += done.Changed
	t.Unchanged += done.Unchanged
	t.Failed += done.Failed
	t.Propagations += done.Propagations
	t.Requests++
}

// authorityRow is one authority of a file.
type authorityRow struct {
	row  int
	item client.AuthorityItem
}

func (r *authorityRow) bytes() int {
	return len(r.item.ID) + len(r.item.Source) + len(r.item.NaturalID) + len(r.item.Record) + authorityOverheadBytes
}

// key is the same for two rows about the same authority.
func (r *authorityRow) key() string {
	if r.item.ID != "" {
		return r.item.ID
	}
	return r.item.Source + ":" + r.item.NaturalID
}

// Run imports all authorities. One that is refused is told to Failed and costs no other; an error ends the run, and the same run
// again does what is left. Of two rows about one authority the later one counts.
func (a *Authorities) Run(ctx context.Context, from records.Reader) (AuthorityTotals, error) {
	r := &authorityRun{Authorities: a}
	workers, ctx := errgroup.WithContext(ctx)
	lanes := make([]chan []authorityRow, max(1, a.Clients))
	for i := range lanes {
		lanes[i] = make(chan []authorityRow, laneMaxBatches)
		workers.Go(func() error {
			for batch := range lanes[i] {
				if err := r.write(ctx, batch); err != nil {
					return err
				}
			}
			return nil
		})
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

// authorityRun is one Run.
type authorityRun struct {
	*Authorities
	mu     sync.Mutex
	totals AuthorityTotals
}

// read cuts the file into batches. All rows about one authority go to one lane, in order.
func (r *authorityRun) read(ctx context.Context, from records.Reader, lanes []chan []authorityRow) error {
	batches := make([][]authorityRow, len(lanes))
	bytes := make([]int, len(lanes))
	send := func(lane int) error {
		if len(batches[lane]) == 0 {
			return nil
		}
		select {
		case lanes[lane] <- batches[lane]:
			batches[lane], bytes[lane] = nil, 0
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	err := eachAuthority(from, r.fail, func(row authorityRow) error {
		if row.item.Source == "" {
			row.item.Source = r.Source
		}
		lane := laneOf(row.key(), len(lanes))
		if bytes[lane]+row.bytes() > authorityBatchMaxBytes || len(batches[lane]) == authorityBatchMaxItems {
			if err := send(lane); err != nil {
				return err
			}
		}
		batches[lane], bytes[lane] = append(batches[lane], row), bytes[lane]+row.bytes()
		return nil
	})
	for lane := range lanes {
		if err == nil {
			err = send(lane)
		}
	}
	return err
}

// laneOf is the lane for a key, the same at each time.
func laneOf(key string, lanes int) int {
	h := fnv.New32a()
	_, _ = io.WriteString(h, key) // a hash takes everything
	return int(h.Sum32() % uint32(lanes))
}

// eachAuthority reads a file to its end. What is no authority is told to fail.
func eachAuthority(from records.Reader, fail func(Failure), do func(authorityRow) error) error {
	for {
		item, err := from.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if bad, ok := errors.AsType[*records.RowError](err); ok {
			fail(Failure{Row: bad.Row, Line: bad.Line, Offset: bad.Offset, Code: codeUnreadable, Message: bad.Err.Error()})
			continue
		}
		if err != nil {
			return fmt.Errorf("read the authorities: %w", err)
		}
		row, err := authorityOf(item)
		if err != nil {
			fail(Failure{Row: item.Row, ID: row.item.ID, Code: codeUnreadable, Message: err.Error()})
			continue
		}
		if err := do(row); err != nil {
			return err
		}
	}
}

// authorityOf reads one authority: an object with the record as its member, or the MARC record itself. One that names no natural
// id has the 001 of its record.
func authorityOf(item records.Item) (authorityRow, error) {
	row := authorityRow{row: item.Row}
	var line struct {
		ID        string         `json:"id"`
		Source    string         `json:"source"`
		NaturalID string         `json:"naturalId"`
		Record    jsontext.Value `json:"record"`
		Leader    jsontext.Value `json:"leader"`
	}
	if err := json.Unmarshal(item.Value, &line); err != nil {
		if wrong, ok := errors.AsType[*json.SemanticError](err); ok {
			return row, fmt.Errorf("%s must be a text", wrong.JSONPointer)
		}
		return row, err
	}
	row.item = client.AuthorityItem{ID: line.ID, Source: line.Source, NaturalID: line.NaturalID, Record: []byte(line.Record)}
	switch {
	case line.Record == nil && line.Leader != nil:
		row.item = client.AuthorityItem{Record: item.Value}
	case line.Record == nil:
		return row, errors.New(`no authority: neither a MARC record nor an object with the member "record"`)
	}
	if row.item.NaturalID == "" {
		// A record that is not MARC is told by the service, which knows the other forms, too.
		if rec, err := marc.FromJSON(row.item.Record); err == nil {
			row.item.NaturalID = rec.ControlNumber()
		}
	}
	return row, nil
}

// write sends a batch. If the service refuses it as a whole for what is in it, it is cut in two, and again, until the rows that
// are at fault stand alone.
func (r *authorityRun) write(ctx context.Context, batch []authorityRow) error {
	items := make([]client.AuthorityItem, len(batch))
	for i := range batch {
		items[i] = batch[i].item
	}
	var options []client.CallOption
	if r.DryRun {
		options = append(options, client.DryRun())
	}
	done, err := r.Client.AuthorityImport(ctx, client.ImportRequest{Items: items, Reason: r.Reason}, options...)
	if err == nil {
		r.done(done, func(e client.ImportError) Failure {
			if e.Line < 1 || e.Line > len(batch) {
				return Failure{}
			}
			return Failure{Row: batch[e.Line-1].row, ID: batch[e.Line-1].item.ID}
		})
		return nil
	}
	p, refused := errors.AsType[*client.Problem](err)
	switch {
	case !refused || endsRun(p.Code):
		return err
	case len(batch) > 1 && aboutContent(p.Code):
		middle := len(batch) / 2
		if err := r.write(ctx, batch[:middle]); err != nil {
			return err
		}
		return r.write(ctx, batch[middle:])
	}
	for _, row := range batch {
		r.fail(Failure{Row: row.row, ID: row.item.ID, Code: string(p.Code), Message: reasonOf(p)})
	}
	return nil
}

// done counts an answer. place says which row a refusal is about.
func (r *authorityRun) done(done *client.Imported, place func(client.ImportError) Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.totals.add(done)
	if r.Moved != nil {
		r.Moved(done.Total-done.Failed, done.Failed)
	}
	if r.Failed == nil {
		return
	}
	for _, e := range done.Errors {
		f := place(e)
		if e.ID != "" {
			f.ID = e.ID
		}
		f.Code, f.Path, f.Message = e.Code, e.Path, e.Message
		r.Failed(f)
	}
}

func (r *authorityRun) fail(f Failure) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.totals.Total++
	r.totals.Failed++
	if r.Failed != nil {
		r.Failed(f)
	}
	if r.Moved != nil {
		r.Moved(0, 1)
	}
}
