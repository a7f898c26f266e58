package collection

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/links"
	"concord/actors/links/linkspb"
	"concord/actors/lock"
	"concord/actors/problem"
	"concord/actors/undo"
	"concord/persistence"
)

// TestUndoSignsWhatItWrites: a repeat is told the same, what was replaced is pinned and counted, and history says what it was.
func TestUndoSignsWhatItWrites(t *testing.T) {
	until := time.Date(2026, 2, 1, 0, 0, 0, 123456789, time.UTC)
	pin := func(version uint64) persistence.Pin {
		return persistence.Pin{Version: version, Holder: "task", Until: until.Truncate(time.Microsecond)}
	}
	for name, row := range map[string]struct {
		given    func(s *shelf) []undo.Span
		choice   undo.OnConflict
		kept     int
		reverted uint64
		merged   bool
	}{
		"restored": {step, "", len(`{"n":2,"o":"kept"}`) + len(`{"title":"Jazz","p":1E2}`), 1, false},
		"merged": {disturbed(`{"n":2,"o":"kept","m":1}`, nil), undo.Merge,
			len(`{"n":2,"o":"kept","m":1}`) + len(`{"title":"Jazz","p":1E2}`), 0, true},
		"brought back": {deletedByBob, undo.Force, 0, 1, false},
		"deleted":      {broughtBack, "", 0, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			c := &Apply{Task: "task", PinUntil: until, Undo: &Undo{Spans: row.given(s), OnConflict: row.choice}}
			if a, _ := s.apply(c, true); a.Kept != 0 || len(s.pins) > 0 {
				t.Errorf("a dry run: %+v, pins %+v", a, s.pins)
			}
			before := s.version
			a, saved := s.apply(c, false)
			if a.State != fields.Updated || a.Kept != uint64(row.kept) || len(s.pins) != 1 || s.pins[0] != pin(before) {
				t.Errorf("%+v, pins %+v", a, s.pins)
			}
			if !s.state.Task.is("task") || s.state.Task.Before != before || s.state.Task.After != s.version {
				t.Errorf("%+v is remembered", s.state.Task)
			}
			if saved != nil && (saved.RevertedTo != row.reverted || (saved.Merge != nil) != row.merged) {
				t.Errorf("reverted to %d, merge %+v", saved.RevertedTo, saved.Merge)
			}
			s.byBob(`{"other":1}`, nil)
			again, _, err := s.tryApply(c, false)
			if err != nil || again.State != fields.Updated || again.VersionBefore != a.VersionBefore || again.VersionAfter != a.VersionAfter {
				t.Errorf("%+v, and once more %+v, %v", a, again, err)
			}
		})
	}
}

// TestPinsOfInstructions: what instructions replace is pinned and counted, too; nothing is without a time, or a task.
func TestPinsOfInstructions(t *testing.T) {
	s := newShelf(t)
	s.put("", `{"Tags":[]}`, map[string]string{"d": `{"title":"Jass"}`, "e": `{"title":"Blues"}`})
	until := s.now.Add(time.Hour)
	a, _ := s.apply(&Apply{Task: "t", PinUntil: until, Instructions: instructions(t, addTag, everyTitle)}, false)
	if want := uint64(len(`{"Tags":[]}`) + len(`{"title":"Jass"}`)); a.Kept != want || len(s.pins) != 1 || s.pins[0] != (persistence.Pin{Version: 1, Holder: "t", Until: until}) {
		t.Errorf("kept are %d bytes, want %d; pins %+v", a.Kept, want, s.pins)
	}
	s.apply(&Apply{Task: "u", Instructions: instructions(t, removeTag, appendTag)}, false)
	if len(s.pins) > 0 {
		t.Errorf("without a time: %+v", s.pins)
	}
}

