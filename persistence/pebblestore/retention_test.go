package pebblestore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"concord/actors/collection"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/persistence/recordpb"
)

// trimmedWorld is a history on a store that retention trims now and then, beside a copy that is never trimmed: the
// model of what can still be read.
type trimmedWorld struct {
	*history
	whole  *pebblestore.Store
	pinned map[persistence.EntityID][]persistence.Pin
	jobs   int // holders of pins so far; of two in a row both pin
	freed  map[string]bool
	edges  map[edgeOf]uint64
	gone   map[persistence.EntityID]map[uint64]bool // events that are not kept though they are above the edge
	read   persistence.Position                     // how far the readers of the log have come
}

func newTrimmedWorld(t tester, c chooser) *trimmedWorld {
	s, whole := open(t, options(vfs.NewMem())), open(t, options(vfs.NewMem()))
	return &trimmedWorld{history: newHistory(newWorld(t, s, whole), c), whole: whole, read: ^persistence.Position(0),
		pinned: make(map[persistence.EntityID][]persistence.Pin), freed: make(map[string]bool), edges: make(map[edgeOf]uint64),
		gone: make(map[persistence.EntityID]map[uint64]bool)}
}

func (w *trimmedWorld) close() {
	closeStore(w.t, w.store)
	closeStore(w.t, w.whole)
}

func (w *trimmedWorld) entities() (ids []persistence.EntityID) {
	for i := range w.collections {
		ids = append(ids, collectionID(i))
	}
	for i := range 2 {
		ids = append(ids, providerID(i))
	}
	for i := range 3 {
		ids = append(ids, uploadID(i))
	}
	for i := range 2 {
		ids = append(ids, mixedID(i))
	}
	return ids
}

// edgeOf is an entity's edge: a version, or a seq as long as it has no versions.
type edgeOf struct {
	entity    persistence.EntityID
	versioned bool
}

// versioned says that the entity has versions. One of the mixed kind has, once an event has made one.
func (w *trimmedWorld) versioned(id persistence.EntityID) bool {
	head, err := w.whole.Head(id)
	return err == nil && head.Version > 0
}

func (w *trimmedWorld) step() {
	switch w.choose.n("retention", 16) {
	case 0, 1:
		w.line.flush()
		w.trim()
	case 2:
		w.line.flush()
		if w.choose.n("pin", 3) == 0 {
			w.pinOne()
		}
	case 3:
		w.line.flush()
		if _, err := w.store.ForgetOutcomes(w.now, 0); err != nil {
			w.t.Fatalf("forget outcomes: %v", err)
		}
	case 4:
		if w.read = ^persistence.Position(0); w.choose.n("behind", 3) == 0 {
			w.read = persistence.Position(w.choose.n("read", 60))
		}
	default:
		w.history.step()
	}
}

func (w *trimmedWorld) trim() {
	ids := w.entities()
	id := ids[w.choose.n("trimmed", len(ids))]
	policy := pebblestore.Policy{Versions: w.choose.n("versions", 6), Days: w.choose.n("days", 4)}
	_, err := w.store.Trim(context.Background(), id, policy, pebblestore.TrimOptions{Fold: fold, Now: w.now,
		Released: func(_ persistence.EntityID, holder string) (bool, error) { return w.freed[holder], nil },
		Read:     func(persistence.Partition) persistence.Position { return w.read }})
	if err != nil {
		w.t.Fatalf("trim: %v", err)
	}
	oldest, seq := w.store.EdgeOf(id)
	if !w.versioned(id) {
		oldest = seq + 1
	}
	if want := w.oldestBy(id, policy); oldest != want {
		w.t.Fatalf("trim %v by %+v: it begins at %d now, not at %d", id, policy, oldest, want)
	}
	w.edges[edgeOf{id, w.versioned(id)}] = oldest
	if !policy.KeepsAll() {
		w.pinned[id] = slices.DeleteFunc(w.pinned[id], func(p persistence.Pin) bool { return !w.holds(p) })
	}
	if have := w.store.PinsOf(id); fmt.Sprint(have) != fmt.Sprint(w.pinned[id]) {
		w.t.Fatalf("pins of %v: %v, not %v", id, have, w.pinned[id])
	}
	w.thinned(id, policy)
}

