package httpapi_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"concord/actors/bulk"
	"concord/actors/jobs"
	"concord/transport"
	"concord/transport/cmr"
)

const (
	prov1   = "/api/v1/providers/PROV1"
	updates = "/ingest/providers/PROV1/bulk-update/collections"
)

// cmrStack is a service that works on bulk tasks, and tells when one has ended.
type cmrStack struct {
	*stack
	ended chan string
}

func newCMRStack(t *testing.T, configure ...func(*stack)) cmrStack {
	c := cmrStack{ended: make(chan string, 100)}
	work := func(s *stack) {
		o := jobs.TaskObserver{Items: func(*bulk.State, bulk.ItemState, uint64) {}, Ended: func(state string) { c.ended <- state }}
		s.tasks = jobs.NewTasks(s.store, jobs.NewCourtesy(s.host), jobs.DefaultTaskSettings, o, slog.New(slog.DiscardHandler))
	}
	c.stack = newStack(t, append(configure, work)...)
	return c
}

// record makes a collection, or writes its metadata anew.
func (c cmrStack) record(id, metadata string) {
	c.Helper()
	if a := c.ask("PUT", prov1+"/collections/"+id, `{"metadata": `+metadata+`}`); a.status != 200 && a.status != 201 {
		c.Fatalf("%s: %s", id, a.body)
	}
}

// becomes fails the test unless the collection has this metadata at this version.
func (c cmrStack) becomes(id, metadata string, version int) {
	c.Helper()
	a := c.ask("GET", prov1+"/collections/"+id, "").is(200)
	if got := a.member("metadata"); got != metadata || a.member("version") != fmt.Sprint(version) {
		c.Errorf("%s is %s at version %s, want %s at %d", id, got, a.member("version"), metadata, version)
	}
}

// submit begins a task, and waits for its end.
func (c cmrStack) submit(body string) (task string) {
	c.Helper()
	a := c.ask("POST", updates, body).is(200)
	var accepted cmr.UpdateAccepted
	if a.into(&accepted); accepted.Status != 200 || accepted.TaskID == 0 {
		c.Fatalf("accepted: %s", a.body)
	}
	<-c.ended
	return fmt.Sprint(accepted.TaskID)
}

// status shows a task.
func (c cmrStack) status(task string) (s cmr.UpdateTaskStatus) {
	c.Helper()
	c.ask("GET", updates+"/status/"+task, "").is(200).into(&s)
	return s
}

// says is what became of the collections, one in a line.
func says(s cmr.UpdateTaskStatus) string {
	var lines []string
	for _, item := range s.Collections {
		text := "null"
		if item.Message != nil {
			text = *item.Message
		}
		lines = append(lines, item.ConceptID+" "+item.Status+": "+text)
	}
	return strings.Join(lines, "\n")
}

// update is a body for these collections.
func update(ids, rest string) string {
	return `{"concept-ids": [` + ids + `], "update-field": "PLATFORMS", ` + rest + `}`
}

const aqua = `"update-type": "FIND_AND_UPDATE", "find-value": {"ShortName": "A"}, "update-value": {"LongName": "Aqua"}`

