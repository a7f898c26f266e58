package cmr

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"concord/actors/bulk"
	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// said is a text that may be missing.
func said(text *string) string {
	if text == nil {
		return "null"
	}
	return *text
}

// TestTaskStatuses: every state of ours is one of CMR's, and what is said of it is what CMR says.
func TestTaskStatuses(t *testing.T) {
	for name, row := range map[string]struct {
		task         api.BulkTask
		status, says string
	}{
		"accepted":    {api.BulkTask{State: "ACCEPTED", Counts: bulk.Counts{Pending: 3}}, "IN_PROGRESS", "null"},
		"in progress": {api.BulkTask{State: "IN_PROGRESS", Counts: bulk.Counts{Pending: 3, Failed: 1}}, "IN_PROGRESS", "null"},
		"paused":      {api.BulkTask{State: "PAUSED"}, "IN_PROGRESS", "null"},
		"cancelling":  {api.BulkTask{State: "CANCELLING"}, "IN_PROGRESS", "null"},
		"all well":    {api.BulkTask{State: "COMPLETE", Counts: bulk.Counts{Updated: 3}}, "COMPLETE", "All collection updates completed successfully."},
		"nothing new": {api.BulkTask{State: "COMPLETE", Counts: bulk.Counts{Unchanged: 3}}, "COMPLETE", "All collection updates completed successfully."},
		"all three": {api.BulkTask{State: "COMPLETE", Counts: bulk.Counts{Updated: 3, Skipped: 2, Failed: 5}}, "COMPLETE",
			"Task completed with 5 FAILED, 2 SKIPPED and 3 UPDATED out of 10 total collection update(s)."},
		"two": {api.BulkTask{State: "COMPLETE", Counts: bulk.Counts{Updated: 1, Unchanged: 2, Failed: 5}}, "COMPLETE",
			"Task completed with 5 FAILED and 3 UPDATED out of 8 total collection update(s)."},
		"two others": {api.BulkTask{State: "COMPLETE", Counts: bulk.Counts{Skipped: 2, Failed: 5}}, "COMPLETE",
			"Task completed with 5 FAILED and 2 SKIPPED out of 7 total collection update(s)."},
		"one": {api.BulkTask{State: "COMPLETE", Counts: bulk.Counts{Failed: 2}}, "COMPLETE",
			"Task completed with 2 FAILED out of 2 total collection update(s)."},
		"cancelled": {api.BulkTask{State: "CANCELLED", Counts: bulk.Counts{Cancelled: 2}}, "COMPLETE",
			"Task completed with 2 SKIPPED out of 2 total collection update(s)."},
		"partially cancelled": {api.BulkTask{State: "PARTIALLY_CANCELLED", Counts: bulk.Counts{Cancelled: 2, Skipped: 1, Updated: 4}}, "COMPLETE",
			"Task completed with 3 SKIPPED and 4 UPDATED out of 7 total collection update(s)."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := taskStatus(row.task.State); got != row.status {
				t.Errorf("%s, want %s", got, row.status)
			}
			if got := said(taskMessage(&row.task)); got != row.says {
				t.Errorf("says %q, want %q", got, row.says)
			}
		})
	}
	for _, s := range bulk.Statuses {
		if got := taskStatus(string(s)); (got == taskInProgress) != s.Open() {
			t.Errorf("%s is %s", s, got)
		}
	}
}

