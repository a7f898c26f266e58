package collection

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"concord/actors/collection/collectionpb"
	"concord/actors/entity"
	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/lock"
	"concord/actors/problem"
)

// keyword adds to a list of the metadata, or of a document.
func keyword(path, value string) string {
	return fmt.Sprintf(`{"type":"ADD_TO_EXISTING","path":%q,"value":%q}`, path, value)
}

const (
	addTag     = `{"type":"ADD_TO_EXISTING","path":"/metadata/Tags","value":"new"}`
	appendTag  = `{"type":"ADD_TO_EXISTING","path":"/metadata/Tags","value":"new","distinct":false}`
	removeTag  = `{"type":"FIND_AND_REMOVE","path":"/metadata/Tags","find":"gone"}`
	everyTitle = `{"type":"REPLACE_TEXT","path":"/documents/*/title","find":"Jass","value":"Jazz"}`
)

// applyRow is one Apply, on a collection that has had a few things happen to it.
type applyRow struct {
	given   func(s *shelf)
	do      []string
	command Apply // beside Task and Instructions
	dry     bool
	refused problem.Code

	state    fields.Status
	code     problem.Code
	message  string // a part of it
	warned   string // path of the first warning
	metadata string // afterwards; "": as before
	document string // "d" afterwards; "": as before
	version  uint64 // afterwards, as the answer has it
}

func tags(text string) func(*shelf) {
	return func(s *shelf) { s.put("", `{"Title":"T","Tags":`+text+`}`, map[string]string{"d": `{"title":"Jass"}`}) }
}

