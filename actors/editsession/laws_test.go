package editsession

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"concord/actors/undo"
)

// TestRowsAreThoseOfTheLastUpload: at each step the rows, the counters, the parts and the entries are those of dumb lists,
// repeats change nothing, and what the log gives alone is what the commit has made.
func TestRowsAreThoseOfTheLastUpload(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		const perChunk = 2
		rarely := func(do func()) {
			if rapid.IntRange(0, 4).Draw(t, "rarely") == 0 {
				do()
			}
		}
		stage := func(number uint32) {
			c := &Stage{List: w.state.List + 1, Number: number, PerChunk: perChunk, Rows: w.draw(perChunk)}
			if w.state.unopened() {
				c.List, c.Number = 1, 0
			}
			staged := w.state.Staged.Chunks
			if w.do(c) != nil {
				return
			}
			switch c.Number {
			case 0:
				w.staged = c.Rows
			case staged:
				w.staged = append(w.staged, c.Rows...)
			}
		}
		last := func() (chunks uint32, s Stage) {
			if w.state.unopened() {
				return 0, Stage{List: 1, PerChunk: perChunk, Rows: w.draw(1)}
			}
			if rapid.IntRange(0, 3).Draw(t, "another attempt") == 0 {
				return 0, Stage{List: w.state.List + 1, PerChunk: perChunk, Rows: w.draw(rapid.IntRange(0, perChunk).Draw(t, "last"))}
			}
			return w.state.Staged.Chunks, Stage{List: w.state.List + 1, Number: w.state.Staged.Chunks, PerChunk: perChunk,
				Rows: w.draw(rapid.IntRange(0, perChunk).Draw(t, "last"))}
		}
		taken := func(again bool, s *Stage) {
			if again {
				w.staged = nil
			}
			w.rows, w.staged = append(slices.Clone(w.staged), s.Rows...), nil
		}
		t.Repeat(map[string]func(*rapid.T){
			"stage":  func(*rapid.T) { stage(w.state.Staged.Chunks) },
			"anew":   func(*rapid.T) { rarely(func() { stage(0) }) },
			"resent": func(*rapid.T) { stage(w.state.Staged.Chunks - min(w.state.Staged.Chunks, 1)) },
			"open": func(*rapid.T) {
				was, gone := w.state.Status, w.state.unopened()
				chunks, s := last()
				c := &Open{Session: State{Name: "n", From: FromIDs, Keep: KeepAll, Retention: time.Hour}, Lifetime: 10 * time.Hour, Chunks: chunks, Stage: s}
				if w.do(c) == nil && (!was.Shown()) {
					taken(gone || chunks == 0, &s)
				}
			},
			"match": func(*rapid.T) {
				chunks, s := last()
				list := w.state.List
				if w.do(&Match{From: FromUpload, By: []string{"/metadata/a"}, Chunks: chunks, Stage: s}) == nil && w.state.List > list {
					taken(chunks == 0, &s)
				}
			},
			"begin": func(*rapid.T) {
				kind := rapid.SampledFrom([]RunKind{Preview, Preview, Preview, Apply}).Draw(t, "kind")
				newest, _ := w.state.Newest()
				_ = w.do(&Begin{Run: Run{Kind: kind, Task: fmt.Sprint("t", w.seq)}, After: newest.Number})
			},
			"discard": func(*rapid.T) {
				rarely(func() {
					list := w.state.List + 1
					if w.do(&Discard{List: list}) == nil {
						w.staged = nil
					}
				})
			},
			"close": func(*rapid.T) {
				rarely(func() {
					if w.do(&Close{}) == nil {
						w.staged = nil
					}
				})
			},
			"timer": func(*rapid.T) {
				rarely(func() {
					was := w.state.Status
					if w.timer.After(w.now) {
						w.now = w.timer
					}
					due := w.timer
					if was == "" || due.IsZero() {
						return
					}
					if err := w.do(&Expire{Due: due}); err != nil {
						t.Fatalf("the timer of a session that was %s: %v", was, err)
					}
					if w.staged = nil; w.state.Status == Expired {
						w.rows = nil
					}
				})
			},
			"": func(*rapid.T) { w.now = w.now.Add(time.Millisecond); w.check() },
		})
	})
}

// stack is a dumb model of what runs do: the steps in effect, and the paths that can be brought back.
type stack struct {
	path []uint32
	redo []back

	ends    map[uint32]uint32    // of steps: the runs that applied them
	entries []entryOf            // of a record that takes part in everything, by the rule of undo.Trail: a roll-back takes what came after its mark
	taken   map[uint32][]entryOf // by roll-backs
}

// back is a roll-back that can be redone, and the steps that were in effect before it.
type back struct {
	run  uint32
	path []uint32
}

type entryOf struct{ run, step uint32 }

// tops is the newest roll-back that can be redone.
func (m *stack) tops() (list []uint32) {
	if n := len(m.redo); n > 0 {
		list = append(list, m.redo[n-1].run)
	}
	return list
}

func (m *stack) did(r Run) {
	switch r.Kind {
	case Apply:
		m.path, m.redo, m.ends[r.Step] = append(slices.Clone(m.path), r.Step), nil, r.Number
		m.entries = append(slices.Clone(m.entries), entryOf{r.Number, r.Step})
	case Rollback:
		m.redo = append(m.redo, back{r.Number, m.path})
		m.path = m.path[:slices.Index(m.path, r.To)+1]
		at := slices.IndexFunc(m.entries, func(e entryOf) bool { return e.run > r.Mark })
		if at < 0 {
			at = len(m.entries)
		}
		m.taken[r.Number] = m.entries[at:]
		m.entries = m.entries[:at:at]
	case Redo:
		if len(m.redo) == 0 || m.redo[len(m.redo)-1].run != r.Of {
			return // of what an earlier one has left: this record was not left
		}
		m.path, m.redo = m.redo[len(m.redo)-1].path, m.redo[:len(m.redo)-1]
		m.entries = append(slices.Clone(m.entries), m.taken[r.Of]...)
	}
}

