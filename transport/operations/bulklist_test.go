package operations

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"

	"concord/actors/bulk"
	"concord/actors/fields"
	"concord/actors/problem"
	"concord/transport"
	"concord/transport/api"
)

// tasks are all tasks that a query lists, page by page.
func (b *bench) tasks(limit int, options ...option) (numbers []uint64) {
	b.t.Helper()
	for next := ""; ; {
		page := must[api.BulkPage](b, "bulk.list", "", "", append(options, param("limit", fmt.Sprint(limit)), param("cursor", next))...)
		for _, task := range page.Items {
			numbers = append(numbers, task.Number)
		}
		if next = page.Next; next == "" {
			return numbers
		}
	}
}

// TestTheListOfTasks: all pages are the list, newest first, and those of a filter the list filtered.
func TestTheListOfTasks(t *testing.T) {
	b := start(t, vfs.NewMem())
	begun := b.clock.Now()
	var all []api.BulkTask
	for i := range 60 {
		if i%3 == 0 {
			b.clock.Set(b.clock.Now().Add(time.Minute))
		}
		who := []string{"ann", "bob"}[i%2]
		task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`, fmt.Sprintf(`"name":"n%d"`, i)), as(who))
		switch i % 5 {
		case 0:
			task = must[api.BulkTask](b, "bulk.cancel", task.Task, "")
		case 1:
			task = must[api.BulkTask](b, "bulk.pause", fmt.Sprint(task.Number), "")
		}
		all = append(all, task)
	}
	b.attempt(b.asked(asking(`{"ids":["a","b","c"]}`)), stepHalfStaged) // a draft, which is not listed
	slices.Reverse(all)
	rapid.Check(t, func(t *rapid.T) {
		var options []option
		keep := func(name, value string, is func(*api.BulkTask) bool) func(*api.BulkTask) bool {
			if rapid.IntRange(0, 2).Draw(t, name) > 0 {
				return func(*api.BulkTask) bool { return true }
			}
			options = append(options, param(name, value))
			return is
		}
		at := func(name string) time.Time {
			return begun.Add(time.Duration(rapid.IntRange(0, 44).Draw(t, name)) * 30 * time.Second)
		}
		from, to := at("from time"), at("to time")
		state := rapid.SampledFrom(bulk.Statuses).Draw(t, "status")
		who := rapid.SampledFrom([]string{"ann", "bob", "cid"}).Draw(t, "who")
		filters := []func(*api.BulkTask) bool{
			keep("open", "true", func(task *api.BulkTask) bool { return task.EndedAt == nil }),
			keep("state", string(state), func(task *api.BulkTask) bool { return task.State == string(state) }),
			keep("principal", who, func(task *api.BulkTask) bool { return task.Principal == who }),
			keep("from", from.Format(time.RFC3339), func(task *api.BulkTask) bool { return !task.AcceptedAt.Before(from) }),
			keep("to", to.Format(time.RFC3339), func(task *api.BulkTask) bool { return task.AcceptedAt.Before(to) }),
		}
		var want []uint64
		for i := range all {
			if !slices.ContainsFunc(filters, func(is func(*api.BulkTask) bool) bool { return !is(&all[i]) }) {
				want = append(want, all[i].Number)
			}
		}
		if got := b.tasks(rapid.IntRange(1, 70).Draw(t, "limit"), options...); !slices.Equal(got, want) {
			t.Fatalf("%v, not %v", got, want)
		}
	})
	if got := b.tasks(10, param("name", "n7")); !slices.Equal(got, []uint64{8}) {
		t.Errorf("by name: %v", got)
	}
	for name, value := range map[string]string{"state": "DONE", "from": "yesterday", "to": "1", "cursor": "?", "limit": "0"} {
		b.refused(problem.Invalid, "bulk.list", "", "", param(name, value))
	}
}

// TestAPageOfTasksIsBounded: it looks at so many of each partition; what it has not come to stands on the next.
func TestAPageOfTasksIsBounded(t *testing.T) {
	large(t)
	b := start(t, vfs.NewMem())
	b.service.Limits.Bulk.OpenTasksMax = 1_000_000
	const tasks = 9 * bulkListSteps // of eight partitions
	for i := range tasks {
		who := "ann"
		if i%500 == 3 {
			who = "bob"
		}
		task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`), as(who))
		must[api.BulkTask](b, "bulk.cancel", task.Task, "")
	}
	var want []uint64
	for i := tasks - 1; i >= 0; i-- {
		if i%500 == 3 {
			want = append(want, uint64(i+1))
		}
	}
	if got := b.tasks(100, param("principal", "bob")); !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	if page := must[api.BulkPage](b, "bulk.list", "", "", param("principal", "cid")); len(page.Items) != 0 || page.Next == "" {
		t.Errorf("the first page of nobody: %+v", page)
	}
}

