package operations

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// editing is a service with records of which each has a list of words, and a session over all of them.
type editing struct {
	*bench
	session string
	records []string
}

func startEditing(t *testing.T, records ...string) *editing {
	t.Helper()
	b := startWith(t, vfs.NewMem(), true)
	e := &editing{bench: b, records: records}
	for _, id := range records {
		must[collection.Result](b, "collection.put", id, `{"metadata":{"words":["first"]},"documents":{"d":{"n":1.0}}}`)
	}
	e.session = e.open(records...)
	return e
}

// open opens a session over records.
func (b *bench) open(records ...string) string {
	b.t.Helper()
	ids, err := json.Marshal(records)
	if err != nil {
		b.t.Fatal(err)
	}
	return must[api.EditSession](b, "edit.open", "", `{"ids":`+string(ids)+`}`).Session
}

// adding are the members of a request that puts a word into the list of each record.
func adding(word string) string {
	return fmt.Sprintf(`"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/words","value":%q}]`, word)
}

// look is the session as it is now.
func (e *editing) look() api.EditSession {
	return must[api.EditSession](e.bench, "edit.get", e.session, "")
}

// ended waits until nothing of the session is under way.
func (e *editing) ended() api.EditSession {
	e.t.Helper()
	for {
		s := e.look()
		if !slices.Contains([]string{"PREVIEWING", "APPLYING", "CANCELLING", "ROLLING_BACK"}, s.State) {
			return s
		}
		<-e.tasksEnded
	}
}

// run makes a run, waits for its end, and says where the session stands, with what came of the run's records.
func (e *editing) run(operation, body string, options ...option) string {
	e.t.Helper()
	must[api.EditSession](e.bench, "edit."+operation, e.session, body, options...)
	s := e.ended()
	return fmt.Sprintf("%s %v: %s", s.State, s.Path, e.results(0))
}

// step applies a word.
func (e *editing) step(word string) {
	e.t.Helper()
	if got := e.run("apply", `{`+adding(word)+`}`); !strings.HasPrefix(got, "COMPLETED [") {
		e.t.Fatalf("the step %s: %s", word, got)
	}
}

// results are what came of the records of a run, 0: of the newest.
func (e *editing) results(run uint32) string {
	e.t.Helper()
	var options []option
	if run > 0 {
		options = append(options, param("run", fmt.Sprint(run)))
	}
	var states []string
	for _, item := range must[api.BulkItemPage](e.bench, "edit.results", e.session, "", options...).Items {
		states = append(states, strings.TrimSpace(item.ID+" "+item.State+" "+item.Code))
	}
	return strings.Join(states, ", ")
}

// words are those of a record.
func (b *bench) words(id string) string {
	b.t.Helper()
	var m struct{ Words []string }
	if err := json.Unmarshal(must[api.Collection](b, "collection.get", id, "").Metadata, &m); err != nil {
		b.t.Fatal(err)
	}
	return strings.Join(m.Words, " ")
}

// allWords are those of all records, in order; what is equal is said once.
func (e *editing) allWords() string {
	e.t.Helper()
	var all []string
	for _, id := range e.records {
		all = append(all, e.words(id))
	}
	if len(slices.Compact(slices.Clone(all))) == 1 {
		return all[0]
	}
	return strings.Join(all, " | ")
}

// content is all that a collection has, byte for byte.
func (b *bench) content(id string) string {
	b.t.Helper()
	c := must[api.Collection](b, "collection.get", id, "", param("documents", "all"))
	documents, err := json.Marshal(c.Documents)
	if err != nil {
		b.t.Fatal(err)
	}
	return c.Type + " " + string(c.Metadata) + " " + string(documents)
}

// foreign has somebody else write into a record.
func (b *bench) foreign(id, document, text string) {
	b.t.Helper()
	must[collection.Result](b, "document.put", id, `{"value":`+text+`}`, inDocument(document), as("bob"))
}

// TestBackToTheStart is the first solution of the origin, after one edit and after three: every record is what it was, byte for
// byte.
func TestBackToTheStart(t *testing.T) {
	for _, steps := range []int{1, 3} {
		e := startEditing(t, "a", "b", "c")
		before := e.content("b")
		for n := range steps {
			e.step(fmt.Sprintf("w%d", n))
		}
		if got := e.run("rollback", `{"to":"initial"}`); got != "ROLLED_BACK []: a UPDATED, b UPDATED, c UPDATED" {
			t.Errorf("after %d steps: %s", steps, got)
		}
		if got := e.content("b"); got != before {
			t.Errorf("after %d steps: %s\nwas %s", steps, got, before)
		}
		if s := e.look(); s.RollbackAvailable || !s.RedoAvailable {
			t.Errorf("after %d steps: %+v", steps, s)
		}
		e.refused(problem.CannotUndo, "edit.rollback", e.session, `{"to":"previous"}`)
		e.refused(problem.CannotUndo, "edit.rollback", e.session, `{"to":"initial"}`)
		e.sound()
	}
}

