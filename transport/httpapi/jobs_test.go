package httpapi_test

import (
	"strings"
	"testing"

	"concord/transport/schema"
)

// walkJobs asks every operation on jobs and on what is linked, and says which those are. Nothing works on the jobs.
func walkJobs(t *testing.T, s *stack) (asked map[string]bool) {
	asked = map[string]bool{}
	job := "letters"
	ask := func(operation, body string, status int, edits ...string) *answer {
		t.Helper()
		asked[operation] = true
		op := operationOf(s.table, operation)
		path := pathOf(op)
		if strings.HasPrefix(operation, "propagation.") {
			path = strings.Replace(path, "letters", job, 1)
		}
		return s.ask(op.Method, path+strings.Join(edits, ""), body).is(status)
	}
	ask("source.impact", "", 200)
	ask("authority.impact", "", 404)
	ask("link.count", "", 200, "?source=letters")
	ask("link.count", "", 400)
	body, _ := schema.Example("link.audit", "application/json")
	ask("link.audit", strings.Replace(string(body), "names", "letters", 1), 202)
	job = ask("link.audit", `{"source":"letters"}`, 202).text("propagation")
	ask("propagation.get", "", 200)
	ask("propagation.list", "", 200, "?open=true&limit=1")
	ask("propagation.items", "", 200, "?state=FAILED")
	ask("propagation.events", "", 200)
	ask("propagation.pause", "", 200)
	ask("propagation.resume", "", 200)
	ask("propagation.cancel", "", 200)
	ask("propagation.retry", "", 409)
	rollback, _ := schema.Example("propagation.rollback", "application/json")
	if p := ask("propagation.rollback", string(rollback), 422).problem(); p.Code != "cannot-undo" {
		t.Errorf("the roll-back of an audit is refused as %q", p.Code)
	}
	ask("propagation.rollback", "", 422, "?dryRun=true")
	ask("report.list", "", 200, "?action=AUDIT&from=2000-01-01T00:00:00Z")
	return asked
}
