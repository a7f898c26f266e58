package pebblestore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/upload"
	"concord/persistence"
	"concord/persistence/pebblestore"
)

var byAnn = entity.Meta{Principal: "ann"}

// write makes one version of a collection.
func (w *world) write(id persistence.EntityID, changes ...collection.Change) {
	w.t.Helper()
	if a := w.do(id, &collection.Write{Create: true, Changes: changes}, byAnn); a.err != nil {
		w.t.Fatalf("write: %v", a.err)
	}
}

func (w *world) trim(id persistence.EntityID, p pebblestore.Policy) pebblestore.Trimmed {
	w.t.Helper()
	w.line.flush()
	done, err := w.store.Trim(context.Background(), id, p, pebblestore.TrimOptions{Fold: fold, Now: w.now})
	if err != nil {
		w.t.Fatalf("trim: %v", err)
	}
	return done
}

// A long history goes in several steps, each of which leaves a sound store.
func TestTrimGoesInSteps(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	versions := 2*pebblestore.TrimStepMaxRecords + 100
	for n := range versions {
		w.write(id, put(fmt.Sprintf("d%d", n%50), document(n, 60)))
	}
	done := w.trim(id, pebblestore.Policy{Versions: 10})
	if done.Records != versions-10 {
		t.Errorf("%d records were removed, not %d", done.Records, versions-10)
	}
	if report := sound(t, s); report.Records != 10 || report.Bodies != 50-1 { // all but the one that the oldest version wrote
		t.Errorf("%d records and %d bodies are left", report.Records, report.Bodies)
	}
}

// A trim costs what was written since the last one, not what exists.
func TestTrimCostsWhatChanged(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	const documents, changed = 5000, 20
	for n := 0; n < documents; n += 100 {
		var changes []collection.Change
		for i := range 100 {
			changes = append(changes, put(fmt.Sprintf("d%04d", n+i), document(n, 60)))
		}
		w.write(id, changes...)
	}
	w.write(id, put("last", document(1, 60)))
	first := w.trim(id, pebblestore.Policy{Versions: 1})
	for n := range changed {
		w.write(id, put(fmt.Sprintf("d%04d", n), document(n+1, 60)))
	}
	w.line.flush()
	before := s.DB().Metrics().WAL.BytesIn
	second := w.trim(id, pebblestore.Policy{Versions: 1})
	cost := s.DB().Metrics().WAL.BytesIn - before
	if first.Moved != documents || second.Records != changed || second.Moved > changed+1 || second.Bodies > changed {
		t.Errorf("the first trim did %+v, the second %+v", first, second)
	}
	if most := uint64(changed * 2000); cost > most {
		t.Errorf("the second trim wrote %d bytes, more than %d", cost, most)
	}
	sound(t, s)
}

// What retention removes gives its disk space back.
func TestTrimFreesSpace(t *testing.T) {
	s := open(t, options(vfs.NewMem()).Tune(func(*pebble.Options) {}))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	const versions, kept = 400 / underRace, 4
	for n := range versions {
		w.write(id, put("inline", incompressible(n, 8<<10)), put("beside", incompressible(n+1, 40<<10)))
	}
	before := w.diskSpace()
	w.trim(id, pebblestore.Policy{Versions: kept})
	if after := w.diskSpace(); after > before*(kept+2)/versions {
		t.Errorf("%d versions took %d bytes, %d take %d", versions, before, kept, after)
	}
	sound(t, s)
}

// incompressible is a JSON string of noise.
func incompressible(n, size int) []byte {
	random := newSeeded(uint64(n))
	b := make([]byte, size)
	for i := range b {
		b[i] = byte('a' + random.IntN(26))
		if random.IntN(2) == 0 {
			b[i] -= 'a' - 'A'
		}
	}
	return fmt.Appendf(nil, "%q", b)
}

// diskSpace is what the data takes once nothing is left to be compacted.
func (w *world) diskSpace() uint64 {
	w.t.Helper()
	w.line.flush()
	db := w.store.DB()
	if err := errors.Join(db.Flush(), db.Compact(context.Background(), []byte{0}, []byte{0xFF, 0xFF, 0xFF}, false)); err != nil {
		w.t.Fatalf("compact: %v", err)
	}
	n, err := db.EstimateDiskUsage([]byte{0}, []byte{0xFF, 0xFF, 0xFF})
	if err != nil {
		w.t.Fatalf("disk usage: %v", err)
	}
	return n
}

// An upload that is over gives back its chunks, those that stood inside their records and those beside them.
func TestTrimOfAnExpiredUpload(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := uploadID(1)
	w.do(id, &upload.Open{}, byAnn)
	offset := 0
	for n := range 10 {
		chunk := incompressible(n, 1000+n%2*(40<<10))
		w.do(id, &upload.Append{Offset: uint64(offset), Chunk: chunk}, byAnn)
		offset += len(chunk)
	}
	w.do(id, &upload.Close{}, byAnn)
	w.trim(id, pebblestore.Policy{Versions: 1}) // while its chunks are needed
	report := sound(t, s)
	if report.Records != 1 || report.Bodies != 10 {
		t.Fatalf("in use: %+v", report)
	}
	parts := collect(t, s.Parts(id, ""))
	for n, p := range parts {
		body, err := s.Body(id, p.Place)
		if err != nil || string(body) != string(incompressible(n, 1000+n%2*(40<<10))) {
			t.Fatalf("chunk %d: %d bytes, %v", n, len(body), err)
		}
	}
	w.advance(25 * time.Hour) // the timer, armed by an event that is gone, fires
	w.trim(id, pebblestore.Policy{Versions: 1})
	if report := sound(t, s); report.Records != 1 || report.Bodies != 0 {
		t.Fatalf("expired: %+v", report)
	}
}

