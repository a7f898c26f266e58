package jobs

import (
	"testing"
	"testing/synctest"
	"time"

	"concord/actors/bulk"
)

// TestASlowTaskHoldsUpNoRowsOfOthers: a task with one item a second has its turn, and a row of another one, whose lock has
// ended, is sent at once.
func TestASlowTaskHoldsUpNoRowsOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		w.shelf("held").locked = "bob"
		w.begin(small)
		defer func() { w.stop() }()
		waiting := w.accept("waiting", append([]string{"held"}, shelves(0, 3)...), nil)
		w.settle()
		slow := w.accept("slow", shelves(10, 20), func(s *bulk.State) { s.PerSecond = 1 })
		sleep(2300 * time.Millisecond) // it waits for its next item
		synctest.Wait()
		freed := time.Now()
		w.unlock("held")
		w.settle()
		w.want(waiting, bulk.Complete, bulk.Counts{Updated: 4})
		if at := w.shelves["held"].at; len(at) != 1 || at[0].Sub(freed) > 50*time.Millisecond {
			t.Errorf("written %v, and free since %v", at, freed)
		}
		sleep(10 * time.Second)
		w.settle()
		w.want(slow, bulk.Complete, bulk.Counts{Updated: 10})
		for i, name := range shelves(11, 20) {
			gap := w.shelves[name].at[0].Sub(w.shelves[shelves(10+i, 11+i)[0]].at[0])
			if gap < time.Second-paceSlack {
				t.Errorf("%s came %v after the one before it", name, gap)
			}
		}
	})
}

// TestASlowTaskComesBackInItsPace: its own rows that waited are spread as its others are, and nobody waits for them.
func TestASlowTaskComesBackInItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTaskWorld(t)
		for _, name := range shelves(0, 5) {
			w.shelf(name).locked = "bob"
		}
		w.begin(small)
		defer func() { w.stop() }()
		slow := w.accept("slow", shelves(0, 5), func(s *bulk.State) { s.PerSecond = 2 })
		sleep(5 * time.Second)
		w.settle()
		for _, name := range shelves(0, 5) {
			w.unlock(name)
		}
		quick := w.accept("quick", shelves(10, 200), nil)
		sleep(500 * time.Millisecond)
		synctest.Wait()
		w.want(quick, bulk.Complete, bulk.Counts{Updated: 190})
		sleep(3 * time.Second)
		w.settle()
		w.want(slow, bulk.Complete, bulk.Counts{Updated: 5})
		first, last := time.Now(), time.Time{}
		for _, name := range shelves(0, 5) {
			at := w.shelves[name].at[0]
			first = earlier(first, at)
			if at.After(last) {
				last = at
			}
		}
		if spread := last.Sub(first); spread < 4*(500*time.Millisecond)-2*paceSlack {
			t.Errorf("five rows took %v", spread)
		}
	})
}
