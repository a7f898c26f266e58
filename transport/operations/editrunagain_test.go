package operations

import (
	"context"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/collection"
	"concord/actors/editsession"
	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// TestRunsAreRepeatable: under a key there is one run, whatever comes between.
func TestRunsAreRepeatable(t *testing.T) {
	e := startEditing(t, "a", "b")
	key := func(key string) option { return with("Idempotency-Key", key) }
	again := func(operation, body, k string, want int) {
		t.Helper()
		if got := e.run(operation, body, key(k)); len(e.look().Runs) != want {
			t.Errorf("%s again: %s: %+v", operation, got, e.look().Runs)
		}
	}
	apply := `{` + adding("1") + `}`
	for range 2 {
		again("preview", apply, "p", 1)
	}
	for range 2 {
		again("apply", "", "a1", 2)
	}
	again("preview", apply, "p", 2)
	again("apply", apply, "a2", 3)
	again("apply", "", "a1", 3)
	for range 2 {
		again("rollback", `{"to":"previous"}`, "r", 4)
	}
	again("rollback", `{"to":"previous"}`, "r2", 5)
	again("rollback", `{"to":"previous"}`, "r", 5)
	for range 2 {
		again("redo", "", "x", 6)
	}
	e.refused(problem.KeyReused, "edit.rollback", e.session, `{"to":"initial"}`, key("r"))
	e.refused(problem.KeyReused, "edit.rollback", e.session, `{"to":"previous"}`, key("r"), param("dryRun", "true"))
	if e.allWords() != "first 1" {
		t.Error(e.allWords())
	}
}

// begun has the session told of a run whose task never comes, as a crash between the two leaves it. It names the task.
func (e *editing) begun(body, key string) (task string) {
	e.t.Helper()
	r := &transport.Request{Op: e.table["edit.apply"], Provider: "p", ID: e.session, Body: []byte(body), RequestID: "r",
		Caller: transport.Caller{Principal: "ann", All: true}}
	r.Header.IdempotencyKey = key
	o, err := readEditApply(r)
	if err != nil {
		e.t.Fatal(err)
	}
	session, err := e.service.editNow(r)
	if err != nil {
		e.t.Fatal(err)
	}
	m := &runMaker{service: e.service, request: r, order: o, id: session.id, session: session, key: key,
		run: editsession.Run{Kind: editsession.Apply, Task: e.service.NewID()}}
	if err := m.tell(context.Background()); err != nil {
		e.t.Fatal(err)
	}
	return m.run.Task
}

// TestACrashBeforeTheTask leaves a run that the next request takes off, also one under the same key.
func TestACrashBeforeTheTask(t *testing.T) {
	body := `{` + adding("1") + `}`
	for name, options := range map[string][]option{"under the same key": {with("Idempotency-Key", "k")}, "under another": {with("Idempotency-Key", "l")}, "under none": nil} {
		e := startEditing(t, "a", "b")
		e.begun(body, "k")
		if s := e.look(); s.State != "APPLYING" || s.Path[0] != 1 {
			t.Errorf("%s: %+v", name, s)
		}
		e.refused(problem.WrongState, "edit.cancel", e.session, "")
		for range 3 {
			if got := e.run("apply", body, options...); options == nil {
				break
			} else if got != "COMPLETED [2]: a UPDATED, b UPDATED" {
				t.Errorf("%s: %s", name, got)
			}
		}
		if s := e.look(); len(s.Runs) != 1 || e.allWords() != "first 1" {
			t.Errorf("%s: %+v: %s", name, s, e.allWords())
		}
	}
}

// TestARefusedTask leaves no run, and no use of the key.
func TestARefusedTask(t *testing.T) {
	e := startEditing(t, "a")
	retention := e.service.Limits.Bulk.Retention
	for range 2 {
		e.service.Limits.Bulk.Retention = 1 << 62 // the kind of tasks refuses that
		if _, p := e.do("edit.apply", e.session, `{`+adding("1")+`}`, with("Idempotency-Key", "k")); p == nil {
			t.Fatal("accepted")
		}
		if s := e.look(); s.State != "READY" || len(s.Runs) != 0 {
			t.Errorf("%+v", s)
		}
	}
	e.service.Limits.Bulk.Retention = retention
	for range 2 {
		if got := e.run("apply", `{`+adding("1")+`}`, with("Idempotency-Key", "k")); !strings.HasPrefix(got, "COMPLETED") || len(e.look().Runs) != 1 {
			t.Errorf("%s: %+v", got, e.look().Runs)
		}
	}
	e.service.Limits.Bulk.OpenTasksMax = 0
	e.refused(problem.QueueFull, "edit.rollback", e.session, `{"to":"initial"}`)
	e.service.Limits.Bulk.Enabled = false
	e.refused(problem.Forbidden, "edit.rollback", e.session, `{"to":"initial"}`)
}

// TestARestart between a step and its roll-back, and within both, changes nothing.
func TestARestart(t *testing.T) {
	fs := vfs.NewMem()
	e := &editing{bench: startWith(t, fs, true), records: []string{"a", "b"}}
	again := func() {
		e.stop()
		e.bench = startWith(t, fs, true)
	}
	for _, id := range e.records {
		must[collection.Result](e.bench, "collection.put", id, `{"metadata":{"words":["first"]}}`)
	}
	e.session = e.open(e.records...)
	again()
	e.service.NewID = func() string { return "step" }
	must[api.EditSession](e.bench, "edit.apply", e.session, `{`+adding("1")+`}`)
	again()
	if s := e.ended(); s.State != "COMPLETED" || e.allWords() != "first 1" {
		t.Errorf("%+v: %s", s, e.allWords())
	}
	again()
	e.service.NewID = func() string { return "back" }
	must[api.EditSession](e.bench, "edit.rollback", e.session, `{"to":"initial"}`)
	again()
	if s := e.ended(); s.State != "ROLLED_BACK" || e.allWords() != "first" {
		t.Errorf("%+v: %s", s, e.allWords())
	}
	again()
	e.service.NewID = func() string { return "forth" }
	if got := e.run("redo", ""); got != "COMPLETED [1]: a UPDATED, b UPDATED" || e.allWords() != "first 1" {
		t.Errorf("%s: %s", got, e.allWords())
	}
}
