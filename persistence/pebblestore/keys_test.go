package pebblestore

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"concord/persistence"
)

// Keys sort as what they stand for: entities one by one, versions newest first, events and timers in order. What a prefix
// covers belongs to its entity alone.
func TestKeysSortAsTheirMeaning(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.StringMatching(`[A-Za-z0-9][A-Za-z0-9_-]{0,5}`)
		part := rapid.StringMatching(`[^\x00]{0,6}`)
		a := keyspace{entity: persistence.EntityID{Kind: 1, Provider: id.Draw(t, "provider"), ID: id.Draw(t, "id")}}
		b := keyspace{entity: persistence.EntityID{Kind: 1, Provider: id.Draw(t, "provider"), ID: id.Draw(t, "id")}}
		lower, upper := a.bounds(familySeq)
		inside := func(k []byte) bool { return bytes.Compare(lower, k) <= 0 && bytes.Compare(k, upper) < 0 }
		n := rapid.Uint64Max(1<<62).Draw(t, "n")
		if !inside(a.seq(n)) || a.entity != b.entity && inside(b.seq(n)) {
			t.Fatalf("bounds of %v, events of %v", a.entity, b.entity)
		}
		m := rapid.Uint64Max(1<<62).Draw(t, "m")
		check := func(what string, x, y []byte, descending bool) {
			order := bytes.Compare(x, y)
			want := 0
			if n != m {
				want = -1
				if (n > m) != descending {
					want = 1
				}
			}
			if order != want {
				t.Fatalf("%s of %d and %d: %d", what, n, m, order)
			}
		}
		check("events", bytes.Clone(a.seq(n)), bytes.Clone(a.seq(m)), false)
		check("versions", bytes.Clone(a.version(n)), bytes.Clone(a.version(m)), true)
		p := part.Draw(t, "part")
		check("versions of a part", bytes.Clone(a.partAt(p, n)), bytes.Clone(a.partAt(p, m)), true)
		due := func(n uint64) time.Time { return time.UnixMicro(int64(n)) }
		check("timers", bytes.Clone(a.timer(due(n), p)), bytes.Clone(a.timer(due(m), p)), false)
		q := part.Draw(t, "other part")
		if order := bytes.Compare(bytes.Clone(a.part(familyPart, p)), bytes.Clone(a.part(familyPart, q))); order != strings.Compare(p, q) {
			t.Fatalf("parts %q and %q: %d", p, q, order)
		}
	})
}

// What is written can be read back.
func TestKeysAndValuesReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[^\x00]{0,6}`)
		e := persistence.EntityID{Kind: persistence.Kind(rapid.Byte().Draw(t, "kind")), Provider: text.Draw(t, "provider"), ID: text.Draw(t, "id")}
		got, rest, err := parseEntity(append(appendEntity(nil, e), "rest"...))
		if err != nil || got != e || string(rest) != "rest" {
			t.Fatalf("%v: %v, %q, %v", e, got, rest, err)
		}
		p := persistence.Part{ID: text.Draw(t, "part"), Version: rapid.Uint64().Draw(t, "version"),
			Removed: rapid.Bool().Draw(t, "removed"), Info: rapid.SliceOf(rapid.Byte()).Draw(t, "info"),
			Place: persistence.Place{Position: persistence.Position(rapid.Uint64().Draw(t, "position")),
				Index: rapid.IntRange(0, 1<<20).Draw(t, "index"), Beside: rapid.Bool().Draw(t, "beside")}}
		read, err := parsePartState(p.ID, appendPartState(nil, p))
		if err != nil || !bytes.Equal(read.Info, p.Info) {
			t.Fatalf("%+v: %+v, %v", p, read, err)
		}
		if read.Info = p.Info; read.ID != p.ID || read.Version != p.Version || read.Removed != p.Removed || read.Place != p.Place {
			t.Fatalf("%+v: %+v", p, read)
		}
		k := keyspace{entity: e}
		micros := rapid.Int64Range(1, 1<<60).Draw(t, "due")
		timer, err := parseTimer(k.timer(persistence.TimeOf(micros), p.ID))
		if want := (persistence.Timer{Entity: e, Name: p.ID, Due: persistence.TimeOf(micros)}); err != nil || timer != want {
			t.Fatalf("%+v: %+v, %v", want, timer, err)
		}
	})
}

// The first key behind a prefix is the least that does not begin with it.
func TestKeyAfter(t *testing.T) {
	for prefix, want := range map[string]string{"a": "b", "a\xFF": "b", "a\xFF\xFF": "b", "a\x00": "a\x01", "\xFF": ""} {
		if got := keyAfter([]byte(prefix)); string(got) != want {
			t.Errorf("%q: %q, not %q", prefix, got, want)
		}
	}
	if !slices.IsSorted([]string{string(appendPrefix(nil, 1, 'L')), string(appendPrefix(nil, 256, 'A'))}) {
		t.Error("partitions do not come first")
	}
}

// No bytes make a parser panic: what it cannot read is corrupt.
func FuzzParse(f *testing.F) {
	k := keyspace{partition: 3, entity: persistence.EntityID{Kind: 1, Provider: "lib", ID: "c"}}
	part := persistence.Part{ID: "d", Version: 4, Place: persistence.Place{Position: 5, Index: 2}, Info: []byte("info")}
	f.Add(bytes.Clone(k.partAt("d", 4)), appendPlace(nil, part.Place))
	f.Add(bytes.Clone(k.part(familyEdgePart, "d")), appendEdgePart(nil, edgePart{part, make([]byte, hashSize)}))
	f.Add(bytes.Clone(k.part(familyPart, "d")), appendPartState(nil, part))
	f.Add(bytes.Clone(k.timer(time.UnixMicro(9), "t")), []byte{})
	f.Add(bytes.Clone(k.pin(4, "job")), make([]byte, 8))
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if len(key) < 3 {
			return
		}
		_, rest, err := parseEntity(key[3:])
		errs := []error{err}
		_, err = parseTimer(key)
		errs = append(errs, err)
		_, _, err = parseEdge(key, value)
		errs = append(errs, err)
		_, _, err = parseEdgePart(key, value)
		errs = append(errs, err)
		_, err = parseEdgeTimer(key, value)
		errs = append(errs, err)
		_, err = parsePin(rest, value)
		errs = append(errs, err)
		_, err = parsePartState("", value)
		errs = append(errs, err)
		_, err = persistence.ParseHead(value)
		errs = append(errs, err)
		for _, err := range errs {
			if err != nil && !errors.Is(err, persistence.ErrCorrupt) {
				t.Errorf("%v", err)
			}
		}
		d := dumper{}
		for _, f := range families {
			if f.letter != familyFormat && f.letter != familyCursor {
				_ = d.decode(&DumpLine{}, f, append(append(bytes.Clone(key[:2]), f.letter), key[3:]...), value)
			}
		}
	})
}