// TestCollectionStatuses: so with items.
func TestCollectionStatuses(t *testing.T) {
	const id = "C1-PROV1"
	for name, row := range map[string]struct {
		item         api.BulkItem
		status, says string
	}{
		"pending":   {api.BulkItem{State: "PENDING"}, "PENDING", "null"},
		"updated":   {api.BulkItem{State: "UPDATED", VersionBefore: 1, VersionAfter: 2}, "UPDATED", "null"},
		"unchanged": {api.BulkItem{State: "UNCHANGED", VersionBefore: 1}, "UPDATED", "null"},
		"warned": {api.BulkItem{State: "UPDATED", Warnings: []problem.FieldError{{Path: "/a", Message: "is b"}, {Message: "c"}}}, "UPDATED",
			"Collection was updated successfully, but translating the collection to UMM-C had the following issues: /a is b; c"},
		"skipped":         {api.BulkItem{State: "SKIPPED"}, "SKIPPED", "Collection with concept-id [C1-PROV1] is not updated because no find-value found."},
		"cancelled":       {api.BulkItem{State: "CANCELLED"}, "SKIPPED", "Collection with concept-id [C1-PROV1] is not updated because the task was cancelled."},
		"not there":       {api.BulkItem{State: "FAILED", Code: "not-found"}, "FAILED", "Concept-id [C1-PROV1] does not exist."},
		"of others":       {api.BulkItem{State: "FAILED", Code: "not-found", Message: notOf(id, "PROV1")}, "FAILED", "Concept-id [C1-PROV1] is not associated with provider-id [PROV1]."},
		"deleted":         {api.BulkItem{State: "FAILED", Code: "not-found", VersionBefore: 3}, "FAILED", "Collection with concept-id [C1-PROV1] is deleted. Can not be updated."},
		"not valid":       {api.BulkItem{State: "FAILED", Code: "schema-invalid", Message: "/a: is b"}, "FAILED", "/a: is b"},
		"for no reason":   {api.BulkItem{State: "FAILED", Code: "internal"}, "FAILED", "There was an error updating the concept."},
		"with many words": {api.BulkItem{State: "FAILED", Message: strings.Repeat("é", 4000)}, "FAILED", strings.Repeat("é", 2000)},
	} {
		t.Run(name, func(t *testing.T) {
			row.item.ID = id
			got := collectionStatus("PROV1", &row.item)
			if got.Status != row.status || said(got.Message) != row.says || got.ConceptID != id {
				t.Errorf("%s %s: %s", got.ConceptID, got.Status, said(got.Message))
			}
		})
	}
	for _, s := range bulk.ItemStates {
		if got := collectionStatus("PROV1", &api.BulkItem{State: string(s)}).Status; (got == itemPending) != (s == bulk.ItemPending) {
			t.Errorf("%s is %s", s, got)
		}
	}
}

// fakes are operations that answer as a test wants.
type fakes map[string]func(*transport.Request) (any, error)

func (f fakes) ask(r *transport.Request) (*transport.Reply, error) {
	v, err := f[r.Op.Name](r)
	if err != nil {
		return nil, err
	}
	if text, ok := v.(string); ok {
		return &transport.Reply{Status: http.StatusOK, Body: []byte(text)}, nil
	}
	body, err := json.Marshal(v)
	return &transport.Reply{Status: http.StatusOK, Body: body}, err
}

// aliases are those of a table that has nothing but names.
func aliases(enabled bool) (submit, list, show *transport.Alias) {
	var table []*transport.Operation
	for _, name := range []string{"bulk.submit", "bulk.get", "bulk.list", "bulk.items", "upload.open", "upload.append", "upload.close"} {
		table = append(table, &transport.Operation{Name: name})
	}
	all := Aliases(table, api.BulkWords{Posted: &transport.Operation{Name: "posted"}, Enabled: func() bool { return enabled },
		ChunkMaxBytes: 1 << 10}, DefaultLimits)
	return all[0], all[1], all[2]
}