// TestBackToTheStepBefore is the second solution of the origin, after three edits, as often as there are steps; then to a step by
// its number.
func TestBackToTheStepBefore(t *testing.T) {
	e := startEditing(t, "a", "b")
	for _, word := range []string{"1", "2", "3"} {
		e.step(word)
	}
	for _, row := range []struct{ to, state, words string }{
		{`"previous"`, "ROLLED_BACK [1 2]", "first 1 2"},
		{`"previous"`, "ROLLED_BACK [1]", "first 1"},
		{`"previous"`, "ROLLED_BACK []", "first"},
	} {
		if got := e.run("rollback", `{"to":`+row.to+`}`); !strings.HasPrefix(got, row.state+":") || e.allWords() != row.words {
			t.Errorf("back to %s: %s: %s", row.to, got, e.allWords())
		}
	}
	for _, word := range []string{"4", "5", "6"} {
		e.step(word)
	}
	if got := e.run("rollback", `{"to":4}`); got != "ROLLED_BACK [4]: a UPDATED, b UPDATED" || e.allWords() != "first 4" {
		t.Errorf("back to step 4: %s: %s", got, e.allWords())
	}
	e.refused(problem.CannotUndo, "edit.rollback", e.session, `{"to":6}`)
	e.sound()
}

// TestRedo gives back what a roll-back has taken, as often as there were roll-backs; a step ends that.
func TestRedo(t *testing.T) {
	e := startEditing(t, "a", "b")
	e.refused(problem.CannotUndo, "edit.redo", e.session, "")
	for _, word := range []string{"1", "2", "3"} {
		e.step(word)
	}
	before := e.content("a")
	e.run("rollback", `{"to":"previous"}`)
	e.run("rollback", `{"to":"initial"}`)
	if got := e.run("redo", ""); got != "COMPLETED [1 2]: a UPDATED, b UPDATED" || e.allWords() != "first 1 2" {
		t.Errorf("the first redo: %s: %s", got, e.allWords())
	}
	if got := e.run("redo", `{"reason":"after all"}`); got != "COMPLETED [1 2 3]: a UPDATED, b UPDATED" || e.content("a") != before {
		t.Errorf("the second redo: %s: %s", got, e.allWords())
	}
	e.refused(problem.CannotUndo, "edit.redo", e.session, "")
	if got := e.run("rollback", `{"to":1}`); got != "ROLLED_BACK [1]: a UPDATED, b UPDATED" || e.allWords() != "first 1" {
		t.Errorf("back after the redo: %s: %s", got, e.allWords())
	}
	e.step("4")
	e.refused(problem.CannotUndo, "edit.redo", e.session, "")
	if got := e.run("rollback", `{"to":"initial"}`); got != "ROLLED_BACK []: a UPDATED, b UPDATED" || e.allWords() != "first" {
		t.Errorf("back to the start: %s: %s", got, e.allWords())
	}
	e.sound()
}

// TestTwoPeople have sessions over the same records at once: each takes back its own alone.
func TestTwoPeople(t *testing.T) {
	e := startEditing(t, "a", "b")
	e.step("ann1")
	ids := `{"ids":["b","c"]}`
	must[collection.Result](e.bench, "collection.put", "c", `{"metadata":{"words":["first"]}}`)
	bob := &editing{bench: e.bench, records: []string{"b", "c"}, session: must[api.EditSession](e.bench, "edit.open", "", ids, as("bob")).Session}
	bobs := func(operation, body string) string {
		must[api.EditSession](e.bench, "edit."+operation, bob.session, body, as("bob"))
		s := must[api.EditSession](e.bench, "edit.get", bob.session, "", as("bob"))
		e.done(s.Runs[len(s.Runs)-1].Task)
		return must[api.EditSession](e.bench, "edit.get", bob.session, "", as("bob")).State
	}
	if got := bobs("apply", `{`+adding("bob1")+`}`); got != "COMPLETED" {
		t.Error(got)
	}
	for _, operation := range []string{"preview", "apply", "rollback", "redo"} {
		e.refused(problem.Forbidden, "edit."+operation, bob.session, map[string]string{"preview": `{` + adding("x") + `}`, "rollback": `{"to":"initial"}`}[operation], only("ann"))
	}
	for _, operation := range []string{"pause", "resume", "cancel", "results"} {
		e.refused(problem.Forbidden, "edit."+operation, bob.session, "", only("ann"))
	}
	if got := e.run("rollback", `{"to":"initial"}`); got != "ROLLED_BACK_WITH_CONFLICTS []: a UPDATED, b SKIPPED version-conflict" {
		t.Error(got)
	}
	if got := bobs("rollback", `{"to":"previous"}`); got != "ROLLED_BACK" || e.words("b") != "first ann1" || e.words("c") != "first" {
		t.Errorf("%s: %s, %s", got, e.words("b"), e.words("c"))
	}
}

