package pebblestore_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/persistence"
	"concord/persistence/pebblestore"
)

// trimmerWorld is a world whose groups a trimmer is told of. Its clock is the bubble's.
type trimmerWorld struct {
	*world
	trimmer   *pebblestore.Trimmer
	now       func() time.Time
	dropped   int
	forgotten int
}

func newTrimmerWorld(t *testing.T, policy func(persistence.EntityID) pebblestore.Policy) *trimmerWorld {
	s := open(t, options(vfs.NewMem()).Tune(func(*pebble.Options) {}))
	w := &trimmerWorld{world: newWorld(t, s), now: time.Now}
	now := func() time.Time { return w.now() }
	w.world.world.Now = now
	w.trimmer = pebblestore.NewTrimmer(s, pebblestore.TrimmerOptions{
		Policy: policy, Fold: fold, Now: now,
		Failed:    func(e persistence.EntityID, err error) { t.Errorf("%v: %v", e, err) },
		Forgotten: func(pebblestore.Forgotten) { w.forgotten++ },
		Dropped:   func() { w.dropped++ },
	})
	w.line.observe = w.trimmer.Committed
	return w
}

// run starts the trimmer; stop ends it and waits.
func (w *trimmerWorld) run(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.trimmer.Run(ctx) }()
	synctest.Wait()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run: %v", err)
		}
		sound(t, w.store)
		closeStore(t, w.store)
	}
}

func (w *trimmerWorld) versionsKept(id persistence.EntityID) int {
	head, err := w.store.Head(id)
	if err != nil {
		w.t.Fatalf("head: %v", err)
	}
	oldest, _ := w.store.EdgeOf(id)
	return int(head.Version - oldest + 1)
}

// A collection that grows is trimmed as it grows; one that is kept whole is not.
func TestTrimmerFollowsCommits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTrimmerWorld(t, func(e persistence.EntityID) pebblestore.Policy {
			return pebblestore.Policy{Versions: 12, KeepAll: e == collectionID(2)}
		})
		stop := w.run(t)
		for n := range 100 {
			w.write(collectionID(1), put("d", document(n, 60)))
			w.write(collectionID(2), put("d", document(n, 60)))
			w.line.flush()
			synctest.Wait()
			if kept := w.versionsKept(collectionID(1)); kept < min(n+1, 12) || kept > 15 {
				t.Fatalf("%d versions of %d are kept", kept, n+1)
			}
		}
		if kept := w.versionsKept(collectionID(2)); kept != 100 {
			t.Errorf("%d versions are kept of what is kept whole", kept)
		}
		stop()
	})
}

// A collection that is locked and released for ever is trimmed, too, though it never gets another version.
func TestTrimmerFollowsLocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTrimmerWorld(t, func(persistence.EntityID) pebblestore.Policy { return pebblestore.Policy{Versions: 12} })
		stop := w.run(t)
		id := collectionID(1)
		w.write(id, put("d", document(1, 60)))
		for n := range 50 {
			w.locked(id, 1)
			synctest.Wait()
			if kept := len(collect(t, w.store.Records(id, 0))); kept > 1+15 {
				t.Fatalf("%d events of %d are kept", kept, 2*n+3)
			}
		}
		stop()
	})
}

// What the queue has no place for is found by a sweep.
func TestTrimmerIsBounded(t *testing.T) {
	if underRace > 1 {
		t.Skip("thousands of entities are too much for the race detector; the other tests are the same to it")
	}
	synctest.Test(t, func(t *testing.T) {
		w := newTrimmerWorld(t, func(persistence.EntityID) pebblestore.Policy { return pebblestore.Policy{Versions: 1} })
		const more = 100
		entities := pebblestore.TrimmerQueueMaxEntities + more
		for n := range entities {
			w.write(collectionID(n), put("d", document(1, 60)))
			w.write(collectionID(n), put("d", document(2, 60)))
			w.line.flush()
		}
		if w.dropped < more {
			t.Errorf("%d entities were dropped, not %d", w.dropped, more)
		}
		stop := w.run(t)
		time.Sleep(pebblestore.TrimmerForgetEvery + time.Minute)
		synctest.Wait()
		for n := range entities {
			if kept := w.versionsKept(collectionID(n)); kept != 1 {
				t.Fatalf("%d versions of %v are kept", kept, collectionID(n))
			}
		}
		stop()
	})
}

