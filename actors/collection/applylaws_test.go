package collection

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"concord/actors/fields"
	"concord/actors/jsonvalue"
	"concord/actors/lock"
	"concord/actors/problem"
)

// settingInstructions are such that doing them twice is doing them once; growing ones change something each time.
var (
	settingInstructions = []string{
		addTag, removeTag, everyTitle, keyword("/metadata/Deep/List", "x"), keyword("/documents/a/tags", "x"), keyword("/documents/*/tags", "y"),
		`{"type":"CLEAR_ALL_AND_REPLACE","path":"/metadata/Tags","value":["b","a","b"]}`,
		`{"type":"CLEAR_FIELD","path":"/metadata/Number"}`,
		`{"type":"MERGE_PATCH","path":"/metadata","value":{"Number":1.0,"Deep":{"List":null}}}`,
		`{"type":"MERGE_BY_KEY","path":"/metadata/Keyed","key":"k","onMissing":"append","value":{"k":"1","v":2}}`,
		`{"type":"JSON_PATCH","path":"/documents/b","value":[{"op":"add","path":"/set","value":true}]}`,
	}
	growingInstructions = []string{
		appendTag,
		`{"type":"ADD_TO_EXISTING","path":"/documents/*/tags","value":"more","distinct":false}`,
		`{"type":"REPLACE_TEXT","path":"/metadata/Title","find":"T","value":"TT"}`,
		`{"type":"MERGE_BY_KEY","path":"/metadata/Keyed","key":"k","value":{"k":"2"}}`, // which fails
	}
)

// drawnApply is an Apply of a task.
func drawnApply(t *rapid.T, task string, from []string) *Apply {
	list := rapid.SliceOfN(rapid.SampledFrom(from), 1, 4).Draw(t, "instructions")
	parsed, p := fields.Parse([]byte("["+strings.Join(list, ",")+"]"), nil, "")
	if p != nil {
		t.Fatal(p)
	}
	return &Apply{Task: task, Instructions: parsed}
}

// drawnThing happens to a collection by others, if its type takes it.
func drawnThing(t *rapid.T, s *shelf) {
	if s.state.Live() && rapid.IntRange(0, 5).Draw(t, "deleted") == 0 {
		s.must(&Delete{})
		return
	}
	metadata := rapid.SampledFrom([]string{"", `{}`, `{"Title":"T","Tags":["gone","a"]}`, `{"Tags":["a","a"],"Number":1.0,"Deep":{}}`,
		`{"Keyed":[{"k":"1","v":1},{"k":"3"}],"Title":"T"}`, `{"Tags":"no list"}`}).Draw(t, "metadata")
	documents := map[string]string{}
	for _, id := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 0, 3, rapid.ID[string]).Draw(t, "documents") {
		documents[id] = rapid.SampledFrom([]string{"null", `{"title":"Jass"}`, `{"title":"Jazz","tags":["y"],"n":1e2}`}).Draw(t, "document")
	}
	if _, _, err := s.do(s.writing(s.state.Type, metadata, documents), false); err != nil && codeOf(err) != problem.SchemaInvalid {
		t.Fatal(err)
	}
}

func drawnShelf(t *rapid.T) *shelf {
	s := newShelf(t)
	s.as("typed", rapid.SampledFrom([]string{`{}`, `{"schemas":{"metadata":{"properties":{"Tags":{"maxItems":2}}}}}`,
		`{"schemas":{"metadata":{"required":["Title"]},"documents":{"properties":{"tags":{"maxItems":1}}},"warn":true}}`}).Draw(t, "type"))
	s.put(rapid.SampledFrom([]string{"", "typed"}).Draw(t, "typed"), `{"Title":""}`, nil)
	return s
}

