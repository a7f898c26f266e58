package transfer

import (
	"bufio"
	"context"
	"io"

	"concord/internal/records"
	"concord/transport/client"
)

// Upload is Run by one upload and one request, which the service works through by itself. An answer that names a thousand
// refusals leaves the others unnamed.
func (a *Authorities) Upload(ctx context.Context, from records.Reader) (AuthorityTotals, error) {
	r := &authorityRun{Authorities: a}
	var left []int // rows that are not in the upload
	lines, to := io.Pipe()
	written := make(chan error, 1)
	go func() {
		out := bufio.NewWriter(to)
		err := eachAuthority(from, func(f Failure) { left = append(left, f.Row); r.fail(f) }, func(row authorityRow) error {
			text, err := client.AuthorityItemText(row.item)
			if err == nil {
				_, err = out.Write(append(text, '\n'))
			}
			return err
		})
		if err == nil {
			err = out.Flush()
		}
		_ = to.CloseWithError(err) // it has none of its own
		written <- err
	}()
	id, err := a.Client.Upload(ctx, lines)
	_ = lines.Close() // so that the writer ends, too
	writeErr := <-written
	if err != nil {
		return r.totals, err
	}
	if writeErr != nil {
		return r.totals, writeErr
	}
	if a.Uploaded != nil {
		a.Uploaded()
	}
	var options []client.CallOption
	if a.DryRun {
		options = append(options, client.DryRun())
	}
	done, err := a.Client.AuthorityImport(ctx, client.ImportRequest{Upload: id, Source: a.Source, Reason: a.Reason}, options...)
	if err != nil {
		return r.totals, err
	}
	r.done(done, func(e client.ImportError) Failure { return Failure{Row: rowOf(e.Line, left)} })
	return r.totals, nil
}

// rowOf is the row of the file that has become a line of the upload: left are the rows, in order, that have not.
func rowOf(line int, left []int) int {
	for _, row := range left {
		if row > line {
			break
		}
		line++
	}
	return line
}
