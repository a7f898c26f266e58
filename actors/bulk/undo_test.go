package bulk

import (
	"testing"
	"time"

	"concord/actors/undo"
)

// undoing is a task that takes back what was written of two collections.
func undoing(change func(*Accept)) *Accept {
	c := accepted(0)
	c.Task.UndoOf = "t"
	for i := range c.Rows {
		c.Rows[i].Undo = []undo.Span{{Before: 1, After: 2}, {Before: 4, After: 6}}
	}
	if change != nil {
		change(c)
	}
	return c
}

// TestATaskThatTakesBack says which, and what it does in case of a conflict; its rows say which versions.
func TestATaskThatTakesBack(t *testing.T) {
	for chosen, want := range map[undo.OnConflict]undo.OnConflict{"": undo.Skip, undo.Skip: undo.Skip, undo.Force: undo.Force, undo.Merge: undo.Merge} {
		last := undoing(func(c *Accept) { c.Task.OnConflict, c.Chunks, c.Number = chosen, 1, 1 })
		first := &Stage{PerChunk: 2, Rows: last.Rows}
		if got := after(t, first, last); got.UndoOf != "t" || got.OnConflict != want || got.Total != 4 {
			t.Errorf("with %q: %+v", chosen, got)
		}
	}
	s := after(t, accepted(0), &Undone{By: "u"}, &Undone{By: "v"})
	if s.UndoneBy != "v" || s.Status != Accepted {
		t.Errorf("%+v is not known to be taken back by the newest", s)
	}
}

// TestWhatCanBeTakenBack is told beforehand, and until when.
func TestWhatCanBeTakenBack(t *testing.T) {
	until := noon.Add(time.Hour)
	done := State{Status: Complete, Counts: Counts{Updated: 1}, Pinned: until}
	with := func(change func(*State)) State {
		s := done
		change(&s)
		return s
	}
	for name, row := range map[string]struct {
		task State
		at   time.Time
		want bool
	}{
		"what was updated, while it is kept":   {done, noon, true},
		"what was updated, to the last moment": {done, until.Add(-1), true},
		"after that":                           {done, until, false},
		"what is being updated":                {with(func(s *State) { s.Status = InProgress }), noon, true},
		"what will be updated":                 {with(func(s *State) { s.Status, s.Counts = Accepted, Counts{Pending: 1} }), noon, true},
		"what was updated before the end":      {with(func(s *State) { s.Status = PartiallyCancelled }), noon, true},
		"a roll-back":                          {with(func(s *State) { s.UndoOf = "t" }), noon, true},
		"nothing":                              {with(func(s *State) { s.Counts = Counts{Unchanged: 1, Failed: 1} }), noon, false},
		"a dry run":                            {with(func(s *State) { s.DryRun = true }), noon, false},
		"what nothing is kept for":             {with(func(s *State) { s.Pinned = time.Time{} }), noon, false},
		"what was taken back already":          {with(func(s *State) { s.UndoneBy = "u" }), noon, false},
		"a run of a session":                   {with(func(s *State) { s.Session, s.Run = "s", 1 }), noon, false},
	} {
		shown := row.task.Show("p", "t", 1, row.at)
		if shown.RollbackAvailable != row.want {
			t.Errorf("%s: available is %v", name, shown.RollbackAvailable)
		}
		if told := shown.RollbackUntil != nil; told != (!row.task.DryRun && !row.task.Pinned.IsZero()) {
			t.Errorf("%s: until %v", name, shown.RollbackUntil)
		}
	}
}
