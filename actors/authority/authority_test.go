package authority

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/authority/authoritypb"
	"concord/actors/entity"
	"concord/actors/jsonvalue"
	"concord/actors/links"
	"concord/actors/links/linkspb"
	"concord/actors/precondition"
	"concord/actors/problem"
	"concord/persistence"
)

var update = flag.Bool("update", false, "write the golden file of a new version; those of released ones are never edited")

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

var parker = persistence.EntityID{Kind: persistence.KindAuthority, Provider: "p", ID: "names:n1"}

// record is MARC-in-JSON with the field, such as "100 a Parker, Charlie|d 1920-1955", and a note.
func record(field, note string) string {
	tag, rest, _ := strings.Cut(field, " ")
	var subfields []string
	for s := range strings.SplitSeq(rest, "|") {
		subfields = append(subfields, fmt.Sprintf(`{%q:%q}`, s[:1], s[2:]))
	}
	return fmt.Sprintf(`{"leader":"00000nz  a2200000n  4500","fields":[{"001":"n1"},{%q:{"ind1":"1","ind2":" ","subfields":[%s]}},{"670":{"ind1":" ","ind2":" ","subfields":[{"a":%q}]}}]}`,
		tag, strings.Join(subfields, ","), note)
}

func source(id string, open bool) []byte {
	b, err := proto.Marshal(&authoritypb.SourceState{Source: &linkspb.Source{Id: id, BaseUrl: "http://" + id + ".example/", Revision: 5}, Open: open})
	if err != nil {
		panic(err)
	}
	return b
}

// world runs one authority, with what it has beside it.
type world struct {
	t      *testing.T
	state  State
	seq    uint64
	record []byte // nil: none
	index  map[string]bool
	due    time.Time
	now    time.Time
}

func newWorld(t *testing.T) *world { return &world{t: t, index: make(map[string]bool), now: noon} }

func (w *world) facts(c Command) (f entity.Facts) {
	known := map[persistence.EntityID][]byte{sourceOf("names"): source("names", true), sourceOf("subjects"): source("subjects", true),
		sourceOf("closing"): source("closing", false)}
	if w.record != nil {
		f = f.WithParts(map[string]entity.Fact{RecordPart: {Exists: true, Body: w.record}})
	}
	for _, want := range (Behavior{}).Wants(w.state, c, f) {
		if want.Of != nil {
			f = f.WithOf(*want.Of, known[*want.Of])
		}
	}
	return f
}

func (w *world) do(c Command) (e Event, births []entity.Birth, err error) {
	w.t.Helper()
	b := Behavior{Limits: DefaultLimits}
	d, err := b.Decide(w.state, c, w.facts(c), entity.Meta{Entity: parker, Time: w.now, Seq: w.seq + 1})
	if err != nil || len(d.Events) == 0 {
		return e, d.Births, err
	}
	enc := b.EncodeEvent(d.Events[0])
	if e, err = b.DecodeEvent(enc); err != nil || !reflect.DeepEqual(e, d.Events[0]) {
		w.t.Fatalf("event %+v is read back as %+v, %v", d.Events[0], e, err)
	}
	at := entity.Stamp{Entity: parker, Seq: w.seq + 1, Version: w.state.Version, Time: w.now}
	if enc.Content {
		at.Version++
	}
	w.apply(b.Project(w.state, e, at), enc)
	w.state, w.seq = b.Evolve(w.state, e, at), at.Seq
	if back, err := b.DecodeState(b.EncodeState(w.state)); err != nil || !reflect.DeepEqual(back, w.state) {
		w.t.Fatalf("state %+v is read back as %+v, %v", w.state, back, err)
	}
	return e, d.Births, nil
}

func (w *world) apply(p entity.Projection, enc entity.Encoded) {
	for i, part := range p.Parts {
		w.record = nil
		if !part.Removed {
			w.record = enc.Parts[i].Body
		}
	}
	for _, timer := range p.Timers {
		if !timer.Was.Equal(w.due) {
			w.t.Errorf("the timer was due %v, and is cleared as of %v", w.due, timer.Was)
		}
		w.due = timer.Due
	}
	for _, c := range p.Index {
		key := strings.TrimPrefix(c.Name, "authority.") + "=" + c.Term
		if w.index[key] == !c.Removed {
			w.t.Errorf("index %s is written twice (removed: %v)", key, c.Removed)
		}
		if w.index[key] = true; c.Removed {
			delete(w.index, key)
		}
	}
}

func (w *world) must(c Command) (Event, []entity.Birth) {
	w.t.Helper()
	e, births, err := w.do(c)
	if err != nil {
		w.t.Fatalf("%+v: %v", c, err)
	}
	return e, births
}