// What was released is looked at soon. Who has much of it looked at waits for places, and leaves those that groups need.
func TestTrimmerLooksAtWhatIsReleased(t *testing.T) {
	if underRace > 1 {
		t.Skip("thousands of entities are too much for the race detector; the other tests are the same to it")
	}
	synctest.Test(t, func(t *testing.T) {
		released := false
		w := newTrimmerWorld(t, func(e persistence.EntityID) pebblestore.Policy {
			return pebblestore.Policy{Versions: 1, KeepAll: e == collectionID(0)}
		})
		w.trimmer = pebblestore.NewTrimmer(w.store, pebblestore.TrimmerOptions{Fold: fold, Now: time.Now,
			Policy: func(e persistence.EntityID) pebblestore.Policy {
				return pebblestore.Policy{Versions: 1, KeepAll: e == collectionID(0)}
			},
			Released: func(persistence.EntityID, string) (bool, error) { return released, nil },
			Failed:   func(e persistence.EntityID, err error) { t.Errorf("%v: %v", e, err) },
			Dropped:  func() { w.dropped++ },
		})
		w.line.observe = nil
		const entities = pebblestore.TrimmerQueueMaxEntities
		for n := range entities {
			w.write(collectionID(n), put("d", document(1, 60)))
			w.pin(collectionID(n), "task", time.Now().Add(30*24*time.Hour))
			w.write(collectionID(n), put("d", document(2, 60)))
		}
		w.line.flush()
		ctx, leave := context.WithCancel(t.Context())
		looked, ended := 0, make(chan error, 1)
		look := func(ctx context.Context) {
			for ; looked < entities; looked++ {
				if err := w.trimmer.Look(ctx, collectionID(looked)); err != nil {
					ended <- err
					return
				}
			}
			ended <- nil
		}
		go look(ctx)
		synctest.Wait()
		if looked != 1+pebblestore.TrimmerLooksMaxEntities { // one has nothing to be done for
			t.Errorf("%d are to be looked at while nobody does", looked)
		}
		leave()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("who leaves: %v", err)
		}
		stop := w.run(t) // its first sweep finds that all is held
		if kept := w.versionsKept(collectionID(entities - 1)); kept != 2 {
			t.Errorf("%d versions are kept of what is pinned", kept)
		}
		released, looked = true, 0
		go look(t.Context())
		if err := <-ended; err != nil {
			t.Error(err)
		}
		synctest.Wait()
		for n := range entities {
			if kept := w.versionsKept(collectionID(n)); kept != 1 && n > 0 {
				t.Fatalf("%d versions of %v are kept", kept, collectionID(n))
			}
		}
		if kept := w.versionsKept(collectionID(0)); kept != 2 || w.dropped > 0 {
			t.Errorf("%d versions are kept of what is kept whole; %d were dropped", kept, w.dropped)
		}
		stop()
	})
}

// Time makes a history too long, too: an entity that nobody writes to is trimmed within a day. Outcomes are looked at
// every hour.
func TestTrimmerSweepsDaily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTrimmerWorld(t, func(persistence.EntityID) pebblestore.Policy { return pebblestore.Policy{Days: 1} })
		start, id := time.Now(), collectionID(1)
		w.now = func() time.Time { return start.Add(10 * time.Since(start)) } // ten hours of the domain in one
		for n := range 10 {
			w.write(id, put("d", document(n, 60)))
		}
		w.line.flush()
		stop := w.run(t)
		kept := func(hours time.Duration, want int) {
			t.Helper()
			time.Sleep(hours*time.Hour + time.Minute)
			synctest.Wait()
			if kept := w.versionsKept(id); kept != want {
				t.Errorf("%d versions are kept, not %d", kept, want)
			}
		}
		kept(2, 10) // less than a day
		kept(3, 1)  // more than two
		if w.forgotten < 5 {
			t.Errorf("outcomes were looked at %d times in 5 hours", w.forgotten)
		}
		stop()
	})
}

// A trim that fails is told, and the others go on.
func TestTrimmerTellsFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newTrimmerWorld(t, func(persistence.EntityID) pebblestore.Policy { return pebblestore.Policy{Versions: 1} })
		var failed []persistence.EntityID
		w.trimmer = pebblestore.NewTrimmer(w.store, pebblestore.TrimmerOptions{
			Policy: func(persistence.EntityID) pebblestore.Policy { return pebblestore.Policy{Versions: 1} },
			Fold:   fold, Now: time.Now,
			Failed: func(e persistence.EntityID, err error) {
				if !errors.Is(err, persistence.ErrCorrupt) {
					t.Error(err)
				}
				failed = append(failed, e)
			},
		})
		for n := range 3 {
			w.write(collectionID(n), put("d", document(1, 60)))
			w.write(collectionID(n), put("d", document(2, 60)))
		}
		w.line.observe = w.trimmer.Committed
		w.line.flush()
		broken, undo := w.breakChain(t, collectionID(1))
		stop := w.run(t)
		for n := range 3 {
			if want := 1 + len(broken[collectionID(n)]); w.versionsKept(collectionID(n)) != want {
				t.Errorf("%d versions of %v are kept", w.versionsKept(collectionID(n)), collectionID(n))
			}
		}
		if len(failed) == 0 || failed[0] != collectionID(1) {
			t.Errorf("told of %v", failed)
		}
		undo()
		stop()
	})
}

// breakChain tampers with the first event of the entity; the result has one element for it.
func (w *trimmerWorld) breakChain(t *testing.T, id persistence.EntityID) (broken map[persistence.EntityID]string, undo func()) {
	t.Helper()
	p := persistence.PartitionOf(id, testPartitions)
	for rec := range w.store.Log(p, 0) {
		if rec.Entity != id {
			continue
		}
		for _, pair := range w.store.Raw('L') {
			if pair.Key[1] != byte(p) || pair.Key[len(pair.Key)-1] != byte(rec.Position) {
				continue
			}
			x := tampered{t, w.store.DB()}
			x.set(pair.Key, append(append([]byte(nil), pair.Value...), 0x52, 0x01, 'x')) // a reason
			return map[persistence.EntityID]string{id: "x"}, func() { x.set(pair.Key, pair.Value) }
		}
	}
	t.Fatal("there is no such event")
	return nil, nil
}
