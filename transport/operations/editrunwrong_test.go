package operations

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"concord/actors/bulk"
	"concord/actors/collection"
	"concord/actors/editsession"
	"concord/actors/entity"
	"concord/actors/problem"
	"concord/persistence"
	"concord/transport"
	"concord/transport/api"
)

// applying is a session whose first step waits for bob's lock of record b, once it has written a.
func applying(t *testing.T) (e *editing, unlock func()) {
	t.Helper()
	e = startEditing(t, "a", "b")
	return e, e.hold("b", func() { must[api.EditSession](e.bench, "edit.apply", e.session, `{`+adding("1")+`}`) })
}

// hold has bob lock a record, and does what waits for that.
func (e *editing) hold(record string, do func()) (unlock func()) {
	e.t.Helper()
	grant := must[api.Grant](e.bench, "lock.acquire", record, `{}`, as("bob"))
	do()
	e.waitFor(func() bool {
		runs := e.look().Runs
		return runs[len(runs)-1].WaitingForLocks == 1
	})
	return func() {
		e.t.Helper()
		if _, p := e.do("lock.release", record, "", as("bob"), with("Lock-Token", grant.Token)); p != nil {
			e.t.Fatal(p)
		}
	}
}

// send sends an entity a command.
func (b *bench) send(id persistence.EntityID, command any) {
	b.t.Helper()
	_, err := b.service.call(context.Background(), &entity.Envelope{Entity: id, Command: command, Meta: entity.Meta{Principal: "ann", RequestID: "r"}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// TestNotNow: what does not fit where a session stands is refused, and changes nothing.
func TestNotNow(t *testing.T) {
	const back = `{"to":"initial"}`
	some := `{` + adding("x") + `}`
	type row struct {
		code            problem.Code
		operation, body string
		options         []option
	}
	dry := []option{param("dryRun", "true")}
	check := func(e *editing, where string, rows ...row) {
		t.Helper()
		before := e.look()
		if before.State != where {
			t.Fatalf("it is %s, not %s", before.State, where)
		}
		for _, r := range rows {
			e.refused(r.code, "edit."+r.operation, e.session, r.body, r.options...)
		}
		if after := e.look(); after.Seq != before.Seq || len(after.Runs) != len(before.Runs) || after.State != before.State {
			t.Errorf("%s: %+v, and it was %+v", where, after, before)
		}
	}
	idle := []row{{problem.WrongState, "apply", "", nil}, {problem.CannotUndo, "rollback", `{"to":7}`, nil}, {problem.CannotUndo, "redo", "", nil}}
	e, unlock := applying(t)
	check(e, "APPLYING", row{problem.WrongState, "preview", some, nil}, row{problem.WrongState, "apply", some, nil}, row{problem.WrongState, "apply", "", nil},
		row{problem.WrongState, "redo", "", nil}, row{problem.WrongState, "rollback", back, dry})
	unlock()
	e.ended()
	check(e, "COMPLETED", append(idle, row{problem.WrongState, "pause", "", nil}, row{problem.WrongState, "resume", "", nil}, row{problem.WrongState, "cancel", "", nil})...)
	unlock = e.hold("b", func() { must[api.EditSession](e.bench, "edit.rollback", e.session, back) })
	check(e, "ROLLING_BACK", row{problem.WrongState, "preview", some, nil}, row{problem.WrongState, "apply", some, nil}, row{problem.WrongState, "rollback", back, nil},
		row{problem.WrongState, "rollback", back, dry}, row{problem.WrongState, "redo", "", nil})
	unlock()
	e.ended()
	check(e, "ROLLED_BACK", idle[:2]...)
	e.run("preview", some)
	e.send(persistence.EntityID{Kind: persistence.KindEditSession, Provider: "p", ID: e.session}, &editsession.Close{})
	check(e, "CLOSED", row{problem.WrongState, "preview", some, nil}, row{problem.WrongState, "apply", "", nil}, row{problem.CannotUndo, "rollback", back, nil},
		row{problem.CannotUndo, "redo", "", nil})

	e = startEditing(t, "a")
	check(e, "READY", append(idle, row{problem.CannotUndo, "rollback", back, nil}, row{problem.CannotUndo, "rollback", back, dry}, row{problem.WrongState, "pause", "", nil},
		row{problem.WrongState, "resume", "", nil}, row{problem.WrongState, "cancel", "", nil})...)
	e.refused(problem.NotFound, "edit.results", e.session, "", param("run", "1"))
	if got := e.results(0); got != "" {
		t.Error(got)
	}
	e.session = e.open("none")
	check(e, "READY", row{problem.WrongState, "preview", some, nil}, row{problem.WrongState, "apply", some, nil})
	for _, operation := range []string{"preview", "apply", "rollback", "redo", "pause", "resume", "cancel", "results"} {
		e.refused(problem.NotFound, "edit."+operation, "none", map[string]string{"preview": some, "rollback": back}[operation])
	}
}

// TestWrongRuns: what is wrong with a request is told with its place, and changes nothing.
func TestWrongRuns(t *testing.T) {
	e := startEditing(t, "a")
	e.step("1")
	before := e.look()
	for _, row := range []struct{ operation, body, path string }{
		{"preview", ``, ""},
		{"preview", `[]`, ""},
		{"preview", `{}`, "/instructions"},
		{"preview", `{"instructions":[]}`, "/instructions"},
		{"preview", `{"instructions":{}}`, "/instructions"},
		{"preview", `{"instructions":[{"type":"ADD"}]}`, "/instructions/0/type"},
		{"preview", `{"instructions":[{"type":"CLEAR_FIELD","field":"X"}]}`, "/instructions"},
		{"preview", `{"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/x","valueFrom":""}]}`, "/instructions/0"},
		{"preview", `{` + adding("x") + `,"exclude":"a"}`, "/exclude"},
		{"preview", `{` + adding("x") + `,"exclude":[1]}`, "/exclude/0"},
		{"preview", `{` + adding("x") + `,"exclude":["a b"]}`, "/exclude/0"},
		{"preview", `{` + adding("x") + `,"onLocked":"wait"}`, "/onLocked"},
		{"apply", `{"instructions":[]}`, "/instructions"},
		{"apply", `{` + adding("x") + `,"onLocked":"no"}`, "/onLocked"},
		{"apply", `{` + adding("x") + `,"itemsPerSecond":0}`, "/itemsPerSecond"},
		{"apply", `{` + adding("x") + `,"reason":"` + strings.Repeat("x", 2000) + `"}`, "/reason"},
		{"apply", `{` + adding("x") + `,"Exclude":[]}`, "/Exclude"},
		{"rollback", ``, "/to"},
		{"rollback", `{}`, "/to"},
		{"rollback", `{"to":"first"}`, "/to"},
		{"rollback", `{"to":0}`, "/to"},
		{"rollback", `{"to":-1}`, "/to"},
		{"rollback", `{"to":1.5}`, "/to"},
		{"rollback", `{"to":4294967296}`, "/to"},
		{"rollback", `{"to":null}`, "/to"},
		{"rollback", `{"to":"initial","onConflict":"ask"}`, "/onConflict"},
		{"rollback", `{"to":"initial","onConflict":1}`, "/onConflict"},
		{"rollback", `{"to":"initial","exclude":[]}`, "/exclude"},
		{"redo", `{"to":"initial"}`, "/to"},
		{"redo", `{"onConflict":""}`, "/onConflict"},
		{"redo", `{"of":0}`, "/of"},
		{"redo", `{"of":-1}`, "/of"},
		{"redo", `{"of":"1"}`, "/of"},
		{"redo", `{"of":null}`, "/of"},
		{"redo", `{"of":4294967296}`, "/of"},
		{"rollback", `{"to":"initial","of":1}`, "/of"},
		{"pause", `{"x":1}`, "/x"},
	} {
		p := e.refused(problem.Invalid, "edit."+row.operation, e.session, row.body)
		if len(p.Errors) == 0 || p.Errors[0].Path != row.path {
			t.Errorf("%s %s: %+v", row.operation, row.body, p)
		}
	}
	p := e.refused(problem.Invalid, "edit.apply", e.session, `{"instructions":[{"type":"ADD"}],"exclude":[1],"onLocked":2}`)
	if len(p.Errors) != 2 {
		t.Errorf("not all that is wrong is told at once: %+v", p)
	}
	for _, row := range [][2]string{{"run", "x"}, {"state", "DONE"}, {"limit", "0"}} {
		e.refused(problem.Invalid, "edit.results", e.session, "", param(row[0], row[1]))
	}
	if after := e.look(); after.Seq != before.Seq {
		t.Errorf("%+v, and it was %+v", after, before)
	}
}

// TestRollBackWhileApplying stops the step at the border of a record, and takes back what it has done.
func TestRollBackWhileApplying(t *testing.T) {
	e, unlock := applying(t)
	if e.words("a") != "first 1" {
		t.Fatal("nothing is done yet")
	}
	if got := e.run("rollback", `{"to":"initial"}`); got != "ROLLED_BACK []: a UPDATED" {
		t.Error(got)
	}
	if got := e.results(1); got != "a UPDATED, b CANCELLED" {
		t.Errorf("the step: %s", got)
	}
	unlock()
	if e.allWords() != "first" {
		t.Error(e.allWords())
	}
	if got := e.run("redo", ""); got != "COMPLETED [1]: a UPDATED" {
		t.Error(got)
	}
	e.sound()
}

// TestOneAtATime: of two that ask at once one is refused.
func TestOneAtATime(t *testing.T) {
	e, unlock := applying(t)
	const asking = 4
	refusals := make(chan error, asking)
	for range asking {
		go func() {
			_, err := e.try("edit.rollback", e.session, `{"to":"initial"}`)
			refusals <- err
		}()
	}
	made := 0
	for range asking {
		switch err := <-refusals; {
		case err == nil:
			made++
		case !strings.Contains(err.Error(), "wrong-state") && !strings.Contains(err.Error(), "cannot-undo"):
			t.Error(err)
		}
	}
	if s := e.ended(); made != 1 || len(s.Runs) != 2 || s.State != "ROLLED_BACK" {
		t.Errorf("%d were made: %+v", made, s)
	}
	unlock()
}

// TestPausedRuns are paused, resumed and cancelled like their tasks.
func TestPausedRuns(t *testing.T) {
	e, unlock := applying(t)
	if s := must[api.EditSession](e.bench, "edit.pause", e.session, ""); s.State != "APPLYING" || s.Runs[0].State != "PAUSED" {
		t.Errorf("%+v", s)
	}
	if s := must[api.EditSession](e.bench, "edit.resume", e.session, ""); s.Runs[0].State != "IN_PROGRESS" {
		t.Errorf("%+v", s)
	}
	must[api.EditSession](e.bench, "edit.cancel", e.session, "")
	if s := e.ended(); s.State != "CANCELLED" || s.Runs[0].State != "PARTIALLY_CANCELLED" {
		t.Errorf("%+v", s)
	}
	unlock()
	if got := e.run("rollback", `{"to":"previous"}`); got != "ROLLED_BACK []: a UPDATED" || e.allWords() != "first" {
		t.Errorf("%s: %s", got, e.allWords())
	}
}

// TestARefusedRunStopsNothing: what is wrong with a run is told before a preview gives way to it. Nobody works on tasks here.
func TestARefusedRunStopsNothing(t *testing.T) {
	e := &editing{bench: start(t, vfs.NewMem())}
	must[collection.Result](e.bench, "collection.put", "a", `{}`)
	e.session = e.open("a")
	before := e.run1("preview")
	for _, operation := range []string{"edit.preview", "edit.apply"} {
		for _, exclude := range []string{`["b"]`, `["a"]`} {
			p := e.refused(problem.Invalid, operation, e.session, `{`+adding("x")+`,"exclude":`+exclude+`}`)
			if len(p.Errors) != 1 || !strings.HasPrefix(p.Errors[0].Path, "/exclude") {
				t.Errorf("%+v", p)
			}
		}
	}
	if s := e.look(); s.State != "PREVIEWING" || len(s.Runs) != 1 || s.Runs[0] != before.Runs[0] {
		t.Errorf("%+v, and it was %+v", s, before)
	}
}

// TestTheStepThatWillNotEnd: who rolls back waits as long as they said, and goes on when they ask again. Nobody works on tasks here.
func TestTheStepThatWillNotEnd(t *testing.T) {
	e := &editing{bench: start(t, vfs.NewMem())}
	must[collection.Result](e.bench, "collection.put", "a", `{}`)
	e.session = e.open("a")
	e.run1("preview")
	e.run1("preview") // gives way at once: it has not begun
	s := e.run1("apply")
	if len(s.Runs) != 2 || s.Runs[0].State != "CANCELLED" {
		t.Fatalf("%+v", s.Runs)
	}
	task := bulkID("p", s.Runs[1].Task)
	e.send(task, &bulk.Start{})
	due := e.clock.Now().Add(time.Minute)
	answered := make(chan error, 1)
	go func() {
		_, err := e.try("edit.rollback", e.session, `{"to":"initial"}`, func(r *transport.Request) { r.Deadline = due })
		answered <- err
	}()
	e.waitFor(func() bool { return e.look().State == "CANCELLING" })
	e.clock.Set(e.clock.Now().Add(time.Hour))
	if err := <-answered; err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Fatalf("it did not wait: %v", err)
	}
	if s := e.look(); s.State != "CANCELLING" || len(s.Runs) != 2 {
		t.Errorf("%+v", s)
	}
	go func() {
		_, err := e.try("edit.rollback", e.session, `{"to":"initial"}`)
		answered <- err
	}()
	e.send(task, &bulk.Finish{})
	if err := <-answered; err != nil {
		t.Fatal(err)
	}
	if s := e.look(); s.State != "ROLLED_BACK" || len(s.Runs) != 3 || s.Runs[2].Task != "" {
		t.Errorf("%+v", s)
	}
}

// run1 begins a run that nobody works on.
func (e *editing) run1(operation string) api.EditSession {
	e.t.Helper()
	return must[api.EditSession](e.bench, "edit."+operation, e.session, `{`+adding("1")+`}`)
}

// TestTheNewestStepAlone is what a session with keep previous can go back from, once.
func TestTheNewestStepAlone(t *testing.T) {
	e := startEditing(t, "a")
	e.session = must[api.EditSession](e.bench, "edit.open", "", `{"ids":["a"],"keep":"previous"}`).Session
	e.step("1")
	e.step("2")
	e.refused(problem.CannotUndo, "edit.rollback", e.session, `{"to":"initial"}`)
	if got := e.run("rollback", `{"to":"previous"}`); got != "ROLLED_BACK [1]: a UPDATED" {
		t.Error(got)
	}
	e.refused(problem.CannotUndo, "edit.rollback", e.session, `{"to":"previous"}`)
	if got := e.run("redo", ""); got != "COMPLETED [1 2]: a UPDATED" || e.allWords() != "first 1 2" {
		t.Error(got)
	}
}

// TestLongSessions: rows of several chunks, some of which no run has, some of which are not matched.
func TestLongSessions(t *testing.T) {
	b := startWith(t, vfs.NewMem(), true)
	var ids, records, exclude []string
	for i := range 2500 {
		id := fmt.Sprintf("r%04d", i)
		ids = append(ids, id)
		if i%7 == 3 {
			continue // there is none
		}
		must[collection.Result](b, "collection.put", id, `{"metadata":{"words":["first"]}}`)
		if records = append(records, id); i%5 == 0 {
			exclude = append(exclude, `"`+id+`"`)
		}
	}
	slices.Reverse(ids)
	e := &editing{bench: b, session: b.open(ids...), records: records}
	e.step("1")
	out := `"exclude":[` + strings.Join(exclude, ",") + `]`
	if got := e.run("apply", `{`+adding("2")+`,`+out+`}`); !strings.HasPrefix(got, "COMPLETED [1 2]: r2499 UPDATED, ") {
		t.Fatal(got[:100])
	}
	for _, row := range []struct {
		body string
		want int
	}{{`{"to":"previous"}`, len(records) - len(exclude)}, {`{"to":"previous"}`, len(records)}} {
		e.run("rollback", row.body)
		s := e.look()
		if run := s.Runs[len(s.Runs)-1]; s.State != "ROLLED_BACK" || run.Total != uint64(row.want) || run.Counts.Updated != run.Total {
			t.Errorf("%+v", s)
		}
	}
	if e.allWords() != "first" {
		t.Error("not all are as they were")
	}
	if s := e.look(); s.RollbackAvailable {
		t.Errorf("%+v", s)
	}
}