func (w *world) found() string { return strings.Join(slices.Sorted(maps.Keys(w.index)), " ") }

func put(t *testing.T, source, naturalID, record string) *Put {
	t.Helper()
	hash, err := jsonvalue.Check([]byte(record))
	if err != nil {
		t.Fatal(err)
	}
	c, p := NewPut(source, naturalID, []byte(record), uint64(hash), "")
	if p != nil {
		t.Fatal(p)
	}
	c.Job = "j"
	return c
}

const heading = "100 a Parker, Charlie|d 1920-1955"

func TestEffects(t *testing.T) {
	marc := record(heading, "a note")
	for name, row := range map[string]struct {
		put                 *Put
		action              string
		heading, unlinked   uint64 // revisions
		changes, newVersion bool
	}{
		"the same":                        {put(t, "names", "n1", marc), "", 0, 0, false, false},
		"the same in other words":         {put(t, "names", "n1", strings.ReplaceAll(marc, `"a":`, `"a" : `)), "", 0, 0, false, false},
		"another note":                    {put(t, "names", "n1", record(heading, "another")), "", 0, 0, false, true},
		"another natural id":              {put(t, "names", "n2", marc), links.ActionNaturalID, 0, 0, true, true},
		"another source":                  {put(t, "subjects", "n1", marc), links.ActionSource, 0, 0, true, true},
		"both":                            {put(t, "subjects", "n2", marc), links.ActionSource, 0, 0, true, true},
		"another name":                    {put(t, "names", "n1", record("100 a Parker, C.|d 1920-1955", "a note")), links.ActionHeading, 2, 0, true, true},
		"a subfield less":                 {put(t, "names", "n1", record("100 a Parker, Charlie", "a note")), links.ActionHeading, 2, 0, true, true},
		"another name, id and source":     {put(t, "subjects", "n2", record("100 a Bird", "a note")), links.ActionHeading, 2, 0, true, true},
		"another type: the tag":           {put(t, "names", "n1", record("110 a Parker, Charlie|d 1920-1955", "a note")), links.ActionHeading, 0, 2, true, true},
		"another type: a title comes":     {put(t, "names", "n1", record("100 a Parker, Charlie|d 1920-1955|t Ko-Ko", "a note")), links.ActionHeading, 0, 2, true, true},
		"another type: it is not MARC":    {put(t, "names", "n1", `{"heading":"Parker, Charlie 1920-1955"}`), links.ActionHeading, 0, 2, true, true},
		"a heading of the same label":     {put(t, "names", "n1", record("100 a Parker,|a Charlie|d 1920-1955", "a note")), links.ActionHeading, 2, 0, true, true},
		"a subfield that is about itself": {put(t, "names", "n1", record(heading+"|0 x", "a note")), "", 0, 0, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			first := put(t, "names", "n1", marc)
			first.Job = "first"
			if _, births := w.must(first); births != nil || w.state.Revision != 1 {
				t.Fatalf("a new one that nobody waits for: revision %d, births %v", w.state.Revision, births)
			}
			before := w.state
			e, births := w.must(row.put)
			revision := uint64(1)
			if row.changes {
				revision = 2
			}
			if e.Action != row.action || w.state.Revision != revision || w.state.HeadingAt != row.heading || w.state.UnlinkedAt != row.unlinked ||
				(w.state.Version == 2) != row.newVersion || (len(births) == 1) != row.changes {
				t.Fatalf("action %q, state %+v, births %v", e.Action, w.state, births)
			}
			if !row.changes {
				return
			}
			now := w.state.Authority
			want := &links.Change{Action: row.action, Authority: &now,
				Source: links.Source{ID: row.put.Source, BaseURL: "http://" + row.put.Source + ".example/", Revision: 5},
				Was:    links.Was{Source: "names", NaturalID: "n1", Heading: before.Heading.Label, Tag: "100"}}
			if !reflect.DeepEqual(births[0].As, want) || births[0].Entity.ID != persistence.JobID(parker, "j") || w.state.Job != births[0].Entity.ID {
				t.Errorf("born %v as %+v, want %+v", births[0].Entity, births[0].As, want)
			}
			row.put.Job = ""
			w = newWorld(t)
			w.must(first)
			if _, births := w.must(row.put); births != nil || w.state.Revision != 2 {
				t.Errorf("without a job: births %v, revision %d", births, w.state.Revision)
			}
			row.put.Ask = true
			w = newWorld(t)
			w.must(first)
			if e, _ := w.must(row.put); e.Type != "" {
				t.Errorf("it was asked first, and did %s", e.Type)
			}
		})
	}
}

