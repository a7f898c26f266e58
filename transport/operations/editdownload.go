package operations

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"concord/actors/editsession"
	"concord/actors/fields"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/sheet"
)

// Bounds of downloads: a file is made in memory, one at a time.
const (
	editDownloadMaxBytes  = 64 << 20
	editDownloadStepLines = 4096 // after which it is looked if anybody still waits
)

// What is downloaded.
const (
	downloadMatched = "matched"
	downloadErrors  = "errors"
	downloadChanged = "changed"
)

// downloadColumns are the columns of a download: the line of the upload and what stood there are in all of them.
var downloadColumns = map[string][]string{
	downloadMatched: {"line", "identifier", "id"},
	downloadErrors:  {"line", "identifier", "id", "state", "message"},
	downloadChanged: {"line", "identifier", "id", "versionBefore", "versionAfter"},
}

// editLine is a line of a download.
type editLine struct {
	Line          uint64 `json:"line,omitempty"`
	Identifier    string `json:"identifier,omitempty"`
	ID            string `json:"id,omitempty"`
	State         string `json:"state,omitempty"`
	Message       string `json:"message,omitempty"`
	VersionBefore uint64 `json:"versionBefore,omitempty"`
	VersionAfter  uint64 `json:"versionAfter,omitempty"`
}

// cells are those of the columns.
func (l *editLine) cells(what string) []string {
	number := func(n uint64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatUint(n, 10)
	}
	cells := []string{number(l.Line), l.Identifier, l.ID}
	switch what {
	case downloadErrors:
		cells = append(cells, l.State, l.Message)
	case downloadChanged:
		cells = append(cells, number(l.VersionBefore), number(l.VersionAfter))
	}
	return cells
}

// editDownload makes a file of rows of a session. Its cells are written as they are, also those that begin with = + - or @, so that
// the file can be uploaded again: see package sheet.
func (s *Service) editDownload(ctx context.Context, r *transport.Request, done reply) {
	d := &editDownloading{what: r.Param("what"), format: r.Param("format")}
	if d.what == "" {
		d.what = downloadMatched
	}
	if d.format == "" {
		d.format = sheet.CSV
	}
	number, given, err := intParam(r, "run")
	switch {
	case err != nil:
	case downloadColumns[d.what] == nil:
		err = problem.At("what", "must be one of %s, %s, %s", downloadMatched, downloadErrors, downloadChanged)
	case d.format != sheet.CSV && d.format != sheet.Lines:
		err = problem.At("format", "must be %s or %s", sheet.CSV, sheet.Lines)
	}
	if err != nil {
		done(nil, err)
		return
	}
	ctx, end := s.patience(ctx, r)
	defer end()
	d.ctx = ctx
	leave, err := s.turns.take(ctx, forDownload, "", "another download")
	if err != nil {
		done(nil, err)
		return
	}
	defer leave()
	s.onEdit(r, done, func(view persistence.View, e *editSession) (*transport.Reply, error) {
		run, some := e.state.Newest()
		if given {
			if run, some = e.run(number); !some {
				return nil, problem.New(problem.NotFound, "the bulk edit session has no run %d", number)
			}
		}
		d.view, d.session = view, e
		if some {
			d.of = &run
		}
		return d.file()
	})
}

// editDownloading makes one file.
type editDownloading struct {
	ctx          context.Context
	what, format string
	view         persistence.View
	session      *editSession
	of           *editsession.Run // nil: there was none

	text  bytes.Buffer
	table *csv.Writer
	lines int
}

func (d *editDownloading) file() (*transport.Reply, error) {
	contentType := transport.MediaLines
	if d.format == sheet.CSV {
		contentType = transport.MediaCSV
		d.table = csv.NewWriter(&d.text)
		if err := d.table.Write(downloadColumns[d.what]); err != nil {
			return nil, fmt.Errorf("write the first line: %w", err)
		}
	}
	if err := d.fill(); err != nil {
		return nil, err
	}
	if d.table != nil {
		d.table.Flush()
	}
	name := fmt.Sprintf("%s-%s.%s", d.session.id.ID, d.what, d.format)
	return &transport.Reply{Status: http.StatusOK, Body: d.text.Bytes(), ContentType: contentType,
		Header: map[string]string{"Content-Disposition": `attachment; filename="` + name + `"`}}, nil
}

// fill writes the lines, in one walk over the rows and the list of the run.
func (d *editDownloading) fill() error {
	run, err := d.open()
	if err != nil {
		return err
	}
	defer run.close()
	for row, err := range d.session.rows(d.view, 0) {
		if err != nil {
			return err
		}
		line := editLine{Line: row.Line, Identifier: cmp.Or(row.Identifier, row.Collection), ID: row.Collection}
		shown := d.what == downloadMatched && row.State == editsession.Matched
		switch {
		case row.State != editsession.Matched:
			line.State, line.Message = string(row.State), row.Why
			shown = d.what == downloadErrors
		case run != nil && run.record == row.Collection:
			shown = line.came(run, d.what)
			if err := run.step(); err != nil {
				return err
			}
		}
		if !shown {
			continue
		}
		if err := d.write(&line); err != nil {
			return err
		}
	}
	return nil
}

// open opens the list of the run; nil: there is none, or none is needed.
func (d *editDownloading) open() (*editRun, error) {
	if d.what == downloadMatched || d.of == nil || d.of.Task == "" {
		return nil, nil
	}
	state, _, err := bulkState(d.view, bulkID(d.session.id.Provider, d.of.Task))
	if err != nil || !state.Status.Shown() {
		return nil, err
	}
	return openRun(d.view, d.session.id.Provider, d.of)
}

// came notes what came of the record; false: it is no such line.
func (l *editLine) came(run *editRun, what string) bool {
	o := &run.outcome
	switch what {
	case downloadErrors:
		l.State, l.Message = string(o.State), o.Message
		return o.State == fields.Failed || o.State == fields.Skipped
	case downloadChanged:
		l.VersionBefore, l.VersionAfter = o.VersionBefore, o.VersionAfter
		return o.State == fields.Updated
	}
	return false
}

func (d *editDownloading) write(line *editLine) error {
	if d.table != nil {
		if err := d.table.Write(line.cells(d.what)); err != nil {
			return fmt.Errorf("write a line: %w", err)
		}
	} else {
		text, err := encode(line)
		if err != nil {
			return err
		}
		d.text.Write(append(text, '\n'))
	}
	if d.lines++; d.lines%editDownloadStepLines == 0 && d.ctx.Err() != nil {
		return fmt.Errorf("make a download: %w", errors.Join(d.ctx.Err(), context.Cause(d.ctx)))
	}
	if d.text.Len() > editDownloadMaxBytes {
		return problem.New(problem.TooLarge, "the file is longer than %d bytes: read it page by page, with edit.records and edit.results", editDownloadMaxBytes).
			With("limit", editDownloadMaxBytes)
	}
	return nil
}
