package jobs

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"concord/actors/bulk"
	"concord/persistence"
)

func TestAListHasWhatWasAddedAndNothingElse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-d]{0,3}`)
		added := rapid.SliceOf(name).Draw(t, "added")
		var o order
		for _, n := range added {
			o = o.add(n)
		}
		o.sort()
		for _, n := range append(rapid.SliceOf(name).Draw(t, "others"), added...) {
			if o.has(n) != slices.Contains(added, n) {
				t.Fatalf("%q: the list says %v", n, o.has(n))
			}
		}
	})
}

func TestTheRoomOfListsIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var r orderRoom
		r.left.Store(100)
		var taken []int
		sum := 0
		for range 50 {
			if len(taken) > 0 && rapid.Bool().Draw(t, "give") {
				r.give(taken[0])
				sum -= taken[0]
				taken = taken[1:]
			}
			n := rapid.IntRange(0, 60).Draw(t, "items")
			if got := r.take(n); got != (sum+n <= 100) {
				t.Fatalf("%d more beside %d: %v", n, sum, got)
			} else if got {
				taken, sum = append(taken, n), sum+n
			}
		}
	})
}

// TestTasksKeepTheirOrderWhateverHappens has tasks on collections that overlap, while people lock and unlock them, pause, resume
// and cancel tasks, and the driver dies and starts anew at any moment. Each collection sees the tasks in the order of their
// numbers, each task at most once, and each item ends with the outcome that is true.
func TestTasksKeepTheirOrderWhateverHappens(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		steps := rapid.SliceOfN(rapid.Custom(drawStep), 1, 40).Draw(rt, "steps")
		faults := faults{TB: t}
		synctest.Test(t, func(*testing.T) {
			s := stormy{world: newTaskWorld(&faults), settings: TaskSettings{Window: 3, TasksAtOnce: 1}, patience: 3 * waitingRetryEvery}
			s.run(steps)
		})
		if len(faults.list) > 0 {
			rt.Fatal(strings.Join(faults.list, "\n"))
		}
	})
}

// faults gathers what is wrong in a bubble.
type faults struct {
	testing.TB
	mu   sync.Mutex
	list []string
}

func (f *faults) Errorf(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.list = append(f.list, fmt.Sprintf(format, args...))
}
func (f *faults) Fatalf(format string, args ...any) { f.Errorf(format, args...) }
func (f *faults) Fatal(args ...any)                 { f.Errorf("%s", fmt.Sprint(args...)) }

// step is one thing that happens, and how long nothing else does.
type step struct {
	What, Shelf, To, Task, In int
	Flag                      bool
	Rest                      time.Duration
}

// What happens.
const (
	stepAccept = iota
	stepImpatient
	stepLock
	stepUnlock
	stepBusy
	stepPause
	stepResume
	stepCancel
	stepDie
	stepRestart
	stepRefuse
)

func drawStep(t *rapid.T) step {
	return step{What: rapid.SampledFrom([]int{stepAccept, stepAccept, stepAccept, stepImpatient, stepLock, stepLock, stepUnlock, stepBusy,
		stepPause, stepPause, stepResume, stepResume, stepCancel, stepDie, stepRestart, stepRefuse}).Draw(t, "what"),
		Shelf: rapid.IntRange(0, 9).Draw(t, "shelf"), To: rapid.IntRange(1, 6).Draw(t, "to"), Task: rapid.IntRange(0, 3).Draw(t, "task"),
		In: rapid.IntRange(1, 25).Draw(t, "in"), Flag: rapid.Bool().Draw(t, "flag"),
		Rest: time.Duration(rapid.SampledFrom([]int{0, 0, 1, 2, 5, 120}).Draw(t, "rest")) * time.Millisecond}
}

// stormy is a world in which much happens.
type stormy struct {
	world    *taskWorld
	settings TaskSettings
	patience time.Duration // after which everything has ended
	rivals   bool          // of another provider
	rivalry  int
	tasks    []persistence.EntityID
}

func (s *stormy) run(steps []step) {
	w := s.world
	w.slow = func() { sleep(time.Millisecond) }
	s.born()
	for _, p := range steps {
		if s.rivals {
			s.rival()
		}
		s.happen(p)
		sleep(p.Rest)
		synctest.Wait()
	}
	w.stop()
	s.born()
	defer func() { w.stop() }()
	for _, name := range shelves(0, 16) {
		w.locked(func() { w.shelf(name) })
		w.unlock(name)
	}
	for _, id := range s.tasks {
		if w.task(id).Status == bulk.Paused {
			w.must(id, &bulk.Resume{})
		}
	}
	if s.rivals {
		s.rival()
	}
	sleep(s.patience)
	w.settle()
	s.check()
}

// born has a driver begin.
func (s *stormy) born() {
	s.world.locked(func() { s.world.dieAt, s.world.dieDeaf = 0, false })
	s.world.begin(s.settings)
}

func (s *stormy) happen(p step) {
	w := s.world
	name := shelves(p.Shelf, p.Shelf+1)[0]
	switch p.What {
	case stepAccept, stepImpatient:
		s.tasks = append(s.tasks, w.accept(fmt.Sprintf("t%02d", len(s.tasks)), shelves(p.Shelf, p.Shelf+p.To), func(b *bulk.State) {
			if p.What == stepImpatient {
				b.OnLocked = bulk.OnLockedFail
			}
			b.DryRun = p.In%5 == 0
			b.PerSecond = uint64(p.In % 3 * 200)
		}))
	case stepLock:
		w.locked(func() { w.shelf(name).locked = "bob" })
	case stepUnlock:
		w.locked(func() { w.shelf(name) })
		w.unlock(name)
	case stepBusy:
		w.locked(func() { w.shelf(name).busy, w.shelf(name).moment = 2, 1 })
	case stepPause:
		s.tell(p, &bulk.Pause{})
	case stepResume:
		s.tell(p, &bulk.Resume{})
	case stepCancel:
		s.tell(p, &bulk.Cancel{})
	case stepDie:
		w.locked(func() { w.dieAt, w.dieDeaf = w.asks+p.In, p.Flag })
	case stepRestart:
		w.stop()
		s.born()
	case stepRefuse:
		w.locked(func() { w.refusals = p.To })
	}
}

// tell has somebody tell one of the newest tasks what to do. It may not be possible.
func (s *stormy) tell(p step, c bulk.Command) {
	if p.Task < len(s.tasks) {
		_ = s.world.command(s.tasks[len(s.tasks)-1-p.Task], c)
	}
}

func (s *stormy) check() {
	w := s.world
	for name, shelf := range w.shelves {
		if !slices.IsSorted(shelf.writers) || len(slices.Compact(slices.Clone(shelf.writers))) != len(shelf.writers) {
			w.t.Errorf("%s was written by %v", name, shelf.writers)
		}
	}
	for _, id := range s.tasks {
		state, j := w.task(id), w.tasks[id]
		if state.Status.Open() {
			w.t.Errorf("%s is %s with %+v, %d wait", id.ID, state.Status, state.Counts, state.Waiting)
			continue
		}
		w.want(id, state.Status, state.Counts)
		rows, err := bulk.DecodeChunk(j.parts[bulk.ChunkPart(0)])
		if err != nil {
			w.t.Fatal(err)
		}
		for i, o := range w.items(id) {
			wrote := slices.Contains(w.shelves[rows[i].Collection].writers, id.ID)
			if wrote != (o.State == "UPDATED" && !state.DryRun) {
				w.t.Errorf("%s, %s: %+v, and it was written: %v", id.ID, rows[i].Collection, o, wrote)
			}
		}
	}
	if n := w.driver.waits.count.Load(); n != 0 {
		w.t.Errorf("%d collections are still waited for", n)
	}
	if left := w.driver.room.left.Load(); left != orderMaxItems {
		w.t.Errorf("the lists keep %d items", orderMaxItems-left)
	}
	if len(w.driver.lanes) != 0 {
		w.t.Errorf("%d lanes are left: %+v", len(w.driver.lanes), w.driver.Tally())
	}
}
