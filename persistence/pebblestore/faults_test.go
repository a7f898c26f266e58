package pebblestore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

// fault makes file operations fail from the nth of its class on.
type fault struct {
	name      string
	ops       []errorfs.OpKind
	in        string // the path
	tolerated bool   // the store may go on: it tries again
}

var fileFaults = []fault{
	{name: "write of the log", ops: []errorfs.OpKind{errorfs.OpFileWrite}, in: ".log"},
	{name: "sync of the log", ops: []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}, in: ".log"},
	{name: "new log", ops: []errorfs.OpKind{errorfs.OpCreate, errorfs.OpReuseForWrite}, in: ".log"},
	{name: "write of the manifest", ops: []errorfs.OpKind{errorfs.OpFileWrite}, in: "MANIFEST"},
	{name: "sync of the manifest", ops: []errorfs.OpKind{errorfs.OpFileSync}, in: "MANIFEST"},
	{name: "write of the mark", ops: []errorfs.OpKind{errorfs.OpFileWriteAt}, in: "HIGHWATER"},
	{name: "sync of the mark", ops: []errorfs.OpKind{errorfs.OpFileSyncData}, in: "HIGHWATER"},
	{name: "new table", ops: []errorfs.OpKind{errorfs.OpCreate}, in: ".sst", tolerated: true},
	{name: "write of a table", ops: []errorfs.OpKind{errorfs.OpFileWrite}, in: ".sst", tolerated: true},
	{name: "sync of a table", ops: []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData}, in: ".sst", tolerated: true},
}

func (f *fault) hits(op errorfs.Op) bool {
	for _, kind := range f.ops {
		if op.Kind == kind && strings.Contains(op.Path, f.in) {
			return true
		}
	}
	return false
}

// After an error of the disk nothing is answered that is not on it: what was answered before is there after a restart.
func TestDiskErrorsLoseNothing(t *testing.T) {
	for _, f := range fileFaults {
		var hits atomic.Int64
		t.Cleanup(func() {
			if hits.Load() == 0 {
				t.Errorf("no %s has failed", f.name)
			}
		})
		for _, cause := range []error{errorfs.ErrInjected, syscall.ENOSPC} {
			for _, once := range []bool{true, false} {
				for nth := range max(1, 3/underRace) {
					t.Run(fmt.Sprintf("%s/%v/once=%v/%d", f.name, cause, once, nth), func(t *testing.T) {
						t.Parallel()
						if f.run(t, cause, once, nth*nth) {
							hits.Add(1)
						}
					})
				}
			}
		}
	}
}

// fatalMaxWait is how long a fault may be on its way to Fatal.
const fatalMaxWait = 30 * time.Second

// run returns false if the workload was over before the fault.
func (f *fault) run(t *testing.T, cause error, once bool, nth int) bool {
	disk := newCrashDisk()
	var armed, hit atomic.Bool
	var seen atomic.Int64
	ended := make(chan struct{})
	end := sync.OnceFunc(func() { close(ended) })
	o := options(errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if !armed.Load() || !f.hits(op) || hit.Load() && once || seen.Add(1) <= int64(nth) {
			return nil
		}
		hit.Store(true)
		return cause
	})))
	var fatal atomic.Pointer[error]
	o.Fatal = func(err error) { fatal.Store(&err); end() }
	o.Warn = func(text string) {
		if strings.Contains(text, "stall") && f.tolerated {
			end() // it waits for ever for the disk, and so do the callers
		}
	}
	s := open(t, o)
	armed.Store(true)
	v := newService(t, s)
	var clients sync.WaitGroup
	for n := range 3 {
		clients.Go(func() { v.client(t, n, uint64(nth*10+n), ended).send(200) })
	}
	done := make(chan struct{})
	go func() { clients.Wait(); close(done) }()
	select {
	case <-done:
	case <-ended: // who reads now may wait for ever, too: a writer that has failed keeps Pebble's locks
	}
	if !f.tolerated && hit.Load() { // the fault may be of the last instant, and on its way
		select {
		case <-ended:
		case <-time.After(fatalMaxWait):
			t.Errorf("Fatal was not called")
		}
	}
	if fatal.Load() != nil {
		refusesWork(t, s)
	}
	told := v.told.so() // what is answered later is lost on this test, but nothing is
	random := rand.New(rand.NewPCG(uint64(nth), 3))
	for range 3 {
		left := crash(t, disk, random.IntN(2) == 0, random)
		again := open(t, options(left))
		kept(t, again, told)
		sound(t, again)
		closeStore(t, again)
	}
	if armed.Store(false); fatal.Load() == nil { // the disk is well again, and so is the store
		<-done
		if err := v.stop(); err != nil {
			t.Errorf("committer: %v", err)
		}
		kept(t, s, v.told.so())
		sound(t, s)
		closeStore(t, s)
	}
	return hit.Load()
}

