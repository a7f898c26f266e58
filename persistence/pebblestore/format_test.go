package pebblestore_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/provider"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

var update = flag.Bool("update", false, "write the golden file of a format that was never released")

const goldenFormat1 = "format1.txt"

// makeFormat1 is a store with records of every family of the log, the edges and the derived ones.
func makeFormat1(t *testing.T) *pebblestore.Store {
	s := open(t, options(vfs.NewMem()))
	w := newWorld(t, s)
	c, p := collectionID(1), providerID(1)
	for n := range 4 {
		if n == 3 {
			w.pin(c, "job", w.now.Add(time.Minute))
		}
		w.do(c, &collection.Write{Create: true, Changes: []collection.Change{
			put(collection.MetadataPart, fmt.Appendf(nil, `{"title":"golden %d"}`, n)),
			put(fmt.Sprintf("d%d", n%3), document(n, 40)), put("large", document(n, 33<<10))}},
			entity.Meta{Principal: "ann", Session: "s1", RequestID: "r1", Reason: "golden", Key: fmt.Sprint("k", n),
				KeyDigest: bytes.Repeat([]byte{7}, 32)})
	}
	w.do(p, &provider.Reserve{Scope: "code", Name: "x", Owner: "o"}, byAnn)
	w.do(p, &provider.Next{Counter: "task"}, byAnn)
	w.now = w.now.Add(time.Minute)
	w.trim(c, pebblestore.Policy{Versions: 2})
	w.trim(p, pebblestore.Policy{Versions: 1})
	return s
}

// What format 1 has written stays readable: the golden file of a released version is never made anew.
func TestFormat1IsReadable(t *testing.T) {
	path := filepath.Join("testdata", goldenFormat1)
	if *update {
		s := makeFormat1(t)
		writeGolden(t, path, s.Raw())
		closeStore(t, s)
	}
	disk := vfs.NewMem()
	s := open(t, options(disk))
	for _, pair := range readGolden(t, path) {
		if err := s.DB().Set(pair.Key, pair.Value, pebble.NoSync); err != nil {
			t.Fatal(err)
		}
	}
	closeStore(t, s)
	s = open(t, options(disk))
	defer closeStore(t, s)
	if f := s.Format(); f != (pebblestore.Format{Version: 1, Partitions: testPartitions, ID: "test"}) {
		t.Errorf("format: %+v", f)
	}
	checkFormat1(t, s)
	if _, err := s.Rebuild(t.Context(), fold, ""); err != nil { // states may have more to say than they had then
		t.Fatalf("rebuild: %v", err)
	}
	sound(t, s)
	checkFormat1(t, s)
}

func checkFormat1(t *testing.T, s *pebblestore.Store) {
	t.Helper()
	c := collectionID(1)
	head, err := s.Head(c)
	if err != nil || head.Seq != 4 || head.Version != 4 || !head.Time.Equal(worldStart) || len(head.Hash) != 32 {
		t.Errorf("head: %+v, %v", head, err)
	}
	if oldest, seq := s.EdgeOf(c); oldest != 3 || seq != 2 {
		t.Errorf("edge: %d, %d", oldest, seq)
	}
	records := collect(t, s.Records(c, 0))
	if len(records) != 2 {
		t.Fatalf("%d records", len(records))
	}
	r := records[0]
	if r.GetSeq() != 3 || r.GetVersion() != 3 || r.GetType() != collection.TypeSaved || r.GetPrincipal() != "ann" ||
		r.GetSession() != "s1" || r.GetRequestId() != "r1" || r.GetReason() != "golden" || len(r.GetPreviousHash()) != 32 ||
		r.GetOutcome().GetKey() != "k2" || len(r.GetParts()) != 3 {
		t.Errorf("record: %v", r)
	}
	for part, want := range map[string]string{"": `{"title":"golden 2"}`, "d0": string(document(0, 40)),
		"d1": string(document(1, 40)), "d2": string(document(2, 40)), "large": string(document(2, 33<<10))} {
		p, err := s.PartAt(c, part, 3)
		if err != nil {
			t.Fatalf("part %q: %v", part, err)
		}
		if body, err := s.Body(c, p.Place); err != nil || string(body) != want {
			t.Errorf("part %q: %d bytes, %v", part, len(body), err)
		}
	}
	for n := range 4 {
		if _, err := s.Outcome(c, "ann", fmt.Sprint("k", n), worldStart); err != nil {
			t.Errorf("outcome %d: %v", n, err)
		}
	}
	timers := collect(t, s.Timers(persistence.PartitionOf(providerID(1), testPartitions)))
	if len(timers) != 1 || timers[0].Name != "code/x" || !timers[0].Due.Equal(worldStart.Add(provider.ReservationTTL)) {
		t.Errorf("timers: %+v", timers)
	}
}

// longRun is a run that a golden file does not write out.
var longRun = bytes.Repeat([]byte("x"), 1000)

