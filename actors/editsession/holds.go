package editsession

// Holds says whether what the run has replaced is still kept, so that it can be taken back. What is let go of is so for ever, but
// for one case: a step that lets go of what was before it (KeepPrevious) may yet be aborted, as long as its task was not made.
// Whoever removes what is kept looks at NewestStep for that.
func (s *State) Holds(run uint32) bool {
	if s.Status != Opened {
		return false
	}
	if s.Keep != KeepPrevious {
		return true
	}
	newest, ok := s.NewestStep()
	return !ok || run >= newest.Number
}

// NewestStep is the run that was the newest step, also if it has been taken back since: what is before it stays let go of, and a
// redo needs what it has replaced. ok is false if there was no step.
func (s *State) NewestStep() (newest Run, ok bool) {
	for i := range s.Runs {
		if s.Runs[i].Kind == Apply {
			newest, ok = s.Runs[i], true
		}
	}
	return newest, ok
}