// TestRunsLeadWhereAStackLeads: whatever is applied, rolled back and redone, the steps in effect are those of a stack; what
// came after the mark of a roll-back is what leads there; dry runs and what was aborted change nothing; and where the newest
// step alone is kept, nothing older is ever taken back.
func TestRunsLeadWhereAStackLeads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld(t)
		keep := rapid.SampledFrom([]string{KeepAll, KeepAll, KeepPrevious}).Draw(t, "keep")
		if err := w.do(&Open{Session: State{From: FromIDs, Keep: keep}, Lifetime: time.Hour,
			Stage: Stage{List: 1, PerChunk: 1, Rows: []Row{{Collection: "c", State: Matched}}}}); err != nil {
			t.Fatal(err)
		}
		m := &stack{taken: make(map[uint32][]entryOf), ends: make(map[uint32]uint32)}
		newestStep := uint32(0)
		begin := func(run Run) {
			newest, _ := w.state.Newest()
			run.Task = fmt.Sprint("t", w.seq)
			before := w.state
			if err := w.do(&Begin{Run: run, After: newest.Number}); err != nil {
				if done, _ := w.state.Done(); run.Kind == Apply && done.Number >= StepsMax {
					return
				}
				t.Fatalf("%+v: %v", run, err)
			}
			began, _ := w.state.Newest()
			if rapid.IntRange(0, 4).Draw(t, "abort") == 0 {
				if err := w.do(&Abort{Run: began.Number}); err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(w.state.Path, before.Path) || !slices.Equal(w.state.Told(), before.Told()) {
					t.Fatalf("%+v was aborted, and left %+v of %+v", began, w.state, before)
				}
				return
			}
			if began.Dry() {
				return
			}
			if began.Kind == Apply {
				newestStep = began.Number
			}
			if keep == KeepPrevious && began.Kind == Rollback {
				for _, e := range m.entries {
					if e.run > began.Mark && e.run < newestStep {
						t.Fatalf("%+v takes back run %d, and the newest step is run %d", began, e.run, newestStep)
					}
				}
			}
			m.did(began)
		}
		t.Repeat(map[string]func(*rapid.T){
			"preview": func(*rapid.T) { begin(Run{Kind: Preview}) },
			"apply":   func(*rapid.T) { begin(Run{Kind: Apply}) },
			"rollback": func(*rapid.T) {
				target := Target{Previous: true}
				switch rapid.IntRange(0, 3).Draw(t, "target") {
				case 0:
					target = Target{Initial: true}
				case 1:
					target = Target{Step: rapid.Uint32Range(1, 6).Draw(t, "step")}
				}
				policy := rapid.SampledFrom(undo.Choices).Draw(t, "onConflict")
				run, err := w.state.Plan(target, policy)
				if err != nil {
					if keep == KeepAll && target.Previous && len(m.path) > 0 || keep == KeepAll && target.Initial && len(m.path) > 0 {
						t.Fatalf("%+v from %v: %v", target, m.path, err)
					}
					return
				}
				if target.Step > 0 && !slices.Contains(m.path, target.Step) {
					t.Fatalf("step %d is taken for one of %v", target.Step, m.path)
				}
				if policy == undo.Force && keep == KeepAll && run.Mark != m.ends[run.To] {
					t.Fatalf("%+v from %v: a forced roll-back leaves what came after run %d", run, m.path, m.ends[run.To])
				}
				run.DryRun = rapid.IntRange(0, 3).Draw(t, "dryRun") == 0
				begin(run)
			},
			"redo": func(*rapid.T) {
				if done, ok := w.state.Done(); ok && done.Kind == Redo && rapid.Bool().Draw(t, "left") {
					named := rapid.SampledFrom(append(m.tops(), 0, done.Of)).Draw(t, "of")
					run, err := w.state.PlanRedo(undo.Merge, true, named)
					if err != nil || run.Of != cmp.Or(named, done.Of) {
						t.Fatalf("redo what %+v has left, or %d: %+v, %v", done, named, run, err)
					}
					begin(run)
					return
				}
				if wrong := rapid.Uint32Range(1, w.state.Numbered+1).Draw(t, "wrong"); !slices.Contains(m.tops(), wrong) {
					if run, err := w.state.PlanRedo(undo.Merge, false, wrong); err == nil {
						t.Fatalf("a redo of run %d, where %v can be: %+v", wrong, m.tops(), run)
					}
				}
				run, err := w.state.PlanRedo(undo.Merge, false, 0)
				if (err == nil) != (len(m.redo) > 0) {
					t.Fatalf("redo with %d to be redone: %v", len(m.redo), err)
				}
				if err == nil {
					begin(run)
				}
			},
			"": func(*rapid.T) {
				var of []uint32
				for _, e := range m.entries {
					of = append(of, e.step)
				}
				if !slices.Equal(w.state.Path, m.path) || !slices.Equal(of, m.path) {
					t.Fatalf("%v are in effect, by the stack %v, of a record %v", w.state.Path, m.path, of)
				}
			},
		})
	})
}