var applyRows = map[string]applyRow{
	"a tag is added": {given: tags(`["old"]`), do: []string{addTag},
		state: fields.Updated, metadata: `{"Title":"T","Tags":["old","new"]}`, version: 2},
	"a tag that is there is not added": {given: tags(`["new"]`), do: []string{addTag}, state: fields.Unchanged, version: 1},
	"what is looked for is not there":  {given: tags(`["old"]`), do: []string{removeTag}, state: fields.Skipped, version: 1},
	"several instructions are one version": {given: tags(`["old"]`),
		do:    []string{addTag, keyword("/metadata/More", "x"), everyTitle},
		state: fields.Updated, metadata: `{"Title":"T","Tags":["old","new"],"More":["x"]}`, document: `{"title":"Jazz"}`, version: 2},
	"what one instruction undoes of another is nothing": {given: tags(`["old"]`),
		do:    []string{addTag, `{"type":"FIND_AND_REMOVE","path":"/metadata/Tags","find":"new"}`},
		state: fields.Unchanged, version: 1},
	"there never was such a collection": {given: func(*shelf) {}, do: []string{addTag},
		state: fields.Failed, code: problem.NotFound, message: `the collection "c" does not exist, and never did`},
	"a collection that was never there has a lock": {given: func(s *shelf) { s.locked(); s.must(&Locking{lock.Break{Reason: "tidy"}}) }, do: []string{addTag},
		state: fields.Failed, code: problem.NotFound, message: "never did"},
	"the collection is deleted": {given: func(s *shelf) { tags(`[]`)(s); s.must(&Delete{}) }, do: []string{addTag},
		state: fields.Failed, code: problem.NotFound, message: `the collection "c" is deleted, since version 2`, version: 2},
	"it is of another type": {given: func(s *shelf) { s.as("books", `{}`); s.put("books", `{}`, nil) }, do: []string{addTag}, command: Apply{Type: "maps"},
		state: fields.Failed, code: problem.Invalid, message: `of the type "books", and the task is for those of the type "maps"`, version: 1},
	"it is of no type": {given: tags(`[]`), do: []string{addTag}, command: Apply{Type: "maps"},
		state: fields.Failed, code: problem.Invalid, message: `of no type, and the task is for those of the type "maps"`, version: 1},
	"it is of the type": {given: func(s *shelf) { s.as("maps", `{}`); s.put("maps", `{}`, nil) }, do: []string{addTag}, command: Apply{Type: "maps"},
		state: fields.Updated, metadata: `{"Tags":["new"]}`, version: 2},
	"somebody has written since": {given: func(s *shelf) { tags(`[]`)(s); tags(`["a"]`)(s) }, do: []string{addTag}, command: Apply{Version: 1},
		state: fields.Failed, code: problem.PreconditionFailed, message: "the newest version is 2, and the item is for version 1", version: 2},
	"nobody has written since": {given: tags(`[]`), do: []string{addTag}, command: Apply{Version: 1},
		state: fields.Updated, metadata: `{"Title":"T","Tags":["new"]}`, version: 2},
	"a type that demands a version is content": {given: func(s *shelf) { s.as("strict", `{"requireVersion":true}`); s.put("strict", `{}`, nil) }, do: []string{addTag},
		state: fields.Updated, metadata: `{"Tags":["new"]}`, version: 2},
	"a type that demands a lock is content": {given: func(s *shelf) { s.put("strict", `{}`, nil); s.as("strict", `{"lock":{"mode":"explicit"}}`) }, do: []string{addTag},
		state: fields.Updated, metadata: `{"Tags":["new"]}`, version: 2},
	"locks that are advice keep a task away": {given: func(s *shelf) {
		s.put("loose", `{}`, nil)
		s.as("loose", `{"lock":{"mode":"optimistic"}}`)
		s.locked()
	}, do: []string{addTag}, refused: problem.Locked},
	"somebody holds the lock":            {given: func(s *shelf) { tags(`[]`)(s); s.locked() }, do: []string{addTag}, refused: problem.Locked},
	"the lock is judged before the rest": {given: (*shelf).locked, do: []string{addTag}, refused: problem.Locked},
	"a dry run does not ask the lock": {given: func(s *shelf) { tags(`[]`)(s); s.locked() }, do: []string{addTag}, dry: true,
		state: fields.Updated, version: 1},
	"a probe does not ask the lock": {given: func(s *shelf) { tags(`[]`)(s); s.locked() }, do: []string{addTag}, command: Apply{Probe: true},
		state: Undecided, version: 1},
	"a probe of what was never there": {given: func(*shelf) {}, do: []string{addTag}, command: Apply{Probe: true}, state: Undecided},
	"an instruction does not fit": {given: tags(`"a text"`), do: []string{keyword("/metadata/More", "x"), addTag},
		state: fields.Failed, code: problem.Invalid, message: "instruction 1: /metadata/Tags: is a string, not a list", version: 1},
	"the item lacks its value": {given: tags(`[]`), do: []string{`{"type":"ADD_TO_EXISTING","path":"/metadata/Tags","valueFrom":"/tag"}`},
		command: Apply{Item: jsonvalue.NewObject()},
		state:   fields.Failed, code: problem.Invalid, message: "instruction 0: item /tag: is missing", version: 1},
	"the item has its value": {given: tags(`[]`), do: []string{`{"type":"ADD_TO_EXISTING","path":"/metadata/Tags","valueFrom":"/tag"}`},
		command: Apply{Item: jsonvalue.NewObject(jsonvalue.Member{Name: "tag", Value: jsonvalue.NewString("mine")})},
		state:   fields.Updated, metadata: `{"Title":"T","Tags":["mine"]}`, version: 2},
	"the result does not fit the schema": {given: func(s *shelf) {
		s.put("few", `{"Tags":[]}`, nil)
		s.as("few", `{"schemas":{"metadata":{"properties":{"Tags":{"maxItems":0}}}}}`)
	}, do: []string{addTag},
		state: fields.Failed, code: problem.SchemaInvalid, message: "/metadata/Tags: ", version: 1},
	"a schema that only warns": {given: func(s *shelf) {
		s.put("few", `{"Tags":[]}`, nil)
		s.as("few", `{"schemas":{"metadata":{"properties":{"Tags":{"maxItems":0}}},"warn":true}}`)
	}, do: []string{addTag},
		state: fields.Updated, warned: "/metadata/Tags", metadata: `{"Tags":["new"]}`, version: 2},
	"the schema does not judge what is not touched": {given: func(s *shelf) {
		s.put("few", `{"Tags":[]}`, map[string]string{"d": `"no object"`})
		s.as("few", `{"schemas":{"documents":{"type":"object"}}}`)
	}, do: []string{addTag},
		state: fields.Updated, metadata: `{"Tags":["new"]}`, version: 2},
	"the result is too large": {given: func(s *shelf) { tags(`[]`)(s); s.behavior.Limits.MetadataMaxBytes = 25 }, do: []string{addTag},
		state: fields.Failed, code: problem.TooLarge, message: "/metadata: 28 bytes, the limit is 25", version: 1},
	"too many documents change": {given: func(s *shelf) {
		s.put("", "", map[string]string{"a": `{"title":"Jass"}`, "b": `{"title":"Jass"}`, "d": `{"title":"Blues"}`})
		s.behavior.Limits.VersionMaxParts = 1
	}, do: []string{everyTitle},
		state: fields.Failed, code: problem.TooLarge, message: "at most 1 documents, this one 2", version: 1},
	"documents that are too much to be looked at": {given: func(s *shelf) {
		tags(`[]`)(s)
		fact := s.parts["d"]
		fact.Info = marshal(&collectionpb.PartInfo{Size: entity.FactsMaxBytes + 1})
		s.parts["d"] = fact
	}, do: []string{addTag, everyTitle},
		state: fields.Failed, code: problem.TooLarge, message: "the documents have 67108865 bytes together", version: 1},
	"the metadata of a collection that was given none": {given: func(s *shelf) { s.put("", "", map[string]string{"d": "1"}) }, do: []string{addTag},
		state: fields.Updated, metadata: `{"Tags":["new"]}`, version: 2},
	"a named document": {given: tags(`[]`), do: []string{keyword("/documents/d/tags", "x")},
		state: fields.Updated, document: `{"title":"Jass","tags":["x"]}`, version: 2},
	"a named document that is not there": {given: tags(`[]`), do: []string{keyword("/documents/e/tags", "x")}, state: fields.Skipped, version: 1},
	"every document of none":             {given: func(s *shelf) { s.put("", `{}`, nil) }, do: []string{everyTitle}, state: fields.Skipped, version: 1},
	"documents of an earlier life are not there": {given: func(s *shelf) {
		tags(`[]`)(s)
		s.must(&Delete{})
		s.put("", `{}`, nil)
	}, do: []string{everyTitle, keyword("/documents/d/tags", "x")}, state: fields.Skipped, version: 3},
	"metadata of an earlier life are not there": {given: func(s *shelf) {
		tags(`["old"]`)(s)
		s.must(&Delete{})
		s.put("", "", map[string]string{"d": "1"})
	}, do: []string{addTag}, state: fields.Updated, metadata: `{"Tags":["new"]}`, version: 4},
}