// TestCMRStory: an update from the request to its end, in the words of CMR.
func TestCMRStory(t *testing.T) {
	c := newCMRStack(t)
	c.record("C1-PROV1", `{"Platforms":[{"ShortName":"A"}]}`)
	c.record("C2-PROV1", `{"Platforms":[{"ShortName":"B"}]}`)
	c.record("C3-PROV1", `{"Platforms":[{"ShortName":"A","LongName":"Aqua"}]}`)
	c.record("C4-PROV1", `{"Platforms":[{"ShortName":"A"}]}`)
	c.ask("DELETE", prov1+"/collections/C4-PROV1", "").is(200)
	c.record("C5-XPROV1", `{"Platforms":[{"ShortName":"A"}]}`)
	c.record("letters", `{"Platforms":[{"ShortName":"A"}]}`)
	body := " {\"name\":\t\"long names\",\n" + update(`"C1-PROV1", "C2-PROV1", "C3-PROV1", "C4-PROV1", "C5-XPROV1", "C6-PROV1", "letters"`, aqua)[1:] + "\n\n"

	if task := c.submit(body); task != "1" {
		t.Errorf("task %s", task)
	}
	s := c.status("1")
	want := `C1-PROV1 UPDATED: null
C2-PROV1 SKIPPED: Collection with concept-id [C2-PROV1] is not updated because no find-value found.
C3-PROV1 UPDATED: null
C4-PROV1 FAILED: Collection with concept-id [C4-PROV1] is deleted. Can not be updated.
C5-XPROV1 FAILED: Concept-id [C5-XPROV1] is not associated with provider-id [PROV1].
C6-PROV1 FAILED: Concept-id [C6-PROV1] does not exist.
letters UPDATED: null`
	if got := says(s); got != want {
		t.Errorf("items:\n%s\nwant:\n%s", got, want)
	}
	message := "Task completed with 3 FAILED, 1 SKIPPED and 3 UPDATED out of 7 total collection update(s)."
	if s.Status != 200 || s.Name != "long names" || s.TaskStatus != "COMPLETE" || *s.Message != message ||
		s.CreatedAt != "2026-01-01T00:00:00.000Z" || s.Posted != body {
		t.Errorf("task %+v, says %s", s, *s.Message)
	}
	c.becomes("C1-PROV1", `{"Platforms":[{"ShortName":"A","LongName":"Aqua"}]}`, 2)
	c.becomes("C3-PROV1", `{"Platforms":[{"ShortName":"A","LongName":"Aqua"}]}`, 1) // UPDATED in CMR's words; there is no new version
	c.becomes("C5-XPROV1", `{"Platforms":[{"ShortName":"A"}]}`, 1)
	c.becomes("letters", `{"Platforms":[{"ShortName":"A","LongName":"Aqua"}]}`, 2)

	second := update(`"all"`, `"update-type": "CLEAR_FIELD"`)
	c.submit(second)
	var list cmr.UpdateTaskList
	a := c.ask("GET", updates+"/status", "").is(200)
	a.into(&list)
	if list.Status != 200 || len(list.Tasks) != 2 {
		t.Fatalf("list: %s", a.body)
	}
	newest, oldest := list.Tasks[0], list.Tasks[1]
	if newest.TaskID != "2" || newest.Name != "2" || newest.Posted != second || *newest.Message != "All collection updates completed successfully." {
		t.Errorf("the newest is %+v", newest)
	}
	if oldest.TaskID != "1" || oldest.Posted != body || *oldest.Message != message || oldest.Status != "COMPLETE" {
		t.Errorf("the oldest is %+v", oldest)
	}
	if got := says(c.status("2")); strings.Count(got, "UPDATED") != 5 || strings.Contains(got, "C4-PROV1") {
		t.Errorf("all are\n%s", got)
	}
	c.becomes("C2-PROV1", `{}`, 2)
	c.ask("GET", prov1+"/bulk-updates/1", "").is(200)
	if got := c.ask("GET", prov1+"/bulk-updates/1/request", "").is(200).member("body"); got != strings.TrimSpace(body) {
		t.Errorf("in our own words it was asked for with %s", got)
	}
	c.ask("POST", prov1+"/bulk-updates?dryRun=true", `{"targets": {"all": true}, "instructions": [{"type": "CLEAR_FIELD", "path": "/metadata/Platforms"}]}`).is(202)
	if <-c.ended; strings.Count(string(c.ask("GET", updates+"/status", "").is(200).body), "task-id") != 2 {
		t.Error("a dry run is listed")
	}
	c.refuses("GET", updates+"/status/3", "", 404, "Bulk update task with task id [3] could not be found for provider id [PROV1].")
}

// refuses fails the test unless the request is refused in this way.
func (c cmrStack) refuses(method, path, body string, status int, text string, options ...func(*http.Request)) {
	c.Helper()
	a := c.ask(method, path, body, options...).is(status)
	want, _ := json.Marshal(cmr.ErrorTexts{Errors: []string{text}})
	if string(a.body) != string(want) || a.header.Get("Content-Type") != "application/json" {
		c.Errorf("%s %s\nwant %s", a.header.Get("Content-Type"), a.body, want)
	}
}

