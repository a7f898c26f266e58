package pebblestore_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"google.golang.org/protobuf/proto"

	"concord/actors/collection"
	"concord/actors/entity"
	"concord/actors/provider"
	"concord/actors/upload"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/persistence/recordpb"
)

// tampered changes one stored record and undoes it.
type tampered struct {
	t  *testing.T
	db *pebble.DB
}

func (x tampered) set(key, value []byte) {
	if err := x.db.Set(key, value, pebble.NoSync); err != nil {
		x.t.Fatal(err)
	}
}

func (x tampered) remove(key []byte) {
	if err := x.db.Delete(key, pebble.NoSync); err != nil {
		x.t.Fatal(err)
	}
}

func (x tampered) has(key []byte) bool {
	_, closer, err := x.db.Get(key)
	return err == nil && closer.Close() == nil
}

// damage does one kind of damage to the n-th record, and returns how to undo it; nil: it does not apply.
type damage func(x tampered, n int, p pebblestore.RawPair) (undo func())

var damages = map[string]damage{
	"missing": func(x tampered, _ int, p pebblestore.RawPair) func() {
		x.remove(p.Key)
		return func() { x.set(p.Key, p.Value) }
	},
	"flipped": func(x tampered, n int, p pebblestore.RawPair) func() {
		if len(p.Value) == 0 {
			return nil
		}
		value := bytes.Clone(p.Value)
		value[n*31%len(value)] ^= 1 << (n % 8)
		x.set(p.Key, value)
		return func() { x.set(p.Key, p.Value) }
	},
	"longer": func(x tampered, _ int, p pebblestore.RawPair) func() {
		x.set(p.Key, append(bytes.Clone(p.Value), 0))
		return func() { x.set(p.Key, p.Value) }
	},
	"moved": func(x tampered, _ int, p pebblestore.RawPair) func() {
		key := bytes.Clone(p.Key)
		key[len(key)-1] ^= 0x41
		if x.has(key) {
			return nil
		}
		x.remove(p.Key)
		x.set(key, p.Value)
		return func() { x.remove(key); x.set(p.Key, p.Value) }
	},
	"doubled": func(x tampered, _ int, p pebblestore.RawPair) func() {
		key := bytes.Clone(p.Key)
		key[len(key)-1] ^= 0x41
		if x.has(key) {
			return nil
		}
		x.set(key, p.Value)
		return func() { x.remove(key) }
	},
}

// unseen is what nothing else in the store contradicts, and why that is no loss.
func unseen(kind string, p pebblestore.RawPair) bool {
	switch pebblestore.FamilyName(p.Key[2]) + " " + kind {
	case "log flipped", "log longer", "log doubled":
		var rec recordpb.Record // a remembered outcome is in no chain; the file's own checksums guard it
		return proto.Unmarshal(p.Value, &rec) == nil && rec.GetSeq() == 0
	case "edge flipped":
		return true // the state before the oldest event; TestVerifyFindsABrokenEdge has the rest
	case "gap flipped":
		return true // what it says of the state, if later events say it again; TestVerifyFindsABrokenGap has the rest
	case "edge-part flipped", "edge-part longer", "edge-timer missing", "edge-timer moved":
		return true // of a part that was written again, or a timer that was cleared; see TestVerifyFindsABrokenEdge
	case "forgotten flipped", "forgotten missing":
		return true // it matters only while there are outcomes of those days
	case "group flipped", "pin flipped", "pin missing", "pin moved", "pin doubled", "cursor flipped", "cursor longer":
		return true // nothing says what they should be
	case "cursor missing", "cursor moved", "cursor doubled", "format longer":
		return true
	default:
		return pebblestore.FamilyName(p.Key[2]) == "format" // Open checks it
	}
}

