package editsession

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"concord/actors/problem"
	"concord/actors/undo"
	"concord/internal/planted"
)

// Target is what a roll-back goes back to.
type Target struct {
	Initial, Previous bool
	Step              uint32 // neither: the end of this step
}

// moment is the end of a run, and the steps that were in effect then. The first one is the start, and has the number 0.
type moment struct {
	run  uint32
	path []uint32
}

// moments are those that the session can go back to, oldest first; the last one is now. A redo makes the session what it was
// before the roll-back that it takes back: what was between the two is no moment any more.
func (s *State) moments() []moment {
	list := []moment{{}}
	for i := range s.Runs {
		r := &s.Runs[i]
		if r.Dry() {
			continue
		}
		path := list[len(list)-1].path
		switch r.Kind {
		case Apply:
			path = append(slices.Clone(path), r.Step)
		case Rollback:
			path = path[:slices.Index(path, r.To)+1]
		case Redo:
			list = list[:max(slices.IndexFunc(list, func(m moment) bool { return m.run >= r.Of }), 1)]
			path = list[len(list)-1].path
		case Preview:
		}
		list = append(list, moment{r.Number, path})
	}
	return list
}

// kept are the moments that nothing was let go of since.
func (s *State) kept() []moment {
	list := s.moments()
	if s.Keep != KeepPrevious {
		return list
	}
	newest, some := s.NewestStep()
	if at := slices.IndexFunc(list, func(m moment) bool { return m.run >= newest.Number }); some && at > 0 {
		list = list[at-1:]
	}
	return list
}

// path are the steps that are in effect by the runs.
func (s *State) path() []uint32 {
	list := s.moments()
	return slices.Clone(list[len(list)-1].path)
}

// cannot refuses what cannot be undone.
func cannot(format string, args ...any) *problem.Problem {
	return problem.New(problem.CannotUndo, format, args...)
}

// Plan works out a roll-back of a session: where it leads (Run.To, Run.Mark), and refuses what can not be: a step that is not
// in effect, nothing to go back from, what KeepPrevious has let go (cannot-undo). A roll-back to where the session is already
// is for what an earlier one has left.
//
// There may be several moments with the same steps in effect: the end of a step, and that of a roll-back to it. Between them stands
// what that roll-back has left, in records that others have written: steps that are not in effect. Skip and Merge go back to the
// last such moment: they would leave those records again, and with them what has been done to them since, which they can take off.
// Force leaves nothing, so it goes back to the first one, and the records are then what the steps in effect have made of them; under
// KeepPrevious the first one that is kept.
func (s *State) Plan(t Target, c undo.OnConflict) (Run, error) {
	if s.Status == Closed {
		return Run{}, cannot("the session is closed: what it kept to be taken back is released")
	}
	to, err := s.target(t)
	if err != nil {
		return Run{}, err
	}
	run := Run{Kind: Rollback, OnConflict: c}
	if len(to) > 0 {
		run.To = to[len(to)-1]
	}
	kept := s.kept()
	there := func(m moment) bool { return slices.Equal(m.path, to) }
	at := slices.IndexFunc(kept, there)
	if len(to) < len(s.Path) && c != undo.Force { // else the first one, so that what is left since is taken up
		for i := range kept {
			if there(kept[i]) {
				at = i
			}
		}
	}
	switch at {
	case -1:
		return Run{}, cannot("the session keeps its newest step alone: what was before it cannot be gone back to")
	case len(kept) - 1:
		return Run{}, cannot("the session is there already: there is nothing to be taken back")
	}
	run.Mark = kept[at].run
	return run, nil
}

// target are the steps that are in effect once a roll-back has led there.
func (s *State) target(t Target) ([]uint32, error) {
	switch {
	case t.Initial:
		return nil, nil
	case t.Previous && len(s.Path) == 0:
		return nil, cannot("no step is in effect: there is nothing to be taken back")
	case t.Previous && planted.WrongMark:
		return s.Path[:max(len(s.Path)-2, 0)], nil
	case t.Previous:
		return s.Path[:len(s.Path)-1], nil
	}
	at := slices.Index(s.Path, t.Step)
	if at < 0 {
		return nil, cannot("step %d is not in effect", t.Step).With("path", s.Path)
	}
	return s.Path[:at+1], nil
}

// undone are the numbers of the roll-backs that can be redone, the newest last. A step ends that.
func (s *State) undone() (stack []uint32) {
	for i := range s.Runs {
		r := &s.Runs[i]
		switch {
		case r.Dry():
		case r.Kind == Apply:
			stack = nil
		case r.Kind == Rollback:
			stack = append(stack, r.Number)
		case r.Kind == Redo:
			stack = slices.DeleteFunc(stack, func(n uint32) bool { return n == r.Of })
		}
	}
	return stack
}

// PlanRedo works out a redo of a roll-back: of the newest that was not redone, or, if the newest redo has left some records, of
// the one that this was about. Where there are both, a redo can name which (of: the number of its run); 0 is what was left.
// cannot-undo if there is none, and with what can be named if that is none of them.
func (s *State) PlanRedo(c undo.OnConflict, left bool, of uint32) (Run, error) {
	run := Run{Kind: Redo, OnConflict: c}
	if s.Status == Closed {
		return run, cannot("the session is closed: what it kept to be taken back is released")
	}
	can := s.redoable(left)
	switch {
	case len(can) == 0:
		return run, cannot("no roll-back can be redone: there was none, or a step came after it")
	case of != 0 && !slices.Contains(can, of):
		return run, cannot("run %d cannot be redone now; what can be is run %s", of, strings.Trim(strings.ReplaceAll(fmt.Sprint(can), " ", " or "), "[]")).
			With("of", can)
	}
	run.Of = cmp.Or(of, can[0])
	return run, nil
}

// redoable are the roll-backs that a redo can be of: the one of which the newest redo has left some, and the newest that was not
// redone.
func (s *State) redoable(left bool) (can []uint32) {
	if done, ok := s.Done(); ok && done.Kind == Redo && left {
		can = append(can, done.Of)
	}
	if stack := s.undone(); len(stack) > 0 {
		can = append(can, stack[len(stack)-1])
	}
	return can
}
