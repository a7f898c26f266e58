package operations

import (
	"strings"
	"testing"

	"concord/actors/collection"
	"concord/actors/problem"
)

// TestWhatASkipHasLeft is taken up by a roll-back to the same place, and a redo gives it back before the rest.
func TestWhatASkipHasLeft(t *testing.T) {
	e := startEditing(t, "a", "b", "c")
	e.step("1")
	e.step("2")
	e.foreign("b", "note", `"by bob"`)
	e.run("rollback", `{"to":"initial"}`)
	if s := e.look(); s.State != "ROLLED_BACK_WITH_CONFLICTS" || !s.RollbackAvailable || e.allWords() != "first | first 1 2 | first" {
		t.Errorf("%+v: %s", s, e.allWords())
	}
	if got := e.run("rollback", `{"to":"initial","onConflict":"force"}`); got != "ROLLED_BACK []: b UPDATED" || e.allWords() != "first" {
		t.Errorf("%s: %s", got, e.allWords())
	}
	e.refused(problem.CannotUndo, "edit.rollback", e.session, `{"to":"initial","onConflict":"force"}`)
	if got := e.run("redo", ""); !strings.HasSuffix(got, ": b UPDATED") || e.allWords() != "first | first 1 2 | first" {
		t.Errorf("the first redo: %s: %s", got, e.allWords())
	}
	if got := e.run("redo", ""); got != "COMPLETED [1 2]: a UPDATED, c UPDATED" || e.allWords() != "first 1 2" {
		t.Errorf("the second redo: %s: %s", got, e.allWords())
	}
	e.sound()
}

// TestARedoThatLeavesSome can be made again.
func TestARedoThatLeavesSome(t *testing.T) {
	e := startEditing(t, "a", "b")
	e.step("1")
	e.run("rollback", `{"to":"initial"}`)
	e.foreign("b", "note", `"by bob"`)
	if got := e.run("redo", ""); got != "COMPLETED_WITH_ERRORS [1]: a UPDATED, b SKIPPED version-conflict" {
		t.Error(got)
	}
	if got := e.run("redo", `{"onConflict":"merge"}`, param("dryRun", "true")); got != "REVIEW [1]: b UPDATED" {
		t.Errorf("the dry run: %s", got)
	}
	if got := e.run("redo", `{"onConflict":"merge"}`); got != "COMPLETED [1]: b UPDATED" || e.allWords() != "first 1" || !strings.Contains(e.content("b"), "by bob") {
		t.Errorf("%s: %s", got, e.allWords())
	}
	e.refused(problem.CannotUndo, "edit.redo", e.session, "")
}

// TestARedoPastWhatIsLeft: a record that every redo leaves does not keep older roll-backs from being redone.
func TestARedoPastWhatIsLeft(t *testing.T) {
	e := startEditing(t, "a", "b")
	e.step("1")
	e.step("2")
	e.run("rollback", `{"to":"previous"}`) // run 3
	e.run("rollback", `{"to":"initial"}`)  // run 4
	must[collection.Result](e.bench, "collection.put", "b", `{"metadata":{"words":["bob"]}}`, as("bob"))
	p := e.refused(problem.CannotUndo, "edit.redo", e.session, `{"of":3}`)
	if !strings.Contains(p.Detail, "run 4") || len(p.Members) == 0 {
		t.Errorf("what can be redone is not told: %v", p)
	}
	if got := e.run("redo", `{"of":4}`); got != "COMPLETED_WITH_ERRORS [1]: a UPDATED, b SKIPPED version-conflict" {
		t.Error(got)
	}
	for range 2 {
		if got := e.run("redo", `{"onConflict":"merge"}`); got != "COMPLETED_WITH_ERRORS [1]: b SKIPPED version-conflict" {
			t.Errorf("without a number: %s", got)
		}
	}
	e.refused(problem.CannotUndo, "edit.redo", e.session, `{"of":5}`)
	if got := e.run("redo", `{"of":3}`); got != "COMPLETED_WITH_ERRORS [1 2]: a UPDATED, b SKIPPED version-conflict" || e.allWords() != "first 1 2 | bob" {
		t.Errorf("the older one: %s: %s", got, e.allWords())
	}
	if got := e.run("redo", `{"of":3,"onConflict":"force"}`); got != "COMPLETED [1 2]: b UPDATED" || e.allWords() != "first 1 2" {
		t.Errorf("what both have left: %s: %s", got, e.allWords())
	}
	e.refused(problem.CannotUndo, "edit.redo", e.session, `{"of":3}`)
	e.sound()
}

// TestARedoOfNothing of its own: the roll-back that is named had nothing to do, and the one after it has taken off what is left.
func TestARedoOfNothing(t *testing.T) {
	e := startEditing(t, "a", "b")
	e.step("1")
	e.step("1")                            // which is there already
	e.run("rollback", `{"to":"previous"}`) // run 3, which has no task
	e.run("rollback", `{"to":"initial"}`)  // run 4
	must[collection.Result](e.bench, "collection.put", "b", `{"metadata":{"words":["bob"]}}`, as("bob"))
	if got := e.run("redo", ""); got != "COMPLETED_WITH_ERRORS [1]: a UPDATED, b SKIPPED version-conflict" {
		t.Error(got)
	}
	if got := e.run("redo", `{"of":3,"onConflict":"force"}`); got != "COMPLETED [1 2]: b UPDATED" || e.allWords() != "first 1" {
		t.Errorf("%s: %s", got, e.allWords())
	}
	e.sound()
}

// TestForceLeavesNothing of what an earlier roll-back has left, also where a step came in between; skip and merge would leave that
// again, and take back the step alone.
func TestForceLeavesNothing(t *testing.T) {
	const results = "a UPDATED, b UPDATED" // c is as it was since the first roll-back
	for choice, want := range map[string]string{"skip": "first | first 1 | first", "merge": "first | first 1 | first", "force": "first"} {
		for _, target := range []string{`"initial"`, `"previous"`} {
			e := startEditing(t, "a", "b", "c")
			before := e.content("b")
			e.step("1")
			e.foreign("b", "note", `"by bob"`)
			e.run("rollback", `{"to":"initial"}`)
			if got := e.run("apply", `{`+adding("2")+`,"exclude":["c"]}`); got != "COMPLETED [2]: a UPDATED, b UPDATED" || e.allWords() != "first 2 | first 1 2 | first" {
				t.Fatalf("%s: %s", got, e.allWords())
			}
			if got := e.run("rollback", `{"to":`+target+`,"onConflict":"`+choice+`"}`); got != "ROLLED_BACK []: "+results || e.allWords() != want {
				t.Errorf("%s %s: %s: %s", target, choice, got, e.allWords())
			}
			if (e.content("b") == before) != (choice == "force") {
				t.Errorf("%s %s: %s, and it was %s", target, choice, e.content("b"), before)
			}
			if got := e.run("redo", ""); got != "COMPLETED [2]: "+results || e.allWords() != "first 2 | first 1 2 | first" {
				t.Errorf("%s %s: the redo: %s: %s", target, choice, got, e.allWords())
			}
			e.sound()
		}
	}
}
