package collection

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/merge"
	"concord/actors/problem"
	"concord/actors/rules"
	"concord/actors/undo"
)

// whole is a collection as a dumb model has it: all of its parts, or nothing.
type whole map[string]*jsonvalue.Value

// at is the collection as it was at a version.
func (s *shelf) at(version uint64) whole {
	return s.wholeOf(s.past[version].parts, s.past[version].state)
}

func (s *shelf) wholeOf(parts map[string]entity.Fact, state State) whole {
	if !state.Live() {
		return nil
	}
	w := whole{MetadataPart: jsonvalue.NewObject()}
	for id, fact := range parts {
		if fact.Exists && fact.Version >= state.Born {
			w[id] = valueOfText(s.t, string(fact.Body))
		}
	}
	return w
}

// texts are the bytes of the parts as they were at a version.
func (s *shelf) texts(version uint64) map[string]string {
	texts, p := make(map[string]string), s.past[version]
	for id, fact := range p.parts {
		if p.state.Live() && fact.Exists && fact.Version >= p.state.Born {
			texts[id] = string(fact.Body)
		}
	}
	return texts
}

func (w whole) equal(o whole) bool {
	return (w == nil) == (o == nil) && maps.EqualFunc(w, o, func(a, b *jsonvalue.Value) bool { return jsonvalue.Equal(a, b) })
}

func (w whole) String() string {
	if w == nil {
		return "nothing"
	}
	text := ""
	for _, id := range sortedKeys(w) {
		text += fmt.Sprintf("%q: %s ", id, w[id].Text())
	}
	return text
}

// member is a member of a part; nil: there is none.
func (w whole) member(id, name string) *jsonvalue.Value {
	if w[id] == nil {
		return nil
	}
	v, _ := w[id].Get(name)
	return v
}

// merged takes the groups back from w, the newest first; ok is false if that disagrees with what is there.
func (s *shelf) merged(w whole, groups []undo.Span, r *merge.Rules) (_ whole, ok bool) {
	w = maps.Clone(w)
	for _, g := range slices.Backward(groups) {
		after, before := s.at(g.After), s.at(g.Before)
		ids := maps.Clone(after)
		maps.Copy(ids, before)
		for id := range ids {
			v, conflicts := merge.Merge(after[id], before[id], w[id], r, placeOf(id), merge.Neither)
			if len(conflicts) > 0 {
				return nil, false
			}
			if w[id] = v; v == nil {
				delete(w, id)
			}
		}
	}
	return w, true
}

// undoing is one Apply that takes versions back, and what a dumb model says of it.
type undoing struct {
	t      *rapid.T
	shelf  *shelf
	spans  []undo.Span
	choice undo.OnConflict
	alone  bool  // nobody else has written since
	was    whole // before
	state  State // before
}

var undoTypes = []string{
	`{}`,
	`{"schemas":{"metadata":{"properties":{"Tags":{"maxItems":2}}}},"indexes":["/metadata/Title"]}`,
	`{"schemas":{"metadata":{"required":["Title"]},"documents":{"properties":{"tags":{"maxItems":1}}},"warn":true}}`,
	`{"conflict":{"rules":[{"path":"/metadata/Tags","strategy":"set"},{"path":"/metadata/Number","strategy":"counter"},{"path":"/metadata/Keyed","strategy":"keyed","key":"k"}]}}`,
}

// drawnUndoing is a collection with a past, and some of its versions.
func drawnUndoing(t *rapid.T) *undoing {
	s := newShelf(t)
	s.authority(1, "http://names/")
	s.as("typed", rapid.SampledFrom(undoTypes).Draw(t, "type"))
	s.put(rapid.SampledFrom([]string{"", "typed"}).Draw(t, "typed"), `{"Title":"T","Number":1.50,"Tags":["a","gone"]}`,
		map[string]string{"a": `{"title":"Jass","by":{"authorityId":"n1"},"n":1E0}`, "b": `{"tags":["y"]}`})
	for i := range rapid.IntRange(1, 7).Draw(t, "things") {
		s.by = rapid.SampledFrom([]string{"ann", "bob"}).Draw(t, "by")
		switch rapid.IntRange(0, 5).Draw(t, "thing") {
		case 0, 1:
			s.apply(drawnApply(t, fmt.Sprint("earlier ", i), slices.Concat(growingInstructions, settingInstructions)), false)
		case 2:
			if spans := drawnSpans(t, s); len(spans) > 0 {
				s.apply(&Apply{Task: fmt.Sprint("earlier ", i), Undo: &Undo{spans, rapid.SampledFrom(undo.Choices).Draw(t, "choice")}}, false)
			}
		case 3:
			document := rapid.SampledFrom([]string{"null", `{"by":{"authorityId":"n1"}}`, `{"title":"Jazz","by":{"authorityId":"n1","uri":"x"},"n":1}`}).Draw(t, "linked")
			if _, _, err := s.do(s.writing(s.state.Type, "", map[string]string{"a": document}), false); err != nil && codeOf(err) != problem.SchemaInvalid {
				t.Fatal(err)
			}
		default:
			drawnThing(t, s)
		}
	}
	u := &undoing{t: t, shelf: s, spans: drawnSpans(t, s), choice: rapid.SampledFrom(undo.Choices).Draw(t, "choice"), was: s.at(s.version), state: s.state}
	ours := map[uint64]bool{}
	for _, span := range u.spans {
		for v := span.Before + 1; v <= span.After; v++ {
			ours[v] = true
		}
	}
	u.alone = len(u.spans) > 0
	for v := s.version; u.alone && v > u.spans[0].Before; v-- {
		u.alone = ours[v]
	}
	return u
}

