package pebblestore_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"

	"concord/actors"
	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/lock"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/persistence/recordpb"
)

// thinned notes which events without a version the policy does not keep, found the slow way.
func (w *trimmedWorld) thinned(id persistence.EntityID, p pebblestore.Policy) {
	if !w.versioned(id) || p.Versions == 0 && p.Days == 0 {
		return
	}
	all := collect(w.t, w.whole.Records(id, 0))
	keep := uint64(len(all))
	if p.Versions > 0 {
		keep = uint64(max(1, len(all)-p.Versions+1))
	}
	var last, old uint64 // version; events that are old enough
	for _, rec := range all {
		if !persistence.TimeOf(rec.GetTime()).After(w.now.AddDate(0, 0, -p.Days)) {
			old = rec.GetSeq()
		}
		for _, pin := range w.pinned[id] {
			if rec.GetVersion() == pin.Version && pin.Version > last && w.holds(pin) {
				keep = min(keep, rec.GetSeq())
			}
		}
		last = rec.GetVersion()
	}
	if p.Days > 0 {
		keep = min(keep, old)
	}
	keep = min(keep, w.unread(id))
	if w.gone[id] == nil {
		w.gone[id] = make(map[uint64]bool)
	}
	last = 0
	for _, rec := range all {
		if rec.GetSeq() < keep && rec.GetVersion() == last && len(rec.GetParts()) == 0 {
			w.gone[id][rec.GetSeq()] = true
		}
		last = rec.GetVersion()
	}
}

// unread is the first event of the entity that the readers of the log have not read.
func (w *trimmedWorld) unread(id persistence.EntityID) uint64 {
	if w.read == ^persistence.Position(0) {
		return math.MaxUint64
	}
	for rec, err := range w.whole.Log(persistence.PartitionOf(id, testPartitions), w.read+1) {
		if err != nil {
			w.t.Fatalf("log: %v", err)
		}
		if rec.Entity == id && rec.Record.GetSeq() > 0 {
			return rec.Record.GetSeq()
		}
	}
	return math.MaxUint64
}

// locked takes the lock of the collection and breaks it, so many times: two events each.
func (w *world) locked(id persistence.EntityID, times int) {
	w.t.Helper()
	for range times {
		for _, c := range []lock.Command{lock.Acquire{}, lock.Break{Reason: "tidy"}} {
			if a := w.do(id, &collection.Locking{Command: c}, byAnn); a.err != nil {
				w.t.Fatalf("%T: %v", c, a.err)
			}
		}
	}
	w.line.flush()
}

// seqs are the events that are kept, as runs of first and last.
func (w *world) seqs(id persistence.EntityID) (runs [][2]uint64) {
	w.t.Helper()
	for _, rec := range collect(w.t, w.store.Records(id, 0)) {
		if n := len(runs); n > 0 && runs[n-1][1]+1 == rec.GetSeq() {
			runs[n-1][1]++
		} else {
			runs = append(runs, [2]uint64{rec.GetSeq(), rec.GetSeq()})
		}
	}
	return runs
}

// A collection that is locked and released for ever without a save does not grow, and keeps its versions.
func TestLockedForEver(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	keep := pebblestore.Policy{Versions: 10}
	want := func(gaps int, runs ...[2]uint64) {
		t.Helper()
		if got := w.seqs(id); !slices.Equal(got, runs) {
			t.Fatalf("kept are the events %v, not %v", got, runs)
		}
		if got := len(s.Raw('X')); got != gaps {
			t.Fatalf("%d gaps, not %d", got, gaps)
		}
		sound(t, s)
	}
	w.write(id, put("d", document(1, 60)))
	times := uint64(pebblestore.TrimStepMaxRecords + 5) // more than one step removes
	w.locked(id, int(times))
	newest := 1 + 2*times
	if done := w.trim(id, keep); done.Records != int(newest-11) {
		t.Errorf("%d events went", done.Records)
	}
	want(1, [2]uint64{1, 1}, [2]uint64{newest - 9, newest})
	w.locked(id, 50) // the gap grows
	w.trim(id, keep)
	want(1, [2]uint64{1, 1}, [2]uint64{newest + 91, newest + 100})
	w.write(id, put("d", document(2, 60)))
	second := newest + 101
	w.locked(id, 50)
	w.passivate() // the newest state is what it was
	w.trim(id, keep)
	want(2, [2]uint64{1, 1}, [2]uint64{second, second}, [2]uint64{second + 91, second + 100})
	for version := range uint64(2) {
		p, err := s.PartAt(id, "d", version+1)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := s.Body(id, p.Place); err != nil || !bytes.Equal(body, document(int(version)+1, 60)) {
			t.Errorf("version %d: %s, %v", version+1, body, err)
		}
	}
	if n := len(collect(t, s.Versions(id, 0))); n != 2 {
		t.Errorf("the history has %d versions", n)
	}
	w.trim(id, pebblestore.Policy{Versions: 1}) // the edge passes the first version and the gap behind it
	want(1, [2]uint64{second, second}, [2]uint64{second + 100, second + 100})
	if done := w.trim(id, pebblestore.Policy{Versions: 1}); done.Records != 0 {
		t.Errorf("a trim with nothing to do removed %d events", done.Records)
	}
}