// refusesWork demands that a store that has failed takes and answers nothing.
func refusesWork(t *testing.T, s *pebblestore.Store) {
	t.Helper()
	if s.Health() == nil || s.Writable() == nil {
		t.Errorf("after Fatal the store says that it is healthy")
	}
	if _, err := s.Append([]*persistence.Entry{{Entity: collectionID(1)}}); err == nil {
		t.Errorf("after Fatal the store took a group")
	}
	c := persistence.NewCommitter(s, persistence.CommitMetrics{})
	answered := false
	c.Submit(&persistence.Entry{Entity: collectionID(1)}, func() { answered = true })
	c.After(1, func() { answered = true })
	if err := c.Run(t.Context()); err == nil || answered {
		t.Errorf("after Fatal the committer answered: %v", err)
	}
}

// While the disk does not answer, neither does the service; when it does, nothing is lost.
func TestStalledSyncHoldsAnswersBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stalled atomic.Bool
		release := make(chan struct{})
		s := open(t, options(errorfs.Wrap(vfs.NewMem(), errorfs.InjectorFunc(func(op errorfs.Op) error {
			if stalled.Load() && strings.Contains(op.Path, ".log") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
				<-release
			}
			return nil
		}))))
		v := newService(t, s)
		id := collectionID(1)
		live, err := kinds[id.Kind].Activate(id, v.world)
		if err != nil {
			t.Fatal(err)
		}
		answers := 0
		write := func(n int) {
			live.Handle(&entity.Envelope{Entity: id, Meta: entity.Meta{Principal: "ann"},
				Command: &collection.Write{Create: true, Changes: []collection.Change{put("d", document(n, 50))}},
				Reply: func(_ entity.Answer, err error) {
					if err != nil {
						t.Error(err)
					}
					answers++
				}})
		}
		write(1)
		synctest.Wait()
		if answers != 1 {
			t.Fatalf("%d answers before the stall", answers)
		}
		stalled.Store(true)
		write(2)
		write(3)
		v.committer.After(v.committer.Last(), func() { answers++ }) // a read that has seen them
		synctest.Wait()
		if answers != 1 {
			t.Fatalf("%d answers during the stall", answers-1)
		}
		stalled.Store(false)
		close(release)
		synctest.Wait()
		if answers != 4 {
			t.Fatalf("%d answers after the stall", answers-1)
		}
		if err := v.stop(); err != nil {
			t.Error(err)
		}
		sound(t, s)
		closeStore(t, s)
	})
}

// Below its reserve of free space the store says so, before the disk is full, and takes work again when there is space.
func TestLowSpaceIsSaidInTime(t *testing.T) {
	disk := vfs.NewMem()
	o := options(disk)
	o.ReserveBytes = 1000
	s := open(t, o)
	defer closeStore(t, s)
	for _, row := range []struct {
		free uint64
		want error
	}{{5000, nil}, {999, persistence.ErrLowSpace}, {1000, nil}} {
		disk.TestingSetDiskUsage(vfs.DiskUsage{AvailBytes: row.free, TotalBytes: 10_000, UsedBytes: 10_000 - row.free})
		if err := s.CheckSpace(); err != nil {
			t.Fatal(err)
		}
		if err := s.Writable(); !errors.Is(err, row.want) {
			t.Errorf("%d bytes are free: %v, not %v", row.free, err, row.want)
		}
	}
	disk.TestingSetDiskUsage(vfs.DiskUsage{})
	if err := s.CheckSpace(); err == nil {
		t.Error("the disk does not say how much is free, and nobody is told")
	}
}
