package collection

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/entity"
	"concord/actors/lookup"
	"concord/actors/problem"
	"concord/actors/rules"
)

const found = `{"keys":[["/metadata/n"]],"indexes":["/metadata/l/*","/metadata/n"]}`

// TestWritesKeepIndexesCheaply: a write reads no more than it has to, and changes the entries that have changed and no others.
func TestWritesKeepIndexesCheaply(t *testing.T) {
	s := newShelf(t)
	s.as("t", found)
	for step, do := range []struct {
		command Command
		indexed int
		wants   int // beside the type
	}{
		{s.writing("t", `{"n":"a","l":[1,2,3]}`, map[string]string{"d": "1"}), 5, 2},
		{s.writing("", "", map[string]string{"d": "2"}), 0, 1},
		{s.writing("", `{"n":"a","l":[3,2,1,1.0]}`, nil), 0, 1},
		{s.writing("", `{"n":"a","l":[1,2,4]}`, nil), 2, 1},
		{s.writing("", `{"n":"b","l":[1,2,4],"more":true}`, nil), 4, 1},
		{&Reindex{}, 0, 0},
		{&Delete{}, 5, 0},
		{&Reindex{}, 0, 0},
		{s.writing("t", "", map[string]string{"d": "1"}), 0, 1},
		{s.writing("", `{"n":null}`, nil), 2, 1},
	} {
		s.must(do.command)
		wants := 0
		for _, w := range s.asked {
			if w.Of == nil {
				wants++
			}
		}
		if s.indexed != do.indexed || wants != do.wants {
			t.Errorf("step %d: %d entries changed, %d facts asked for: %+v; want %d and %d", step, s.indexed, wants, s.asked, do.indexed, do.wants)
		}
	}
	plain := newShelf(t)
	plain.put("", `{"n":"a"}`, nil)
	if len(plain.state.Lookups) > 0 || len(plain.index) > 0 {
		t.Error("a collection without a type is found by something")
	}
}

// TestReindex: it brings a collection up to date with its type, whoever holds the lock, and makes no version.
func TestReindex(t *testing.T) {
	many := `{"l":[` + strings.TrimSuffix(manyNumbers(1001), ",") + `]}`
	for title, c := range map[string]struct {
		given   func(s *shelf)
		entries int
		events  int
		refused problem.Code
	}{
		"a type that has come to declare something": {func(s *shelf) { s.put("t", `{"n":1,"l":[1]}`, nil); s.as("t", found) }, 3, 1, ""},
		"one that declares it no more":              {func(s *shelf) { s.as("t", found); s.put("t", `{"n":1}`, nil); s.as("t", `{}`) }, 0, 1, ""},
		"one that is gone":                          {func(s *shelf) { s.as("t", found); s.put("t", `{"n":1}`, nil); delete(s.types, "t") }, 0, 1, ""},
		"one that has not changed":                  {func(s *shelf) { s.as("t", found); s.put("t", `{"n":1}`, nil) }, 2, 0, ""},
		"one that has changed in what does not matter": {func(s *shelf) {
			s.as("t", found)
			s.put("t", `{"n":1}`, nil)
			s.as("t", `{"requireVersion":true,"indexes":["/metadata/n","/metadata/l/*"],"keys":[["/metadata/n"]]}`)
		}, 2, 0, ""},
		"nothing is there to be found": {func(s *shelf) { s.put("t", `{"m":1}`, nil); s.as("t", found) }, 0, 1, ""},
		"no type":                      {func(s *shelf) { s.put("", `{"n":1}`, nil) }, 0, 0, ""},
		"nothing at all":               {func(s *shelf) {}, 0, 0, ""},
		"it is deleted":                {func(s *shelf) { s.put("t", `{"n":1}`, nil); s.must(&Delete{}); s.as("t", found) }, 0, 0, ""},
		"somebody has the lock":        {func(s *shelf) { s.put("t", `{"n":1}`, nil); s.locked(); s.as("t", found) }, 2, 1, ""},
		"too many values":              {func(s *shelf) { s.put("t", many, nil); s.as("t", found) }, 0, 0, problem.TooLarge},
	} {
		t.Run(title, func(t *testing.T) {
			s := newShelf(t)
			c.given(s)
			version := s.version
			_, events, err := s.do(&Reindex{}, false)
			if codeOf(err) != c.refused || len(events) != c.events || len(s.index) != c.entries || s.version != version {
				t.Errorf("%d events, %v; version %d, was %d; %v", len(events), err, s.version, version, s.index)
			}
			if _, again, _ := s.do(&Reindex{}, false); len(again) > 0 {
				t.Error("again, and it does something")
			}
		})
	}
}

func manyNumbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d,", i)
	}
	return b.String()
}

// TestEntriesAreThoseOfTheState: whatever happens, the entries in the indexes are those that the state says, and if its
// fingerprint is that of its type, those of the metadata that can be seen.
func TestEntriesAreThoseOfTheState(t *testing.T) {
	types := []string{`{}`, found, `{"indexes":["/metadata/n"]}`, `{"indexes":["/metadata/*"],"keys":[["/metadata/n","/metadata/m"]]}`}
	rapid.Check(t, func(t *rapid.T) {
		s := newShelf(t)
		metadata := rapid.SampledFrom([]string{"", `{}`, `{"n":1}`, `{"n":1.0,"m":"x"}`, `{"l":[1,2,"a"],"n":{"x":1}}`, `{"l":["a","b"],"m":2,"n":"n"}`})
		for range rapid.IntRange(1, 20).Draw(t, "steps") {
			switch rapid.IntRange(0, 7).Draw(t, "what") {
			case 0, 1, 2:
				s.must(s.writing("", metadata.Draw(t, "metadata"), map[string]string{"d": fmt.Sprint(rapid.IntRange(0, 2).Draw(t, "d"))}))
			case 3:
				if !s.state.Live() {
					s.put(rapid.SampledFrom([]string{"t", "u", ""}).Draw(t, "type"), metadata.Draw(t, "metadata"), nil)
				}
			case 4:
				_, _, _ = s.do(&Delete{}, false)
			case 5:
				s.must(&Reindex{})
			case 6:
				s.as(rapid.SampledFrom([]string{"t", "u"}).Draw(t, "type"), rapid.SampledFrom(types).Draw(t, "text"))
			case 7:
				_, _, _ = s.do(s.writing("", metadata.Draw(t, "metadata"), nil), true)
			}
			want := map[string]bool{}
			for _, c := range s.behavior.Found(State{}, s.state) {
				want[c.Name+" "+c.Term+" "+c.Part] = true
			}
			if !maps.Equal(s.index, want) {
				t.Fatalf("the entries are %v, the state says %v", s.index, want)
			}
			s.foundByWhatIsSeen(t)
		}
	})
}

func (s *shelf) foundByWhatIsSeen(t *rapid.T) {
	typ := rules.None
	if s.state.Type != "" {
		var err error
		if typ, err = rules.Decode(s.types[s.state.Type]); err != nil {
			t.Fatal(err)
		}
	}
	name, print, live := FoundBy(s.behavior.EncodeState(s.state))
	if live != s.state.Live() || live && name != s.state.Type || print != lookup.Fingerprint(s.state.Lookups) {
		t.Fatalf("at a glance: %q, %x, %v; it is %+v", name, print, live, s.state)
	}
	if !live && len(s.index) > 0 {
		t.Fatalf("a deleted one is found by %v", s.index)
	}
	if !live || print != typ.Lookups.Print() {
		return
	}
	content, _ := s.content().Get("metadata")
	terms, refused := typ.Lookups.Terms(content)
	if refused != nil {
		t.Fatal(refused)
	}
	if more := lookup.Changes(s.state.standing(), lookup.Standing{Type: s.state.Type, Terms: terms}); len(more) > 0 {
		t.Fatalf("it is not found by what it says: %v", more)
	}
}

// TestFoundIsStored: a state that is found by nothing is stored as before.
func TestFoundIsStored(t *testing.T) {
	s := newShelf(t)
	s.as("t", found)
	s.put("t", `{"n":1}`, nil)
	stored := s.behavior.EncodeState(s.state)
	if back, err := s.behavior.DecodeState(stored); err != nil || string(back.Lookups) != string(s.state.Lookups) || len(back.Lookups) == 0 {
		t.Errorf("%x, %v", back.Lookups, err)
	}
	e := &Reindexed{s.state.Lookups}
	back, err := s.behavior.DecodeEvent(s.behavior.EncodeEvent(e))
	if err != nil || string(back.(*Reindexed).Lookups) != string(e.Lookups) {
		t.Errorf("%+v, %v", back, err)
	}
	if enc := s.behavior.EncodeEvent(e); enc.Content || enc.Volatile || len(enc.Parts) > 0 {
		t.Errorf("%+v", enc)
	}
	if _, err := s.behavior.DecodeEvent(entity.Encoded{Type: TypeReindexed, Payload: []byte{0xff}}); err == nil {
		t.Error("garbage is read")
	}
}