// TestVerbsOfATask: by id and by number, again and again.
func TestVerbsOfATask(t *testing.T) {
	b := start(t, vfs.NewMem())
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a","b"]}`))
	for _, row := range []struct{ verb, state string }{
		{"pause", "PAUSED"}, {"pause", "PAUSED"}, {"resume", "ACCEPTED"}, {"resume", "ACCEPTED"}, {"pause", "PAUSED"}, {"cancel", "CANCELLED"}, {"cancel", "CANCELLED"},
	} {
		for _, id := range []string{task.Task, "1"} {
			if got := must[api.BulkTask](b, "bulk."+row.verb, id, "{}"); got.State != row.state {
				t.Errorf("%s: %s, not %s", row.verb, got.State, row.state)
			}
		}
	}
	b.refused(problem.WrongState, "bulk.pause", "1", "")
	b.refused(problem.WrongState, "bulk.resume", "1", "")
	b.refused(problem.Invalid, "bulk.cancel", "1", `{"why":"x"}`)
	if done := must[api.BulkTask](b, "bulk.get", "1", ""); done.Counts.Cancelled != 2 || done.EndedAt == nil || done.ExpiresAt == nil {
		t.Errorf("%+v", done)
	}
	var types []string
	for _, e := range must[api.EventPage](b, "bulk.events", "1", "").Items {
		types = append(types, strings.TrimPrefix(e.Type, "bulk."))
	}
	if got := strings.Join(types, " "); got != "accepted paused resumed paused cancelled" {
		t.Errorf("events: %s", got)
	}
}

// TestATaskIsGoneInTheEnd: after its retention there is no such task for anybody.
func TestATaskIsGoneInTheEnd(t *testing.T) {
	b := start(t, vfs.NewMem())
	b.service.Limits.Bulk.Retention = time.Hour
	must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":["a"]}`, `"name":"n"`))
	must[api.BulkTask](b, "bulk.cancel", "1", "")
	b.clock.Set(b.clock.Now().Add(2 * time.Hour))
	b.waitFor(func() bool { _, err := b.try("bulk.get", "1", ""); return err != nil })
	for _, verb := range []string{"get", "items", "request", "events", "pause", "resume", "cancel", "retry", "rollback"} {
		b.refused(problem.NotFound, "bulk."+verb, "1", "")
	}
	if got := b.tasks(10); len(got) != 0 {
		t.Errorf("listed: %v", got)
	}
}