// oldestBy is where the policy lets the entity begin, found the slow way.
func (w *trimmedWorld) oldestBy(id persistence.EntityID, p pebblestore.Policy) uint64 {
	before := max(1, w.edges[edgeOf{id, w.versioned(id)}])
	if p.Versions == 0 && p.Days == 0 {
		return before
	}
	var marks []*recordpb.Record // those that make a version, or all if there are no versions
	var last uint64
	for rec, err := range w.whole.Records(id, 0) {
		if err != nil {
			w.t.Fatalf("records: %v", err)
		}
		if !w.versioned(id) || rec.GetVersion() > last {
			marks = append(marks, rec)
		}
		last = rec.GetVersion()
	}
	oldest := uint64(len(marks))
	if p.Versions > 0 {
		oldest = uint64(max(1, len(marks)-p.Versions+1))
	}
	if p.Days > 0 {
		n := 0
		for n < len(marks) && !persistence.TimeOf(marks[n].GetTime()).After(w.now.AddDate(0, 0, -p.Days)) {
			n++
		}
		oldest = min(oldest, uint64(max(1, n)))
	}
	for _, p := range w.pinned[id] {
		if w.holds(p) {
			oldest = min(oldest, p.Version)
		}
	}
	return max(before, w.readBy(marks, oldest, id))
}

// readBy bounds the edge by what the readers of the log have not read.
func (w *trimmedWorld) readBy(marks []*recordpb.Record, oldest uint64, id persistence.EntityID) uint64 {
	p := persistence.PartitionOf(id, testPartitions)
	for rec, err := range w.whole.Log(p, w.read) {
		if w.read == ^persistence.Position(0) {
			break
		}
		if err != nil {
			w.t.Fatalf("log: %v", err)
		}
		if rec.Entity != id || rec.Record.GetSeq() == 0 || rec.Position <= w.read {
			continue
		}
		for n := len(marks); n > 0; n-- { // the first that is not read stays, and the mark at or before it
			if marks[n-1].GetSeq() <= rec.Record.GetSeq() {
				return min(oldest, uint64(n))
			}
		}
	}
	return oldest
}

func (w *trimmedWorld) holds(p persistence.Pin) bool {
	return !p.Until.Before(w.now) && !w.freed[p.Holder]
}

// pinOne releases a holder, or makes a version that pins the one before.
func (w *trimmedWorld) pinOne() {
	if w.choose.n("release", 4) == 0 {
		w.freed[fmt.Sprint("job-", w.jobs)] = true
		w.jobs++
		return
	}
	p := persistence.Pin{Holder: fmt.Sprint("job-", w.jobs+w.choose.n("job", 2)),
		Until: w.now.Add(time.Duration(w.choose.n("hours", 72)) * time.Hour)}
	id := collectionID(w.choose.n("collection", w.collections))
	if w.choose.n("mixed", 4) == 0 {
		id = mixedID(w.choose.n("which", 2))
	}
	head, err := w.store.Head(id)
	if err != nil || head.Version == 0 {
		return // nothing but its lock is known
	}
	if id.Kind == kindMixed {
		w.do(id, &mixedEvent{Content: true, Holder: p.Holder, Until: p.Until}, byAnn)
	} else {
		w.pin(id, p.Holder, p.Until)
		w.do(id, &collection.Write{Create: true, Changes: []collection.Change{put("d00", document(w.choose.n("value", w.values), 40))}}, byAnn)
		delete(w.line.pins, id) // it may have changed nothing
	}
	w.line.flush()
	p.Version = head.Version
	if after, err := w.store.Head(id); err != nil || after.Version == head.Version {
		return
	}
	w.pinned[id] = append(w.pinned[id], p)
}

// What retention keeps reads as it did in a copy that was never trimmed; what it removes says so.
func TestRetentionAgainstAnUntrimmedCopy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newTrimmedWorld(t, drawn{t})
		defer w.close()
		for range rapid.IntRange(1, 150).Draw(t, "steps") {
			w.step()
		}
		w.line.flush()
		w.compare()
		sound(t, w.store)
		derived := w.store.Raw(pebblestore.DerivedFamilies...)
		wreck(t, w.store, drawn{t}, derived)
		pins := w.store.Raw('P')
		if _, err := w.store.Rebuild(context.Background(), fold, ""); err != nil {
			t.Fatalf("rebuild: %v", err)
		}
		sameRecords(t, derived, w.store.Raw(pebblestore.DerivedFamilies...))
		sameRecords(t, pins, w.store.Raw('P')) // also those that are collected stay away
	})
}

// The same over longer histories, which rapid does not draw.
func TestRetentionOfLongHistories(t *testing.T) {
	for seed := range uint64(max(1, 4/underRace)) {
		w := newTrimmedWorld(t, newSeeded(uint64(seed)))
		for range max(1, 4/underRace) {
			for range 400 {
				w.step()
			}
			w.line.flush()
			w.compare()
			sound(t, w.store)
		}
		w.close()
	}
}