func TestApply(t *testing.T) {
	for name, row := range applyRows {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			row.given(s)
			row.run(t, s)
		})
	}
}

func (row *applyRow) run(t *testing.T, s *shelf) {
	c := row.command
	c.Task, c.Instructions = "task", instructions(t, row.do...)
	state, before := s.behavior.EncodeState(s.state), s.content()
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
	if a.State != row.state || a.Code != string(row.code) || !strings.Contains(a.Message, row.message) || a.VersionAfter != row.version {
		t.Errorf("%+v, want %s %s %q, version %d", a, row.state, row.code, row.message, row.version)
	}
	if row.message == "" && a.Message != "" {
		t.Errorf("it says %q", a.Message)
	}
	if row.warned != "" && (len(a.Warnings) == 0 || a.Warnings[0].Path != row.warned) || row.warned == "" && len(a.Warnings) > 0 {
		t.Errorf("warnings %v, want one at %q", a.Warnings, row.warned)
	}
	if wrote := a.State == fields.Updated && !row.dry; wrote != (a.VersionAfter == a.VersionBefore+1) || !wrote && a.VersionAfter != a.VersionBefore {
		t.Errorf("%+v: from version %d to %d", a.State, a.VersionBefore, a.VersionAfter)
	}
	if a.State != fields.Updated && (len(events) > 0 || !bytes.Equal(s.behavior.EncodeState(s.state), state)) {
		t.Errorf("%s, and %d events", a.State, len(events))
	}
	want := before
	if row.metadata != "" {
		want = jsonvalue.With(want, "metadata", valueOfText(t, row.metadata))
	}
	if documents, _ := want.Get("documents"); row.document != "" {
		want = jsonvalue.With(want, "documents", jsonvalue.With(documents, "d", valueOfText(t, row.document)))
	}
	if got := s.content(); !jsonvalue.Equal(got, want) {
		t.Errorf("the content is %s, want %s", got.Text(), want.Text())
	}
}

