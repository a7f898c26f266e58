package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"concord/persistence"
	"concord/persistence/pebblestore"
)

// clonesEnv is how many crashes are tried; defaultClones if it is not set.
const (
	clonesEnv     = "CONCORD_CRASH_CLONES"
	defaultClones = 3000
	clonesOfRun   = 500
	crashClients  = 3
	crashCommands = 150 // of each client
)

// A crash at any file operation loses nothing that was answered: the written versions with their contents, the versions
// that reads, refusals and repeats have named, the outcomes of keys. What is left verifies, and can be written to.
func TestCrashAtEveryFileOperation(t *testing.T) {
	clones := defaultClones / underRace
	if text := os.Getenv(clonesEnv); text != "" {
		var err error
		if clones, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s: %v", clonesEnv, err)
		}
	}
	if testing.Short() {
		clones /= 10
	}
	var done atomic.Int64
	for run := range (clones + clonesOfRun - 1) / clonesOfRun {
		t.Run(fmt.Sprint(run), func(t *testing.T) {
			t.Parallel()
			c := &crasher{t: t, fs: newCrashDisk(), some: run%2 == 1,
				random: rand.New(rand.NewPCG(uint64(run), 1)), left: min(clonesOfRun, clones)}
			wanted := c.left
			for seed := uint64(run) << 32; c.left > 0 && !t.Failed(); seed++ {
				c.live(seed)
			}
			done.Add(int64(wanted - c.left))
		})
	}
	t.Cleanup(func() { t.Logf("%d crashes", done.Load()) })
}

// crasher takes a clone of the disk before every file operation that could change it, and looks at what is left there.
// A crash leaves either nothing that was not synced, or any blocks of it; in the second case the entries of a directory
// are those of the moment, since file systems with a journal keep their order. (Pebble depends on it: it names a new
// manifest as the current one before it syncs the directory that both are in.)
type crasher struct {
	t    *testing.T
	fs   *crashDisk
	some bool // of what was not synced is left
	on   atomic.Bool
	told func() []ack

	mu     sync.Mutex
	random *rand.Rand
	left   int
	nth    int
}

// MaybeError is called before each file operation. It never gives an error.
func (c *crasher) MaybeError(op errorfs.Op) error {
	if !c.on.Load() || op.Kind.ReadOrWrite() != errorfs.OpIsWrite || op.Kind == errorfs.OpFilePreallocate {
		return nil
	}
	c.mu.Lock()
	// Table files are written in the background, by many operations that are much the same: a few of them will do.
	dull := strings.HasSuffix(op.Path, ".sst") && c.random.IntN(4) > 0
	if c.left == 0 || dull || c.t.Failed() {
		c.mu.Unlock()
		return nil
	}
	c.left--
	c.nth++
	nth := c.nth
	told := c.told()
	clone := crash(c.t, c.fs, c.some, c.random)
	random := rand.New(rand.NewPCG(c.random.Uint64(), 2))
	c.mu.Unlock()
	var looking sync.WaitGroup // its own goroutine: a failed test ends it, and must not end Pebble's
	looking.Go(func() { c.look(clone, told, random, nth) })
	looking.Wait()
	return nil
}

func (c *crasher) String() string { return "crasher" }

// crash is what is left on the disk.
func crash(t *testing.T, disk *crashDisk, some bool, random *rand.Rand) *crashDisk {
	if !some {
		return disk.CrashClone(vfs.CrashCloneCfg{})
	}
	for _, name := range []string{"", "data"} {
		dir, err := disk.OpenDir(name)
		if err != nil {
			continue // it was not made yet
		}
		if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
			t.Errorf("sync %q: %v", name, err)
		}
	}
	return disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 1 + random.IntN(100), RNG: random})
}

// crashDisk is a disk in memory that can crash while it is written to. MemFS.ReuseForWrite takes the lock of CrashClone
// for reading twice, and waits for ever if a crash asks for it in between.
type crashDisk struct {
	*vfs.MemFS
	reusing sync.RWMutex
}

func newCrashDisk() *crashDisk { return &crashDisk{MemFS: vfs.NewCrashableMem()} }

