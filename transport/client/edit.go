package client

import (
	"context"
	"fmt"
	"io"
	"iter"
)

// EditLast names the caller's own newest bulk edit session that is not closed, wherever an id of one is asked for.
const EditLast = "last"

// States of a bulk edit session.
const (
	EditReady                   = "READY" // nothing was done yet
	EditPreviewing              = "PREVIEWING"
	EditReview                  = "REVIEW" // a preview has ended
	EditApplying                = "APPLYING"
	EditCompleted               = "COMPLETED"
	EditCompletedWithErrors     = "COMPLETED_WITH_ERRORS"
	EditFailed                  = "FAILED"
	EditCancelling              = "CANCELLING"
	EditCancelled               = "CANCELLED"
	EditRollingBack             = "ROLLING_BACK"
	EditRolledBack              = "ROLLED_BACK"
	EditRolledBackWithConflicts = "ROLLED_BACK_WITH_CONFLICTS" // some records were left as they are: EditOutcomes names them
	EditClosed                  = "CLOSED"
)

// States of a row of a bulk edit session.
const (
	RowMatched   = "MATCHED"
	RowNotFound  = "NOT_FOUND"
	RowDuplicate = "DUPLICATE" // an earlier row has led to the same record
	RowAmbiguous = "AMBIGUOUS" // it leads to several records
)

// Kinds of runs of a bulk edit session.
const (
	RunPreview  = "preview"
	RunApply    = "apply"
	RunRollback = "rollback"
	RunRedo     = "redo"
)

// EditIdle says that nothing of a session is under way.
func EditIdle(s *EditSession) bool {
	switch s.State {
	case EditPreviewing, EditApplying, EditCancelling, EditRollingBack:
		return false
	}
	return true
}

// NewestRun is what was done last with a session; nil: nothing yet.
func NewestRun(s *EditSession) *EditRun {
	if len(s.Runs) == 0 {
		return nil
	}
	return &s.Runs[len(s.Runs)-1]
}

// EditOpen opens a bulk edit session for records that are named by an upload, by ids or by a query. It returns when they are
// matched, which takes a while for a long list: such a call needs a context with time enough.
func (c *Client) EditOpen(ctx context.Context, r EditRequest, options ...CallOption) (*EditSession, error) {
	return ask[EditSession](ctx, c, "edit.open", "", r, with(options, oneLongAttempt()))
}

// EditOpenFrom opens a session for records that a file names: CSV, or JSON lines. The file is uploaded first, in constant memory.
// Such a call with an IdempotencyKey of the caller's own is refused when it is repeated, since its upload is another one: there,
// upload the file once by Upload, and name that to EditOpen.
func (c *Client) EditOpenFrom(ctx context.Context, from io.Reader, r EditRequest, options ...CallOption) (*EditSession, error) {
	upload, err := c.editUpload(ctx, from, options)
	if err != nil {
		return nil, err
	}
	r.Upload = upload
	return c.EditOpen(ctx, r, options...)
}

// EditMatch replaces the records of a session that has no step yet.
func (c *Client) EditMatch(ctx context.Context, id string, r EditMatch, options ...CallOption) (*EditSession, error) {
	return ask[EditSession](ctx, c, "edit.match", id, r, with(options, oneLongAttempt()))
}

// EditMatchFrom replaces the records by those that a file names, as EditOpenFrom does.
func (c *Client) EditMatchFrom(ctx context.Context, id string, from io.Reader, r EditMatch, options ...CallOption) (*EditSession, error) {
	upload, err := c.editUpload(ctx, from, options)
	if err != nil {
		return nil, err
	}
	r.Upload = upload
	return c.EditMatch(ctx, id, r, options...)
}

func (c *Client) editUpload(ctx context.Context, from io.Reader, options []CallOption) (string, error) {
	id, err := c.Upload(ctx, from, In(c.providerOf(options)))
	if err != nil {
		return "", fmt.Errorf("upload the identifiers: %w", err)
	}
	return id, nil
}

// EditGet reads a session: where it stands, its runs, what is kept for it.
func (c *Client) EditGet(ctx context.Context, id string, options ...CallOption) (*EditSession, error) {
	return ask[EditSession](ctx, c, "edit.get", id, nil, options)
}

// EditList is one page of the caller's own sessions, the newest first: see Edits for all of them, and the options OwnedBy and
// StillOpen.
func (c *Client) EditList(ctx context.Context, options ...CallOption) (*EditPage, error) {
	return ask[EditPage](ctx, c, "edit.list", "", nil, options)
}

