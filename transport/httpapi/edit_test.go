package httpapi_test

import (
	"strings"
	"testing"

	"concord/transport"
	"concord/transport/schema"
)

const edits = provider + "/bulk-edits"

// walkEdits asks every operation on bulk edit sessions, and says which those are. Nothing works on their tasks.
func walkEdits(t *testing.T, s *stack) (asked map[string]bool) {
	asked = map[string]bool{}
	session := "letters"
	ask := func(operation, body string, status int, edits ...string) *answer {
		t.Helper()
		asked[operation] = true
		op := operationOf(s.table, operation)
		path := strings.Replace(pathOf(op), "letters", session, 1)
		return s.ask(op.Method, path+strings.Join(edits, ""), body).is(status)
	}
	example := func(operation string) string {
		body, ok := schema.Example(operation, "application/json")
		if !ok {
			t.Fatalf("no example of %s", operation)
		}
		return string(body)
	}
	s.ask("PUT", provider+"/collections/diaries", `{"metadata":{"keywords":[{"term":"Lettres"}]}}`).is(201)
	opened := ask("edit.open", example("edit.open"), 201)
	session = opened.text("session")
	if got := opened.header.Get("Location"); got != edits+"/"+session {
		t.Errorf("Location of a session: %s", got)
	}
	if got := opened.text("state"); got != "READY" {
		t.Errorf("it is %s", got)
	}
	ask("edit.match", example("edit.match"), 200)
	ask("edit.get", "", 200)
	ask("edit.list", "", 200, "?open=true&limit=1")
	ask("edit.records", "", 200, "?state=MATCHED&state=NOT_FOUND&limit=1")
	ask("edit.preview", example("edit.preview"), 202)
	ask("edit.close", "", 409)
	ask("edit.pause", "", 200)
	ask("edit.resume", "", 200)
	ask("edit.results", "", 200, "?state=PENDING&limit=1")
	ask("edit.cancel", "", 200)
	ask("edit.apply", `{"instructions":[{"type":"CLEAR_FIELD","path":"/metadata/keywords"}]}`, 202)
	ask("edit.rollback", example("edit.rollback"), 202)
	ask("edit.redo", example("edit.redo"), 202)
	ask("edit.events", "", 200)
	for _, what := range []string{"matched", "errors", "changed"} {
		file := ask("edit.download", "", 200, "?format=csv&what="+what)
		if got := file.header.Get("Content-Type"); got != transport.MediaCSV || !strings.Contains(file.header.Get("Content-Disposition"), "-"+what+".csv") {
			t.Errorf("a download is %s, %s", got, file.header.Get("Content-Disposition"))
		}
	}
	ask("edit.close", "{}", 200)
	session = "none"
	ask("edit.get", "", 404)
	return asked
}