func (d *crashDisk) ReuseForWrite(from, to string, category vfs.DiskWriteCategory) (vfs.File, error) {
	d.reusing.RLock()
	defer d.reusing.RUnlock()
	return d.MemFS.ReuseForWrite(from, to, category)
}

func (d *crashDisk) CrashClone(c vfs.CrashCloneCfg) *crashDisk {
	d.reusing.Lock()
	defer d.reusing.Unlock()
	return &crashDisk{MemFS: d.MemFS.CrashClone(c)}
}

// look opens what a crash has left.
func (c *crasher) look(disk *crashDisk, told []ack, random *rand.Rand, nth int) {
	if nth%8 == 0 {
		disk = crashAgain(c.t, disk, c.some, random)
	}
	o := options(disk)
	o.Fatal = func(err error) { c.t.Errorf("fatal: %v", err) }
	s, err := pebblestore.Open("data", o)
	if err != nil {
		c.t.Errorf("crash %d: open: %v", nth, err)
		return
	}
	defer closeStore(c.t, s)
	kept(c.t, s, told)
	sound(c.t, s)
	if nth%16 == 0 {
		w := newWorld(c.t, s)
		newHistory(w, newSeeded(uint64(nth))).run(20)
		sound(c.t, s)
		kept(c.t, s, told)
	}
}

func (h *history) run(steps int) {
	for range steps {
		h.step()
	}
	h.line.flush()
}

// crashAgain crashes while the store is being opened after the first crash.
func crashAgain(t *testing.T, disk *crashDisk, some bool, random *rand.Rand) *crashDisk {
	var clone *crashDisk
	at, n := 1+random.IntN(40), 0
	var mu sync.Mutex
	s, err := pebblestore.Open("data", options(errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			if n++; n == at {
				clone = crash(t, disk, some, random)
			}
		}
		return nil
	}))))
	if err != nil {
		t.Errorf("open after the first crash: %v", err)
		return disk
	}
	closeStore(t, s)
	if clone == nil {
		return disk
	}
	return clone
}

// live runs a service on the disk until its clients are done.
func (c *crasher) live(seed uint64) {
	c.fs = newCrashDisk()
	var v atomic.Pointer[service]
	c.told = func() []ack {
		if v := v.Load(); v != nil {
			return v.told.so()
		}
		return nil
	}
	c.on.Store(true)
	o := options(errorfs.Wrap(c.fs, c))
	o.Fatal = func(err error) { c.t.Errorf("fatal: %v", err) }
	s := open(c.t, o)
	v.Store(newService(c.t, s))
	var clients, retention sync.WaitGroup
	for n := range crashClients {
		clients.Go(func() { v.Load().client(c.t, n, seed+uint64(n)<<16, nil).send(crashCommands) })
	}
	ended := make(chan struct{})
	retention.Go(func() { retain(c.t, s, newSeeded(seed), v.Load().told.news, ended) })
	clients.Wait()
	close(ended)
	retention.Wait()
	if err := v.Load().stop(); err != nil {
		c.t.Errorf("committer: %v", err)
	}
	closeStore(c.t, s)
	c.on.Store(false)
	c.look(c.fs.CrashClone(vfs.CrashCloneCfg{}), v.Load().told.so(), c.random, 0)
}

// trimmedKinds are those whose histories are trimmed beside the clients.
var trimmedKinds = []persistence.Kind{persistence.KindCollection, persistence.KindProvider, persistence.KindUpload, kindMixed}

// retain trims and forgets beside the clients, as they get their answers, until they have ended.
func retain(t *testing.T, s *pebblestore.Store, choose seeded, news, ended <-chan struct{}) {
	for {
		select {
		case <-news:
		case <-ended:
			return
		}
		id := persistence.EntityID{Kind: trimmedKinds[choose.IntN(len(trimmedKinds))], Provider: "lib",
			ID: fmt.Sprintf("%d-%d", choose.IntN(crashClients), choose.IntN(2))}
		_, err := s.Trim(context.Background(), id, pebblestore.Policy{Versions: 1 + choose.IntN(5)},
			pebblestore.TrimOptions{Fold: fold, Now: worldStart, Released: released})
		if err == nil && choose.IntN(4) == 0 {
			_, err = s.ForgetOutcomes(worldStart, 0)
		}
		if err != nil {
			t.Errorf("retention: %v", err)
		}
	}
}
