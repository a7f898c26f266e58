package pebblestore_test

import (
	"bytes"
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

// A part that retention takes away while it is looked for is no longer kept: it is not told as one that never was.
func TestAPartThatGoesMeanwhile(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	w.write(id, put("d", document(1, 60)))
	w.write(id, put("d", document(2, 60)))
	w.write(id, put("e", document(3, 60)))
	w.line.flush()
	trim := func() { w.trim(id, pebblestore.Policy{Versions: 1}) }
	if p, err := s.PartAtMeanwhile(id, "d", 1, trim); !errors.Is(err, persistence.ErrTrimmed) {
		t.Errorf("%+v, %v", p, err)
	}
	if p, err := s.PartAtMeanwhile(id, "d", 3, trim); err != nil || p.Version != 2 {
		t.Errorf("one that is still there: %+v, %v", p, err)
	}
	if p, err := s.PartAtMeanwhile(id, "f", 3, trim); !errors.Is(err, persistence.ErrNotFound) {
		t.Errorf("one that never was: %+v, %v", p, err)
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

// trimBut is trim while holders are released.
func (w *world) trimBut(id persistence.EntityID, p pebblestore.Policy, released map[string]bool) pebblestore.Trimmed {
	w.t.Helper()
	w.line.flush()
	done, err := w.store.Trim(context.Background(), id, p, pebblestore.TrimOptions{Fold: fold, Now: w.now,
		Released: func(_ persistence.EntityID, holder string) (bool, error) { return released[holder], nil }})
	if err != nil {
		w.t.Fatalf("trim: %v", err)
	}
	return done
}

// begins demands that the history begins at the version, and has these pins.
func (w *world) begins(id persistence.EntityID, want uint64, pins ...string) {
	w.t.Helper()
	oldest, _ := w.store.EdgeOf(id)
	have := []string{}
	for _, p := range w.store.PinsOf(id) {
		have = append(have, fmt.Sprint(p.Holder, "@", p.Version))
	}
	if oldest != want || fmt.Sprint(have) != fmt.Sprint(pins) {
		w.t.Fatalf("the history begins at %d with pins %v, not at %d with %v", oldest, have, want, pins)
	}
}

// A pin outlives a restart, holds what is above it, too, and lapses: by time, or when its holder is released.
func TestPinsHoldVersions(t *testing.T) {
	disk := vfs.NewCrashableMem()
	s := open(t, options(disk))
	w := newWorld(t, s)
	id := collectionID(1)
	for n := range 20 {
		for _, holder := range map[int][]string{7: {"task-1", "task-2"}, 12: {"task-3"}, 15: {"task-4"}}[n] {
			w.pin(id, holder, w.now.Add(time.Hour))
		}
		w.write(id, put("d", document(n, 60)))
	}
	w.line.flush()
	left := disk.CrashClone(vfs.CrashCloneCfg{})
	closeStore(t, s)
	s = open(t, options(left))
	defer closeStore(t, s)
	w = newWorld(t, s)
	two := pebblestore.Policy{Versions: 2}
	w.trim(id, two)
	w.begins(id, 7, "task-1@7", "task-2@7", "task-3@12", "task-4@15")
	w.trimBut(id, two, map[string]bool{"task-1": true, "task-3": true})
	w.begins(id, 7, "task-2@7", "task-4@15") // one above a pin that holds goes, too
	w.trimBut(id, two, map[string]bool{"task-2": true})
	w.begins(id, 15, "task-4@15")
	w.now = w.now.Add(2 * time.Hour)
	w.trim(id, two)
	w.begins(id, 19)
	sound(t, s)
}

// What a policy keeps by itself is not pinned for ever: pins that hold nothing go, though nothing else does.
func TestPinsGoBeforeTheirVersions(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	for n := range 5 {
		if n > 0 {
			w.pin(id, fmt.Sprint("task-", n), w.now.Add(time.Hour))
		}
		w.write(id, put("d", document(n, 60)))
	}
	done := w.trimBut(id, pebblestore.Policy{Versions: 100}, map[string]bool{"task-2": true, "task-4": true})
	if done.Pins != 2 || done.Records != 0 {
		t.Errorf("it did %+v", done)
	}
	w.begins(id, 1, "task-1@1", "task-3@3")
	w.trimBut(id, pebblestore.Policy{}, map[string]bool{"task-1": true})
	w.begins(id, 1, "task-1@1", "task-3@3") // where all is kept, pins are not looked at
}

// A step looks at so many pins at most: asks of them are bounded, however often a collection is edited.
func TestPinsAreLookedAtInSteps(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	const pins = 3*pebblestore.PinsMaxLooked + 10
	for n := range pins + 1 {
		if n > 0 {
			w.pin(id, "task", w.now.Add(time.Hour))
		}
		w.write(id, put("d", document(n, 60)))
	}
	w.line.flush()
	asked, released := 0, false
	trim := func() pebblestore.Trimmed {
		t.Helper()
		asked = 0
		done, err := s.Trim(context.Background(), id, pebblestore.Policy{Versions: 1}, pebblestore.TrimOptions{Fold: fold, Now: w.now,
			Released: func(persistence.EntityID, string) (bool, error) { asked++; return released, nil }})
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	if done := trim(); done != (pebblestore.Trimmed{}) || asked != pebblestore.PinsMaxLooked {
		t.Errorf("all hold: it did %+v, and asked %d times", done, asked)
	}
	released = true
	if done := trim(); done.Pins != pins || done.Records != pins || asked != pins {
		t.Errorf("none holds: it did %+v, and asked %d times", done, asked)
	}
	w.begins(id, pins+1)
	sound(t, s)
}

// Where it is not known whether a holder still needs its versions, nothing goes.
func TestTrimNeedsToKnowTheHolders(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	for n := range 5 {
		if n == 3 {
			w.pin(id, "task", w.now.Add(time.Hour))
		}
		w.write(id, put("d", document(n, 60)))
	}
	w.line.flush()
	unknown := errors.New("the holder cannot be read")
	_, err := s.Trim(context.Background(), id, pebblestore.Policy{Versions: 1}, pebblestore.TrimOptions{Fold: fold, Now: w.now,
		Released: func(persistence.EntityID, string) (bool, error) { return true, unknown }})
	if !errors.Is(err, unknown) {
		t.Errorf("trim: %v", err)
	}
	w.begins(id, 1, "task@3")
}

// A bulk of edits keeps what it has replaced while it can be taken back, however much is written since, and gives the space back
// after that.
func TestReleasedPinsFreeSpace(t *testing.T) {
	s := open(t, options(vfs.NewMem()).Tune(func(*pebble.Options) {}))
	defer closeStore(t, s)
	w := newWorld(t, s)
	one := pebblestore.Policy{Versions: 1}
	const collections, later = 120 / underRace, 3
	writeAll := func(n int) {
		for i := range collections {
			w.write(collectionID(i), put("inline", incompressible(n*collections+i, 8<<10)),
				put("beside", incompressible(n*collections+i, 40<<10)))
		}
	}
	writeAll(0)
	for i := range collections {
		w.trim(collectionID(i), one)
	}
	before := w.diskSpace()
	for i := range collections {
		w.pin(collectionID(i), "task", w.now.Add(24*time.Hour))
	}
	for n := range 1 + later {
		writeAll(1 + n)
	}
	for i := range collections {
		id := collectionID(i)
		if done := w.trim(id, one); done.Records > 0 || done.Pins > 0 {
			t.Fatalf("%v is pinned: %+v", id, done)
		}
		for _, part := range []string{"inline", "beside"} {
			p, err := s.PartAt(id, part, 1)
			if err != nil {
				t.Fatal(err)
			}
			size := map[string]int{"inline": 8 << 10, "beside": 40 << 10}[part]
			if body, err := s.Body(id, p.Place); err != nil || !bytes.Equal(body, incompressible(i, size)) {
				t.Fatalf("part %q of %v at version 1: %d bytes, %v", part, id, len(body), err)
			}
		}
	}
	if held := w.diskSpace(); held < before*(2+later)*9/10 {
		t.Errorf("%d bytes before, and only %d with all that is pinned", before, held)
	}
	for i := range collections {
		w.trimBut(collectionID(i), one, map[string]bool{"task": true})
	}
	if after := w.diskSpace(); after > before*11/10 {
		t.Errorf("%d bytes before, %d after", before, after)
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
			id := persistence.EntityID{Kind: trimmedKinds[choose.IntN(len(trimmedKinds))], Provider: "lib",
				ID: fmt.Sprintf("%d-%d", choose.IntN(3), choose.IntN(2))}
			done, err := s.Trim(context.Background(), id, pebblestore.Policy{Versions: 1 + choose.IntN(3)},
				pebblestore.TrimOptions{Fold: fold, Now: worldStart, Released: released})
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
