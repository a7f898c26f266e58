package httpapi_test

import (
	"testing"

	"concord/transport/schema"
)

// walkAuthorities asks every operation on source files and authorities, and says which those are.
func walkAuthorities(t *testing.T, s *stack) (asked map[string]bool) {
	asked = map[string]bool{}
	ask := func(operation, body string, status int, edits ...string) *answer {
		t.Helper()
		asked[operation] = true
		op := operationOf(s.table, operation)
		path := pathOf(op)
		for _, edit := range edits {
			path += edit
		}
		return s.ask(op.Method, path, body).is(status)
	}
	example := func(operation string) string {
		body, _ := schema.Example(operation, "application/json")
		return string(body)
	}

	if got := ask("source.put", example("source.put"), 201).header.Get("ETag"); got != `"v1"` {
		t.Errorf("ETag %s", got)
	}
	ask("source.put", example("source.put"), 200)
	ask("source.get", "", 200)
	ask("source.list", "", 200)
	if got := ask("source.next-id", "", 200).text("id"); got != "loc10" {
		t.Errorf("first local id %s", got)
	}
	ask("source.patch", example("source.patch"), 202)
	if got := ask("authority.put", example("authority.put"), 201).header.Get("ETag"); got != `"v1"` {
		t.Errorf("ETag %s", got)
	}
	if got := ask("authority.get", "", 200).text("uri"); got != "https://names.example.org/auth/loc10" {
		t.Errorf("uri %s", got)
	}
	s.ask("PUT", pathOf(operationOf(s.table, "authority.put")), example("authority.put"), header("If-None-Match", "*")).is(412)
	if got := ask("authority.import", example("authority.import"), 200).member("created"); got != "2" {
		t.Errorf("%s imported", got)
	}
	ask("authority.list", "", 200, "?source=letters&limit=2")
	ask("authority.list", "", 200, "?heading=Bebop")
	ask("source.delete", "", 422)
	ask("authority.delete", "", 202, "?reason=gone")
	ask("authority.get", "", 200)
	ask("authority.list", "", 200, "?deleted=true")
	ask("source.delete", "", 422, "?dryRun=true")
	return asked
}