func (w *trimmedWorld) compare() {
	w.t.Helper()
	for _, id := range w.entities() {
		oldest, seq := w.store.EdgeOf(id)
		w.compareEvents(id, seq)
		w.compareNewest(id, seq)
		w.compareOutcomes(id)
		if w.versioned(id) {
			w.compareVersions(id, oldest)
			w.compareStates(id, oldest)
			w.compareTimes(id, oldest)
		}
	}
	for p := range testPartitions {
		have, want := collect(w.t, w.store.Timers(persistence.Partition(p))), collect(w.t, w.whole.Timers(persistence.Partition(p)))
		if fmt.Sprint(have) != fmt.Sprint(want) {
			w.t.Fatalf("timers: %v, not %v", have, want)
		}
	}
}

func (w *trimmedWorld) compareEvents(id persistence.EntityID, seq uint64) {
	w.t.Helper()
	have, want := collect(w.t, w.store.Records(id, 0)), collect(w.t, w.whole.Records(id, seq))
	want = slices.DeleteFunc(want, func(rec *recordpb.Record) bool { return w.gone[id][rec.GetSeq()] })
	if len(have) != len(want) {
		w.t.Fatalf("%v has %d events above %d, not %d", id, len(have), seq, len(want))
	}
	for i := range want {
		if !proto.Equal(have[i], want[i]) {
			w.t.Fatalf("%v, event %d: %v, not %v", id, want[i].GetSeq(), have[i], want[i])
		}
	}
}

// compareNewest compares the newest states. A part that was removed before the edge may be forgotten.
func (w *trimmedWorld) compareNewest(id persistence.EntityID, seq uint64) {
	w.t.Helper()
	have, err := w.store.Head(id)
	want, wantErr := w.whole.Head(id)
	if fmt.Sprint(have, err) != fmt.Sprint(want, wantErr) {
		w.t.Fatalf("head of %v: %v %v, not %v %v", id, have, err, want, wantErr)
	}
	w.compareParts(id, collect(w.t, w.store.Parts(id, "")), collect(w.t, w.whole.Parts(id, "")))
	for _, part := range w.partIDs(id) {
		have, err := w.store.Part(id, part)
		want, wantErr := w.whole.Part(id, part)
		if want.Removed && errors.Is(err, persistence.ErrNotFound) && w.removedBy(id, want) <= seq {
			continue
		}
		if fmt.Sprintf("%+v %v", have, err) != fmt.Sprintf("%+v %v", want, wantErr) {
			w.t.Fatalf("part %q of %v: %+v %v, not %+v %v", part, id, have, err, want, wantErr)
		}
		if want.Removed && w.removedBy(id, want) <= seq {
			w.t.Fatalf("part %q of %v was removed before the edge, and is still there", part, id)
		}
	}
}

// removedBy is the seq of the event that removed the part.
func (w *trimmedWorld) removedBy(id persistence.EntityID, p persistence.Part) uint64 {
	for rec, err := range w.whole.Log(persistence.PartitionOf(id, testPartitions), p.Place.Position) {
		if err != nil {
			w.t.Fatalf("log: %v", err)
		}
		return rec.Record.GetSeq()
	}
	return 0
}

func (w *trimmedWorld) partIDs(id persistence.EntityID) []string {
	ids := map[string]bool{"": true, "never": true}
	for rec, err := range w.whole.Records(id, 0) {
		if err != nil {
			w.t.Fatalf("records: %v", err)
		}
		for _, p := range rec.GetParts() {
			ids[p.GetId()] = true
		}
	}
	var list []string
	for part := range ids {
		list = append(list, part)
	}
	return list
}

func (w *trimmedWorld) compareParts(id persistence.EntityID, have, want []persistence.Part) {
	w.t.Helper()
	if fmt.Sprintf("%+v", have) != fmt.Sprintf("%+v", want) {
		w.t.Fatalf("parts of %v: %+v, not %+v", id, have, want)
	}
	if id.Kind == persistence.KindProvider {
		return // names have no bodies
	}
	for _, p := range want {
		body, err := w.store.Body(id, p.Place)
		original, originalErr := w.whole.Body(id, p.Place)
		if err != nil || originalErr != nil || !bytes.Equal(body, original) {
			w.t.Fatalf("body of part %q of %v at %d: %v %v", p.ID, id, p.Version, err, originalErr)
		}
	}
}

