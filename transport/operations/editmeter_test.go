package operations

import (
	"slices"
	"testing"

	"concord/transport/api"
)

func TestEditMeter(t *testing.T) {
	e := startEditing(t, "a", "b")
	closed := e.open("a")
	must[api.EditSession](e.bench, "edit.close", closed, "")
	must[api.EditSession](e.bench, "edit.close", closed, "") // again: no news
	e.open("b")
	e.run("preview", `{`+adding("x")+`}`)
	e.step("x")
	e.run("rollback", `{"to":"initial"}`, param("dryRun", "true"))
	e.run("rollback", `{"to":"initial"}`)
	e.run("redo", `{}`)

	want := []string{"preview", "apply", "preview", "rollback", "redo"}
	var begun []string
	for range want {
		begun = append(begun, <-e.steps)
	}
	if !slices.Equal(begun, want) || len(e.steps) > 0 {
		t.Errorf("begun are %v and %d more, not %v", begun, len(e.steps), want)
	}
	if got := e.edits.Open(); got != 2 {
		t.Errorf("%d sessions are open, not 2", got)
	}
	loaded := NewEditMeter(func(string) { t.Error("a load begins nothing") })
	if err := loaded.Load(e.store); err != nil || loaded.Open() != 2 {
		t.Errorf("%d sessions are open after a load, not 2: %v", loaded.Open(), err)
	}
}
