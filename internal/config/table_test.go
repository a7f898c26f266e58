package config

import (
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors"
	"concord/actors/host"
	"concord/persistence/pebblestore"
	"concord/transport"
	"concord/transport/operations"
)

func TestTable(t *testing.T) {
	seen := make(map[string]string)
	once := func(what, key string) {
		if other, twice := seen[what]; twice {
			t.Errorf("%s and %s are both %s", other, key, what)
		}
		seen[what] = key
	}
	for _, s := range table(Default()) {
		once("key "+s.Key, s.Key)
		once("env "+s.Env(), s.Key)
		if s.Flag != "" {
			once("flag "+s.Flag, s.Key)
		}
		if s.Default() != s.value.show() {
			t.Errorf("%s: %q by default, but says %q", s.Key, s.value.show(), s.Default())
		}
		if err := s.value.set(s.Default()); err != nil || s.value.show() != s.Default() {
			t.Errorf("%s: its default %q: %v", s.Key, s.Default(), err)
		}
		if s.Doc == "" || strings.ContainsAny(s.Doc, "`|\n") || strings.HasSuffix(s.Doc, ".") {
			t.Errorf("%s: doc %q: one line, without backquotes and full stop", s.Key, s.Doc)
		}
		if strings.ContainsAny(s.Key, keySeparator+"_-") || s.Range() == "" || s.Kind() == "" {
			t.Errorf("%s: key, range %q or kind %q", s.Key, s.Range(), s.Kind())
		}
	}
	for _, problem := range Default().check() {
		t.Errorf("the defaults: %v", problem)
	}
}

// Every field has its setting, and a setting changes its own field alone.
func TestEveryFieldIsASetting(t *testing.T) {
	for path := range leaves(reflect.ValueOf(*Default()), "") {
		changedBy := []string{}
		for i, s := range table(new(Config)) {
			c := Default()
			before := leaves(reflect.ValueOf(*c), "")[path]
			if err := table(c)[i].value.set(another(s)); err != nil {
				t.Fatalf("%s: %v", s.Key, err)
			}
			if leaves(reflect.ValueOf(*c), "")[path] != before {
				changedBy = append(changedBy, s.Key)
			}
		}
		if len(changedBy) != 1 {
			t.Errorf("%s is set by %v, want one setting", path, changedBy)
		}
	}
}

// another is a value that is not the default.
func another(s Setting) string {
	switch s.Kind() {
	case "bool":
		return strconv.FormatBool(s.Default() == "false")
	case "choice":
		list := strings.Split(s.Range(), ", ")
		return list[(len(list)+rand.IntN(len(list)-1)+1+indexOf(list, s.Default()))%len(list)]
	case "auth":
		return "file:other"
	case "address":
		return "127.0.0.1:1"
	case "count", "size", "duration":
		lowest, highest, _ := strings.Cut(s.Range(), " to ")
		if lowest == s.Default() {
			return highest
		}
		return lowest
	default:
		return "other"
	}
}

func indexOf(list []string, text string) int {
	for i, s := range list {
		if s == text {
			return i
		}
	}
	return -1
}

// leaves are the values of all exported fields that are no structs, by path.
func leaves(v reflect.Value, prefix string) map[string]any {
	all := make(map[string]any)
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i)
		switch {
		case !name.IsExported():
		case f.Kind() == reflect.Struct:
			for path, leaf := range leaves(f, prefix+name.Name+".") {
				all[path] = leaf
			}
		default:
			all[prefix+name.Name] = f.Interface()
		}
	}
	return all
}

func TestDefaultsAreThoseOfThePackages(t *testing.T) {
	c := Default()
	if c.Host != host.DefaultBounds {
		t.Errorf("bounds of the host: %+v", c.Host)
	}
	if c.API != transport.DefaultLimits {
		t.Errorf("limits of the APIs: %+v", c.API)
	}
	if c.Operations != operations.DefaultLimits || c.Operations.Actors != actors.DefaultLimits {
		t.Errorf("limits of the operations: %+v", c.Operations)
	}
}

func TestStoreOptions(t *testing.T) {
	if o := Default().StoreOptions(); o.Partitions != 0 || o.CacheBytes != pebblestore.DefaultCacheBytes || o.ReserveBytes != 1<<30 {
		t.Errorf("options by default: %+v", o)
	}
	c, err := sources{args: []string{"--set", "store.partitions=256"}}.load(t)
	if err != nil || c.StoreOptions().Partitions != 256 {
		t.Errorf("a count that was asked for: %v", err)
	}
	for partitions, taken := range map[int]bool{partitionsMax: true, partitionsMax + 1: false} {
		s, err := pebblestore.Open("store", pebblestore.Options{FS: vfs.NewMem(), Partitions: partitions})
		if taken != (err == nil) {
			t.Errorf("the store with %d partitions: %v", partitions, err)
		}
		if err == nil {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestPaths(t *testing.T) {
	c, err := sources{args: []string{"--data", "/srv/x", "--auth", "file:/etc/p"}}.load(t)
	if err != nil {
		t.Fatal(err)
	}
	auth, ok := c.AuthFile()
	for what, got := range map[string]bool{
		"store": c.StoreDir() == "/srv/x/store", "streams": c.StreamDir() == "/srv/x/nats/solo",
		"backups": c.BackupDir() == "/srv/x/backup", "principals": ok && auth == "/etc/p", "memory": !c.InMemory(),
	} {
		if !got {
			t.Errorf("%s: wrong in %+v", what, c)
		}
	}
	c.Data = MemoryData
	if dir := c.BackupDir(); dir != "" {
		t.Errorf("backups of data in memory go to %q", dir)
	}
	c.Backup.Dir = "/b"
	if _, ok := Default().AuthFile(); ok || c.BackupDir() != "/b" {
		t.Error("auth off has no file; backups go where they are told")
	}
}
