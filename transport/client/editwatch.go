package client

import (
	"context"
	"fmt"
	"iter"
	"reflect"
	"time"
)

// editPreparing is the state of a run whose task is about to be made.
const editPreparing = "PREPARING"

// WatchEdit yields a session, and again whenever it has changed, until nothing of it is under way: its last state is the last
// that it yields. Between two looks states may be passed over. It ends when the context does, without an error; the work goes on.
// A lost connection and a service that is starting are waited out. Another error is the last that it yields.
func (c *Client) WatchEdit(ctx context.Context, id string, options ...CallOption) iter.Seq2[EditSession, error] {
	return func(yield func(EditSession, error) bool) {
		w := &editWatch{client: c, id: id, options: options, yield: yield}
		for w.look(ctx) && w.work(ctx) {
		}
	}
}

// editWatch is one loop over a watch, all on the caller's goroutine.
type editWatch struct {
	client  *Client
	id      string // of the session, once it is known
	options []CallOption
	yield   func(EditSession, error) bool
	last    *EditSession // that was yielded
}

// fail yields an error, unless it is that of the context.
func (w *editWatch) fail(ctx context.Context, err error) bool {
	if ctx.Err() == nil {
		w.yield(EditSession{}, err)
	}
	return false
}

// look yields the session if it has changed; it is false if that was the last look.
func (w *editWatch) look(ctx context.Context) bool {
	for wait := jobPollMin; ; wait = min(2*wait, jobPollMax) {
		session, err := w.client.EditGet(ctx, w.id, w.options...)
		switch {
		case err == nil:
			return w.show(session)
		case !passes(err) || !pause(ctx, wait):
			return w.fail(ctx, err)
		}
	}
}

func (w *editWatch) show(session *EditSession) bool {
	w.id = session.Session // the newest may be another one by and by
	if w.last == nil || !reflect.DeepEqual(w.last, session) {
		w.last = session
		if !w.yield(*session, nil) {
			return false
		}
	}
	return !EditIdle(session)
}

// work follows the task of the run that is under way, to its end; it is false if there is nothing to go on with.
func (w *editWatch) work(ctx context.Context) bool {
	run := NewestRun(w.last)
	if run == nil || run.Task == "" || run.State == editPreparing {
		return breathe(ctx)
	}
	first := true
	for task, err := range w.client.WatchBulk(ctx, run.Task, w.options...) {
		switch {
		case err != nil:
			return w.fail(ctx, err)
		case first && !BulkEnded(&task): // the look before was of the same moment, or nearly
			first = false
			continue
		case !w.look(ctx):
			return false
		}
	}
	return breathe(ctx)
}

// breathe waits a little; it is false if the context ends first.
func breathe(ctx context.Context) bool {
	timer := time.NewTimer(jobPollMin)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// WaitEdit waits until nothing of a session is under way, and returns it as it is then; the service tells, nobody asks over and
// over. How it went is in its state, and in the counts of its newest run. If the context ends before, the work goes on.
func (c *Client) WaitEdit(ctx context.Context, id string, options ...CallOption) (*EditSession, error) {
	var last *EditSession
	for session, err := range c.WatchEdit(ctx, id, options...) {
		if err != nil {
			return nil, err
		}
		last = &session
	}
	if last == nil || !EditIdle(last) {
		return nil, fmt.Errorf("wait for bulk edit session %s: %w", id, context.Cause(ctx))
	}
	return last, nil
}