// TestRefusals: the status and the text of whatever is refused on the way in, or by an operation.
func TestRefusals(t *testing.T) {
	const body = `{"concept-ids": ["all"], "update-type": "CLEAR_FIELD", "update-field": "PLATFORMS"}`
	submit, list, show := aliases(true)
	off, _, _ := aliases(false)
	for name, row := range map[string]struct {
		alias  *transport.Alias
		err    error // of the way in, or of the operation
		asked  bool  // it is the operation's
		status int
		says   string
	}{
		"switched off":             {off, nil, true, 400, "Bulk update is disabled."},
		"switched off for anybody": {off, problem.New(problem.Unauthenticated, "who?"), false, 400, "Bulk update is disabled."},
		"nobody":                   {submit, problem.New(problem.Unauthenticated, "who?"), false, 401, "You do not have permission to perform that action."},
		"not allowed":              {submit, problem.New(problem.Forbidden, "no"), false, 401, "You do not have permission to perform that action."},
		"not allowed to see":       {show, problem.New(problem.Forbidden, "no"), false, 401, "You do not have permission to perform that action."},
		"no such provider":         {submit, problem.New(problem.NotFound, "no"), false, 422, "Provider with provider-id [PROV1] does not exist."},
		"no such provider to list": {list, problem.New(problem.NotFound, "no"), false, 422, "Provider with provider-id [PROV1] does not exist."},
		"no such provider to see":  {show, problem.New(problem.NotFound, "no"), false, 422, "Provider with provider-id [PROV1] does not exist."},
		"no name of a provider":    {list, problem.At("provider", "no"), false, 422, "Provider with provider-id [PROV1] does not exist."},
		"no such task":             {show, bulk.Missing(), true, 404, "Bulk update task with task id [12] could not be found for provider id [PROV1]."},
		"no number of a task":      {show, problem.At("id", "no"), false, 404, "Bulk update task with task id [12] could not be found for provider id [PROV1]."},
		"a name that is taken":     {submit, problem.New(problem.NameTaken, "no"), true, 422, "Error creating bulk update task: Bulk update name needs to be unique within the provider."},
		"nothing there":            {submit, problem.At("/targets/all", "leads to no collection"), true, 400, "There are no collections that have not been deleted for provider [PROV1]."},
		"our own rule of names":    {submit, problem.At("/name", "has nothing but digits"), true, 400, "#/name: has nothing but digits"},
		"an instruction of ours":   {submit, problem.At("/instructions/0/value/0", "is bad"), true, 400, "#/update-value/0: is bad"},
		"a parameter":              {list, problem.At("limit", "is no parameter"), false, 400, "limit: is no parameter"},
		"too much":                 {submit, problem.New(problem.TooLarge, "a request of 9 bytes"), false, 413, "a request of 9 bytes"},
		"full":                     {submit, problem.New(problem.Overloaded, ""), true, 429, "Too much is going on"},
		"a fault of ours":          {list, errors.New("the disk is on fire"), true, 500, "the request id names the entry in the log"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &transport.Request{Op: row.alias.Operation, Provider: "PROV1", ID: "12", Body: []byte(body)}
			err := row.err
			if row.asked {
				ask := fakes{}
				for _, name := range []string{"bulk.submit", "bulk.get", "bulk.list"} {
					ask[name] = func(*transport.Request) (any, error) { return nil, row.err }
				}
				_, err = row.alias.Serve(r, ask.ask)
			}
			status, body := row.alias.Refusals.Write(r, err)
			want, _ := json.Marshal(ErrorTexts{Errors: []string{row.says}})
			if status != row.status || string(body) != string(want) {
				t.Errorf("%d %s, want %d %s", status, body, row.status, want)
			}
			if !slices.Contains(row.alias.Refusals.Statuses, status) {
				t.Errorf("%d is not documented", status)
			}
		})
	}
}

