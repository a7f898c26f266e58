package httpapi_test

import (
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
	"concord/transport/folio"
)

const (
	own     = "/api/v1/collections/" // of the default provider
	ownBulk = "/api/v1/providers/main/bulk-updates"
	ownEdit = "/api/v1/providers/main/bulk-edits"

	added = `"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/words","value":"new"}]`
)

// folioStack is a service with records of the default provider.
type folioStack struct{ cmrStack }

func newFOLIOStack(t *testing.T, records ...string) folioStack {
	f := folioStack{newCMRStack(t)}
	for _, id := range records {
		f.ask("PUT", own+id, `{"metadata":{"words":["old"]}}`).is(201)
	}
	return f
}

// rollBack asks for what FOLIO's clients do.
func (f folioStack) rollBack(id string, options ...func(*http.Request)) *answer {
	f.Helper()
	return f.ask("POST", "/bulk-edit/"+id+"/roll-back", "", options...)
}

// rolledBack is the answer that says that all was taken back.
func (f folioStack) rolledBack(id string, options ...func(*http.Request)) (r folio.RolledBack) {
	f.Helper()
	a := f.rollBack(id, options...).is(200)
	if a.into(&r); r.Message != "Rollback has been done" {
		f.Errorf("%s", a.body)
	}
	return r
}

// words are those of a record.
func (f folioStack) words(id string) string {
	f.Helper()
	return f.ask("GET", own+id, "").is(200).member("metadata")
}

// newest is the newest task.
func (f folioStack) newest(options ...func(*http.Request)) api.BulkTask {
	f.Helper()
	var page api.BulkPage
	f.ask("GET", ownBulk+"?limit=1", "", options...).is(200).into(&page)
	return page.Items[0]
}

// until returns when it is so.
func (f folioStack) until(so func() bool) {
	f.Helper()
	for !so() {
		runtime.Gosched()
	}
}

// updates has a bulk task give the records a word.
func (f folioStack) updates(ids string, options ...func(*http.Request)) (task api.BulkTask) {
	f.Helper()
	f.ask("POST", ownBulk, `{"targets":{"ids":[`+ids+`]},`+added+`}`, options...).is(202).into(&task)
	f.until(func() bool { return f.newest(options...).EndedAt != nil })
	return task
}

// edits has a session give the records a word, as a step.
func (f folioStack) edits(ids string, options ...func(*http.Request)) (session string) {
	f.Helper()
	session = f.ask("POST", ownEdit, `{"ids":[`+ids+`]}`, options...).is(201).text("session")
	f.ask("POST", ownEdit+"/"+session+"/apply", `{`+added+`}`, options...).is(202)
	f.until(func() bool { return f.newest(options...).EndedAt != nil })
	return session
}

// refused fails the test unless the roll-back is refused with the code.
func (f folioStack) refused(a *answer, code problem.Code) {
	f.Helper()
	if p := a.is(code.Status()).problem(); p.Code != code {
		f.Errorf("%s", a.body)
	}
}

const (
	oldWords = `{"words":["old"]}`
	newWords = `{"words":["old","new"]}`
)

// TestFOLIORollsASessionBack: by its id, and as the newest one; all is what it was when the answer comes.
func TestFOLIORollsASessionBack(t *testing.T) {
	f := newFOLIOStack(t, "a", "b")
	session := f.edits(`"a","b"`)
	if f.words("a") != newWords {
		t.Fatal("nothing was applied")
	}
	r := f.rolledBack(session)
	if r.Session != session || r.Task == "" || r.Counts.Updated != 2 || r.Total != 2 || f.words("a") != oldWords || f.words("b") != oldWords {
		t.Errorf("%+v", r)
	}
	if got := f.ask("GET", ownEdit+"/"+session, "").is(200).text("state"); got != "ROLLED_BACK" {
		t.Errorf("it is %s", got)
	}
	f.refused(f.rollBack(session), problem.CannotUndo)

	f.clock.Set(f.clock.Now().Add(time.Second)) // or neither is the newest
	second := f.edits(`"a"`)
	if r := f.rolledBack("last"); r.Session != second || f.words("a") != oldWords {
		t.Errorf("%+v", r)
	}
}