func (w *trimmedWorld) compareVersions(id persistence.EntityID, oldest uint64) {
	w.t.Helper()
	head, _ := w.whole.Head(id)
	have, want := collect(w.t, w.store.Versions(id, 0)), collect(w.t, w.whole.Versions(id, 0))
	if want = want[:len(want)-int(oldest-1)]; len(have) != len(want) {
		w.t.Fatalf("%v lists %d versions, not %d", id, len(have), len(want))
	}
	for before := uint64(1); before <= head.Version+2; before++ {
		below := slices.IndexFunc(have, func(rec *recordpb.Record) bool { return rec.GetVersion() < before })
		if below < 0 {
			below = len(have)
		}
		same := func(a, b *recordpb.Record) bool { return proto.Equal(a, b) }
		if list := collect(w.t, w.store.Versions(id, before)); !slices.EqualFunc(list, have[below:], same) {
			w.t.Fatalf("%v lists %d versions below %d, not %d", id, len(list), before, len(have)-below)
		}
	}
	for version := uint64(1); version <= head.Version; version++ {
		if version < oldest {
			_, err := w.store.PartAt(id, "d00", version)
			var listErr error
			for _, listErr = range w.store.PartsAt(id, version, "") {
				break
			}
			if !errors.Is(err, persistence.ErrTrimmed) || !errors.Is(listErr, persistence.ErrTrimmed) {
				w.t.Fatalf("%v at version %d below the edge %d: %v, %v", id, version, oldest, err, listErr)
			}
			continue
		}
		w.compareParts(id, collect(w.t, w.store.PartsAt(id, version, "")), collect(w.t, w.whole.PartsAt(id, version, "")))
		for _, part := range w.partIDs(id) {
			have, err := w.store.PartAt(id, part, version)
			want, wantErr := w.whole.PartAt(id, part, version)
			if errors.Is(err, persistence.ErrNotFound) && errors.Is(wantErr, persistence.ErrNotFound) {
				continue
			}
			if fmt.Sprintf("%+v %v", have, err) != fmt.Sprintf("%+v %v", want, wantErr) {
				w.t.Fatalf("part %q of %v at %d: %+v %v, not %+v %v", part, id, version, have, err, want, wantErr)
			}
		}
	}
}

// compareStates holds the states of each part against the part at each version, and what is kept against all of it.
func (w *trimmedWorld) compareStates(id persistence.EntityID, oldest uint64) {
	w.t.Helper()
	head, _ := w.whole.Head(id)
	for _, part := range w.partIDs(id) {
		states := collect(w.t, w.whole.PartStates(id, part, 0))
		for version := uint64(1); version <= head.Version; version++ {
			n := 0 // states up to the version
			for n < len(states) && states[n].Version <= version {
				n++
			}
			at, err := w.whole.PartAt(id, part, version)
			if err == nil && at.Version == 0 {
				continue // by an event that made no version
			}
			if there := n > 0 && !states[n-1].Removed; there != (err == nil) || there && fmt.Sprint(states[n-1]) != fmt.Sprint(at) {
				w.t.Fatalf("part %q of %v at %d: %+v %v, its states are %+v", part, id, version, at, err, states)
			}
			if version < oldest {
				continue
			}
			if have := collect(w.t, w.store.PartStates(id, part, version)); fmt.Sprint(have) != fmt.Sprint(states[n:]) {
				w.t.Fatalf("states of part %q of %v after %d: %+v, not %+v", part, id, version, have, states[n:])
			}
		}
	}
}

func (w *trimmedWorld) compareTimes(id persistence.EntityID, oldest uint64) {
	w.t.Helper()
	for hours := range 40 {
		at := worldStart.Add(time.Duration(hours) * 7 * time.Hour)
		have, err := w.store.VersionAt(id, at)
		want, wantErr := w.whole.VersionAt(id, at)
		if wantErr == nil && want < oldest || oldest > 1 && errors.Is(wantErr, persistence.ErrNotFound) {
			want, wantErr = 0, persistence.ErrTrimmed
		}
		if have != want || !errors.Is(err, wantErr) {
			w.t.Fatalf("%v at %v is version %d %v, not %d %v", id, at, have, err, want, wantErr)
		}
	}
}

func (w *trimmedWorld) compareOutcomes(id persistence.EntityID) {
	w.t.Helper()
	since := w.now.Add(-pebblestore.OutcomeMemory)
	for _, principal := range []string{"ann", "bob"} {
		for k := range 6 {
			key := fmt.Sprintf("k%d", k)
			have, err := w.store.Outcome(id, principal, key, since)
			want, wantErr := w.whole.Outcome(id, principal, key, since)
			if !proto.Equal(have, want) || fmt.Sprint(err) != fmt.Sprint(wantErr) {
				w.t.Fatalf("outcome of %s for %s at %v: %v %v, not %v %v", key, principal, id, have, err, want, wantErr)
			}
		}
	}
}

func collect[T any](t tester, seq func(func(T, error) bool)) []T {
	t.Helper()
	var all []T
	for v, err := range seq {
		if err != nil {
			t.Fatalf("read: %v", err)
		}
		all = append(all, v)
	}
	return all
}
