package editsession_test

import (
	"testing"

	"concord/actors/editsession"
)

// What a session holds of what its runs have replaced: runs are told as kinds, numbered from 1.
func TestHolds(t *testing.T) {
	const (
		step     = editsession.Apply
		rollback = editsession.Rollback
		redo     = editsession.Redo
	)
	for name, row := range map[string]struct {
		status editsession.Status
		keep   string
		runs   []editsession.RunKind
		holds  []uint32
	}{
		"an open session holds all":                        {editsession.Opened, editsession.KeepAll, []editsession.RunKind{step, step, rollback, redo}, []uint32{1, 2, 3, 4}},
		"so does one that does not say what it keeps":      {editsession.Opened, "", []editsession.RunKind{step, step}, []uint32{1, 2}},
		"a closed session holds nothing":                   {editsession.Closed, editsession.KeepAll, []editsession.RunKind{step, step}, nil},
		"an expired one neither":                           {editsession.Expired, editsession.KeepAll, []editsession.RunKind{step}, nil},
		"nor one that never was":                           {"", "", []editsession.RunKind{step}, nil},
		"keep previous: the only step":                     {editsession.Opened, editsession.KeepPrevious, []editsession.RunKind{step}, []uint32{1}},
		"keep previous: the newest of several":             {editsession.Opened, editsession.KeepPrevious, []editsession.RunKind{step, step, step}, []uint32{3}},
		"keep previous: what takes the newest step back":   {editsession.Opened, editsession.KeepPrevious, []editsession.RunKind{step, step, rollback}, []uint32{2, 3}},
		"keep previous: and the redo of that":              {editsession.Opened, editsession.KeepPrevious, []editsession.RunKind{step, step, rollback, redo}, []uint32{2, 3, 4}},
		"keep previous: a new step after a roll-back":      {editsession.Opened, editsession.KeepPrevious, []editsession.RunKind{step, rollback, step}, []uint32{3}},
		"keep previous: a preview lets go of nothing":      {editsession.Opened, editsession.KeepPrevious, []editsession.RunKind{step, editsession.Preview}, []uint32{1, 2}},
		"keep previous: of a session that has no step yet": {editsession.Opened, editsession.KeepPrevious, []editsession.RunKind{editsession.Preview}, []uint32{1}},
	} {
		t.Run(name, func(t *testing.T) {
			s := editsession.State{Status: row.status, Keep: row.keep}
			for i, kind := range row.runs {
				s.Runs = append(s.Runs, editsession.Run{Number: uint32(i + 1), Kind: kind})
			}
			next := 0
			for i := range row.runs {
				run := uint32(i + 1)
				want := next < len(row.holds) && row.holds[next] == run
				if want {
					next++
				}
				if s.Holds(run) != want {
					t.Errorf("run %d: holds %v", run, s.Holds(run))
				}
			}
		})
	}
}

// The numbers of runs have gaps where one was aborted, or a preview replaced.
func TestHoldsGoesByNumbers(t *testing.T) {
	s := editsession.State{Status: editsession.Opened, Keep: editsession.KeepPrevious,
		Runs: []editsession.Run{{Number: 3, Kind: editsession.Apply}, {Number: 8, Kind: editsession.Apply}, {Number: 9, Kind: editsession.Rollback}}}
	for run, want := range map[uint32]bool{3: false, 7: false, 8: true, 9: true} {
		if s.Holds(run) != want {
			t.Errorf("run %d: holds %v", run, s.Holds(run))
		}
	}
	if newest, ok := s.NewestStep(); !ok || newest.Number != 8 {
		t.Errorf("newest step: %+v, %v", newest, ok)
	}
}