// A pin outlives a restart, holds what is above it, too, and lapses.
func TestPinsHoldVersions(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s := open(t, options(disk))
	w := newWorld(t, s)
	id := collectionID(1)
	for n := range 20 {
		w.write(id, put("d", document(n, 60)))
	}
	w.line.flush()
	for _, row := range []struct {
		version uint64
		holder  string
		want    error
	}{{7, "task-1", nil}, {7, "task-2", nil}, {12, "session", nil}, {21, "task-3", persistence.ErrNotFound}, {0, "task-3", persistence.ErrNotFound}} {
		if err := s.Pin(id, row.version, row.holder, w.now.Add(time.Hour)); !errors.Is(err, row.want) {
			t.Fatalf("pin %+v: %v", row, err)
		}
	}
	if err := s.Pin(id, 7, "", w.now); err == nil {
		t.Error("a pin without a holder was taken")
	}
	left := disk.CrashClone(vfs.CrashCloneCfg{})
	closeStore(t, s)
	s = open(t, options(left))
	defer closeStore(t, s)
	w = newWorld(t, s)
	begins := func(want uint64) {
		t.Helper()
		w.trim(id, pebblestore.Policy{Versions: 2})
		if oldest, _ := s.EdgeOf(id); oldest != want {
			t.Fatalf("the history begins at %d, not at %d", oldest, want)
		}
	}
	begins(7)
	unpin := func(version uint64, holder string) {
		t.Helper()
		if err := s.Unpin(id, version, holder); err != nil {
			t.Fatal(err)
		}
	}
	unpin(7, "task-1")
	begins(7)
	unpin(7, "task-2")
	unpin(7, "nobody")
	begins(12)
	if err := s.Pin(id, 7, "late", w.now.Add(time.Hour)); !errors.Is(err, persistence.ErrTrimmed) {
		t.Errorf("a pin that is too late: %v", err)
	}
	w.now = w.now.Add(2 * time.Hour)
	begins(19)
	if pins := s.Raw('P'); len(pins) != 0 {
		t.Errorf("%d pins are left that hold nothing", len(pins))
	}
	sound(t, s)
}

// Retention runs while groups are committed, also to the entity that it trims.
func TestTrimWhileCommitting(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	v := newService(t, s)
	var clients, trimmer sync.WaitGroup
	stop := make(chan struct{})
	for n := range 3 {
		clients.Go(func() { v.client(t, n, uint64(n), nil).send(400 / underRace) })
	}
	trims := 0
	trimmer.Go(func() {
		for choose := newSeeded(1); ; {
			select {
			case <-stop:
				return
			default:
			}
			id := persistence.EntityID{Kind: persistence.Kind(1 + choose.IntN(3)), Provider: "lib",
				ID: fmt.Sprintf("%d-%d", choose.IntN(3), choose.IntN(2))}
			done, err := s.Trim(context.Background(), id, pebblestore.Policy{Versions: 1 + choose.IntN(3)},
				pebblestore.TrimOptions{Fold: fold, Now: worldStart})
			if err != nil {
				t.Errorf("trim: %v", err)
				return
			}
			trims += done.Records
			if choose.IntN(20) == 0 {
				if report, err := s.Verify(context.Background(), pebblestore.VerifyOptions{Fold: fold}); err != nil || report.Findings > 0 {
					t.Errorf("verify: %v, %v", err, report.List)
				}
			}
		}
	})
	clients.Wait()
	close(stop)
	trimmer.Wait()
	if err := v.stop(); err != nil {
		t.Error(err)
	}
	if trims < 100/underRace {
		t.Errorf("only %d records were trimmed", trims)
	}
	kept(t, s, v.told.so())
	sound(t, s)
}

// A trim does not hide that a record was tampered with.
func TestTrimRefusesABrokenChain(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	for n := range 10 {
		w.write(id, put("d", document(n, 60)))
	}
	w.line.flush()
	pair := s.Raw('L')[3]
	pair.Value[len(pair.Value)-3] ^= 1
	if err := s.DB().Set(pair.Key, pair.Value, pebble.NoSync); err != nil {
		t.Fatal(err)
	}
	_, err := s.Trim(context.Background(), id, pebblestore.Policy{Versions: 1}, pebblestore.TrimOptions{Fold: fold, Now: w.now})
	if !errors.Is(err, persistence.ErrCorrupt) {
		t.Errorf("trim: %v", err)
	}
	if oldest, _ := s.EdgeOf(id); oldest != 1 {
		t.Errorf("the history begins at %d", oldest)
	}
}
