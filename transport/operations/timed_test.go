package operations

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"concord/actors"
	"concord/actors/collection"
	"concord/actors/problem"
	"concord/persistence"
	"concord/persistence/pebblestore"
	"concord/transport/api"
)

// timedState is what a version left of the document.
type timedState struct {
	version uint64
	time    time.Time
	there   bool
	created time.Time
}

// timedLife is a collection, and what a test knows of one of its documents.
type timedLife struct {
	*bench
	t      *rapid.T
	id     string
	states []timedState
	alive  bool // the collection is there
}

// timedLives has many of them in one store.
func timedLives(t *testing.T, check func(*timedLife)) {
	b := start(t, vfs.NewMem())
	timed := b.service.Timed()
	b.table[timed.Get.Name], b.table[timed.Base.Name] = timed.Get, timed.Base
	lives := 0
	rapid.Check(t, func(r *rapid.T) {
		lives++
		l := &timedLife{bench: b, t: r, id: fmt.Sprintf("c%d", lives)}
		for n := range rapid.IntRange(1, 25).Draw(r, "steps") {
			l.step(n)
		}
		check(l)
	})
}

func (l *timedLife) there() bool { return len(l.states) > 0 && l.states[len(l.states)-1].there }

// left notes that a version has written or removed the document.
func (l *timedLife) left(version uint64, there bool) {
	s := timedState{version: version, time: l.clock.Now(), there: there, created: l.clock.Now()}
	if there && l.there() {
		s.created = l.states[len(l.states)-1].created
	}
	l.states = append(l.states, s)
}

// step changes something, at the same instant as before or later.
func (l *timedLife) step(n int) {
	pause := rapid.SampledFrom([]time.Duration{0, 0, 300 * time.Microsecond, 900 * time.Microsecond, 5 * time.Millisecond}).Draw(l.t, "pause")
	l.clock.Set(l.clock.Now().Add(pause))
	change := rapid.SampledFrom([]string{"write", "write", "write", "other", "other", "remove", "delete"}).Draw(l.t, "change")
	do := func(operation, body string, options ...option) uint64 {
		return must[collection.Result](l.bench, operation, l.id, body, options...).Version
	}
	switch {
	case !l.alive:
		l.alive = true
		do("collection.put", `{}`)
	case change == "write":
		l.left(do("document.put", fmt.Sprintf(`{"value": %d}`, n), inDocument("d")), true)
	case change == "remove" && l.there():
		l.left(do("document.delete", "", inDocument("d")), false)
	case change == "delete":
		version := do("collection.delete", "")
		if l.alive = false; l.there() {
			l.left(version, false)
		}
	default:
		do("document.put", fmt.Sprintf(`{"value": %d}`, n), inDocument("other"))
	}
}

// base asks which version is meant by the time, as a client is told it, and, unless it is 0, the version.
func (l *timedLife) base(at time.Time, version uint64) uint64 {
	options := []option{inDocument("d"), param(api.ParamModified, at.Format("2006-01-02T15:04:05.000Z"))}
	if version > 0 {
		options = append(options, param("version", fmt.Sprint(version)))
	}
	return must[api.TimedBase](l.bench, "document.base", l.id, "", options...).Base
}

func millisecond(t time.Time) time.Time { return t.Truncate(time.Millisecond) }

// oldest is the oldest version of the document in the millisecond, 0 if there is none.
func (l *timedLife) oldest(at time.Time) uint64 {
	for _, s := range l.states {
		if s.there && millisecond(s.time).Equal(millisecond(at)) {
			return s.version
		}
	}
	return 0
}

