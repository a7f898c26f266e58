package pebblestore_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/persistence"
	"concord/persistence/pebblestore"
)

// pinAll writes two versions of the collections 1 to n, the second with a pin of each holder.
func (w *world) pinAll(n int, until map[string]time.Time) {
	for i := range n {
		id := collectionID(i + 1)
		w.write(id, put("d", document(1, 60)))
		for holder, t := range until {
			w.pin(id, holder, t)
		}
		w.write(id, put("d", document(2, 60)))
		w.line.flush()
	}
}

// pins are how many pins there are of holders with names that begin like this, in the whole store.
func (w *world) pins(n int, holder string) (pins int) {
	for i := range n {
		for _, p := range w.store.PinsOf(collectionID(i + 1)) {
			if strings.HasPrefix(p.Holder, holder) {
				pins++
			}
		}
	}
	return pins
}

// Where a policy keeps all, pins go once their time has passed, and not before; and the histories stay whole.
func TestPinsOfWhatIsKeptWholeGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTrimmerWorld(t, func(persistence.EntityID) pebblestore.Policy { return pebblestore.Policy{KeepAll: true} })
		const collections, day = 20, 24 * time.Hour
		w.pinAll(collections, map[string]time.Time{"task": time.Now().Add(day / 2), "session": time.Now().Add(day + day/2)})
		stop := w.run(t)
		for _, after := range []struct {
			pass           time.Duration
			tasks, session int
		}{{time.Hour, collections, collections}, {day, 0, collections}, {day, 0, 0}} {
			time.Sleep(after.pass)
			synctest.Wait()
			if tasks, sessions := w.pins(collections, "task"), w.pins(collections, "session"); tasks != after.tasks || sessions != after.session {
				t.Errorf("there are pins of %d tasks and %d sessions, not of %d and %d", tasks, sessions, after.tasks, after.session)
			}
		}
		if left := len(w.store.Raw('P')); left != 0 {
			t.Errorf("%d pins are left", left)
		}
		for n := range collections {
			if kept := w.versionsKept(collectionID(n + 1)); kept != 2 {
				t.Errorf("%d versions are kept", kept)
			}
		}
		stop()
	})
}

// A sweep goes on where it was, also after a crash between its steps, and in the middle of one. It takes no pin in force, whatever
// the crash takes of it; and what groups pin meanwhile stays.
func TestASweepOfPinsSurvivesCrashes(t *testing.T) {
	const collections, holders = 12, 300
	random := rand.New(rand.NewPCG(1, 2))
	for crashAt := range 5 {
		disk := vfs.NewCrashableMem()
		s := open(t, options(disk))
		w := newWorld(t, s)
		until := map[string]time.Time{"held": w.now.Add(time.Hour)}
		for n := range holders {
			until[fmt.Sprint("lapsed-", n)] = w.now.Add(-time.Microsecond)
		}
		w.pinAll(collections, until)
		if err := s.BeginPinSweep(); err != nil {
			t.Fatal(err)
		}
		for step := range crashAt {
			w.pin(collectionID(1), fmt.Sprint("held since ", step), w.now.Add(time.Hour))
			w.write(collectionID(1), put("d", document(10+step, 60)))
			w.line.flush()
			was := w.pins(collections, "")
			more, err := s.StepPinSweep(w.now)
			if gone := was - w.pins(collections, ""); err != nil || !more && step < 3 || gone > pebblestore.PinsStepMaxLooked {
				t.Fatalf("step %d removes %d pins, more: %v, %v", step, gone, more, err)
			}
			if err := s.BeginPinSweep(); err != nil { // it is under way
				t.Fatal(err)
			}
		}
		left := disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: random.IntN(101), RNG: random})
		closeStore(t, s)
		s = open(t, options(left))
		w = newWorld(t, s)
		sound(t, s)
		if err := s.BeginPinSweep(); err != nil { // it goes on; or the crash has taken that it had begun
			t.Fatal(err)
		}
		steps := w.swept()
		if lapsed, held := w.pins(collections, "lapsed"), w.pins(collections, "held"); lapsed != 0 || held != collections+crashAt {
			t.Errorf("a crash after %d steps: %d more leave %d lapsed pins, and %d in force", crashAt, steps, lapsed, held)
		}
		sound(t, s)
		closeStore(t, s)
	}
}

// swept takes the steps of the sweep, and counts them.
func (w *world) swept() (steps int) {
	w.t.Helper()
	for more := true; more; steps++ {
		var err error
		if more, err = w.store.StepPinSweep(w.now); err != nil {
			w.t.Fatalf("sweep pins: %v", err)
		}
	}
	return steps
}

// A place that is none of a pin's begins the sweep anew; without one there is nothing to do.
func TestASweepOfPinsKnowsItsPlaces(t *testing.T) {
	for name, place := range map[string]string{"no key": "x", "another family": "\x00\x00H", "no partition": "\xFF\xFEP"} {
		s := open(t, options(vfs.NewMem()))
		w := newWorld(t, s)
		w.pinAll(3, map[string]time.Time{"lapsed": w.now.Add(-time.Hour)})
		if w.swept(); w.pins(3, "") != 3 {
			t.Errorf("%d pins are left by a sweep that was not begun", w.pins(3, ""))
		}
		if err := s.SetCursor("pins-sweep", []byte(place)); err != nil {
			t.Fatal(err)
		}
		if w.swept(); w.pins(3, "") != 0 {
			t.Errorf("%s: %d pins are left", name, w.pins(3, ""))
		}
		closeStore(t, s)
	}
}

// A pin is of the version before the one that comes with it: so none is written twice.
func TestPinsAreWrittenOnce(t *testing.T) {
	for _, version := range []uint64{1, 3, 4} {
		s := open(t, options(vfs.NewMem()))
		w := newWorld(t, s)
		id := collectionID(1)
		for n := range 2 {
			w.write(id, put("d", document(n, 60)))
		}
		w.line.flush()
		var refused []string
		w.line.fail = func(err error) { refused = append(refused, err.Error()) }
		w.line.pinsAt = version
		w.pin(id, "task", w.now.Add(time.Hour))
		w.write(id, put("d", document(3, 60)))
		w.line.flush()
		if !slices.ContainsFunc(refused, func(why string) bool { return strings.Contains(why, fmt.Sprintf("pin version %d", version)) }) {
			t.Errorf("version 3 pins version %d: %q", version, refused)
		}
		closeStore(t, s)
	}
}