// TestStoredPins: the stored form of what holds back retention may grow, and never change.
func TestStoredPins(t *testing.T) {
	until := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	for name, row := range map[string]struct {
		e      Event
		golden string
	}{
		"saved": {&Saved{After: State{Format: FormatJSON, Born: 1}, Task: "t1", PinUntil: until},
			"0a080a046a736f6e2001320274314146f34cf65e470600"},
		"deleted by a task": {&Deleted{Task: "t1", PinUntil: until}, "320274314146f34cf65e470600"},
		"deleted":           {&Deleted{}, ""},
	} {
		enc := Behavior{}.EncodeEvent(row.e)
		if got := hexOf(enc.Payload); got != row.golden {
			t.Errorf("%s is stored as %s, was %s", name, got, row.golden)
		}
	}
	if _, err := (Behavior{}).DecodeEvent(entity.Encoded{Type: TypeDeleted, Payload: []byte{0xff}}); err == nil {
		t.Error("garbage is read")
	}
}

// TestUndoDiff: a dry run tells what would change, also of parts that come and go; of a life that ends or begins in words.
func TestUndoDiff(t *testing.T) {
	for name, row := range map[string]struct {
		given  func(s *shelf) []undo.Span
		choice undo.OnConflict
		want   string
	}{
		"members": {step, "", `[{"op":"replace","path":"/metadata/n","value":1.0},{"op":"replace","path":"/documents/d/title","value":"Jass"}]`},
		"a document comes back": {func(s *shelf) []undo.Span {
			s.put("", "", only("1"))
			return []undo.Span{s.task("", only("null"))}
		}, "", `[{"op":"add","path":"/documents/d","value":1}]`},
		"a document goes": {func(s *shelf) []undo.Span {
			s.put("", "{}", nil)
			return []undo.Span{s.task("", only("1"))}
		}, "", `[{"op":"remove","path":"/documents/d"}]`},
		"a document goes by a merge": {func(s *shelf) []undo.Span {
			s.put("", "{}", nil)
			spans := []undo.Span{s.task("", only("1"))}
			s.byBob(`{"x":1}`, nil)
			return spans
		}, undo.Merge, `[{"op":"remove","path":"/documents/d"}]`},
		"metadata that were the first go": {func(s *shelf) []undo.Span {
			s.put("", "", only("1"))
			return []undo.Span{s.task(`{"n":1}`, nil)}
		}, "", `[{"op":"remove","path":"/metadata/n"}]`},
		"the collection comes back": {deletedByBob, undo.Force, ""},
		"the collection goes":       {broughtBack, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			c := &Apply{Task: "task", Diff: true, Undo: &Undo{Spans: row.given(s), OnConflict: row.choice}}
			if a, _ := s.apply(c, true); a.State != fields.Updated || string(a.Diff) != row.want || (a.Message != "") != (row.want == "") {
				t.Errorf("%+v: %s", a, a.Diff)
			}
		})
	}
}

// authority tells the shelf of one, under a source with a base URL.
func (s *shelf) authority(revision uint64, base string) {
	marshalled := func(m proto.Message) []byte {
		b, err := proto.Marshal(m)
		if err != nil {
			s.t.Fatal(err)
		}
		return b
	}
	source := links.Source{ID: "names", BaseURL: base, Revision: revision}
	known := links.Authority{ID: "n1", Source: "names", NaturalID: "n1", Revision: 1, Heading: links.Heading{Tag: "100"}}
	s.others[persistence.EntityID{Kind: persistence.KindSource, ID: "names"}] = marshalled(&linkspb.SourceState{Source: source.Message()})
	s.others[persistence.EntityID{Kind: persistence.KindAuthority, ID: "n1"}] = marshalled(&linkspb.AuthorityState{Authority: known.Message()})
}