// TestCMRUpdateTypes: each of the update types through the whole service, in the field that makes most trouble.
func TestCMRUpdateTypes(t *testing.T) {
	c := newCMRStack(t)
	const before = `{"Platforms":[{"ShortName":"A"},{"ShortName":"B","Instruments":[{"ShortName":"I"},{"ShortName":"J"}]}]}`
	for name, row := range map[string]struct{ update, want, status string }{
		"C1": {`"update-type": "ADD_TO_EXISTING", "update-value": [{"ShortName": "J"}, {"ShortName": "K"}]`,
			`{"Platforms":[{"ShortName":"A","Instruments":[{"ShortName":"J"},{"ShortName":"K"}]},{"ShortName":"B","Instruments":[{"ShortName":"I"},{"ShortName":"J"},{"ShortName":"K"}]}]}`, "UPDATED"},
		"C2": {`"update-type": "CLEAR_ALL_AND_REPLACE", "update-value": {"ShortName": "K", "LongName": null}`,
			`{"Platforms":[{"ShortName":"A","Instruments":[{"ShortName":"K"}]},{"ShortName":"B","Instruments":[{"ShortName":"K"}]}]}`, "UPDATED"},
		"C3": {`"update-type": "CLEAR_FIELD"`, `{"Platforms":[{"ShortName":"A"},{"ShortName":"B"}]}`, "UPDATED"},
		"C4": {`"update-type": "FIND_AND_REPLACE", "find-value": {"ShortName": "I"}, "update-value": {"ShortName": "J"}`,
			`{"Platforms":[{"ShortName":"A"},{"ShortName":"B","Instruments":[{"ShortName":"J"}]}]}`, "UPDATED"},
		"C5": {`"update-type": "FIND_AND_UPDATE", "find-value": {}, "update-value": {"n": 1}`,
			`{"Platforms":[{"ShortName":"A"},{"ShortName":"B","Instruments":[{"ShortName":"I","n":1},{"ShortName":"J","n":1}]}]}`, "UPDATED"},
		"C6": {`"update-type": "FIND_AND_REMOVE", "find-value": {}`, `{"Platforms":[{"ShortName":"A"},{"ShortName":"B"}]}`, "UPDATED"},
		"C7": {`"update-type": "FIND_AND_REMOVE", "find-value": {"ShortName": "X"}`, before, "SKIPPED"},
		"C8": {`"update-type": "FIND_AND_UPDATE", "find-value": {"ShortName": "I"}, "update-value": {"LongName": null}`, before, "UPDATED"},
	} {
		t.Run(name, func(t *testing.T) {
			c.record(name, before)
			task := c.submit(`{"concept-ids": ["` + name + `"], "update-field": "INSTRUMENTS", ` + row.update + `}`)
			if got := c.status(task).Collections[0].Status; got != row.status {
				t.Errorf("is %s", got)
			}
			version := 2
			if row.want == before {
				version = 1
			}
			c.becomes(name, row.want, version)
		})
	}
	c.record("C9", `{"DataCenters":[{"ShortName":"A","ContactInformation":{"RelatedUrls":[{"URLContentType":"DataCenterURL","Type":"HOME PAGE","URL":"old"}]}}]}`)
	c.submit(`{"concept-ids": ["C9"], "update-field": "DATA_CENTERS", "update-type": "FIND_AND_UPDATE_HOME_PAGE_URL", "find-value": {"ShortName": "A"},
		"update-value": {"ContactInformation": {"RelatedUrls": [{"URLContentType": "DataCenterURL", "Type": "HOME PAGE", "URL": "new"}]}}}`)
	c.becomes("C9", `{"DataCenters":[{"ShortName":"A","ContactInformation":{"RelatedUrls":[{"URLContentType":"DataCenterURL","Type":"HOME PAGE","URL":"new"}]}}]}`, 2)
}

// TestCMRRefusals: the refusals that need a service.
func TestCMRRefusals(t *testing.T) {
	all := update(`"all"`, `"name": "n", "update-type": "CLEAR_FIELD"`)
	c := newCMRStack(t)
	c.refuses("POST", updates, all, 400, "There are no collections that have not been deleted for provider [PROV1].")
	c.record("C1-PROV1", `{"Platforms":[{"ShortName":"A"}]}`)
	c.submit(all)
	c.refuses("POST", updates, all, 422, "Error creating bulk update task: Bulk update name needs to be unique within the provider.")
	c.refuses("POST", updates, `{`, 400, "Invalid JSON: unexpected end of text at byte 1")
	c.refuses("POST", updates, "", 400, "Invalid JSON: unexpected end of text at byte 0")
	c.refuses("POST", updates, update(`"C1"`, `"update-type": "REPLACE"`), 400, "#/update-type: REPLACE is not a valid enum value")
	c.refuses("GET", updates+"/status/12", "", 404, "Bulk update task with task id [12] could not be found for provider id [PROV1].")
	c.refuses("GET", updates+"/status/1%20", "", 404, "Bulk update task with task id [1 ] could not be found for provider id [PROV1].")
	c.refuses("GET", updates+"/status?pretty=true", "", 400, "pretty: is no parameter of bulk.list")
	if a := c.ask("POST", updates, update(`"C1", "C2", "C1"`, `"update-type": "CLEAR_FIELD"`)).is(400); !strings.Contains(string(a.body), "#/concept-ids/2: ") {
		t.Errorf("an id that is there twice: %s", a.body)
	}
	if a := c.ask("POST", updates, all+strings.Repeat(" ", 20<<20)).is(413); a.member("errors") == "" {
		t.Errorf("too long: %s", a.body)
	}
	for accept, status := range map[string]int{"application/xml": 406, "text/html, application/json;q=0": 406, "application/json": 200, "application/xml, */*;q=0.1": 200,
		"application/*": 200, "": 200, "*/*": 200, "text/html, application/json; charset=utf-8": 200, "application/*, application/json;q=0.0": 406, "nonsense": 406} {
		for method, path := range map[string]string{"GET": updates + "/status", "HEAD": updates + "/status/1"} {
			c.ask(method, path, "", header("Accept", accept)).is(status)
		}
	}
	const unacceptable = "answers are application/json alone, and Accept is application/xml"
	c.refuses("POST", updates, all, 406, unacceptable, header("Accept", "application/xml"))
	c.service.Limits.Bulk.Enabled = false
	c.refuses("POST", updates, all, 400, "Bulk update is disabled.")
	c.ask("GET", updates+"/status/1", "").is(200)
}