// TestLife: creation, deletion, return, deletion, purge, return.
func TestLife(t *testing.T) {
	w := newWorld(t)
	c := put(t, "names", "n1", record(heading, "note"))
	c.Awaited = true
	e, births := w.must(c)
	if e.Action != links.ActionCreate || len(births) != 1 {
		t.Errorf("fields wait: %+v, births %v", e, births)
	}
	const all = "heading=Parker, Charlie 1920-1955 natural=n1 source=names"
	if got := w.found(); got != all {
		t.Errorf("found by %s", got)
	}
	first := w.state.Job
	e, births = w.must(&Delete{Job: "d"})
	if e.Action != links.ActionDelete || !w.state.Deleted || w.state.Revision != 2 || w.state.UnlinkedAt != 2 || w.found() != "source=names" ||
		!w.due.Equal(noon.Add(DefaultLimits.PurgeAfter)) || births[0].As.(*links.Change).Supersedes != first {
		t.Errorf("deleted: %+v, found by %s, due %v, births %+v", w.state, w.found(), w.due, births)
	}
	if _, _, err := w.do(&Delete{}); problem.Of(err).Code != problem.NotFound {
		t.Errorf("deleted twice: %v", err)
	}
	old := w.due
	if e, births = w.must(put(t, "names", "n1", record(heading, "note"))); e.Action != "" || births != nil || w.state.Revision != 3 ||
		w.state.UnlinkedAt != 2 || !w.due.IsZero() || w.found() != all {
		t.Errorf("back: %+v, found by %s, due %v", w.state, w.found(), w.due)
	}
	if e, _ = w.must(&Purge{Due: old}); e.Type != "" {
		t.Error("the timer of an earlier deletion purges")
	}
	w.now = noon.Add(time.Hour)
	w.must(&Delete{Job: "e"})
	e, births = w.must(Behavior{}.TimerFired(purgeTimer, w.due))
	want := State{Authority: links.Authority{ID: "names:n1", Revision: 4, UnlinkedAt: 4, Deleted: true}, Created: noon, Updated: w.now,
		Job: w.state.Job, Version: w.state.Version}
	if births != nil || !reflect.DeepEqual(w.state, want) || w.found() != "" || w.record != nil || !w.due.IsZero() || e.Source != "names" {
		t.Errorf("purged: %+v, want %+v; found by %q", w.state, want, w.found())
	}
	if e, _ = w.must(&Purge{Due: old}); e.Type != "" {
		t.Error("purged twice")
	}
	if w.must(put(t, "subjects", "n9", record(heading, "note"))); w.state.Revision != 5 || !w.state.Live() {
		t.Errorf("back after that: %+v", w.state)
	}
	if e, births = w.must(&Follow{Job: "f"}); e.Action != links.ActionAudit || len(births) != 1 || w.state.Revision != 5 || w.state.Version != 5 {
		t.Errorf("followed: %+v, births %v", w.state, births)
	}
}

func TestRefused(t *testing.T) {
	one := uint64(1)
	for name, row := range map[string]struct {
		change func(*Put)
		code   problem.Code
		status int
		path   string
	}{
		"an unknown source":             {func(p *Put) { p.Source = "nobody" }, problem.Invalid, 422, "/source"},
		"a source that is being closed": {func(p *Put) { p.Source = "closing" }, problem.Invalid, 422, "/source"},
		"a base that never was":         {func(p *Put) { p.Set = precondition.Set{Base: &one} }, problem.VersionConflict, 409, ""},
		"a version that never was":      {func(p *Put) { p.Set = precondition.Set{IfMatch: []uint64{1}} }, problem.PreconditionFailed, 412, ""},
		"a huge record":                 {func(p *Put) { p.Record = make([]byte, DefaultLimits.RecordMaxBytes+1) }, problem.TooLarge, 413, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			c := put(t, "names", "n1", record(heading, "note"))
			row.change(c)
			_, _, err := w.do(c)
			p := problem.Of(err)
			if p.Code != row.code || p.Status() != row.status || row.path != "" && p.Errors[0].Path != row.path {
				t.Errorf("%v (%d)", err, p.Status())
			}
		})
	}
	for name, row := range map[string]struct{ naturalID, record, path string }{
		"no natural id":       {"", record(heading, ""), "/naturalId"},
		"a long natural id":   {strings.Repeat("n", 251), record(heading, ""), "/naturalId"},
		"a natural id\\n":     {"a\n", record(heading, ""), "/naturalId"},
		"no 1XX":              {"n1", `{"fields":[{"001":"n1"}]}`, "/record/fields"},
		"two 1XX":             {"n1", `{"fields":[{"100":{"subfields":[{"a":"x"}]}},{"110":{"subfields":[{"a":"x"}]}}]}`, "/record/fields/1/110"},
		"a number":            {"n1", `7`, "/record"},
		"no heading":          {"n1", `{}`, "/record/heading"},
		"an empty heading":    {"n1", `{"heading":""}`, "/record/heading"},
		"a heading of a list": {"n1", `{"heading":["x"]}`, "/record/heading"},
	} {
		t.Run(name, func(t *testing.T) {
			_, p := NewPut("names", row.naturalID, []byte(row.record), 0, "")
			if p == nil || p.Errors[0].Path != row.path {
				t.Errorf("%v, want a problem at %s", p, row.path)
			}
		})
	}
}