// TestBasesByTheirTimes: a time means the oldest version of its millisecond, a time with a version that version, and a time
// at which the document was not written nothing.
func TestBasesByTheirTimes(t *testing.T) {
	timedLives(t, func(l *timedLife) {
		r := l.t
		for _, s := range l.states {
			want := l.oldest(s.time)
			if got := l.base(s.time, 0); got != want {
				r.Fatalf("%v is version %d, not %d, of %+v", s.time, got, want, l.states)
			}
			if s.there {
				want = s.version
			}
			if got := l.base(s.time, s.version); got != want {
				r.Fatalf("%v and version %d is version %d, not %d, of %+v", s.time, s.version, got, want, l.states)
			}
			if got := l.base(s.time, s.version+100); got != l.oldest(s.time) {
				r.Fatalf("%v and a version that is none is version %d", s.time, got)
			}
			for _, beside := range []time.Duration{-time.Millisecond, time.Millisecond, -time.Hour, time.Hour} {
				at := s.time.Add(beside)
				if got := l.base(at, s.version); got != l.oldest(at) {
					r.Fatalf("%v is version %d, not %d, of %+v", at, got, l.oldest(at), l.states)
				}
			}
		}
		if !l.alive || !l.there() {
			l.refused(problem.NotFound, "document.timed", l.id, "", inDocument("d"))
			return
		}
		last := l.states[len(l.states)-1]
		d := must[api.TimedDocument](l.bench, "document.timed", l.id, "", inDocument("d"))
		if d.Version != last.version || !d.Modified.Equal(last.time) || !d.Created.Equal(last.created) {
			r.Fatalf("%+v, not %+v", d, last)
		}
		for _, s := range l.states {
			d, err := l.try("document.timed", l.id, "", inDocument("d"), param("version", fmt.Sprint(s.version)))
			if (err == nil) != s.there {
				r.Fatalf("at version %d: %v, %v", s.version, d, err)
			}
		}
	})
}

// TestBasesThatRetentionHasForgotten: what is not known is never taken for the newest, and what is has a base that is kept.
// Only where all but the newest is forgotten, its millisecond means it.
func TestBasesThatRetentionHasForgotten(t *testing.T) {
	timedLives(t, func(l *timedLife) {
		r := l.t
		id := persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: l.id}
		_, err := l.store.Trim(context.Background(), id, pebblestore.Policy{Versions: rapid.IntRange(1, 8).Draw(r, "kept")},
			pebblestore.TrimOptions{Fold: actors.Fold(actors.DefaultLimits), Now: l.clock.Now()})
		if err != nil || !l.there() {
			return
		}
		last := l.states[len(l.states)-1]
		for _, s := range l.states {
			if !s.there {
				continue
			}
			got := l.base(s.time, s.version)
			_, keptErr := l.store.PartAt(id, "", max(got, 1))
			if got > 0 && errors.Is(keptErr, persistence.ErrTrimmed) {
				r.Fatalf("version %d, for %+v, is not kept", got, s)
			}
			if got >= last.version && !millisecond(s.time).Equal(millisecond(last.time)) {
				r.Fatalf("%+v is taken for version %d of %+v", s, got, l.states)
			}
		}
		if got := l.base(last.time, last.version); got != 0 && got < l.oldest(last.time) {
			r.Fatalf("the newest is taken for version %d of %+v", got, l.states)
		}
		d := must[api.TimedDocument](l.bench, "document.timed", l.id, "", inDocument("d"))
		if d.Version != last.version || !d.Modified.Equal(last.time) || !d.Created.IsZero() && !d.Created.Equal(last.created) {
			r.Fatalf("%+v, not %+v", d, last)
		}
	})
}

// TestForgottenMomentsOfWhatHasNotChanged: a document that nobody has changed for longer than retention looks back can be
// changed by who has read it.
func TestForgottenMomentsOfWhatHasNotChanged(t *testing.T) {
	b := start(t, vfs.NewMem())
	timed := b.service.Timed()
	b.table[timed.Base.Name] = timed.Base
	must[collection.Result](b, "collection.put", "c", `{"documents": {"d": 1}}`)
	first := b.clock.Now()
	for n := range 5 {
		b.clock.Set(b.clock.Now().Add(time.Second))
		must[collection.Result](b, "document.put", "c", fmt.Sprintf(`{"value": %d}`, n), inDocument("other"))
	}
	id := persistence.EntityID{Kind: persistence.KindCollection, Provider: "p", ID: "c"}
	_, err := b.store.Trim(t.Context(), id, pebblestore.Policy{Versions: 2},
		pebblestore.TrimOptions{Fold: actors.Fold(actors.DefaultLimits), Now: b.clock.Now()})
	if err != nil {
		t.Fatal(err)
	}
	base := func(at time.Time) uint64 {
		return must[api.TimedBase](b, "document.base", "c", "", inDocument("d"), param(api.ParamModified, at.Format(time.RFC3339Nano))).Base
	}
	if got := base(first); got != 6 {
		t.Errorf("base %d, not the newest version", got)
	}
	if got := base(first.Add(time.Millisecond)); got != 0 {
		t.Errorf("another moment is version %d", got)
	}
}
