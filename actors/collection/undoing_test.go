package collection

import (
	"strings"
	"testing"

	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/problem"
	"concord/actors/undo"
)

// undoRow is one Apply that takes versions back. What happens before says which they are.
type undoRow struct {
	given   func(s *shelf) []undo.Span
	choice  undo.OnConflict
	command Apply
	dry     bool
	refused problem.Code

	state    fields.Status
	code     problem.Code
	message  string   // the whole of it
	warned   []string // paths of the warnings
	metadata string   // afterwards; "": as before
	document string   // "d" afterwards; "": as before
	gone     bool     // "d" afterwards
	back     uint64   // version whose content it has afterwards; 0: as the row says
}

// written is what do has written, as one span.
func (s *shelf) written(do func()) undo.Span {
	before := s.version
	do()
	return undo.Span{Before: before, After: s.version}
}

// task writes as a task does.
func (s *shelf) task(metadata string, documents map[string]string) undo.Span {
	return s.written(func() { s.put("", metadata, documents) })
}

// byBob writes as somebody else.
func (s *shelf) byBob(metadata string, documents map[string]string) {
	s.by = "bob"
	s.put("", metadata, documents)
	s.by = "ann"
}

// only is one document.
func only(text string) map[string]string { return map[string]string{"d": text} }

// step is a collection that one task has changed: n, and the document.
func step(s *shelf) []undo.Span {
	s.put("", `{"n":1.0,"o":"kept"}`, only(`{"title":"Jass","p":1E2}`))
	return []undo.Span{s.task(`{"n":2,"o":"kept"}`, only(`{"title":"Jazz","p":1E2}`))}
}

func disturbed(metadata string, documents map[string]string) func(*shelf) []undo.Span {
	return func(s *shelf) []undo.Span {
		spans := step(s)
		s.byBob(metadata, documents)
		return spans
	}
}

func deletedByBob(s *shelf) []undo.Span {
	spans := step(s)
	s.by = "bob"
	s.must(&Delete{})
	s.by = "ann"
	return spans
}

func bornAgain(s *shelf) []undo.Span {
	spans := deletedByBob(s)
	s.byBob(`{"new":true}`, map[string]string{"e": "1"})
	return spans
}

// broughtBack is a collection that was deleted, and that a task has brought back; what it wrote is to be undone.
func broughtBack(s *shelf) []undo.Span {
	spans := deletedByBob(s)
	return []undo.Span{s.written(func() {
		s.apply(&Apply{Task: "back", Undo: &Undo{Spans: spans, OnConflict: undo.Force}}, false)
	})}
}