// TestEventsOfATaskBeginWithItsAcceptance, page by page and as a stream: nobody is told of a draft.
func TestEventsOfATaskBeginWithItsAcceptance(t *testing.T) {
	b := start(t, vfs.NewMem())
	ids := make([]string, 2500)
	for i := range ids {
		ids[i] = fmt.Sprint("c", i)
	}
	text, _ := json.Marshal(ids)
	task := must[api.BulkTask](b, "bulk.submit", "", asking(`{"ids":`+string(text)+`}`))
	must[api.BulkTask](b, "bulk.cancel", "1", "")
	page := must[api.EventPage](b, "bulk.events", "1", "", param("limit", "1"))
	if len(page.Items) != 1 || page.Items[0].Type != bulk.TypeAccepted || page.Items[0].Seq != 3 {
		t.Errorf("the first page: %+v", page)
	}
	page = must[api.EventPage](b, "bulk.events", "1", "", param("cursor", page.Next))
	if len(page.Items) != 1 || page.Items[0].Type != bulk.TypeCancelled || page.Next != "" {
		t.Errorf("the second: %+v", page)
	}
	r := b.asked("")
	r.Op, r.ID = b.table["bulk.events"], task.Task
	var sent []string
	enough := fmt.Errorf("enough")
	err := r.Op.Stream(t.Context(), r, func(e transport.StreamEvent) error {
		if sent = append(sent, e.Type); len(sent) == 2 {
			return enough
		}
		return nil
	})
	if err == nil || !slices.Equal(sent, []string{bulk.TypeAccepted, bulk.TypeCancelled}) {
		t.Errorf("streamed: %v, %v", sent, err)
	}
}

// TestRetry: the failed items of a task that has ended, as they were asked for, as a task of its own.
func TestRetry(t *testing.T) {
	b := startWith(t, vfs.NewMem(), false)
	body := `{"name":"n","itemsPerSecond":9,"onLocked":"fail","targets":{"items":[{"id":"a","value":{"x":1}},{"id":"b","value":{"x":2},"version":4},{"id":"c","value":{"x":3}}]},` +
		`"instructions":[{"type":"ADD_TO_EXISTING","path":"/metadata/x","valueFrom":"/x"}]}`
	task := must[api.BulkTask](b, "bulk.submit", "", body, param("dryRun", "true"))
	b.refused(problem.WrongState, "bulk.retry", "1", "")
	b.tell(task.Task, &bulk.Start{})
	failed := bulk.Outcome{State: fields.Failed, Code: "schema-invalid", Message: "x"}
	b.tell(task.Task, &bulk.Progress{Rows: []bulk.Outcome{failed, failed, {State: fields.Updated, VersionBefore: 1, VersionAfter: 2}}})
	b.refused(problem.WrongState, "bulk.retry", "1", "")
	b.tell(task.Task, &bulk.Finish{})
	b.refused(problem.NameTaken, "bulk.retry", "1", `{"name":"n"}`)
	b.refused(problem.Invalid, "bulk.retry", "1", `{"name":"7"}`)
	b.refused(problem.Invalid, "bulk.retry", "1", `{"targets":{"all":true}}`)
	key := with("Idempotency-Key", "k")
	reply, p := b.do("bulk.retry", "1", `{"name":"n again","reason":"why"}`, key)
	if p != nil || reply.Status != 202 {
		t.Fatal(p)
	}
	retry := must[api.BulkTask](b, "bulk.get", reply.See.ID, "")
	if retry.Number != 2 || retry.Name != "n again" || retry.RetryOf != task.Task || retry.Total != 2 || !retry.DryRun || retry.OnLocked != "fail" ||
		retry.ItemsPerSecond != 9 || retry.Reason != "why" {
		t.Errorf("%+v", retry)
	}
	rows := b.list(retry.Task)
	if rows[0].Collection != "a" || string(rows[0].Value) != `{"x":1}` || rows[1].Collection != "b" || rows[1].Version != 4 {
		t.Errorf("%+v", rows)
	}
	asked := must[api.BulkAsked](b, "bulk.request", "2", "")
	if !strings.Contains(string(asked.Instructions), "valueFrom") || string(asked.Targets) != fmt.Sprintf(`{"by":"retry","count":2,"task":%q}`, task.Task) {
		t.Errorf("asked: %+v", asked)
	}
	if again, p := b.do("bulk.retry", "1", `{"name":"n again","reason":"why"}`, key); p != nil || again.See.ID != reply.See.ID {
		t.Errorf("again: %+v, %v", again, p)
	}
	must[api.BulkTask](b, "bulk.cancel", "2", "")
	b.refused(problem.WrongState, "bulk.retry", "2", "") // nothing has failed
}