// TestFOLIORollsATaskBack: by its id, and by its number.
func TestFOLIORollsATaskBack(t *testing.T) {
	f := newFOLIOStack(t, "a", "b")
	for name, of := range map[string]func(*api.BulkTask) string{
		"id":     func(t *api.BulkTask) string { return t.Task },
		"number": func(t *api.BulkTask) string { return strconv.FormatUint(t.Number, 10) },
	} {
		task := f.updates(`"a","b"`)
		if r := f.rolledBack(of(&task)); r.Session != "" || r.Counts.Updated != 2 || f.words("a") != oldWords || f.words("b") != oldWords {
			t.Errorf("by its %s: %+v", name, r)
		}
		f.refused(f.rollBack(of(&task)), problem.CannotUndo)
	}
}

// TestFOLIODoesNotSayDone where others have written since: what they wrote stays, and the answer counts it.
func TestFOLIODoesNotSayDone(t *testing.T) {
	f := newFOLIOStack(t, "a", "b")
	for name, id := range map[string]string{"a session": f.edits(`"a"`), "a task": f.updates(`"b"`).Task} {
		record := map[string]string{"a session": "a", "a task": "b"}[name]
		f.ask("PUT", own+record, `{"metadata":{"words":["other"]}}`).is(200)
		a := f.rollBack(id)
		f.refused(a, problem.VersionConflict)
		var left struct {
			Session, Task string
			Counts        api.BulkCounts
			Total         uint64
		}
		a.into(&left)
		if (left.Session == id) != (name == "a session") || left.Task == "" || left.Counts.Skipped != 1 || left.Total != 1 {
			t.Errorf("%s: %s", name, a.body)
		}
		if got := f.words(record); got != `{"words":["other"]}` {
			t.Errorf("%s: what another wrote is %s", name, got)
		}
	}
}

// TestFOLIOWaitsToTheDeadline: then the answer says that the roll-back is at work, and the same request again has its end. The
// roll-back waits for somebody's lock.
func TestFOLIOWaitsToTheDeadline(t *testing.T) {
	f := newFOLIOStack(t, "a", "b")
	for name, id := range map[string]string{"a session": f.edits(`"a"`), "a task": f.updates(`"b"`).Task} {
		record := map[string]string{"a session": "a", "a task": "b"}[name]
		key := header("Idempotency-Key", record)
		lock := "/api/v1/locks/collection:main:" + record
		token := f.ask("POST", lock, `{"ttl": 3600}`, by("bob")).is(201).text("token")
		answered := make(chan *answer, 1)
		go func() { answered <- f.rollBack(id, key, header("Concord-Deadline", "1000")) }()
		f.until(func() bool { return f.newest().WaitingForLocks == 1 })
		f.clock.Set(f.clock.Now().Add(time.Second))
		a := (<-answered).is(202)
		place, state := ownBulk, "IN_PROGRESS"
		if name == "a session" {
			place, state = ownEdit, "ROLLING_BACK"
		}
		if got := a.header.Get("Location"); a.text("state") != state || len(got) <= len(place) || got[:len(place)] != place || f.words(record) != newWords {
			t.Errorf("%s: %s at %s", name, a.body, got)
		}
		f.refused(f.rollBack(id), problem.WrongState)
		f.ask("DELETE", lock, "", by("bob"), header("Lock-Token", token)).is(204)
		if r := f.rolledBack(id, key); r.Counts.Updated != 1 || f.words(record) != oldWords {
			t.Errorf("%s: at the end %+v", name, r)
		}
	}
}

// TestFOLIOWithNothingToBeDone: a step that has changed nothing is taken back at once, and a task that has not, never.
func TestFOLIOWithNothingToBeDone(t *testing.T) {
	f := newFOLIOStack(t)
	f.ask("PUT", own+"a", `{"metadata":{"words":[]}}`).is(201)
	nothing := `"instructions":[{"type":"CLEAR_FIELD","path":"/metadata/other"}]`
	session := f.ask("POST", ownEdit, `{"ids":["a"]}`).is(201).text("session")
	f.refused(f.rollBack(session), problem.CannotUndo)
	f.ask("POST", ownEdit+"/"+session+"/apply", `{`+nothing+`}`).is(202)
	f.until(func() bool { return f.newest().EndedAt != nil })
	if r := f.rolledBack(session); r.Session != session || r.Task != "" || r.Total != 0 {
		t.Errorf("%+v", r)
	}
	task := f.ask("POST", ownBulk, `{"targets":{"ids":["a"]},`+nothing+`}`).is(202).text("task")
	f.until(func() bool { return f.newest().EndedAt != nil })
	f.refused(f.rollBack(task), problem.CannotUndo)
}

