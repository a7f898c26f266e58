package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/persistence"
	"concord/persistence/pebblestore"
)

// damageClasses are the classes of files, and how many damages are tried in each of the closedStores: more than 400 in
// all.
var damageClasses = map[string]int{".log": 40, ".sst": 50, "MANIFEST": 50, pebblestore.HighWaterFile: 15}

// files are the contents of a directory.
type files map[string][]byte

func readFiles(t *testing.T, disk vfs.FS, dir string) files {
	t.Helper()
	names, err := disk.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := make(files)
	for _, name := range names {
		f, err := disk.Open(disk.PathJoin(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := f.Stat(); err != nil || info.IsDir() {
			continue
		}
		if all[name], err = io.ReadAll(f); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// disk is a new one with the files on it.
func (f files) disk(t *testing.T) *vfs.MemFS {
	t.Helper()
	disk := vfs.NewMem()
	if err := disk.MkdirAll("data", 0o700); err != nil {
		t.Fatal(err)
	}
	for name, content := range f {
		file, err := disk.Create(disk.PathJoin("data", name), vfs.WriteCategoryUnspecified)
		if err == nil {
			_, err = file.Write(content)
			err = errors.Join(err, file.Close())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return disk
}

// damageFile is one way to damage the content of a file; nil: the file is gone.
var damageFile = map[string]func(b []byte, random *rand.Rand) []byte{
	"a flipped bit": func(b []byte, random *rand.Rand) []byte {
		b[random.IntN(len(b))] ^= 1 << random.IntN(8)
		return b
	},
	"cut short": func(b []byte, random *rand.Rand) []byte { return b[:random.IntN(len(b))] },
	"a page of zeros": func(b []byte, random *rand.Rand) []byte {
		at := random.IntN(len(b))
		clear(b[at:min(at+4096, len(b))])
		return b
	},
	"an end of zeros": func(b []byte, random *rand.Rand) []byte { clear(b[random.IntN(len(b)):]); return b },
	"gone":            func([]byte, *rand.Rand) []byte { return nil },
}

// closedStores are stores to damage: one with most of its data in tables, and a manifest of many edits; one with most of
// it in the log.
var closedStores = map[string]func(t *testing.T, disk vfs.FS) *pebblestore.Store{
	"tables": func(t *testing.T, disk vfs.FS) *pebblestore.Store {
		s := open(t, options(disk))
		h := newHistory(newWorld(t, s), newSeeded(5))
		h.run(600)
		if err := s.DB().Flush(); err != nil {
			t.Fatal(err)
		}
		h.run(40) // some stays in the log, in a file that was used before
		return s
	},
	"log": func(t *testing.T, disk vfs.FS) *pebblestore.Store {
		s := open(t, options(disk).Tune(func(o *pebble.Options) { o.MemTableSize = 16 << 20 }))
		newHistory(newWorld(t, s), newSeeded(6)).run(200)
		return s
	},
	// Pebble takes a damaged manifest for one that ends there, and removes the tables that it does not name: those groups
	// are gone, while the newest, still in the log, is there.
	"flushes": func(t *testing.T, disk vfs.FS) *pebblestore.Store {
		s := open(t, options(disk).Tune(func(o *pebble.Options) {
			o.L0CompactionThreshold, o.L0StopWritesThreshold, o.DisableAutomaticCompactions = 1000, 1000, true
		}))
		h := newHistory(newWorld(t, s), newSeeded(7))
		for range 8 {
			h.run(50)
			if err := s.DB().Flush(); err != nil {
				t.Fatal(err)
			}
		}
		h.run(30)
		return s
	},
}

// Damage to any file is found when the store is opened or verified, or it has changed nothing that can be read.
func TestDamageIsNeverSilent(t *testing.T) {
	for name, build := range closedStores {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			disk := vfs.NewMem()
			s := build(t, disk)
			want := s.Raw()
			closeStore(t, s)
			whole := readFiles(t, disk, "data")
			if outcome := judge(whole.disk(t), t, want); outcome != "harmless" {
				t.Fatalf("without damage: %s", outcome)
			}
			for class, cases := range damageClasses {
				damageFiles(t, whole, class, max(5, cases/underRace), want)
			}
		})
	}
}

// damageFiles damages files of one class, one at a time.
func damageFiles(t *testing.T, whole files, class string, cases int, want []pebblestore.RawPair) {
	random := rand.New(rand.NewPCG(1, 1))
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(whole)), func(name string) bool {
		return !strings.Contains(name, class) || strings.Contains(name, "marker") || len(whole[name]) == 0
	})
	if class != ".sst" && len(names) > 0 {
		names = names[len(names)-1:] // the others are old
	}
	if len(names) == 0 {
		t.Logf("%s: there is none", class)
		return
	}
	kinds := slices.Sorted(maps.Keys(damageFile))
	outcomes := make(map[string]int)
	for n := range cases {
		kind, name := kinds[n%len(kinds)], names[random.IntN(len(names))]
		damaged := maps.Clone(whole)
		if b := damageFile[kind](slices.Clone(whole[name]), random); b != nil {
			damaged[name] = b
		} else {
			delete(damaged, name)
		}
		outcome := judge(damaged.disk(t), t, want)
		if outcomes[outcome]++; outcome == "silent" {
			t.Errorf("%s in %s of %d bytes was silent", kind, name, len(whole[name]))
		}
	}
	t.Logf("%s of %d bytes: %v", names[0], len(whole[names[0]]), outcomes)
}

// judge says how a damage came out.
func judge(disk *vfs.MemFS, t *testing.T, want []pebblestore.RawPair) string {
	t.Helper()
	s, err := pebblestore.Open("data", options(disk))
	if err != nil {
		return "open refuses"
	}
	defer func() { _ = s.Close() }()
	report, err := s.Verify(context.Background(), pebblestore.VerifyOptions{Fold: fold})
	switch {
	case errors.Is(err, persistence.ErrCorrupt):
		return "verify fails"
	case err != nil:
		return fmt.Sprintf("verify fails: %v", err)
	case report.Findings > 0:
		return "verify finds"
	}
	have, err := s.RawError()
	if err != nil {
		return "read fails"
	}
	if !slices.EqualFunc(have, want, func(a, b pebblestore.RawPair) bool {
		return string(a.Key) == string(b.Key) && string(a.Value) == string(b.Value)
	}) {
		return "silent"
	}
	return "harmless"
}