// TestPages: all pages stand in one answer; dry runs are not shown; what is too long is refused, or cut where that is said.
func TestPages(t *testing.T) {
	_, list, show := aliases(true)
	accepted := time.Date(2026, 1, 31, 12, 0, 0, 7_900_000, time.UTC)
	tasks := func(n, dry int) func(*transport.Request) (any, error) {
		return func(r *transport.Request) (any, error) {
			var page api.BulkPage
			first := 0
			_, _ = fmt.Sscan(r.Param("cursor"), &first)
			for i := first; i < min(first+300, n); i++ {
				page.Items = append(page.Items, api.BulkTask{Task: fmt.Sprint("t", n-i), Number: uint64(n - i), Name: fmt.Sprint("n", n-i),
					State: "COMPLETE", AcceptedAt: accepted, DryRun: i < dry})
			}
			if first += 300; first < n {
				page.Next = fmt.Sprint(first)
			}
			return page, nil
		}
	}
	posted := func(r *transport.Request) (any, error) {
		if r.ID == "t7" {
			return nil, bulk.Missing()
		}
		return " {\"of\":\t\"" + r.ID + "\"} \n", nil
	}
	t.Run("the tasks", func(t *testing.T) {
		reply, err := list.Serve(&transport.Request{Op: list.Operation, Provider: "p"}, fakes{"bulk.list": tasks(700, 2), "posted": posted}.ask)
		if err != nil {
			t.Fatal(err)
		}
		var all UpdateTaskList
		if err := json.Unmarshal(reply.Body, &all); err != nil {
			t.Fatal(err)
		}
		want := UpdateTask{CreatedAt: "2026-01-31T12:00:00.007Z", Name: "n698", TaskID: "698", Status: "COMPLETE", Posted: " {\"of\":\t\"t698\"} \n"}
		if len(all.Tasks) != 698 || all.Status != 200 || said(all.Tasks[0].Message) != "All collection updates completed successfully." {
			t.Fatalf("%d tasks: %+v", len(all.Tasks), all.Tasks[0])
		}
		if all.Tasks[0].Message = nil; all.Tasks[0] != want || all.Tasks[697].TaskID != "1" || all.Tasks[691].Posted != "" {
			t.Errorf("first %+v, last %+v", all.Tasks[0], all.Tasks[697])
		}
	})
	t.Run("requests that are too long together", func(t *testing.T) {
		asked, long := 0, strings.Repeat(" ", 1<<20)
		posted := func(*transport.Request) (any, error) {
			asked++
			return long, nil
		}
		reply, err := list.Serve(&transport.Request{Op: list.Operation, Provider: "p"}, fakes{"bulk.list": tasks(700, 0), "posted": posted}.ask)
		if fit := answerMaxBytes / len(long); err != nil || strings.Count(string(reply.Body), long) != fit || asked > fit+1 {
			t.Errorf("%v, %d were read", err, asked)
		}
	})
	t.Run("too many tasks", func(t *testing.T) {
		reply, err := list.Serve(&transport.Request{Op: list.Operation, Provider: "p"}, fakes{"bulk.list": tasks(5000, 0), "posted": posted}.ask)
		if err != nil || strings.Count(string(reply.Body), "created-at") != tasksMaxShown {
			t.Errorf("%v, %d bytes", err, len(reply.Body))
		}
	})
	items := func(n int, message string) fakes {
		return fakes{"posted": posted,
			"bulk.get": func(*transport.Request) (any, error) {
				return api.BulkTask{Task: "t5", Number: 5, State: "COMPLETE", Total: uint64(n), Counts: bulk.Counts{Failed: uint64(n)}}, nil
			},
			"bulk.items": func(r *transport.Request) (any, error) {
				if r.ID != "t5" {
					return nil, bulk.Missing()
				}
				var page api.BulkItemPage
				first := 0
				_, _ = fmt.Sscan(r.Param("cursor"), &first)
				for i := first; i < min(first+1000, n); i++ {
					page.Items = append(page.Items, api.BulkItem{ID: fmt.Sprint("C", i), State: "FAILED", Message: message})
				}
				if first += 1000; first < n {
					page.Next = fmt.Sprint(first)
				}
				return page, nil
			}}
	}
	request := func() *transport.Request { return &transport.Request{Op: show.Operation, Provider: "p", ID: "5"} }
	t.Run("the items", func(t *testing.T) {
		reply, err := show.Serve(request(), items(2500, "x").ask)
		if err != nil {
			t.Fatal(err)
		}
		var one UpdateTaskStatus
		if err := json.Unmarshal(reply.Body, &one); err != nil || len(one.Collections) != 2500 || one.Collections[2499].ConceptID != "C2499" {
			t.Errorf("%v, %d items", err, len(one.Collections))
		}
	})
	for name, f := range map[string]fakes{"too many items": items(itemsMaxShown+1, ""), "too long an answer": items(10_000, strings.Repeat("x", 4000))} {
		t.Run(name, func(t *testing.T) {
			_, err := show.Serve(request(), f.ask)
			status, body := show.Refusals.Write(request(), err)
			if status != 413 || !strings.Contains(string(body), "/api/v1/providers/p/bulk-updates/5/items") {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	t.Run("a dry run", func(t *testing.T) {
		_, err := show.Serve(request(), fakes{"bulk.get": func(*transport.Request) (any, error) { return api.BulkTask{DryRun: true}, nil }}.ask)
		if status, body := show.Refusals.Write(request(), err); status != 404 {
			t.Errorf("%d %s", status, body)
		}
	})
}