// TestExcluded records are left out of a preview, of the step that goes by it, and of one that names them itself.
func TestExcluded(t *testing.T) {
	e := startEditing(t, "a", "b", "c")
	if got := e.run("preview", `{`+adding("1")+`,"exclude":["b"]}`); got != "REVIEW []: a UPDATED, c UPDATED" || e.allWords() != "first" {
		t.Errorf("the preview: %s: %s", got, e.allWords())
	}
	if got := e.run("apply", `{"exclude":["c","b"]}`); got != "COMPLETED [1]: a UPDATED" {
		t.Errorf("by the preview: %s", got)
	}
	if got := e.run("apply", `{`+adding("2")+`,"exclude":["a","a"]}`); got != "COMPLETED [1 2]: b UPDATED, c UPDATED" {
		t.Errorf("with the step's own: %s", got)
	}
	if got := e.allWords(); got != "first 1 | first 2 | first 2" {
		t.Error(got)
	}
	if got := e.run("rollback", `{"to":1}`); got != "ROLLED_BACK [1]: b UPDATED, c UPDATED" {
		t.Errorf("what was left out has nothing to be taken back: %s", got)
	}
	if p := e.refused(problem.Invalid, "edit.preview", e.session, `{`+adding("3")+`,"exclude":["b","x","y"]}`); len(p.Errors) != 2 || p.Errors[0].Path != "/exclude/1" {
		t.Errorf("%+v", p)
	}
	if p := e.refused(problem.Invalid, "edit.apply", e.session, `{`+adding("3")+`,"exclude":["b","a","c"]}`); p.Errors[0].Path != "/exclude" {
		t.Errorf("%+v", p)
	}
	if s := e.look(); len(s.Runs) != 4 || s.State != "ROLLED_BACK" {
		t.Errorf("a refusal has left something: %+v", s)
	}
}

// TestConflicts: what others have written since stays, goes, or is brought together with what is taken back.
func TestConflicts(t *testing.T) {
	for choice, want := range map[string]struct{ state, results, b, c string }{
		``:                      {"ROLLED_BACK_WITH_CONFLICTS", "a UPDATED, b SKIPPED version-conflict, c SKIPPED version-conflict", "first 1", "first 1 bob"},
		`,"onConflict":"skip"`:  {"ROLLED_BACK_WITH_CONFLICTS", "a UPDATED, b SKIPPED version-conflict, c SKIPPED version-conflict", "first 1", "first 1 bob"},
		`,"onConflict":"force"`: {"ROLLED_BACK", "a UPDATED, b UPDATED, c UPDATED", "first", "first"},
		`,"onConflict":"merge"`: {"ROLLED_BACK_WITH_CONFLICTS", "a UPDATED, b UPDATED, c SKIPPED version-conflict", "first", "first 1 bob"},
	} {
		e := startEditing(t, "a", "b", "c")
		e.step("1")
		e.foreign("b", "note", `"by bob"`)
		must[collection.Result](e.bench, "collection.put", "c", `{"metadata":{"words":["first","1","bob"]}}`, as("bob"))
		dry := e.run("rollback", `{"to":"initial"`+choice+`}`, param("dryRun", "true"))
		if !strings.HasSuffix(dry, "[1]: "+want.results) || e.words("a") != "first 1" {
			t.Errorf("%s: the dry run: %s", choice, dry)
		}
		if got := e.run("rollback", `{"to":"initial"`+choice+`}`); got != want.state+" []: "+want.results {
			t.Errorf("%s: %s", choice, got)
		}
		note := strings.Contains(e.content("b"), "by bob")
		if e.words("a") != "first" || e.words("b") != want.b || e.words("c") != want.c || note == (choice == `,"onConflict":"force"`) {
			t.Errorf("%s: %s, %s", choice, e.allWords(), e.content("b"))
		}
		e.sound()
	}
}

// TestNothingToTakeBack is a run all the same: the step is no longer in effect.
func TestNothingToTakeBack(t *testing.T) {
	e := startEditing(t, "a", "b")
	e.step("1")
	if got := e.run("apply", `{`+adding("1")+`}`); got != "COMPLETED [1 2]: a UNCHANGED, b UNCHANGED" {
		t.Fatal(got)
	}
	if got := e.run("rollback", `{"to":"previous"}`, with("Idempotency-Key", "k")); got != "ROLLED_BACK [1]: " {
		t.Error(got)
	}
	if got := e.run("rollback", `{"to":"previous"}`, with("Idempotency-Key", "k")); got != "ROLLED_BACK [1]: " {
		t.Errorf("again: %s", got)
	}
	if s := e.look(); len(s.Runs) != 3 || s.Runs[2].Task != "" {
		t.Errorf("%+v", s.Runs)
	}
	if got := e.run("rollback", `{"to":"previous"}`); got != "ROLLED_BACK []: a UPDATED, b UPDATED" || e.allWords() != "first" {
		t.Errorf("%s: %s", got, e.allWords())
	}
}

// only is a caller who may read and update, and nothing else.
func only(principal string) option {
	return func(r *transport.Request) {
		r.Caller = transport.Caller{Principal: principal, Rights: map[string][]transport.Right{"p": {transport.RightRead, transport.RightUpdate}}}
	}
}