// TestApplyLeavesOthersAlone: what an instruction does not touch keeps its bytes, as literals and in its order.
func TestApplyLeavesOthersAlone(t *testing.T) {
	for name, row := range map[string]struct{ was, do, is string }{
		"numbers as they were written": {
			`{"z":1.50,"a":1E2,"Tags":[1.0,100000000000000000000000001],"m":-0.0}`, `{"type":"ADD_TO_EXISTING","path":"/metadata/Tags","value":2.00}`,
			`{"z":1.50,"a":1E2,"Tags":[1.0,100000000000000000000000001,2.00],"m":-0.0}`},
		"texts as they were written": {
			`{"b":"\u00e9é\/","Tags":[]}`, addTag, `{"b":"\u00e9é\/","Tags":["new"]}`},
		"a member deep inside": {
			`{"b":{"y":1.0,"x":{"Tags":["a"],"w":[ ]}},"a":{}}`, keyword("/metadata/b/x/Tags", "b"),
			`{"b":{"y":1.0,"x":{"Tags":["a","b"],"w":[]}},"a":{}}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShelf(t)
			s.put("", row.was, nil)
			a, _ := s.apply(&Apply{Task: "t", Instructions: instructions(t, row.do)}, false)
			if got := string(s.parts[MetadataPart].Body); a.State != fields.Updated || got != row.is {
				t.Errorf("%s: %s, want %s", a.State, got, row.is)
			}
		})
	}
}

// TestApplyToMARC: a record of another member order and spelling stays as it is but for the field that is added.
func TestApplyToMARC(t *testing.T) {
	const was = `{"fields":[{"001":"b1"},{"245":{"ind2":"0","ind1":"1","subfields":[{"a":"Ja\u007az"}]}},{"650":{"ind1":" ","ind2":"0","subfields":[{"a":"Blues"}]}}],"leader":"00000nam a2200000 a 4500"}`
	s := newShelf(t)
	w := &Write{Create: true, Format: FormatMARC, Changes: []Change{putOf(t, "b1", was)}}
	s.must(w)
	a, wrote := s.apply(&Apply{Task: "t", Instructions: instructions(t,
		`{"type":"MARC_FIND_AND_APPEND","path":"/documents/*","find":{"tag":"650","subfield":"a","text":"Blues"},"value":{"2":"fast"}}`)}, false)
	want := strings.Replace(was, `[{"a":"Blues"}]`, `[{"a":"Blues"},{"2":"fast"}]`, 1)
	if got := string(s.parts["b1"].Body); a.State != fields.Updated || got != want {
		t.Errorf("%+v: %s, want %s", a, got, want)
	}
	if s.state.Format != FormatMARC || s.state.Documents != 1 || len(wrote.Parts) != 1 {
		t.Errorf("%+v", s.state)
	}
}

// TestApplyReadsLittle: only what instructions are about is read.
func TestApplyReadsLittle(t *testing.T) {
	s := newShelf(t)
	s.put("", `{}`, map[string]string{"a": "1", "b": "2", "c": "3"})
	for in, most := range map[string]int{addTag: 1, keyword("/documents/a/x", "y"): 1, everyTitle: 4, removeTag: 1} {
		s.apply(&Apply{Task: in, Instructions: instructions(t, in)}, true)
		if len(s.asked) > most {
			t.Errorf("%s asks for %+v", in, s.asked)
		}
	}
	s.apply(&Apply{Task: "t", Instructions: instructions(t, addTag)}, false)
	s.apply(&Apply{Task: "t", Instructions: instructions(t, addTag)}, false)
	if len(s.asked) > 0 {
		t.Errorf("a repeat asks for %+v", s.asked)
	}
}

// TestStoredTask: the stored form of what a task leaves may grow, and never change.
func TestStoredTask(t *testing.T) {
	s := State{Exists: true, Format: FormatJSON, Version: 8, Born: 1, Task: Task{ID: "t1", Before: 6, After: 7}}
	saved := &Saved{After: State{Format: FormatJSON, Born: 1}, Task: "t1"}
	for name, row := range map[string]struct{ got, golden string }{
		"state": {hex.EncodeToString(Behavior{}.EncodeState(s)), "0a046a736f6e200140087a080a02743110061807"},
		"saved": {hex.EncodeToString(Behavior{}.EncodeEvent(saved).Payload), "0a080a046a736f6e200132027431"},
	} {
		if row.got != row.golden {
			t.Errorf("%s is stored as %s, was %s", name, row.got, row.golden)
		}
	}
	if back, err := (Behavior{}).DecodeState(Behavior{}.EncodeState(s)); err != nil || back.Task != s.Task {
		t.Errorf("%+v, %v", back.Task, err)
	}
}

// TestFailureIsShort: whatever a refusal says, the message of a failure names the first places, and how many others there are.
func TestFailureIsShort(t *testing.T) {
	many := problem.New(problem.SchemaInvalid, "does not fit")
	for i := range 10 {
		many.Errors = append(many.Errors, problem.FieldError{Path: fmt.Sprintf("/metadata/%d", i), Message: "is wrong"})
	}
	whole := problem.New(problem.TooLarge, "too much")
	whole.Errors = []problem.FieldError{{Message: "3 bytes, the limit is 2"}}
	long := problem.At("/metadata/"+strings.Repeat("x", 1<<20), "%s", strings.Repeat("y", 1<<20))
	for name, row := range map[string]struct {
		p    *problem.Problem
		want string
	}{
		"without a place": {problem.New(problem.TooLarge, "too much"), "too much"},
		"of the whole":    {whole, "3 bytes, the limit is 2"},
		"with many":       {many, "/metadata/0: is wrong; /metadata/1: is wrong; /metadata/2: is wrong; and 7 more"},
		"instruction":     {problem.At("/metadata/a", "is wrong").With("instruction", 3), "instruction 3: /metadata/a: is wrong"},
		"with long names": {long, "/metadata/" + strings.Repeat("x", 1014) + "…: " + strings.Repeat("y", 1024) + "…"},
	} {
		if got := failure(row.p); got != row.want {
			t.Errorf("%s: %.200q, want %.200q", name, got, row.want)
		}
	}
}