// What waits for its turn is read back from its event: it stays as long as it waits, and what came before it goes.
func TestThinningLeavesWhatWaits(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	trim := func() {
		t.Helper()
		w.line.flush()
		if _, err := s.Trim(context.Background(), id, pebblestore.Policy{Versions: 1},
			pebblestore.TrimOptions{Fold: fold, Now: w.now, Needs: actors.Needs(actors.DefaultLimits)}); err != nil {
			t.Fatal(err)
		}
		sound(t, s)
	}
	w.write(id, put("d", document(1, 60)))
	w.locked(id, 5)
	w.do(id, &collection.Locking{Command: lock.Acquire{}}, byAnn)
	waiting := &collection.Write{Create: true, Changes: []collection.Change{put("d", document(2, 60))}}
	waiting.Park = true
	if a := w.do(id, waiting, byAnn); a.err != nil { // event 13
		t.Fatal(a.err)
	}
	for range 5 {
		w.now = w.now.Add(time.Second)
		w.do(id, &collection.Locking{Command: lock.Acquire{Wait: true}}, byAnn)
		w.do(id, &collection.Locking{Command: lock.Contest{Acquire: true}}, byAnn)
	}
	trim()
	runs := w.seqs(id)
	if len(runs) != 2 || runs[0] != [2]uint64{1, 1} || runs[1][0] != 13 {
		t.Fatalf("kept are the events %v", runs)
	}
	w.do(id, &collection.Locking{Command: lock.Break{Reason: "tidy"}}, byAnn)
	w.do(id, &collection.Advance{}, byAnn)
	w.locked(id, 5)
	if head, err := s.Head(id); err != nil || head.Version != 2 {
		t.Fatalf("it did not have its turn: %+v, %v", head, err)
	}
	trim()
	if runs := w.seqs(id); len(runs) != 2 || runs[0][0] != runs[0][1] {
		t.Errorf("kept are the events %v", runs)
	}
}

// A gap is as good a link as any: where it lies, its hashes, its state, its timers.
func TestVerifyFindsABrokenGap(t *testing.T) {
	s := open(t, options(vfs.NewMem()))
	defer closeStore(t, s)
	w := newWorld(t, s)
	id := collectionID(1)
	w.write(id, put("d", document(1, 60)))
	w.locked(id, 3)
	w.now = w.now.Add(time.Minute)
	w.do(id, &collection.Locking{Command: lock.Acquire{TTL: 10 * time.Second}}, byAnn) // its timer stands in the gap alone
	w.do(id, &collection.Locking{Command: lock.Acquire{Wait: true}}, entity.Meta{Principal: "bob"})
	w.trim(id, pebblestore.Policy{Versions: 1})
	sound(t, s)
	gaps := s.Raw('X')
	if len(gaps) != 1 {
		t.Fatalf("%d gaps", len(gaps))
	}
	x := tampered{t, s.DB()}
	for what, damage := range map[string]func(*recordpb.Gap){
		"the hash before":    func(g *recordpb.Gap) { g.PreviousHash[0] ^= 1 },
		"the hash behind":    func(g *recordpb.Gap) { g.Head.Hash[0] ^= 1 },
		"no hash behind":     func(g *recordpb.Gap) { g.Head.Hash = nil },
		"it ends earlier":    func(g *recordpb.Gap) { g.Head.Seq-- },
		"it ends later":      func(g *recordpb.Gap) { g.Head.Seq++ },
		"it ends before":     func(g *recordpb.Gap) { g.Head.Seq = 1 },
		"it makes a version": func(g *recordpb.Gap) { g.Head.Version++ },
		"it is too old":      func(g *recordpb.Gap) { g.Head.Time = worldStart.UnixMicro() - 1 },
		"no state":           func(g *recordpb.Gap) { g.Head.State = nil },
		"no head":            func(g *recordpb.Gap) { g.Head = nil },
		"no timers":          func(g *recordpb.Gap) { g.Timers = nil },
		"another timer":      func(g *recordpb.Gap) { g.Timers[0].Due++ },
	} {
		var g recordpb.Gap
		if err := proto.Unmarshal(gaps[0].Value, &g); err != nil || len(g.GetTimers()) != 1 {
			t.Fatalf("%v, %v", &g, err)
		}
		damage(&g)
		value, _ := proto.Marshal(&g)
		x.set(gaps[0].Key, value)
		report, err := s.Verify(context.Background(), pebblestore.VerifyOptions{Fold: fold})
		if err != nil || report.Findings == 0 || report.List[0].Entity == "" {
			t.Errorf("%s: %v, %v", what, err, report.List)
		}
	}
}

func goldenGap() *recordpb.Gap {
	return &recordpb.Gap{
		PreviousHash: []byte{1, 2, 3, 4},
		Head:         &recordpb.Head{Seq: 9, Version: 2, Time: worldStart.UnixMicro(), Hash: []byte{5, 6}, State: []byte("state")},
		Timers: []*recordpb.TimerChange{{Name: "a", Due: worldStart.UnixMicro()},
			{Name: "b", Was: worldStart.UnixMicro(), Due: worldStart.UnixMicro() + 1}, {Name: "c", Was: worldStart.UnixMicro()}},
	}
}

// What version 1 stored of a gap stays readable: the line is never edited.
func TestGoldenGap(t *testing.T) {
	const golden = "0a0401020304121808091002190010af35f54b0600220205062a0573746174651a0c0a0161190010af35f54b06001a150a0162110010af35f54b0600190110af35f54b06001a0c0a0163110010af35f54b0600"
	b, err := hex.DecodeString(golden)
	if err != nil {
		t.Fatal(err)
	}
	var g recordpb.Gap
	if err := proto.Unmarshal(b, &g); err != nil || !proto.Equal(&g, goldenGap()) {
		t.Errorf("it is read as %v, %v", &g, err)
	}
}