// TestFOLIORefuses what is not there, not theirs, or not asked for like this.
func TestFOLIORefuses(t *testing.T) {
	auth := principals(t, map[string]map[string][]transport.Right{
		"ann": {"main": {transport.RightRead, transport.RightUpdate}},
		"bob": {"main": {transport.RightRead, transport.RightUpdate}},
		"cid": {"main": {transport.RightRead}},
	})
	f := folioStack{newCMRStack(t, func(s *stack) { s.gate.Auth, s.config.Loopback = auth, false })}
	as := func(name string) func(*http.Request) { return header("Authorization", "Bearer "+name) }
	f.ask("PUT", own+"a", `{"metadata":{"words":["old"]}}`, as("ann")).is(201)
	session := f.edits(`"a"`, as("ann"))
	for name, row := range map[string]struct {
		id   string
		who  string
		code problem.Code
	}{
		"a session of another":                {session, "bob", problem.Forbidden},
		"the newest session of who has none":  {"last", "bob", problem.NotFound},
		"an id that is neither":               {"none", "ann", problem.NotFound},
		"a number that no task has":           {"99", "ann", problem.NotFound},
		"what is no id":                       {"a.b", "ann", problem.Invalid},
		"a caller who may only read":          {session, "cid", problem.Forbidden},
		"a caller whom nobody knows":          {session, "eve", problem.Unauthenticated},
		"the run of a session, as if it were": {f.runOf(session, as("ann")), "ann", problem.CannotUndo},
	} {
		t.Run(name, func(t *testing.T) { f.refused(f.rollBack(row.id, as(row.who)), row.code) })
	}
	f.refused(f.ask("POST", "/bulk-edit/"+session+"/roll-back?dryRun=true", "", as("ann")), problem.Invalid)
	f.refused(f.ask("POST", "/bulk-edit/"+session+"/roll-back", `{"to":"previous"}`, as("ann")), problem.Invalid)
	if got := f.ask("GET", own+"a", "", as("ann")).is(200).member("metadata"); got != newWords {
		t.Errorf("what was refused has left %s", got)
	}
	if r := f.rolledBack(session, as("ann")); r.Counts.Updated != 1 {
		t.Errorf("%+v", r)
	}
}

// runOf is the task of the newest run of a session.
func (f folioStack) runOf(session string, options ...func(*http.Request)) string {
	f.Helper()
	var s api.EditSession
	f.ask("GET", ownEdit+"/"+session, "", options...).is(200).into(&s)
	return s.Runs[len(s.Runs)-1].Task
}

// TestFOLIOPage types what docs/FOLIO.md says, and gets the answers that it promises.
func TestFOLIOPage(t *testing.T) {
	f := newFOLIOStack(t)
	_, said := typed(t, "FOLIO.md", f.server)
	for _, text := range []string{`{"message":"Rollback has been done","session":"`, `"code":"cannot-undo"`, `"code":"version-conflict"`} {
		if !strings.Contains(said, text) {
			t.Errorf("nothing says %s:\n%s", text, said)
		}
	}
	if got := f.words("one") + f.words("two"); got != `{"words": ["old"]}{"words": ["other"]}` {
		t.Errorf("the records are %s", got)
	}
}

// TestFOLIODoesNotSayDoneOfWhatWasCancelled: what the roll-back had not come to is counted.
func TestFOLIODoesNotSayDoneOfWhatWasCancelled(t *testing.T) {
	f := newFOLIOStack(t, "a", "b")
	session := f.edits(`"a","b"`)
	f.ask("POST", "/api/v1/locks/collection:main:b", `{"ttl": 3600}`, by("bob")).is(201)
	answered := make(chan *answer, 1)
	go func() { answered <- f.rollBack(session) }()
	f.until(func() bool { task := f.newest(); return task.WaitingForLocks == 1 && task.Counts.Updated == 1 })
	f.ask("POST", ownEdit+"/"+session+"/cancel", "").is(200)
	a := <-answered
	f.refused(a, problem.WrongState)
	var left struct{ Counts api.BulkCounts }
	if a.into(&left); left.Counts.Updated != 1 || left.Counts.Cancelled != 1 || f.words("a") != oldWords || f.words("b") != newWords {
		t.Errorf("%s", a.body)
	}
}
