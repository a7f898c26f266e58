package pebblestore_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"concord/persistence"
	"concord/persistence/pebblestore"
)

func restore(disk vfs.FS, from, to string) (pebblestore.Report, error) {
	return pebblestore.Restore(context.Background(), from, to, options(disk), pebblestore.VerifyOptions{Fold: fold})
}

// A backup that is taken, and restored, while the store is written to has all that was answered before; also after a
// crash at once.
func TestBackupWhileWriting(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s := open(t, options(disk))
	v := newService(t, s)
	var clients sync.WaitGroup
	for n := range 3 {
		clients.Go(func() { v.client(t, n, uint64(n), nil).send(300) })
	}
	for n := range 5 {
		for len(v.told.so()) < n*100 {
			v.committer.After(v.committer.Last(), func() {}) // let the clients work
		}
		told := v.told.so()
		dir := "backups/" + string(rune('a'+n))
		group, err := s.Backup(dir)
		if err != nil {
			t.Fatalf("backup: %v", err)
		}
		for _, d := range []vfs.FS{disk, disk.CrashClone(vfs.CrashCloneCfg{})} {
			to := "restored-" + string(rune('a'+n))
			report, err := restore(d, dir, to)
			if err != nil || report.Group != group {
				t.Fatalf("restore: group %d of %d, %v", report.Group, group, err)
			}
			copied, err := pebblestore.Open(to, options(d))
			if err != nil {
				t.Fatalf("open what was restored: %v", err)
			}
			kept(t, copied, told)
			newHistory(newWorld(t, copied), newSeeded(1)).run(20)
			sound(t, copied)
			closeStore(t, copied)
		}
	}
	clients.Wait()
	if err := v.stop(); err != nil {
		t.Error(err)
	}
	kept(t, s, v.told.so())
	sound(t, s)
	closeStore(t, s)
}

// Restore overwrites nothing, and takes nothing for a backup that is none.
func TestRestoreRefuses(t *testing.T) {
	disk := vfs.NewMem()
	s := open(t, options(disk))
	newHistory(newWorld(t, s), newSeeded(1)).run(200)
	if _, err := s.Backup("backup"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Backup("backup"); err == nil {
		t.Error("a second backup went to the same directory")
	}
	if err := disk.MkdirAll("full", 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, disk, "full/notes.txt", []byte("mine"))
	if _, err := restore(disk, "backup", "full"); !errors.Is(err, pebblestore.ErrNotEmpty) {
		t.Errorf("to a directory with a file in it: %v", err)
	}
	if _, err := restore(disk, "data", "target"); !errors.Is(err, pebblestore.ErrInUse) {
		t.Errorf("from a store that is in use: %v", err)
	}
	if _, err := restore(disk, "nowhere", "target"); err == nil {
		t.Error("from nowhere")
	}
	closeStore(t, s)
	if err := disk.Remove("backup/" + pebblestore.HighWaterFile); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(disk, "backup", "target"); !errors.Is(err, persistence.ErrCorrupt) {
		t.Errorf("from an incomplete backup: %v", err)
	}
	if _, err := disk.Stat("target"); err == nil {
		t.Error("something was left in the target")
	}
}

func write(t *testing.T, disk vfs.FS, name string, content []byte) {
	t.Helper()
	f, err := disk.Create(name, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(content)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A damaged backup is not restored, or the damage has changed nothing.
func TestRestoreOfADamagedBackup(t *testing.T) {
	disk := vfs.NewMem()
	s := open(t, options(disk))
	h := newHistory(newWorld(t, s), newSeeded(1))
	h.run(200)
	if _, err := s.Backup("backup"); err != nil {
		t.Fatal(err)
	}
	want := s.Raw()
	closeStore(t, s)
	whole := readFiles(t, disk, "backup")
	names := slices.DeleteFunc(sortedNames(whole), func(name string) bool {
		return strings.Contains(name, "OPTIONS") || len(whole[name]) == 0
	})
	random := rand.New(rand.NewPCG(4, 4))
	refused := 0
	const cases = 60 / underRace
	for range cases {
		name := names[random.IntN(len(names))]
		damaged := files{}
		for n, b := range whole {
			damaged[n] = slices.Clone(b)
		}
		damaged[name] = damageFile["a flipped bit"](damaged[name], random)
		disk := damaged.disk(t)
		if _, err := restore(disk, "data", "target"); err != nil {
			refused++
			if _, err := disk.Stat("target"); err == nil {
				t.Errorf("a flipped bit in %s: what was restored was not removed", name)
			}
			continue
		}
		restored, err := pebblestore.Open("target", options(disk))
		if err != nil {
			t.Fatal(err)
		}
		sameRecords(t, want, restored.Raw())
		closeStore(t, restored)
	}
	if refused < cases/3 && underRace == 1 {
		t.Errorf("%d of %d were refused", refused, cases)
	}
}

func sortedNames(f files) []string {
	var names []string
	for name := range f {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// A backup that could not be completed leaves nothing that looks like one.
func TestBackupOnAFailingDisk(t *testing.T) {
	disk := vfs.NewMem()
	var failing errorfs.Toggle
	failing.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
		if strings.HasPrefix(op.Path, "backup") && op.Kind == errorfs.OpFileWriteAt {
			return errorfs.ErrInjected // of the mark
		}
		return nil
	})
	s := open(t, options(errorfs.Wrap(disk, &failing)))
	defer closeStore(t, s)
	newHistory(newWorld(t, s), newSeeded(1)).run(50)
	failing.On()
	if _, err := s.Backup("backup"); err == nil {
		t.Fatal("the backup was said to be good")
	}
	failing.Off()
	if _, err := s.Backup("backup"); err != nil {
		t.Errorf("the next backup: %v", err)
	}
}