// tamperWorld has records of every family.
func tamperWorld(t *testing.T) *trimmedWorld {
	w := newTrimmedWorld(t, newSeeded(3))
	for range 700 {
		w.step()
	}
	for n := range 8 {
		w.do(mixedID(n%2), &mixedEvent{Content: true, Part: string(rune('a' + n%3)), Value: n, Removed: n == 7}, entity.Meta{Principal: "ann"})
	}
	w.do(uploadID(9), &upload.Open{}, entity.Meta{Principal: "ann"})
	w.do(providerID(0), &provider.Reserve{Scope: "code", Name: "armed", Owner: "x"}, entity.Meta{Principal: "ann"})
	if err := w.store.SetCursor("reader", []byte("here")); err != nil {
		t.Fatal(err)
	}
	c := collectionID(9)
	for n := range 5 { // outcomes that are young, of events that are trimmed
		if n == 4 {
			w.pin(c, "job", w.now)
		}
		w.do(c, &collection.Write{Create: true, Changes: []collection.Change{put("d", document(n, 50))}},
			entity.Meta{Principal: "ann", Key: string(rune('a' + n)), KeyDigest: []byte("digest")})
	}
	w.line.flush()
	if _, err := w.store.Trim(context.Background(), c, pebblestore.Policy{Versions: 1},
		pebblestore.TrimOptions{Fold: fold, Now: w.now}); err != nil {
		t.Fatal(err)
	}
	return w
}

// A record that is missing, changed, moved or doubled is found, in every family.
func TestVerifyFindsTampering(t *testing.T) {
	w := tamperWorld(t)
	defer w.close()
	sound(t, w.store)
	x := tampered{t, w.store.DB()}
	tried := make(map[string]int)
	for n, p := range w.store.Raw() {
		for kind, do := range damages {
			name := pebblestore.FamilyName(p.Key[2]) + " " + kind
			if unseen(kind, p) || tried[name] > 20/underRace && n%(7*underRace) != 0 {
				continue
			}
			undo := do(x, n, p)
			if undo == nil {
				continue
			}
			tried[name]++
			report, err := w.store.Verify(context.Background(), pebblestore.VerifyOptions{Fold: fold})
			if err != nil {
				t.Fatalf("verify after %s: %v", name, err)
			}
			if report.Findings == 0 {
				t.Errorf("%s: nothing was found (%q: %.300q)", name, p.Key, p.Value)
			}
			undo()
		}
	}
	sound(t, w.store)
	for _, family := range pebblestore.Families() {
		if tried[family+" missing"]+tried[family+" longer"] == 0 && family != "format" && family != "cursor" {
			t.Errorf("there was no %s record to damage", family)
		}
	}
}

// The edge of a trimmed history is as good a link as any: its hash, the bodies that it keeps, its timers.
func TestVerifyFindsABrokenEdge(t *testing.T) {
	w := tamperWorld(t)
	defer w.close()
	x := tampered{t, w.store.DB()}
	for _, p := range w.store.Raw('K', 'k') {
		value := bytes.Clone(p.Value)
		if p.Key[2] == 'k' {
			value[3] ^= 1 // the digest of the body
		} else {
			var base recordpb.Base
			if err := proto.Unmarshal(value, &base); err != nil {
				t.Fatal(err)
			}
			base.Head.Hash[0] ^= 1
			value, _ = proto.Marshal(&base)
		}
		x.set(p.Key, value)
		report, err := w.store.Verify(context.Background(), pebblestore.VerifyOptions{Fold: fold, FindingsMax: 1})
		if err != nil || report.Findings == 0 || len(report.List) != 1 || report.List[0].Entity == "" {
			t.Errorf("%q: %v, %d findings: %v", p.Key, err, report.Findings, report.List)
		}
		x.set(p.Key, p.Value)
	}
}

// A finding names the entity and the event, so that an operator knows what to look at.
func TestVerifyNamesTheLink(t *testing.T) {
	w := tamperWorld(t)
	defer w.close()
	x := tampered{t, w.store.DB()}
	for _, p := range w.store.Raw('L') {
		var rec recordpb.Record
		if err := proto.Unmarshal(p.Value, &rec); err != nil {
			t.Fatal(err)
		}
		head, err := w.store.Head(persistence.EntityOf(&rec))
		if err != nil || rec.GetSeq() == 0 || rec.GetSeq() == head.Seq {
			continue
		}
		if _, edge := w.store.EdgeOf(persistence.EntityOf(&rec)); rec.GetSeq() <= edge || w.gone[persistence.EntityOf(&rec)][rec.GetSeq()] {
			continue // it is there for its outcome alone
		}
		next := persistence.EntityOf(&rec).EventID(rec.GetSeq() + 1)
		rec.Reason = "tampered"
		value, _ := proto.Marshal(&rec)
		x.set(p.Key, value)
		report, err := w.store.Verify(context.Background(), pebblestore.VerifyOptions{})
		if err != nil || report.Findings != 1 || !strings.Contains(report.List[0].String(), next+": its hash") {
			t.Fatalf("%s: %v, %v", next, err, report.List)
		}
		x.set(p.Key, p.Value)
	}
}
