package authority

import "concord/actors/problem"

// Undoable says that the version which the change takes back is the newest, and that something is left of the authority: nil,
// or a refusal that says what is in the way.
func (c *Put) Undoable(s *State) error {
	switch {
	case c.Undoes == 0:
		return nil
	case c.Undoes != s.Version:
		return problem.New(problem.VersionConflict, "the authority %s has changed again since: its version was %d, and is %d now",
			s.ID, c.Undoes, s.Version).With("currentVersion", s.Version).With("propagation", s.Job)
	case s.Purged():
		return problem.New(problem.CannotUndo, "the authority %s is gone for good", s.ID)
	}
	return nil
}
