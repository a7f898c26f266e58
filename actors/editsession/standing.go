package editsession

import (
	"fmt"
	"slices"

	"concord/actors/undo"
)

// Work is what is known of the task of a run, at one moment. The zero value is that of a task that is not there yet.
type Work struct {
	There      bool
	Open       bool // it has not ended
	Cancelling bool // it is open, and will not go on
	Gone       bool // its list and outcomes are gone
	Total      uint64
	Updated    uint64
	Skipped    uint64
	Failed     uint64
	Cancelled  uint64 // items that it has left, since it was cancelled
}

// Left is how many records a roll-back or a redo has not done.
func (w *Work) Left() uint64 { return w.Skipped + w.Failed + w.Cancelled }

// Works tells of the task of a run. That of a run without a task has ended at once, with nothing to be done.
type Works func(run *Run) Work

func (f Works) of(run *Run) Work {
	if run.Task == "" {
		return Work{There: true}
	}
	w := f(run)
	if !w.There {
		w.Open = true // it is about to be made
	}
	return w
}

// Busy says that the newest run has not ended.
func (s *State) Busy(works Works) bool {
	newest, some := s.Newest()
	if !some {
		return false
	}
	w := works.of(&newest)
	return w.Open
}

// Stands is where the session stands: of a closed one that it is closed.
func (s *State) Stands(works Works) Standing {
	newest, some := s.Newest()
	switch {
	case s.Status == Closed:
		return StandsClosed
	case !some:
		return Ready
	}
	w := works.of(&newest)
	switch {
	case newest.Dry() && w.Open:
		return Previewing
	case newest.Dry():
		return Review
	case newest.Kind == Apply:
		return w.applied()
	case w.Open:
		return RollingBack
	case newest.Kind == Redo && w.Left() > 0:
		return CompletedWithErrors
	case newest.Kind == Redo:
		return Completed
	case w.Left() > 0:
		return RolledBackWithConflicts
	}
	return RolledBack
}

// applied is where a session stands whose newest run is a step.
func (w *Work) applied() Standing {
	switch {
	case w.Open && w.Cancelling:
		return Cancelling
	case w.Open:
		return Applying
	case w.Cancelled > 0:
		return Cancelled
	case w.Failed == 0:
		return Completed
	case w.Failed == w.Total:
		return Failed
	}
	return CompletedWithErrors
}

// RollbackAvailable says that there is something that can be taken back: now, or once the step or the preview that is at work
// is stopped, which a roll-back does.
func (s *State) RollbackAvailable(works Works) bool {
	if s.Status != Opened || s.Stands(works) == RollingBack {
		return false
	}
	done, some := s.Done()
	if !some {
		return false
	}
	if done.Kind != Apply {
		if w := works.of(&done); done.Kind == Rollback && w.Left() > 0 && !w.Gone && s.leads(Target{Initial: done.To == 0, Step: done.To}) {
			return true // what it has left
		}
	}
	return s.leads(Target{Previous: true}) && s.wrote(works)
}

func (s *State) leads(t Target) bool {
	_, err := s.Plan(t, undo.Skip)
	return err == nil
}

// wrote says that a step that is in effect has written something, or is at work, and that it is known what. Where the newest
// step alone is kept, only that one counts.
func (s *State) wrote(works Works) bool {
	since := s.kept()[0].run
	for i := range s.Runs {
		r := &s.Runs[i]
		if r.Kind != Apply || r.Number <= since || !slices.Contains(s.Path, r.Step) {
			continue
		}
		if w := works.of(r); (w.Updated > 0 || w.Open) && !w.Gone {
			return true
		}
	}
	return false
}

// RedoAvailable says that a redo has something to do.
func (s *State) RedoAvailable(works Works) bool {
	done, some := s.Done()
	if s.Status != Opened || !some || s.Busy(works) {
		return false
	}
	w := works.of(&done)
	plan, err := s.PlanRedo(undo.Skip, w.Left() > 0, 0)
	if err != nil {
		return false
	}
	for i := range s.Runs {
		if r := &s.Runs[i]; r.Number == plan.Of {
			back := works.of(r)
			return back.Updated > 0 && !back.Gone
		}
	}
	return false
}

// Message says in a sentence how the session stands.
func (s *State) Message(works Works) string {
	c := &s.Counts
	at := "at its start"
	if n := len(s.Path); n > 0 {
		at = fmt.Sprintf("at the end of step %d", s.Path[n-1])
	}
	switch stands := s.Stands(works); stands {
	case Ready:
		return fmt.Sprintf("%d of %d record(s) are matched: ready for a first step.", c.Matched, c.Total())
	case Previewing:
		return "A preview is being made."
	case Review:
		return "The preview is there to be looked at; the session is " + at + "."
	case Applying:
		return "A step is being applied."
	case Cancelling:
		return "The step is being cancelled."
	case RollingBack:
		return "Steps are being taken back, or brought back."
	case StandsClosed:
		return "The session is closed " + at + ": nothing can be taken back any more."
	case Cancelled:
		return "The step was cancelled; what it has done stays until it is taken back."
	case Failed:
		return "The step has failed for every record."
	case Completed:
		return "Done: the session is " + at + "."
	case CompletedWithErrors:
		return "Done, but not for every record: the session is " + at + "."
	case RolledBack:
		return "Rolled back: the session is " + at + "."
	case RolledBackWithConflicts:
		return "Rolled back, but not every record: the session is " + at + "."
	}
	return ""
}