// EditRecords is one page of the rows of a session in the order of their list: see EditRows for all of them, and the option
// InStates.
func (c *Client) EditRecords(ctx context.Context, id string, options ...CallOption) (*EditRecordPage, error) {
	return ask[EditRecordPage](ctx, c, "edit.records", id, nil, options)
}

// EditPreview begins to work out what instructions would do to the records: see WaitEdit, and EditOutcomes for the diffs.
func (c *Client) EditPreview(ctx context.Context, id string, r EditPreview, options ...CallOption) (*EditSession, error) {
	return ask[EditSession](ctx, c, "edit.preview", id, r, with(options, oneLongAttempt()))
}

// EditApply begins a step: with the instructions of the newest preview, to the records that it has shown, or with others.
func (c *Client) EditApply(ctx context.Context, id string, r EditApply, options ...CallOption) (*EditSession, error) {
	return ask[EditSession](ctx, c, "edit.apply", id, r, with(options, oneLongAttempt()))
}

// EditRollback begins to take steps back. What is being applied is stopped first, and its end waited for. With DryRun it says
// what would be taken back.
func (c *Client) EditRollback(ctx context.Context, id string, r EditRollback, options ...CallOption) (*EditSession, error) {
	return ask[EditSession](ctx, c, "edit.rollback", id, r, with(options, oneLongAttempt()))
}

// EditRedo begins to take a roll-back back: the newest that was not redone, or what the newest redo has left.
func (c *Client) EditRedo(ctx context.Context, id string, r EditRedo, options ...CallOption) (*EditSession, error) {
	return ask[EditSession](ctx, c, "edit.redo", id, r, with(options, oneLongAttempt()))
}

// EditResults is one page of what came of the records in a run: see EditOutcomes for all of them, and the options OfRun and
// InStates.
func (c *Client) EditResults(ctx context.Context, id string, options ...CallOption) (*BulkItemPage, error) {
	return ask[BulkItemPage](ctx, c, "edit.results", id, nil, options)
}

// EditPause stops what is under way at the border of a record, until it is resumed.
func (c *Client) EditPause(ctx context.Context, id string, options ...CallOption) (*EditSession, error) {
	return ask[EditSession](ctx, c, "edit.pause", id, nil, options)
}

// EditResume has what is paused go on.
func (c *Client) EditResume(ctx context.Context, id string, options ...CallOption) (*EditSession, error) {
	return ask[EditSession](ctx, c, "edit.resume", id, nil, options)
}

// EditCancel ends what is under way at the border of a record; what it has done stays until it is taken back.
func (c *Client) EditCancel(ctx context.Context, id string, options ...CallOption) (*EditSession, error) {
	return ask[EditSession](ctx, c, "edit.cancel", id, nil, options)
}

// EditClose closes a session: what is kept to take it back is released.
func (c *Client) EditClose(ctx context.Context, id string, options ...CallOption) (*EditSession, error) {
	return ask[EditSession](ctx, c, "edit.close", id, nil, options)
}

// EditEvents is one page of the events of a session above the seq: see WatchEdit for its states.
func (c *Client) EditEvents(ctx context.Context, id string, after uint64, options ...CallOption) (*EventPage, error) {
	return ask[EventPage](ctx, c, "edit.events", id, nil, with(options, Set("after", after)))
}

// Edits yields the caller's own sessions, the newest first; an error is the last that it yields.
func (c *Client) Edits(ctx context.Context, options ...CallOption) iter.Seq2[EditSession, error] {
	return pages(func(options []CallOption) ([]EditSession, string, error) {
		page, err := c.EditList(ctx, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// EditRows yields the rows of a session in the order of their list; an error is the last that it yields.
func (c *Client) EditRows(ctx context.Context, id string, options ...CallOption) iter.Seq2[EditRecord, error] {
	return pages(func(options []CallOption) ([]EditRecord, string, error) {
		page, err := c.EditRecords(ctx, id, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// EditOutcomes yields what came of the records in a run, the newest if no option names one, in the order of the session; an error
// is the last that it yields.
func (c *Client) EditOutcomes(ctx context.Context, id string, options ...CallOption) iter.Seq2[BulkItem, error] {
	return pages(func(options []CallOption) ([]BulkItem, string, error) {
		page, err := c.EditResults(ctx, id, options...)
		if err != nil {
			return nil, "", err
		}
		return page.Items, page.Next, nil
	}, options)
}

// OwnedBy leaves the sessions of another principal; it needs the right admin.
func OwnedBy(principal string) CallOption { return Set("owner", principal) }

// OfRun names a run of a session by its number.
func OfRun(number uint32) CallOption { return Set("run", number) }