// TestCMRRights: who may ask, and who may look.
func TestCMRRights(t *testing.T) {
	c := newCMRStack(t, func(s *stack) {
		s.gate.Auth = principals(t, map[string]map[string][]transport.Right{"ann": {"PROV1": {transport.RightRead, transport.RightUpdate}},
			"bob": {"PROV1": {transport.RightRead}}, "eve": {"*": {transport.RightRead, transport.RightUpdate}}})
		s.config.Loopback = false
	})
	as := func(who string) func(*http.Request) { return header("Authorization", "Bearer "+who) }
	const no = "You do not have permission to perform that action."
	all := update(`"all"`, `"update-type": "CLEAR_FIELD"`)
	c.refuses("POST", updates, all, 401, no)
	c.refuses("POST", updates, all, 401, no, as("bob"))
	c.refuses("POST", updates, all, 401, no, as("nobody"))
	c.refuses("GET", updates+"/status", "", 401, no)
	c.refuses("GET", updates+"/status/1", "", 401, no)
	c.ask("GET", updates+"/status", "", as("bob")).is(200)
	other := strings.Replace(updates, "PROV1", "PROV-X", 1)
	c.refuses("POST", other, all, 422, "Provider with provider-id [PROV-X] does not exist.", as("eve"))
	c.refuses("POST", other, all, 401, no, as("ann")) // who may not is not told which providers there are
	c.refuses("GET", other+"/status", "", 422, "Provider with provider-id [PROV-X] does not exist.", as("eve"))
	c.refuses("GET", other+"/status/1", "", 422, "Provider with provider-id [PROV-X] does not exist.", as("eve"))
	c.refuses("POST", updates, all, 400, "There are no collections that have not been deleted for provider [PROV1].", as("ann"))
	c.service.Limits.Bulk.Enabled = false
	c.refuses("POST", updates, all, 400, "Bulk update is disabled.") // whoever asks
}

// TestCMRLongRequest: what was posted comes back byte for byte, however long a request may be.
func TestCMRLongRequest(t *testing.T) {
	c := newCMRStack(t)
	var ids strings.Builder
	for i := range 30_000 {
		fmt.Fprintf(&ids, "%q,\n   ", fmt.Sprintf("C%d-XPROV1", i))
	}
	body := update(ids.String()+`"C1-PROV1"`, aqua)
	body += strings.Repeat("\t", 1<<20-len(body))
	s := c.status(c.submit(body))
	if s.Posted != body || len(s.Collections) != 30_001 {
		t.Errorf("%d bytes of %d came back, and %d items", len(s.Posted), len(body), len(s.Collections))
	}
	if got := *s.Message; got != "Task completed with 30001 FAILED out of 30001 total collection update(s)." {
		t.Errorf("says %s", got)
	}
	if got := c.ask("GET", prov1+"/bulk-updates/1/request", "").is(200).member("body"); got != "" {
		t.Errorf("a long body is shown: %.100s", got)
	}
}

// TestCMRIdempotency: a request that is sent again under its key is the same task.
func TestCMRIdempotency(t *testing.T) {
	c := newCMRStack(t)
	c.record("C1-PROV1", `{"Platforms":[{"ShortName":"A"}]}`)
	body := update(`"C1-PROV1"`, `"name": "once", `+aqua)
	for range 2 {
		if a := c.ask("POST", updates, body, header("Idempotency-Key", "k")).is(200); string(a.body) != `{"status":200,"task-id":1}` {
			t.Errorf("accepted: %s", a.body)
		}
	}
	<-c.ended
	c.becomes("C1-PROV1", `{"Platforms":[{"ShortName":"A","LongName":"Aqua"}]}`, 2)
}