var undoRows = map[string]undoRow{
	"nobody has written since": {given: step, state: fields.Updated, back: 1},
	"and it is to be forced":   {given: step, choice: undo.Force, state: fields.Updated, back: 1},
	"what is equal comes back byte for byte": {given: func(s *shelf) []undo.Span {
		spans := step(s)
		return append(spans, s.task(`{"o":"kept","n":1e0}`, only(`{"p":100,"title":"Jass"}`)))
	}, state: fields.Updated, metadata: `{"n":1.0,"o":"kept"}`, document: `{"title":"Jass","p":1E2}`},
	"what is the same to the byte stays": {given: func(s *shelf) []undo.Span {
		spans := step(s)
		return append(spans, s.task(`{"n":1.0,"o":"kept"}`, only(`{"title":"Jass","p":1E2}`)))
	}, state: fields.Unchanged},
	"and it is to be merged":              {given: step, choice: undo.Merge, state: fields.Updated, back: 1},
	"no choice is to skip":                {given: disturbed(`{}`, nil), choice: "", state: fields.Skipped, code: problem.VersionConflict, message: "version 3 is of others; it is by bob"},
	"somebody has written since: skipped": {given: disturbed(`{}`, nil), choice: undo.Skip, state: fields.Skipped, code: problem.VersionConflict, message: "version 3 is of others; it is by bob"},
	"somebody has written since: forced":  {given: disturbed(`{}`, only("null")), choice: undo.Force, state: fields.Updated, back: 1},
	"somebody has written since: merged": {given: disturbed(`{"n":2,"o":"kept","mine":true}`, only(`{"title":"Jazz","p":1E2,"q":1}`)), choice: undo.Merge,
		state: fields.Updated, metadata: `{"n":1.0,"o":"kept","mine":true}`, document: `{"title":"Jass","p":1E2,"q":1}`},
	"what disagrees is named": {given: disturbed(`{"n":3,"o":"kept"}`, only(`{"title":"Blues","q":1}`)), choice: undo.Merge,
		state: fields.Skipped, code: problem.VersionConflict, message: "version 3 is of others; it is by bob; 2 places disagree",
		warned: []string{"/metadata/n", "/documents/d/title"}},
	"one place disagrees": {given: disturbed(`{"n":3,"o":"kept"}`, nil), choice: undo.Merge,
		state: fields.Skipped, code: problem.VersionConflict, message: "version 3 is of others; it is by bob; one place disagrees", warned: []string{"/metadata/n"}},
	"a document that was added has changed": {given: func(s *shelf) []undo.Span {
		s.put("", "{}", nil)
		spans := []undo.Span{s.task("", only("1"))}
		s.byBob("", only("2"))
		return spans
	}, choice: undo.Merge, state: fields.Skipped, code: problem.VersionConflict,
		message: "version 3 is of others; it is by bob; one place disagrees", warned: []string{"/documents/d"}},
	"a document that was added, and others wrote another": {given: func(s *shelf) []undo.Span {
		s.put("", "{}", nil)
		spans := []undo.Span{s.task("", only("1"))}
		s.byBob(`{"x":1}`, nil)
		return spans
	}, choice: undo.Merge, state: fields.Updated, gone: true},
	"a document that was removed, and others wrote another": {given: func(s *shelf) []undo.Span {
		s.put("", "{}", only("1.0"))
		spans := []undo.Span{s.task("", only("null"))}
		s.byBob(`{"x":1}`, nil)
		return spans
	}, choice: undo.Merge, state: fields.Updated, document: "1.0"},
	"a document that was removed comes back byte for byte": {given: func(s *shelf) []undo.Span {
		s.put("", "{}", only(`{ "b":1.0,  "a":[ ] }`))
		spans := []undo.Span{s.task("", only("null"))}
		s.byBob(`{"x":1}`, nil)
		return spans
	}, choice: undo.Merge, state: fields.Updated, document: `{ "b":1.0,  "a":[ ] }`},
	"a document that was added has a namesake in an earlier life": {given: func(s *shelf) []undo.Span {
		s.put("", "{}", only("1"))
		s.must(&Delete{})
		s.put("", "{}", nil)
		spans := []undo.Span{s.task("", only("2"))}
		s.byBob(`{"x":1}`, nil)
		return spans
	}, choice: undo.Merge, state: fields.Updated, gone: true},
	"a document that was removed is there again": {given: func(s *shelf) []undo.Span {
		s.put("", "{}", only("1"))
		spans := []undo.Span{s.task("", only("null"))}
		s.byBob("", only("2"))
		return spans
	}, choice: undo.Merge, state: fields.Skipped, code: problem.VersionConflict,
		message: "version 3 is of others; it is by bob; one place disagrees", warned: []string{"/documents/d"}},
	"metadata that were the first are taken out of others": {given: func(s *shelf) []undo.Span {
		s.put("", "", only("1"))
		spans := []undo.Span{s.task(`{"n":1}`, nil)}
		s.byBob(`{"n":1,"o":2}`, nil)
		return spans
	}, choice: undo.Merge, state: fields.Updated, metadata: `{"o":2}`},
	"others have taken it back already": {given: disturbed(`{"n":1,"o":"kept"}`, only(`{"p":100,"title":"Jass"}`)), choice: undo.Merge, state: fields.Unchanged},
	"and it is forced":                  {given: disturbed(`{"n":1,"o":"kept"}`, only(`{"p":100,"title":"Jass"}`)), choice: undo.Force, state: fields.Unchanged},
	"a counter counts back": {given: func(s *shelf) []undo.Span {
		s.as("counting", `{"conflict":{"rules":[{"path":"/metadata/n","strategy":"counter"}]}}`)
		s.put("counting", `{"n":1}`, nil)
		spans := []undo.Span{s.task(`{"n":11}`, nil)}
		s.byBob(`{"n":13}`, nil)
		return spans
	}, choice: undo.Merge, state: fields.Updated, metadata: `{"n":3}`},
	"several steps": {given: func(s *shelf) []undo.Span {
		return append(step(s), s.task(`{"n":3}`, only("null")), s.task("", only("4")))
	}, state: fields.Updated, back: 1},
	"the last of several steps": {given: func(s *shelf) []undo.Span { step(s); return []undo.Span{s.task(`{"n":3}`, nil)} },
		state: fields.Updated, back: 2},
	"others have written between steps, and since": {given: func(s *shelf) []undo.Span {
		spans := step(s)
		s.byBob(`{"n":2,"o":"kept","a":1}`, nil)
		spans = append(spans, s.task(`{"n":4,"o":"kept","a":1}`, nil), s.task(`{"n":5,"o":"kept","a":1}`, nil))
		s.byBob(`{"n":5,"o":"kept","a":1,"b":2}`, nil)
		s.byBob(`{"n":5,"o":"kept","a":1,"b":3}`, nil)
		return spans
	}, state: fields.Skipped, code: problem.VersionConflict, message: "version 3 and versions 6 to 7 are of others; the newest is by bob"},
	"and they are merged": {given: func(s *shelf) []undo.Span {
		spans := step(s)
		s.byBob(`{"n":2,"o":"kept","a":1}`, nil)
		spans = append(spans, s.task(`{"n":4,"o":"kept","a":1}`, nil), s.task(`{"n":5,"o":"kept","a":1}`, nil))
		s.byBob(`{"n":5,"o":"kept","a":1,"b":2}`, nil)
		return spans
	}, choice: undo.Merge, state: fields.Updated, metadata: `{"n":1.0,"o":"kept","a":1,"b":2}`, document: `{"title":"Jass","p":1E2}`},
	"others have written again and again": {given: func(s *shelf) []undo.Span {
		spans := step(s)
		for range 5 {
			s.byBob(`{"n":2}`, nil)
			spans = append(spans, s.task(`{"n":3}`, nil))
		}
		return spans
	}, state: fields.Skipped, code: problem.VersionConflict, message: "version 3, version 5, version 7, and more up to version 11 are of others; the newest is by bob"},

	"somebody has deleted it: skipped": {given: deletedByBob, state: fields.Skipped, code: problem.VersionConflict,
		message: "version 3 is of others; it is the deletion of the collection, by bob"},
	"somebody has deleted it: merged": {given: deletedByBob, choice: undo.Merge, state: fields.Skipped, code: problem.VersionConflict,
		message: "version 3 is of others; it is the deletion of the collection, by bob; one place disagrees", warned: []string{""}},
	"somebody has deleted it: forced": {given: deletedByBob, choice: undo.Force, state: fields.Updated, back: 1,
		message: "the collection was deleted since version 1, and is as it was before that"},
	"somebody has made it anew: skipped": {given: bornAgain, state: fields.Skipped, code: problem.VersionConflict,
		message: "versions 3 to 4 are of others; the newest is by bob"},
	"somebody has made it anew: merged": {given: bornAgain, choice: undo.Merge, state: fields.Skipped, code: problem.VersionConflict,
		message: "versions 3 to 4 are of others; the newest is by bob; one place disagrees", warned: []string{""}},
	"somebody has made it anew: forced": {given: bornAgain, choice: undo.Force, state: fields.Updated, back: 1,
		message: "the collection was deleted since version 1, and is as it was before that"},
	"what was brought back goes again": {given: broughtBack, state: fields.Updated, back: 3,
		message: "the collection is deleted, as it was at version 3"},
	"what was brought back is deleted already": {given: func(s *shelf) []undo.Span {
		spans := broughtBack(s)
		s.must(&Delete{})
		return spans
	}, choice: undo.Force, state: fields.Unchanged},
	"what was brought back has changed since": {given: func(s *shelf) []undo.Span {
		spans := broughtBack(s)
		s.byBob(`{}`, nil)
		return spans
	}, choice: undo.Merge, state: fields.Skipped, code: problem.VersionConflict,
		message: "version 5 is of others; it is by bob; one place disagrees", warned: []string{""}},
	"what has gone again comes back": {given: func(s *shelf) []undo.Span {
		spans := broughtBack(s)
		return []undo.Span{s.written(func() { s.apply(&Apply{Task: "gone", Undo: &Undo{Spans: spans}}, false) })}
	}, state: fields.Updated, back: 1, message: "the collection was deleted since version 4, and is as it was before that"},

	"there never was such a collection": {given: func(*shelf) []undo.Span { return []undo.Span{{Before: 1, After: 2}} },
		state: fields.Failed, code: problem.NotFound, message: `the collection "c" does not exist, and never did`},
	"there are no such versions": {given: func(s *shelf) []undo.Span { step(s); return []undo.Span{{Before: 2, After: 3}} },
		state: fields.Failed, code: problem.Invalid, message: "what is to be taken back are no versions of the collection, whose newest is 2"},
	"there is nothing to be taken back": {given: func(s *shelf) []undo.Span { step(s); return nil },
		state: fields.Failed, code: problem.Invalid, message: "what is to be taken back are no versions of the collection, whose newest is 2"},
	"it is of another type": {given: func(s *shelf) []undo.Span {
		s.as("maps", `{}`)
		s.put("maps", `{}`, nil)
		return []undo.Span{s.task(`{"n":1}`, nil)}
	},
		command: Apply{Type: "books"}, state: fields.Failed, code: problem.Invalid,
		message: `the collection is of the type "maps", and the task is for those of the type "books"`},
	"it must be at a version": {given: disturbed(`{}`, nil), command: Apply{Version: 2}, choice: undo.Force, state: fields.Failed,
		code: problem.PreconditionFailed, message: "the newest version is 3, and the item is for version 2"},
	"what was there is no longer kept": {given: func(s *shelf) []undo.Span { spans := step(s); s.oldest = 2; return spans },
		state: fields.Failed, code: problem.BaseUnavailable, message: "version 1 is no longer kept"},
	"nor for a merge": {given: func(s *shelf) []undo.Span { spans := disturbed(`{}`, nil)(s); s.oldest = 2; return spans }, choice: undo.Merge,
		state: fields.Failed, code: problem.BaseUnavailable, message: "version 1 is no longer kept"},
	"nor what was made of it": {given: func(s *shelf) []undo.Span { spans := disturbed(`{}`, nil)(s); s.oldest = 3; return spans }, choice: undo.Merge,
		state: fields.Failed, code: problem.BaseUnavailable, message: "version 2 is no longer kept"},
	"who has written is no longer kept": {given: func(s *shelf) []undo.Span { spans := disturbed(`{}`, nil)(s); s.oldest = 4; return spans },
		state: fields.Skipped, code: problem.VersionConflict, message: "version 3 is of others"},
	"what was there does not fit the schema": {given: func(s *shelf) []undo.Span {
		s.put("strict", `{"n":1}`, nil)
		spans := []undo.Span{s.task(`{"n":2}`, nil)}
		s.as("strict", `{"schemas":{"metadata":{"properties":{"n":{"minimum":2}}}}}`)
		return spans
	}, state: fields.Failed, code: problem.SchemaInvalid, message: "/metadata/n: must be at least 2"},
	"too many versions are to be merged": {given: func(s *shelf) []undo.Span {
		s.put("", "{}", nil)
		spans := []undo.Span{s.written(func() {
			for i := range undoMaxVersions + 1 {
				s.put("", "", only(itoa(i)))
			}
		})}
		s.byBob(`{"x":1}`, nil)
		return spans
	}, choice: undo.Merge, state: fields.Failed, code: problem.TooLarge, message: "more than 1000 versions are to be taken back by merging"},
	"too many documents are to be merged": {given: func(s *shelf) []undo.Span {
		spans := disturbed(`{"x":1}`, nil)(s)
		s.behavior.Limits.VersionMaxParts = 1
		return spans
	}, choice: undo.Merge, state: fields.Failed, code: problem.TooLarge, message: "what is to be taken back by merging has changed more than 1 documents"},

	"somebody holds the lock":         {given: func(s *shelf) []undo.Span { spans := step(s); s.locked(); return spans }, refused: problem.Locked},
	"a dry run does not ask the lock": {given: func(s *shelf) []undo.Span { spans := step(s); s.locked(); return spans }, dry: true, state: fields.Updated},
	"a probe":                         {given: step, command: Apply{Probe: true}, state: Undecided},
}