func writeGolden(t *testing.T, path string, pairs []pebblestore.RawPair) {
	t.Helper()
	var b bytes.Buffer
	for _, p := range pairs {
		before, run, after := p.Value, 0, []byte(nil)
		if i := bytes.Index(p.Value, longRun); i >= 0 {
			before, after = p.Value[:i], bytes.TrimLeft(p.Value[i:], "x")
			run = len(p.Value) - len(before) - len(after)
		}
		fmt.Fprintf(&b, "%s %x %x*%d*%x\n", pebblestore.FamilyName(p.Key[2]), p.Key, before, run, after)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b.Bytes(), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func readGolden(t *testing.T, path string) (pairs []pebblestore.RawPair) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.FieldsFunc(strings.TrimSpace(line), func(r rune) bool { return r == ' ' })
		value := strings.Split(fields[2], "*")
		run, err := strconv.Atoi(value[1])
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, pebblestore.RawPair{Key: unhex(t, fields[1]),
			Value: slices.Concat(unhex(t, value[0]), bytes.Repeat([]byte("x"), run), unhex(t, value[2]))})
	}
	return pairs
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A directory belongs to one process; a store keeps its format and its count of partitions.
func TestOpenRefuses(t *testing.T) {
	disk := vfs.NewMem()
	s := open(t, options(disk))
	if _, err := pebblestore.Open("data", options(disk)); !errors.Is(err, pebblestore.ErrInUse) {
		t.Errorf("a second opener: %v", err)
	}
	newHistory(newWorld(t, s), newSeeded(1)).run(50)
	closeStore(t, s)
	other := options(disk)
	for _, row := range []struct {
		partitions int
		ok         bool
	}{{testPartitions + 1, false}, {-1, false}, {1 << 20, false}, {0, true}, {testPartitions, true}} {
		other.Partitions = row.partitions
		s, err := pebblestore.Open("data", other)
		if (err == nil) != row.ok {
			t.Errorf("%d partitions: %v", row.partitions, err)
		}
		if err == nil {
			if s.Partitions() != testPartitions {
				t.Errorf("it has %d partitions", s.Partitions())
			}
			closeStore(t, s)
		}
	}
	for text, want := range map[string]string{
		`{"version":2,"partitions":4}`: "use a newer one",
		`{"version":1,"partitions":0}`: "corrupt",
		`{"version":1`:                 "corrupt",
		``:                             "missing",
	} {
		s := open(t, options(disk))
		x := tampered{t, s.DB()}
		key := []byte{0xFF, 0xFF, 'F'}
		if text == "" {
			x.remove(key)
		} else {
			x.set(key, []byte(text))
		}
		closeStore(t, s)
		_, err := pebblestore.Open("data", options(disk))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("format %q: %v", text, err)
		}
		repairFormat(t, disk, key)
	}
}

func repairFormat(t *testing.T, disk vfs.FS, key []byte) {
	t.Helper()
	db, err := pebble.Open("data", &pebble.Options{FS: disk, FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(pebblestore.Format{Version: 1, Partitions: testPartitions, ID: "test"})
	if err := errors.Join(db.Set(key, text, pebble.Sync), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// quiet is a logger that says nothing.
type quiet struct{}

func (quiet) Infof(string, ...any)              {}
func (quiet) Errorf(string, ...any)             {}
func (quiet) Fatalf(format string, args ...any) { panic(fmt.Sprintf(format, args...)) }

// inLog are options under which little data stays in the log.
func inLog(disk vfs.FS) pebblestore.Options {
	return options(disk).Tune(func(o *pebble.Options) { o.MemTableSize = 16 << 20 })
}

// A store that is opened to be looked at is not changed, and its log is held against the mark all the same.
func TestOpenReadOnly(t *testing.T) {
	disk := vfs.NewMem()
	o := options(disk)
	o.ReadOnly = true
	if _, err := pebblestore.Open("data", o); !errors.Is(err, persistence.ErrNotFound) {
		t.Errorf("where there is none: %v", err)
	}
	s := open(t, inLog(disk))
	newHistory(newWorld(t, s), newSeeded(1)).run(50)
	want := s.Raw()
	closeStore(t, s)
	before := readFiles(t, disk, "data")
	s = open(t, o)
	sameRecords(t, want, s.Raw())
	sound(t, s)
	closeStore(t, s)
	after := readFiles(t, disk, "data")
	for name, b := range before {
		if !bytes.Equal(b, after[name]) {
			t.Errorf("%s has changed", name)
		}
	}
	for name := range before {
		if strings.HasSuffix(name, ".log") {
			before[name] = before[name][:len(before[name])/2]
		}
	}
	o.FS = before.disk(t)
	if s, err := pebblestore.Open("data", o); err == nil {
		closeStore(t, s)
		t.Error("half a log was not noticed")
	}
}

// An operator may go on with what is left of a log, once; what comes later is guarded again.
func TestAcceptDataLoss(t *testing.T) {
	disk := vfs.NewMem()
	s := open(t, inLog(disk))
	newHistory(newWorld(t, s), newSeeded(1)).run(50)
	closeStore(t, s)
	cut := readFiles(t, disk, "data")
	for name := range cut {
		if strings.HasSuffix(name, ".log") {
			cut[name] = cut[name][:len(cut[name])/2]
		}
	}
	disk = cut.disk(t)
	if _, err := pebblestore.Open("data", options(disk)); !errors.Is(err, persistence.ErrCorrupt) {
		t.Fatalf("half a log: %v", err)
	}
	o, warned := options(disk), ""
	o.AcceptDataLoss, o.Warn = true, func(text string) { warned += text }
	s, err := pebblestore.Open("data", o)
	if err != nil || !strings.Contains(warned, "data loss accepted") {
		t.Fatalf("accepted: %v, warned: %q", err, warned)
	}
	closeStore(t, s)
	s = open(t, options(disk)) // without being asked again
	sound(t, s)
	closeStore(t, s)
}