// TestDryRunPredicts: a dry run says what the run does, and how; its diff makes the new content of the old one.
func TestDryRunPredicts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawnShelf(t)
		for range rapid.IntRange(0, 4).Draw(t, "things") {
			drawnThing(t, s)
		}
		c := drawnApply(t, "task", append(growingInstructions, settingInstructions...))
		c.Diff = true
		was, state := s.content(), s.behavior.EncodeState(s.state)
		told, _ := s.apply(c, true)
		if !jsonvalue.Equal(was, s.content()) || !bytes.Equal(state, s.behavior.EncodeState(s.state)) {
			t.Fatal("the dry run has written")
		}
		done, wrote := s.apply(c, false)
		if told.VersionAfter != told.VersionBefore || (done.VersionAfter == done.VersionBefore) != (wrote == nil) {
			t.Fatalf("%+v, and then %+v", told, done)
		}
		is := was
		if told.Diff != nil {
			patch, err := jsonvalue.ParsePatch(told.Diff)
			if err != nil {
				t.Fatal(err)
			}
			if is, err = patch.Apply(was, jsonvalue.DefaultLimits()); err != nil {
				t.Fatalf("%s does not apply to %s: %v", told.Diff, was.Text(), err)
			}
		}
		if got := s.content(); !jsonvalue.Equal(is, got) || (told.Diff != nil) != (wrote != nil) {
			t.Fatalf("predicted: %s; done: %s", is.Text(), got.Text())
		}
		done.VersionAfter, done.Kept = told.VersionAfter, told.Kept
		if got, want := fmt.Sprintf("%+v", told), fmt.Sprintf("%+v", done); got != want {
			t.Fatalf("predicted: %s; done: %s", got, want)
		}
	})
}

// TestTaskWritesOnce: whatever happens to a collection after a task has written it, the task is told the same, and writes
// nothing; until another task writes.
func TestTaskWritesOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawnShelf(t)
		drawnThing(t, s)
		c := drawnApply(t, "first", append(growingInstructions, settingInstructions...))
		first, wrote := s.apply(c, false)
		for range rapid.IntRange(0, 6).Draw(t, "things") {
			switch rapid.IntRange(0, 3).Draw(t, "thing") {
			case 0:
				s.locked()
				s.must(&Locking{lock.Break{Reason: "law"}})
			case 1:
				other, wroteToo := s.apply(drawnApply(t, "other", settingInstructions), false)
				if wroteToo == nil {
					continue // it is not remembered
				}
				if again, _ := s.apply(&Apply{Task: "other", Probe: true}, false); again.State != fields.Updated || again.VersionAfter != other.VersionAfter {
					t.Fatalf("the other task did %+v, and is told %+v", other, again)
				}
				return
			default:
				drawnThing(t, s)
			}
		}
		if wrote == nil {
			probed, _ := s.apply(&Apply{Task: "first", Probe: true}, false)
			if probed.State != Undecided || probed.VersionBefore != s.version {
				t.Fatalf("a task that has not written is told %+v", probed)
			}
			return
		}
		c.Probe = rapid.Bool().Draw(t, "probe")
		c.Version = rapid.SampledFrom([]uint64{0, 1}).Draw(t, "version")
		was := s.content()
		again, more := s.apply(c, false)
		first.Warnings, first.Kept = nil, 0
		if more != nil || !jsonvalue.Equal(was, s.content()) || fmt.Sprintf("%+v", again) != fmt.Sprintf("%+v", first) {
			t.Fatalf("the task did %+v, and once more %+v", first, again)
		}
	})
}

// TestSettingTwiceIsUnchanged: what a task has set, another one finds set, and makes no version.
func TestSettingTwiceIsUnchanged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawnShelf(t)
		drawnThing(t, s)
		in := rapid.SampledFrom(settingInstructions).Draw(t, "instruction")
		first, wrote := s.apply(&Apply{Task: "first", Instructions: instructions(s.t, in)}, false)
		second, more := s.apply(&Apply{Task: "second", Instructions: instructions(s.t, in)}, false)
		if wrote == nil {
			return
		}
		if more != nil || second.State != fields.Unchanged && second.State != fields.Skipped || second.VersionAfter != first.VersionAfter {
			t.Fatalf("%s: %+v, and then %+v", in, first, second)
		}
		if !s.state.Task.is("first") {
			t.Fatalf("%+v is remembered", s.state.Task)
		}
	})
}
