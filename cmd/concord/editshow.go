package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	"concord/cmd/concord/internal/show"
	"concord/transport/client"
)

// editEnd shows how far a session's run is until it ends, and returns the session as it is then.
func (a *app) editEnd(ctx context.Context, c *client.Client, id, name string) (last *client.EditSession, err error) {
	gauge := show.NewGauge(a.errs, "edit", "record")
	defer func() {
		gauge.End()
		if err != nil && ctx.Err() != nil {
			a.sayf("it goes on by itself: concord edit watch %s", name)
		}
	}()
	for session, err := range c.WatchEdit(ctx, id) {
		if err != nil {
			return nil, err
		}
		last = &session
		gauge.Set(editReading(last))
		if a.format == show.JSONL {
			if err := show.Encode(a.out, show.JSONL, last); err != nil {
				return nil, err
			}
		}
	}
	switch {
	case last != nil && client.EditIdle(last):
		return last, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	return nil, fmt.Errorf("watch %s: %w", id, client.ErrUnavailable) // nothing was seen, and nothing was wrong
}

// editReading is how far a session's run is.
func editReading(s *client.EditSession) show.Reading {
	r := show.Reading{State: s.State}
	if run := client.NewestRun(s); run != nil {
		r.Total, r.Done, r.Failed = int64(run.Total), int64(run.Total-run.Counts.Pending), int64(run.Counts.Failed)
		if run.WaitingForLocks > 0 {
			r.Waiting = number(run.WaitingForLocks) + " waiting for locks"
		}
	}
	return r
}

// ranEdit is how a run has ended, for programs.
type ranEdit struct {
	Session *client.EditSession `json:"session"`
	Changed []client.BulkItem   `json:"changed"` // the first ones, of a run that writes nothing
	Left    []client.BulkItem   `json:"left"`    // the first that have failed, or were not taken back
}

// showRun shows what came of the newest run: of one that writes nothing the first changes, of each the first records that it has
// left as they were.
func (a *app) showRun(ctx context.Context, c *client.Client, s *client.EditSession, name string, shown int) error {
	r := ranEdit{Session: s, Changed: []client.BulkItem{}, Left: []client.BulkItem{}}
	run := client.NewestRun(s)
	if run == nil {
		return a.printEdit(s)
	}
	left := []string{client.ItemFailed}
	if takesBack(run) {
		left = append(left, client.ItemSkipped)
	}
	var err error
	if dry(run) {
		if r.Changed, err = firstOutcomes(ctx, c, s, shown, client.ItemUpdated); err != nil {
			return err
		}
	}
	if r.Left, err = firstOutcomes(ctx, c, s, shown, left...); err != nil {
		return err
	}
	if a.format != show.Table {
		return show.Encode(a.out, a.format, r)
	}
	if err := a.writeRun(&r, run, name); err != nil {
		return err
	}
	a.nextSteps(run, name)
	return nil
}

func dry(run *client.EditRun) bool { return run.DryRun || run.Kind == client.RunPreview }

// firstOutcomes are the first records of the newest run in one of the states.
func firstOutcomes(ctx context.Context, c *client.Client, s *client.EditSession, most int, states ...string) ([]client.BulkItem, error) {
	if most <= 0 {
		return []client.BulkItem{}, nil
	}
	page, err := c.EditResults(ctx, s.Session, client.InStates(states...), client.Limit(min(most, pageItems)))
	if err != nil {
		return nil, err
	}
	return page.Items, nil
}

func (a *app) writeRun(r *ranEdit, run *client.EditRun, name string) error {
	colour := show.Colour(a.out, a.env)
	w := &errWriter{w: a.out}
	w.print(show.Clean(editLine(r.Session)) + "\n")
	would := ""
	if dry(run) {
		would = "would be "
	}
	for _, item := range r.Changed {
		w.print(fmt.Sprintf("\n%s  %s\n", show.Paint(colour, show.Bold, show.Clean(item.ID)), tag(item.VersionBefore)))
		w.print(changesIn(&item, colour))
	}
	for i, item := range r.Left {
		if i == 0 || dry(run) {
			w.print("\n")
		}
		style, what := show.Red, would+"failed"
		if item.State == client.ItemSkipped {
			style, what = show.Yellow, would+"left"
		}
		w.print(fmt.Sprintf("%s  %s  %s: %s\n", show.Paint(colour, show.Bold, show.Clean(cmp.Or(item.ID, string(item.Key)))),
			show.Paint(colour, style, what), item.Code, show.Clean(item.Message)))
	}
	total := run.Counts.Failed
	if takesBack(run) {
		total += run.Counts.Skipped
	}
	if dry(run) {
		total += run.Counts.Updated
	}
	if more := total - min(total, uint64(len(r.Changed)+len(r.Left))); more > 0 {
		w.print(fmt.Sprintf("\n... and %s more: concord edit results %s\n", number(more), name))
	}
	return w.err
}

// nextSteps says what can be done after the run.
func (a *app) nextSteps(run *client.EditRun, name string) {
	switch {
	case run.Kind == client.RunPreview && run.State == client.BulkComplete && run.Counts.Updated > 0:
		a.sayf("nothing is written yet: concord edit apply %s --wait", name)
	case takesBack(run) && run.Counts.Skipped > 0 && run.OnConflict != "force":
		a.sayf("%s somebody else's changes: %s --on-conflict merge keeps them, with force it loses them",
			map[bool]string{true: "1 record has", false: number(run.Counts.Skipped) + " records have"}[run.Counts.Skipped == 1],
			again(run, name))
	}
}

// again is the command that takes up what a run has left. Another roll-back to the step before would go one step further back.
func again(run *client.EditRun, name string) string {
	switch {
	case run.DryRun:
		return "the same with"
	case run.Kind == client.RunRedo:
		return "concord edit redo " + name
	case run.To == nil || *run.To == 0:
		return "concord edit rollback " + name + " --to initial"
	default:
		return "concord edit rollback " + name + " --to " + strconv.FormatUint(uint64(*run.To), 10)
	}
}