// drawnSpans are some of the versions of a collection, the newest more often than not.
func drawnSpans(t *rapid.T, s *shelf) (spans []undo.Span) {
	for v := uint64(2); v <= s.version; v++ {
		chance := 2
		if v == s.version {
			chance = 4
		}
		if rapid.IntRange(0, chance).Draw(t, fmt.Sprint("version ", v)) == 0 {
			continue
		}
		if last := len(spans) - 1; last >= 0 && spans[last].After == v-1 && rapid.Bool().Draw(t, "joined") {
			spans[last].After = v
			continue
		}
		spans = append(spans, undo.Span{Before: v - 1, After: v})
	}
	return spans
}

// interrupted says that the collection has not lived without a gap since before what is taken back.
func (u *undoing) interrupted() bool {
	return slices.ContainsFunc(u.shelf.past[u.spans[0].Before:], func(p past) bool { return !p.state.Live() || p.state.Born != u.state.Born })
}

// want is what is to be there afterwards, and what the item is said to be.
func (u *undoing) want() (whole, fields.Status) {
	s := u.shelf
	var then whole
	switch {
	case u.alone || u.choice == undo.Force:
		then = s.at(u.spans[0].Before)
	case u.choice == undo.Merge:
		if u.interrupted() {
			return u.was, fields.Skipped
		}
		typ := rules.None
		if s.state.Type != "" {
			typ, _ = rules.Decode(s.types[s.state.Type])
		}
		merged, ok := s.merged(u.was, undo.Joined(u.spans), typ.Conflict.Rules)
		if !ok {
			return u.was, fields.Skipped
		}
		then = merged
	default:
		return u.was, fields.Skipped
	}
	if then.equal(u.was) && (!u.alone || maps.Equal(s.texts(u.spans[0].Before), s.texts(s.version))) {
		return then, fields.Unchanged
	}
	return then, fields.Updated
}

// TestUndoAgainstFullCopies: whatever has happened to a collection, taking versions of it back does what a dumb model does that
// has a full copy of each; a dry run says the same before, and a repeat after it; and what stands beside the content is as if
// it had been written so.
func TestUndoAgainstFullCopies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := drawnUndoing(t)
		if len(u.spans) == 0 {
			return
		}
		s := u.shelf
		want, status := u.want()
		before, state, parts := s.version, s.behavior.EncodeState(s.state), maps.Clone(s.parts)
		c := &Apply{Task: "task", Diff: true, Undo: &Undo{u.spans, u.choice}}
		told, _ := s.apply(c, true)
		if !bytes.Equal(state, s.behavior.EncodeState(s.state)) || !s.at(s.version).equal(u.was) {
			t.Fatal("the dry run has written")
		}
		a, events, err := s.tryApply(c, false)
		if err != nil {
			t.Fatal(err)
		}
		got := s.wholeOf(s.parts, s.state)
		if a.State == fields.Failed {
			if a.Code != string(problem.SchemaInvalid) || status != fields.Updated {
				t.Fatalf("%+v, want %s", a, status)
			}
			want, status = u.was, fields.Failed
		}
		if status == fields.Unchanged && u.interrupted() {
			status = a.State // another life may be brought back that looks the same
		}
		if !got.equal(want) || a.State != status {
			t.Fatalf("%v of %v (%s) is %+v:\n%v, want %s:\n%v; it was:\n%v", u.spans, before, u.choice, a, got, status, want, u.was)
		}
		if wrote := len(events) > 0; wrote != (status == fields.Updated) || wrote != (s.version == before+1) {
			t.Fatalf("%s, with %d events", status, len(events))
		}
		if u.alone && a.State != fields.Failed && !maps.Equal(s.texts(s.version), s.texts(u.spans[0].Before)) {
			t.Fatalf("%v, and it was %v", s.texts(s.version), s.texts(u.spans[0].Before))
		}
		u.predicted(told, a)
		u.beside(a, events, parts)
		u.repeated(c, a)
	})
}