func TestUndo(t *testing.T) {
	for name, row := range undoRows {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			row.run(t, s, row.given(s))
		})
	}
}

func (row *undoRow) run(t *testing.T, s *shelf, spans []undo.Span) {
	c := row.command
	c.Task, c.Undo = "task", &Undo{Spans: spans, OnConflict: row.choice}
	state, want, version := string(s.behavior.EncodeState(s.state)), s.content(), s.version
	a, events, err := s.tryApply(&c, row.dry)
	if row.refused != "" {
		if codeOf(err) != row.refused {
			t.Fatalf("%v, want a refusal: %s", err, row.refused)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if a.State != row.state || a.Code != string(row.code) || a.Message != row.message {
		t.Errorf("%s %s %q, want %s %s %q", a.State, a.Code, a.Message, row.state, row.code, row.message)
	}
	var warned []string
	for _, w := range a.Warnings {
		warned = append(warned, w.Path)
	}
	if strings.Join(warned, " ") != strings.Join(row.warned, " ") || len(warned) != len(row.warned) {
		t.Errorf("warned of %q, want %q", warned, row.warned)
	}
	wrote := row.state == fields.Updated && !row.dry
	if wrote != (s.version == version+1) || a.VersionBefore != version || a.VersionAfter != s.version {
		t.Errorf("versions %d to %d, and it was %d", a.VersionBefore, a.VersionAfter, version)
	}
	if !wrote && (!row.dry && len(events) > 0 || string(s.behavior.EncodeState(s.state)) != state) {
		t.Errorf("%d events", len(events))
	}
	if row.back > 0 {
		s.asAt(row.back)
		return
	}
	if row.metadata != "" {
		want = jsonvalue.With(want, "metadata", valueOfText(t, row.metadata))
	}
	documents, _ := want.Get("documents")
	if row.document != "" {
		documents = jsonvalue.With(documents, "d", valueOfText(t, row.document))
	}
	if row.gone {
		documents = jsonvalue.MergePatch(documents, valueOfText(t, `{"d":null}`))
	}
	if got := s.content(); !jsonvalue.Equal(got, jsonvalue.With(want, "documents", documents)) {
		t.Errorf("the content is %s", got.Text())
	}
	for id, text := range map[string]string{MetadataPart: row.metadata, "d": row.document} {
		if got := string(s.parts[id].Body); text != "" && got != text {
			t.Errorf("%q is %s, want %s", id, got, text)
		}
	}
}

// asAt checks that the collection is what it was at a version, byte for byte.
func (s *shelf) asAt(version uint64) {
	s.t.Helper()
	then := s.past[version]
	live := func(id string, parts map[string]entity.Fact, state State) string {
		if fact := parts[id]; state.Live() && fact.Exists && fact.Version >= state.Born {
			return string(fact.Body)
		}
		return ""
	}
	for id := range s.parts {
		if got, want := live(id, s.parts, s.state), live(id, then.parts, then.state); got != want {
			s.t.Fatalf("%q is %s, and was %s at version %d", id, got, want, version)
		}
	}
	if got, want := s.state, then.state; got.Live() != want.Live() || got.Documents != want.Documents || want.Live() && (got.Born != want.Born || got.Type != want.Type) {
		s.t.Fatalf("it is %+v, and was %+v at version %d", got, want, version)
	}
}
