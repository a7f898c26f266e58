package httpapi_test

import (
	"strings"
	"testing"

	"concord/transport/schema"
)

const bulks = provider + "/bulk-updates"

// walkBulk asks every operation on bulk updates, and says which those are. Nothing works on the tasks.
func walkBulk(t *testing.T, s *stack) (asked map[string]bool) {
	asked = map[string]bool{}
	task := "letters"
	ask := func(operation, body string, status int, edits ...string) *answer {
		t.Helper()
		asked[operation] = true
		op := operationOf(s.table, operation)
		path := strings.Replace(pathOf(op), "letters", task, 1)
		return s.ask(op.Method, path+strings.Join(edits, ""), body).is(status)
	}
	body, _ := schema.Example("bulk.submit", "application/json")
	accepted := ask("bulk.submit", string(body), 202)
	task = accepted.text("task")
	if got := accepted.header.Get("Location"); got != bulks+"/"+task {
		t.Errorf("Location of a task: %s", got)
	}
	if p := ask("bulk.submit", string(body), 422).problem(); p.Code != "name-taken" {
		t.Errorf("the same name again: %s", p.Code)
	}
	ask("bulk.get", "", 200)
	ask("bulk.list", "", 200, "?open=true&state=ACCEPTED&from=2000-01-01T00:00:00Z&limit=1")
	ask("bulk.items", "", 200, "?state=PENDING&state=FAILED&limit=1")
	ask("bulk.request", "", 200)
	ask("bulk.events", "", 200)
	ask("bulk.pause", "", 200)
	ask("bulk.resume", "", 200)
	retry, _ := schema.Example("bulk.retry", "application/json")
	ask("bulk.retry", string(retry), 409)
	task = accepted.member("number")
	ask("bulk.get", "", 200)
	ask("bulk.cancel", "", 200)
	rollback, _ := schema.Example("bulk.rollback", "application/json")
	if p := ask("bulk.rollback", string(rollback), 422).problem(); p.Code != "cannot-undo" {
		t.Errorf("what has updated nothing: %s", p.Code)
	}
	ask("bulk.rollback", string(rollback), 422, "?dryRun=true")
	task = "none"
	ask("bulk.get", "", 404)
	return asked
}