// TestOpenSourceIsNotLookedAtAgain: where the sender has looked, a decision without a job asks for nothing.
func TestOpenSourceIsNotLookedAtAgain(t *testing.T) {
	c := put(t, "names", "n1", record(heading, "note"))
	c.Open, c.Job = true, ""
	if wants := (Behavior{}).Wants(State{}, c, entity.Facts{}); wants != nil {
		t.Errorf("wants %+v", wants)
	}
	c.Job = "j"
	if wants := (Behavior{}).Wants(State{}, c, entity.Facts{}); len(wants) != 1 {
		t.Errorf("with a job: wants %+v", wants)
	}
}

func TestNaturalIDOf(t *testing.T) {
	for text, want := range map[string]string{
		record(heading, ""):            "n1",
		`{"fields":[{"001":" n 2 "}]}`: "n 2",
		`{"fields":[{"001":7}]}`:       "",
		`{"fields":{}}`:                "",
		`{"fields":[1,{}]}`:            "",
		`{"heading":"x"}`:              "",
		`7`:                            "",
		`{`:                            "",
	} {
		if got := NaturalIDOf([]byte(text)); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
}

// TestStoredForm: what released versions have stored is read as it was meant.
func TestStoredForm(t *testing.T) {
	s := State{Authority: links.Authority{ID: "names:n1", Source: "names", NaturalID: "n1", Revision: 4, HeadingAt: 3, UnlinkedAt: 2, Deleted: true,
		Heading: links.Heading{Tag: "100", Subfields: []links.Subfield{{Code: "a", Value: "Parker, Charlie"}}, Label: "Parker, Charlie"}},
		Created: noon, Updated: noon.Add(time.Hour), Purge: noon.Add(time.Hour * 24), Job: "j", Hash: 0xfedcba9876543210, Version: 7}
	golden(t, "testdata/state-v1.golden", Behavior{}.EncodeState(s), func(stored []byte) {
		got, err := Behavior{}.DecodeState(stored)
		if err != nil || !reflect.DeepEqual(got, s) {
			t.Errorf("read as %+v, %v", got, err)
		}
		if seen, err := links.DecodeAuthority(stored); err != nil || !reflect.DeepEqual(seen, s.Authority) {
			t.Errorf("linked fields see %+v, %v", seen, err)
		}
	})
	s.Version = 0
	e := Event{Type: TypeDeleted, After: s, Action: links.ActionDelete, Source: "names"}
	golden(t, "testdata/deleted-v1.golden", Behavior{}.EncodeEvent(e).Payload, func(stored []byte) {
		got, err := Behavior{}.DecodeEvent(entity.Encoded{Type: TypeDeleted, Payload: stored})
		if err != nil || !reflect.DeepEqual(got, e) {
			t.Errorf("read as %+v, %v", got, err)
		}
	})
}

func golden(t *testing.T, path string, is []byte, check func([]byte)) {
	t.Helper()
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) && *update {
		text = []byte(hex.EncodeToString(is) + "\n")
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	stored, err := hex.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		t.Fatal(err)
	}
	check(stored)
}

func FuzzDecode(f *testing.F) {
	f.Add(Behavior{}.EncodeState(State{Authority: links.Authority{ID: "x", Revision: 1}}), []byte(record(heading, "")))
	f.Fuzz(func(_ *testing.T, state, text []byte) {
		if s, err := (Behavior{}).DecodeState(state); err == nil {
			_ = found(&s)
			_, _ = Behavior{}.DecodeState(Behavior{}.EncodeState(s))
		}
		_, _ = Behavior{}.DecodeEvent(entity.Encoded{Type: TypeSaved, Payload: state})
		_, _ = NewPut("s", "n", text, 0, "")
		_ = NaturalIDOf(text)
	})
}