// TestUndoFollowsLinks: a link that comes back shows its authority as it is now, restored or merged, and the indexes say so.
func TestUndoFollowsLinks(t *testing.T) {
	for name, choice := range map[string]undo.OnConflict{"restored": undo.Force, "merged": undo.Merge} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.authority(1, "http://old/")
			s.put("", "{}", only(`{"by":{"authorityId":"n1"},"n":1}`))
			if got, want := string(s.parts["d"].Body), `{"by":{"authorityId":"n1","uri":"http://old/n1"},"n":1}`; got != want {
				t.Fatalf("%s, want %s", got, want)
			}
			spans := []undo.Span{s.task("", only(`{"n":1}`))}
			if len(s.linked) > 0 {
				t.Fatalf("without links: %q", s.linked)
			}
			s.byBob("", only(`{"n":1,"m":2}`))
			s.authority(2, "http://new/")
			a, wrote := s.apply(&Apply{Task: "t", Undo: &Undo{Spans: spans, OnConflict: choice}}, false)
			want := map[undo.OnConflict]string{
				undo.Force: `{"by":{"authorityId":"n1","uri":"http://new/n1"},"n":1}`,
				undo.Merge: `{"n":1,"m":2,"by":{"authorityId":"n1","uri":"http://new/n1"}}`,
			}[choice]
			if got := string(s.parts["d"].Body); a.State != fields.Updated || !jsonvalue.Equal(valueOfText(t, got), valueOfText(t, want)) {
				t.Errorf("%+v: %s, want %s", a, got, want)
			}
			if wrote.Linked == nil || len(s.linked) != 2 {
				t.Errorf("%+v, %q", wrote.Linked, s.linked)
			}
			s.linksAreThoseOfTheParts()
		})
	}
}

// TestUndoUnlinks: a link to an authority that is gone comes back as what it says, whatever a user would be told.
func TestUndoUnlinks(t *testing.T) {
	for name, choice := range map[string]undo.OnConflict{"restored": undo.Force, "merged": undo.Merge} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.authority(1, "http://old/")
			s.put("", "{}", only(`{"by":{"authorityId":"n1","label":"Ann"}}`))
			spans := []undo.Span{s.task("", only("null"))}
			s.byBob(`{"x":1}`, nil)
			s.others[persistence.EntityID{Kind: persistence.KindAuthority, ID: "n1"}] = nil
			a, _ := s.apply(&Apply{Task: "t", Undo: &Undo{Spans: spans, OnConflict: choice}}, false)
			if got, want := string(s.parts["d"].Body), `{"by":{"label":"Ann","uri":"http://old/n1"}}`; a.State != fields.Updated ||
				!jsonvalue.Equal(valueOfText(t, got), valueOfText(t, want)) {
				t.Errorf("%+v: %s, want %s", a, got, want)
			}
			s.linksAreThoseOfTheParts()
		})
	}
}

// linksAreThoseOfTheParts checks that the entries of links are those that the parts give.
func (s *shelf) linksAreThoseOfTheParts() {
	s.t.Helper()
	n := 0
	for id, fact := range s.parts {
		if !fact.Exists || id == MetadataPart {
			continue
		}
		entries, err := s.behavior.Index(id, fact.Info)
		if err != nil {
			s.t.Fatal(err)
		}
		n += len(entries)
		for _, e := range entries {
			if got, ok := s.linked[e.Name+" "+e.Term+" "+id]; !ok || got != string(e.Value) {
				s.t.Fatalf("the entry of %q under %s %s is %q, want %q", id, e.Name, e.Term, got, e.Value)
			}
		}
	}
	if n != len(s.linked) {
		s.t.Fatalf("%d entries, want %d: %q", len(s.linked), n, s.linked)
	}
}

// TestUndoReadsLittle: what was not written is not read, whatever else there is.
func TestUndoReadsLittle(t *testing.T) {
	s := newShelf(t)
	spans := step(s)
	s.byBob("", map[string]string{"e": "1", "f": "2", "g": "3"})
	for choice, most := range map[undo.OnConflict]int{undo.Skip: 1, undo.Force: 1, undo.Merge: 7} {
		s.apply(&Apply{Task: "t", Undo: &Undo{Spans: spans, OnConflict: choice}}, true)
		if len(s.asked) > most {
			t.Errorf("%s asks for %+v", choice, s.asked)
		}
	}
	s.must(&Locking{lock.Acquire{}})
	if _, _, err := s.tryApply(&Apply{Task: "t", Undo: &Undo{Spans: spans}}, false); codeOf(err) != problem.Locked || len(s.asked) > 0 {
		t.Errorf("%v, and asks for %+v", err, s.asked)
	}
}