// predicted checks what a dry run has said.
func (u *undoing) predicted(told, done Applied) {
	if told.Diff != nil {
		patch, err := jsonvalue.ParsePatch(told.Diff)
		if err != nil {
			u.t.Fatal(err)
		}
		is, err := patch.Apply(u.shelf.contentOf(u.was), jsonvalue.DefaultLimits())
		if err != nil || !jsonvalue.Equal(is, u.shelf.content()) {
			u.t.Fatalf("%s makes %v of %v: %v", told.Diff, is.Text(), u.was, err)
		}
	}
	if written := told.State == fields.Updated; (told.Diff != nil || told.Message != "") != (written || told.State == fields.Skipped || told.State == fields.Failed) {
		u.t.Fatalf("%+v", told)
	}
	told.VersionAfter, told.Kept = done.VersionAfter, done.Kept
	if got, want := fmt.Sprintf("%+v", told), fmt.Sprintf("%+v", done); got != want {
		u.t.Fatalf("predicted: %s; done: %s", got, want)
	}
}

// contentOf is a whole as shelf.content shows it.
func (s *shelf) contentOf(w whole) *jsonvalue.Value {
	metadata, documents := jsonvalue.NewObject(), []jsonvalue.Member(nil)
	for _, id := range sortedKeys(w) {
		if id == MetadataPart {
			metadata = w[id]
			continue
		}
		documents = append(documents, jsonvalue.Member{Name: id, Value: w[id]})
	}
	return jsonvalue.NewObject(jsonvalue.Member{Name: "metadata", Value: metadata},
		jsonvalue.Member{Name: "documents", Value: jsonvalue.NewObject(documents...)})
}

// beside checks what stands beside the content: bytes, counts, links, what it is found by.
func (u *undoing) beside(a Applied, events []Event, parts map[string]entity.Fact) {
	s := u.shelf
	s.linksAreThoseOfTheParts()
	s.foundByWhatIsSeen(u.t)
	if documents := max(len(s.wholeOf(s.parts, s.state)), 1) - 1; s.state.Documents != uint64(documents) {
		u.t.Fatalf("%d documents are counted, and %d are there", s.state.Documents, documents)
	}
	kept := 0
	for _, e := range events {
		saved, ok := e.(*Saved)
		for i := 0; ok && i < len(saved.Parts); i++ {
			p := &saved.Parts[i]
			if old := parts[p.ID]; u.state.Live() && old.Version >= u.state.Born {
				kept += len(old.Body)
			}
			if then := s.past[u.spans[0].Before].parts[p.ID]; (u.alone || u.choice == undo.Force) && !p.Removed && !bytes.Equal(p.Body, then.Body) {
				u.t.Fatalf("%q is %s, and was %s", p.ID, p.Body, then.Body)
			}
		}
	}
	if a.Kept != uint64(kept) {
		u.t.Fatalf("%d bytes are kept, and it says %d", kept, a.Kept)
	}
	if u.choice == undo.Merge && !u.alone && a.State == fields.Updated {
		u.keepsOthers()
	}
}

// keepsOthers checks that a merge has left every member alone that was not taken back.
func (u *undoing) keepsOthers() {
	s := u.shelf
	is := s.wholeOf(s.parts, s.state)
	for id, part := range u.was {
		for _, m := range part.Members() {
			touched := false
			for _, g := range undo.Joined(u.spans) {
				touched = touched || !jsonvalue.Equal(s.at(g.Before).member(id, m.Name), s.at(g.After).member(id, m.Name))
			}
			if got := is.member(id, m.Name); !touched && !jsonvalue.Equal(got, m.Value) {
				u.t.Fatalf("%q of %q was %s, and is not now: %v", m.Name, id, m.Value.Text(), is)
			}
		}
	}
}

// repeated checks that a repeat changes nothing, and says the same if the first has written.
func (u *undoing) repeated(c *Apply, first Applied) {
	s := u.shelf
	is := s.wholeOf(s.parts, s.state)
	again, events, err := s.tryApply(c, false)
	if err != nil || len(events) > 0 || !s.wholeOf(s.parts, s.state).equal(is) || again.State != first.State ||
		again.VersionBefore != first.VersionBefore || again.VersionAfter != first.VersionAfter {
		u.t.Fatalf("it did %+v, and once more %+v, %v", first, again, err)
	}
}

// TestRedoBringsBack: what an undo has taken back, an undo of it brings back, however it came about.
func TestRedoBringsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		u := drawnUndoing(t)
		if len(u.spans) == 0 {
			return
		}
		s := u.shelf
		a, _ := s.apply(&Apply{Task: "undo", Undo: &Undo{u.spans, u.choice}}, false)
		if a.State != fields.Updated {
			return
		}
		back, _ := s.apply(&Apply{Task: "redo", Undo: &Undo{Spans: []undo.Span{{Before: a.VersionBefore, After: a.VersionAfter}}}}, false)
		if back.State == fields.Failed && back.Code == string(problem.SchemaInvalid) {
			return
		}
		if got := s.wholeOf(s.parts, s.state); back.State != fields.Updated || !got.equal(u.was) {
			t.Fatalf("%+v, and then %+v: %v, and it was %v", a, back, got, u.was)
		}
		s.linksAreThoseOfTheParts()
		s.foundByWhatIsSeen(t)
	})
}
