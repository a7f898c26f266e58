package editsession

import (
	"testing"

	"concord/actors/undo"
)

// TestStanding: where a session stands follows from its newest run and that one's task.
func TestStanding(t *testing.T) {
	done := Work{There: true, Total: 4, Updated: 4}
	open := Work{There: true, Open: true, Total: 4}
	cancelling := Work{There: true, Open: true, Cancelling: true, Total: 4, Updated: 1}
	cancelled := Work{There: true, Total: 4, Updated: 1, Cancelled: 3}
	some := Work{There: true, Total: 4, Updated: 3, Failed: 1}
	none := Work{There: true, Total: 4, Failed: 4}
	skipped := Work{There: true, Total: 4, Updated: 3, Skipped: 1}
	gone := Work{There: true, Total: 4, Updated: 4, Gone: true}
	step := []Command{opened(), run(Apply, "t1")}
	back := []Command{opened(), run(Apply, "t1"), rollback("t2", 0, 0)}
	forth := []Command{opened(), run(Apply, "t1"), rollback("t2", 0, 0), redo("t3", 2)}
	dry := rollback("t2", 0, 0)
	dry.Run.DryRun = true
	nothing := []Command{opened(), run(Apply, "t1"), rollback("", 0, 0)}
	for name, row := range map[string]struct {
		given      []Command
		work       map[string]Work
		want       Standing
		back, redo bool
	}{
		"fresh":                                 {given: []Command{opened()}, want: Ready},
		"a preview that is about to be made":    {given: []Command{opened(), run(Preview, "t1")}, want: Previewing},
		"a preview at work":                     {given: []Command{opened(), run(Preview, "t1")}, work: map[string]Work{"t1": open}, want: Previewing},
		"a preview":                             {given: []Command{opened(), run(Preview, "t1")}, work: map[string]Work{"t1": done}, want: Review},
		"a step that is about to be made":       {given: step, want: Applying, back: true},
		"a step at work":                        {given: step, work: map[string]Work{"t1": open}, want: Applying, back: true},
		"a step that is being cancelled":        {given: step, work: map[string]Work{"t1": cancelling}, want: Cancelling, back: true},
		"a step that was cancelled":             {given: step, work: map[string]Work{"t1": cancelled}, want: Cancelled, back: true},
		"a step":                                {given: step, work: map[string]Work{"t1": done}, want: Completed, back: true},
		"a step that skipped some":              {given: step, work: map[string]Work{"t1": skipped}, want: Completed, back: true},
		"a step that failed for some":           {given: step, work: map[string]Work{"t1": some}, want: CompletedWithErrors, back: true},
		"a step that failed":                    {given: step, work: map[string]Work{"t1": none}, want: Failed},
		"a step of which nothing is known":      {given: step, work: map[string]Work{"t1": gone}, want: Completed},
		"a step and a preview of a next":        {given: append(step[:2:2], run(Preview, "t2")), work: map[string]Work{"t1": done, "t2": done}, want: Review, back: true},
		"a step and a dry run of its roll-back": {given: append(step[:2:2], dry), work: map[string]Work{"t1": done, "t2": open}, want: Previewing, back: true},
		"a roll-back at work":                   {given: back, work: map[string]Work{"t1": done, "t2": open}, want: RollingBack},
		"a roll-back":                           {given: back, work: map[string]Work{"t1": done, "t2": done}, want: RolledBack, redo: true},
		"a roll-back of nothing":                {given: nothing, work: map[string]Work{"t1": none}, want: RolledBack},
		"a roll-back that has left some":        {given: back, work: map[string]Work{"t1": done, "t2": skipped}, want: RolledBackWithConflicts, back: true, redo: true},
		"a roll-back that was cancelled":        {given: back, work: map[string]Work{"t1": done, "t2": cancelled}, want: RolledBackWithConflicts, back: true, redo: true},
		"a redo at work":                        {given: forth, work: map[string]Work{"t1": done, "t2": done, "t3": open}, want: RollingBack},
		"a redo":                                {given: forth, work: map[string]Work{"t1": done, "t2": done, "t3": done}, want: Completed, back: true},
		"a redo that has left some":             {given: forth, work: map[string]Work{"t1": done, "t2": done, "t3": skipped}, want: CompletedWithErrors, back: true, redo: true},
		"a session that is closed":              {given: append(step[:2:2], &Close{}), work: map[string]Work{"t1": done}, want: StandsClosed},
	} {
		t.Run(name, func(t *testing.T) {
			s := after(t, row.given...)
			works := Works(func(r *Run) Work { return row.work[r.Task] })
			if got := s.Stands(works); got != row.want || s.Message(works) == "" {
				t.Errorf("it is %s (%q), want %s", got, s.Message(works), row.want)
			}
			if got := s.RollbackAvailable(works); got != row.back {
				t.Errorf("it can be rolled back: %v", got)
			}
			if got := s.RedoAvailable(works); got != row.redo {
				t.Errorf("it can be redone: %v", got)
			}
			_, err := s.Plan(Target{Previous: true}, undo.Skip)
			_, errInitial := s.Plan(Target{Initial: true}, undo.Skip)
			if row.back && err != nil && errInitial != nil {
				t.Errorf("it can be rolled back, but: %v; %v", err, errInitial)
			}
		})
	}
}