// TestCMRSchema: what does not fit the schema fails, and what is warned of is said.
func TestCMRSchema(t *testing.T) {
	c := newCMRStack(t)
	const schema = `{"type": "object", "properties": {"Platforms": {"items": {"required": ["ShortName"]}}}}`
	c.ask("PUT", prov1+"/types/strict", `{"schemas": {"metadata": `+schema+`}}`).is(201)
	c.ask("PUT", prov1+"/types/mild", `{"schemas": {"metadata": `+schema+`, "warn": true}}`).is(201)
	for id, kind := range map[string]string{"C1-PROV1": "strict", "C2-PROV1": "mild"} {
		c.ask("PUT", prov1+"/collections/"+id, `{"type": "`+kind+`", "metadata": {"Platforms":[{"ShortName":"A"}]}}`).is(201)
	}
	s := c.status(c.submit(update(`"C1-PROV1", "C2-PROV1"`, `"update-type": "FIND_AND_UPDATE", "find-value": {}, "update-value": {"ShortName": null, "n": 1}`)))
	one, two := s.Collections[0], s.Collections[1]
	if one.Status != "FAILED" || !strings.Contains(*one.Message, "ShortName") {
		t.Errorf("the strict one is %s", says(s))
	}
	const front = "Collection was updated successfully, but translating the collection to UMM-C had the following issues: "
	if two.Status != "UPDATED" || two.Message == nil || !strings.HasPrefix(*two.Message, front) || !strings.Contains(*two.Message, "ShortName") {
		t.Errorf("the mild one is %s", says(s))
	}
	c.becomes("C1-PROV1", `{"Platforms":[{"ShortName":"A"}]}`, 1)
}

// TestCMRLockedAndCancelled: a collection that somebody holds is pending; cancelled in our own words, the task has ended.
func TestCMRLockedAndCancelled(t *testing.T) {
	c := newCMRStack(t)
	c.record("C1-PROV1", `{"Platforms":[{"ShortName":"A"}]}`)
	c.ask("POST", "/api/v1/locks/collection:PROV1:C1-PROV1", `{"ttl": 3600}`).is(201)
	c.ask("POST", updates, update(`"C1-PROV1"`, aqua)).is(200)
	s := c.status("1")
	if s.TaskStatus != "IN_PROGRESS" || s.Message != nil || s.Collections[0].Status != "PENDING" {
		t.Errorf("in progress: %+v, %s", s, says(s))
	}
	c.ask("POST", prov1+"/bulk-updates/1/cancel", "").is(200)
	if state := <-c.ended; state != "CANCELLED" {
		t.Errorf("ended %s", state)
	}
	s = c.status("1")
	if s.TaskStatus != "COMPLETE" || *s.Message != "Task completed with 1 SKIPPED out of 1 total collection update(s)." ||
		says(s) != "C1-PROV1 SKIPPED: Collection with concept-id [C1-PROV1] is not updated because the task was cancelled." {
		t.Errorf("cancelled: %s, %s", *s.Message, says(s))
	}
	c.becomes("C1-PROV1", `{"Platforms":[{"ShortName":"A"}]}`, 1)
}

// TestCMRRetried: a task that is retried in our own words is shown in CMR's, with the request that it repeats; what was of
// another provider stays so.
func TestCMRRetried(t *testing.T) {
	c := newCMRStack(t)
	body := padded(update(`"C1-PROV1", "C2-XPROV1"`, aqua), 2*bulk.PieceMaxBytes+1)
	c.submit(body)
	c.record("C1-PROV1", `{"Platforms":[{"ShortName":"A"}]}`)
	c.record("C2-XPROV1", `{"Platforms":[{"ShortName":"A"}]}`)
	c.ask("POST", prov1+"/bulk-updates/1/retry", `{"name": "again"}`).is(202)
	<-c.ended
	s := c.status("2")
	want := "C1-PROV1 UPDATED: null\nC2-XPROV1 FAILED: Concept-id [C2-XPROV1] is not associated with provider-id [PROV1]."
	if says(s) != want || s.Posted != body || s.Name != "again" {
		t.Errorf("%s\n%d bytes of %d", says(s), len(s.Posted), len(body))
	}
	c.becomes("C2-XPROV1", `{"Platforms":[{"ShortName":"A"}]}`, 1)
}
